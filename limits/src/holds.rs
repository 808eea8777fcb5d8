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

#[derive(Clone, Copy, Debug)]
struct Hold {
    amount: u64,
    until_us: u64,
    lease: bool,
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

    /// Holds `amount` more under `id`. Gives the amount that had to be let go for it.
    pub(crate) fn add(&mut self, id: &str, amount: u64, until_us: u64, lease: bool) -> Option<u64> {
        let before = self.end(id).unwrap_or_default();
        let oldest = if self.by_id.len() >= MAX_HOLDS { self.by_end.first().cloned() } else { None };
        let ended = oldest.and_then(|(_, oldest)| self.end(&oldest));
        let amount = before.saturating_add(amount);
        self.by_id.insert(id.to_owned(), Hold { amount, until_us, lease });
        self.by_end.insert((until_us, id.to_owned()));
        self.total = self.total.saturating_add(amount);
        if lease {
            self.lent = (self.lent.0.saturating_add(amount), self.lent.1.saturating_add(1));
        }
        ended
    }

    /// The amount held under an id, which is held no longer.
    pub(crate) fn end(&mut self, id: &str) -> Option<u64> {
        let (id, hold) = self.by_id.remove_entry(id)?;
        self.by_end.remove(&(hold.until_us, id));
        self.total = self.total.saturating_sub(hold.amount);
        if hold.lease {
            self.lent = (self.lent.0.saturating_sub(hold.amount), self.lent.1.saturating_sub(1));
        }
        Some(hold.amount)
    }

    /// Ends the hold whose time came first, if it has come; its amount.
    pub(crate) fn expire(&mut self, now_us: u64) -> Option<u64> {
        let (_, id) = self.by_end.first().filter(|(until, _)| *until <= now_us).cloned()?;
        self.end(&id)
    }
}
