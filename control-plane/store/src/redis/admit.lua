-- Admits a request under all sliding windows, or under none.
--
-- KEYS: one sorted set per limit; a member per admitted hit, its score the time in microseconds.
-- ARGV: time in microseconds (negative: this server's clock); then per key: limit, window in microseconds, hits.
-- Returns per key: 1 if admitted else 0; hits left; microseconds until reset. The law is that of `judge` in core's limits.rs.
local now = tonumber(ARGV[1])
if now < 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function leaves(key, index, window)
  local hit = redis.call('ZRANGE', key, index, index, 'WITHSCORES')
  return math.max(tonumber(hit[2]) + window - now, 0)
end

local answer, all = {}, true
for i, key in ipairs(KEYS) do
  local limit, window, hits = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  local held = redis.call('ZCARD', key)
  local admitted = held + hits <= limit
  local reset = window
  if admitted then
    if held > 0 then reset = leaves(key, 0, window) end
  elseif hits <= limit and held > 0 then
    reset = leaves(key, held + hits - limit - 1, window)
  end
  all = all and admitted
  answer[i] = { admitted and 1 or 0, math.max(limit - held, 0), reset }
end
if not all then return answer end

for i, key in ipairs(KEYS) do
  local window, hits = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  -- The log stays ascending, also when the clock steps back; hits of one microsecond are told apart by a number.
  local at, number = now, 0
  local newest = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
  if newest[2] and tonumber(newest[2]) >= at then
    at = tonumber(newest[2])
    number = tonumber(string.match(newest[1], '%-(%d+)$')) + 1
  end
  for n = number, number + hits - 1 do
    redis.call('ZADD', key, at, string.format('%.0f-%010d', at, n))
  end
  if hits > 0 then redis.call('PEXPIRE', key, math.ceil((at - now + window) / 1000)) end
  answer[i][2] = math.max(answer[i][2] - hits, 0)
end
return answer
