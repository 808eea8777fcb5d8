//! What tests of the log of policies have in common.
#![allow(dead_code, reason = "each test uses some of it")]
use std::sync::Arc;

use async_trait::async_trait;
use mesh_control_core::memory::MemoryPolicies;
use mesh_control_core::ports::{AppendError, PolicyStore, PublishError, Publisher, StoreError};
use mesh_control_core::{PolicyVersion, Stored};
use mesh_policy::Bundle;

/// Who is published to in vain.
pub(crate) struct Nobody;

#[async_trait]
impl Publisher for Nobody {
    async fn publish(&self, _bundle: Arc<Bundle>) -> Result<(), PublishError> {
        Ok(())
    }
}

/// What happens right before versions are written.
#[async_trait]
pub(crate) trait Interruption: Send + Sync {
    async fn before_append(&self, store: &MemoryPolicies) -> Result<(), AppendError>;
}

/// A store whose writers are interrupted.
#[derive(Default)]
pub(crate) struct Interrupted<T> {
    pub(crate) store: MemoryPolicies,
    pub(crate) by: T,
}

#[async_trait]
impl<T: Interruption> PolicyStore for Interrupted<T> {
    async fn append(&self, after: u64, versions: &[PolicyVersion]) -> Result<Vec<Stored>, AppendError> {
        self.by.before_append(&self.store).await?;
        self.store.append(after, versions).await
    }

    async fn newest(&self) -> Result<Vec<Stored>, StoreError> {
        self.store.newest().await
    }

    async fn versions(&self, name: &str) -> Result<Vec<Stored>, StoreError> {
        self.store.versions(name).await
    }

    async fn version(&self, name: &str, version: u64) -> Result<Option<Stored>, StoreError> {
        self.store.version(name, version).await
    }

    async fn revision(&self) -> Result<u64, StoreError> {
        self.store.revision().await
    }

    async fn writes(&self) -> Result<(), StoreError> {
        self.store.writes().await
    }
}
