//! The routes: REST under `/api/v1`, and what stands outside it.

mod agents;
mod decisions;
mod limits;
mod monitor;
mod policies;
mod prices;
mod rollouts;
mod sidecars;
mod tools;
mod trials;
mod views;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::require_admin;
use crate::error::ApiError;
use crate::state::Api;

/// 4 MiB: far more than any policy or sample request needs.
pub(crate) const MAX_BODY: usize = 4 * 1024 * 1024;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "AI-Agent Mesh control plane",
        description = "Policies, decisions and sidecars of an AI-Agent Mesh.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    modifiers(&Bearer),
    tags(
        (name = "policies", description = "Policy documents and their versions"),
        (name = "trials", description = "Validating and trying policies without putting them in force"),
        (name = "rollouts", description = "Drafts, rollouts in stages, and the freeze"),
        (name = "agents", description = "The registry of agents"),
        (name = "tools", description = "Tools whose definitions are pinned"),
        (name = "decisions", description = "What was decided"),
        (name = "limits", description = "What is used of limits and budgets"),
        (name = "sidecars", description = "Who is connected, and what they run"),
        (name = "monitoring", description = "Health and metrics"),
    )
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The administrator's token, from `admin-token` in the data directory"));
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("admin", SecurityScheme::Http(scheme.build()));
    }
}

fn protected() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(policies::list, policies::create))
        .routes(routes!(policies::get, policies::put, policies::delete))
        .routes(routes!(policies::versions))
        .routes(routes!(policies::version))
        .routes(routes!(policies::rollback))
        .routes(routes!(rollouts::list))
        .routes(routes!(rollouts::get, rollouts::start))
        .routes(routes!(rollouts::promote))
        .routes(routes!(rollouts::pause))
        .routes(routes!(rollouts::resume))
        .routes(routes!(rollouts::abort))
        .routes(routes!(rollouts::drafts))
        .routes(routes!(rollouts::draft, rollouts::put_draft, rollouts::delete_draft))
        .routes(routes!(rollouts::frozen, rollouts::freeze, rollouts::unfreeze))
        .routes(routes!(agents::list))
        .routes(routes!(agents::get, agents::put, agents::delete))
        .routes(routes!(agents::suspend))
        .routes(routes!(agents::resume))
        .routes(routes!(tools::list))
        .routes(routes!(tools::get))
        .routes(routes!(tools::approve))
        .routes(routes!(tools::reject))
        .routes(routes!(trials::validate))
        .routes(routes!(trials::dry_run))
        .routes(routes!(trials::impact))
        .routes(routes!(trials::evaluate))
        .routes(routes!(decisions::list))
        .routes(routes!(decisions::follow))
        .routes(routes!(decisions::gaps))
        .routes(routes!(decisions::get))
        .routes(routes!(decisions::explanation))
        .routes(routes!(limits::list))
        .routes(routes!(prices::list))
        .routes(routes!(prices::get, prices::put, prices::delete))
        .routes(routes!(sidecars::list))
        .routes(routes!(sidecars::version))
}

fn open() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(monitor::healthz))
        .routes(routes!(monitor::readyz))
        .routes(routes!(monitor::describe))
        .routes(routes!(monitor::metrics))
}

/// The OpenAPI document of the whole API, as `/openapi.json` gives it.
pub fn openapi() -> OpenApi {
    let mut document = OpenApiRouter::<Api>::with_openapi(Document::openapi())
        .nest("/api/v1", protected())
        .merge(open())
        .into_openapi();
    for (_, path) in document.paths.paths.iter_mut().filter(|(path, _)| path.starts_with("/api/v1")) {
        let operations = [&mut path.get, &mut path.put, &mut path.post, &mut path.delete];
        operations.into_iter().flatten().for_each(may_fail);
    }
    document
}

/// What every operation may answer where it is asked in a wrong way, or the store fails.
fn may_fail(operation: &mut Operation) {
    let always = [
        ("400", "The request is wrong"),
        ("401", "The token is missing or wrong"),
        ("503", "The store failed"),
    ];
    let with_body = [("413", "The body is too large"), ("415", "The body is of another type")];
    let with_body = with_body.into_iter().filter(|_| operation.request_body.is_some());
    for (status, description) in always.into_iter().chain(with_body) {
        let error = Content::new(Some(Ref::from_schema_name("ErrorBody")));
        let response =
            ResponseBuilder::new().description(description).content("application/json", error).build();
        operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
    }
}

/// The router of the HTTP port.
pub fn router(api: Api) -> Router {
    let (protected, _) = protected().split_for_parts();
    let (open, _) = open().split_for_parts();
    let protected = protected
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(api.admin.clone(), require_admin));
    Router::new()
        .nest("/api/v1", protected)
        .merge(open)
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(api.clone(), monitor::guard_metrics))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(api.clone(), count))
        .with_state(api)
}

async fn unknown() -> ApiError {
    ApiError::not_found("there is nothing at this path; see /openapi.json for what there is")
}

async fn wrong_method() -> ApiError {
    let message = "this path does not take that method; see /openapi.json for what it takes";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let response = next.run(request).await;
    api.metrics.answered(&method, route.as_deref(), response.status().as_u16());
    response
}
