//! Drafts, rollouts and the freeze.
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use mesh_control_core::{Plan, Tallies, Timestamp};
use mesh_policy::{Bounds, End, Freeze, Policy, Rollout, Stage};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policies::same_name;
use crate::document::Document;
use crate::error::{ApiError, ErrorBody};
use crate::extract::{InPath, JsonBody, NoQuery};
use crate::plain::Plain;
use crate::state::Api;

/// The rollout of a policy's next version, under way or ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct RolloutView {
    /// The policy.
    policy: String,
    /// Number of the next version.
    version: u64,
    /// The version that is in force until the rollout is done.
    present: u64,
    /// `monitor`, the share of the sidecars that run the next version, such as `10%`, or `everywhere` once it is done.
    stage: String,
    /// The shares to come, in percent; after them comes everybody.
    steps: Vec<u8>,
    /// `running`, `paused`, `done`, `aborted` or `rolled_back`.
    state: &'static str,
    /// Why it is in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// When it is rolled back automatically.
    bounds: BoundsView,
    /// What both versions did in this stage; only while the rollout is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    tallies: Option<Tallies>,
}

/// When a rollout is rolled back automatically.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BoundsView {
    /// By how much the share of its requests that the next version refuses may exceed that of the present version (0 to 1).
    refusals: f64,
    /// By how much the share of its requests on which guards fail may exceed that of the present version (0 to 1).
    errors: f64,
    /// Nothing is compared before the next version has made this many decisions.
    sample: u64,
}

impl Default for BoundsView {
    fn default() -> Self {
        let Bounds { refusals, errors, sample } = Bounds::default();
        BoundsView { refusals, errors, sample }
    }
}

impl RolloutView {
    fn new(policy: &str, rollout: Rollout, tallies: Option<Tallies>) -> Self {
        let Bounds { refusals, errors, sample } = rollout.bounds;
        let stage = match (rollout.end, rollout.stage) {
            (Some(End::Done), _) => "everywhere".to_owned(),
            (_, Stage::Monitor) => "monitor".to_owned(),
            (_, Stage::Share(percent)) => format!("{percent}%"),
        };
        let state = match rollout.end {
            None if rollout.paused => "paused",
            None => "running",
            Some(End::Done) => "done",
            Some(End::Aborted) => "aborted",
            Some(End::RolledBack) => "rolled_back",
        };
        RolloutView {
            policy: policy.to_owned(),
            version: rollout.version,
            present: rollout.present,
            stage,
            steps: rollout.steps,
            state,
            note: rollout.note,
            bounds: BoundsView { refusals, errors, sample },
            tallies,
        }
    }
}

/// Every policy's last rollout.
#[derive(Serialize, ToSchema)]
pub(crate) struct RolloutList {
    /// In order of the policies' names.
    rollouts: Vec<RolloutView>,
}

/// How to roll out.
#[derive(Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Start {
    /// The next version's document; left out, the draft of that name.
    #[schema(value_type = Option<Object>)]
    document: Option<Plain>,
    /// Shares of the sidecars, in percent, ascending.
    steps: Vec<u8>,
    /// When it is rolled back automatically.
    bounds: BoundsView,
}

impl Default for Start {
    fn default() -> Self {
        Start { document: None, steps: vec![10, 50], bounds: BoundsView::default() }
    }
}

/// Lists the last rollout of every policy.
#[utoipa::path(
    get, operation_id = "list_rollouts", path = "/rollouts", tag = "rollouts", security(("admin" = [])),
    responses((status = 200, body = RolloutList), (status = 401, body = ErrorBody))
)]
pub(crate) async fn list(State(api): State<Api>, _: NoQuery) -> Json<RolloutList> {
    let rollouts = api.policies.rollouts().into_iter();
    Json(RolloutList {
        rollouts: rollouts.map(|(name, found)| RolloutView::new(&name, found, None)).collect(),
    })
}

