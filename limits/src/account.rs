//! One account: what was spent in a sliding window, what is reserved, and what may still be admitted.
//!
//! An amount counts from the moment it is admitted until a whole window after it was spent. Where the real amount is known only
//! later (tokens, money), the admitted estimate is *held*, and settling replaces it by what was really spent. Therefore at most
//! the limit is admitted and spent in any interval of the window's length, as long as no estimate was too low. What exceeds an
//! estimate counts all the same: the account then admits nothing until enough of it has left the window.
//!
//! A hold that nobody settles ends after [`Terms::patience_us`]. It then counts as spent; in an account of concurrency it is free
//! again.
use std::collections::VecDeque;

use crate::holds::{Holds, Lent};
use crate::lease::rest_of;

/// The largest amount of one request: larger ones count as this. More than any request takes, and far from where sums overflow.
pub const MAX_AMOUNT: u64 = 1_000_000_000_000;

/// Entries of a whole window. Amounts that are spent closer together share an entry, with the time of the later one, which bounds
/// the memory of an account.
const GRAIN: u64 = 1024;
/// The wait that is suggested when only a settlement can make room.
const HELD_RETRY_US: u64 = 1_000_000;

/// How an account counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What is admitted is spent at once: requests.
    Count,
    /// What is admitted is held, and spent when it is settled: tokens, money.
    Reserve,
    /// What is admitted is held, and free when it is settled: concurrency.
    Concurrent,
}

/// The terms of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How it counts.
    pub kind: Kind,
    /// The most that may be spent in a window, or held at a time.
    pub limit: u64,
    /// Length of the sliding window in microseconds; [`Kind::Concurrent`] has none.
    pub window_us: u64,
    /// How long an unsettled hold lasts, in microseconds.
    pub patience_us: u64,
}

impl Terms {
    /// How long [`Account::unsettled`] counts a hold that ended unsettled.
    fn memory_us(&self) -> u64 {
        if self.kind == Kind::Concurrent { self.patience_us } else { self.window_us }
    }
}

/// Whether an account admits an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it fits.
    pub admitted: bool,
    /// What is left, before the amount is taken.
    pub remaining: u64,
    /// Refused: microseconds until it would be admitted, as far as is known. Admitted: until the oldest spending leaves the window.
    pub reset_us: u64,
}

/// How a hold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// This much was really spent.
    Spent(u64),
    /// Nothing was spent.
    Released,
    /// A lease ends: part of it was spent, and part stays held under the name that [`crate::rest_of`] gives.
    Returned {
        /// Spent.
        spent: u64,
        /// Still held.
        rest: u64,
    },
}

/// An account, as of the newest time that it was given.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Times and amounts that were spent, oldest first.
    log: VecDeque<(u64, u64)>,
    spent: u64,
    holds: Holds,
    clock_us: u64,
    expired: u64,
    unsettled: Unsettled,
}

/// Holds that ended unsettled lately.
#[derive(Clone, Copy, Debug, Default)]
struct Unsettled {
    count: u64,
    /// When the last of them ended.
    last_us: u64,
}

impl Account {
    /// Brings the account up to `now_us`: amounts spent a whole window ago are forgotten, and holds that nobody settled end. When the
    /// clock steps back, the account's own clock stands still.
    pub fn advance(&mut self, terms: &Terms, now_us: u64) {
        self.clock_us = self.clock_us.max(now_us);
        while let Some(amount) = self.holds.expire(self.clock_us) {
            self.end_unsettled(terms, amount);
        }
        if self.unsettled.last_us.saturating_add(terms.memory_us()) <= self.clock_us {
            self.unsettled = Unsettled::default();
        }
        while let Some((at, amount)) = self.log.front().copied()
            && at.saturating_add(terms.window_us) <= self.clock_us
        {
            self.log.pop_front();
            self.spent = self.spent.saturating_sub(amount);
        }
    }

    /// Whether the account admits an amount, which is not taken yet.
    pub fn look(&mut self, terms: &Terms, amount: u64, now_us: u64) -> Verdict {
        self.advance(terms, now_us);
        let amount = amount.min(MAX_AMOUNT);
        let used = self.used(terms);
        let remaining = terms.limit.saturating_sub(used);
        let oldest = self.log.front().map(|(at, _)| self.until_leaves(terms, *at));
        if used.saturating_add(amount) <= terms.limit {
            return Verdict { admitted: true, remaining, reset_us: oldest.unwrap_or(terms.window_us) };
        }
        let reset_us = if terms.kind == Kind::Concurrent {
            HELD_RETRY_US
        } else if amount > terms.limit {
            terms.window_us
        } else {
            self.until_fits(terms, used.saturating_add(amount) - terms.limit)
        };
        Verdict { admitted: false, remaining, reset_us }
    }

    /// Takes an amount that [`Account::look`] has just admitted. It is held under `id`, to be settled later; without an id it is spent
    /// at once.
    pub fn take(&mut self, terms: &Terms, amount: u64, id: Option<&str>) {
        let amount = amount.min(MAX_AMOUNT);
        // A request for nothing only wants a lease.
        if amount == 0 {
            return;
        }
        match id.filter(|_| terms.kind != Kind::Count) {
            Some(id) => {
                let until = self.clock_us.saturating_add(terms.patience_us);
                self.hold(terms, id, amount, until, None);
            }
            None if terms.kind == Kind::Concurrent => {}
            None => self.spend(terms, amount),
        }
    }

