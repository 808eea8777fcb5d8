//! Decisions: listing, reading, following, and what is missing.
use std::convert::Infallible;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::Stream;
use mesh_control_core::ports::StoreError;
use mesh_control_core::{Decision, DecisionFilter, Explanation, Gap, Place, Timestamp, explain};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, ErrorBody, causes};
use crate::extract::{InPath, NoQuery, Params, whole};
use crate::state::Api;

/// Some decisions.
#[derive(Serialize, ToSchema)]
pub(crate) struct DecisionList {
    /// Newest first.
    decisions: Vec<Decision>,
    /// Pass it as `cursor` for the decisions before these; none when there are none.
    next_cursor: Option<String>,
}

/// Which decisions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Only decisions about this agent.
    agent: Option<String>,
    /// Only decisions with this outcome: `allow`, `allow_with_modifications`, `deny` or `throttle`.
    decision: Option<String>,
    /// Only decisions to which this policy applied.
    policy: Option<String>,
    /// Only decisions to which this guard applied, such as `pii`.
    guard: Option<String>,
    /// Only decisions at this time or later (RFC 3339).
    since: Option<String>,
    /// Only decisions before this time (RFC 3339).
    until: Option<String>,
    /// At most this many, from 1 to 1000; 100 when not given.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    #[serde(default, deserialize_with = "whole")]
    limit: Option<u32>,
    /// `next_cursor` of an earlier answer.
    cursor: Option<String>,
}

/// Which decisions to follow.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FollowParams {
    /// Only decisions about this agent.
    agent: Option<String>,
    /// Only decisions with this outcome: `allow`, `allow_with_modifications`, `deny` or `throttle`.
    decision: Option<String>,
    /// Only decisions to which this policy applied.
    policy: Option<String>,
    /// Only decisions to which this guard applied, such as `pii`.
    guard: Option<String>,
    /// Go on after the event with this id; from now on when it is not given. The header `Last-Event-ID` does the same.
    after: Option<String>,
}

/// Lists decisions, newest first.
#[utoipa::path(
    get, operation_id = "list_decisions", path = "/decisions", tag = "decisions", security(("admin" = [])), params(ListParams),
    responses((status = 200, body = DecisionList), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Params(params): Params<ListParams>,
) -> Result<Json<DecisionList>, ApiError> {
    let filter = DecisionFilter {
        agent: params.agent,
        decision: outcome(params.decision)?,
        policy: params.policy,
        guard: params.guard,
        since: time("since", params.since)?,
        until: time("until", params.until)?,
        before: place(params.cursor.as_deref())?,
        after: None,
        limit: limit(params.limit)?,
    };
    let page = api.decisions.list(&filter).await?;
    Ok(Json(DecisionList {
        next_cursor: page.older().map(|place| place.to_string()),
        decisions: page.decisions.into_iter().map(|(_, decision)| decision).collect(),
    }))
}