/// The state of a policy's rollout, and what both versions did in its present stage.
#[utoipa::path(
    get, operation_id = "get_rollout", path = "/policies/{name}/rollout", tag = "rollouts", security(("admin" = [])),
    params(("name" = String, Path, description = "Name of the policy")),
    responses((status = 200, body = RolloutView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn get(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    _: NoQuery,
) -> Result<Json<RolloutView>, ApiError> {
    let rollout = api.policies.rollout(&name)?;
    let tallies = match rollout.end {
        None => Some(api.rollouts.tallies(&name, &rollout).await?),
        Some(_) => None,
    };
    Ok(Json(RolloutView::new(&name, rollout, tallies)))
}

/// Starts to roll out the next version of a policy: at first it judges beside the version in force, and enforces nothing.
#[utoipa::path(
    post, operation_id = "start_rollout", path = "/policies/{name}/rollout", tag = "rollouts", security(("admin" = [])),
    params(("name" = String, Path, description = "Name of the policy")),
    request_body = Start,
    responses(
        (status = 200, body = RolloutView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, description = "Another one is under way", body = ErrorBody),
        (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
        (status = 423, description = "Changes are frozen", body = ErrorBody)
    )
)]
pub(crate) async fn start(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    _: NoQuery,
    JsonBody(start): JsonBody<Start>,
) -> Result<Json<RolloutView>, ApiError> {
    let next = match start.document {
        Some(Plain(value)) => Some(mesh_policy::from_value(&value).map_err(ApiError::invalid)?.policy),
        None => None,
    };
    let BoundsView { refusals, errors, sample } = start.bounds;
    let plan = Plan { next, steps: start.steps, bounds: Bounds { refusals, errors, sample } };
    let cursor = api.decisions.newest_cursor().await?;
    let rollout = api.policies.start_rollout(&name, plan, cursor, Timestamp::now()).await?;
    Ok(Json(RolloutView::new(&name, rollout, None)))
}

/// Goes on to the next stage; after the last share the next version is in force everywhere.
#[utoipa::path(
    post, operation_id = "promote_rollout", path = "/policies/{name}/rollout/promote", tag = "rollouts", security(("admin" = [])),
    params(("name" = String, Path, description = "Name of the policy")),
    responses(
        (status = 200, body = RolloutView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "It is paused, or has just been changed by another", body = ErrorBody),
        (status = 422, description = "It can no longer be accepted", body = ErrorBody),
        (status = 423, description = "Changes are frozen", body = ErrorBody)
    )
)]
pub(crate) async fn promote(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    _: NoQuery,
) -> Result<Json<RolloutView>, ApiError> {
    let cursor = api.decisions.newest_cursor().await?;
    let rollout = api.policies.promote_rollout(&name, cursor, Timestamp::now()).await?;
    Ok(Json(RolloutView::new(&name, rollout, None)))
}

/// Pauses a rollout: it stays in its stage and is not judged.
#[utoipa::path(
    post, operation_id = "pause_rollout", path = "/policies/{name}/rollout/pause", tag = "rollouts", security(("admin" = [])),
    params(("name" = String, Path, description = "Name of the policy")),
    responses(
        (status = 200, body = RolloutView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "It has just been changed by another", body = ErrorBody)
    )
)]
pub(crate) async fn pause(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    _: NoQuery,
) -> Result<Json<RolloutView>, ApiError> {
    let rollout = api.policies.pause_rollout(&name, Timestamp::now()).await?;
    Ok(Json(RolloutView::new(&name, rollout, None)))
}

/// Lets a paused rollout go on.
#[utoipa::path(
    post, operation_id = "resume_rollout", path = "/policies/{name}/rollout/resume", tag = "rollouts", security(("admin" = [])),
    params(("name" = String, Path, description = "Name of the policy")),
    responses(
        (status = 200, body = RolloutView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "It has just been changed by another", body = ErrorBody),
        (status = 423, description = "Changes are frozen", body = ErrorBody)
    )
)]
pub(crate) async fn resume(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    _: NoQuery,
) -> Result<Json<RolloutView>, ApiError> {
    let rollout = api.policies.resume_rollout(&name, Timestamp::now()).await?;
    Ok(Json(RolloutView::new(&name, rollout, None)))
}

/// Ends a rollout: the present version stays in force everywhere.
#[utoipa::path(
    post, operation_id = "abort_rollout", path = "/policies/{name}/rollout/abort", tag = "rollouts", security(("admin" = [])),
    params(("name" = String, Path, description = "Name of the policy")),
    responses(
        (status = 200, body = RolloutView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "It has just been changed by another", body = ErrorBody)
    )
)]
pub(crate) async fn abort(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    _: NoQuery,
) -> Result<Json<RolloutView>, ApiError> {
    let note = "aborted".to_owned();
    let rollout = api.policies.end_rollout(&name, End::Aborted, note, Timestamp::now()).await?;
    Ok(Json(RolloutView::new(&name, rollout, None)))
}

/// The drafts.
#[derive(Serialize, ToSchema)]
pub(crate) struct DraftList {
    /// Their documents, in order of name.
    #[schema(value_type = Vec<Object>)]
    drafts: Vec<Policy>,
}

