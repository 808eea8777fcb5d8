//! What was decided about policies outlives the control plane: each scenario is played on a database, and between its steps the control
//! plane ends without a word, and another begins on what is written.
use std::sync::{Arc, Mutex};

use mesh_control_core::ports::{PublishError, Publisher};
use mesh_control_core::{Changed, EngineAdmission, Expected, Plan, Policies, PolicyError, Timestamp, Wanted};
use mesh_control_store::{Location, open};
use mesh_policy::{
    Agent, AgentSpec, Attachment, Bounds, Bundle, Document, End, Enforcement, Freeze, Policy, Settings, Spec,
    Stage,
};

use crate::support::postgres_database;

/// What sidecars were told last.
#[derive(Default)]
struct Told(Mutex<Option<Arc<Bundle>>>);

#[async_trait::async_trait]
impl Publisher for Told {
    async fn publish(&self, bundle: Arc<Bundle>) -> Result<(), PublishError> {
        *self.0.lock().unwrap() = Some(bundle);
        Ok(())
    }
}

/// A control plane on the database, and what it tells sidecars.
struct Plane {
    policies: Policies,
    told: Arc<Told>,
}

impl Plane {
    async fn start(location: &Location) -> Self {
        let stores = open(location).await.unwrap();
        let told = Arc::new(Told::default());
        let publisher = Arc::clone(&told) as Arc<dyn Publisher>;
        let admission = Arc::new(EngineAdmission::default());
        let policies = Policies::new(stores.policies, admission, publisher, Settings::default());
        policies.refresh().await.unwrap();
        Plane { policies, told }
    }

    async fn put(&self, description: &str) -> Result<Changed, PolicyError> {
        let wanted = Wanted::Document(Box::new(Document::Policy(policy(description))));
        self.policies.change("a", wanted, Expected::Any, now()).await
    }

    /// Version and description of what a sidecar runs of the policy.
    fn runs(&self, sidecar: &str) -> (u64, String) {
        let told = self.told.0.lock().unwrap().clone().expect("something is published");
        let bundle = (*told).clone().for_sidecar(sidecar);
        let own = bundle.policies.iter().find(|entry| entry.id == "a").expect("the policy is there");
        (own.version, own.policy.spec.description.clone().unwrap_or_default())
    }

    /// How many of a hundred sidecars run this version.
    fn share(&self, version: u64) -> usize {
        (0..100).filter(|number| self.runs(&format!("edge-{number}")).0 == version).count()
    }
}

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn policy(description: &str) -> Policy {
    Policy::new("a", Spec { description: Some(description.to_owned()), ..Spec::default() })
}

fn plan(steps: &[u8]) -> Plan {
    Plan { next: Some(policy("second")), steps: steps.to_vec(), bounds: Bounds::default() }
}

async fn a_rollout_goes_on_where_it_was(at: Location) {
    let plane = Plane::start(&at).await;
    plane.put("first").await.unwrap();
    plane.policies.start_rollout("a", plan(&[20, 60]), 5, now()).await.unwrap();
    plane.policies.promote_rollout("a", 6, now()).await.unwrap();
    let before: Vec<_> = (0..100).map(|number| plane.runs(&format!("edge-{number}")).0).collect();
    drop(plane);

    let plane = Plane::start(&at).await;
    assert_eq!(plane.policies.rollout("a").unwrap().stage, Stage::Share(20));
    let after: Vec<_> = (0..100).map(|number| plane.runs(&format!("edge-{number}")).0).collect();
    assert_eq!(before, after, "each sidecar runs what it ran");
    plane.policies.pause_rollout("a", now()).await.unwrap();
    drop(plane);

    let plane = Plane::start(&at).await;
    assert!(plane.policies.rollout("a").unwrap().paused);
    let refused = plane.policies.promote_rollout("a", 7, now()).await;
    assert!(matches!(refused, Err(PolicyError::NotNow(_))), "{refused:?}");
    plane.policies.resume_rollout("a", now()).await.unwrap();
    let small = plane.share(2);
    plane.policies.promote_rollout("a", 7, now()).await.unwrap();
    assert!(small > 0 && small < plane.share(2) && plane.share(2) < 100, "{small} {}", plane.share(2));
    drop(plane);

    let plane = Plane::start(&at).await;
    plane.policies.promote_rollout("a", 8, now()).await.unwrap();
    assert_eq!(plane.share(2), 100);
    drop(plane);

    let plane = Plane::start(&at).await;
    assert_eq!(plane.policies.rollout("a").unwrap().end, Some(End::Done));
    assert_eq!(plane.runs("edge-1"), (2, "second".to_owned()));
}

async fn what_was_taken_back_stays_back(at: Location) {
    let plane = Plane::start(&at).await;
    plane.put("first").await.unwrap();
    plane.policies.start_rollout("a", plan(&[50]), 5, now()).await.unwrap();
    plane.policies.promote_rollout("a", 6, now()).await.unwrap();
    assert!(plane.share(2) > 0);
    plane.policies.end_rollout("a", End::RolledBack, "too many refusals".to_owned(), now()).await.unwrap();
    drop(plane);

    let plane = Plane::start(&at).await;
    let rollout = plane.policies.rollout("a").unwrap();
    assert_eq!((rollout.end, rollout.note.as_deref()), (Some(End::RolledBack), Some("too many refusals")));
    assert_eq!((plane.share(1), plane.share(2)), (100, 0));
    let none = plane.policies.promote_rollout("a", 7, now()).await;
    assert!(matches!(none, Err(PolicyError::NoRollout { .. })), "{none:?}");
}