/// Reads one decision.
#[utoipa::path(
    get, operation_id = "get_decision", path = "/decisions/{id}", tag = "decisions", security(("admin" = [])),
    params(("id" = String, Path, description = "As in the response header `x-ai-mesh-decision-id`")),
    responses((status = 200, body = Decision), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn get(
    State(api): State<Api>,
    InPath(id): InPath<String>,
    _: NoQuery,
) -> Result<Json<Decision>, ApiError> {
    let found = api.decisions.get(&id).await?;
    found.map(Json).ok_or_else(|| ApiError::not_found(unknown(&id)))
}

/// Explains one decision: which policy, version and rule, by which facts, and what would have changed the outcome.
#[utoipa::path(
    get, operation_id = "explain_decision", path = "/decisions/{id}/explanation", tag = "decisions", security(("admin" = [])),
    params(("id" = String, Path, description = "As in the response header `x-ai-mesh-decision-id`")),
    responses((status = 200, body = Explanation), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(crate) async fn explanation(
    State(api): State<Api>,
    InPath(id): InPath<String>,
    _: NoQuery,
) -> Result<Json<Explanation>, ApiError> {
    let found = api.decisions.get(&id).await?;
    let decision = found.ok_or_else(|| ApiError::not_found(unknown(&id)))?;
    let mut documents = Vec::new();
    for applied in &decision.policies {
        // A version that is not known any more (another database) leaves its rules unnamed.
        if let Some(policy) = api.policies.judged_by(&applied.id, applied.version).await {
            documents.push((applied, policy));
        }
    }
    let document = |id: &str, version: u64| {
        let known = documents.iter().find(|(applied, _)| applied.id == id && applied.version == version);
        known.map(|(_, policy)| policy.clone())
    };
    Ok(Json(explain(&decision, document)))
}

fn unknown(id: &str) -> String {
    format!("there is no decision {id:?}; one that was made just now is there a moment later")
}

/// Follows decisions as server-sent events, oldest first: `data` is a decision, `id` its place for `Last-Event-ID`.
#[utoipa::path(
    get, operation_id = "follow_decisions", path = "/decisions/follow", tag = "decisions", security(("admin" = [])),
    params(FollowParams, ("Last-Event-ID" = Option<String>, Header, description = "Go on after this event")),
    responses(
        (status = 200, description = "Events without end", body = Decision, content_type = "text/event-stream"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)
    )
)]
pub(crate) async fn follow(
    State(api): State<Api>,
    Params(params): Params<FollowParams>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    // A client that reconnects repeats its first query: what it saw last wins.
    let seen = headers.get("last-event-id").map(|value| value.to_str().unwrap_or("?"));
    let filter = DecisionFilter {
        agent: params.agent,
        decision: outcome(params.decision)?,
        policy: params.policy,
        guard: params.guard,
        after: event(seen.or(params.after.as_deref()))?,
        ..DecisionFilter::default()
    };
    let follower = api.decisions.follow(filter).await?;
    let pages =
        futures::stream::unfold((follower, api.stopping.clone()), |(mut follower, mut stopping)| async {
            let page = tokio::select! {
                page = follower.next() => page.inspect_err(not_followed).ok()?,
                _ = stopping.wait_for(|stop| *stop) => return None,
            };
            Some((futures::stream::iter(page), (follower, stopping)))
        });
    let events = futures::StreamExt::flatten(pages);
    let events = futures::StreamExt::map(events, |(cursor, decision)| {
        let event = Event::default().event("decision").id(cursor.to_string());
        Ok(event.json_data(decision).unwrap_or_else(|_| Event::default().event("error").data("{}")))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// The client only sees the stream end.
fn not_followed(error: &StoreError) {
    let causes = causes(error);
    tracing::error!(%error, causes, "decisions cannot be followed");
}

/// Gaps in the records.
#[derive(Serialize, ToSchema)]
pub(crate) struct GapList {
    /// Newest first.
    gaps: Vec<Gap>,
}

/// How many gaps.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GapParams {
    /// At most this many, from 1 to 1000; 100 when not given.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    #[serde(default, deserialize_with = "whole")]
    limit: Option<u32>,
}

/// Lists the records that sidecars numbered but that never arrived.
#[utoipa::path(
    get, operation_id = "list_gaps", path = "/decisions/gaps", tag = "decisions", security(("admin" = [])), params(GapParams),
    responses((status = 200, body = GapList), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody))
)]
pub(crate) async fn gaps(
    State(api): State<Api>,
    Params(params): Params<GapParams>,
) -> Result<Json<GapList>, ApiError> {
    Ok(Json(GapList { gaps: api.decisions.gaps(limit(params.limit)?).await? }))
}

fn limit(limit: Option<u32>) -> Result<u32, ApiError> {
    match limit.unwrap_or(100) {
        limit @ 1..=1000 => Ok(limit),
        other => Err(ApiError::bad_request(format!("limit is {other}; expected 1 to 1000"))),
    }
}

/// Where a page ended.
fn place(value: Option<&str>) -> Result<Option<Place>, ApiError> {
    let bad = "cursor is not a cursor that this API gives out (an older version gave out others): list again without it";
    value.map(|value| value.parse().map_err(|_| ApiError::bad_request(bad))).transpose()
}

/// The id of an event.
fn event(value: Option<&str>) -> Result<Option<u64>, ApiError> {
    let bad = "after is not a cursor that this API gave out";
    value.map(|value| value.parse().map_err(|_| ApiError::bad_request(bad))).transpose()
}

fn time(name: &str, value: Option<String>) -> Result<Option<Timestamp>, ApiError> {
    let bad = |found: &str| {
        ApiError::bad_request(format!("{name} is {found:?}; expected a time such as 2026-11-24T09:00:00Z"))
    };
    value.map(|value| value.parse().map_err(|_| bad(&value))).transpose()
}

fn outcome(value: Option<String>) -> Result<Option<String>, ApiError> {
    const KNOWN: [&str; 4] = ["allow", "allow_with_modifications", "deny", "throttle"];
    match value {
        Some(value) if !KNOWN.contains(&value.as_str()) => {
            Err(ApiError::bad_request(format!("decision is {value:?}; expected one of {}", KNOWN.join(", "))))
        }
        value => Ok(value),
    }
}
