//! The ports: what the services need from outside.
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
/// The message names what was tried and what to do, never a password or the contents of a record.
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
    /// Another writer has written something since, so the set that was compiled is not the one that would be in force.
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
    /// Writes versions, all or none, if the newest revision is still `after`, so that they are in force together with what they were
    /// checked with. They are durable when this returns. Their revisions ascend, and are greater than every revision before.
    async fn append(&self, after: u64, versions: &[PolicyVersion]) -> Result<Vec<Stored>, AppendError>;

    /// The newest version of each document in order of name, including deleted ones, whose newest version is the deletion.
    async fn newest(&self) -> Result<Vec<Stored>, StoreError>;

    /// All versions of a document, newest first; empty for a name that never existed.
    async fn versions(&self, name: &str) -> Result<Vec<Stored>, StoreError>;

    /// One version.
    async fn version(&self, name: &str, version: u64) -> Result<Option<Stored>, StoreError>;

    /// The greatest revision so far; 0 for an empty store. Cheap enough to check whether the store answers.
    async fn revision(&self) -> Result<u64, StoreError>;

    /// Whether the store keeps what is written. If its last write failed, this tries one that changes nothing.
    async fn writes(&self) -> Result<(), StoreError>;
}

/// Bytes of the records on one page of decisions: a page is held in memory and sent as a whole.
pub const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// Keeps decision records, each exactly once.
#[async_trait]
pub trait DecisionStore: Send + Sync {
    /// Keeps a batch in one transaction; it is durable when this returns. Records that are there already stay as they are, and are
    /// counted where the new ones differ.
    ///
    /// Numbers missing before the batch's first record become a gap; records that arrive late close their part of a gap.
    async fn intake(&self, batch: &Batch, now: Timestamp) -> Result<Intake, StoreError>;

    /// Decisions that match, newest first or (with `filter.after`) in the order in which they were kept. A page has at most
    /// [`PAGE_BYTES`] of records, unless the first record alone has more.
    async fn list(&self, filter: &DecisionFilter) -> Result<DecisionPage, StoreError>;

    /// One decision by its id.
    async fn decision(&self, id: &str) -> Result<Option<Decision>, StoreError>;

    /// Gaps that are open, newest first, at most `limit`.
    async fn gaps(&self, limit: u32) -> Result<Vec<Gap>, StoreError>;

    /// Cursor of the newest record; 0 when there is none.
    async fn newest_cursor(&self) -> Result<u64, StoreError>;

    /// The time of the latest [`DecisionStore::mark`].
    async fn newest_mark(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Notes that all records which are there were there `now`.
    async fn mark(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Deletes the oldest `most` of the records that were there at the last mark until `then`, and the gaps noticed by then. Returns
    /// how many records were deleted.
    async fn forget(&self, then: Timestamp, most: u32) -> Result<u64, StoreError>;

    /// Notes that these VMs run now, though they may have nothing to report. VMs that never reported are ignored.
    async fn alive(&self, vms: &[String], now: Timestamp) -> Result<(), StoreError>;

    /// Forgets at most `most` VMs that were last heard of by `then`, by a report or as alive, and have no record left, longest
    /// silent first. Returns how many. If such a VM reports again, everything before its next number is a gap.
    async fn forget_vms(&self, then: Timestamp, most: u32) -> Result<u64, StoreError>;
}

/// Keeps the definitions of tools that sidecars have seen.
///
/// Bounded, since servers may offer anything: at most [`MOST_OF_A_TOOL`] undecided definitions of a tool, [`MOST_OF_A_SERVER`]
/// definitions of a server, and [`MOST_DEFINITIONS`] in all. What goes is the undecided definition that was unseen for longest: of
/// the same tool, then of the same server, then of the server that has most. If there is none, the new one is not kept.
#[async_trait]
pub trait ToolStore: Send + Sync {
    /// Keeps new definitions, and when known ones were seen again, in one transaction. Definitions that were `decided` on are never
    /// dropped; returns how many others were. A sighting less than [`SEEN_JUST_NOW`] after the last one is not written.
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

/// Many sidecars see a definition whenever its server lists its tools; sightings within this time count as one.
pub const SEEN_JUST_NOW: SignedDuration = SignedDuration::from_secs(5);
/// Undecided definitions of one tool that a [`ToolStore`] keeps.
pub const MOST_OF_A_TOOL: usize = 32;
/// Definitions of one server that a [`ToolStore`] keeps.
pub const MOST_OF_A_SERVER: usize = 2_000;
/// Definitions that a [`ToolStore`] keeps.
pub const MOST_DEFINITIONS: usize = 20_000;

/// Keeps accounts of limits: what was spent in sliding windows, and what is reserved.
#[async_trait]
pub trait RateWindows: Send + Sync {
    /// Admits a request under all of `asks`, or under none of them. Their keys are distinct.
    ///
    /// In every window, at most the limit is spent and reserved per key, however many ask at the same time. A refused request takes nothing
    /// from any account. Reservations are settled under `id`; without an id, everything is spent at once.
    async fn admit(&self, asks: &[Ask], id: Option<&str>, now: Timestamp) -> Result<Verdicts, StoreError>;

    /// Ends reservations. Those that are not there are counted and otherwise ignored.
    async fn settle(&self, settlements: &[Settle], now: Timestamp) -> Result<Settled, StoreError>;

    /// The accounts that `filter` wants, at most `most` of those used last. Empty accounts are left out.
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
