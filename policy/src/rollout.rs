//! The rollout of a policy's next version: first as a shadow beside the version in force, then in its place on a share of the
//! sidecars.
//!
//! Every sidecar gets the same bundle with both versions, and its own name decides which of them it runs ([`Bundle::for_sidecar`]).
//! So two control planes never disagree, and one signature serves all sidecars.
use serde::{Deserialize, Serialize};

use crate::{Bundle, BundlePolicy, Enforcement};

/// How far a rollout has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// On every sidecar, the next version judges beside the one in force, and enforces nothing.
    #[default]
    Monitor,
    /// On this percentage of the sidecars the next version is in force, on the others the present one.
    Share(u8),
}

/// A rollout under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleRollout {
    /// How far it has come.
    pub stage: Stage,
    /// The next version of a policy in force.
    pub next: BundlePolicy,
}

impl BundleRollout {
    /// Whether this sidecar runs the next version. One that runs it at 10 % also runs it at 50 %.
    pub fn includes(&self, sidecar: &str) -> bool {
        match self.stage {
            Stage::Monitor => false,
            Stage::Share(percent) => place(&self.next.id, self.next.version, sidecar) < u64::from(percent),
        }
    }
}

/// The id of a policy's shadow in records and in accounts of limits, so that those of the policy in force are not touched.
pub fn shadow_id(policy: &str, version: u64) -> String {
    format!("{policy}@{version}")
}

/// The policy behind an id in a record: for a shadow, the policy that it is the next version of.
pub fn policy_of(id: &str) -> &str {
    id.split_once('@').map_or(id, |(policy, _)| policy)
}

/// A number from 0 to 99, evenly distributed over sidecars, and independent for each rollout: FNV-1a, then the finalizer of
/// SplitMix64. Filters and control planes of different builds must agree on it, so it is written out here.
fn place(policy: &str, version: u64, sidecar: &str) -> u64 {
    let bytes = policy.bytes().chain([0]).chain(version.to_be_bytes()).chain([0]).chain(sidecar.bytes());
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (hash ^ (hash >> 31)) % 100
}

impl Bundle {
    /// What the sidecar of this name runs: each rollout is resolved to one of its versions, or to a shadow.
    #[must_use]
    pub fn for_sidecar(mut self, sidecar: &str) -> Bundle {
        for rollout in std::mem::take(&mut self.rollouts) {
            let BundlePolicy { id, version, .. } = &rollout.next;
            let Some(held) = self.policies.iter_mut().find(|held| held.id == *id) else { continue };
            if rollout.includes(sidecar) {
                let present = std::mem::replace(held, rollout.next.clone());
                // An agent that is attached to the present version stays at it.
                let mut attached = self.agents.iter().flat_map(|agent| &agent.policies);
                if attached.any(|held| held.policy == *id && held.version == Some(present.version)) {
                    self.pinned.push(present);
                }
            } else if rollout.stage == Stage::Monitor {
                let mut shadow = rollout.next.clone();
                shadow.id = shadow_id(id, *version);
                if shadow.policy.spec.enforcement == Enforcement::Blocking {
                    shadow.policy.spec.enforcement = Enforcement::Logging;
                }
                // A shadow refuses nothing, neither because it cannot judge nor because its record cannot be kept.
                shadow.policy.spec.failure_mode = crate::FailureMode::Open;
                shadow.policy.spec.record_overflow = crate::RecordOverflow::Drop;
                shadow.policy.spec.media = crate::Media::Pass;
                self.policies.push(shadow);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Agent, AgentSpec, Attachment, BundleAgent, Policy, Spec};

    fn entry(version: u64) -> BundlePolicy {
        let spec = Spec { description: Some(version.to_string()), ..Spec::default() };
        BundlePolicy { id: "p".to_owned(), version, policy: Policy::new("p", spec) }
    }

    fn bundle(stage: Stage) -> Bundle {
        let rollouts = vec![BundleRollout { stage, next: entry(2) }];
        Bundle { policies: vec![entry(1)], rollouts, ..Bundle::default() }
    }

    fn versions(bundle: &Bundle) -> Vec<(String, u64)> {
        bundle.policies.iter().map(|held| (held.id.clone(), held.version)).collect()
    }

    #[test]
    fn a_shadow_enforces_nothing_and_has_its_own_name() {
        let run = bundle(Stage::Monitor).for_sidecar("a");
        assert_eq!(versions(&run), [("p".to_owned(), 1), ("p@2".to_owned(), 2)]);
        assert_eq!(run.policies[1].policy.spec.enforcement, Enforcement::Logging);
        assert_eq!(run.rollouts, []);
    }

    #[test]
    fn a_share_is_as_large_as_it_says_and_grows() {
        let names: Vec<String> = (0..2000).map(|number| format!("node-{number}")).collect();
        let mut before: Vec<&String> = Vec::new();
        for percent in [0, 1, 10, 50, 100] {
            let runs_next =
                |name: &&String| bundle(Stage::Share(percent)).for_sidecar(name).policies[0].version == 2;
            let share: Vec<&String> = names.iter().filter(runs_next).collect();
            let off = (share.len() as i64 - i64::from(percent) * 20).abs();
            assert!(off < 100, "{percent}%: {} of 2000", share.len());
            assert!(before.iter().all(|name| share.contains(name)), "who is in stays in");
            before = share;
        }
    }

    #[test]
    fn an_agent_held_at_the_present_version_stays_there() {
        let attachment = Attachment { policy: "p".to_owned(), version: Some(1), enforcement: None };
        let agent = Agent::new("a", AgentSpec { policies: vec![attachment], ..AgentSpec::default() });
        let mut bundle = bundle(Stage::Share(100));
        bundle.agents.push(BundleAgent::from(&agent));
        let run = bundle.for_sidecar("a");
        assert_eq!((run.policies[0].version, run.pinned[0].version), (2, 1));
    }
}
