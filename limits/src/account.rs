//! One account: what was spent in a sliding window, what is promised, and what may still be.
//!
//! An amount is counted from the moment it is admitted until a whole window after it was spent. Where what is spent is known
//! only later (tokens, money), the admitted estimate is *held*; settling puts what was really spent into the window in its
//! place. Therefore what is admitted and spent in any interval of the window's length is at most the limit, as long as no
//! estimate was too low. What goes over an estimate is counted all the same: the account then admits nothing until it is
//! paid off.
//!
//! A hold that nobody settles ends after [`Terms::patience_us`]. Of an account that spends, it then counts as spent; of one
//! that counts what goes on at the same time, it is free again.
use std::collections::VecDeque;

use crate::holds::Holds;
use crate::lease::rest_of;

/// The largest amount that counts at once: more than any request takes, and far from where sums lose precision.
pub const MAX_AMOUNT: u64 = 1_000_000_000_000;

/// Spendings so close together that they share an entry, as a fraction of the window: what bounds the memory of an account.
/// The entry has the time of the later one.
const GRAIN: u64 = 1024;
/// How long to wait where only a settlement can make room.
const HELD_RETRY_US: u64 = 1_000_000;

/// How an account counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What is admitted is spent at once: requests.
    Count,
    /// What is admitted is held, and spent when it is settled: tokens, money.
    Reserve,
    /// What is admitted is held, and free when it is settled: what goes on at the same time.
    Concurrent,
}

/// The terms of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How it counts.
    pub kind: Kind,
    /// The most that may be spent in a window, or held at a time.
    pub limit: u64,
    /// Length of the sliding window in microseconds; of no meaning to [`Kind::Concurrent`].
    pub window_us: u64,
    /// How long a hold lasts that nobody settles, in microseconds.
    pub patience_us: u64,
}

impl Terms {
    /// How long it is told that a hold has ended unsettled.
    fn memory_us(&self) -> u64 {
        if self.kind == Kind::Concurrent { self.patience_us } else { self.window_us }
    }
}

/// What an account says to an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it fits.
    pub admitted: bool,
    /// What is left, before the amount is taken.
    pub remaining: u64,
    /// When it does not fit: microseconds until it would, as far as that is known. When it does: until the oldest spending
    /// leaves the window.
    pub reset_us: u64,
}

/// How something that was held has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// So much was really spent.
    Spent(u64),
    /// Nothing was spent.
    Released,
    /// A lease ends: so much was spent, and so much stays held under [`crate::rest_of`] its name.
    Returned {
        /// Spent.
        spent: u64,
        /// Still held.
        rest: u64,
    },
}

/// An account, as it stands at the newest time it was told.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// What was spent, in order of time.
    log: VecDeque<(u64, u64)>,
    spent: u64,
    holds: Holds,
    clock_us: u64,
    expired: u64,
    /// Holds that ended unsettled lately, and when the last of them did.
    unsettled: (u64, u64),
}

impl Account {
    /// Brings the account up to `now_us`: what was spent a whole window ago is forgotten, holds that nobody settled end. A
    /// clock that steps back stands still.
    pub fn advance(&mut self, terms: &Terms, now_us: u64) {
        self.clock_us = self.clock_us.max(now_us);
        while let Some(amount) = self.holds.expire(self.clock_us) {
            self.end_unsettled(terms, amount);
        }
        if self.unsettled.1.saturating_add(terms.memory_us()) <= self.clock_us {
            self.unsettled = (0, 0);
        }
        while let Some((at, amount)) = self.log.front().copied()
            && at.saturating_add(terms.window_us) <= self.clock_us
        {
            self.log.pop_front();
            self.spent = self.spent.saturating_sub(amount);
        }
    }

    /// What the account says to an amount, without taking it.
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

    /// Takes an amount that [`Account::look`] has admitted just now. `id` names what may be settled later; without it, the
    /// amount is spent at once.
    pub fn take(&mut self, terms: &Terms, amount: u64, id: Option<&str>) {
        let amount = amount.min(MAX_AMOUNT);
        // Who asks for nothing only wants to be lent.
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

    /// Ends what is held under `id`. None when nothing is: it was settled before, or has expired. Else by how much what was
    /// spent passes what was held.
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

    /// Takes in what the holder of a lease has spent of it in all, so far: that is lent no longer. None when there is no such
    /// lease; else by how much it passes what was lent. Told twice, or late, it changes nothing.
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

    /// What lies in leases, and how many they are.
    pub fn lent(&self) -> (u64, u64) {
        self.holds.lent()
    }

    /// Whether there is a lease of this name.
    pub fn knows_lease(&self, id: &str) -> bool {
        self.lease(id).is_some()
    }

    /// What lies in the lease of this name, and what was told of it.
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

    /// What of it is held.
    pub fn held(&self) -> u64 {
        self.holds.total()
    }

    /// Microseconds until the oldest spending leaves the window; none when nothing was spent.
    pub fn resets_us(&self, terms: &Terms) -> Option<u64> {
        self.log.front().map(|(at, _)| self.until_leaves(terms, *at))
    }

    /// Holds that go on.
    pub fn holds(&self) -> u64 {
        self.holds.count()
    }

    /// Microseconds until the first of the holds ends, if nobody settles it.
    pub fn expires_us(&self) -> Option<u64> {
        self.holds.first_end_us().map(|end| end.saturating_sub(self.clock_us))
    }

    /// How many holds ended unsettled lately: in the last window, or in the last [`Terms::patience_us`] where what goes on at the
    /// same time is counted.
    pub fn unsettled(&self) -> u64 {
        self.unsettled.0
    }

    /// Holds that ended unsettled since this was asked last.
    pub fn take_expired(&mut self) -> u64 {
        std::mem::take(&mut self.expired)
    }

    /// Whether it says what a new account says.
    pub fn is_empty(&self) -> bool {
        self.log.is_empty() && self.holds.is_empty() && self.unsettled.0 == 0
    }

    fn end_unsettled(&mut self, terms: &Terms, amount: u64) {
        self.expired = self.expired.saturating_add(1);
        self.unsettled = (self.unsettled.0.saturating_add(1), self.clock_us);
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

    /// Until so much has left the window; what is held may never be spent, so that is not waited for.
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
