//! Takes in decision records (`ai_mesh.v1.DecisionIntake`), keeps the tool definitions in them, and settles their reservations.
//! Leases are taken back first, since a record may settle what remains held of a lease.
use std::sync::Arc;

use async_trait::async_trait;
use mesh_audit::v1::{LeaseReturn, ReportRequest, ReportResponse};
use mesh_control_core::{Batch, Decisions, Limits, ReportError, Timestamp, Tools};
use tonic::{Request, Response, Status};

use crate::error::causes;
use crate::metrics::Metrics;
use crate::steady;
use crate::v1::decision_intake_server::DecisionIntake;

/// The decision intake.
#[derive(Clone)]
pub struct IntakeService {
    decisions: Decisions,
    limits: Limits,
    tools: Tools,
    metrics: Arc<Metrics>,
}

#[async_trait]
impl DecisionIntake for IntakeService {
    async fn report(&self, request: Request<ReportRequest>) -> Result<Response<ReportResponse>, Status> {
        // The task goes on when the caller gives up, so that nothing stops half-way.
        let (service, report) = (self.clone(), request.into_inner());
        let done = tokio::spawn(async move { service.take_in(report).await }).await;
        let done =
            done.map_err(|_| Status::internal("the report was not taken in; send the records again"))?;
        done.map(Response::new)
    }
}

impl IntakeService {
    pub(super) fn new(decisions: Decisions, limits: Limits, tools: Tools, metrics: Arc<Metrics>) -> Self {
        IntakeService { decisions, limits, tools, metrics }
    }

    async fn take_in(&self, report: ReportRequest) -> Result<ReportResponse, Status> {
        let returned = self.take_back(&report.returns, &report.sidecar).await;
        let mut batch = Batch {
            sidecar: report.sidecar,
            vm: report.vm,
            first_sequence: report.first_sequence,
            records: report.records,
            dropped: report.dropped,
        };
        batch.check().map_err(|error| Status::invalid_argument(error.to_string()))?;
        let kept = self.keep(&mut batch).await;
        self.settle(&batch).await;
        let acknowledged = kept?;
        Ok(ReportResponse { acknowledged, returned })
    }

    /// Keeps the records and the tool definitions in them. Returns the number up to which records are kept.
    async fn keep(&self, batch: &mut Batch) -> Result<u64, Status> {
        let seen = self.tools.take_from(&batch.sidecar, &mut batch.records, Timestamp::now()).await;
        let seen = seen.map_err(|error| {
            let causes = causes(&error);
            tracing::error!(%error, causes, sidecar = batch.sidecar, "what was seen of tools was not kept");
            Status::unavailable("what was seen of tools could not be kept; send the records again")
        })?;
        self.metrics.tools_seen(&seen);
        let intake = self.decisions.report(batch, Timestamp::now()).await.map_err(|error| match error {
            ReportError::Batch(error) => Status::invalid_argument(error.to_string()),
            ReportError::Store(error) => {
                let causes = causes(&error);
                tracing::error!(%error, causes, sidecar = batch.sidecar, "a report was not kept");
                Status::unavailable("the records could not be kept; send them again")
            }
        })?;
        let kept = intake.kept.iter().filter_map(|index| batch.records.get(*index));
        self.metrics.kept(&intake, kept.clone().map(|record| &record.decision));
        self.metrics.enforced(kept.clone().map(|record| (record.time_ns, &*record.policies)));
        self.metrics.judge.kept(kept);
        Ok(intake.acknowledged)
    }

    /// Settles the reservations of the exchanges in these records, even if the records are not new or could not be kept, so that no
    /// failure leaves a reservation open. This comes after keeping them: a reservation that is still being made, for a client that has
    /// left, should exist by then. A record that comes again settles nothing again, since an account knows each reservation once. What
    /// cannot be settled now is settled with the next records.
    async fn settle(&self, batch: &Batch) {
        match self.limits.settle_records(batch.records.iter(), steady::now()).await {
            Ok(settled) => self.metrics.limits.settled(&settled),
            Err(error) => {
                let causes = causes(&error);
                tracing::error!(%error, causes, sidecar = batch.sidecar, "what was spent could not be counted");
            }
        }
    }

    /// Takes leases back; returns how many. The filter returns again what cannot be taken in now.
    async fn take_back(&self, returns: &[LeaseReturn], sidecar: &str) -> u64 {
        match self.limits.take_back(returns, steady::now()).await {
            Ok(settled) => {
                self.metrics.limits.settled(&settled);
                returns.len() as u64
            }
            Err(error) => {
                let causes = causes(&error);
                tracing::error!(%error, causes, sidecar, "leases could not be taken back");
                0
            }
        }
    }
}
