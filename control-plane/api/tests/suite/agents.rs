//! The registry of agents over HTTP.
use serde_json::{Value, json};

use crate::support::{Plane, document};

fn agent(id: &str, spec: Value) -> Value {
    json!({ "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Agent", "metadata": { "name": id }, "spec": spec })
}

/// What a dry run by this agent is decided to be, and the policies that applied.
async fn decided(plane: &Plane, agent: &str) -> (String, Vec<String>, Value) {
    let body =
        json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "write to ada@example.com" }] });
    let request = json!({ "request": { "path": "/v1/chat/completions", "agent": agent, "body": body } });
    let run = plane.json("POST", "/api/v1/policies/dry-run", request).await.is(200);
    let policies = run["policies"].as_array().unwrap().iter();
    let named = policies.map(|policy| format!("{}@{}", policy["id"].as_str().unwrap(), policy["version"]));
    (run["decision"].as_str().unwrap().to_owned(), named.collect(), run)
}

/// `spiffe://mesh/a` in a path.
const SPIFFE: &str = "/api/v1/agents/spiffe%3A%2F%2Fmesh%2Fa";

#[tokio::test]
async fn the_life_of_an_agent() {
    let plane = Plane::new().await;
    let mut pii = document("pii", "1");
    pii["spec"]["target"] = json!({ "types": ["chatbot"] });
    let made = plane.json("PUT", "/api/v1/policies/pii", pii.clone()).await.is(201);
    assert!(made["warnings"][0]["message"].as_str().unwrap().contains("no registered agent"), "{made}");
    assert_eq!(decided(&plane, "spiffe://mesh/a").await.0, "allow", "nobody is known to be a chatbot");

    let bot = agent("spiffe://mesh/a", json!({ "type": "chatbot" }));
    let made = plane.json("PUT", SPIFFE, bot).await.is(201);
    assert_eq!((&made["agent"]["id"], &made["agent"]["version"]), (&json!("spiffe://mesh/a"), &json!(1)));
    let (decision, policies, _) = decided(&plane, "spiffe://mesh/a").await;
    assert_eq!((decision.as_str(), policies), ("allow_with_modifications", vec!["pii@1".to_owned()]));

    // An attachment gives this agent another enforcement, and an earlier version.
    pii["spec"]["rules"] = json!([{ "pii": { "types": ["email"], "action": "block" } }]);
    plane.json("PUT", "/api/v1/policies/pii", pii).await.is(200);
    assert_eq!(decided(&plane, "spiffe://mesh/a").await.0, "deny");
    let attached =
        |attachment: Value| agent("spiffe://mesh/a", json!({ "type": "chatbot", "policies": [attachment] }));
    plane.json("PUT", SPIFFE, attached(json!({ "policy": "pii", "enforcement": "logging" }))).await.is(200);
    let (decision, _, run) = decided(&plane, "spiffe://mesh/a").await;
    assert_eq!((decision.as_str(), &run["policy_violations"][0]["effect"]), ("allow", &json!("recorded")));
    plane.json("PUT", SPIFFE, attached(json!({ "policy": "pii", "version": 1 }))).await.is(200);
    let (decision, policies, _) = decided(&plane, "spiffe://mesh/a").await;
    assert_eq!((decision.as_str(), policies), ("allow_with_modifications", vec!["pii@1".to_owned()]));

    // Stopped with a reason, and let go again.
    plane.json("POST", &format!("{SPIFFE}/suspend"), json!({ "reason": "leaked a key" })).await.is(200);
    let (decision, _, run) = decided(&plane, "spiffe://mesh/a").await;
    assert_eq!((decision.as_str(), &run["status"]), ("deny", &json!(403)));
    assert!(run["refusal"].to_string().contains("this agent is suspended: leaked a key"), "{run}");
    let why = json!({ "reason": "odd", "quarantine": true });
    plane.json("POST", &format!("{SPIFFE}/suspend"), why).await.is(200);
    assert_eq!(plane.get(SPIFFE).await.is(200)["document"]["spec"]["status"], "quarantined");
    plane.send("POST", &format!("{SPIFFE}/resume"), &[], "").await.is(200);
    assert_eq!(decided(&plane, "spiffe://mesh/a").await.0, "allow_with_modifications");

    let listed = plane.get("/api/v1/agents").await.is(200);
    assert_eq!(listed["agents"].as_array().unwrap().len(), 1);
    // Agents and policies are not mixed up.
    plane.get("/api/v1/policies/agent%2Fspiffe%3A%2F%2Fmesh%2Fa").await.refused(404, "not_found");
    assert_eq!(plane.get("/api/v1/policies").await.is(200)["policies"].as_array().unwrap().len(), 1);

    plane.send("DELETE", SPIFFE, &[], "").await.is(200);
    plane.get(SPIFFE).await.refused(404, "not_found");
    plane.send("DELETE", SPIFFE, &[], "").await.refused(404, "not_found");
    assert_eq!(decided(&plane, "spiffe://mesh/a").await.0, "allow");
}

