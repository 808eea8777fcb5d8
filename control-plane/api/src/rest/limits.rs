//! How the accounts of limits stand.
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use mesh_control_core::{
    AccountFilter, AccountView, Accounts, DOMAIN, LimitId, Measure, Policies, place_of_limit,
};
use serde::{Deserialize, Serialize};
use utoipa::openapi::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, ErrorBody};
use crate::extract::Params;
use crate::state::Api;
use crate::steady;

/// The accounts that were used last.
#[derive(Serialize, ToSchema)]
pub(crate) struct LimitList {
    /// The one used last comes first.
    limits: Vec<LimitView>,
    /// Whether there may be more.
    truncated: bool,
}

/// One account of a limit.
#[derive(Serialize, ToSchema)]
pub(crate) struct LimitView {
    /// The policy; none for a limit that another Envoy set.
    policy: Option<String>,
    /// The rule's place in the policy that is in force, counted from 0 as in `spec.rules[0]`; none where that has no such limit (any more).
    rule: Option<u32>,
    /// Which of the policy's rules with such a limit it is, in order and from 0: by this the account is known, wherever its rule stands.
    number: Option<u32>,
    /// Whose account, such as `user:ada`; for a limit that another Envoy set, its domain and entries.
    key: String,
    #[schema(schema_with = measures)]
    measure: &'static str,
    /// Spent in the window, and reserved; of `cost` in millionths of a US dollar.
    used: u64,
    /// What of it is reserved: by requests that have not ended, and in leases.
    reserved: u64,
    /// What of it lies in leases: sidecars may admit so much without asking.
    lent: u64,
    /// How many leases these are.
    leases: u64,
    /// How many reservations are open: of requests that have not ended, and leases.
    open: u64,
    /// Seconds until the first of them expires, if no sidecar settles it; none while none is open.
    expires_in_seconds: Option<u64>,
    /// How many reservations expired lately because no sidecar settled them: in the last window, or of `concurrent` in the last ten
    /// minutes. What they held counts as spent; places are free again.
    expired: u64,
    /// The limit it was asked about last, in the same unit.
    limit: u64,
    /// Length of the sliding window in seconds; of no meaning to `concurrent`.
    window_seconds: u64,
    /// Seconds until the oldest spending leaves the window; none while nothing is spent.
    resets_in_seconds: Option<u64>,
}

/// Which accounts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Of this policy.
    policy: Option<String>,
    /// Of this key, such as `agent:support-1`.
    key: Option<String>,
}

/// Accounts that are listed; the store bounds it too.
const MOST: usize = 1000;

/// Lists how limits stand: what is used of them, and what is left.
#[utoipa::path(
    get, operation_id = "list_limits", path = "/limits", tag = "limits", security(("admin" = [])), params(ListParams),
    responses((status = 200, body = LimitList), (status = 401, body = ErrorBody))
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Params(params): Params<ListParams>,
) -> Result<Json<LimitList>, ApiError> {
    let filter = AccountFilter { policy: params.policy, key: params.key };
    let Accounts { views, expired, more } = api.limits.accounts(&filter, MOST, steady::now()).await?;
    api.metrics.limits.expired(expired);
    Ok(Json(LimitList {
        limits: views.into_iter().map(|view| LimitView::of(view, &api.policies)).collect(),
        truncated: more,
    }))
}

impl LimitView {
    fn of(account: AccountView, policies: &Policies) -> Self {
        let id = LimitId::of(&account.key);
        let entry = |name: &str| {
            let ours = id.as_ref().filter(|id| id.domain == DOMAIN)?;
            ours.entry(name).map(str::to_owned)
        };
        let measure = entry("measure").and_then(|name| Measure::from_name(&name));
        let number = entry("rule").and_then(|number| number.parse().ok());
        let policy = entry("policy");
        let rule = measure.zip(number).and_then(|(measure, number)| {
            let held = policies.get(policy.as_deref()?).ok()?;
            place_of_limit(held.version.policy()?, measure, account.terms.window_us / 1_000_000, number)
        });
        LimitView {
            policy,
            rule,
            number,
            measure: measure.unwrap_or(Measure::Requests).as_str(),
            used: account.used,
            reserved: account.held,
            lent: account.lent,
            leases: account.leases,
            open: account.open,
            expires_in_seconds: account.expires.map(seconds),
            expired: account.unsettled,
            limit: account.terms.limit,
            window_seconds: account.terms.window_us / 1_000_000,
            resets_in_seconds: account.resets.map(seconds),
            key: entry("key").unwrap_or(account.key),
        }
    }
}

/// `mesh_limits` itself knows nothing of OpenAPI.
fn measures() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("What is counted."))
        .enum_values(Some(Measure::ALL.map(Measure::as_str)))
        .build()
}

/// Rounded up: then it has happened.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
