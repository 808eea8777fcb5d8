//! Settlements that arrived while nobody could count: they are tried again with the next ones.
//!
//! Without this, reservations of requests that ended while Redis was away for a second would be held for ten minutes, and with them
//! their places under `maxConcurrent`. Settling twice is harmless, since an account knows each reservation once. A settlement
//! waits once, however often its record is sent. The number is bounded: the oldest are dropped, and their reservations expire.
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::Settle;

/// Settlements that may wait.
const MOST: usize = 10_000;
/// Settlements that are tried again at once.
const BATCH: usize = 512;

#[derive(Default)]
pub(crate) struct Pending(Mutex<VecDeque<Settle>>);

/// Settlements that are being counted. When this is dropped before [`Due::done`], they wait again.
pub(crate) struct Due<'p> {
    pending: &'p Pending,
    settlements: Vec<Settle>,
}

impl Pending {
    /// The oldest settlements that wait, followed by `new` ones.
    pub(crate) fn with(&self, new: impl Iterator<Item = Settle>) -> Due<'_> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = waiting.len().min(BATCH);
        Due { pending: self, settlements: waiting.drain(..most).chain(new).collect() }
    }

    /// Puts settlements back that could not be counted.
    fn keep(&self, settlements: Vec<Settle>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = waiting.drain(..).chain(settlements).collect::<Vec<_>>();
        let mut known = HashSet::new();
        waiting
            .extend(all.into_iter().filter(|settle| known.insert((settle.key.clone(), settle.id.clone()))));
        let surplus = waiting.len().saturating_sub(MOST);
        waiting.drain(..surplus);
    }
}

impl Due<'_> {
    pub(crate) fn settlements(&self) -> &[Settle] {
        &self.settlements
    }

    /// All of them are counted.
    pub(crate) fn done(mut self) {
        self.settlements.clear();
    }
}

impl Drop for Due<'_> {
    fn drop(&mut self) {
        if !self.settlements.is_empty() {
            self.pending.keep(std::mem::take(&mut self.settlements));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mesh_limits::Settlement;

    use super::*;
    use crate::{Measure, terms};

    #[test]
    fn the_oldest_are_forgotten_and_the_rest_comes_back_in_order() {
        let settle = |number: usize| Settle {
            key: "k".into(),
            terms: terms(Measure::Tokens, 0, Duration::from_secs(60)),
            id: number.to_string(),
            how: Settlement::Released,
        };
        let pending = Pending::default();
        pending.keep((0..MOST).map(settle).collect());
        (MOST..MOST + 3).for_each(|number| pending.keep(vec![settle(number)]));
        pending.keep(vec![settle(MOST)]);
        let mut back = Vec::new();
        for _ in 0..MOST.div_ceil(BATCH) {
            let due = pending.with(std::iter::empty());
            back.extend_from_slice(due.settlements());
            due.done();
        }
        let ids: Vec<String> = back.into_iter().map(|settle| settle.id).collect();
        let expected: Vec<String> = (3..MOST + 3).map(|number| number.to_string()).collect();
        assert_eq!(ids, expected);
        let new = pending.with(std::iter::once(settle(7)));
        assert_eq!(new.settlements().len(), 1, "nothing waits any more");
        drop(new);
        assert_eq!(pending.with(std::iter::empty()).settlements().len(), 1, "what was not done waits again");
    }
}
