//! Validating and trying policies. Nothing here changes anything.
use axum::Json;
use axum::extract::State;
use mesh_control_core::{
    DecisionFilter, DiagnosticSchema, DryRun, Impact, PolicyError, SampleRequest, Timestamp,
};
use mesh_policy::{Diagnostic, Severity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::Document;
use crate::error::{ApiError, ErrorBody};
use crate::extract::{InPath, JsonBody, NoQuery};
use crate::plain::Plain;
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
    post, operation_id = "validate_policy", path = "/policies/validate", tag = "trials", security(("admin" = [])),
    request_body(content((serde_json::Value = "application/json"), (String = "application/yaml"))),
    responses(
        (status = 200, description = "Valid or not: see `valid`", body = Validation), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody)
    )
)]
pub(crate) async fn validate(
    State(api): State<Api>,
    _: NoQuery,
    document: Document,
) -> Result<Json<Validation>, ApiError> {
    let source = document.source();
    let diagnostics = match document.policy() {
        Err(diagnostics) => diagnostics,
        Ok(parsed) => {
            let said = match api.policies.validate(&parsed.policy).await {
                Ok(warnings) => warnings,
                Err(PolicyError::Refused(diagnostics)) => diagnostics,
                Err(error) => return Err(error.into()),
            };
            let mut all = parsed.warnings;
            all.extend(source.locate(said));
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
    policy: Option<Plain>,
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
    _: NoQuery,
    JsonBody(trial): JsonBody<Trial>,
) -> Result<Json<DryRun>, ApiError> {
    let candidate = match &trial.policy {
        Some(Plain(document)) => Some(mesh_policy::from_value(document).map_err(ApiError::invalid)?.policy),
        None => None,
    };
    Ok(Json(api.policies.dry_run(candidate.as_ref(), trial.request, Timestamp::now()).await?))
}

/// A policy, and the recorded decisions to judge again with it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImpactRequest {
    /// A policy document to add to those in force (or to take the place of the one of its name).
    #[schema(value_type = Object)]
    policy: Plain,
    /// Decisions at this time or later.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Decisions before this time.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// At most so many, the newest; 10,000 when not given, 100,000 at most.
    #[serde(default)]
    limit: Option<u32>,
}

/// Decisions that are judged again at most.
const MOST_DECISIONS: u32 = 100_000;

/// Says what a policy would have done to requests that were decided already, by the types, names and scores in their
/// records: which agents, how many requests, from what outcome to what. Nothing of the content is needed, since none was kept;
/// what only the content could tell is counted as unknown.
#[utoipa::path(
    post, path = "/policies/impact", tag = "trials", security(("admin" = [])),
    request_body = ImpactRequest,
    responses(
        (status = 200, body = Impact), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody)
    )
)]
pub(crate) async fn impact(
    State(api): State<Api>,
    _: NoQuery,
    JsonBody(wanted): JsonBody<ImpactRequest>,
) -> Result<Json<Impact>, ApiError> {
    let policy = mesh_policy::from_value(&wanted.policy.0).map_err(ApiError::invalid)?.policy;
    let most = match wanted.limit.unwrap_or(10_000) {
        limit @ 1..=MOST_DECISIONS => limit as usize,
        other => {
            let message = format!("limit is {other}; expected 1 to {MOST_DECISIONS}");
            return Err(ApiError::bad_request(message));
        }
    };
    let mut filter =
        DecisionFilter { since: wanted.since, until: wanted.until, limit: 1000, ..DecisionFilter::default() };
    let mut decisions = Vec::new();
    loop {
        let page = api.decisions.list(&filter).await?;
        filter.before = page.older();
        decisions.extend(page.decisions.into_iter().map(|(_, decision)| decision));
        if !page.more || decisions.len() >= most {
            break;
        }
    }
    decisions.truncate(most);
    Ok(Json(api.policies.impact(&policy, decisions).await?))
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
    post, operation_id = "evaluate_policy", path = "/policies/{name}/evaluate", tag = "trials", security(("admin" = [])),
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
    _: NoQuery,
    JsonBody(evaluation): JsonBody<Evaluation>,
) -> Result<Json<DryRun>, ApiError> {
    Ok(Json(api.policies.evaluate(&name, evaluation.request, Timestamp::now()).await?))
}
