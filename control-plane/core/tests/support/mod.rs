//! What tests of the log of policies have in common.
#![allow(dead_code, reason = "each test uses some of it")]
use std::sync::Arc;

use async_trait::async_trait;
use mesh_control_core::memory::{MemoryDecisions, MemoryPolicies};
use mesh_control_core::ports::{
    AppendError, DecisionStore, PolicyStore, PublishError, Publisher, StoreError,
};
use mesh_control_core::{
    Batch, Decision, DecisionFilter, DecisionPage, Gap, Intake, PolicyVersion, Stored, Timestamp,
};
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

/// What happens right before decisions are read.
#[async_trait]
pub(crate) trait BeforeList: Send + Sync {
    async fn before_list(&self, filter: &DecisionFilter) -> Result<(), StoreError>;
}

/// A store of decisions whose readers are interrupted.
#[derive(Default)]
pub(crate) struct Watched<T> {
    pub(crate) store: MemoryDecisions,
    pub(crate) by: T,
}

#[async_trait]
impl<T: BeforeList> DecisionStore for Watched<T> {
    async fn intake(&self, batch: &Batch, now: Timestamp) -> Result<Intake, StoreError> {
        self.store.intake(batch, now).await
    }

    async fn list(&self, filter: &DecisionFilter) -> Result<DecisionPage, StoreError> {
        self.by.before_list(filter).await?;
        self.store.list(filter).await
    }

    async fn decision(&self, id: &str) -> Result<Option<Decision>, StoreError> {
        self.store.decision(id).await
    }

    async fn gaps(&self, limit: u32) -> Result<Vec<Gap>, StoreError> {
        self.store.gaps(limit).await
    }

    async fn newest_cursor(&self) -> Result<u64, StoreError> {
        self.store.newest_cursor().await
    }

    async fn newest_mark(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.newest_mark().await
    }

    async fn mark(&self, now: Timestamp) -> Result<(), StoreError> {
        self.store.mark(now).await
    }

    async fn forget(&self, then: Timestamp, most: u32) -> Result<u64, StoreError> {
        self.store.forget(then, most).await
    }

    async fn alive(&self, vms: &[String], now: Timestamp) -> Result<(), StoreError> {
        self.store.alive(vms, now).await
    }

    async fn forget_vms(&self, then: Timestamp, most: u32) -> Result<u64, StoreError> {
        self.store.forget_vms(then, most).await
    }
}
