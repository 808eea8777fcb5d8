//! Policies and their versions.
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use mesh_control_core::{Expected, Timestamp, Wanted};
use mesh_policy::Diagnostic;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::views::{ChangeResult, PolicySummary, PolicyView};
use crate::document::Document;
use crate::error::{ApiError, ErrorBody};
use crate::extract::{InPath, JsonBody, NoQuery};
use crate::state::Api;

/// The policies in force.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyList {
    /// In order of name.
    policies: Vec<PolicySummary>,
}

/// The versions of a policy.
#[derive(Serialize, ToSchema)]
pub(crate) struct VersionList {
    /// Newest first.
    versions: Vec<PolicySummary>,
}

/// Lists the policies in force.
#[utoipa::path(
    get, operation_id = "list_policies", path = "/policies", tag = "policies", security(("admin" = [])),
    responses((status = 200, body = PolicyList), (status = 401, body = ErrorBody))
)]
pub(crate) async fn list(State(api): State<Api>, _: NoQuery) -> Json<PolicyList> {
    Json(PolicyList { policies: api.policies.list().into_iter().map(PolicySummary::from).collect() })
}

/// Creates a policy. The document is JSON or YAML, as the content type says.
#[utoipa::path(
    post, operation_id = "create_policy", path = "/policies", tag = "policies", security(("admin" = [])),
    request_body(content((serde_json::Value = "application/json"), (String = "application/yaml"))),
    responses(
        (status = 201, body = ChangeResult), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 409, description = "A policy of this name is in force", body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
        (status = 422, description = "The policy cannot be accepted", body = ErrorBody),
        (status = 423, description = "Changes are frozen", body = ErrorBody)
    )
)]
pub(crate) async fn create(
    State(api): State<Api>,
    _: NoQuery,
    document: Document,
) -> Result<Response, ApiError> {
    let source = document.source();
    let parsed = document.accepted()?;
    let name = parsed.policy.metadata.name.clone();
    write(&api, &name, parsed, Expected::Absent).await.map_err(|error| error.located(&source))
}

/// Reads the policy in force under a name.
#[utoipa::path(
    get, operation_id = "get_policy", path = "/policies/{name}", tag = "policies", security(("admin" = [])),
    params(("name" = String, Path, description = "Name of the policy")),
    responses((status = 200, body = PolicyView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn get(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    _: NoQuery,
) -> Result<Response, ApiError> {
    Ok(PolicyView::from(api.policies.get(&name)?).tagged())
}

/// Creates or updates a policy. `If-Match: "<version>"` makes the change only if that version is in force,
/// `If-None-Match: *` only if none is.
#[utoipa::path(
    put, operation_id = "put_policy", path = "/policies/{name}", tag = "policies", security(("admin" = [])),
    params(
        ("name" = String, Path, description = "Name of the policy; that of the document"),
        ("If-Match" = Option<String>, Header, description = "Version that must be in force, or `*` for any"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: no version may be in force")
    ),
    request_body(content((serde_json::Value = "application/json"), (String = "application/yaml"))),
    responses(
        (status = 200, body = ChangeResult), (status = 201, body = ChangeResult), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 412, description = "Another version is in force", body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
        (status = 422, description = "The policy cannot be accepted", body = ErrorBody),
        (status = 409, description = "A rollout of it is under way", body = ErrorBody),
        (status = 423, description = "Changes are frozen", body = ErrorBody)
    )
)]
pub(crate) async fn put(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    _: NoQuery,
    headers: HeaderMap,
    document: Document,
) -> Result<Response, ApiError> {
    let expected = expected(&headers)?;
    let source = document.source();
    let parsed = document.accepted()?;
    same_name("policy", &name, &parsed.policy.metadata.name)?;
    // A precondition that does not hold is 412 (RFC 9110, section 13.1.2); 409 is for creating without one.
    let done = write(&api, &name, parsed, expected).await;
    done.map_err(|error| error.into_precondition().located(&source))
}

/// Takes a policy out of force. Its versions stay readable, and it can be rolled back to one of them.
#[utoipa::path(
    delete, operation_id = "delete_policy", path = "/policies/{name}", tag = "policies", security(("admin" = [])),
    params(
        ("name" = String, Path, description = "Name of the policy"),
        ("If-Match" = Option<String>, Header, description = "Version that must be in force, or `*` for any")
    ),
    responses(
        (status = 200, body = ChangeResult), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "A rollout of it is under way", body = ErrorBody),
        (status = 412, description = "Another version is in force", body = ErrorBody),
        (status = 422, description = "Agents are attached to it, or what remains does not compile without it", body = ErrorBody),
        (status = 423, description = "Changes are frozen", body = ErrorBody)
    )
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    _: NoQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let expected = expected(&headers)?;
    // A policy that does not exist cannot have the wrong version: 404 comes before 412.
    api.policies.look().await?;
    api.policies.get(&name)?;
    let done = api.policies.change(&name, Wanted::Deleted, expected, Timestamp::now()).await?;
    Ok(ChangeResult::new(done, Vec::new()).response())
}

