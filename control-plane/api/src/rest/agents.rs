//! The registry of agents: their documents, and what stops one.
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use mesh_control_core::{Change, Changed, DiagnosticSchema, Stored, Timestamp};
use mesh_policy::{Agent, AgentStatus, Diagnostic};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policies::{expected, same_name};
use super::views::etag;
use crate::document::Document;
use crate::error::{ApiError, ErrorBody};
use crate::extract::{InPath, JsonBody, NoQuery};
use crate::state::Api;

/// An agent's document, and which version of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentView {
    /// The agent's id.
    id: String,
    /// The version, counted from 1.
    version: u64,
    /// What made the version.
    #[schema(inline)]
    change: Change,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The document (see `agent.schema.json`); none for a deletion.
    #[schema(value_type = Option<Object>)]
    document: Option<Agent>,
}

/// The registered agents.
#[derive(Serialize, ToSchema)]
pub(crate) struct AgentList {
    /// In order of id.
    agents: Vec<AgentView>,
}

/// What a change did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentChange {
    /// False when the document was in force already, word for word; no version was made then.
    changed: bool,
    /// The version that is in force now (for a deletion: the deletion).
    agent: AgentView,
    /// Remarks about the document.
    #[schema(value_type = Vec<DiagnosticSchema>)]
    warnings: Vec<Diagnostic>,
}

/// Why an agent is stopped.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suspension {
    /// The reason, which the agent gets with every refusal.
    reason: String,
    /// Whether something is wrong with it: `quarantined` instead of `suspended`.
    #[serde(default)]
    quarantine: bool,
}

impl From<Stored> for AgentView {
    fn from(stored: Stored) -> Self {
        let version = stored.version;
        let id = version.name.split_once('/').map_or("", |(_, id)| id).to_owned();
        let document = version.agent().cloned();
        AgentView { id, version: version.version, change: version.change, created_at: version.at, document }
    }
}

fn answer(done: Changed, mut warnings: Vec<Diagnostic>) -> Response {
    warnings.extend(done.warnings);
    let agent = AgentView::from(done.stored);
    let created = done.changed && agent.change == Change::Created;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let tag = etag(agent.version);
    (status, tag, Json(AgentChange { changed: done.changed, agent, warnings })).into_response()
}

/// Lists the registered agents.
#[utoipa::path(
    get, operation_id = "list_agents", path = "/agents", tag = "agents", security(("admin" = [])),
    responses((status = 200, body = AgentList), (status = 401, body = ErrorBody))
)]
pub(crate) async fn list(State(api): State<Api>, _: NoQuery) -> Json<AgentList> {
    Json(AgentList { agents: api.policies.agents().into_iter().map(AgentView::from).collect() })
}

/// Reads an agent's document.
#[utoipa::path(
    get, operation_id = "get_agent", path = "/agents/{id}", tag = "agents", security(("admin" = [])),
    params(("id" = String, Path, description = "Id of the agent")),
    responses((status = 200, body = AgentView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn get(
    State(api): State<Api>,
    InPath(id): InPath<String>,
    _: NoQuery,
) -> Result<Response, ApiError> {
    let agent = AgentView::from(api.policies.agent(&id)?);
    Ok((etag(agent.version), Json(agent)).into_response())
}

/// Registers an agent or changes its document; without `status` it keeps the one that it has. `If-Match` and `If-None-Match`
/// as with policies.
#[utoipa::path(
    put, operation_id = "put_agent", path = "/agents/{id}", tag = "agents", security(("admin" = [])),
    params(
        ("id" = String, Path, description = "Id of the agent; that of the document"),
        ("If-Match" = Option<String>, Header, description = "Version that must be in force, or `*` for any"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: no version may be in force")
    ),
    request_body(content((serde_json::Value = "application/json"), (String = "application/yaml"))),
    responses(
        (status = 200, body = AgentChange), (status = 201, body = AgentChange), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 412, description = "Another version is in force", body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
        (status = 422, description = "The document cannot be accepted", body = ErrorBody),
        (status = 423, description = "Changes are frozen", body = ErrorBody)
    )
)]
pub(crate) async fn put(
    State(api): State<Api>,
    InPath(id): InPath<String>,
    _: NoQuery,
    headers: HeaderMap,
    document: Document,
) -> Result<Response, ApiError> {
    let expected = expected(&headers)?;
    let source = document.source();
    let (agent, warnings) = document.agent()?;
    same_name("agent", &id, &agent.metadata.name)?;
    let done = api.policies.put_agent(agent, expected, Timestamp::now()).await;
    let done = done.map_err(|error| ApiError::from(error).into_precondition().located(&source))?;
    Ok(answer(done, warnings))
}

/// Takes an agent out of the registry. Policies that target everybody still apply to it.
#[utoipa::path(
    delete, operation_id = "delete_agent", path = "/agents/{id}", tag = "agents", security(("admin" = [])),
    params(
        ("id" = String, Path, description = "Id of the agent"),
        ("If-Match" = Option<String>, Header, description = "Version that must be in force, or `*` for any")
    ),
    responses(
        (status = 200, body = AgentChange), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 412, description = "Another version is in force", body = ErrorBody),
        (status = 423, description = "Changes are frozen", body = ErrorBody)
    )
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    InPath(id): InPath<String>,
    _: NoQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let expected = expected(&headers)?;
    let done = api.policies.delete_agent(&id, expected, Timestamp::now()).await?;
    Ok(answer(done, Vec::new()))
}

/// Stops an agent: each of its requests is refused, with the reason, until it is resumed.
#[utoipa::path(
    post, operation_id = "suspend_agent", path = "/agents/{id}/suspend", tag = "agents", security(("admin" = [])),
    params(("id" = String, Path, description = "Id of the agent")),
    request_body = Suspension,
    responses(
        (status = 200, body = AgentChange), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 412, description = "It was changed meanwhile", body = ErrorBody),
        (status = 415, body = ErrorBody)
    )
)]
pub(crate) async fn suspend(
    State(api): State<Api>,
    InPath(id): InPath<String>,
    _: NoQuery,
    JsonBody(Suspension { reason, quarantine }): JsonBody<Suspension>,
) -> Result<Response, ApiError> {
    if reason.trim().is_empty() {
        return Err(ApiError::bad_request(
            "`reason` has to say something: the agent is told it with every refusal",
        ));
    }
    let status = if quarantine { AgentStatus::Quarantined } else { AgentStatus::Suspended };
    let done = api.policies.set_agent_status(&id, status, Some(reason), Timestamp::now()).await?;
    Ok(answer(done, Vec::new()))
}

/// Lets a stopped agent work again.
#[utoipa::path(
    post, operation_id = "resume_agent", path = "/agents/{id}/resume", tag = "agents", security(("admin" = [])),
    params(("id" = String, Path, description = "Id of the agent")),
    responses(
        (status = 200, body = AgentChange), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 412, description = "It was changed meanwhile", body = ErrorBody),
        (status = 423, description = "Changes are frozen", body = ErrorBody)
    )
)]
pub(crate) async fn resume(
    State(api): State<Api>,
    InPath(id): InPath<String>,
    _: NoQuery,
) -> Result<Response, ApiError> {
    let done = api.policies.set_agent_status(&id, AgentStatus::Active, None, Timestamp::now()).await?;
    Ok(answer(done, Vec::new()))
}
