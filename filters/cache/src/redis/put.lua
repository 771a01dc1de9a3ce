-- Makes room for a response within the budget, and keeps it once its body is there.
-- KEYS: prefix. ARGV: key's id, variant's id, body's digest, milliseconds, entry, budget, variants, pieces of the body, `room` where
-- that is all that is wanted, bytes of the body.
-- Says whether there is room, or it is kept.
local P = KEYS[1]
local id, variant, digest, ttl, entry = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local budget, variants, pieces = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local member, entries = id .. ':' .. variant, P .. 'entries:' .. id
local is_kept = ARGV[9] ~= 'room'
local body = P .. 'body:' .. member .. ':' .. digest
-- What the records of one response take, and what an allocator wastes.
local OVERHEAD = 1200

local function sum() return tonumber(redis.call('HGET', P .. 'sizes', 'sum') or '0') or 0 end

-- Lets a response go, but for the body that is kept.
local function forget(member, kept)
  local known = redis.call('HGET', P .. 'sizes', member)
  if known then
    local bytes, digest = string.match(known, '^(%d+):(%x*)$')
    redis.call('HINCRBY', P .. 'sizes', 'sum', -(tonumber(bytes) or 0))
    redis.call('HDEL', P .. 'sizes', member)
    if digest ~= kept then redis.call('UNLINK', P .. 'body:' .. member .. ':' .. (digest or '')) end
  end
  redis.call('ZREM', P .. 'used', member)
  redis.call('ZREM', P .. 'expiry', member)
  local id, variant = string.match(member, '^(%x+):(%x+)$')
  if id then redis.pcall('HDEL', P .. 'entries:' .. id, variant) end
end

if is_kept and pieces > 0 and redis.call('HLEN', body) ~= pieces then return 0 end
local kind = redis.call('TYPE', entries).ok
if kind ~= 'hash' and kind ~= 'none' then redis.call('UNLINK', entries) end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for _, old in ipairs(redis.call('ZRANGEBYSCORE', P .. 'expiry', '-inf', now, 'LIMIT', 0, 128)) do
  if old ~= member then forget(old) end
end
forget(member, digest)
if redis.call('HLEN', entries) >= variants then
  local oldest, least
  for _, other in ipairs(redis.call('HKEYS', entries)) do
    local used = tonumber(redis.call('ZSCORE', P .. 'used', id .. ':' .. other) or '0')
    if not least or used < least then oldest, least = other, used end
  end
  forget(id .. ':' .. oldest)
  redis.call('HDEL', entries, oldest)
end
local bytes = OVERHEAD + math.floor(#entry * 5 / 4)
if not is_kept then
  bytes = bytes + math.floor(tonumber(ARGV[10]) * 5 / 4)
elseif pieces > 0 then
  redis.call('PEXPIRE', body, ttl)
  bytes = bytes + redis.call('MEMORY', 'USAGE', body, 'SAMPLES', 0)
end
-- What was not used for longest goes first; a bounded number of them, for Redis does nothing else meanwhile.
local chances = 1000
while sum() + bytes > budget do
  local oldest = redis.call('ZRANGE', P .. 'used', 0, 0)[1]
  if bytes > budget or chances == 0 or not oldest then return 0 end
  forget(oldest)
  chances = chances - 1
end
if not is_kept then return 1 end
local left = redis.call('PTTL', entries)
redis.call('HSET', entries, variant, entry)
if left < ttl then redis.call('PEXPIRE', entries, ttl) end
redis.call('HSET', P .. 'sizes', member, string.format('%d:%s', bytes, digest))
redis.call('HINCRBY', P .. 'sizes', 'sum', bytes)
redis.call('ZADD', P .. 'used', now, member)
redis.call('ZADD', P .. 'expiry', now + ttl, member)
return 1
