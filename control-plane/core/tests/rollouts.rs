//! Rollouts, also by two control planes on one store: whichever is asked, the rollout is the same, and only one of them moves it.
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use mesh_audit::v1::{DecisionRecord, PolicyRef, Violation};
use mesh_control_core::memory::MemoryPolicies;
use mesh_control_core::ports::{PolicyStore, StoreError};
use mesh_control_core::{
    Batch, DecisionFilter, Decisions, EngineAdmission, Expected, Plan, Policies, PolicyError, RolloutWatch,
    Timestamp, Wanted,
};
use mesh_policy::{Bounds, Document, End, Freeze, Policy, Settings, Spec, Stage, shadow_id};

use crate::support::{BeforeList, Nobody, Watched};

fn plane(store: &Arc<MemoryPolicies>) -> Policies {
    let store = Arc::clone(store);
    Policies::new(store, Arc::new(EngineAdmission::default()), Arc::new(Nobody), Settings::default())
}

fn policy(description: &str) -> Policy {
    named("a", description)
}

fn named(name: &str, description: &str) -> Policy {
    Policy::new(name, Spec { description: Some(description.to_owned()), ..Spec::default() })
}

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn plan() -> Plan {
    Plan { next: Some(policy("second")), steps: vec![10], bounds: Bounds::default() }
}

#[tokio::test]
async fn planes_on_one_store_agree() {
    let store = Arc::new(MemoryPolicies::default());
    let (one, other) = (plane(&store), plane(&store));
    let wanted = Wanted::Document(Box::new(Document::Policy(policy("first"))));
    one.change("a", wanted, Expected::Any, now()).await.unwrap();
    one.start_rollout("a", plan(), 5, now()).await.unwrap();
    let refused = other.start_rollout("a", plan(), 5, now()).await;
    assert!(matches!(refused, Err(PolicyError::RolloutActive { version: 2, .. })));

    other.promote_rollout("a", 6, now()).await.unwrap();
    one.refresh().await.unwrap();
    assert_eq!(one.rollout("a").unwrap().stage, Stage::Share(10));
    // Each sidecar runs the same version, whichever plane it asks.
    let (ours, theirs) = (one.published().unwrap(), other.published().unwrap());
    assert_eq!(ours.rollouts, theirs.rollouts);
    for sidecar in ["edge-1", "edge-2", "edge-3"] {
        assert_eq!((*ours).clone().for_sidecar(sidecar), (*theirs).clone().for_sidecar(sidecar));
    }
    // Both are asked at once: one of them goes a step, and the other is told.
    let (first, second) =
        tokio::join!(one.promote_rollout("a", 7, now()), other.promote_rollout("a", 7, now()));
    assert!(first.is_ok() != second.is_ok() || first.is_ok(), "{first:?} {second:?}");
    one.refresh().await.unwrap();
    other.refresh().await.unwrap();
    assert_eq!(
        (one.rollout("a").unwrap().end, other.rollout("a").unwrap().end),
        (Some(End::Done), Some(End::Done))
    );
    assert_eq!(one.get("a").unwrap(), other.get("a").unwrap());
    assert_eq!(one.versions("a").await.unwrap().len(), 2, "the next version was written once");

    one.freeze(Some(Freeze { by: "ada".into(), reason: "release".into() }), now()).await.unwrap();
    let frozen = other.start_rollout("a", plan(), 8, now()).await;
    assert!(matches!(frozen, Err(PolicyError::Frozen { .. })), "{frozen:?}");
    // A plane that starts anew knows it all from the store.
    let third = plane(&store);
    third.refresh().await.unwrap();
    assert_eq!(third.frozen().unwrap().by, "ada");
    assert_eq!(third.rollout("a").unwrap().end, Some(End::Done));
}

/// What it was based on changes while it waits for its turn.
#[tokio::test]
async fn a_rollout_begins_on_what_is_in_force_or_not_at_all() {
    let store = Arc::new(MemoryPolicies::default());
    let policies = plane(&store);
    let put = |description: &'static str| {
        let (policies, wanted) = (policies.clone(), Document::Policy(policy(description)));
        async move { policies.change("a", Wanted::Document(Box::new(wanted)), Expected::Any, now()).await }
    };
    for attempt in 0..20 {
        put("first").await.unwrap();
        // Those who wait for a turn get it in the order in which they came.
        let (_, started, _) =
            tokio::join!(put("other"), policies.start_rollout("a", plan(), 5, now()), put("another"));
        let held = policies.get("a").unwrap().version.version;
        match started {
            Ok(rollout) => {
                assert_eq!(rollout.present, held, "attempt {attempt}");
                policies.end_rollout("a", End::Aborted, "done".into(), now()).await.unwrap();
            }
            Err(error) => assert!(matches!(error, PolicyError::NotNow(_)), "{error}"),
        }
    }
}

