//! What the services need from outside.
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use mesh_policy::Bundle;

use crate::{
    AccountFilter, Accounts, Ask, Batch, Decision, DecisionFilter, DecisionPage, Gap, Intake, PolicyVersion,
    SeenDefinition, Settle, Settled, Sidecar, Stored, ToolSighting, Verdicts,
};

/// A store that could not do what was asked.
///
/// The text names what was tried and what to do, never a password or the contents of a record.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct StoreError {
    what: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StoreError {
    /// An error that says `what` could not be done.
    pub fn new(what: impl Into<String>) -> Self {
        StoreError { what: what.into(), source: None }
    }

    /// An error with its cause.
    pub fn caused(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        StoreError { what: what.into(), source: Some(source.into()) }
    }
}

/// Why a version was not written.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another writer has written this version number first.
    #[error("version {version} of policy {name:?} exists already")]
    Taken {
        /// The policy.
        name: String,
        /// The number that was to be written.
        version: u64,
    },
    /// Another writer has written something since: what was compiled is not what would be in force.
    #[error("revision {newest} has been written meanwhile")]
    Behind {
        /// The newest revision.
        newest: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps policy versions. Append-only.
#[async_trait]
pub trait PolicyStore: Send + Sync {
    /// Writes versions, all or none, if the newest revision is still `after`: what they were checked together with is what they
    /// come to stand beside. They are durable when this returns; their revisions rise, and are greater than every one given
    /// before.
    async fn append(&self, after: u64, versions: &[PolicyVersion]) -> Result<Vec<Stored>, AppendError>;

    /// The newest version of each policy in order of name; deleted ones too (their newest version is the deletion).
    async fn newest(&self) -> Result<Vec<Stored>, StoreError>;

    /// All versions of a policy, newest first; empty for a name that never was.
    async fn versions(&self, name: &str) -> Result<Vec<Stored>, StoreError>;

    /// One version.
    async fn version(&self, name: &str, version: u64) -> Result<Option<Stored>, StoreError>;

    /// The greatest revision given so far; 0 for an empty store. Cheap: it also tells whether the store answers.
    async fn revision(&self) -> Result<u64, StoreError>;

    /// Whether what is written is kept: where the last write to this store was not, tries one that changes nothing.
    async fn writes(&self) -> Result<(), StoreError>;
}

/// Records of one page of decisions, in bytes: it is held in memory, and sent as a whole.
pub const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// Keeps decision records, each exactly once.
#[async_trait]
pub trait DecisionStore: Send + Sync {
    /// Keeps a batch in one transaction; durable when this returns. Records that are there already are left alone,
    /// and counted where they said something else.
    ///
    /// What is missing before the batch's first record becomes a gap; a record that arrives late closes its part of a gap.
    async fn intake(&self, batch: &Batch, now: Timestamp) -> Result<Intake, StoreError>;

    /// Decisions that match, newest first or (with `filter.after`) in the order in which they were kept; a page has at most [`PAGE_BYTES`] of records, unless
    /// the first alone has more.
    async fn list(&self, filter: &DecisionFilter) -> Result<DecisionPage, StoreError>;

    /// One decision by its id.
    async fn decision(&self, id: &str) -> Result<Option<Decision>, StoreError>;

    /// Gaps that are open, newest first, at most `limit`.
    async fn gaps(&self, limit: u32) -> Result<Vec<Gap>, StoreError>;

    /// Cursor of the newest record; 0 when there is none.
    async fn newest_cursor(&self) -> Result<u64, StoreError>;

    /// The latest instant that was marked.
    async fn newest_mark(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Marks which records are there `now`.
    async fn mark(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Deletes the oldest `most` of the records that were there at a mark set until `then`, and the gaps noticed by then;
    /// how many records went.
    async fn forget(&self, then: Timestamp, most: u32) -> Result<u64, StoreError>;

    /// Notes that these VMs run now, though they may have nothing to report. One that never reported is passed over.
    async fn alive(&self, vms: &[String], now: Timestamp) -> Result<(), StoreError>;

    /// Forgets VMs that were last heard of by `then`, by a report or as alive, and of which no record is left: the `most` that were
    /// heard of first; how many. One that reported again would have to number from 1, or what came before would be a gap.
    async fn forget_vms(&self, then: Timestamp, most: u32) -> Result<u64, StoreError>;
}

/// Keeps the definitions of tools that sidecars have seen.
///
/// Bounded, since servers say what they like: of each tool at most [`MOST_OF_A_TOOL`] definitions that nobody has decided on, of
/// each server at most [`MOST_OF_A_SERVER`], and at most [`MOST_DEFINITIONS`] in all. What gives way is undecided and longest
/// unseen: of the same tool, of the same server, and at last of the server that has most. Where there is none, the new
/// one is not kept.
#[async_trait]
pub trait ToolStore: Send + Sync {
    /// Keeps what was seen, or that it was seen again, in one transaction. What was `decided` on is never dropped; how many
    /// others were. That something was seen again less than [`SEEN_JUST_NOW`] after it was seen last is not written.
    async fn seen(
        &self,
        sightings: &[ToolSighting],
        decided: &IsDecided<'_>,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// All definitions, in no order, without their texts.
    async fn definitions(&self) -> Result<Vec<SeenDefinition>, StoreError>;

    /// The definitions of one tool, in no order.
    async fn definitions_of(&self, server: &str, name: &str) -> Result<Vec<SeenDefinition>, StoreError>;
}

/// Whether somebody has decided on a definition, by its server, name and digest.
pub type IsDecided<'a> = dyn Fn(&str, &str, &str) -> bool + Send + Sync + 'a;

/// A definition is offered with each list of its server's tools, by many sidecars: not every time is written down.
pub const SEEN_JUST_NOW: SignedDuration = SignedDuration::from_secs(5);
/// Undecided definitions of one tool that a [`ToolStore`] keeps.
pub const MOST_OF_A_TOOL: usize = 32;
/// Definitions of one server that a [`ToolStore`] keeps.
pub const MOST_OF_A_SERVER: usize = 2_000;
/// Definitions that a [`ToolStore`] keeps.
pub const MOST_DEFINITIONS: usize = 20_000;

/// Keeps accounts of limits: what was spent in sliding windows, what is promised.
#[async_trait]
pub trait RateWindows: Send + Sync {
    /// Admits a request under all of `asks`, or under none of them. Their keys are distinct.
    ///
    /// In each window that ends at any instant, at most the limit is spent and promised per key, whoever asks at the same
    /// time. A refused request takes nothing from any account. What is promised is settled under `id`; without one, it is
    /// spent at once.
    async fn admit(&self, asks: &[Ask], id: Option<&str>, now: Timestamp) -> Result<Verdicts, StoreError>;

    /// Ends promises. One that is not there is passed over and counted.
    async fn settle(&self, settlements: &[Settle], now: Timestamp) -> Result<Settled, StoreError>;

    /// How the accounts stand that were used last, of those that `filter` wants, at most `most`; those that count nothing are
    /// left out.
    async fn accounts(
        &self,
        filter: &AccountFilter,
        most: usize,
        now: Timestamp,
    ) -> Result<Accounts, StoreError>;
}

/// Brings a bundle to the sidecars.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Makes the bundle the one that every sidecar gets. Returns once it is on its way; what the sidecars answered is seen
    /// in [`SidecarView`].
    async fn publish(&self, bundle: Arc<Bundle>) -> Result<(), PublishError>;
}

/// A bundle that could not be made into sidecar configuration.
#[derive(Debug, thiserror::Error)]
#[error("the bundle could not be published: {0}")]
pub struct PublishError(pub String);

/// Who is connected, and what they have accepted.
pub trait SidecarView: Send + Sync {
    /// The sidecars that are connected now, in order of id.
    fn sidecars(&self) -> Vec<Sidecar>;

    /// Configurations refused by sidecars since the start.
    fn refusals(&self) -> u64;
}
