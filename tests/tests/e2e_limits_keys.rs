//! Who is counted: every key that a limit knows, in a real Envoy, with leases and without.
use mesh_tests::limits::policy;
use mesh_tests::{Mesh, Request, by, chat};

/// A key, and a request by one of two that differ in it.
struct Row(&'static str, fn(&str) -> Request);

fn hello() -> Request {
    Request::post("/v1/chat/completions", &chat("hello"))
}

fn to_model(model: &str) -> Request {
    let mut body = chat("hello");
    body["model"] = model.into();
    Request::post("/v1/chat/completions", &body)
}

const ROWS: &[Row] = &[
    Row("user", |who| hello().header("x-ai-mesh-user", who)),
    Row("session", |who| hello().header("x-ai-mesh-session", who)),
    Row("team", |who| hello().header("x-ai-mesh-team", who)),
    Row("key", |who| hello().header("authorization", &format!("Bearer sk-{who}"))),
    Row("model", to_model),
];

#[test]
fn each_key_counts_its_own_and_nobody_elses() {
    let mut policies = String::new();
    for Row(key, _) in ROWS {
        for mode in ["default", "strict"] {
            let rule = format!("{{ rateLimit: {{ key: {key}, requestsPerMinute: 3, mode: {mode} }} }}");
            let spec = format!("target: {{ agents: [{key}-{mode}] }}, rules: [ {rule} ]");
            policies += &policy(&format!("{key}-{mode}"), &spec);
        }
    }
    let mesh = Mesh::up(&policies, &[]);
    for Row(key, request) in ROWS {
        for mode in ["default", "strict"] {
            let name = format!("{key}-{mode}");
            let ask = |who: &str| mesh.send(&by(&name, request(who))).status;
            let first: Vec<u16> = (0..5).map(|_| ask("gpt-4o")).collect();
            let second: Vec<u16> = (0..4).map(|_| ask("gpt-4o-mini")).collect();
            assert_eq!(first, [200, 200, 200, 429, 429], "{name}");
            assert_eq!(second, [200, 200, 200, 429], "{name}");
            let listed = mesh.api("GET", &format!("/api/v1/limits?policy={name}"), None).json();
            let limits = listed["limits"].as_array().cloned().unwrap_or_default();
            let whose = |limit: &serde_json::Value| {
                limit["key"].as_str().is_some_and(|shown| shown.starts_with(&format!("{key}:")))
            };
            let full = limits.iter().filter(|limit| whose(limit) && limit["used"] == 3);
            assert_eq!(full.count(), 2, "{name}: {listed}");
            // Who is not told apart is counted by the agent, never let off.
            if *key != "model" {
                let unknown: Vec<u16> = (0..4).map(|_| mesh.send(&by(&name, hello())).status).collect();
                assert_eq!(unknown, [200, 200, 200, 429], "{name}");
            }
        }
    }
}
