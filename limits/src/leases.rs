//! Leases, on the side of their holder: what one worker of a sidecar may admit without asking.
//!
//! A request under several limits is admitted by leases of all of them, or asks. One question at a time asks an account to
//! lend; it tells all that was spent of the lease that goes on, and what is lent then is added to that lease. So what was
//! spent lies in leases no longer than until more is needed, and it does not matter which of these questions and answers
//! get lost.
//!
//! A lease ends with its time, or when the clock steps back; then it is returned. Requests that are under way keep their part
//! held under another name until they end. A return names a lease once and may be told more than once: the account knows
//! each lease only until it is returned.
use std::collections::{HashMap, VecDeque};

use crate::lease::{LEASE_US, rest_of};
use crate::measure::Measure;

/// Accounts that leases are held of at a time; requests under further ones ask.
const MAX_ACCOUNTS: usize = 4096;

/// A lease is renewed when so little of its time is left, in microseconds, or half of what it had after the last answer.
const RENEW_US: u64 = 500_000;
/// What was asked so long ago will not be answered any more: longer than calls are waited for.
const LOST_US: u64 = 10_000_000;
/// A burst is not taken for a rate at once: at most so many times what was wanted lately is asked for.
const GROWTH: u64 = 4;
/// Ends of leases that wait to be told. While nobody takes them each request may leave one; what is not told is free again when the
/// lease's patience ends.
const MAX_RETURNS: usize = 4096;
/// Renewals asked for in one call.
const MAX_RENEWALS: usize = 32;

/// What an account is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccountName {
    /// The policy.
    pub policy: String,
    /// The rule's place among those of that policy that have such a limit.
    pub rule: usize,
    /// What is counted.
    pub measure: Measure,
    /// Length of the window in seconds.
    pub window_s: u64,
    /// Whose: `agent:support-1`.
    pub key: String,
}

/// What a request wants of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The account.
    pub account: AccountName,
    /// How much.
    pub amount: u64,
    /// Whether it is known only at the end how much it was: until then it is held.
    pub settled: bool,
}

/// What a request was given from a lease and has to be settled.
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

/// What a request was admitted with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// What is left of each limit, as far as it is known here; in the order of the wishes.
    pub remaining: Vec<u64>,
    /// What has to be settled.
    pub uses: Vec<Use>,
}

/// The end of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// The account.
    pub account: AccountName,
    /// The lease.
    pub id: String,
    /// What was spent of it.
    pub spent: u64,
    /// What of it stays held, for requests that are under way.
    pub rest: u64,
}

/// What an account is asked to lend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Borrow {
    /// How much, beside what is lent already.
    pub want: u64,
    /// The lease that it is added to, or the name of a new one.
    pub id: String,
    /// What was spent in all of the lease that goes on; none: a new one is asked for.
    pub spent: Option<u64>,
    /// When it is asked: what is lent may be used for [`LEASE_US`] from then on.
    pub asked_us: u64,
}

/// A lease that will run out while it is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The account.
    pub account: AccountName,
    /// The limit, as the request that borrowed first told it.
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
    /// What was left of the limit when some of it was granted last.
    remaining: u64,
    /// What was free then.
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

/// What is known of an account here.
#[derive(Clone, Debug)]
struct Held {
    lease: Option<Lease>,
    /// What was wanted since.
    demand: u64,
    since_us: u64,
    /// The limit, for asking anew without a request; none where the next request has to ask.
    limit: Option<u64>,
    /// When it was asked to lend and has not answered yet.
    asked_us: Option<u64>,
    /// It would lend no more: this lease is not renewed.
    refused: bool,
}

impl Held {
    fn new(since_us: u64) -> Self {
        Held { lease: None, demand: 0, since_us, limit: None, asked_us: None, refused: false }
    }

    /// What to ask for: what was wanted lately, for as long as a lease lasts. None where nothing is needed, or was asked for.
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

    /// When it was of use last.
    fn last_us(&self) -> u64 {
        self.asked_us.map_or(self.since_us, |asked| asked.max(self.since_us))
    }

