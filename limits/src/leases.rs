//! Leases, from their holder's side: what one worker of a sidecar may admit without asking.
//!
//! A request under several limits is admitted only if leases cover all of them; otherwise it asks. At most one request at a time
//! asks an account to lend. It reports all that was spent of the current lease, and what is lent then is added to that lease. So
//! the account learns of spending as soon as more is needed, and any of these requests and answers may get lost.
//!
//! A lease ends when its time is over, or when the clock steps back; then it is returned. The part that requests under way hold
//! stays held under another name until they end. A return may be reported more than once, since the account knows each lease only
//! until it is returned.
use std::collections::{HashMap, VecDeque};

use crate::lease::{LEASE_US, rest_of};
use crate::measure::Measure;

/// Accounts with leases at a time; requests under further accounts ask.
const MAX_ACCOUNTS: usize = 4096;

/// A lease is renewed when less than this is left of its time, in microseconds, or half of what it had after the last answer.
const RENEW_US: u64 = 500_000;
/// After this long a call is not answered any more: it exceeds all timeouts.
const LOST_US: u64 = 10_000_000;
/// At most so many times the recent demand is asked for, so that a burst is not taken for a rate at once.
const GROWTH: u64 = 4;
/// Returned leases that wait to be reported; beyond that the oldest are dropped, and expire at the account.
const MAX_RETURNS: usize = 4096;
/// Renewals that [`Leases::due`] gives at once.
const MAX_RENEWALS: usize = 32;

/// The identity of an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccountName {
    /// The policy.
    pub policy: String,
    /// The rule's index among those of that policy that have such a limit.
    pub rule: usize,
    /// What is counted.
    pub measure: Measure,
    /// Length of the window in seconds.
    pub window_s: u64,
    /// Whose: `agent:support-1`.
    pub key: String,
}

/// What a request asks of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The account.
    pub account: AccountName,
    /// How much.
    pub amount: u64,
    /// Whether the real amount is known only at the end: until then it is held.
    pub settled: bool,
}

/// Part of a lease that a request uses, to be settled at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    account: AccountName,
    id: String,
    amount: u64,
}

impl Use {
    /// The account.
    pub fn account(&self) -> &AccountName {
        &self.account
    }
}

/// An admission under leases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// What is left of each limit as far as is known here, in the order of the wishes.
    pub remaining: Vec<u64>,
    /// What has to be settled.
    pub uses: Vec<Use>,
}

/// A lease that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// The account.
    pub account: AccountName,
    /// The lease.
    pub id: String,
    /// What was spent of it.
    pub spent: u64,
    /// What stays held for requests under way.
    pub rest: u64,
}

/// What an account is asked to lend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Borrow {
    /// How much, in addition to what is lent already.
    pub want: u64,
    /// The current lease, or the name of a new one.
    pub id: String,
    /// What was spent of the current lease in total; `None` asks for a new lease.
    pub spent: Option<u64>,
    /// When it was asked: the lease may be used for [`LEASE_US`] from then on.
    pub asked_us: u64,
}

/// A lease that will run out while it is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The account.
    pub account: AccountName,
    /// The limit, from the request that borrowed first.
    pub limit: u64,
    /// What to ask for.
    pub borrow: Borrow,
}

/// A lease.
#[derive(Clone, Debug, Default)]
struct Lease {
    id: String,
    granted: u64,
    until_us: u64,
    /// What was left of the limit at the last grant.
    remaining: u64,
    /// What was free of the lease then.
    full: u64,
    spent: u64,
    /// Held by requests that are under way.
    held: u64,
}

impl Lease {
    fn free(&self) -> u64 {
        self.granted.saturating_sub(self.spent).saturating_sub(self.held)
    }
}

/// What the holder knows of an account.
#[derive(Clone, Debug)]
struct Held {
    lease: Option<Lease>,
    /// The demand since `since_us`.
    demand: u64,
    since_us: u64,
    /// The limit, for renewals; `None` when the next request has to ask.
    limit: Option<u64>,
    /// When it was asked to lend, while it has not answered.
    asked_us: Option<u64>,
    /// It lent nothing when it was last asked, so the lease is not renewed.
    refused: bool,
}

impl Held {
    fn new(since_us: u64) -> Self {
        Held { lease: None, demand: 0, since_us, limit: None, asked_us: None, refused: false }
    }

