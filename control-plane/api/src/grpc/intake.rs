//! Takes in decision records (`ai_mesh.v1.DecisionIntake`).
use std::sync::Arc;

use async_trait::async_trait;
use mesh_audit::v1::{ReportRequest, ReportResponse};
use mesh_control_core::{Batch, Decisions, ReportError, Timestamp};
use tonic::{Request, Response, Status};

use crate::error::causes;
use crate::metrics::Metrics;
use crate::v1::decision_intake_server::DecisionIntake;

/// The decision intake.
pub struct IntakeService {
    decisions: Decisions,
    metrics: Arc<Metrics>,
}

impl IntakeService {
    pub(super) fn new(decisions: Decisions, metrics: Arc<Metrics>) -> Self {
        IntakeService { decisions, metrics }
    }
}

#[async_trait]
impl DecisionIntake for IntakeService {
    async fn report(&self, request: Request<ReportRequest>) -> Result<Response<ReportResponse>, Status> {
        let report = request.into_inner();
        let batch = Batch {
            sidecar: report.sidecar,
            vm: report.vm,
            first_sequence: report.first_sequence,
            records: report.records,
            dropped: report.dropped,
        };
        let intake = self.decisions.report(&batch, Timestamp::now()).await.map_err(|error| match error {
            ReportError::Batch(error) => Status::invalid_argument(error.to_string()),
            ReportError::Store(error) => {
                let causes = causes(&error);
                tracing::error!(%error, causes, sidecar = batch.sidecar, "a report was not kept");
                Status::unavailable("the records could not be kept; send them again")
            }
        })?;
        let kept = intake.kept.iter().filter_map(|index| batch.records.get(*index));
        self.metrics.kept(&intake, kept.map(|record| &record.decision));
        Ok(Response::new(ReportResponse { acknowledged: intake.acknowledged }))
    }
}