    /// What was asked for at this time is answered. Whether that was waited for.
    fn answered(&mut self, asked_us: u64) -> bool {
        self.asked_us.take_if(|asked| *asked == asked_us).is_some()
    }
}

/// The leases of one holder.
#[derive(Debug, Default)]
pub struct Leases {
    accounts: HashMap<AccountName, Held>,
    /// What stays held of leases that have ended, by the name it is held under.
    rests: HashMap<String, (AccountName, Lease)>,
    returns: VecDeque<Return>,
    /// Number of the first of `returns`.
    first_return: u64,
    clock_us: u64,
}

impl Leases {
    /// Admits a request by what is lent, under all limits or none of them. Without leases, it has to be asked for.
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

    /// What to ask an account to lend beside what a request wants itself; `id` would be the name of a new lease. Nothing for a
    /// first request, nor while another has asked.
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

    /// An account has answered: it has lent `granted`, and has `remaining` left besides.
    pub fn granted(&mut self, account: &AccountName, borrow: &Borrow, granted: u64, remaining: u64) {
        let Some(held) = self.accounts.get_mut(account) else { return self.give_back(account, borrow) };
        // One that came late is not waited for any more, nor one that was asked before the clock stepped back.
        let awaited = held.answered(borrow.asked_us);
        held.refused = granted == 0;
        if granted == 0 {
            return;
        }
        let mut lease = match (held.lease.take(), borrow.spent) {
            (Some(lease), Some(_)) if lease.id == borrow.id => lease,
            (None, None) if awaited => Lease { id: borrow.id.clone(), ..Lease::default() },
            // What was added to a lease that has ended ends with it.
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

    /// An account has not answered, and will not. What it may have lent all the same is given back.
    pub fn unanswered(&mut self, account: &AccountName, borrow: &Borrow) {
        if let Some(held) = self.accounts.get_mut(account) {
            held.answered(borrow.asked_us);
        }
        self.give_back(account, borrow);
    }

    /// Gives back a lease that nobody has used. What was added to another ends with that.
    fn give_back(&mut self, account: &AccountName, borrow: &Borrow) {
        if borrow.spent.is_none() {
            let (account, id) = (account.clone(), borrow.id.clone());
            self.tell(Return { account, id, spent: 0, rest: 0 });
        }
    }

    /// The limit of an account that lends: its leases are renewed before they end, until [`Leases::forget_limits`].
    pub fn renews(&mut self, account: &AccountName, limit: u64) {
        if let Some(held) = self.accounts.get_mut(account) {
            held.limit = Some(limit);
        }
    }

    /// Limits may have changed: leases run out, and the next request under each asks.
    pub fn forget_limits(&mut self) {
        self.accounts.values_mut().for_each(|held| held.limit = None);
    }

    /// The leases in use that will run out soon, to be asked for anew. Each is told once.
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

    /// What a request was given has ended: `spent` of it, or nothing.
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

    /// Brings the leases up to `now_us`: those whose time has come end, and accounts that nobody asks for are forgotten.
    pub fn advance(&mut self, now_us: u64) {
        self.look_at_clock(now_us);
        self.end(|lease| lease.until_us <= now_us);
        self.accounts
            .retain(|_, held| held.lease.is_some() || now_us.saturating_sub(held.last_us()) < 2 * LEASE_US);
    }

    /// A clock that steps back tells nothing of how long leases have lasted: all of them end.
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

    /// Ends of leases that have not been told, oldest first.
    pub fn returns(&self) -> &VecDeque<Return> {
        &self.returns
    }

    /// Number of the first of [`Leases::returns`]; the others follow without a gap.
    pub fn first_return(&self) -> u64 {
        self.first_return
    }

    /// The returns before this number have been taken in.
    pub fn returned(&mut self, before: u64) {
        while self.first_return < before && self.returns.pop_front().is_some() {
            self.first_return += 1;
        }
    }

    /// Keeps the end of a lease until it is taken in. A full list gives up the oldest, whose time is over first.
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
