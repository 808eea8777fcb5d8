//! The OpenAPI document: what is checked in is what is served.
use std::path::Path;

use crate::support::Plane;

/// `AI_MESH_WRITE_OPENAPI=1 cargo test -p mesh-control-api openapi` writes it anew.
#[test]
fn the_checked_in_document_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../api/openapi.json");
    let fresh = mesh_control_api::openapi().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("AI_MESH_WRITE_OPENAPI").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == fresh,
        "api/openapi.json is out of date: AI_MESH_WRITE_OPENAPI=1 cargo test -p mesh-control-api openapi"
    );
}

/// Clients that are made from the document name their functions so.
#[test]
fn operations_have_names_of_their_own() {
    let document = serde_json::to_value(mesh_control_api::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let mut names: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
}

/// A document that breaks this is none of OpenAPI's, and clients that are made from it fail.
#[test]
fn paths_and_their_parameters_agree() {
    let document = serde_json::to_value(mesh_control_api::openapi()).unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let mut in_path: Vec<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        in_path.sort_unstable();
        for (method, operation) in operations.as_object().unwrap() {
            let all = operation["parameters"].as_array().into_iter().flatten();
            let declared = all.filter(|parameter| parameter["in"] == "path");
            let mut declared: Vec<&str> = declared.map(|one| one["name"].as_str().unwrap()).collect();
            declared.sort_unstable();
            assert_eq!(declared, in_path, "{method} {path}");
        }
    }
}

#[test]
fn every_operation_says_how_it_may_fail() {
    let document = serde_json::to_value(mesh_control_api::openapi()).unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/api/v1") {
            continue;
        }
        for (method, operation) in operations.as_object().unwrap() {
            let statuses = operation["responses"].as_object().unwrap();
            let body = operation.get("requestBody").is_some();
            let expected =
                ["400", "401", "503"].into_iter().chain(["413", "415"].into_iter().filter(|_| body));
            for status in expected {
                assert!(statuses.contains_key(status), "{method} {path}: {status}");
            }
        }
    }
}

#[tokio::test]
async fn it_is_served_to_everybody() {
    let served = Plane::new().await.get("/openapi.json").await.is(200);
    assert_eq!(served, serde_json::to_value(mesh_control_api::openapi()).unwrap());
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"));
    let schemas = served["components"]["schemas"].as_object().unwrap();
    for name in ["Decision", "Diagnostic", "DryRun", "ErrorBody", "Gap", "PolicyView", "Sidecar"] {
        assert!(schemas.contains_key(name), "{name}: {:?}", schemas.keys());
    }
}
