-- An account in Redis: the arithmetic of `mesh_limits::Account`, restated. One suite of scenarios and a comparison over
-- random acts hold the two together.
--
-- KEYS: the index of accounts (a sorted set, scored by when the account is empty at the latest), then accounts.
-- An account is a hash (clock, spent, held, lent, leases; unsettled and ended: how many holds ended unsettled lately, and when; and kind, limit, window, patience for listing), and beside it
--   :log      a list of "time:amount" in order of time,
--   :holds    a sorted set of ids, scored by when the hold ends,
--   :amounts  a hash of what each id holds; of a lease with an L before it, and behind it what was told that it spent: L7:3.
-- Times are microseconds, amounts whole numbers far below 2^53.
local GRAIN, MAX_AMOUNT, HELD_RETRY, MAX_HOLDS = 1024, 1000000000000, 1000000, 10000
local COUNT, RESERVE, CONCURRENT = 0, 1, 2
local LENT, FREE, SHORTEST_WINDOW = 10, 4, 60000000
-- Servers of a cluster that take over from one another may differ by so much.
local AHEAD = 5000000

local function whole(number) return string.format('%.0f', number) end

-- A negative time stands for this server's clock.
local function clock(said)
  local now = tonumber(said)
  if now >= 0 then return now end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function split(entry)
  local at, amount = string.match(entry, '^(%d+):(%d+)$')
  return tonumber(at), tonumber(amount)
end

-- This server's clock was ahead when the account was used, and has been set right: what it holds is as old as it was by that
-- clock. Else it would stand still until the time that it was ahead has passed.
local function move_back(account, by)
  local log, holds = account.key .. ':log', account.key .. ':holds'
  local entries = redis.call('LRANGE', log, 0, -1)
  redis.call('DEL', log)
  for _, entry in ipairs(entries) do
    local at, amount = split(entry)
    redis.call('RPUSH', log, whole(math.max(at - by, 0)) .. ':' .. whole(amount))
  end
  local held = redis.call('ZRANGE', holds, 0, -1, 'WITHSCORES')
  for i = 1, #held, 2 do redis.call('ZADD', holds, whole(math.max(tonumber(held[i + 1]) - by, 0)), held[i]) end
  account.clock, account.ended, account.changed = account.clock - by, math.max(account.ended - by, 0), true
end

local function load(key, terms, now)
  local own = tonumber(ARGV[1]) < 0
  local held = redis.call('HMGET', key, 'clock', 'spent', 'held', 'lent', 'leases', 'unsettled', 'ended')
  local account = {
    key = key, terms = terms, expired = 0, changed = false, known = held[1] and tonumber(held[1]),
    clock = math.max(tonumber(held[1] or '0'), now), spent = tonumber(held[2] or '0'), held = tonumber(held[3] or '0'),
    lent = tonumber(held[4] or '0'), leases = tonumber(held[5] or '0'),
    unsettled = tonumber(held[6] or '0'), ended = tonumber(held[7] or '0'),
  }
  if own and account.clock - now > AHEAD then move_back(account, account.clock - now) end
  return account
end

local function terms_at(first)
  return {
    kind = tonumber(ARGV[first]), limit = tonumber(ARGV[first + 1]), window = tonumber(ARGV[first + 2]),
    patience = tonumber(ARGV[first + 3]),
  }
end

local function spend(account, amount)
  if amount == 0 then return end
  local log, grain = account.key .. ':log', math.max(math.floor(account.terms.window / GRAIN), 1)
  account.spent, account.changed = account.spent + amount, true
  local newest = redis.call('LINDEX', log, -1)
  if newest then
    local at, sum = split(newest)
    if math.floor(at / grain) == math.floor(account.clock / grain) then
      redis.call('LSET', log, -1, whole(account.clock) .. ':' .. whole(sum + amount))
      return
    end
  end
  redis.call('RPUSH', log, whole(account.clock) .. ':' .. whole(amount))
end

-- What is held under an id, and what was told of it if it is a lease; or nothing.
local function held_under(account, id)
  local said = redis.call('HGET', account.key .. ':amounts', id)
  if not said then return nil end
  local lease, amount, told = string.match(said, '^(L?)(%d+):?(%d*)$')
  return tonumber(amount), lease == 'L' and (tonumber(told) or 0) or nil
end

-- Ends a hold; what it held and what was told of it, or nothing.
local function let_go(account, id)
  local amount, told = held_under(account, id)
  if not amount then return nil end
  redis.call('HDEL', account.key .. ':amounts', id)
  redis.call('ZREM', account.key .. ':holds', id)
  if told then
    account.lent, account.leases = math.max(account.lent - amount, 0), math.max(account.leases - 1, 0)
  end
  account.held, account.changed = math.max(account.held - amount, 0), true
  return amount, told
end

local function end_unsettled(account, id)
  local amount = let_go(account, id)
  account.expired, account.unsettled, account.ended = account.expired + 1, account.unsettled + 1, account.clock
  if amount and account.terms.kind ~= CONCURRENT then spend(account, amount) end
end

