//! Two control planes on one store that change different documents at the same moment: what is in force together was checked
//! together.
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use mesh_control_core::memory::MemoryPolicies;
use mesh_control_core::ports::{AppendError, PolicyStore, PublishError, Publisher, StoreError};
use mesh_control_core::{
    EngineAdmission, Expected, Policies, PolicyError, PolicyVersion, Stored, Timestamp, Wanted,
};
use mesh_policy::{Agent, Bundle, Document, Policy, Settings, Spec};
use tokio::sync::Barrier;

struct Nobody;

#[async_trait]
impl Publisher for Nobody {
    async fn publish(&self, _bundle: Arc<Bundle>) -> Result<(), PublishError> {
        Ok(())
    }
}

/// A store where the next two who write meet before either does: both have compiled by then.
struct Meeting {
    store: MemoryPolicies,
    expected: AtomicU32,
    barrier: Barrier,
}

#[async_trait]
impl PolicyStore for Meeting {
    async fn append(&self, after: u64, versions: &[PolicyVersion]) -> Result<Vec<Stored>, AppendError> {
        let meets = |expected: u32| expected.checked_sub(1);
        if self.expected.fetch_update(Ordering::SeqCst, Ordering::SeqCst, meets).is_ok() {
            self.barrier.wait().await;
        }
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
}

fn plane(store: &Arc<Meeting>) -> Policies {
    let store = Arc::clone(store);
    Policies::new(store, Arc::new(EngineAdmission::default()), Arc::new(Nobody), Settings::default())
}

#[tokio::test]
async fn of_two_changes_that_do_not_go_together_one_is_refused() {
    let now = Timestamp::UNIX_EPOCH;
    let store =
        Meeting { store: MemoryPolicies::default(), expected: AtomicU32::new(0), barrier: Barrier::new(2) };
    let store = Arc::new(store);
    let (one, other) = (plane(&store), plane(&store));
    for name in ["a", "b"] {
        let policy = Document::Policy(Policy::new(name, Spec::default()));
        one.change(name, Wanted::Document(Box::new(policy)), Expected::Any, now).await.unwrap();
    }
    let agent: Agent = serde_json::from_value(serde_json::json!({
        "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Agent", "metadata": { "name": "x" },
        "spec": { "policies": [{ "policy": "a" }] }
    }))
    .unwrap();

    // Each compiles on its own: the agent while the policy is there, the deletion while nobody is attached.
    store.expected.store(2, Ordering::SeqCst);
    let (attached, deleted) = tokio::join!(
        one.put_agent(agent, Expected::Any, now),
        other.change("a", Wanted::Deleted, Expected::Any, now),
    );
    assert!(attached.is_ok() != deleted.is_ok(), "{attached:?} {deleted:?}");
    let refused = attached.err().or(deleted.err()).unwrap();
    assert!(matches!(refused, PolicyError::Refused(_)), "{refused}");
    plane(&store).refresh().await.expect("what is written compiles");

    // What goes together is written, one after the other.
    store.expected.store(2, Ordering::SeqCst);
    let said = |text: &str| Spec { description: Some(text.to_owned()), ..Spec::default() };
    let put = |plane: &Policies, name: &'static str| {
        let (plane, policy) = (plane.clone(), Document::Policy(Policy::new(name, said("new"))));
        async move { plane.change(name, Wanted::Document(Box::new(policy)), Expected::Any, now).await }
    };
    let (first, second) = tokio::join!(put(&one, "b"), put(&other, "c"));
    assert!(first.unwrap().changed && second.unwrap().changed);
}
