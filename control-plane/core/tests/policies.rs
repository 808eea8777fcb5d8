//! The policies service over stores, compilers and publishers that misbehave.
mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mesh_control_core::memory::MemoryPolicies;
use mesh_control_core::ports::{AppendError, PolicyStore, PublishError, Publisher};
use mesh_control_core::{
    Admission, Change, Decision, DryRun, Expected, Impact, Plan, Policies, PolicyError, PolicyVersion,
    Remark, SampleRequest, Timestamp, Wanted,
};
use mesh_policy::{Bounds, Bundle, Diagnostic, Document, Freeze, Policy, Settings, Spec, State};
use support::{Interrupted, Interruption};

fn policy(name: &str, description: &str) -> Policy {
    Policy::new(name, Spec { description: Some(description.to_owned()), ..Spec::default() })
}

/// Refuses documents that are described as bad, and warns of odd ones.
struct ByDescription;

impl Admission for ByDescription {
    fn check(&self, bundle: &Bundle) -> Result<Vec<Remark>, Vec<Remark>> {
        let remarks = |word: &'static str, make: fn(&'static str, &'static str) -> Diagnostic| {
            let of = move |name: &str| Remark { policy: name.to_owned(), diagnostic: make("spec", word) };
            let says = move |policy: &Policy| policy.spec.description.as_deref() == Some(word);
            bundle.policies.iter().filter(move |entry| says(&entry.policy)).map(move |entry| of(&entry.id))
        };
        let bad: Vec<_> = remarks("bad", Diagnostic::error).collect();
        let odd = remarks("odd", Diagnostic::warning);
        if bad.is_empty() { Ok(odd.collect()) } else { Err(bad.into_iter().chain(odd).collect()) }
    }

    fn dry_run(&self, _: &Bundle, _: &SampleRequest, _: Timestamp) -> Result<DryRun, Vec<Remark>> {
        Err(Vec::new())
    }

    fn impact(&self, _: &Bundle, _: &Bundle, _: &[Decision]) -> Result<Impact, Vec<Remark>> {
        Err(Vec::new())
    }
}

#[derive(Default)]
struct Collector {
    bundles: Mutex<Vec<Arc<Bundle>>>,
    broken: AtomicBool,
}

impl Collector {
    /// Names and versions of the bundle that was published last.
    fn newest(&self) -> Vec<(String, u64)> {
        let bundles = self.bundles.lock().unwrap();
        bundles.last().unwrap().policies.iter().map(|entry| (entry.id.clone(), entry.version)).collect()
    }
}

#[async_trait]
impl Publisher for Collector {
    async fn publish(&self, bundle: Arc<Bundle>) -> Result<(), PublishError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(PublishError("no network".to_owned()));
        }
        self.bundles.lock().unwrap().push(bundle);
        Ok(())
    }
}

/// Somebody else writes just before we do.
#[derive(Default)]
struct Shared {
    /// What the other one writes before our next version.
    others: Mutex<Vec<PolicyVersion>>,
}

#[async_trait]
impl Interruption for Shared {
    async fn before_append(&self, store: &MemoryPolicies) -> Result<(), AppendError> {
        let other = self.others.lock().unwrap().pop();
        if let Some(other) = other {
            store.append(store.revision().await.unwrap(), &[other]).await?;
        }
        Ok(())
    }
}

fn service(store: Arc<dyn PolicyStore>) -> (Policies, Arc<Collector>) {
    let collector = Arc::new(Collector::default());
    let publisher = Arc::clone(&collector) as Arc<dyn Publisher>;
    (Policies::new(store, Arc::new(ByDescription), publisher, Settings::default()), collector)
}

async fn put(
    policies: &Policies,
    name: &str,
    description: &str,
) -> Result<mesh_control_core::Changed, PolicyError> {
    let wanted = Wanted::Document(Box::new(Document::Policy(policy(name, description))));
    policies.change(name, wanted, Expected::Any, Timestamp::UNIX_EPOCH).await
}

fn written_elsewhere(name: &str, version: u64) -> PolicyVersion {
    PolicyVersion {
        name: name.to_owned(),
        version,
        change: Change::Created,
        at: Timestamp::UNIX_EPOCH,
        document: Some(Document::Policy(policy(name, "elsewhere"))),
    }
}