    /// What to ask for: the recent demand over the time of a lease. `None` when nothing is needed, or a call is under way.
    fn borrow(&mut self, id: &str, now_us: u64) -> Option<Borrow> {
        if self.asked_us.is_some_and(|asked| now_us.saturating_sub(asked) < LOST_US) {
            return None;
        }
        let elapsed = now_us.saturating_sub(self.since_us).max(1);
        let rate = u128::from(self.demand) * u128::from(LEASE_US) / u128::from(elapsed);
        let rate = u64::try_from(rate).unwrap_or(u64::MAX).min(self.demand.saturating_mul(GROWTH));
        let want = rate.saturating_sub(self.lease.as_ref().map_or(0, Lease::free));
        if want == 0 {
            return None;
        }
        self.asked_us = Some(now_us);
        let lease = self.lease.as_ref();
        let id = lease.map_or(id, |lease| &lease.id).to_owned();
        Some(Borrow { want, id, spent: lease.map(|lease| lease.spent), asked_us: now_us })
    }

    /// When it was last of use.
    fn last_us(&self) -> u64 {
        self.asked_us.map_or(self.since_us, |asked| asked.max(self.since_us))
    }

    /// The call of this time is answered. Returns whether it was still awaited.
    fn answered(&mut self, asked_us: u64) -> bool {
        self.asked_us.take_if(|asked| *asked == asked_us).is_some()
    }
}

/// The leases of one holder.
#[derive(Debug, Default)]
pub struct Leases {
    accounts: HashMap<AccountName, Held>,
    /// What remains held of leases that have ended, by the name of the hold.
    rests: HashMap<String, (AccountName, Lease)>,
    returns: VecDeque<Return>,
    /// Number of the first of `returns`.
    first_return: u64,
    clock_us: u64,
}

impl Leases {
    /// Admits a request if leases cover all of its limits. Otherwise it has to ask.
    pub fn admit(&mut self, wishes: &[Wish], now_us: u64) -> Option<Local> {
        self.look_at_clock(now_us);
        let covered = |wish: &Wish| {
            let lease = self.accounts.get(&wish.account).and_then(|held| held.lease.as_ref());
            lease.is_some_and(|lease| now_us < lease.until_us && wish.amount <= lease.free())
        };
        if wishes.is_empty() || !wishes.iter().all(covered) {
            return None;
        }
        let mut local = Local::default();
        for wish in wishes {
            let held = self.accounts.get_mut(&wish.account)?;
            held.demand = held.demand.saturating_add(wish.amount);
            let lease = held.lease.as_mut()?;
            if wish.settled {
                lease.held = lease.held.saturating_add(wish.amount);
                let (account, id) = (wish.account.clone(), lease.id.clone());
                local.uses.push(Use { account, id, amount: wish.amount });
            } else {
                lease.spent = lease.spent.saturating_add(wish.amount);
            }
            local.remaining.push(lease.remaining.saturating_add(lease.free()));
        }
        Some(local)
    }

    /// What to borrow besides, when a request asks an account; `id` names the lease if it is a new one. Nothing for the first
    /// request, and nothing while another call is under way.
    pub fn want(&mut self, account: &AccountName, amount: u64, id: &str, now_us: u64) -> Option<Borrow> {
        self.look_at_clock(now_us);
        if !self.accounts.contains_key(account) && self.accounts.len() >= MAX_ACCOUNTS {
            return None;
        }
        let held = self.accounts.entry(account.clone()).or_insert_with(|| Held::new(now_us));
        let borrow = held.borrow(id, now_us);
        held.demand = held.demand.saturating_add(amount);
        borrow
    }

    /// An account has answered: it lends `granted`, and has `remaining` left besides.
    pub fn granted(&mut self, account: &AccountName, borrow: &Borrow, granted: u64, remaining: u64) {
        let Some(held) = self.accounts.get_mut(account) else { return self.give_back(account, borrow) };
        // An answer that is late, or was asked for before the clock stepped back, is no longer awaited.
        let awaited = held.answered(borrow.asked_us);
        held.refused = granted == 0;
        if granted == 0 {
            return;
        }
        let mut lease = match (held.lease.take(), borrow.spent) {
            (Some(lease), Some(_)) if lease.id == borrow.id => lease,
            (None, None) if awaited => Lease { id: borrow.id.clone(), ..Lease::default() },
            // What was added to a lease that has ended, ends with it.
            (lease, _) => {
                held.lease = lease;
                return self.give_back(account, borrow);
            }
        };
        lease.granted = lease.granted.saturating_add(granted);
        (lease.until_us, lease.remaining) = (borrow.asked_us.saturating_add(LEASE_US), remaining);
        lease.full = lease.free();
        (held.demand, held.since_us) = (0, borrow.asked_us);
        held.lease = Some(lease);
    }

    /// An account has not answered and will not. What it may have lent all the same is returned.
    pub fn unanswered(&mut self, account: &AccountName, borrow: &Borrow) {
        if let Some(held) = self.accounts.get_mut(account) {
            held.answered(borrow.asked_us);
        }
        self.give_back(account, borrow);
    }

