//! The policies service: every change to a policy goes through here.
//!
//! Changes are made one at a time: take the set in force, put the change in, compile the whole, write the version, publish.
//! A change that does not compile leaves no trace. What another control plane has written in between is compiled with it before
//! it is written: what is in force together was checked together. A version that was written but could not be published (the process ended in
//! between, or the publisher failed) is published by the next change, refresh or start: the bundle is always made from what
//! is written.
mod batch;
mod files;

pub use files::FromFiles;

use std::sync::Arc;

use jiff::Timestamp;
use mesh_policy::{Bundle, Diagnostic, Document, Policy, Rollout, Settings, Severity, State, policy_of};

use crate::admission::{Admission, Remark};
use crate::agents::settled;
use crate::decision::Decision;
use crate::impact::Impact;
use crate::policy::{Change, Expected, PolicyVersion, Stored, rollout_key};
use crate::policy_error::PolicyError;
use crate::ports::{AppendError, PolicyStore, Publisher, StoreError};
use crate::rollouts::moved;
use crate::sample::{DryRun, SampleRequest};
use crate::set::PolicySet;

/// A change that was made, or was not necessary.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The version in force now (for a deletion: the deletion).
    pub stored: Stored,
    /// What the compiler remarked.
    pub warnings: Vec<Diagnostic>,
    /// False when the document was in force already, word for word: no version was made.
    pub changed: bool,
}

/// What is wanted of a policy.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// This document.
    Document(Box<Document>),
    /// The document of this earlier version.
    Version(u64),
    /// The document that this rollout brings to its end, under the number it had all along; the rollout is kept with it.
    Candidate(Box<Rollout>),
    /// That it is no longer in force.
    Deleted,
}

impl Wanted {
    /// The same, of what is held now.
    fn settled(self, held: Option<&Stored>) -> Self {
        match self {
            Wanted::Document(document) => Wanted::Document(Box::new(settled(&document, held))),
            other => other,
        }
    }
}

/// The policies service.
#[derive(Clone)]
pub struct Policies {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn PolicyStore>,
    admission: Arc<dyn Admission>,
    publisher: Arc<dyn Publisher>,
    settings: Settings,
    set: arc_swap::ArcSwap<PolicySet>,
    published: arc_swap::ArcSwapOption<Bundle>,
    /// Held by the one who changes and publishes.
    turn: tokio::sync::Mutex<()>,
}

/// How often a change is tried again when another control plane on the same database was quicker.
const ATTEMPTS: usize = 16;

