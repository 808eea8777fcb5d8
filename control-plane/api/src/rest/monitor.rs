//! What monitors and tools ask without a token.
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::require_admin;
use crate::error::{ApiError, ErrorBody};
use crate::state::Api;

/// A short answer for monitors.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
}

/// The process runs.
#[utoipa::path(get, path = "/healthz", tag = "monitoring", responses((status = 200, body = Health)))]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// The control plane can do its work: the store answers and keeps what is written, and policies have been
/// published.
#[utoipa::path(
    get, path = "/readyz", tag = "monitoring",
    responses((status = 200, body = Health), (status = 503, body = ErrorBody))
)]
pub(crate) async fn readyz(State(api): State<Api>) -> Result<Json<Health>, ApiError> {
    api.policies.store_works().await?;
    match api.policies.published() {
        Some(_) => Ok(Json(Health { status: "ok" })),
        None => Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_ready",
            "no policies have been published yet",
        )),
    }
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "monitoring",
    responses((status = 200, description = "The OpenAPI document", body = serde_json::Value))
)]
pub(crate) async fn describe() -> Json<utoipa::openapi::OpenApi> {
    Json(super::openapi())
}

/// Metrics in OpenMetrics text. Where the API listens on more than loopback, the administrator's token is asked for.
#[utoipa::path(
    get, path = "/metrics", tag = "monitoring", security((), ("admin" = [])),
    responses((status = 200, body = String, content_type = "application/openmetrics-text"), (status = 401, body = ErrorBody))
)]
pub(crate) async fn metrics(State(api): State<Api>) -> Result<Response, ApiError> {
    let text = api.metrics.text().map_err(|_| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics_failed", "the metrics could not be written")
    })?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Asks for the token before `/metrics`, unless it is open.
pub(crate) async fn guard_metrics(State(api): State<Api>, request: Request, next: Next) -> Response {
    if api.open_metrics || request.uri().path() != "/metrics" {
        next.run(request).await
    } else {
        require_admin(State(api.admin.clone()), request, next).await
    }
}