#[tokio::test]
async fn what_another_control_plane_writes_in_between_is_not_lost() {
    let store = Arc::new(Interrupted::<Shared>::default());
    let (policies, collector) = service(store.clone());
    put(&policies, "a", "1").await.unwrap();
    store.by.others.lock().unwrap().push(written_elsewhere("b", 1));
    put(&policies, "a", "2").await.unwrap();
    assert_eq!(collector.newest(), [("a".to_owned(), 2), ("b".to_owned(), 1)]);

    // The same name: ours comes after theirs.
    store.by.others.lock().unwrap().push(written_elsewhere("a", 3));
    let changed = put(&policies, "a", "3").await.unwrap();
    assert_eq!(changed.stored.version.version, 4);
    assert_eq!(collector.newest(), [("a".to_owned(), 4), ("b".to_owned(), 1)]);

    // What is compiled then is both: together they may be refused, and a freeze may have begun.
    let mut bad = written_elsewhere("c", 1);
    bad.document = Some(Document::Policy(policy("c", "bad")));
    store.by.others.lock().unwrap().push(bad);
    let error = put(&policies, "a", "4").await.unwrap_err();
    assert!(matches!(error, PolicyError::Refused(_)), "{error}");
    store.store.append(6, &[written_elsewhere("c", 2)]).await.unwrap();
    let freeze = Freeze { by: "ada".to_owned(), reason: "release".to_owned() };
    let freeze = Some(Document::State(State::Freeze(freeze)));
    let begun = PolicyVersion { document: freeze, ..written_elsewhere("mesh/freeze", 1) };
    store.by.others.lock().unwrap().push(begun);
    let error = put(&policies, "a", "4").await.unwrap_err();
    assert!(matches!(error, PolicyError::Frozen { .. }), "{error}");
    assert_eq!(store.revision().await.unwrap(), 8, "of ours nothing was written");
    policies.freeze(None, Timestamp::UNIX_EPOCH).await.unwrap();

    // Unless ours was to replace the version that was there.
    store.by.others.lock().unwrap().push(written_elsewhere("a", 5));
    let wanted = Wanted::Document(Box::new(Document::Policy(policy("a", "4"))));
    let error = policies.change("a", wanted, Expected::Version(4), Timestamp::UNIX_EPOCH).await.unwrap_err();
    assert!(matches!(error, PolicyError::Changed { in_force: Some(5), .. }), "{error}");
}

#[tokio::test]
async fn a_refresh_publishes_what_others_wrote_and_nothing_twice() {
    let store = Arc::new(MemoryPolicies::default());
    let (policies, collector) = service(store.clone());
    policies.refresh().await.unwrap();
    policies.refresh().await.unwrap();
    assert_eq!(collector.bundles.lock().unwrap().len(), 1);
    store.append(0, &[written_elsewhere("a", 1)]).await.unwrap();
    policies.refresh().await.unwrap();
    assert_eq!(collector.newest(), [("a".to_owned(), 1)]);
}

#[tokio::test]
async fn a_set_that_does_not_compile_is_neither_written_nor_published() {
    let store = Arc::new(MemoryPolicies::default());
    let (policies, collector) = service(store.clone());
    let odd = put(&policies, "a", "odd").await.unwrap();
    assert_eq!(odd.warnings.len(), 1);
    let PolicyError::Refused(said) = put(&policies, "b", "bad").await.unwrap_err() else { panic!() };
    assert_eq!(said, [Diagnostic::error("spec", "bad")], "another policy's warnings are not ours");
    assert!(put(&policies, "b", "fine").await.unwrap().warnings.is_empty());
    assert_eq!(store.revision().await.unwrap(), 2);
    assert_eq!(collector.newest(), [("a".to_owned(), 1), ("b".to_owned(), 1)]);

    // Written by a build that took it: it is named, and the last good set stays.
    let mut bad = written_elsewhere("c", 1);
    bad.document = Some(Document::Policy(policy("c", "bad")));
    store.append(2, &[bad]).await.unwrap();
    let PolicyError::Refused(said) = policies.refresh().await.unwrap_err() else { panic!() };
    assert!(said[0].path.contains("\"c\""), "{said:?}");
    assert_eq!(collector.newest().len(), 2);
    // The way out is to replace it.
    put(&policies, "c", "fine").await.unwrap();
    assert_eq!(collector.newest().len(), 3);
}

#[tokio::test]
async fn what_could_not_be_published_is_published_by_the_next_occasion() {
    let (policies, collector) = service(Arc::new(MemoryPolicies::default()));
    collector.broken.store(true, Ordering::Relaxed);
    let error = put(&policies, "a", "1").await.unwrap_err();
    assert!(matches!(error, PolicyError::Publish(_)), "{error}");
    assert!(policies.published().is_none());
    collector.broken.store(false, Ordering::Relaxed);
    let again = put(&policies, "a", "1").await.unwrap();
    assert!(!again.changed);
    assert_eq!(collector.newest(), [("a".to_owned(), 1)]);
}

