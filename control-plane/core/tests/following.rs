//! Following decisions: what does not match is looked at once.
mod support;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mesh_audit::v1::DecisionRecord;
use mesh_control_core::ports::StoreError;
use mesh_control_core::{Batch, DecisionFilter, Decisions, Timestamp};

use crate::support::{BeforeList, Watched};

/// Remembers from where a store was read.
#[derive(Default)]
struct Remembering {
    after: Mutex<Vec<Option<u64>>>,
}

#[async_trait]
impl BeforeList for Remembering {
    async fn before_list(&self, filter: &DecisionFilter) -> Result<(), StoreError> {
        self.after.lock().unwrap().push(filter.after);
        Ok(())
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
    let store = Arc::new(Watched::<Remembering>::default());
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
    assert_eq!(*store.by.after.lock().unwrap(), [Some(0), Some(3), Some(4)]);

    // One who follows from a later place than the store has any is not brought back.
    let filter = DecisionFilter { after: Some(100), ..DecisionFilter::default() };
    let mut follower = decisions.follow(filter).await.unwrap();
    let wait = std::time::Duration::from_millis(1200);
    assert!(tokio::time::timeout(wait, follower.next()).await.is_err());
    assert_eq!(*store.by.after.lock().unwrap(), [Some(0), Some(3), Some(4), Some(100), Some(100)]);
}
