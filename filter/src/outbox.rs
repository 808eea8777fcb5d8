//! Decision records on their way to the control plane: numbered, kept until acknowledged, bounded.
//!
//! Failure law: a record leaves the outbox only when the control plane has acknowledged it, or has refused it when it was sent
//! alone; a refused record counts as dropped. While the control plane does not answer, records wait and are sent again. A full
//! outbox refuses requests, or drops their records and counts them, as the policy says. Sequence numbers have no gaps for the life
//! of the VM, so that the control plane notices a loss.
use mesh_audit::Queue;
use mesh_audit::v1::{DecisionRecord, LeaseReturn, ReportResponse};
use mesh_limits::Leases;
use mesh_policy::{ServiceRef, Settings};
use prost::Message;

use crate::host::GrpcMethod;
use crate::{host, lease};

const REPORT: GrpcMethod = GrpcMethod { service: "ai_mesh.v1.DecisionIntake", name: "Report" };
/// The maximum number of returned leases in one message.
const MAX_RETURNS: usize = 256;
/// The gRPC status INVALID_ARGUMENT: the message makes no sense, and sending it again will not help.
const INVALID_ARGUMENT: u32 = 3;
/// How long records wait to be sent together, unless they fill a message: a call costs Envoy as much as several
/// requests.
const GATHER_NS: u64 = 100_000_000;
/// A call with no answer by then, not even an error, is given up: its root context may be gone.
const LOST_AFTER_NS: u64 = 10_000_000_000;
/// Wait after a failed call.
const RETRY_AFTER_NS: u64 = 500_000_000;

pub(crate) struct Outbox {
    vm: String,
    sidecar: String,
    service: Option<ServiceRef>,
    capacity: usize,
    records: Queue,
    /// Exchanges under way that will still add a record.
    reserved: usize,
    call: Option<Call>,
    not_before: u64,
    /// When the last call was made.
    called: u64,
    /// A record returns a concurrency slot that others wait for, or reports a changed tool that others should know
    /// about soon.
    urgent: bool,
}

/// `ai_mesh.v1.ReportRequest` with records that are already encoded: on the wire, a message and bytes look the same.
#[derive(Clone, PartialEq, Message)]
struct Report {
    #[prost(string, tag = "1")]
    sidecar: String,
    #[prost(string, tag = "2")]
    vm: String,
    #[prost(uint64, tag = "3")]
    first_sequence: u64,
    #[prost(bytes = "vec", repeated, tag = "4")]
    records: Vec<Vec<u8>>,
    #[prost(uint64, tag = "5")]
    dropped: u64,
    #[prost(message, repeated, tag = "6")]
    returns: Vec<LeaseReturn>,
}

struct Call {
    token: u32,
    /// The root context that gets the answer. When it goes, Envoy forgets the call.
    owner: u32,
    since: u64,
    /// Number of the last record in the call; one less than the first number when it had none.
    last: u64,
    /// Number of the first returned lease in the call.
    first_return: u64,
}

impl Outbox {
    pub(crate) fn new(vm: String) -> Self {
        Outbox {
            vm,
            sidecar: String::new(),
            service: None,
            capacity: 0,
            records: Queue::default(),
            reserved: 0,
            call: None,
            not_before: 0,
            called: 0,
            urgent: false,
        }
    }

    pub(crate) fn configure(&mut self, settings: &Settings) {
        self.sidecar.clone_from(&settings.sidecar);
        self.service.clone_from(&settings.intake);
        self.capacity = settings.record_buffer as usize;
    }

    /// Reserves a place for the record of an exchange that begins. False when the outbox is full.
    pub(crate) fn reserve(&mut self) -> bool {
        // Also counted without a service: the configuration may change while the exchange is under way.
        let free = self.service.is_none() || self.records.len() + self.reserved < self.capacity;
        self.reserved += usize::from(free);
        free
    }

    /// Adds the record of an exchange. Without a reserved place it is dropped and counted.
    pub(crate) fn push(&mut self, record: &DecisionRecord, reserved: bool) {
        self.reserved = self.reserved.saturating_sub(usize::from(reserved));
        if self.service.is_none() {
            return;
        }
        if reserved {
            self.urgent |= record.settlements.iter().any(|settlement| settlement.measure == "concurrent");
            // Other sidecars may go on calling a tool that this one has seen change.
            self.urgent |= !record.definitions.is_empty();
            self.records.push(record);
        } else {
            self.records.drop_one();
        }
    }

    /// Sends the oldest records and the returned leases, one call at a time.
    pub(crate) fn flush(&mut self, owner: u32, now: u64, leases: &Leases) {
        if self.call.as_ref().is_some_and(|call| now.saturating_sub(call.since) < LOST_AFTER_NS) {
            return;
        }
        let Some(service) = &self.service else { return };
        let gathering =
            !self.urgent && !self.records.fills_a_batch() && now.saturating_sub(self.called) < GATHER_NS;
        if self.records.is_empty() && leases.returns().is_empty() || now < self.not_before || gathering {
            return;
        }
        self.called = now;
        self.urgent = false;
        let records = self.records.batch();
        let last = self.records.first().saturating_add(records.len() as u64).saturating_sub(1);
        let report = Report {
            sidecar: self.sidecar.clone(),
            vm: self.vm.clone(),
            first_sequence: self.records.first(),
            records,
            dropped: self.records.dropped(),
            returns: leases.returns().iter().take(MAX_RETURNS).map(lease::message).collect(),
        };
        let token = host::call(service, REPORT, Vec::new(), &report.encode_to_vec());
        self.call =
            token.map(|token| Call { token, owner, since: now, last, first_return: leases.first_return() });
        if token.is_none() {
            self.not_before = now + RETRY_AFTER_NS;
        }
    }

    /// A root context ends, and the answer to its call is lost: the call is made again. The control plane recognises records that
    /// it has.
    pub(crate) fn orphan(&mut self, owner: u32) {
        self.call.take_if(|call| call.owner == owner);
    }

    /// Handles the end of a call: its gRPC status, and the answer, which is empty when the call failed.
    pub(crate) fn answered(
        &mut self,
        token: u32,
        status: u32,
        message: &[u8],
        now: u64,
        leases: &mut Leases,
    ) {
        let Some(call) = self.call.take_if(|call| call.token == token) else { return };
        match (status, ReportResponse::decode(message)) {
            (0, Ok(answer)) => {
                // Records that were not sent cannot have been kept, whatever the answer says.
                self.records.acknowledged(answer.acknowledged.min(call.last));
                let returned = answer.returned.min(MAX_RETURNS as u64);
                leases.returned(call.first_return.saturating_add(returned));
                self.flush(call.owner, now, leases);
            }
            // At once, with one record at a time, to find the one that was refused.
            (INVALID_ARGUMENT, _) if self.records.first() <= call.last => {
                if let Some(number) = self.records.refused(call.last) {
                    log::error!("the control plane refused the decision record {number}: it is dropped");
                }
                self.flush(call.owner, now, leases);
            }
            _ => self.not_before = now + RETRY_AFTER_NS,
        }
    }
}
