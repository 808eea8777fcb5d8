//! Takes in decision records, and lists them.
//!
//! Failure law: a batch is acknowledged only after its records are durable. When the store fails, nothing is acknowledged: the
//! sidecar keeps the records and sends them again, and the sequence number that each record has in its VM makes the second arrival
//! harmless. Records that never arrived are a gap, which is kept, counted and listed until they do.
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mesh_audit::v1::DecisionRecord;
use prost::Message;
use tokio::sync::watch;

use crate::clock::{Clock, ClockAhead};
use crate::decision::{Decision, DecisionFilter, DecisionPage, Gap};
use crate::ports::{DecisionStore, StoreError};

/// Records of one VM whose numbers follow one another.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Node id of the sidecar.
    pub sidecar: String,
    /// Random id of the wasm VM.
    pub vm: String,
    /// Number of the first record, from 1.
    pub first_sequence: u64,
    /// The records.
    pub records: Vec<DecisionRecord>,
    /// Records that the VM has dropped so far.
    pub dropped: u64,
}

/// A batch that makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No VM is named.
    #[error("the batch does not name its vm: every wasm VM needs an id of its own")]
    NoVm,
    /// An id that is too long to be one.
    #[error("the batch's vm or sidecar id has {0} bytes; at most {MAX_ID} are allowed")]
    LongId(usize),
    /// Characters that no id has.
    #[error("the batch's vm or sidecar id holds control characters")]
    OddId,
    /// More records than one batch may have.
    #[error("the batch has {0} records; at most {MAX_RECORDS} are allowed: send the others in another one")]
    Long(usize),
    /// A record of another VM.
    #[error(
        "the batch of vm {vm:?} has a record with the id {id:?}; the ids of a vm's records are its own id, `-` and a number"
    )]
    Foreign {
        /// The VM.
        vm: String,
        /// The record's id.
        id: String,
    },
    /// A record that is too large.
    #[error(
        "record {id:?} has {bytes} bytes beside its definitions of tools; at most {MAX_RECORD} are allowed"
    )]
    Large {
        /// The record's id.
        id: String,
        /// How large it is.
        bytes: usize,
    },
    /// Numbers start at 1 and fit 63 bits.
    #[error(
        "first_sequence is {first} with {count} records; the first record of a VM is number 1 and numbers fit 63 bits"
    )]
    Numbers {
        /// The first number.
        first: u64,
        /// How many records followed.
        count: usize,
    },
}

const MAX_ID: usize = 256;
/// A filter sends at most 256. More in one transaction would keep others waiting for the database.
const MAX_RECORDS: usize = 1024;
/// The filter bounds a record to some tens of KiB, except for the messages of an author's Rego module, and for what the agent
/// chooses (such as its name in a header), which Envoy bounds.
const MAX_RECORD: usize = 256 * 1024;
/// Records that are deleted in one transaction, so that others can use the database in between.
const FORGOTTEN: u32 = 2000;
/// A VM is not forgotten sooner than this, however briefly records are kept: it may be unreachable, and come back with its next
/// number.
const OUT_OF_REACH: Duration = Duration::from_secs(24 * 60 * 60);

impl Batch {
    /// Checks what all stores rely on.
    ///
    /// # Errors
    /// The batch breaks a rule that all stores rely on.
    pub fn check(&self) -> Result<(), BatchError> {
        if self.vm.is_empty() {
            return Err(BatchError::NoVm);
        }
        let longest = self.vm.len().max(self.sidecar.len());
        if longest > MAX_ID {
            return Err(BatchError::LongId(longest));
        }
        if self.vm.chars().chain(self.sidecar.chars()).any(char::is_control) {
            return Err(BatchError::OddId);
        }
        let count = self.records.len();
        if count > MAX_RECORDS {
            return Err(BatchError::Long(count));
        }
        for record in &self.records {
            let id = &record.decision_id;
            // Records are settled and looked up by id: no sidecar may use the ids of another VM.
            let own = id.strip_prefix(self.vm.as_str()).is_some_and(|rest| rest.starts_with('-'));
            if !id.is_empty() && !own {
                let (vm, id) = (self.vm.clone(), id.chars().take(MAX_ID).collect());
                return Err(BatchError::Foreign { vm, id });
            }
            let definitions: usize = record.definitions.iter().map(Message::encoded_len).sum();
            let bytes = record.encoded_len().saturating_sub(definitions);
            if bytes > MAX_RECORD {
                return Err(BatchError::Large { id: id.chars().take(MAX_ID).collect(), bytes });
            }
        }
        let bad = || BatchError::Numbers { first: self.first_sequence, count };
        let end = self.first_sequence.checked_add(count as u64).ok_or_else(bad)?;
        if count > 0 && (self.first_sequence == 0 || end > i64::MAX as u64) || self.dropped > i64::MAX as u64
        {
            return Err(bad());
        }
        Ok(())
    }

