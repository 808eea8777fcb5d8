//! The policies service: every change to a policy goes through here.
//!
//! Changes are made one at a time: take the set in force, add the change, compile the whole set, write the version, publish.
//! A change that does not compile leaves no trace. If another control plane has written a version meanwhile, the change is compiled
//! again together with that version: whatever is in force together was checked together. A version that was written but could not
//! be published (the process ended in between, or the publisher failed) is published by the next change, refresh or start, since
//! the bundle is always made from what is written.
mod batch;
mod files;

pub use files::FromFiles;

use std::sync::Arc;

use jiff::Timestamp;
use mesh_policy::{Bundle, Diagnostic, Document, Policy, Rollout, Settings, Severity, State};

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
    /// The compiler's warnings.
    pub warnings: Vec<Diagnostic>,
    /// False when the very same document was in force already: no version was made.
    pub changed: bool,
}

/// What a document is to become.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// This document.
    Document(Box<Document>),
    /// The document of this earlier version.
    Version(u64),
    /// The next version of this rollout, under the version number that it has had all along; the end of the rollout is written
    /// together with it.
    Candidate(Box<Rollout>),
    /// No longer in force.
    Deleted,
}

impl Wanted {
    /// The same, completed from the document that is held now (see [`settled`]).
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
    /// Held while a change is made and published.
    turn: tokio::sync::Mutex<()>,
}

