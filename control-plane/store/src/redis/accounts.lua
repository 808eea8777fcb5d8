-- How the accounts stand that were used last.
--
-- ARGV: time, how many at most. Returns per account: its key, kind, limit, window, patience, what is used, what of it is
-- held, until it resets (negative: nothing was spent), what lies in leases, how many these are, its score.
local now, most = clock(ARGV[1]), tonumber(ARGV[2])
local answer = {}
local newest = redis.call('ZREVRANGE', KEYS[1], 0, most - 1, 'WITHSCORES')
for i = 1, #newest, 2 do
  local key, score = newest[i], tonumber(newest[i + 1])
  local said = redis.call('HMGET', key, 'kind', 'limit', 'window', 'patience')
  if said[1] then
    local terms = {
      kind = tonumber(said[1]), limit = tonumber(said[2]), window = tonumber(said[3]), patience = tonumber(said[4]),
    }
    local account = load(key, terms, now)
    advance(account)
    save(account)
    if used(account) > 0 then
      answer[#answer + 1] = {
        key, terms.kind, terms.limit, terms.window, terms.patience, used(account), account.held, resets(account) or -1,
        account.lent, account.leases, score,
      }
    end
  end
end
return answer