async fn the_last_known_good_version_is_known(at: Location) {
    let plane = Plane::start(&at).await;
    for description in ["first", "second", "third"] {
        plane.put(description).await.unwrap();
    }
    let back = plane.policies.roll_back("a", Expected::Any, now()).await.unwrap();
    assert_eq!(back.stored.version.version, 4);
    drop(plane);

    let plane = Plane::start(&at).await;
    assert_eq!(plane.runs("edge-1"), (4, "second".to_owned()));
    // The third was rolled back from: it is not good.
    assert_eq!(plane.policies.last_known_good("a").await.unwrap(), Some(1));
    plane.policies.roll_back("a", Expected::Any, now()).await.unwrap();
    drop(plane);

    let plane = Plane::start(&at).await;
    assert_eq!(plane.runs("edge-1"), (5, "first".to_owned()));
}

async fn a_freeze_holds_until_it_is_lifted(at: Location) {
    let plane = Plane::start(&at).await;
    plane.put("first").await.unwrap();
    plane.put("second").await.unwrap();
    let freeze = Freeze { by: "ada".to_owned(), reason: "release".to_owned() };
    plane.policies.freeze(Some(freeze.clone()), now()).await.unwrap();
    drop(plane);

    let plane = Plane::start(&at).await;
    assert_eq!(plane.policies.frozen(), Some(freeze));
    let refused = plane.put("third").await;
    assert!(matches!(refused, Err(PolicyError::Frozen { .. })), "{refused:?}");
    let documents = vec![("a".to_owned(), Document::Policy(policy("third")))];
    let refused = plane.policies.put_all(documents, now()).await;
    assert!(matches!(refused, Err((ref name, PolicyError::Frozen { .. })) if name == "a"), "{refused:?}");
    // A restart with the files that are in force already is no change, and the way back is open.
    let same = vec![("a".to_owned(), Document::Policy(policy("second")))];
    assert_eq!(plane.policies.put_all(same, now()).await.unwrap(), [""; 0]);
    plane.policies.roll_back("a", Expected::Any, now()).await.unwrap();
    drop(plane);

    let plane = Plane::start(&at).await;
    assert_eq!(plane.runs("edge-1"), (3, "first".to_owned()));
    plane.policies.freeze(None, now()).await.unwrap();
    drop(plane);

    let plane = Plane::start(&at).await;
    assert_eq!(plane.policies.frozen(), None);
    plane.put("third").await.unwrap();
}

async fn drafts_and_what_agents_are_attached_to_are_there_again(at: Location) {
    let attached = |version| {
        let attachment =
            Attachment { policy: "a".to_owned(), version, enforcement: Some(Enforcement::Logging) };
        Agent::new("support-1", AgentSpec { policies: vec![attachment], ..AgentSpec::default() })
    };
    let plane = Plane::start(&at).await;
    plane.put("first").await.unwrap();
    plane.put("second").await.unwrap();
    plane.policies.put_draft(policy("third"), now()).await.unwrap();
    plane.policies.put_agent(attached(Some(1)), Expected::Absent, now()).await.unwrap();
    let missing = plane.policies.put_agent(attached(Some(9)), Expected::Any, now()).await;
    assert!(matches!(missing, Err(PolicyError::Refused(_))), "{missing:?}");
    drop(plane);

    let plane = Plane::start(&at).await;
    assert_eq!(plane.policies.draft("a").unwrap(), policy("third"));
    let told = plane.told.0.lock().unwrap().clone().unwrap();
    let pinned: Vec<_> = told.pinned.iter().map(|entry| (entry.id.as_str(), entry.version)).collect();
    assert_eq!(pinned, [("a", 1)]);
    assert_eq!(told.agents[0].policies, attached(Some(1)).spec.policies);
    let deleted = plane.policies.change("a", Wanted::Deleted, Expected::Any, now()).await;
    let Err(PolicyError::Refused(said)) = deleted else { panic!("{deleted:?}") };
    assert!(said[0].to_string().contains("attached to \"a\" (version 1)"), "{said:?}");
    plane.policies.put_agent(attached(None), Expected::Any, now()).await.unwrap();
    drop(plane);

    // Somebody is attached to what is in force: it cannot go without them.
    let plane = Plane::start(&at).await;
    let deleted = plane.policies.change("a", Wanted::Deleted, Expected::Any, now()).await;
    assert!(matches!(deleted, Err(PolicyError::Refused(_))), "{deleted:?}");
    plane.policies.delete_agent("support-1", Expected::Any, now()).await.unwrap();
    plane.policies.change("a", Wanted::Deleted, Expected::Any, now()).await.unwrap();
    drop(plane);
    Plane::start(&at).await;
}

macro_rules! stamp {
    ($($scenario:ident),+ $(,)?) => {
        mod sqlite { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                let folder = tempfile::tempdir().unwrap();
                super::$scenario(Location::Sqlite(folder.path().join("mesh.db"))).await;
            }
        )+ }
        mod postgres { use super::*; $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                super::$scenario(Location::Postgres(postgres_database().await)).await;
            }
        )+ }
    };
}

stamp!(
    a_rollout_goes_on_where_it_was,
    what_was_taken_back_stays_back,
    the_last_known_good_version_is_known,
    a_freeze_holds_until_it_is_lifted,
    drafts_and_what_agents_are_attached_to_are_there_again,
);