/// Lists every version of a policy, also of a deleted one, and those that a rollout tried (`tried`).
#[utoipa::path(
    get, operation_id = "list_policy_versions", path = "/policies/{name}/versions", tag = "policies", security(("admin" = [])),
    params(("name" = String, Path, description = "Name of the policy")),
    responses((status = 200, body = VersionList), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn versions(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    _: NoQuery,
) -> Result<Json<VersionList>, ApiError> {
    let versions = api.policies.numbered(&name).await?;
    Ok(Json(VersionList { versions: versions.into_iter().map(PolicySummary::from).collect() }))
}

/// Reads one version of a policy, also one that a rollout tried.
#[utoipa::path(
    get, operation_id = "get_policy_version", path = "/policies/{name}/versions/{version}", tag = "policies", security(("admin" = [])),
    params(
        ("name" = String, Path, description = "Name of the policy"),
        ("version" = u64, Path, description = "The version")
    ),
    responses((status = 200, body = PolicyView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn version(
    State(api): State<Api>,
    InPath((name, version)): InPath<(String, u64)>,
    _: NoQuery,
) -> Result<Response, ApiError> {
    Ok(PolicyView::from(api.policies.numbered_version(&name, version).await?).tagged())
}

/// Which version to go back to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollback {
    /// The version whose document is to be in force again; left out, the last known good one, and the end of a rollout that is
    /// under way.
    version: Option<u64>,
}

/// Puts the document of an earlier version in force again, as a new version.
#[utoipa::path(
    post, operation_id = "rollback_policy", path = "/policies/{name}/rollback", tag = "policies", security(("admin" = [])),
    params(
        ("name" = String, Path, description = "Name of the policy; it may be deleted"),
        ("If-Match" = Option<String>, Header, description = "Version that must be in force, or `*` for any")
    ),
    request_body = Rollback,
    responses(
        (status = 200, body = ChangeResult), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, description = "That version is a deletion", body = ErrorBody),
        (status = 412, description = "Another version is in force", body = ErrorBody),
        (status = 415, body = ErrorBody),
        (status = 422, description = "The old document can no longer be accepted", body = ErrorBody),
        (status = 423, description = "Changes are frozen", body = ErrorBody)
    )
)]
pub(crate) async fn rollback(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    _: NoQuery,
    headers: HeaderMap,
    JsonBody(Rollback { version }): JsonBody<Rollback>,
) -> Result<Response, ApiError> {
    let expected = expected(&headers)?;
    let done = match version {
        Some(version) => {
            api.policies.change(&name, Wanted::Version(version), expected, Timestamp::now()).await?
        }
        None => api.policies.roll_back(&name, expected, Timestamp::now()).await?,
    };
    let mut response = ChangeResult::new(done, Vec::new()).response();
    // The end of a rollout leaves the version in force as it was, which may be the one that created the policy.
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}

/// Names that would collide with the API's own paths.
const RESERVED: [&str; 3] = ["validate", "dry-run", "impact"];

async fn write(
    api: &Api,
    name: &str,
    parsed: mesh_policy::Parsed,
    expected: Expected,
) -> Result<Response, ApiError> {
    if RESERVED.contains(&name) {
        let taken = format!("{name:?} is the name of an operation of the API");
        return Err(ApiError::invalid(vec![
            Diagnostic::error("metadata.name", taken).help("choose another name"),
        ]));
    }
    let wanted = Wanted::Document(Box::new(mesh_policy::Document::Policy(parsed.policy)));
    let done = api.policies.change(name, wanted, expected, Timestamp::now()).await?;
    Ok(ChangeResult::new(done, parsed.warnings).response())
}

/// Checks that the path and the document name the same thing.
pub(crate) fn same_name(kind: &str, in_path: &str, in_document: &str) -> Result<(), ApiError> {
    if in_path == in_document {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "the path names {kind} {in_path:?}, the document's metadata.name is {in_document:?}: make them the same"
    )))
}

/// The version that the caller expects, by `If-Match` and `If-None-Match` (RFC 9110, sections 13.1.1 and 13.1.2; one version, no lists).
pub(crate) fn expected(headers: &HeaderMap) -> Result<Expected, ApiError> {
    let value = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
    match (value(header::IF_MATCH), value(header::IF_NONE_MATCH)) {
        (None, None) => Ok(Expected::Any),
        (None, Some("*")) => Ok(Expected::Absent),
        (Some("*"), None) => Ok(Expected::Present),
        (Some(tag), None) => {
            let number = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
            number.parse().map(Expected::Version).map_err(|_| {
                ApiError::bad_request("If-Match is not a version; expected one such as \"3\", or *")
            })
        }
        (None, Some(_)) => Err(ApiError::bad_request("If-None-Match takes only * here")),
        (Some(_), Some(_)) => Err(ApiError::bad_request("If-Match and If-None-Match exclude one another")),
    }
}
