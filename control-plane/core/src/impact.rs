//! What a policy would have done to requests that were decided already: their records are judged again, with it and
//! without it.
use std::collections::{BTreeMap, BTreeSet};

use mesh_engine::Outcome;
use serde::Serialize;
use utoipa::ToSchema;

use crate::decision::Decision;

/// The impact of a policy on recorded decisions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Impact {
    /// Decisions that were judged again.
    pub decisions: u64,
    /// Those whose outcome would change.
    pub changed: u64,
    /// Those that were recorded with another outcome than `before`: they were made under other policies than those in force.
    pub recorded_otherwise: u64,
    /// By agent and by what changes into what, the most frequent first.
    pub changes: Vec<ImpactChange>,
    /// Decisions of which the record does not tell enough, by the guard that would have to see the content.
    pub unknown: BTreeMap<String, u64>,
}

/// Requests of one agent whose outcome would change alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ImpactChange {
    /// The agent.
    pub agent_id: String,
    /// The outcome under the policies in force, which may be another one than was recorded.
    pub before: String,
    /// The outcome with the policy.
    pub after: String,
    /// How many requests.
    pub requests: u64,
    /// One of them.
    pub decision_id: String,
}

/// Counts what is judged.
#[derive(Default)]
pub(crate) struct Tally {
    decisions: u64,
    recorded_otherwise: u64,
    changes: BTreeMap<(String, &'static str, &'static str), (u64, String)>,
    unknown: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn add(&mut self, decision: &Decision, replayed: &mesh_engine::Replayed) {
        self.decisions += 1;
        self.recorded_otherwise += u64::from(replayed.before.as_str() != decision.decision);
        let mut unknown: BTreeSet<&str> = replayed.unknown.iter().copied().collect();
        // What would pass was refused at the time, before these guards ran.
        if replayed.after < Outcome::Throttle {
            let skipped = decision.guards.iter().filter(|(_, outcome)| *outcome == "skipped:denied");
            unknown.extend(skipped.map(|(guard, _)| guard.as_str()));
        }
        for guard in unknown {
            *self.unknown.entry(guard.to_owned()).or_default() += 1;
        }
        if replayed.before != replayed.after {
            let key = (decision.agent_id.clone(), replayed.before.as_str(), replayed.after.as_str());
            let (count, _) = self.changes.entry(key).or_insert_with(|| (0, decision.decision_id.clone()));
            *count += 1;
        }
    }

    pub(crate) fn impact(self) -> Impact {
        let changes = self.changes.into_iter().map(|((agent_id, before, after), (requests, decision_id))| {
            ImpactChange { agent_id, before: before.into(), after: after.into(), requests, decision_id }
        });
        let mut changes: Vec<ImpactChange> = changes.collect();
        changes.sort_by_key(|change| std::cmp::Reverse(change.requests));
        let changed = changes.iter().map(|change| change.requests).sum();
        Impact {
            decisions: self.decisions,
            changed,
            recorded_otherwise: self.recorded_otherwise,
            changes,
            unknown: self.unknown,
        }
    }
}
