//! The gRPC services that sidecars call, besides xDS.

mod intake;
mod rate_limit;

use mesh_control_core::{Decisions, Limits, Tools};

pub use intake::IntakeService;
pub use rate_limit::RateLimitService;

use crate::v1::decision_intake_server::DecisionIntakeServer;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::RateLimitServiceServer;
use std::sync::Arc;

use crate::metrics::Metrics;

/// 16 MiB: more than a filter sends at once, also where one record alone fills a message.
const MAX_REPORT: usize = 16 * 1024 * 1024;

/// The decision intake as a service of a gRPC server.
pub type IntakeServer = DecisionIntakeServer<IntakeService>;
/// The rate limit service as a service of a gRPC server.
pub type RateLimitServer = RateLimitServiceServer<RateLimitService>;

/// The decision intake, for a gRPC server whose interceptor asks for the sidecars' token.
pub fn intake(decisions: Decisions, limits: Limits, tools: Tools, metrics: Arc<Metrics>) -> IntakeServer {
    let service = IntakeService::new(decisions, limits, tools, metrics);
    DecisionIntakeServer::new(service).max_decoding_message_size(MAX_REPORT)
}

/// Envoy's rate limit service, for a gRPC server whose interceptor asks for the sidecars' token.
pub fn rate_limits(limits: Limits, metrics: Arc<Metrics>) -> RateLimitServer {
    RateLimitServiceServer::new(RateLimitService::new(limits, metrics))
}