    /// Returns a lease that nobody has used. What was added to another lease ends with that one.
    fn give_back(&mut self, account: &AccountName, borrow: &Borrow) {
        if borrow.spent.is_none() {
            let (account, id) = (account.clone(), borrow.id.clone());
            self.tell(Return { account, id, spent: 0, rest: 0 });
        }
    }

    /// Sets the limit of an account that lends: its leases are renewed before they end, until [`Leases::forget_limits`].
    pub fn renews(&mut self, account: &AccountName, limit: u64) {
        if let Some(held) = self.accounts.get_mut(account) {
            held.limit = Some(limit);
        }
    }

    /// Forgets all limits, which may have changed: leases run out, and the next request under each limit asks.
    pub fn forget_limits(&mut self) {
        self.accounts.values_mut().for_each(|held| held.limit = None);
    }

    /// The leases in use that will soon run out, to be renewed. Each is given once.
    pub fn due(&mut self, now_us: u64) -> Vec<Renewal> {
        let mut due = Vec::new();
        for (account, held) in &mut self.accounts {
            let (Some(lease), Some(limit), false) = (&held.lease, held.limit, held.refused) else {
                continue;
            };
            let ends = lease.until_us.saturating_sub(now_us) < RENEW_US || lease.free() <= lease.full / 2;
            if ends
                && due.len() < MAX_RENEWALS
                && let Some(borrow) = held.borrow("", now_us)
            {
                due.push(Renewal { account: account.clone(), limit, borrow });
            }
        }
        due
    }

    /// Settles what a request used: `spent` of it, or nothing.
    pub fn settle(&mut self, used: &Use, spent: Option<u64>) {
        let spent = spent.unwrap_or_default();
        let settle = |lease: &mut Lease| {
            lease.held = lease.held.saturating_sub(used.amount);
            lease.spent = lease.spent.saturating_add(spent);
        };
        let current = self.accounts.get_mut(&used.account).and_then(|held| held.lease.as_mut());
        if let Some(lease) = current.filter(|lease| lease.id == used.id) {
            return settle(lease);
        }
        let rest = rest_of(&used.id);
        let Some((_, lease)) = self.rests.get_mut(&rest) else { return };
        settle(lease);
        if lease.held == 0
            && let Some((account, lease)) = self.rests.remove(&rest)
        {
            self.tell(Return { account, id: rest, spent: lease.spent, rest: 0 });
        }
    }

    /// Brings the leases up to `now_us`: those whose time is over end, and accounts that nobody uses are forgotten.
    pub fn advance(&mut self, now_us: u64) {
        self.look_at_clock(now_us);
        self.end(|lease| lease.until_us <= now_us);
        self.accounts
            .retain(|_, held| held.lease.is_some() || now_us.saturating_sub(held.last_us()) < 2 * LEASE_US);
    }

    /// When the clock steps back, nobody knows how long leases have lasted: all of them end.
    fn look_at_clock(&mut self, now_us: u64) {
        if now_us < self.clock_us {
            self.end(|_| true);
            self.accounts.clear();
        }
        self.clock_us = now_us;
    }

    fn end(&mut self, due: impl Fn(&Lease) -> bool) {
        let ended: Vec<(AccountName, Lease)> = self
            .accounts
            .iter_mut()
            .filter_map(|(name, held)| {
                let lease = held.lease.take_if(|lease| due(lease))?;
                Some((name.clone(), lease))
            })
            .collect();
        for (account, lease) in ended {
            self.close(account, lease);
        }
    }

    /// Leases that have ended and are not yet acknowledged by the control plane, oldest first.
    pub fn returns(&self) -> &VecDeque<Return> {
        &self.returns
    }

    /// Number of the first of [`Leases::returns`]; the others follow without a gap.
    pub fn first_return(&self) -> u64 {
        self.first_return
    }

    /// The returns before this number are acknowledged.
    pub fn returned(&mut self, before: u64) {
        while self.first_return < before && self.returns.pop_front().is_some() {
            self.first_return += 1;
        }
    }

    /// Keeps a return until it is acknowledged. A full list drops the oldest, which expires first at the account.
    fn tell(&mut self, end: Return) {
        if self.returns.len() >= MAX_RETURNS {
            self.returned(self.first_return.saturating_add(1));
        }
        self.returns.push_back(end);
    }

    fn close(&mut self, account: AccountName, lease: Lease) {
        let Lease { id, spent, held, .. } = lease;
        if held > 0 {
            let rest = Lease { granted: held, spent: 0, id: id.clone(), ..lease };
            self.rests.insert(rest_of(&id), (account.clone(), rest));
        }
        self.tell(Return { account, id, spent, rest: held });
    }
}
