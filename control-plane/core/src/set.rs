//! The newest version of every document at one revision.
use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_policy::{
    Bundle, BundleAgent, BundlePolicy, BundleRollout, BundleTool, Diagnostic, Freeze, Policy, PriceDocument,
    Rollout, Rule, Settings, State, ToolApproval,
};

use crate::policy::{Stored, rollout_key, rollout_of};
use crate::prices;
use crate::rollouts::FREEZE;

/// The newest version of every document, deleted ones included, at one revision. Sets share what they have in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PolicySet {
    revision: u64,
    newest: BTreeMap<Arc<str>, Arc<Stored>>,
    /// Earlier versions that agents are attached to, as far as they were looked up.
    pinned: BTreeMap<(String, u64), Arc<Policy>>,
}

impl PolicySet {
    /// The set that a store holds. `revision` was its newest revision before it was read.
    pub(crate) fn from_newest(revision: u64, newest: Vec<Stored>) -> Self {
        PolicySet { revision, ..PolicySet::default() }.with_all(newest)
    }

    /// The set after one more version.
    pub(crate) fn with(&self, stored: Stored) -> Self {
        self.with_all([stored])
    }

    /// The set after more versions.
    pub(crate) fn with_all(&self, stored: impl IntoIterator<Item = Stored>) -> Self {
        let mut next = self.clone();
        for stored in stored {
            next.revision = next.revision.max(stored.revision);
            next.newest.insert(stored.version.name.as_str().into(), Arc::new(stored));
        }
        next
    }

