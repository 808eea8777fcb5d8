//! What is granted: by the path where nothing else tells what its server reads, and by policies in force alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic, missing_docs)]

use std::rc::Rc;

use mesh_engine::{Detector, RequestHead, Session, Step, compile};
use mesh_policy::{Bundle, BundlePolicy, BundleRollout, Policy, Stage};
use serde_json::{Value, json};

fn policy(spec: Value) -> BundlePolicy {
    let document = json!({ "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": "p" },
        "spec": spec });
    let policy: Policy = serde_json::from_value(document).unwrap();
    BundlePolicy { id: "p".into(), version: 1, policy }
}

/// Whether it passes, and of whom a violation is recorded.
fn asked(bundle: Bundle, method: &str, path: &str, body: &Value) -> (bool, Vec<String>) {
    let program = Rc::new(compile(&bundle.for_sidecar("here"), Rc::new(Detector::new())).unwrap());
    let headers = vec![("content-type".into(), "application/json".into())];
    let head = RequestHead { method: method.into(), path: path.into(), headers, ..RequestHead::default() };
    let mut session = Session::start(program, head, "d".into(), 0);
    let body = body.to_string();
    let ends = body == "null";
    let step = match session.request_headers(ends, 0) {
        Step::ReadBody => session.request(body.as_bytes(), 0),
        step => step,
    };
    let passes = matches!(step, Step::Continue);
    let (decision, ..) = session.finish();
    (passes, decision.violations.into_iter().map(|violation| violation.policy_id).collect())
}

fn grant(resource: &str) -> Value {
    json!({ "access": { "resource": resource, "allowedRoles": ["*"], "allowedActions": ["*"] } })
}

/// Each row: the rules, a request, and whether it passes.
#[test]
fn what_a_body_looks_like_takes_no_guard_away() {
    let models = json!([{ "models": { "allow": ["gpt-4o"] } }]);
    let tools = json!([{ "tools": { "deny": ["rm"] } }]);
    let rpc = json!({ "jsonrpc": "2.0", "method": "ping", "id": 1 });
    let with = |more: Value| {
        let mut body = rpc.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let call =
        |name: &str| json!({ "jsonrpc": "2.0", "method": "tools/call", "id": 1, "params": { "name": name } });
    for (rules, method, path, body, passes) in [
        (json!([grant("reports/q1")]), "GET", "/reports/q1", Value::Null, true),
        (json!([grant("reports/q1")]), "GET", "/reports/q3", Value::Null, false),
        (json!([grant("reports/q1")]), "GET", "/reports/q3", rpc.clone(), false),
        (json!([grant("reports/q1")]), "DELETE", "/reports/q3", rpc.clone(), false),
        (json!([grant("models/*")]), "GET", "/reports/q3", json!({ "model": "gpt-4o" }), false),
        (json!([grant("models/*")]), "GET", "/reports/q3", with(json!({ "model": "gpt-4o" })), false),
        (
            json!([grant("models/*"), grant("reports/*")]),
            "GET",
            "/reports/q3",
            json!({ "model": "gpt-4o" }),
            true,
        ),
        (json!([grant("reports/*")]), "GET", "/reports/q3", json!({ "model": "gpt-4o" }), false),
        // Where the path says what is read, what is read is asked for and nothing else.
        (
            json!([grant("models/*")]),
            "POST",
            "/v1/chat/completions",
            json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "hi" }] }),
            true,
        ),
        (json!([grant("tools/search")]), "POST", "/mcp", call("search"), true),
        (json!([grant("tools/search")]), "POST", "/mcp", call("rm"), false),
        (json!([grant("tools/search")]), "POST", "/mcp", rpc.clone(), true),
        (json!([grant("tools/search")]), "POST", "/servers/a", call("search"), false),
        (json!([grant("tools/search"), grant("servers/*")]), "POST", "/servers/a", call("search"), true),
        (json!([grant("servers/*")]), "POST", "/servers/a", call("search"), false),
        (models.clone(), "POST", "/generate", json!({ "model": "o1", "prompt": "x" }), false),
        (models.clone(), "POST", "/generate", with(json!({ "model": "o1", "prompt": "x" })), false),
        (models, "POST", "/generate", with(json!({ "model": "gpt-4o", "prompt": "x" })), true),
        (
            tools.clone(),
            "POST",
            "/generate",
            with(json!({ "tools": [{ "function": { "name": "rm" } }] })),
            false,
        ),
        (
            tools.clone(),
            "POST",
            "/generate",
            json!({ "inputs": "x", "functions": [{ "name": "rm" }] }),
            false,
        ),
        (tools, "POST", "/generate", with(json!({ "tools": [{ "name": "ls" }] })), true),
    ] {
        let bundle = Bundle {
            version: "1".into(),
            policies: vec![policy(json!({ "rules": rules }))],
            ..Bundle::default()
        };
        assert_eq!(asked(bundle, method, path, &body).0, passes, "{rules} {method} {path} {body}");
    }
}

/// Each row: what the policy in force grants and what another one does that enforces nothing, whether `reports/q1` may be
/// read, and who objects.
#[test]
fn what_is_only_tried_out_opens_nothing() {
    let read = |bundle: Bundle| asked(bundle, "GET", "/reports/q1", &Value::Null);
    for (own, tried, passes, object) in [
        ("models/*", "reports/*", false, vec!["p"]),
        ("reports/*", "models/*", true, vec![]),
        ("models/*", "models/*", false, vec!["p", "q"]),
    ] {
        for enforcement in ["logging", "advisory"] {
            let mut other = policy(json!({ "rules": [grant(tried)], "enforcement": enforcement }));
            other.id = "q".into();
            let policies = vec![policy(json!({ "rules": [grant(own)] })), other];
            let (passed, mut objected) = read(Bundle { version: "1".into(), policies, ..Bundle::default() });
            if enforcement == "advisory" {
                objected.extend(object.contains(&"q").then(|| "q".to_owned()));
            }
            assert_eq!(
                (passed, objected),
                (passes, object.iter().map(|id| (*id).to_owned()).collect()),
                "{own} {tried}"
            );
        }
    }
    for (present, next, passes, object) in [
        ("models/*", "reports/*", false, vec!["p"]),
        ("reports/*", "models/*", true, vec!["p@2"]),
        ("reports/*", "reports/q*", true, vec![]),
    ] {
        let next = BundlePolicy { version: 2, ..policy(json!({ "rules": [grant(next)] })) };
        let policies = vec![policy(json!({ "rules": [grant(present)] }))];
        let rollouts = vec![BundleRollout { stage: Stage::Monitor, next }];
        let bundle = Bundle { version: "1".into(), policies, rollouts, ..Bundle::default() };
        let (passed, objected) = read(bundle);
        assert_eq!(
            (passed, objected),
            (passes, object.iter().map(|id| (*id).to_owned()).collect()),
            "{present}"
        );
    }
}
