//! Who is connected, and what is running here.
use axum::Json;
use axum::extract::State;
use mesh_control_core::Sidecar;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ErrorBody;
use crate::extract::NoQuery;
use crate::state::Api;

/// The sidecars that are connected.
#[derive(Serialize, ToSchema)]
pub(crate) struct SidecarList {
    /// In order of id.
    sidecars: Vec<Sidecar>,
}

/// Lists the connected sidecars, with the configuration each has accepted or refused.
#[utoipa::path(
    get, operation_id = "list_sidecars", path = "/sidecars", tag = "sidecars", security(("admin" = [])),
    responses((status = 200, body = SidecarList), (status = 401, body = ErrorBody))
)]
pub(crate) async fn list(State(api): State<Api>, _: NoQuery) -> Json<SidecarList> {
    Json(SidecarList { sidecars: api.sidecars.sidecars() })
}

/// What is running.
#[derive(Serialize, ToSchema)]
pub(crate) struct Running {
    /// Version of the control plane.
    version: &'static str,
    /// Version of the policies that were published last.
    policy_version: Option<String>,
}

/// Tells the version of the control plane and of the policies it has published.
#[utoipa::path(
    get, operation_id = "get_version", path = "/version", tag = "sidecars", security(("admin" = [])),
    responses((status = 200, body = Running), (status = 401, body = ErrorBody))
)]
pub(crate) async fn version(State(api): State<Api>, _: NoQuery) -> Json<Running> {
    let policy_version = api.policies.published().map(|bundle| bundle.version.clone());
    Json(Running { version: env!("CARGO_PKG_VERSION"), policy_version })
}
