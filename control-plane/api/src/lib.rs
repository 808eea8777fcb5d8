//! The control plane as others see it: REST under `/api/v1`, what monitors ask for (`/metrics`, `/healthz`, `/readyz`), the
//! API's own description (`/openapi.json`), and the gRPC services that sidecars call.
//!
//! Nothing is decided here: requests become calls of `mesh-control-core`'s services, and their errors become statuses with one
//! JSON shape (see [`ApiError`]). Tokens, bodies and addresses with passwords are never logged.

mod auth;
mod document;
mod error;
mod extract;
mod grpc;
mod judge_metrics;
mod limit_metrics;
mod metrics;
mod plain;
mod rest;
mod state;
mod steady;

pub use auth::{SidecarAuth, Stranger, Token};
pub use error::{ApiError, ErrorBody};
pub use grpc::{IntakeServer, IntakeService, RateLimitServer, RateLimitService, intake, rate_limits};
pub use metrics::Metrics;
pub use rest::{openapi, router};
pub use state::{Api, Parts};

/// The decision intake's server and client, generated from `api/proto/ai_mesh/v1/decisions.proto` by `cargo xtask gen`.
#[allow(missing_docs, unreachable_pub, clippy::missing_errors_doc)]
pub mod v1 {
    include!("generated/ai_mesh.v1.rs");
}
