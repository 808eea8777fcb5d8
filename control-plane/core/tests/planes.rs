//! Two control planes on one store that change different documents at the same moment: what is in force together was checked
//! together.
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use mesh_control_core::memory::MemoryPolicies;
use mesh_control_core::ports::AppendError;
use mesh_control_core::{EngineAdmission, Expected, Policies, PolicyError, Timestamp, Wanted};
use mesh_policy::{Agent, Document, Policy, Settings, Spec};
use support::{Interrupted, Interruption, Nobody};
use tokio::sync::Barrier;

/// The next two who write meet before either does: both have compiled by then.
struct Meeting {
    expected: AtomicU32,
    barrier: Barrier,
}

#[async_trait]
impl Interruption for Meeting {
    async fn before_append(&self, _store: &MemoryPolicies) -> Result<(), AppendError> {
        let meets = |expected: u32| expected.checked_sub(1);
        if self.expected.fetch_update(Ordering::SeqCst, Ordering::SeqCst, meets).is_ok() {
            self.barrier.wait().await;
        }
        Ok(())
    }
}

fn plane(store: &Arc<Interrupted<Meeting>>) -> Policies {
    let store = Arc::clone(store);
    Policies::new(store, Arc::new(EngineAdmission::default()), Arc::new(Nobody), Settings::default())
}

#[tokio::test]
async fn of_two_changes_that_do_not_go_together_one_is_refused() {
    let now = Timestamp::UNIX_EPOCH;
    let by = Meeting { expected: AtomicU32::new(0), barrier: Barrier::new(2) };
    let store = Arc::new(Interrupted { store: MemoryPolicies::default(), by });
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
    store.by.expected.store(2, Ordering::SeqCst);
    let (attached, deleted) = tokio::join!(
        one.put_agent(agent, Expected::Any, now),
        other.change("a", Wanted::Deleted, Expected::Any, now),
    );
    assert!(attached.is_ok() != deleted.is_ok(), "{attached:?} {deleted:?}");
    let refused = attached.err().or(deleted.err()).unwrap();
    assert!(matches!(refused, PolicyError::Refused(_)), "{refused}");
    plane(&store).refresh().await.expect("what is written compiles");

    // What goes together is written, one after the other.
    store.by.expected.store(2, Ordering::SeqCst);
    let said = |text: &str| Spec { description: Some(text.to_owned()), ..Spec::default() };
    let put = |plane: &Policies, name: &'static str| {
        let (plane, policy) = (plane.clone(), Document::Policy(Policy::new(name, said("new"))));
        async move { plane.change(name, Wanted::Document(Box::new(policy)), Expected::Any, now).await }
    };
    let (first, second) = tokio::join!(put(&one, "b"), put(&other, "c"));
    assert!(first.unwrap().changed && second.unwrap().changed);
}
