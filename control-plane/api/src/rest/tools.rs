//! Tools whose definitions are pinned: which definitions were seen, and which are approved.
use axum::Json;
use axum::extract::State;
use mesh_control_core::{DefinitionState, Timestamp, Tool};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, ErrorBody};
use crate::extract::{InPath, JsonBody, NoQuery, Params};
use crate::state::Api;

/// The tools that sidecars have reported.
#[derive(Serialize, ToSchema)]
pub(crate) struct ToolList {
    /// In order of server and name, without the texts of their definitions.
    tools: Vec<Tool>,
}

/// Which tools.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ToolFilter {
    /// Only tools of this server: host and path.
    server: Option<String>,
    /// Only tools in this state: `approved`, `changed` or `unapproved`.
    standing: Option<Standing>,
}

/// The state of a tool.
#[derive(Clone, Copy, Deserialize, PartialEq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    Approved,
    Changed,
    Unapproved,
}

impl Standing {
    fn is(self, tool: &Tool) -> bool {
        use mesh_control_core::ToolStanding::{Approved, Changed, Unapproved};
        match tool.standing {
            Approved => self == Standing::Approved,
            Changed => self == Standing::Changed,
            Unapproved => self == Standing::Unapproved,
        }
    }
}

/// The definition that is decided on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolDecision {
    /// Its digest, so that the decision is about the definition that was looked at.
    digest: String,
}

/// What a decision did.
#[derive(Serialize, ToSchema)]
pub(crate) struct ToolChange {
    /// The tool after it.
    tool: Tool,
    /// Whether anything is different from before.
    changed: bool,
}

/// Lists the tools that sidecars have reported under a policy that pins them.
#[utoipa::path(
    get, operation_id = "list_tools", path = "/tools", tag = "tools", security(("admin" = [])), params(ToolFilter),
    responses((status = 200, body = ToolList), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Params(filter): Params<ToolFilter>,
) -> Result<Json<ToolList>, ApiError> {
    let mut tools = api.tools.list().await?;
    tools.retain(|tool| filter.server.as_ref().is_none_or(|server| *server == tool.server));
    tools.retain(|tool| filter.standing.is_none_or(|standing| standing.is(tool)));
    Ok(Json(ToolList { tools }))
}

/// A tool with the texts of its definitions, and how the one that waits differs from the approved one.
#[utoipa::path(
    get, operation_id = "get_tool", path = "/tools/{server}/{name}", tag = "tools", security(("admin" = [])),
    params(("server" = String, Path, description = "Host and path of the server"), ("name" = String, Path, description = "Name of the tool")),
    responses((status = 200, body = Tool), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn get(
    State(api): State<Api>,
    InPath((server, name)): InPath<(String, String)>,
    _: NoQuery,
) -> Result<Json<Tool>, ApiError> {
    Ok(Json(api.tools.get(&server, &name).await?))
}

/// Approves a definition: it is offered and called from now on, beside those approved before.
#[utoipa::path(
    post, operation_id = "approve_tool", path = "/tools/{server}/{name}/approve", tag = "tools", security(("admin" = [])),
    params(("server" = String, Path, description = "Host and path of the server"), ("name" = String, Path, description = "Name of the tool")),
    request_body = ToolDecision,
    responses(
        (status = 200, body = ToolChange), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 423, description = "Changes are frozen", body = ErrorBody)
    )
)]
pub(crate) async fn approve(
    State(api): State<Api>,
    InPath(tool): InPath<(String, String)>,
    _: NoQuery,
    JsonBody(decision): JsonBody<ToolDecision>,
) -> Result<Json<ToolChange>, ApiError> {
    decide(&api, tool, decision, DefinitionState::Approved).await
}

/// Rejects a definition: it is withheld and refused, also where it was approved before.
#[utoipa::path(
    post, operation_id = "reject_tool", path = "/tools/{server}/{name}/reject", tag = "tools", security(("admin" = [])),
    params(("server" = String, Path, description = "Host and path of the server"), ("name" = String, Path, description = "Name of the tool")),
    request_body = ToolDecision,
    responses(
        (status = 200, body = ToolChange), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 423, description = "Changes are frozen", body = ErrorBody)
    )
)]
pub(crate) async fn reject(
    State(api): State<Api>,
    InPath(tool): InPath<(String, String)>,
    _: NoQuery,
    JsonBody(decision): JsonBody<ToolDecision>,
) -> Result<Json<ToolChange>, ApiError> {
    decide(&api, tool, decision, DefinitionState::Rejected).await
}

async fn decide(
    api: &Api,
    (server, name): (String, String),
    ToolDecision { digest }: ToolDecision,
    state: DefinitionState,
) -> Result<Json<ToolChange>, ApiError> {
    let (tool, done) = api.tools.decide(&server, &name, &digest, state, Timestamp::now()).await?;
    Ok(Json(ToolChange { tool, changed: done.changed }))
}