/// Lists the drafts.
#[utoipa::path(
    get, path = "/drafts", tag = "rollouts", security(("admin" = [])),
    responses((status = 200, body = DraftList), (status = 401, body = ErrorBody))
)]
pub(crate) async fn drafts(State(api): State<Api>, _: NoQuery) -> Json<DraftList> {
    Json(DraftList { drafts: api.policies.drafts() })
}

/// Reads a draft.
#[utoipa::path(
    get, path = "/drafts/{name}", tag = "rollouts", security(("admin" = [])),
    params(("name" = String, Path, description = "Name of the policy")),
    responses((status = 200, body = Object), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn draft(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    _: NoQuery,
) -> Result<Response, ApiError> {
    Ok(Json(api.policies.draft(&name)?).into_response())
}

/// Keeps a draft: a policy that compiles, and is not in force.
#[utoipa::path(
    put, path = "/drafts/{name}", tag = "rollouts", security(("admin" = [])),
    params(("name" = String, Path, description = "Name of the policy; that of the document")),
    request_body(content((serde_json::Value = "application/json"), (String = "application/yaml"))),
    responses(
        (status = 200, body = Object), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody)
    )
)]
pub(crate) async fn put_draft(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    _: NoQuery,
    document: Document,
) -> Result<Response, ApiError> {
    let source = document.source();
    let policy = document.accepted()?.policy;
    same_name("draft", &name, &policy.metadata.name)?;
    let done = api.policies.put_draft(policy.clone(), Timestamp::now()).await;
    let done = done.map_err(|error| ApiError::from(error).located(&source))?;
    Ok(Json(serde_json::json!({ "draft": policy, "changed": done.changed, "warnings": done.warnings }))
        .into_response())
}

/// Deletes a draft.
#[utoipa::path(
    delete, path = "/drafts/{name}", tag = "rollouts", security(("admin" = [])),
    params(("name" = String, Path, description = "Name of the policy")),
    responses((status = 200, body = Object), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn delete_draft(
    State(api): State<Api>,
    InPath(name): InPath<String>,
    _: NoQuery,
) -> Result<Response, ApiError> {
    api.policies.delete_draft(&name, Timestamp::now()).await?;
    Ok(Json(serde_json::json!({ "deleted": name })).into_response())
}

/// Whether changes are frozen.
#[derive(Serialize, ToSchema)]
pub(crate) struct FreezeView {
    /// Whether they are.
    frozen: bool,
    /// Who asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Option<Freeze>> for FreezeView {
    fn from(freeze: Option<Freeze>) -> Self {
        let (by, reason) = freeze.map(|freeze| (freeze.by, freeze.reason)).unzip();
        FreezeView { frozen: by.is_some(), by, reason }
    }
}

/// Why changes are to be frozen.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FreezeRequest {
    /// Who asks for it.
    by: String,
    /// Why.
    reason: String,
}

/// Whether changes are frozen, by whom and why.
#[utoipa::path(
    get, path = "/freeze", tag = "rollouts", security(("admin" = [])),
    responses((status = 200, body = FreezeView), (status = 401, body = ErrorBody))
)]
pub(crate) async fn frozen(State(api): State<Api>, _: NoQuery) -> Json<FreezeView> {
    Json(api.policies.frozen().into())
}

/// Freezes all policies: changes are refused with 423, except those that make things safer, such as a roll-back to the last known
/// good version.
#[utoipa::path(
    put, path = "/freeze", tag = "rollouts", security(("admin" = [])),
    request_body = FreezeRequest,
    responses(
        (status = 200, body = FreezeView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 415, body = ErrorBody)
    )
)]
pub(crate) async fn freeze(
    State(api): State<Api>,
    _: NoQuery,
    JsonBody(FreezeRequest { by, reason }): JsonBody<FreezeRequest>,
) -> Result<Json<FreezeView>, ApiError> {
    if by.trim().is_empty() || reason.trim().is_empty() {
        return Err(ApiError::bad_request("`by` and `reason` have to say something"));
    }
    let freeze = Freeze { by, reason };
    api.policies.freeze(Some(freeze.clone()), Timestamp::now()).await?;
    Ok(Json(Some(freeze).into()))
}

/// Unfreezes the policies.
#[utoipa::path(
    delete, path = "/freeze", tag = "rollouts", security(("admin" = [])),
    responses((status = 200, body = FreezeView), (status = 401, body = ErrorBody))
)]
pub(crate) async fn unfreeze(State(api): State<Api>, _: NoQuery) -> Result<Json<FreezeView>, ApiError> {
    api.policies.freeze(None, Timestamp::now()).await?;
    Ok(Json(None.into()))
}
