//! Policy versions in memory.
use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::lock;
use crate::ports::{AppendError, PolicyStore, StoreError};
use crate::{PolicyVersion, Stored};

/// Policy versions in memory.
#[derive(Default)]
pub struct MemoryPolicies {
    /// Every version, in order of revision (which is the position + 1).
    log: Mutex<Vec<Stored>>,
}

#[async_trait]
impl PolicyStore for MemoryPolicies {
    async fn append(&self, after: u64, versions: &[PolicyVersion]) -> Result<Vec<Stored>, AppendError> {
        let mut log = lock(&self.log);
        let before = log.len();
        if before as u64 != after {
            return Err(AppendError::Behind { newest: before as u64 });
        }
        for version in versions {
            let is_it =
                |held: &Stored| held.version.name == version.name && held.version.version == version.version;
            if log.iter().any(is_it) {
                log.truncate(before);
                return Err(AppendError::Taken { name: version.name.clone(), version: version.version });
            }
            let revision = log.len() as u64 + 1;
            log.push(Stored { revision, version: version.clone() });
        }
        Ok(log.get(before..).unwrap_or_default().to_vec())
    }

    async fn newest(&self) -> Result<Vec<Stored>, StoreError> {
        let mut newest = BTreeMap::new();
        for stored in lock(&self.log).iter() {
            let held: &mut Stored =
                newest.entry(stored.version.name.clone()).or_insert_with(|| stored.clone());
            if held.version.version < stored.version.version {
                *held = stored.clone();
            }
        }
        Ok(newest.into_values().collect())
    }

    async fn versions(&self, name: &str) -> Result<Vec<Stored>, StoreError> {
        let log = lock(&self.log);
        let mut versions: Vec<_> = log.iter().filter(|stored| stored.version.name == name).cloned().collect();
        // Racing writers may have come in any order.
        versions.sort_by_key(|stored| std::cmp::Reverse(stored.version.version));
        Ok(versions)
    }

    async fn version(&self, name: &str, version: u64) -> Result<Option<Stored>, StoreError> {
        let log = lock(&self.log);
        Ok(log.iter().find(|held| held.version.name == name && held.version.version == version).cloned())
    }

    async fn revision(&self) -> Result<u64, StoreError> {
        Ok(lock(&self.log).len() as u64)
    }

    async fn writes(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