    /// Ends the hold `id`. Returns by how much the amount spent exceeds the hold; `None` when there is no such hold, because it was
    /// settled before or has expired.
    pub fn settle(&mut self, terms: &Terms, id: &str, how: Settlement, now_us: u64) -> Option<u64> {
        self.advance(terms, now_us);
        let held = self.holds.end(id)?;
        let (spent, rest) = match how {
            Settlement::Spent(spent) => (spent, 0),
            Settlement::Released => (0, 0),
            Settlement::Returned { spent, rest } => (spent, rest.min(MAX_AMOUNT)),
        };
        let spent = spent.saturating_sub(held.told.unwrap_or_default()).min(MAX_AMOUNT);
        if terms.kind != Kind::Concurrent {
            self.spend(terms, spent);
        }
        if rest > 0 {
            let until = self.clock_us.saturating_add(terms.patience_us);
            self.hold(terms, &rest_of(id), rest, until, None);
        }
        Some(spent.saturating_add(rest).saturating_sub(held.amount))
    }

    /// Counts what the holder of a lease has spent of it in total so far, which is no longer lent. Returns by how much it exceeds the
    /// lease; `None` when there is no such lease. Reported twice, or late, it changes nothing.
    pub fn tell(&mut self, terms: &Terms, id: &str, spent: u64, now_us: u64) -> Option<u64> {
        self.advance(terms, now_us);
        let (amount, told) = self.lease(id)?;
        let more = spent.saturating_sub(told).min(MAX_AMOUNT);
        if more > 0 {
            self.holds.end(id);
            let until = self.clock_us.saturating_add(terms.patience_us);
            self.hold(terms, id, amount.saturating_sub(more), until, Some(told.saturating_add(more)));
            self.spend(terms, more);
        }
        Some(more.saturating_sub(amount))
    }

    /// What is lent.
    pub fn lent(&self) -> Lent {
        self.holds.lent()
    }

    /// Whether there is a lease of this name.
    pub fn knows_lease(&self, id: &str) -> bool {
        self.lease(id).is_some()
    }

    /// What is left in the lease of this name, and what its holder has reported as spent.
    pub(crate) fn lease(&self, id: &str) -> Option<(u64, u64)> {
        self.holds.get(id).and_then(|hold| Some((hold.amount, hold.told?)))
    }

    pub(crate) fn hold_lease(&mut self, terms: &Terms, amount: u64, id: &str, told: u64) {
        let until = self.clock_us.saturating_add(terms.patience_us);
        self.hold(terms, id, amount, until, Some(told));
    }

    fn hold(&mut self, terms: &Terms, id: &str, amount: u64, until_us: u64, told: Option<u64>) {
        if let Some(ended) = self.holds.add(id, amount, until_us, told) {
            self.end_unsettled(terms, ended);
        }
    }

    /// What counts against the limit: spent in the window, and held.
    pub fn used(&self, terms: &Terms) -> u64 {
        match terms.kind {
            Kind::Concurrent => self.holds.total(),
            _ => self.spent.saturating_add(self.holds.total()),
        }
    }

    /// The held part of [`Account::used`].
    pub fn held(&self) -> u64 {
        self.holds.total()
    }

    /// Microseconds until the oldest spending leaves the window; `None` when nothing was spent.
    pub fn resets_us(&self, terms: &Terms) -> Option<u64> {
        self.log.front().map(|(at, _)| self.until_leaves(terms, *at))
    }

    /// The number of open holds.
    pub fn holds(&self) -> u64 {
        self.holds.count()
    }

    /// Microseconds until the first hold expires, unless somebody settles it.
    pub fn expires_us(&self) -> Option<u64> {
        self.holds.first_end_us().map(|end| end.saturating_sub(self.clock_us))
    }

    /// How many holds expired lately: in the last window, or in the last [`Terms::patience_us`] of an account of concurrency.
    pub fn unsettled(&self) -> u64 {
        self.unsettled.count
    }

    /// How many holds have expired since this was last called.
    pub fn take_expired(&mut self) -> u64 {
        std::mem::take(&mut self.expired)
    }

    /// Whether it is the same as a new account.
    pub fn is_empty(&self) -> bool {
        self.log.is_empty() && self.holds.is_empty() && self.unsettled.count == 0
    }

    fn end_unsettled(&mut self, terms: &Terms, amount: u64) {
        self.expired = self.expired.saturating_add(1);
        self.unsettled = Unsettled { count: self.unsettled.count.saturating_add(1), last_us: self.clock_us };
        if terms.kind != Kind::Concurrent {
            self.spend(terms, amount);
        }
    }

    fn spend(&mut self, terms: &Terms, amount: u64) {
        if amount == 0 {
            return;
        }
        let grain = (terms.window_us / GRAIN).max(1);
        let now = self.clock_us;
        self.spent = self.spent.saturating_add(amount);
        match self.log.back_mut() {
            Some((at, sum)) if *at / grain == now / grain => {
                *at = now;
                *sum = sum.saturating_add(amount);
            }
            _ => self.log.push_back((now, amount)),
        }
    }

    fn until_leaves(&self, terms: &Terms, at_us: u64) -> u64 {
        at_us.saturating_add(terms.window_us).saturating_sub(self.clock_us)
    }

    /// Microseconds until `excess` has left the window. Held amounts do not count, since they may never be spent.
    fn until_fits(&self, terms: &Terms, excess: u64) -> u64 {
        let mut left = 0_u64;
        for (at, amount) in &self.log {
            left = left.saturating_add(*amount);
            if left >= excess {
                return self.until_leaves(terms, *at);
            }
        }
        HELD_RETRY_US.min(terms.window_us)
    }
}
