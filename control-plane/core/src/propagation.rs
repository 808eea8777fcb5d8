//! How long changes take to reach the sidecars: two histograms.
//!
//! *Acknowledged* counts, for each set of policies and each filter (a sidecar has one in each of its threads), the time from
//! publishing the set until the filter accepted it. Filters that connected after that do not count: they started with the set.
//! *Enforced* counts, for each version of a policy, the time from publishing it until the first request that was decided by it,
//! according to the decision's record. Without requests nothing is counted.
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use mesh_policy::Bundle;

/// Upper bounds of the histograms' buckets, in seconds; what is longer counts beyond them.
pub const DELAY_BOUNDS_S: [f64; 14] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Sets whose acknowledgements are awaited: the newest ones.
const AWAITED: usize = 256;
/// Versions of one policy whose first request is awaited. Records come in batches, some tens of milliseconds apart: when changes
/// are quick, so many versions may decide requests before the first record arrives.
const AWAITED_OF_ONE: usize = 256;

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

/// Measures the propagation of changes.
#[derive(Debug, Default)]
pub struct Propagation {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Versions of the set, and when they were published.
    published: VecDeque<(String, Timestamp)>,
    policies: HashMap<String, Way>,
    acknowledgements: Delays,
    enforcements: Delays,
}

/// A policy's versions.
#[derive(Debug, Default)]
struct Way {
    /// The one that is published.
    newest: u64,
    /// Those that have decided no request yet, and when they were published.
    awaited: VecDeque<(u64, Timestamp)>,
}

impl Propagation {
    /// A set is published. The first one is not a change: the control plane starts with it.
    pub fn published(&self, bundle: &Bundle, now: Timestamp) {
        let mut state = self.lock();
        let State { published, policies, .. } = &mut *state;
        let first = published.is_empty();
        if published.len() >= AWAITED {
            published.pop_front();
        }
        published.push_back((bundle.version.clone(), now));
        for entry in &bundle.policies {
            let way = match policies.get_mut(&entry.id) {
                Some(way) => way,
                None => policies.entry(entry.id.clone()).or_default(),
            };
            if way.newest != entry.version && !first {
                if way.awaited.len() >= AWAITED_OF_ONE {
                    way.awaited.pop_front();
                }
                way.awaited.push_back((entry.version, now));
            }
            way.newest = entry.version;
        }
        if policies.len() > bundle.policies.len() {
            let there: HashSet<&str> = bundle.policies.iter().map(|entry| entry.id.as_str()).collect();
            policies.retain(|id, _| there.contains(id.as_str()));
        }
    }

    /// A filter that has been connected `since` then has accepted a set.
    pub fn acknowledged(&self, version: &str, since: Timestamp, now: Timestamp) {
        let mut state = self.lock();
        let published = state.published.iter().rev().find(|(label, _)| label == version);
        if let Some(at) = published.map(|(_, at)| *at).filter(|at| since <= *at) {
            state.acknowledgements.add(at, now);
        }
    }

    /// A request was decided at `time` by this version of a policy.
    pub fn enforced(&self, policy: &str, version: u64, time: Timestamp) {
        let mut state = self.lock();
        let Some(way) = state.policies.get_mut(policy) else { return };
        let Some(place) = way.awaited.iter().position(|(awaited, _)| *awaited == version) else { return };
        if let Some((_, at)) = way.awaited.remove(place) {
            state.enforcements.add(at, time);
        }
    }

    /// Times until sets were acknowledged, one for each filter; and until versions were enforced.
    pub fn delays(&self) -> (Delays, Delays) {
        let state = self.lock();
        (state.acknowledgements.clone(), state.enforcements.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change leaves a consistent state behind, so the state behind a poisoned lock can be used.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use mesh_policy::{BundlePolicy, Policy, Spec};

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_790_000_000_000 + ms).unwrap()
    }

    fn bundle(version: &str, policies: &[(&str, u64)]) -> Bundle {
        let entry = |(id, version): &(&str, u64)| BundlePolicy {
            id: (*id).to_owned(),
            version: *version,
            policy: Policy::new(*id, Spec::default()),
        };
        let policies = policies.iter().map(entry).collect();
        Bundle { version: version.to_owned(), policies, ..Bundle::default() }
    }

    #[test]
    fn what_was_told_of_a_change_is_counted_and_what_started_is_not() {
        let propagation = Propagation::default();
        propagation.published(&bundle("7", &[]), at(100));
        propagation.acknowledged("7", at(0), at(104));
        propagation.acknowledged("7", at(50), at(160));
        propagation.acknowledged("7", at(101), at(130));
        propagation.acknowledged("6", at(0), at(105));
        let (acknowledgements, enforcements) = propagation.delays();
        assert_eq!((acknowledgements.count, enforcements.count), (2, 0));
        assert!((acknowledgements.sum_s - 0.064).abs() < 1e-9);
        assert_eq!(acknowledgements.buckets[..8], [0, 0, 1, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn the_first_request_under_each_version_is_counted() {
        let propagation = Propagation::default();
        propagation.published(&bundle("1", &[("a", 4), ("b", 1)]), at(0));
        propagation.published(&bundle("2", &[("a", 5), ("b", 1)]), at(100));
        propagation.published(&bundle("3", &[("a", 6), ("b", 1)]), at(200));
        // Records come late, and not in order; what was there from the start is no change, and a stranger is not known.
        for (policy, version, time) in
            [("a", 4, 90), ("a", 6, 230), ("a", 5, 110), ("a", 5, 120), ("b", 1, 130), ("c", 1, 130)]
        {
            propagation.enforced(policy, version, at(time));
        }
        let enforcements = propagation.delays().1;
        assert_eq!(enforcements.count, 2);
        assert!((enforcements.sum_s - 0.040).abs() < 1e-9, "{enforcements:?}");
    }

    /// What is never answered does not fill the memory.
    #[test]
    fn what_is_long_gone_is_forgotten() {
        let propagation = Propagation::default();
        let many = 2 * AWAITED.max(AWAITED_OF_ONE) as u64;
        for number in 0..many {
            let passing = format!("p{number}");
            propagation.published(&bundle(&number.to_string(), &[("a", number), (&passing, 1)]), at(1));
        }
        let state = propagation.lock();
        assert_eq!((state.published.len(), state.policies.len()), (AWAITED, 2));
        assert_eq!(state.policies["a"].awaited.len(), AWAITED_OF_ONE);
        drop(state);
        propagation.acknowledged("0", at(0), at(2));
        assert_eq!(propagation.delays().0.count, 0);
    }
}
