//! Following decisions: what does not match is looked at once.
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mesh_audit::v1::DecisionRecord;
use mesh_control_core::memory::MemoryDecisions;
use mesh_control_core::ports::{DecisionStore, StoreError};
use mesh_control_core::{Batch, Decision, DecisionFilter, DecisionPage, Decisions, Gap, Intake, Timestamp};

/// A store that remembers from where it was read.
#[derive(Default)]
struct Remembering {
    store: MemoryDecisions,
    after: Mutex<Vec<Option<u64>>>,
}

#[async_trait]
impl DecisionStore for Remembering {
    async fn intake(&self, batch: &Batch, now: Timestamp) -> Result<Intake, StoreError> {
        self.store.intake(batch, now).await
    }

    async fn list(&self, filter: &DecisionFilter) -> Result<DecisionPage, StoreError> {
        self.after.lock().unwrap().push(filter.after);
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

async fn report(decisions: &Decisions, first_sequence: u64, agents: &[&str]) {
    let record = |agent: &&str| DecisionRecord { agent_id: agent.to_string(), ..DecisionRecord::default() };
    let records = agents.iter().map(record).collect();
    let batch = Batch { sidecar: "edge".into(), vm: "v".into(), first_sequence, records, dropped: 0 };
    decisions.report(&batch, Timestamp::UNIX_EPOCH).await.unwrap();
}

#[tokio::test]
async fn what_does_not_match_is_looked_at_once() {
    let store = Arc::new(Remembering::default());
    let decisions = Decisions::new(store.clone());
    report(&decisions, 1, &["often", "often", "often"]).await;
    let filter =
        DecisionFilter { agent: Some("rare".to_owned()), after: Some(0), ..DecisionFilter::default() };
    let mut follower = decisions.follow(filter).await.unwrap();
    // Each pause lets the follower look before more arrives.
    let (found, ()) = tokio::join!(follower.next(), async {
        report(&decisions, 4, &["often"]).await;
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        report(&decisions, 5, &["often", "rare", "often", "rare"]).await;
    });
    let cursors: Vec<u64> = found.unwrap().into_iter().map(|(cursor, _)| cursor).collect();
    assert_eq!(cursors, [6, 8], "nothing that matches is passed over");
    assert_eq!(*store.after.lock().unwrap(), [Some(0), Some(3), Some(4)]);

    // One who follows from a later place than the store has any is not brought back.
    let filter = DecisionFilter { after: Some(100), ..DecisionFilter::default() };
    let mut follower = decisions.follow(filter).await.unwrap();
    let wait = std::time::Duration::from_millis(1200);
    assert!(tokio::time::timeout(wait, follower.next()).await.is_err());
    assert_eq!(*store.after.lock().unwrap(), [Some(0), Some(3), Some(4), Some(100), Some(100)]);
}
