//! What is granted: by the path where nothing else tells what its server reads, and by policies in force alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::rc::Rc;

use mesh_engine::{RequestHead, Session, Step};
use mesh_policy::{Bundle, BundlePolicy, BundleRollout, Stage};
use serde_json::{Value, json};

use crate::support::{bundle, compiled, policy, post, sent};

/// Whether it passes, and of whom a violation is recorded.
fn asked(bundle: Bundle, method: &str, path: &str, body: &Value) -> (bool, Vec<String>) {
    asked_with(bundle, (method, path), ("accept", "*/*"), body)
}

fn asked_with(
    bundle: Bundle,
    (method, path): (&str, &str),
    (name, value): (&str, &str),
    body: &Value,
) -> (bool, Vec<String>) {
    let program = Rc::new(compiled(&bundle.for_sidecar("here")));
    let mut head = RequestHead { method: method.into(), ..post(path) };
    head.headers.push((name.into(), value.into()));
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
        let bundle = bundle(json!({ "rules": rules }));
        assert_eq!(asked(bundle, method, path, &body).0, passes, "{rules} {method} {path} {body}");
    }
}

fn rules(rules: Value) -> Bundle {
    let policies = vec![policy(json!({ "rules": rules }))];
    Bundle { version: "1".into(), policies, ..Bundle::default() }
}

/// Each row, with a grant of `models/gpt-4o` alone: a request that names that model, and whether it passes.
#[test]
fn only_a_query_is_one() {
    let body = json!({ "model": "gpt-4o", "messages": [], "input": "x", "prompt": "x" });
    for (method, path, passes) in [
        ("POST", "/v1/responses", true),
        ("POST", "/openai/v1/responses", true),
        ("POST", "/v1/responses/input_tokens", true),
        ("POST", "/v1/responses/compact", true),
        ("POST", "/responses", true),
        ("POST", "/llm/chat/completions", true),
        ("POST", "/v1/fim/completions", true),
        ("POST", "/api/v3/embeddings", true),
        ("POST", "/openai/deployments/gpt-4o/embeddings", true),
        ("POST", "/v1/messages", true),
        ("POST", "/api/chat", true),
        ("POST", "/v1beta/models/gpt-4o:generateContent", true),
        ("GET", "/v1/responses/resp_1", false),
        ("DELETE", "/v1/responses/resp_1", false),
        ("POST", "/v1/responses/resp_1/cancel", false),
        ("GET", "/v1/chat/completions", false),
        ("PUT", "/v1/messages", false),
        ("POST", "/surveys/7/responses", false),
        ("POST", "/hr/trainings/completions", false),
        ("POST", "/hr/embeddings", false),
        ("POST", "/hr/message:approve", false),
        ("POST", "/v1/responses/../files", false),
    ] {
        let grants = rules(json!([grant("models/gpt-4o")]));
        assert_eq!(asked(grants, method, path, &body).0, passes, "{method} {path}");
        let grants = rules(json!([grant("models/gpt-4o"), grant(path.trim_start_matches('/'))]));
        assert_eq!(asked(grants, method, path, &body).0, !path.contains(".."), "{method} {path}");
    }
}

/// Each row, with a grant of `tools/search` alone: a message to an MCP server, and whether it passes.
#[test]
fn what_names_nothing_is_granted_by_its_path() {
    let rpc = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let call = |name: &str| rpc("tools/call", json!({ "name": name }));
    let with = |mut body: Value, name: &str, value: Value| {
        body[name] = value;
        body
    };
    for (method, path, body, passes) in [
        ("POST", "/mcp", rpc("initialize", json!({ "protocolVersion": "2025-11-25" })), true),
        ("POST", "/mcp", rpc("ping", json!({})), true),
        ("POST", "/mcp", json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }), true),
        ("POST", "/mcp", rpc("tools/list", json!({})), true),
        ("POST", "/mcp", rpc("resources/list", json!({})), true),
        ("POST", "/mcp", json!({ "jsonrpc": "2.0", "id": 1, "result": {} }), true),
        ("POST", "/mcp", json!([rpc("ping", json!({})), call("search")]), true),
        (
            "POST",
            "/mcp",
            rpc("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } })),
            true,
        ),
        (
            "POST",
            "/mcp",
            rpc(
                "subscriptions/listen",
                json!({ "notifications": { "resourceSubscriptions": ["hr://salaries"] } }),
            ),
            false,
        ),
        ("POST", "/mcp", rpc("tasks/result", json!({ "taskId": "1" })), false),
        ("POST", "/mcp", rpc("hr/deleteEverything", json!({})), false),
        ("POST", "/mcp", json!([call("search"), rpc("tasks/cancel", json!({ "taskId": "1" }))]), false),
        ("POST", "/mcp", json!([]), false),
        ("POST", "/hr/mcp", json!({ "amount": 5 }), false),
        ("POST", "/hr/mcp", with(rpc("ping", json!({})), "amount", json!(5)), false),
        ("POST", "/hr/mcp", with(call("search"), "amount", json!(5)), false),
        ("DELETE", "/mcp", rpc("ping", json!({})), false),
        ("PUT", "/mcp", call("search"), false),
        // The older transport's path, under a mount that makes it another protocol's.
        ("POST", "/v1/messages/?session_id=1", call("search"), false),
        ("POST", "/v1/messages/?session_id=1", call("rm"), false),
    ] {
        let (path_only, _) = path.split_once('?').unwrap_or((path, ""));
        let grants = rules(json!([grant("tools/search")]));
        assert_eq!(asked(grants, method, path, &body).0, passes, "{method} {path} {body}");
        let grants =
            rules(json!([grant("tools/*"), grant("models/*"), grant(path_only.trim_start_matches('/'))]));
        let reads = body.to_string().contains("hr://");
        assert_eq!(asked(grants, method, path, &body).0, !reads, "{method} {path} {body}");
    }
    let chat = with(with(call("rm"), "model", json!("gpt-4o")), "messages", json!([]));
    let grants = rules(json!([grant("models/*"), grant("v1/*")]));
    assert!(!asked(grants, "POST", "/v1/messages", &chat).0, "a call is one beside a query, too");
}

