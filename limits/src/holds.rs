//! What is promised and not yet settled.
use std::collections::{BTreeSet, HashMap};

/// More promises than this at a time make the oldest count as kept: memory stays bounded, and nothing is admitted for it.
const MAX_HOLDS: usize = 10_000;

/// Amounts held under ids, each until a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holds {
    by_id: HashMap<String, Hold>,
    by_end: BTreeSet<(u64, String)>,
    total: u64,
    /// What of it lies in leases, and how many they are.
    lent: (u64, u64),
}

/// What is held under an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) amount: u64,
    until_us: u64,
    /// Of a lease: what its holder has told that it spent of it. That is held no longer.
    pub(crate) told: Option<u64>,
}

impl Holds {
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn lent(&self) -> (u64, u64) {
        self.lent
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.by_id.len()).unwrap_or(u64::MAX)
    }

    /// When the first of them ends.
    pub(crate) fn first_end_us(&self) -> Option<u64> {
        self.by_end.first().map(|(end, _)| *end)
    }

    /// A hold that goes on.
    pub(crate) fn get(&self, id: &str) -> Option<&Hold> {
        self.by_id.get(id)
    }

    /// Holds `amount` more under `id`; `told` makes it a lease. Gives the amount that had to be let go for it.
    pub(crate) fn add(&mut self, id: &str, amount: u64, until_us: u64, told: Option<u64>) -> Option<u64> {
        let before = self.end(id).map_or(0, |hold| hold.amount);
        let oldest = if self.by_id.len() >= MAX_HOLDS { self.by_end.first().cloned() } else { None };
        let ended = oldest.and_then(|(_, oldest)| self.end(&oldest));
        let amount = before.saturating_add(amount);
        self.by_id.insert(id.to_owned(), Hold { amount, until_us, told });
        self.by_end.insert((until_us, id.to_owned()));
        self.total = self.total.saturating_add(amount);
        if told.is_some() {
            self.lent = (self.lent.0.saturating_add(amount), self.lent.1.saturating_add(1));
        }
        ended.map(|hold| hold.amount)
    }

    /// What was held under an id, which is held no longer.
    pub(crate) fn end(&mut self, id: &str) -> Option<Hold> {
        let (id, hold) = self.by_id.remove_entry(id)?;
        self.by_end.remove(&(hold.until_us, id));
        self.total = self.total.saturating_sub(hold.amount);
        if hold.told.is_some() {
            self.lent = (self.lent.0.saturating_sub(hold.amount), self.lent.1.saturating_sub(1));
        }
        Some(hold)
    }

    /// Ends the hold whose time came first, if it has come; its amount.
    pub(crate) fn expire(&mut self, now_us: u64) -> Option<u64> {
        let (_, id) = self.by_end.first().filter(|(until, _)| *until <= now_us).cloned()?;
        self.end(&id).map(|hold| hold.amount)
    }
}
