//! Versions that rollouts try. They have numbers of their own, so that a record always means one document, and are no versions of
//! the policy itself until they are in force everywhere.
use std::collections::BTreeMap;

use mesh_policy::{Document, Policy, State, policy_of};

use crate::policies::Policies;
use crate::policy::{Change, PolicyVersion, Stored, rollout_key};
use crate::policy_error::PolicyError;

impl Policies {
    /// Every version of a policy that has a number, newest first: those that were in force, and those that a rollout tried.
    ///
    /// # Errors
    /// No policy has or had that name, or the store fails.
    pub async fn numbered(&self, name: &str) -> Result<Vec<Stored>, PolicyError> {
        let mut versions = self.versions(name).await?;
        let there =
            |version: u64, versions: &[Stored]| versions.iter().any(|held| held.version.version == version);
        let tried = self.all_tried(name).await?;
        let tried: Vec<Stored> = tried
            .into_iter()
            .filter(|(version, _)| !there(*version, &versions))
            .map(|(_, stored)| stored)
            .collect();
        versions.extend(tried);
        versions.sort_by_key(|stored| std::cmp::Reverse(stored.version.version));
        Ok(versions)
    }

    /// One of them.
    ///
    /// # Errors
    /// No policy has or had that name, none of its versions has that number, or the store fails.
    pub async fn numbered_version(&self, name: &str, version: u64) -> Result<Stored, PolicyError> {
        match self.version(name, version).await {
            Err(PolicyError::NoVersion { name, version }) => {
                let tried = self.tried(&name, version).await?;
                tried.ok_or(PolicyError::NoVersion { name, version })
            }
            other => other,
        }
    }

    /// The document that judged as `version` of what records call `id`. None when it is not known (any more).
    pub async fn judged_by(&self, id: &str, version: u64) -> Option<Policy> {
        let found = self.numbered_version(policy_of(id), version).await.ok()?;
        found.version.policy().cloned()
    }

    /// A version that a rollout tried.
    pub(crate) async fn tried(&self, name: &str, version: u64) -> Result<Option<Stored>, PolicyError> {
        Ok(self.all_tried(name).await?.remove(&version))
    }

    /// What rollouts tried, by number, as of when each began.
    async fn all_tried(&self, name: &str) -> Result<BTreeMap<u64, Stored>, PolicyError> {
        // The newest comes first, so that the first state of each rollout is what stays.
        let states = self.stored_versions(&rollout_key(name)).await?;
        let tried = states.into_iter().filter_map(
            |Stored { revision, version: PolicyVersion { at, document, .. } }| {
                let Some(Document::State(State::Rollout(rollout))) = document else { return None };
                let version = PolicyVersion {
                    name: name.to_owned(),
                    version: rollout.version,
                    change: Change::Tried,
                    at,
                    document: Some(Document::Policy(rollout.next)),
                };
                Some((version.version, Stored { revision, version }))
            },
        );
        Ok(tried.collect())
    }
}
