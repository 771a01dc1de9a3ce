-- Lets responses go.
-- KEYS: prefix. ARGV: key's id, then variants' ids; all of them where there are none.
local P, id = KEYS[1], ARGV[1]
local entries = P .. 'entries:' .. id
local variants = { unpack(ARGV, 2) }
if #variants == 0 then
  local found = redis.pcall('HKEYS', entries)
  if found.err then redis.call('UNLINK', entries) else variants = found end
end
for _, variant in ipairs(variants) do
  local member = id .. ':' .. variant
  local known = redis.call('HGET', P .. 'sizes', member)
  if known then
    local bytes, digest = string.match(known, '^(%d+):(%x*)$')
    redis.call('HINCRBY', P .. 'sizes', 'sum', -(tonumber(bytes) or 0))
    redis.call('HDEL', P .. 'sizes', member)
    redis.call('UNLINK', P .. 'body:' .. member .. ':' .. (digest or ''))
  end
  redis.call('ZREM', P .. 'used', member)
  redis.call('ZREM', P .. 'expiry', member)
  redis.pcall('HDEL', entries, variant)
end
return #variants
