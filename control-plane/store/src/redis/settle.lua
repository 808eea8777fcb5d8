-- Ends holds.
--
-- ARGV: time; then per account: kind, limit, window, patience, id, what was spent (negative: it is released).
-- Returns per account: 1 if the hold was there, 0 if not; how many holds were found expired.
local now = clock(ARGV[1])
local answer = {}
for i = 2, #KEYS do
  local first = 2 + 6 * (i - 2)
  local account = load(KEYS[i], terms_at(first), now)
  local id, spent = ARGV[first + 4], tonumber(ARGV[first + 5])
  advance(account)
  local known = let_go(account, id)
  if known and spent >= 0 and account.terms.kind == RESERVE then spend(account, math.min(spent, MAX_AMOUNT)) end
  -- The limit that the account was asked about last stays.
  account.terms.limit = tonumber(redis.call('HGET', KEYS[i], 'limit') or whole(account.terms.limit))
  save(account)
  answer[i - 1] = { known and 1 or 0, account.expired }
end
return answer
