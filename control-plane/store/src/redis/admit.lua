-- Admits a request under all accounts, or under none.
--
-- ARGV: time, id ('' for none), id of a new lease, id of the attempt ('' for none); then per account: kind, limit, window, patience, amount,
-- what to lend, the lease that goes on ('' for none), what was spent of it in all.
-- Returns how many holds were found expired, and by how much leases passed what was lent and the limit; then per account: 1 if admitted
-- else 0; what is left; until it resets; what was lent.
local now, id, lease, attempt = clock(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local answer, accounts, amounts, leases, all, expired, over = {}, {}, {}, {}, true, 0, 0
for i = 2, #KEYS do
  local first = 5 + 8 * (i - 2)
  local account = load(KEYS[i], terms_at(first), now)
  local amount = math.min(tonumber(ARGV[first + 4]), MAX_AMOUNT)
  advance(account)
  leases[i] = lease
  local goes_on = ARGV[first + 6]
  if goes_on ~= '' then
    local excess = tell(account, goes_on, math.min(tonumber(ARGV[first + 7]), MAX_AMOUNT))
    -- What is not known here any more cannot be added to.
    leases[i] = excess and goes_on or ''
    over = over + math.max(math.min(excess or 0, used(account) - account.terms.limit), 0)
  end
  local admitted, remaining, reset = look(account, amount)
  all = all and admitted
  accounts[i], amounts[i] = account, amount
  answer[i] = { admitted and 1 or 0, remaining, reset, 0 }
end
for i = 2, #KEYS do
  if all then
    take(accounts[i], amounts[i], id, attempt)
    answer[i][2] = math.max(answer[i][2] - amounts[i], 0)
    answer[i][4] = lend(accounts[i], tonumber(ARGV[10 + 8 * (i - 2)]), amounts[i], leases[i])
  end
  save(accounts[i])
  expired = expired + accounts[i].expired
end
answer[1] = { expired, over, 0, 0 }
return answer