local function advance(account)
  if account.terms.kind ~= COUNT or account.held > 0 then
    while true do
      local due = redis.call('ZRANGEBYSCORE', account.key .. ':holds', '-inf', account.clock, 'LIMIT', 0, 100)
      if #due == 0 then break end
      for _, id in ipairs(due) do end_unsettled(account, id) end
    end
  end
  local memory = account.terms.kind == CONCURRENT and account.terms.patience or account.terms.window
  if account.unsettled > 0 and account.ended + memory <= account.clock then
    account.unsettled, account.ended, account.changed = 0, 0, true
  end
  while true do
    local oldest = redis.call('LINDEX', account.key .. ':log', 0)
    if not oldest then break end
    local at, amount = split(oldest)
    if at + account.terms.window > account.clock then break end
    redis.call('LPOP', account.key .. ':log')
    account.spent, account.changed = math.max(account.spent - amount, 0), true
  end
end

local function used(account)
  if account.terms.kind == CONCURRENT then return account.held end
  return account.spent + account.held
end

local function until_leaves(account, at) return math.max(at + account.terms.window - account.clock, 0) end

local function resets(account)
  local oldest = redis.call('LINDEX', account.key .. ':log', 0)
  return oldest and until_leaves(account, (split(oldest)))
end

local function until_fits(account, excess)
  local left = 0
  for _, entry in ipairs(redis.call('LRANGE', account.key .. ':log', 0, -1)) do
    local at, amount = split(entry)
    left = left + amount
    if left >= excess then return until_leaves(account, at) end
  end
  return math.min(HELD_RETRY, account.terms.window)
end

local function look(account, amount)
  local terms, taken = account.terms, used(account)
  local remaining = math.max(terms.limit - taken, 0)
  if taken + amount <= terms.limit then return true, remaining, resets(account) or terms.window end
  if terms.kind == CONCURRENT then return false, remaining, HELD_RETRY end
  if amount > terms.limit then return false, remaining, terms.window end
  return false, remaining, until_fits(account, taken + amount - terms.limit)
end

-- Holds more under an id; `told` makes it a lease.
local function hold(account, amount, id, told)
  local before = let_go(account, id) or 0
  if redis.call('ZCARD', account.key .. ':holds') >= MAX_HOLDS then
    end_unsettled(account, redis.call('ZRANGE', account.key .. ':holds', 0, 0)[1])
  end
  redis.call('ZADD', account.key .. ':holds', whole(account.clock + account.terms.patience), id)
  redis.call('HSET', account.key .. ':amounts', id, (told and 'L' or '') .. whole(before + amount) .. (told and ':' .. whole(told) or ''))
  account.held, account.changed = account.held + before + amount, true
  if told then account.lent, account.leases = account.lent + before + amount, account.leases + 1 end
end

-- What would be spent at once is held under `attempt`, if there is one.
local function take(account, amount, id, attempt)
  local terms = account.terms
  -- Who asks for nothing only wants to be lent.
  if amount == 0 then return end
  if terms.kind == COUNT or (id == '' and terms.kind == RESERVE) then
    if attempt ~= '' then return hold(account, amount, attempt) end
    return spend(account, amount)
  end
  if id ~= '' then hold(account, amount, id) end
end

-- Takes in what was spent of a lease in all. Nothing when there is no such lease; else by how much it passes what was lent.
-- `mesh_limits::Account::tell`.
local function tell(account, id, spent)
  local amount, told = held_under(account, id)
  if not told then return nil end
  local more = math.min(math.max(spent - told, 0), MAX_AMOUNT)
  if more > 0 then
    let_go(account, id)
    hold(account, math.max(amount - more, 0), id, told + more)
    spend(account, more)
  end
  return math.max(more - amount, 0)
end

-- Lends under id, beside what is lent there already; what was lent. `mesh_limits::Account::lend`.
local function lend(account, want, least, id)
  local terms = account.terms
  if terms.kind == CONCURRENT or terms.window < SHORTEST_WINDOW or id == '' then return 0 end
  local own, told = held_under(account, id)
  if not told then own = 0 end
  local free, all, most = math.max(terms.limit - used(account), 0), account.leases + (told and 0 or 1), math.floor(terms.limit / LENT)
  local share = math.min(want, math.max(math.floor(most / all) - own, 0), math.max(most - account.lent, 0), math.floor(free / (all * FREE)))
  if share < math.max(least, 1) then return 0 end
  hold(account, share, id, told or 0)
  return share
end

-- Writes down what has changed. Nothing is kept longer than it can count.
local function save(account)
  if not account.changed then
    if account.known and account.clock > account.known then
      redis.call('HSET', account.key, 'clock', whole(account.clock))
    end
    return
  end
  local terms = account.terms
  local life = terms.window
  if terms.kind == CONCURRENT then life = terms.patience elseif account.held > 0 then life = life + terms.patience end
  life = math.ceil(life / 1000) + 1000
  redis.call('HSET', account.key, 'clock', whole(account.clock), 'spent', whole(account.spent), 'held',
    whole(account.held), 'lent', whole(account.lent), 'leases', whole(account.leases), 'unsettled', whole(account.unsettled), 'ended', whole(account.ended), 'kind', terms.kind, 'limit', whole(terms.limit), 'window', whole(terms.window), 'patience',
    whole(terms.patience))
  for _, part in ipairs({ '', ':log', ':holds', ':amounts' }) do redis.call('PEXPIRE', account.key .. part, life) end
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
  redis.call('ZADD', KEYS[1], whole(now + life), account.key)
end
