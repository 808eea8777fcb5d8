//! Who may call what: one row for every operation of the OpenAPI document.
use axum::body::Body;
use axum::http::Request;
use serde_json::Value;

use crate::support::{Plane, TOKEN};

/// Method, path and whether it is open to everybody. A new operation without a row fails the test.
const OPERATIONS: [(&str, &str, bool); 53] = [
    ("get", "/api/v1/policies", false),
    ("post", "/api/v1/policies", false),
    ("get", "/api/v1/policies/{name}", false),
    ("put", "/api/v1/policies/{name}", false),
    ("delete", "/api/v1/policies/{name}", false),
    ("get", "/api/v1/policies/{name}/versions", false),
    ("get", "/api/v1/policies/{name}/versions/{version}", false),
    ("post", "/api/v1/policies/{name}/rollback", false),
    ("get", "/api/v1/rollouts", false),
    ("get", "/api/v1/policies/{name}/rollout", false),
    ("post", "/api/v1/policies/{name}/rollout", false),
    ("post", "/api/v1/policies/{name}/rollout/promote", false),
    ("post", "/api/v1/policies/{name}/rollout/pause", false),
    ("post", "/api/v1/policies/{name}/rollout/resume", false),
    ("post", "/api/v1/policies/{name}/rollout/abort", false),
    ("get", "/api/v1/drafts", false),
    ("get", "/api/v1/drafts/{name}", false),
    ("put", "/api/v1/drafts/{name}", false),
    ("delete", "/api/v1/drafts/{name}", false),
    ("get", "/api/v1/freeze", false),
    ("put", "/api/v1/freeze", false),
    ("delete", "/api/v1/freeze", false),
    ("get", "/api/v1/agents", false),
    ("get", "/api/v1/agents/{id}", false),
    ("put", "/api/v1/agents/{id}", false),
    ("delete", "/api/v1/agents/{id}", false),
    ("post", "/api/v1/agents/{id}/suspend", false),
    ("post", "/api/v1/agents/{id}/resume", false),
    ("get", "/api/v1/tools", false),
    ("get", "/api/v1/tools/{server}/{name}", false),
    ("post", "/api/v1/tools/{server}/{name}/approve", false),
    ("post", "/api/v1/tools/{server}/{name}/reject", false),
    ("post", "/api/v1/policies/validate", false),
    ("post", "/api/v1/policies/dry-run", false),
    ("post", "/api/v1/policies/impact", false),
    ("post", "/api/v1/policies/{name}/evaluate", false),
    ("get", "/api/v1/decisions", false),
    ("get", "/api/v1/decisions/gaps", false),
    ("get", "/api/v1/decisions/{id}", false),
    ("get", "/api/v1/decisions/{id}/explanation", false),
    ("get", "/api/v1/decisions/follow", false),
    ("get", "/api/v1/limits", false),
    ("get", "/api/v1/prices", false),
    ("get", "/api/v1/prices/{model}", false),
    ("put", "/api/v1/prices/{model}", false),
    ("delete", "/api/v1/prices/{model}", false),
    ("get", "/api/v1/sidecars", false),
    ("get", "/api/v1/version", false),
    ("get", "/metrics", true),
    ("get", "/healthz", true),
    ("get", "/readyz", true),
    ("get", "/openapi.json", true),
    // Paths that are not there are no secret to somebody with the token, and nothing to others.
    ("get", "/api/v1/nothing", false),
];

fn operations() -> Vec<(String, String)> {
    let document = serde_json::to_value(mesh_control_api::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| key.as_str() != "parameters");
            methods.map(|method| (method.clone(), path.clone())).collect::<Vec<_>>()
        })
        .collect()
}

async fn status(plane: &Plane, method: &str, path: &str, authorization: Option<&str>) -> u16 {
    let path = path
        .replace("{server}", "s")
        .replace("{name}", "p")
        .replace("{version}", "1")
        .replace("{id}", "x")
        .replace("{model}", "gpt-4o");
    let mut request = Request::builder().method(method.to_uppercase().as_str()).uri(path);
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    let request = request.body(Body::empty()).unwrap();
    // Only the head: a follower's body has no end.
    tower::ServiceExt::oneshot(plane.router.clone(), request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn every_operation_has_a_row_and_asks_for_the_token() {
    let documented = operations();
    for (method, path) in &documented {
        let row = OPERATIONS.iter().any(|row| row.0 == method && row.1 == path);
        assert!(row, "{method} {path} has no row in the authorisation table");
    }
    assert_eq!(OPERATIONS.len(), documented.len() + 1, "a row names an operation that is not there");
    let plane = Plane::new().await;
    let wrong = [
        "Bearer 0123456789abcdeF",
        "Bearer ",
        "Basic 0123456789abcdef",
        "0123456789abcdef",
        "Bearer 0123456789abcdef0",
    ];
    for (method, path, open) in OPERATIONS {
        for shown in wrong.into_iter().map(Some).chain([None]) {
            let status = status(&plane, method, path, shown).await;
            assert_eq!(status == 401, !open, "{method} {path} with {shown:?}: {status}");
        }
        let status = status(&plane, method, path, Some(&format!("Bearer {TOKEN}"))).await;
        assert!(status != 401 && status < 500, "{method} {path} with the token: {status}");
    }
}

#[tokio::test]
async fn metrics_ask_for_the_token_where_others_can_reach_them() {
    let plane = Plane::unpublished(false);
    assert_eq!(status(&plane, "get", "/metrics", None).await, 401);
    assert_eq!(status(&plane, "get", "/metrics", Some(&format!("Bearer {TOKEN}"))).await, 200);
    assert_eq!(status(&plane, "get", "/healthz", None).await, 200);
}

#[tokio::test]
async fn a_refusal_says_what_to_send_and_nothing_else() {
    let plane = Plane::new().await;
    let answer = plane.raw(Request::get("/api/v1/policies").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"ai-mesh\"");
    assert!(!answer.text.contains(TOKEN));
    let message = answer.refused(401, "unauthenticated");
    assert!(message.contains("Authorization: Bearer"), "{message}");
    // Two tokens: who is asking?
    let twice = Request::get("/api/v1/policies")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("authorization", "Bearer other")
        .body(Body::empty())
        .unwrap();
    plane.raw(twice).await.refused(401, "unauthenticated");
}

#[test]
fn every_protected_operation_says_so_in_the_document() {
    let document = serde_json::to_value(mesh_control_api::openapi()).unwrap();
    for (method, path, open) in OPERATIONS {
        let security = &document["paths"][path][method]["security"];
        let asks = security == &serde_json::json!([{ "admin": [] }]);
        if path != "/api/v1/nothing" {
            assert_eq!(asks, !open, "{method} {path}: {security}");
        }
    }
    assert_eq!(document["components"]["securitySchemes"]["admin"]["scheme"], Value::from("bearer"));
}
