//! Validating and trying policies. Nothing here changes anything.
use axum::Json;
use axum::extract::State;
use mesh_control_core::{DiagnosticSchema, DryRun, PolicyError, SampleRequest, Timestamp};
use mesh_policy::{Diagnostic, Severity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::Document;
use crate::error::{ApiError, ErrorBody};
use crate::extract::{InPath, JsonBody, Nothing, Params};
use crate::state::Api;

/// What was found in a document.
#[derive(Serialize, ToSchema)]
pub(crate) struct Validation {
    /// Whether it would be accepted.
    valid: bool,
    /// Errors and warnings.
    #[schema(value_type = Vec<DiagnosticSchema>)]
    diagnostics: Vec<Diagnostic>,
}

/// Validates a document with the compiler the sidecars run, without putting it in force.
#[utoipa::path(
    post, path = "/policies/validate", tag = "trials", security(("admin" = [])),
    request_body(content((serde_json::Value = "application/json"), (String = "application/yaml"))),
    responses(
        (status = 200, description = "Valid or not: see `valid`", body = Validation), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody)
    )
)]
pub(crate) async fn validate(
    State(api): State<Api>,
    Params(Nothing {}): Params<Nothing>,
    document: Document,
) -> Result<Json<Validation>, ApiError> {
    let diagnostics = match document.policy() {
        Err(diagnostics) => diagnostics,
        Ok(parsed) => {
            let said = match api.policies.validate(&parsed.policy).await {
                Ok(warnings) => warnings,
                Err(PolicyError::Refused(diagnostics)) => diagnostics,
                Err(error) => return Err(error.into()),
            };
            let mut all = parsed.warnings;
            all.extend(said);
            all
        }
    };
    let valid = diagnostics.iter().all(|said| said.severity != Severity::Error);
    Ok(Json(Validation { valid, diagnostics }))
}

/// A request to try policies on, and perhaps a policy that is not in force.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trial {
    /// A policy document to add to those in force (or to take the place of the one of its name).
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    policy: Option<serde_json::Value>,
    /// The request.
    request: SampleRequest,
}

/// Decides a sample request under the policies in force, with `policy` among them when it is given.
#[utoipa::path(
    post, path = "/policies/dry-run", tag = "trials", security(("admin" = [])),
    request_body = Trial,
    responses(
        (status = 200, body = DryRun), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody)
    )
)]
pub(crate) async fn dry_run(
    State(api): State<Api>,
    Params(Nothing {}): Params<Nothing>,
    JsonBody(trial): JsonBody<Trial>,
) -> Result<Json<DryRun>, ApiError> {
    let candidate = match &trial.policy {
        Some(document) => Some(mesh_policy::from_value(document).map_err(ApiError::invalid)?.policy),
        None => None,
    };
    Ok(Json(api.policies.dry_run(candidate.as_ref(), trial.request, Timestamp::now()).await?))
}

/// A request to try one policy on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Evaluation {
    /// The request.
    request: SampleRequest,
}

/// Decides a sample request under one policy alone.
#[utoipa::path(
    post, path = "/policies/{name}/evaluate", tag = "trials", security(("admin" = [])),
    params(("name" = String, Path, description = "Name of the policy")),
    request_body = Evaluation,
    responses(
        (status = 200, body = DryRun), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody)
    )
)]
pub(crate) async fn evaluate(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    Params(Nothing {}): Params<Nothing>,
    JsonBody(evaluation): JsonBody<Evaluation>,
) -> Result<Json<DryRun>, ApiError> {
    Ok(Json(api.policies.evaluate(&name, evaluation.request, Timestamp::now()).await?))
}