/// Attempts at a change while other control planes on the same database keep writing first.
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
    ///
    /// # Errors
    /// The store fails, or what it holds does not compile or cannot be published.
    pub async fn refresh(&self) -> Result<(), PolicyError> {
        let _turn = self.inner.turn.lock().await;
        let set = self.current().await?;
        self.publish(Arc::new(set.bundle(&self.inner.settings)), Proven::No).await
    }

    /// Reads the store if another control plane has changed it, so that a look-up before a change finds what is there.
    ///
    /// # Errors
    /// The store fails.
    pub async fn look(&self) -> Result<(), PolicyError> {
        let _turn = self.inner.turn.lock().await;
        self.current().await.map(drop)
    }

    /// Whether the store had never held a policy when it was last read, not even one that has been deleted.
    pub fn untouched(&self) -> bool {
        self.inner.set.load().revision() == 0
    }

    /// The policies in force, in order of name.
    pub fn list(&self) -> Vec<Stored> {
        self.set().policies().cloned().collect()
    }

    /// The policy in force under this name.
    ///
    /// # Errors
    /// No policy of that name is in force.
    pub fn get(&self, name: &str) -> Result<Stored, PolicyError> {
        let held = self.set().get(name).filter(|held| held.version.is_policy()).cloned();
        held.ok_or_else(|| PolicyError::Unknown { name: name.to_owned() })
    }

    /// Every version of a policy, newest first; also of one that is deleted.
    ///
    /// # Errors
    /// There never was a policy of that name, or the store fails.
    pub async fn versions(&self, name: &str) -> Result<Vec<Stored>, PolicyError> {
        let mut versions = self.inner.store.versions(name).await?;
        versions.retain(|stored| stored.version.is_policy());
        if versions.is_empty() { Err(PolicyError::Unknown { name: name.to_owned() }) } else { Ok(versions) }
    }

    /// One version of a policy.
    ///
    /// # Errors
    /// There is no such version, or the store fails.
    pub async fn version(&self, name: &str, version: u64) -> Result<Stored, PolicyError> {
        let found = self.inner.store.version(name, version).await?;
        let found = found.filter(|stored| stored.version.is_policy());
        found.ok_or_else(|| PolicyError::NoVersion { name: name.to_owned(), version })
    }

    /// Every version of what stands under this key in the log, newest first.
    pub(crate) async fn stored_versions(&self, key: &str) -> Result<Vec<Stored>, PolicyError> {
        Ok(self.inner.store.versions(key).await?)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// What is in force, as it was last read.
    pub(crate) fn set(&self) -> Arc<PolicySet> {
        self.inner.set.load_full()
    }

    /// Makes the document `name` what is `wanted`, if it is as the caller `expected`. The change goes on when the caller gives up, so
    /// that a version that was written is also put in force.
    ///
    /// # Errors
    /// The freeze or a rollout forbids it, another version than the `expected` one is in force, the set does not compile with it,
    /// or the store fails: then nothing has changed. [`PolicyError::Publish`] alone means that it is written and not in force yet.
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
            let versions = versions(&set, name, &wanted, (change, document), now);
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

    /// The compiler's warnings for the set in force with this policy in it. Changes nothing.
    ///
    /// # Errors
    /// The set does not compile with it.
    pub async fn validate(&self, policy: &Policy) -> Result<Vec<Diagnostic>, PolicyError> {
        let set = self.inner.set.load_full();
        let bundle = set.with(provisional(&set, policy)).bundle(&self.inner.settings);
        self.check(&Arc::new(bundle), Some(&policy.metadata.name)).await
    }

    /// Decides a sample request under the set in force, with `candidate` in it when there is one. Changes nothing.
    ///
    /// # Errors
    /// The set does not compile.
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

    /// What `policy`, added to those in force, would have done to requests that were decided already. Changes nothing.
    ///
    /// # Errors
    /// The set does not compile with it.
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
    ///
    /// # Errors
    /// No policy of that name is in force.
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
    ///
    /// # Errors
    /// The store does not answer, or does not keep what is written.
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

    /// The set with these versions in it, under the revisions that they will get unless the store skips numbers.
    async fn candidate(&self, set: &PolicySet, versions: &[PolicyVersion]) -> Result<Candidate, PolicyError> {
        let revisions = set.revision() + 1..;
        let stored =
            revisions.zip(versions).map(|(revision, version)| Stored { revision, version: version.clone() });
        let set = self.pinned(set.with_all(stored)).await?;
        let bundle = Arc::new(set.bundle(&self.inner.settings));
        Ok(Candidate { set, bundle })
    }

    /// Writes versions that were compiled with `set` and puts them in force. `None` when another control plane has written since.
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
            // The database has skipped numbers. Nobody has written in between, so what was compiled is what is there.
            set = set.with_all(written.iter().cloned());
            bundle = Arc::new(set.bundle(&self.inner.settings));
        }
        self.inner.set.store(Arc::new(set));
        self.publish(bundle, Proven::Yes).await
    }

    /// The set with the earlier versions that agents are attached to. The compiler reports attachments to missing ones.
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
                Err(PolicyError::NoVersion { .. }) if self.tried(name, *version).await?.is_some() => {
                    Err(PolicyError::OnlyTried { name: name.to_owned(), version: *version })
                }
                Err(PolicyError::NoVersion { .. }) if set.next_version(name) == 1 => {
                    Err(PolicyError::Unknown { name: name.to_owned() })
                }
                Err(error) => Err(error),
            },
        }
    }

    /// Compiles the bundle for a reader of the policy `reader`, who gets the warnings of that policy and the errors of all.
    async fn check(
        &self,
        bundle: &Arc<Bundle>,
        reader: Option<&str>,
    ) -> Result<Vec<Diagnostic>, PolicyError> {
        let remarks = self.remarks(bundle).await?.map_err(|remarks| refused(remarks, reader))?;
        Ok(of_interest(remarks, reader))
    }

    /// What the compiler says: warnings, or what is wrong.
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

    /// Publishes the bundle unless it is published already. Only called by the holder of `turn`.
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

/// The versions that a change writes: one, or at the end of a rollout two.
fn versions(
    set: &PolicySet,
    name: &str,
    wanted: &Wanted,
    (change, document): (Change, Option<Document>),
    at: Timestamp,
) -> Vec<PolicyVersion> {
    let name = name.to_owned();
    let Wanted::Candidate(rollout) = wanted else {
        let version = set.next_version(&name);
        return vec![PolicyVersion { name, version, change, at, document }];
    };
    let key = rollout_key(&name);
    let end = PolicyVersion {
        version: set.next_version(&key),
        name: key,
        change: Change::Updated,
        at,
        document: Some(Document::State(State::Rollout(rollout.clone()))),
    };
    vec![PolicyVersion { name, version: rollout.version, change, at, document }, end]
}

/// A set that is to be written, and its bundle.
struct Candidate {
    set: PolicySet,
    bundle: Arc<Bundle>,
}

/// Whether the bundle has just been compiled.
#[derive(PartialEq)]
enum Proven {
    Yes,
    No,
}

/// Other control planes wrote first at every attempt.
fn outrun() -> PolicyError {
    PolicyError::Store(StoreError::new("other control planes keep changing the policies: try again"))
}

/// Fails unless the version in force is the one that the caller expects.
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