    /// Number of the last record; one less than the first number when there are none.
    pub fn last_sequence(&self) -> u64 {
        (self.first_sequence + self.records.len() as u64).saturating_sub(1)
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Intake {
    /// Every record of the VM up to this number is kept, or known to be missing.
    pub acknowledged: u64,
    /// Indices, in the batch, of the records that were new.
    pub kept: Vec<usize>,
    /// The gap that this batch revealed.
    pub gap: Option<Gap>,
    /// Records that the VM has dropped since its last batch.
    pub dropped: u64,
    /// Records whose number was taken by a record with other contents. The first one is kept.
    pub conflicts: u64,
}

impl Intake {
    /// What `batch` means for a VM of which everything up to `last` is acknowledged and `dropped` records were dropped. Only the store
    /// knows which records are new, so `kept` is left empty.
    pub fn plan(batch: &Batch, last: u64, dropped: u64, now: Timestamp) -> Self {
        let gap = (!batch.records.is_empty() && batch.first_sequence > last + 1).then(|| Gap {
            sidecar: batch.sidecar.clone(),
            vm: batch.vm.clone(),
            from_sequence: last + 1,
            to_sequence: batch.first_sequence - 1,
            noticed: now,
        });
        let acknowledged = if batch.records.is_empty() { last } else { last.max(batch.last_sequence()) };
        let dropped = batch.dropped.saturating_sub(dropped);
        Intake { acknowledged, kept: Vec::new(), gap, dropped, conflicts: 0 }
    }
}

/// Why a report was refused.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The batch makes no sense; sending it again will not help.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The store failed; the batch should be sent again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why old records were not forgotten.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// The clock is not believed, so nobody knows how old they are.
    #[error(transparent)]
    Clock(#[from] ClockAhead),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The decisions service.
#[derive(Clone)]
pub struct Decisions {
    store: Arc<dyn DecisionStore>,
    arrivals: watch::Sender<u64>,
}

impl Decisions {
    /// A service over a store.
    pub fn new(store: Arc<dyn DecisionStore>) -> Self {
        Decisions { store, arrivals: watch::Sender::new(0) }
    }

    /// Takes in a batch. When this returns, what it acknowledges is durable.
    ///
    /// # Errors
    /// The batch makes no sense, or the store fails. Then nothing is acknowledged.
    pub async fn report(&self, batch: &Batch, now: Timestamp) -> Result<Intake, ReportError> {
        batch.check()?;
        let mut intake = self.store.intake(batch, now).await?;
        if let Some(gap) = &intake.gap {
            tracing::warn!(
                sidecar = %gap.sidecar, vm = %gap.vm, from = gap.from_sequence, to = gap.to_sequence,
                "decision records are missing"
            );
        }
        if intake.dropped > 0 {
            tracing::warn!(sidecar = %batch.sidecar, vm = %batch.vm, dropped = intake.dropped, "a sidecar discarded decision records");
        }
        if intake.conflicts > 0 {
            tracing::warn!(
                sidecar = %batch.sidecar, vm = %batch.vm, conflicts = intake.conflicts,
                "decision records came again with other contents; what came first is kept"
            );
        }
        if !intake.kept.is_empty() {
            self.arrivals.send_modify(|count| *count = count.wrapping_add(1));
        }
        // Anyone with the sidecars' token may have reported greater numbers in this VM's name. The VM drops what is acknowledged, so
        // nothing beyond what it has sent is acknowledged.
        intake.acknowledged = intake.acknowledged.min(batch.last_sequence());
        Ok(intake)
    }

    /// Decisions that match.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list(&self, filter: &DecisionFilter) -> Result<DecisionPage, StoreError> {
        self.store.list(filter).await
    }

    /// Cursor of the newest record; 0 when there is none.
    ///
    /// # Errors
    /// The store fails.
    pub async fn newest_cursor(&self) -> Result<u64, StoreError> {
        self.store.newest_cursor().await
    }

    /// One decision.
    ///
    /// # Errors
    /// The store fails.
    pub async fn get(&self, id: &str) -> Result<Option<Decision>, StoreError> {
        self.store.decision(id).await
    }

    /// Open gaps, newest first.
    ///
    /// # Errors
    /// The store fails.
    pub async fn gaps(&self, limit: u32) -> Result<Vec<Gap>, StoreError> {
        self.store.gaps(limit).await
    }

    /// Deletes the records that were kept for longer than `keep`, and returns how many. A record's age counts from the first call
    /// after its arrival. While `clock` is not believed nothing is deleted; `steady` is the same instant as `now` by a monotonic
    /// clock.
    ///
    /// # Errors
    /// The clock is not believed, or the store fails.
    pub async fn forget(
        &self,
        keep: Duration,
        clock: &mut Clock,
        now: Timestamp,
        steady: Duration,
    ) -> Result<u64, ForgetError> {
        clock.check(keep, now, steady, self.store.newest_mark().await?)?;
        self.store.mark(now).await?;
        let Ok(then) = now.checked_sub(keep) else { return Ok(0) }; // Longer than there has been time.
        Ok(until_fewer(|| self.store.forget(then, FORGOTTEN)).await?)
    }

    /// Notes that these VMs run now, so that they are not forgotten, however long they have had nothing to report.
    ///
    /// # Errors
    /// The store fails.
    pub async fn alive(&self, vms: &[String], now: Timestamp) -> Result<(), StoreError> {
        self.store.alive(vms, now).await
    }

    /// Forgets the VMs that were silent for longer than `keep` (and at least a day) and have no record left; returns how many. Each
    /// start of a sidecar makes new VMs.
    ///
    /// # Errors
    /// The store fails.
    pub async fn forget_vms(&self, keep: Duration, now: Timestamp) -> Result<u64, StoreError> {
        let Ok(then) = now.checked_sub(keep.max(OUT_OF_REACH)) else { return Ok(0) };
        until_fewer(|| self.store.forget_vms(then, FORGOTTEN)).await
    }

    /// Follows the decisions that match `filter`, beginning after the cursor `filter.after`, or now when it is not given.
    ///
    /// # Errors
    /// The store fails.
    pub async fn follow(&self, filter: DecisionFilter) -> Result<Follower, StoreError> {
        let arrivals = self.arrivals.subscribe();
        let after = match filter.after {
            Some(cursor) => cursor,
            None => self.store.newest_cursor().await?,
        };
        let filter = DecisionFilter { after: Some(after), before: None, limit: FOLLOW_PAGE, ..filter };
        Ok(Follower { store: Arc::clone(&self.store), filter, arrivals })
    }
}

/// Calls `forget` until it deletes fewer than [`FORGOTTEN`]; returns how many were deleted in all.
async fn until_fewer<F: Future<Output = Result<u64, StoreError>>>(
    forget: impl Fn() -> F,
) -> Result<u64, StoreError> {
    let mut gone = 0;
    loop {
        let some = forget().await?;
        gone += some;
        if some < u64::from(FORGOTTEN) {
            return Ok(gone);
        }
    }
}

const FOLLOW_PAGE: u32 = 256;

/// How often a follower looks without being woken: another control plane may write to the same database.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// Follows decisions. Arrivals only wake it to read the store, so a slow reader falls behind but misses nothing.
pub struct Follower {
    store: Arc<dyn DecisionStore>,
    filter: DecisionFilter,
    arrivals: watch::Receiver<u64>,
}

impl Follower {
    /// The next decisions, at least one, oldest first, each with its cursor.
    ///
    /// # Errors
    /// The store fails, or the control plane is stopping.
    pub async fn next(&mut self) -> Result<Vec<(u64, Decision)>, StoreError> {
        loop {
            self.arrivals.borrow_and_update();
            let newest = self.store.newest_cursor().await?;
            let page = self.store.list(&self.filter).await?;
            if let Some((cursor, _)) = page.decisions.last() {
                self.filter.after = Some(*cursor);
                return Ok(page.decisions);
            }
            // Nothing up to here matches, so it is not read again, however rare matches are.
            self.filter.after = self.filter.after.max(Some(newest));
            // Woken, timed out, or the service has ended.
            let woken = tokio::time::timeout(LOOK_AGAIN, self.arrivals.changed()).await;
            if let Ok(Err(_)) = woken {
                return Err(StoreError::new("the control plane is stopping"));
            }
        }
    }
}
