//! Tools that change while the log of policies cannot be written: records are not held up, and nothing is forgotten.
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use mesh_audit::v1::{DecisionRecord, ToolDefinition};
use mesh_control_core::memory::{MemoryPolicies, MemoryTools};
use mesh_control_core::ports::{AppendError, StoreError};
use mesh_control_core::{DefinitionState, EngineAdmission, Policies, Timestamp, ToolStanding, Tools};
use mesh_policy::Settings;
use support::{Interrupted, Interruption, Nobody};

/// What is written to only at times.
#[derive(Default)]
struct Moody {
    full: AtomicBool,
}

#[async_trait]
impl Interruption for Moody {
    async fn before_append(&self, _store: &MemoryPolicies) -> Result<(), AppendError> {
        if self.full.load(Ordering::Relaxed) {
            return Err(StoreError::new("the disk is full").into());
        }
        Ok(())
    }
}

/// A record that tells of a definition, whose digest is of one letter.
fn record(name: &str, letter: &str) -> DecisionRecord {
    let (server, digest) = ("tools.example.com/mcp".to_owned(), letter.repeat(64));
    let (name, text) = (name.to_owned(), String::new());
    let definitions = vec![ToolDefinition { server, name, digest, text, truncated: false }];
    DecisionRecord { definitions, ..DecisionRecord::default() }
}

#[tokio::test]
async fn a_mark_that_can_not_be_set_is_set_with_a_later_report() {
    let now = Timestamp::UNIX_EPOCH;
    let store = Arc::new(Interrupted::<Moody>::default());
    let admission = Arc::new(EngineAdmission::default());
    let policies = Policies::new(store.clone(), admission, Arc::new(Nobody), Settings::default());
    let tools = Tools::new(Arc::new(MemoryTools::default()), policies);
    let server = "tools.example.com/mcp";
    let mut reported = [record("x", "a"), record("y", "a")];
    tools.take_from("edge", &mut reported, now).await.unwrap();
    for name in ["x", "y"] {
        tools.decide(server, name, &"a".repeat(64), DefinitionState::Approved, now).await.unwrap();
    }

    store.by.full.store(true, Ordering::Relaxed);
    let mut reported = [record("x", "b"), record("y", "b"), record("z", "b")];
    let seen = tools.take_from("edge", &mut reported, now).await.unwrap();
    assert_eq!((seen.definitions, seen.changed), (3, 0));
    assert!(reported.iter().all(|record| record.definitions.is_empty()));
    assert_eq!(tools.get(server, "y").await.unwrap().definitions.len(), 2, "what was seen is kept");
    // Still not.
    assert_eq!(tools.take_from("edge", &mut [], now).await.unwrap().changed, 0);

    store.by.full.store(false, Ordering::Relaxed);
    assert_eq!(tools.take_from("another", &mut [], now).await.unwrap().changed, 2);
    for name in ["x", "y"] {
        assert_eq!(tools.get(server, name).await.unwrap().standing, ToolStanding::Changed);
    }
    assert_eq!(tools.take_from("another", &mut [], now).await.unwrap().changed, 0);
}