    /// The greatest revision in the set.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The version in force under this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Stored> {
        self.newest.get(name).map(|stored| &**stored).filter(|stored| stored.version.document.is_some())
    }

    /// The policies in force, in order of name.
    pub(crate) fn policies(&self) -> impl Iterator<Item = &Stored> {
        self.all().filter(|stored| stored.version.policy().is_some())
    }

    /// The registered agents, in order of id.
    pub(crate) fn agents(&self) -> impl Iterator<Item = &Stored> {
        self.all().filter(|stored| stored.version.agent().is_some())
    }

    fn all(&self) -> impl Iterator<Item = &Stored> {
        self.newest.values().map(|stored| &**stored)
    }

    /// The decisions on tools, in order of server and name.
    pub(crate) fn tools(&self) -> impl Iterator<Item = &ToolApproval> {
        self.newest.values().filter_map(|stored| stored.version.tool())
    }

    /// The control plane's own state, by its key.
    pub(crate) fn states(&self) -> impl Iterator<Item = (&str, &State)> {
        self.newest.iter().filter_map(|(key, stored)| Some((&**key, stored.version.state()?)))
    }

    /// The same under one key.
    pub(crate) fn state(&self, key: &str) -> Option<&State> {
        self.newest.get(key)?.version.state()
    }

    /// The last rollout of each policy.
    pub(crate) fn rollouts(&self) -> impl Iterator<Item = (&str, &Rollout)> {
        self.states().filter_map(|(key, state)| match state {
            State::Rollout(rollout) => Some((rollout_of(key)?, &**rollout)),
            _ => None,
        })
    }

    /// The rollout that is under way. It has ended when its next version is in force.
    pub(crate) fn active_rollout(&self, policy: &str) -> Option<&Rollout> {
        let Some(State::Rollout(rollout)) = self.state(&rollout_key(policy)) else { return None };
        let present = self.get(policy).is_some_and(|held| held.version.version == rollout.present);
        (rollout.end.is_none() && present).then_some(rollout)
    }

    /// Why changes are frozen, if they are.
    pub(crate) fn freeze(&self) -> Option<&Freeze> {
        match self.state(FREEZE) {
            Some(State::Freeze(freeze)) => Some(freeze),
            _ => None,
        }
    }

    /// The prices that were set, in order of model.
    pub(crate) fn prices(&self) -> impl Iterator<Item = &PriceDocument> {
        self.newest.values().filter_map(|stored| stored.version.price())
    }

    /// The number of the next version of this name. The number of a rollout is never used again, even if the rollout was aborted,
    /// since records refer to its document by it.
    pub(crate) fn next_version(&self, name: &str) -> u64 {
        let next = self.newest.get(name).map_or(1, |stored| stored.version.version + 1);
        match self.state(&rollout_key(name)) {
            Some(State::Rollout(rollout)) => next.max(rollout.version + 1),
            _ => next,
        }
    }

    /// What forbids deleting a policy: agents that are attached to it, or to an earlier version of it, which would go on deciding.
    pub(crate) fn attachments(&self, policy: &str) -> Vec<Diagnostic> {
        let agents = self.agents().filter_map(|stored| stored.version.agent());
        let attached = agents.flat_map(|agent| {
            let places = agent.spec.policies.iter().enumerate();
            places.filter(|(_, attachment)| attachment.policy == policy).map(|(place, attachment)| {
                let path = format!("agent/{}: spec.policies[{place}].policy", agent.metadata.name);
                let version = attachment.version.map(|version| format!(" (version {version})"));
                let message = format!("it is attached to {policy:?}{}", version.unwrap_or_default());
                Diagnostic::error(path, message).help("take the policy out of the agent's document first")
            })
        });
        attached.collect()
    }

    /// Versions that agents are attached to, which are not in force and were not looked up yet.
    pub(crate) fn unpinned(&self) -> Vec<(String, u64)> {
        let attachments =
            self.agents().filter_map(|stored| stored.version.agent()).flat_map(|agent| &agent.spec.policies);
        let wanted =
            attachments.filter_map(|attachment| Some((attachment.policy.clone(), attachment.version?)));
        let in_force =
            |name: &str, version| self.get(name).is_some_and(|held| held.version.version == version);
        let mut missing: Vec<_> = wanted
            .filter(|(name, version)| !in_force(name, *version))
            .filter(|key| !self.pinned.contains_key(key))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Remembers an earlier version that agents are attached to.
    pub(crate) fn pin(&mut self, name: String, version: u64, policy: Policy) {
        self.pinned.insert((name, version), Arc::new(policy));
    }

    /// What is published to the sidecars.
    pub(crate) fn bundle(&self, settings: &Settings) -> Bundle {
        let policies = self.policies().filter_map(|stored| {
            let policy = stored.version.policy()?.clone();
            Some(BundlePolicy { id: stored.version.name.clone(), version: stored.version.version, policy })
        });
        let agents: Vec<BundleAgent> =
            self.agents().filter_map(|stored| stored.version.agent()).map(BundleAgent::from).collect();
        let attached = |(name, version): &(String, u64)| {
            let mut attachments = agents.iter().flat_map(|agent| &agent.policies);
            attachments.any(|attachment| attachment.policy == *name && attachment.version == Some(*version))
        };
        let pinned = self.pinned.iter().filter(|(key, _)| attached(key)).map(|((name, version), policy)| {
            BundlePolicy { id: name.clone(), version: *version, policy: (**policy).clone() }
        });
        let (policies, pinned): (Vec<_>, Vec<_>) = (policies.collect(), pinned.collect());
        let rollouts = self.rollouts().filter_map(|(name, _)| {
            let Rollout { stage, next, version, .. } = self.active_rollout(name)?;
            let next = BundlePolicy { id: name.to_owned(), version: *version, policy: next.clone() };
            Some(BundleRollout { stage: *stage, next })
        });
        let rollouts: Vec<_> = rollouts.collect();
        let all = policies.iter().chain(&pinned).chain(rollouts.iter().map(|rollout| &rollout.next));
        let mut rules = all.flat_map(|entry| &entry.policy.spec.rules);
        let pins = rules.any(|rule| matches!(rule, Rule::Tools(rule) if rule.pin));
        let tools = if pins { self.tools().map(BundleTool::from).collect() } else { Vec::new() };
        Bundle {
            rollouts,
            version: self.revision.to_string(),
            policies,
            pinned,
            agents,
            tools,
            settings: prices::told(settings, self),
        }
    }
}