/// The next version and the end of its rollout are one: whoever reads the store in between finds both or neither, whoever asked for it
/// may be gone, and somebody who pauses it at that moment is in time or is told.
#[tokio::test]
async fn the_last_step_is_one() {
    let store = Arc::new(MemoryPolicies::default());
    let policies = plane(&store);
    let wanted = Wanted::Document(Box::new(Document::Policy(policy("first"))));
    policies.change("a", wanted, Expected::Any, now()).await.unwrap();
    let at_once = Plan { steps: Vec::new(), ..plan() };
    policies.start_rollout("a", at_once.clone(), 5, now()).await.unwrap();
    let before = store.revision().await.unwrap();
    // Its caller leaves at any moment.
    for polls in 0..100 {
        let mut promotion = std::pin::pin!(policies.promote_rollout("a", 6, now()));
        for _ in 0..polls {
            if polled(promotion.as_mut()).await {
                break;
            }
        }
        tokio::task::yield_now().await;
        let revision = store.revision().await.unwrap();
        assert!(revision == before || revision == before + 2, "after {polls} polls: {revision}");
        if revision > before {
            break;
        }
    }
    policies.refresh().await.unwrap();
    let (rollout, held) = (policies.rollout("a").unwrap(), policies.get("a").unwrap().version);
    assert_eq!((rollout.end, rollout.version), (Some(End::Done), held.version));

    // The next version says what the present one says: it is written all the same, under its number.
    let same = Plan { next: Some(policy("second")), ..at_once };
    let started = policies.start_rollout("a", same, 5, now()).await.unwrap();
    policies.promote_rollout("a", 6, now()).await.unwrap();
    assert_eq!(policies.get("a").unwrap().version.version, started.version);
}

/// A person who is quick: between a look at the rollouts and what comes of it, the next version is given up and another begun.
struct Quick {
    policies: Policies,
    done: AtomicBool,
}

#[async_trait]
impl BeforeList for Quick {
    async fn before_list(&self, _filter: &DecisionFilter) -> Result<(), StoreError> {
        if !self.done.swap(true, Ordering::Relaxed) {
            self.policies.end_rollout("a", End::Aborted, "aborted".into(), now()).await.unwrap();
            self.policies.start_rollout("a", plan(), 1, now()).await.unwrap();
        }
        Ok(())
    }
}

/// A database that fails once.
#[derive(Default)]
struct FailsOnce(AtomicBool);

#[async_trait]
impl BeforeList for FailsOnce {
    async fn before_list(&self, _filter: &DecisionFilter) -> Result<(), StoreError> {
        if self.0.swap(true, Ordering::Relaxed) { Ok(()) } else { Err(StoreError::new("broken")) }
    }
}

/// Policies with a rollout of version 2 each, to which a request has objected: more than its bounds allow.
async fn over_their_bounds(names: &[&str]) -> Policies {
    let policies = plane(&Arc::default());
    for name in names {
        let wanted = Wanted::Document(Box::new(Document::Policy(named(name, "first"))));
        policies.change(name, wanted, Expected::Any, now()).await.unwrap();
        let bounds = Bounds { sample: 1, ..Bounds::default() };
        let plan = Plan { next: Some(named(name, "second")), steps: vec![10], bounds };
        policies.start_rollout(name, plan, 0, now()).await.unwrap();
    }
    policies
}

/// A watch over decisions in which the second version of each policy objected to a request.
async fn watch<T: BeforeList + 'static>(policies: &Policies, names: &[&str], by: T) -> RolloutWatch {
    let decisions = Decisions::new(Arc::new(Watched { store: Default::default(), by }));
    let records = names.iter().map(|name| {
        let id = shadow_id(name, 2);
        let said = Violation { policy_id: id.clone(), effect: "recorded".to_owned(), ..Violation::default() };
        DecisionRecord {
            policies: vec![PolicyRef { id, version: 2 }],
            violations: vec![said],
            ..DecisionRecord::default()
        }
    });
    let records = records.collect();
    let batch = Batch { sidecar: "edge".into(), vm: "v".into(), first_sequence: 1, records, dropped: 0 };
    decisions.report(&batch, now()).await.unwrap();
    RolloutWatch::new(policies.clone(), decisions)
}

#[tokio::test]
async fn what_was_counted_of_one_rollout_ends_no_other() {
    let policies = over_their_bounds(&["a"]).await;
    let quick = Quick { policies: policies.clone(), done: AtomicBool::new(false) };
    watch(&policies, &["a"], quick).await.look(now()).await.unwrap();
    let rollout = policies.rollout("a").unwrap();
    assert_eq!((rollout.version, rollout.end, rollout.note), (3, None, None));
}

#[tokio::test]
async fn a_rollout_that_can_not_be_looked_at_hides_no_other() {
    let policies = over_their_bounds(&["a", "b"]).await;
    let watch = watch(&policies, &["a", "b"], FailsOnce::default()).await;
    let error = watch.look(now()).await.unwrap_err();
    assert_eq!(error.to_string(), "broken");
    let end = |name: &str| policies.rollout(name).unwrap().end;
    assert_eq!((end("a"), end("b")), (None, Some(End::RolledBack)));
    watch.look(now()).await.unwrap();
    assert_eq!(end("a"), Some(End::RolledBack));
}

/// Polls once; whether it is done.
async fn polled<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_ready())).await
}