impl Policies {
    /// A service over a store. Publishes nothing yet: [`Policies::refresh`] does.
    pub fn new(
        store: Arc<dyn PolicyStore>,
        admission: Arc<dyn Admission>,
        publisher: Arc<dyn Publisher>,
        settings: Settings,
    ) -> Self {
        Policies {
            inner: Arc::new(Inner {
                store,
                admission,
                publisher,
                settings,
                set: arc_swap::ArcSwap::default(),
                published: arc_swap::ArcSwapOption::empty(),
                turn: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// Reads the store and publishes what is in force there, unless that is published already.
    pub async fn refresh(&self) -> Result<(), PolicyError> {
        let _turn = self.inner.turn.lock().await;
        let set = self.current().await?;
        self.publish(Arc::new(set.bundle(&self.inner.settings)), Proven::No).await
    }

    /// Reads the store, where another control plane has changed it: whoever looks something up before changing it finds it.
    pub async fn look(&self) -> Result<(), PolicyError> {
        let _turn = self.inner.turn.lock().await;
        self.current().await.map(drop)
    }

    /// Whether the store, when it was last read, had never held a policy: not even one that is deleted.
    pub fn untouched(&self) -> bool {
        self.inner.set.load().revision() == 0
    }

    /// The policies in force, in order of name.
    pub fn list(&self) -> Vec<Stored> {
        self.set().policies().cloned().collect()
    }

    /// The policy in force under this name.
    pub fn get(&self, name: &str) -> Result<Stored, PolicyError> {
        let held = self.set().get(name).filter(|held| held.version.is_policy()).cloned();
        held.ok_or_else(|| PolicyError::Unknown { name: name.to_owned() })
    }

    /// Every version of a policy, newest first; also of one that is deleted.
    pub async fn versions(&self, name: &str) -> Result<Vec<Stored>, PolicyError> {
        let mut versions = self.inner.store.versions(name).await?;
        versions.retain(|stored| stored.version.is_policy());
        if versions.is_empty() { Err(PolicyError::Unknown { name: name.to_owned() }) } else { Ok(versions) }
    }

    /// One version of a policy.
    pub async fn version(&self, name: &str, version: u64) -> Result<Stored, PolicyError> {
        let found = self.inner.store.version(name, version).await?;
        let found = found.filter(|stored| stored.version.is_policy());
        found.ok_or_else(|| PolicyError::NoVersion { name: name.to_owned(), version })
    }

    /// The document that judged as `version` of what records call `id`: a version that was in force, or one that a rollout
    /// tried. None when it is not known (any more).
    pub async fn judged_by(&self, id: &str, version: u64) -> Option<Policy> {
        let name = policy_of(id);
        if let Ok(stored) = self.version(name, version).await {
            return stored.version.policy().cloned();
        }
        let rollouts = self.inner.store.versions(&rollout_key(name)).await.unwrap_or_default();
        rollouts.into_iter().find_map(|stored| match stored.version.document {
            Some(Document::State(State::Rollout(rollout))) if rollout.version == version => {
                Some(rollout.next)
            }
            _ => None,
        })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// What is in force, as it was last read.
    pub(crate) fn set(&self) -> Arc<PolicySet> {
        self.inner.set.load_full()
    }

    /// Makes `name` what is `wanted`, if it is what the caller `expected`. A caller that gives up does not stop it half-way: what is
    /// written is put in force.
    pub async fn change(
        &self,
        name: &str,
        wanted: Wanted,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Changed, PolicyError> {
        let (this, name) = (self.clone(), name.to_owned());
        let task = async move { this.change_in_turn(&name, wanted, expected, now).await };
        tokio::spawn(task).await.map_err(|_| PolicyError::Compiler)?
    }

    async fn change_in_turn(
        &self,
        name: &str,
        wanted: Wanted,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Changed, PolicyError> {
        let _turn = self.inner.turn.lock().await;
        for _ in 0..ATTEMPTS {
            let set = self.current().await?;
            let wanted = wanted.clone().settled(set.get(name));
            self.admits(&set, name, &wanted).await?;
            check_expected(name, expected, set.get(name).map(|held| held.version.version))?;
            let (change, document) = self.resolve(name, &wanted, &set).await?;
            if let (Some(document), Some(held)) = (&document, set.get(name))
                && !matches!(wanted, Wanted::Candidate(_))
                && held.version.document.as_ref() == Some(document)
            {
                let bundle = Arc::new(set.bundle(&self.inner.settings));
                let warnings = self.check(&bundle, Some(name)).await?;
                self.publish(bundle, Proven::Yes).await?;
                return Ok(Changed { stored: held.clone(), warnings, changed: false });
            }
            let of = |name: String, version, change, document| PolicyVersion {
                name,
                version,
                change,
                at: now,
                document,
            };
            let versions = match &wanted {
                Wanted::Candidate(rollout) => {
                    let (key, end) = (rollout_key(name), Document::State(State::Rollout(rollout.clone())));
                    let number = set.next_version(&key);
                    vec![
                        of(name.to_owned(), rollout.version, change, document),
                        of(key, number, Change::Updated, Some(end)),
                    ]
                }
                _ => vec![of(name.to_owned(), set.next_version(name), change, document)],
            };
            let candidate = self.candidate(&set, &versions).await?;
            let warnings = self.check(&candidate.bundle, Some(name)).await?;
            if let Some(written) = self.write(&set, candidate, &versions).await? {
                let stored = written.into_iter().next();
                let stored = stored.ok_or_else(|| StoreError::new("the store wrote nothing"))?;
                return Ok(Changed { stored, warnings, changed: true });
            }
        }
        Err(outrun())
    }

    /// What the compiler says about the set in force with this document in it. Changes nothing.
    pub async fn validate(&self, policy: &Policy) -> Result<Vec<Diagnostic>, PolicyError> {
        let set = self.inner.set.load_full();
        let bundle = set.with(provisional(&set, policy)).bundle(&self.inner.settings);
        self.check(&Arc::new(bundle), Some(&policy.metadata.name)).await
    }

    /// Decides a sample request under the set in force, with `candidate` in it when there is one. Changes nothing.
    pub async fn dry_run(
        &self,
        candidate: Option<&Policy>,
        sample: SampleRequest,
        now: Timestamp,
    ) -> Result<DryRun, PolicyError> {
        let set = self.inner.set.load_full();
        let bundle = match candidate {
            Some(policy) => set.with(provisional(&set, policy)).bundle(&self.inner.settings),
            None => set.bundle(&self.inner.settings),
        };
        self.decide(bundle, candidate.map(|policy| policy.metadata.name.as_str()), sample, now).await
    }

    /// What `policy`, put among those in force, would have done to requests that were decided already. Changes nothing.
    pub async fn impact(&self, policy: &Policy, decisions: Vec<Decision>) -> Result<Impact, PolicyError> {
        let set = self.set();
        let before = set.bundle(&self.inner.settings);
        let after = set.with(provisional(&set, policy)).bundle(&self.inner.settings);
        let admission = Arc::clone(&self.inner.admission);
        let judged = tokio::task::spawn_blocking(move || admission.impact(&before, &after, &decisions)).await;
        let reader = Some(policy.metadata.name.as_str());
        judged.map_err(|_| PolicyError::Compiler)?.map_err(|remarks| refused(remarks, reader))
    }

    /// Decides a sample request under one policy alone. Changes nothing.
    pub async fn evaluate(
        &self,
        name: &str,
        sample: SampleRequest,
        now: Timestamp,
    ) -> Result<DryRun, PolicyError> {
        let alone = PolicySet::default().with(self.get(name)?);
        self.decide(alone.bundle(&self.inner.settings), Some(name), sample, now).await
    }

    /// The bundle that the sidecars were given last; none before the first.
    pub fn published(&self) -> Option<Arc<Bundle>> {
        self.inner.published.load_full()
    }

    /// Whether the store answers, and keeps what is written.
    pub async fn store_works(&self) -> Result<(), StoreError> {
        self.inner.store.revision().await?;
        self.inner.store.writes().await
    }

    /// The set as the store has it, read again only when another control plane has changed it.
    async fn current(&self) -> Result<Arc<PolicySet>, PolicyError> {
        let held = self.inner.set.load_full();
        let revision = self.inner.store.revision().await?;
        if revision == held.revision() {
            return Ok(held);
        }
        let newest = self.inner.store.newest().await?;
        let read = self.pinned(PolicySet::from_newest(revision, newest)).await?;
        let read = Arc::new(read);
        self.inner.set.store(Arc::clone(&read));
        Ok(read)
    }

    /// The set with these versions in it, under the revisions that they get if the store leaves none out.
    async fn candidate(&self, set: &PolicySet, versions: &[PolicyVersion]) -> Result<Candidate, PolicyError> {
        let revisions = set.revision() + 1..;
        let stored =
            revisions.zip(versions).map(|(revision, version)| Stored { revision, version: version.clone() });
        let set = self.pinned(set.with_all(stored)).await?;
        let bundle = Arc::new(set.bundle(&self.inner.settings));
        Ok(Candidate { set, bundle })
    }

    /// Writes versions that were compiled with `set`, and puts them in force; none when another control plane has written since.
    async fn write(
        &self,
        set: &PolicySet,
        candidate: Candidate,
        versions: &[PolicyVersion],
    ) -> Result<Option<Vec<Stored>>, PolicyError> {
        match self.inner.store.append(set.revision(), versions).await {
            Ok(written) => {
                self.put_in_force(candidate, &written).await?;
                Ok(Some(written))
            }
            Err(AppendError::Taken { .. } | AppendError::Behind { .. }) => Ok(None),
            Err(AppendError::Store(error)) => Err(error.into()),
        }
    }

    /// Publishes the set whose versions have just been written.
    async fn put_in_force(&self, candidate: Candidate, written: &[Stored]) -> Result<(), PolicyError> {
        let Candidate { mut set, mut bundle } = candidate;
        if written.last().is_some_and(|newest| newest.revision != set.revision()) {
            // The database has left numbers out. Nobody has written in between: what was compiled is all there is.
            set = set.with_all(written.iter().cloned());
            bundle = Arc::new(set.bundle(&self.inner.settings));
        }
        self.inner.set.store(Arc::new(set));
        self.publish(bundle, Proven::Yes).await
    }

    /// The set with the earlier versions that agents are attached to. What is not there any more is found by the compiler.
    async fn pinned(&self, mut set: PolicySet) -> Result<PolicySet, PolicyError> {
        for (name, version) in set.unpinned() {
            if let Some(stored) = self.inner.store.version(&name, version).await?
                && let Some(policy) = stored.version.policy()
            {
                set.pin(name, version, policy.clone());
            }
        }
        Ok(set)
    }

    async fn resolve(
        &self,
        name: &str,
        wanted: &Wanted,
        set: &PolicySet,
    ) -> Result<(Change, Option<Document>), PolicyError> {
        let in_force = set.get(name).is_some();
        match wanted {
            Wanted::Document(document) => {
                let change = if in_force { Change::Updated } else { Change::Created };
                Ok((change, Some((**document).clone())))
            }
            Wanted::Candidate(rollout) => match set.active_rollout(name) {
                // Somebody may have paused it meanwhile, or started another.
                Some(active)
                    if !active.paused && active.version == rollout.version && active.steps.is_empty() =>
                {
                    Ok((Change::Updated, Some(Document::Policy(rollout.next.clone()))))
                }
                _ => Err(moved(name)),
            },
            Wanted::Deleted if in_force => match set.attachments(name) {
                said if said.is_empty() => Ok((Change::Deleted, None)),
                said => Err(PolicyError::Refused(said)),
            },
            Wanted::Deleted => Err(PolicyError::Unknown { name: name.to_owned() }),
            Wanted::Version(version) => match self.version(name, *version).await {
                Ok(Stored { version: PolicyVersion { document: Some(document), .. }, .. }) => {
                    Ok((Change::RolledBack, Some(document)))
                }
                Ok(_) => Err(PolicyError::NoDocument { name: name.to_owned(), version: *version }),
                Err(PolicyError::NoVersion { .. }) if set.next_version(name) == 1 => {
                    Err(PolicyError::Unknown { name: name.to_owned() })
                }
                Err(error) => Err(error),
            },
        }
    }

    /// Compiles the bundle for a reader who looks at policy `reader`: they get its warnings, and everybody's errors.
    async fn check(
        &self,
        bundle: &Arc<Bundle>,
        reader: Option<&str>,
    ) -> Result<Vec<Diagnostic>, PolicyError> {
        let remarks = self.remarks(bundle).await?.map_err(|remarks| refused(remarks, reader))?;
        Ok(of_interest(remarks, reader))
    }

    /// What the compiler says: the warnings, or what is wrong.
    async fn remarks(&self, bundle: &Arc<Bundle>) -> Result<Result<Vec<Remark>, Vec<Remark>>, PolicyError> {
        let (admission, bundle) = (Arc::clone(&self.inner.admission), Arc::clone(bundle));
        let checked = tokio::task::spawn_blocking(move || admission.check(&bundle)).await;
        checked.map_err(|_| PolicyError::Compiler)
    }

    async fn decide(
        &self,
        bundle: Bundle,
        reader: Option<&str>,
        sample: SampleRequest,
        now: Timestamp,
    ) -> Result<DryRun, PolicyError> {
        let admission = Arc::clone(&self.inner.admission);
        let decided = tokio::task::spawn_blocking(move || admission.dry_run(&bundle, &sample, now)).await;
        decided.map_err(|_| PolicyError::Compiler)?.map_err(|remarks| refused(remarks, reader))
    }

    /// Publishes the bundle unless it is out already. Only called by the holder of the turn.
    async fn publish(&self, bundle: Arc<Bundle>, proven: Proven) -> Result<(), PolicyError> {
        if self.published().is_some_and(|published| *published == *bundle) {
            return Ok(());
        }
        if proven == Proven::No {
            self.check(&bundle, None).await?;
        }
        self.inner.publisher.publish(Arc::clone(&bundle)).await?;
        tracing::info!(version = %bundle.version, policies = bundle.policies.len(), "published");
        self.inner.published.store(Some(bundle));
        Ok(())
    }
}

/// A set that is to be written, and what sidecars would be told.
struct Candidate {
    set: PolicySet,
    bundle: Arc<Bundle>,
}

/// Whether the set has just been compiled.
#[derive(PartialEq)]
enum Proven {
    Yes,
    No,
}

/// Others were quicker at every attempt.
fn outrun() -> PolicyError {
    PolicyError::Store(StoreError::new("other control planes keep changing the policies: try again"))
}

/// Whether the caller's belief about the version in force is right.
pub(crate) fn check_expected(
    name: &str,
    expected: Expected,
    in_force: Option<u64>,
) -> Result<(), PolicyError> {
    match (expected, in_force) {
        (expected, in_force) if expected.holds(in_force) => Ok(()),
        (Expected::Absent, Some(version)) => Err(PolicyError::Exists { name: name.to_owned(), version }),
        (_, in_force) => Err(PolicyError::Changed { name: name.to_owned(), in_force }),
    }
}

fn refused(remarks: Vec<Remark>, reader: Option<&str>) -> PolicyError {
    PolicyError::Refused(of_interest(remarks, reader))
}

/// Everything said about the reader's policy, and the errors of the others.
fn of_interest(remarks: Vec<Remark>, reader: Option<&str>) -> Vec<Diagnostic> {
    remarks
        .into_iter()
        .filter(|said| reader == Some(said.policy.as_str()) || said.diagnostic.severity == Severity::Error)
        .map(|said| said.for_reader_of(reader))
        .collect()
}

/// The version that writing `policy` now would make.
fn provisional(set: &PolicySet, policy: &Policy) -> Stored {
    let name = policy.metadata.name.clone();
    let version = PolicyVersion {
        version: set.next_version(&name),
        name,
        change: Change::Updated,
        at: Timestamp::UNIX_EPOCH,
        document: Some(Document::Policy(policy.clone())),
    };
    Stored { revision: set.revision() + 1, version }
}
