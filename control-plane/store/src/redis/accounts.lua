-- How the accounts stand that were used last.
--
-- ARGV: time, how many of those used later are passed over, how many are looked at, then what the keys of wanted accounts hold.
-- Returns how many there were to look at, and per account that is wanted and counts something: its key; kind, limit, window, patience; what is used, what of it is held, until
-- it resets (negative: nothing was spent); what lies in leases, how many these are; how many holds are open, until the first of them
-- ends (negative: none is), how many ended unsettled lately; how many were found expired; its score.
local now, first, most = clock(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local answer = {}

local function wanted(key)
  for i = 4, #ARGV do
    if not string.find(key, ARGV[i], 1, true) then return false end
  end
  return true
end

local newest = redis.call('ZREVRANGE', KEYS[1], first, first + most - 1, 'WITHSCORES')
for i = 1, #newest, 2 do
  local key, score = newest[i], tonumber(newest[i + 1])
  local said = wanted(key) and redis.call('HMGET', key, 'kind', 'limit', 'window', 'patience')
  if said and said[1] then
    local terms = {
      kind = tonumber(said[1]), limit = tonumber(said[2]), window = tonumber(said[3]), patience = tonumber(said[4]),
    }
    local account = load(key, terms, now)
    advance(account)
    save(account)
    if used(account) > 0 or account.unsettled > 0 then
      local first = redis.call('ZRANGE', key .. ':holds', 0, 0, 'WITHSCORES')[2]
      answer[#answer + 1] = {
        key, { terms.kind, terms.limit, terms.window, terms.patience },
        { used(account), account.held, resets(account) or -1 }, { account.lent, account.leases },
        { redis.call('ZCARD', key .. ':holds'), first and math.max(tonumber(first) - account.clock, 0) or -1, account.unsettled },
        account.expired, score,
      }
    end
  end
end
return { #newest / 2, answer }
