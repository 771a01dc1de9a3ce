-- Puts a purge in its place in the order of all, by the server's clock, which no failover turns back.
-- KEYS: prefix. ARGV: `soft` or `hard`, who purges, what, and for a URL its place in the table; how many are remembered.
local P, how, who, what, place, most = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', P .. 'last') or '0') or 0
local mark = math.max(last + 1, tonumber(time[1]) * 1000000 + tonumber(time[2]))
local text = string.format('%.0f', mark)
redis.call('SET', P .. 'last', text)
local log = 'wide'
if place ~= '' then
  redis.call('BITFIELD', P .. how, 'SET', 'u63', '#' .. place, text)
  log = 'urls'
end
redis.call('ZADD', P .. log, text, text .. ' ' .. how .. ' ' .. who .. ' ' .. what)
local over = redis.call('ZCARD', P .. log) - most
if over > 0 then
  local forgotten = redis.call('ZRANGE', P .. log, over - 1, over - 1, 'WITHSCORES')
  redis.call('SET', P .. log .. '-forgotten', string.format('%.0f', tonumber(forgotten[2])))
  redis.call('ZREMRANGEBYRANK', P .. log, 0, over - 1)
end
return text
