//! Leases, from the account's side: how much of a limit is lent to a sidecar, and for how long.
//!
//! A lease is a hold: what is lent counts against the limit from the moment it is granted, whatever its holder does with it. So
//! leases never make a limit admit more than it should; they may make it admit less, since what lies unused with one holder is
//! refused to another. At most a tenth of the limit is lent at a time, for two seconds and the time of a report. As the free part
//! shrinks, so do the leases, until every request asks for itself. A lease that nobody returns expires like any hold and counts as
//! spent; its holder has long stopped using it.
use crate::account::{Account, Kind, Terms};
use crate::holds::Lent;

/// How long a holder may use a lease from the moment it asked for it, in microseconds.
pub const LEASE_US: u64 = 2_000_000;

/// At most one in so many parts of a limit is lent at a time.
const LENT: u64 = 10;
/// At most one in so many parts of what is free is lent at once, shared among all holders.
const FREE: u64 = 4;
/// In shorter windows a lease would expire before it is of use.
const SHORTEST_WINDOW_US: u64 = 60_000_000;

/// Whether accounts of this kind and window lend.
pub fn lends(kind: Kind, window_us: u64) -> bool {
    kind != Kind::Concurrent && window_us >= SHORTEST_WINDOW_US
}

/// The name of a new lease that a request with this id gets.
pub fn lease_id(id: &str) -> String {
    format!("lease:{id}")
}

/// The name of the hold that remains of a lease for requests that were under way at its end.
pub fn rest_of(id: &str) -> String {
    format!("{id}+")
}

/// How much is lent to a holder that wants `want` and has `own` already; `others` is what other holders have.
fn share(limit: u64, free: u64, others: Lent, own: u64, want: u64) -> u64 {
    let (most, all) = (limit / LENT, others.leases.saturating_add(1));
    want.min((most / all).saturating_sub(own))
        .min(most.saturating_sub(others.amount).saturating_sub(own))
        .min(free / all.saturating_mul(FREE))
}

impl Account {
    /// Lends at most `want` under `id`, in addition to what is lent under that name already; nothing rather than less than `least`.
    /// Returns the amount.
    pub fn lend(&mut self, terms: &Terms, want: u64, least: u64, id: &str) -> u64 {
        if !lends(terms.kind, terms.window_us) {
            return 0;
        }
        let free = terms.limit.saturating_sub(self.used(terms));
        let lent = self.lent();
        let known = self.lease(id);
        let (own, told) = known.unwrap_or_default();
        let others = Lent {
            amount: lent.amount.saturating_sub(own),
            leases: lent.leases.saturating_sub(u64::from(known.is_some())),
        };
        let share = share(terms.limit, free, others, own, want);
        if share < least.max(1) {
            return 0;
        }
        self.hold_lease(terms, share, id, told);
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_shrink_with_what_is_free_and_with_holders() {
        // Limit, free, lent already to so many others, and to this one; wanted; lent.
        let table = [
            (1000, 1000, (0, 0), 0, 40, 40),
            (1000, 1000, (0, 0), 0, 5000, 100),
            (1000, 1000, (0, 0), 30, 5000, 70),
            (1000, 1000, (60, 1), 0, 5000, 40),
            (1000, 1000, (50, 1), 20, 5000, 30),
            (1000, 1000, (50, 1), 60, 5000, 0),
            (1000, 1000, (100, 4), 0, 5000, 0),
            (1000, 1000, (0, 9), 0, 5000, 10),
            (1000, 40, (0, 0), 0, 5000, 10),
            (1000, 40, (0, 1), 0, 5000, 5),
            (1000, 3, (0, 0), 0, 5000, 0),
            (1000, 0, (0, 0), 0, 5000, 0),
            (9, 9, (0, 0), 0, 5000, 0),
            (u64::MAX, u64::MAX, (0, u64::MAX), 0, 1, 0),
        ];
        for (limit, free, (amount, leases), own, want, expected) in table {
            let others = Lent { amount, leases };
            let lent = share(limit, free, others, own, want);
            assert_eq!(lent, expected, "{free} of {limit}, {others:?} and {own} lent");
        }
    }
}