#[tokio::test]
async fn documents_that_come_together_are_in_force_together_or_not_at_all() {
    let store = Arc::new(Interrupted::<Shared>::default());
    let (policies, collector) = service(store.clone());
    let together = |described: &[(&str, &str)]| {
        let document = |(name, said): &(&str, &str)| (name.to_string(), Document::Policy(policy(name, said)));
        let documents = described.iter().map(document).collect();
        let policies = policies.clone();
        async move { policies.put_all(documents, Timestamp::UNIX_EPOCH).await }
    };
    assert_eq!(together(&[("a", "1"), ("b", "1")]).await.unwrap(), ["a", "b"]);
    assert_eq!(collector.newest(), [("a".to_owned(), 1), ("b".to_owned(), 1)]);
    assert_eq!(collector.bundles.lock().unwrap().len(), 1, "they are published once");

    // What is in force already makes no version, and another one's fault is told by name.
    assert_eq!(together(&[("a", "1"), ("b", "1")]).await.unwrap(), [""; 0]);
    let refused = together(&[("a", "2"), ("c", "bad")]).await.unwrap_err();
    assert!(matches!(refused, (ref name, PolicyError::Refused(_)) if name == "c"), "{refused:?}");
    assert_eq!(policies.get("a").unwrap().version.version, 1);
    assert_eq!(collector.bundles.lock().unwrap().len(), 1);

    // Somebody else writes in between: their version stays, ours comes after it.
    store.by.others.lock().unwrap().push(written_elsewhere("a", 2));
    assert_eq!(together(&[("a", "3"), ("c", "1")]).await.unwrap(), ["a", "c"]);
    assert_eq!(collector.newest(), [("a".to_owned(), 3), ("b".to_owned(), 1), ("c".to_owned(), 1)]);
}

/// A file is what its author last said: a start puts what is new in it in force, and undoes nothing that was changed since.
#[tokio::test]
async fn a_start_undoes_nothing_that_was_changed_since() {
    let (policies, _) = service(Arc::new(Interrupted::<Shared>::default()));
    let start = |said: &str| {
        let (policies, document) = (policies.clone(), Document::Policy(policy("a", said)));
        async move { policies.put_files(vec![("a".to_owned(), document)], Timestamp::UNIX_EPOCH).await.unwrap() }
    };
    let in_force = || policies.get("a").ok().and_then(|held| held.version.policy()?.spec.description.clone());
    let now = Timestamp::UNIX_EPOCH;
    assert_eq!(start("1").await.changed, ["a"]);
    put(&policies, "a", "2").await.unwrap();
    assert!(start("1").await.changed.is_empty());
    assert_eq!(in_force().as_deref(), Some("2"), "what came over the API is newer than the file");
    assert_eq!(start("3").await.changed, ["a"]);
    policies.roll_back("a", Expected::Any, now).await.unwrap();
    assert!(start("3").await.changed.is_empty());
    assert_eq!(in_force().as_deref(), Some("2"), "a roll-back outlives a start");

    // What is forbidden now waits for the next start; the start itself goes through.
    let freeze = Freeze { by: "ada".to_owned(), reason: "release".to_owned() };
    policies.freeze(Some(freeze), now).await.unwrap();
    let given = start("4").await;
    assert!(matches!(&given.held[..], [(name, PolicyError::Frozen { .. })] if name == "a"), "{given:?}");
    assert!(start("2").await.held.is_empty(), "what is in force already is no change");
    policies.freeze(None, now).await.unwrap();
    let plan = Plan { next: Some(policy("a", "next")), steps: vec![50], bounds: Bounds::default() };
    policies.start_rollout("a", plan, 0, now).await.unwrap();
    let given = start("4").await;
    assert!(matches!(&given.held[..], [(_, PolicyError::RolloutActive { .. })]), "{given:?}");
    policies.roll_back("a", Expected::Any, now).await.unwrap();
    assert_eq!(start("4").await.changed, ["a"]);
    policies.change("a", Wanted::Deleted, Expected::Any, now).await.unwrap();
    assert!(start("4").await.changed.is_empty());
    assert_eq!(in_force(), None, "what was deleted stays deleted");
    assert_eq!(start("5").await.changed, ["a"]);
}

/// Who asked for it may be gone: what has begun is written and in force, never one without the other.
#[tokio::test]
async fn a_change_goes_on_without_its_caller() {
    let (policies, collector) = service(Arc::new(MemoryPolicies::default()));
    put(&policies, "a", "1").await.unwrap();
    // Polled once, and dropped.
    let _ = tokio::time::timeout(std::time::Duration::ZERO, put(&policies, "a", "2")).await;
    // It is compiled on another thread, which may have to wait for a processor.
    for _ in 0..2_000 {
        if collector.newest() == [("a".to_owned(), 2)] {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the change was not put in force: {:?}", collector.newest());
}
