//! What is reserved and not settled yet.
use std::collections::{BTreeSet, HashMap};

/// Holds of one account. Beyond that the oldest one ends unsettled, so that memory is bounded and the account never admits more.
const MAX_HOLDS: usize = 10_000;

/// Amounts held under ids, each until a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holds {
    by_id: HashMap<String, Hold>,
    by_end: BTreeSet<(u64, String)>,
    total: u64,
    lent: Lent,
}

/// The part of the holds that is in leases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lent {
    /// How much.
    pub amount: u64,
    /// In how many leases.
    pub leases: u64,
}

/// What is held under an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) amount: u64,
    until_us: u64,
    /// For a lease: what its holder has reported as spent, which is no longer held.
    pub(crate) told: Option<u64>,
}

impl Holds {
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn lent(&self) -> Lent {
        self.lent
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.by_id.len()).unwrap_or(u64::MAX)
    }

    /// When the first hold expires.
    pub(crate) fn first_end_us(&self) -> Option<u64> {
        self.by_end.first().map(|(end, _)| *end)
    }

    /// An open hold.
    pub(crate) fn get(&self, id: &str) -> Option<&Hold> {
        self.by_id.get(id)
    }

    /// Holds `amount` more under `id`; `told` makes it a lease. Returns the amount of the hold that had to end for it, if one did.
    pub(crate) fn add(&mut self, id: &str, amount: u64, until_us: u64, told: Option<u64>) -> Option<u64> {
        let before = self.end(id).map_or(0, |hold| hold.amount);
        let oldest = if self.by_id.len() >= MAX_HOLDS { self.by_end.first().cloned() } else { None };
        let ended = oldest.and_then(|(_, oldest)| self.end(&oldest));
        let amount = before.saturating_add(amount);
        self.by_id.insert(id.to_owned(), Hold { amount, until_us, told });
        self.by_end.insert((until_us, id.to_owned()));
        self.total = self.total.saturating_add(amount);
        if told.is_some() {
            self.lent.amount = self.lent.amount.saturating_add(amount);
            self.lent.leases = self.lent.leases.saturating_add(1);
        }
        ended.map(|hold| hold.amount)
    }

    /// Ends a hold and returns it.
    pub(crate) fn end(&mut self, id: &str) -> Option<Hold> {
        let (id, hold) = self.by_id.remove_entry(id)?;
        self.by_end.remove(&(hold.until_us, id));
        self.total = self.total.saturating_sub(hold.amount);
        if hold.told.is_some() {
            self.lent.amount = self.lent.amount.saturating_sub(hold.amount);
            self.lent.leases = self.lent.leases.saturating_sub(1);
        }
        Some(hold)
    }

    /// Ends the first hold that has expired, and returns its amount.
    pub(crate) fn expire(&mut self, now_us: u64) -> Option<u64> {
        let (_, id) = self.by_end.first().filter(|(until, _)| *until <= now_us).cloned()?;
        self.end(&id).map(|hold| hold.amount)
    }
}
