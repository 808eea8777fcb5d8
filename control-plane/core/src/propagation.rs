//! How long changes took until sidecars had them: two histograms.
//!
//! *Acknowledged* is counted for each sidecar and each set of policies that it accepted, from the moment the set was published;
//! not for a sidecar that connected after that: it was not told of a change, it started. *Enforced* is counted once for each version of a
//! policy, from the time of its change until the first request that was decided by it, as the decision's record tells: where no
//! requests come, nothing is counted.
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::Policies;

/// Upper bounds of the histograms' buckets, in seconds; what is longer counts beyond them.
pub const DELAY_BOUNDS_S: [f64; 14] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Sets whose acknowledgements are still awaited; one that is older than so many others is not.
const AWAITED: usize = 256;

/// A histogram of times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delays {
    /// Of all, in seconds.
    pub sum_s: f64,
    /// How many.
    pub count: u64,
    /// How many are in each bucket of [`DELAY_BOUNDS_S`], and beyond.
    pub buckets: [u64; DELAY_BOUNDS_S.len() + 1],
}

impl Delays {
    fn add(&mut self, from: Timestamp, to: Timestamp) {
        // Two machines' clocks may disagree by more than a change takes.
        let seconds = to.duration_since(from).as_secs_f64().max(0.0);
        let place = DELAY_BOUNDS_S.iter().position(|bound| seconds <= *bound).unwrap_or(DELAY_BOUNDS_S.len());
        if let Some(bucket) = self.buckets.get_mut(place) {
            *bucket += 1;
        }
        self.sum_s += seconds;
        self.count += 1;
    }
}

/// What is known of the way of changes.
#[derive(Debug)]
pub struct Propagation {
    since: Timestamp,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Versions of the set, and when they were published.
    published: VecDeque<(String, Timestamp)>,
    /// The newest version of each policy that has decided a request.
    enforced: HashMap<String, u64>,
    acknowledgements: Delays,
    enforcements: Delays,
}

impl Propagation {
    /// Counts changes from `since` on.
    pub fn new(since: Timestamp) -> Self {
        Propagation { since, state: Mutex::default() }
    }

    /// A set goes out.
    pub fn published(&self, version: &str, now: Timestamp) {
        let mut state = self.lock();
        if state.published.len() >= AWAITED {
            state.published.pop_front();
        }
        state.published.push_back((version.to_owned(), now));
    }

    /// A sidecar that is connected `since` then has accepted a set.
    pub fn acknowledged(&self, version: &str, since: Timestamp, now: Timestamp) {
        let mut state = self.lock();
        let published = state.published.iter().rev().find(|(label, _)| label == version);
        if let Some(at) = published.map(|(_, at)| *at).filter(|at| since <= *at) {
            state.acknowledgements.add(at, now);
        }
    }

    /// A request was decided at `time` by this version of a policy.
    pub fn enforced(&self, policies: &Policies, policy: &str, version: u64, time: Timestamp) {
        let known = |state: &State| state.enforced.get(policy).is_some_and(|seen| *seen >= version);
        if known(&self.lock()) {
            return;
        }
        // A next version that only some sidecars have is not in force yet.
        let Some((_, at)) = policies.in_force(policy).filter(|(number, _)| *number == version) else {
            return;
        };
        let mut state = self.lock();
        if known(&state) {
            return;
        }
        state.enforced.insert(policy.to_owned(), version);
        if at >= self.since {
            state.enforcements.add(at, time);
        }
    }

    /// Times until sets were acknowledged, one for each sidecar; and until versions were enforced.
    pub fn delays(&self) -> (Delays, Delays) {
        let state = self.lock();
        (state.acknowledgements.clone(), state.enforcements.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change leaves a whole state behind, so a poisoned lock still guards one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_790_000_000_000 + ms).unwrap()
    }

    #[test]
    fn what_was_told_of_a_change_is_counted_and_what_started_is_not() {
        let propagation = Propagation::new(at(0));
        propagation.published("7", at(100));
        propagation.acknowledged("7", at(0), at(104));
        propagation.acknowledged("7", at(50), at(160));
        propagation.acknowledged("7", at(101), at(130));
        propagation.acknowledged("6", at(0), at(105));
        let (acknowledgements, enforcements) = propagation.delays();
        assert_eq!((acknowledgements.count, enforcements.count), (2, 0));
        assert!((acknowledgements.sum_s - 0.064).abs() < 1e-9);
        assert_eq!(acknowledgements.buckets[..8], [0, 0, 1, 0, 0, 0, 0, 1]);
    }

    /// Sidecars that never answer do not fill the memory.
    #[test]
    fn sets_that_are_long_gone_are_forgotten() {
        let propagation = Propagation::new(at(0));
        for number in 0..2 * AWAITED {
            propagation.published(&number.to_string(), at(1));
        }
        assert_eq!(propagation.lock().published.len(), AWAITED);
        propagation.acknowledged("0", at(0), at(2));
        assert_eq!(propagation.delays().0.count, 0);
    }
}