/// Each row, with the grant to write `reports/q1`: what else says how and where it is asked for, and whether it passes.
#[test]
fn what_servers_read_instead_of_the_request_line_is_asked_for_too() {
    let write = json!([{ "access": { "resource": "reports/q1", "allowedRoles": ["*"], "allowedActions": ["write"] } }]);
    for (path, name, value, passes) in [
        ("/reports/q1", "accept", "*/*", true),
        ("/reports/q1", "x-http-method-override", "patch", true),
        ("/reports/q1", "x-http-method-override", "delete", false),
        ("/reports/q1", "x-http-method-override", "GET", false),
        ("/reports/q1", "x-http-method", "DELETE", false),
        ("/reports/q1", "x-method-override", "DELETE", false),
        ("/reports/q1?a=1&_method=PUT", "accept", "*/*", true),
        ("/reports/q1?a=1&%5Fmethod=delete", "accept", "*/*", false),
        ("/reports/q1?a=1", "x-original-url", "/reports/q1?a=1", true),
        ("/reports/q1", "x-original-url", "https://reports.example/reports/q1", true),
        ("/reports/q1", "x-original-url", "/hr/salaries", false),
        ("/reports/q1", "x-rewrite-url", "https://reports.example/hr/salaries", false),
        ("/reports/q1", "x-rewrite-url", "/reports/q1/../../hr", false),
    ] {
        let body = json!({ "a": 1 });
        let passed = asked_with(rules(write.clone()), ("POST", path), (name, value), &body).0;
        assert_eq!(passed, passes, "{path} {name}: {value}");
    }
    let multipart = |field: &str| {
        format!("--X\r\ncontent-disposition: form-data; name=\"_method\"\r\n\r\n{field}\r\n--X--\r\n")
    };
    for (content_type, body, passes) in [
        ("application/x-www-form-urlencoded", "a=1&_method=put".to_owned(), true),
        // JSON to those who look at the first byte alone.
        ("application/x-www-form-urlencoded", r#"{"a":"&_method=DELETE&b="}"#.to_owned(), false),
        ("application/x-www-form-urlencoded", "{&_method=DELETE".to_owned(), false),
        ("application/x-www-form-urlencoded", "a=1&%5Fmethod=delete".to_owned(), false),
        ("multipart/form-data; boundary=X", multipart("PATCH"), true),
        ("multipart/form-data; boundary=X", multipart("DELETE"), false),
    ] {
        let sent = sent(json!({ "rules": write }), "/reports/q1", content_type, body.as_bytes());
        assert_eq!(sent.is_some(), passes, "{body}");
    }
    let chat = json!({ "model": "gpt-4o", "messages": [] });
    for (name, value) in [("x-http-method-override", "DELETE"), ("x-original-url", "/hr/salaries")] {
        let grants = rules(json!([grant("models/*")]));
        assert!(!asked_with(grants, ("POST", "/v1/chat/completions"), (name, value), &chat).0, "{name}");
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
        let rollouts = vec![BundleRollout { stage: Stage::Monitor, next }];
        let bundle = Bundle { rollouts, ..bundle(json!({ "rules": [grant(present)] })) };
        let (passed, objected) = read(bundle);
        assert_eq!(
            (passed, objected),
            (passes, object.iter().map(|id| (*id).to_owned()).collect()),
            "{present}"
        );
    }
}
