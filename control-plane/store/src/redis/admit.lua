-- Admits a request under all accounts, or under none.
--
-- ARGV: time, id ('' for none), id of leases, id of the attempt ('' for none); then per account: kind, limit, window, patience, amount, what to lend.
-- Returns how many holds were found expired, then per account: 1 if admitted else 0; what is left; until it resets; what
-- was lent.
local now, id, lease, attempt = clock(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local answer, accounts, amounts, all, expired = {}, {}, {}, true, 0
for i = 2, #KEYS do
  local first = 5 + 6 * (i - 2)
  local account = load(KEYS[i], terms_at(first), now)
  local amount = math.min(tonumber(ARGV[first + 4]), MAX_AMOUNT)
  advance(account)
  local admitted, remaining, reset = look(account, amount)
  all = all and admitted
  accounts[i], amounts[i] = account, amount
  answer[i] = { admitted and 1 or 0, remaining, reset, 0 }
end
for i = 2, #KEYS do
  if all then
    take(accounts[i], amounts[i], id, attempt)
    answer[i][2] = math.max(answer[i][2] - amounts[i], 0)
    answer[i][4] = lend(accounts[i], tonumber(ARGV[10 + 6 * (i - 2)]), amounts[i], lease)
  end
  save(accounts[i])
  expired = expired + accounts[i].expired
end
answer[1] = { expired, 0, 0, 0 }
return answer