/// Whoever applies a file again ends no suspension, unless the file says so.
#[tokio::test]
async fn only_a_written_status_changes_the_status() {
    let plane = Plane::new().await;
    let put = async |spec: Value| plane.json("PUT", "/api/v1/agents/a", agent("a", spec)).await;
    let made = put(json!({ "model": "one" })).await.is(201);
    assert_eq!(made["agent"]["document"]["spec"]["status"], "active");
    plane.json("POST", "/api/v1/agents/a/suspend", json!({ "reason": "leak" })).await.is(200);
    // The document, its status then, whether that makes a version, and what is remarked.
    for (spec, status, changed, remark) in [
        (json!({ "model": "one" }), "suspended", false, ""),
        (json!({ "model": "two" }), "suspended", true, ""),
        (json!({ "status": "active" }), "active", true, "was suspended (leak), and works again"),
        (json!({ "status": "quarantined", "reason": "odd" }), "quarantined", true, ""),
        (json!({ "status": "deprecated" }), "deprecated", true, "was quarantined (odd), and works again"),
    ] {
        let done = put(spec.clone()).await.is(200);
        assert_eq!(
            (&done["agent"]["document"]["spec"]["status"], &done["changed"]),
            (&json!(status), &json!(changed))
        );
        let warnings = done["warnings"].to_string();
        assert!(warnings.contains(remark) && remark.is_empty() == (warnings == "[]"), "{spec}: {warnings}");
    }
}

#[tokio::test]
async fn documents_that_make_no_sense_are_refused() {
    let plane = Plane::new().await;
    for (path, document, code, expected) in [
        ("a", agent("b", json!({})), "bad_request", "make them the same"),
        ("a", document("a", "1"), "policy_invalid", "error"),
        ("a", agent("a", json!({ "type": "chatbott" })), "policy_invalid", "error"),
        ("a", agent("a", json!({ "policies": [{ "policy": "nowhere" }] })), "policy_invalid", "error"),
    ] {
        let status = if code == "bad_request" { 400 } else { 422 };
        let answer = plane.json("PUT", &format!("/api/v1/agents/{path}"), document).await;
        let message = answer.refused(status, code);
        assert!(message.contains(expected), "{message}");
    }
    let to_policies = plane.json("POST", "/api/v1/policies", agent("a", json!({}))).await;
    to_policies.refused(422, "policy_invalid");
    let suspend = plane.json("POST", "/api/v1/agents/a/suspend", json!({ "reason": "x" })).await;
    suspend.refused(404, "not_found");
    let suspend = plane.json("POST", "/api/v1/agents/a/suspend", json!({ "reason": " " })).await;
    suspend.refused(400, "bad_request");

    // A policy that is attached somewhere cannot go.
    plane.json("PUT", "/api/v1/policies/p", document("p", "1")).await.is(201);
    let attached = agent("a", json!({ "policies": [{ "policy": "p" }] }));
    plane.json("PUT", "/api/v1/agents/a", attached).await.is(201);
    let refused = plane.send("DELETE", "/api/v1/policies/p", &[], "").await.is(422);
    let path = refused["error"]["diagnostics"][0]["path"].as_str().unwrap();
    assert!(path.contains("agent/a") && path.contains("spec.policies[0].policy"), "{path}");
}
