//! The newest version of every policy at one revision.
use std::collections::BTreeMap;

use mesh_policy::{Bundle, BundlePolicy, Settings};

use crate::policy::Stored;

/// The newest version of every policy, deleted ones included, at one revision.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PolicySet {
    revision: u64,
    newest: BTreeMap<String, Stored>,
}

impl PolicySet {
    /// The set a store tells of.
    pub(crate) fn from_newest(newest: Vec<Stored>) -> Self {
        newest.into_iter().fold(PolicySet::default(), |set, stored| set.with(stored))
    }

    /// The set after one more version.
    pub(crate) fn with(&self, stored: Stored) -> Self {
        let mut next = self.clone();
        next.revision = next.revision.max(stored.revision);
        next.newest.insert(stored.version.name.clone(), stored);
        next
    }

    /// The greatest revision in the set.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The version in force under this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Stored> {
        self.newest.get(name).filter(|stored| stored.version.policy.is_some())
    }

    /// The versions in force, in order of name.
    pub(crate) fn in_force(&self) -> impl Iterator<Item = &Stored> {
        self.newest.values().filter(|stored| stored.version.policy.is_some())
    }

    /// The number the next version of this name gets.
    pub(crate) fn next_version(&self, name: &str) -> u64 {
        self.newest.get(name).map_or(1, |stored| stored.version.version + 1)
    }

    /// What the sidecars are to be told.
    pub(crate) fn bundle(&self, settings: &Settings) -> Bundle {
        let policies = self.in_force().filter_map(|stored| {
            let policy = stored.version.policy.clone()?;
            Some(BundlePolicy { id: stored.version.name.clone(), version: stored.version.version, policy })
        });
        Bundle {
            version: self.revision.to_string(),
            policies: policies.collect(),
            settings: settings.clone(),
        }
    }
}
