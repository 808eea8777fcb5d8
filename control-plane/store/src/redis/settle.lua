-- Ends holds.
--
-- ARGV: time; then per account: kind, limit, window, patience, id, id of what stays held, what was spent, what stays held.
-- Returns per account: by how much it passes both what was held and the limit, or -1 if nothing was held; how many holds were
-- found expired.
local now = clock(ARGV[1])
local answer = {}
for i = 2, #KEYS do
  local first = 2 + 8 * (i - 2)
  local account = load(KEYS[i], terms_at(first), now)
  local spent, rest = tonumber(ARGV[first + 6]), tonumber(ARGV[first + 7])
  -- The limit that the account was asked about last stays.
  account.terms.limit = tonumber(redis.call('HGET', KEYS[i], 'limit') or whole(account.terms.limit))
  advance(account)
  local over = -1
  local held, told = let_go(account, ARGV[first + 4])
  if held then
    spent = math.max(spent - (told or 0), 0)
    if account.terms.kind ~= CONCURRENT then spend(account, spent) end
    if rest > 0 then hold(account, rest, ARGV[first + 5]) end
    over = math.max(math.min(spent + rest - held, used(account) - account.terms.limit), 0)
  end
  save(account)
  answer[i - 1] = { over, account.expired }
end
return answer
