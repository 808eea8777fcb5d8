//! Validating and trying policies over HTTP.
use serde_json::{Value, json};

use mesh_audit::v1::{self, DecisionRecord};

use crate::support::{Plane, document, record};

fn chat(text: &str) -> Value {
    json!({
        "path": "/v1/chat/completions",
        "body": { "model": "gpt-4o", "messages": [{ "role": "user", "content": text }] }
    })
}

fn policy(name: &str, rule: Value) -> Value {
    json!({
        "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": name },
        "spec": { "rules": [rule] }
    })
}

#[tokio::test]
async fn validation_tells_and_changes_nothing() {
    let plane = Plane::new().await;
    let fine = plane.json("POST", "/api/v1/policies/validate", document("a", "")).await.is(200);
    assert_eq!(fine, json!({ "valid": true, "diagnostics": [] }));
    let bad = policy("a", json!({ "rego": { "module": "package mesh\n\ndeny contains \"x\" if {" } }));
    let said = plane.json("POST", "/api/v1/policies/validate", bad).await.is(200);
    assert_eq!(said["valid"], false);
    let diagnostic = &said["diagnostics"][0];
    assert_eq!(diagnostic["severity"], "error");
    assert!(diagnostic["path"].as_str().unwrap().contains("rules[0].rego"), "{said}");
    assert_eq!(plane.get("/api/v1/policies").await.is(200)["policies"], json!([]));
}

/// What the compiler says has its place: in the text of a YAML document, in the field of a JSON one; a document of the
/// specification's is told of in its own words.
#[tokio::test]
async fn what_the_compiler_says_has_its_place() {
    let plane = Plane::new().await;
    let module = "package mesh\n\ndeny contains \"x\" if cuont(1)";
    let yaml = "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: { name: a }\nspec:\n  rules:\n    - rego:\n        module: |\n          \
                package mesh\n\n          deny contains \"x\" if cuont(1)\n";
    let old = json!({ "policy_id": "a", "type": "content_safety", "rules": [{ "detect_pii": true, "pii_types": ["emial"] }] });
    let old_yaml =
        "policy_id: a\ntype: content_safety\nrules:\n  - detect_pii: true\n    pii_types: [emial]\n";
    let places = json!({ "line": 10, "column": 32 });
    let rows: [(&str, String, &str, Value, Value, &str); 4] = [
        ("application/yaml", yaml.to_owned(), "spec.rules[0].rego.module", places, Value::Null, "cuont"),
        (
            "application/json",
            policy("a", json!({ "rego": { "module": module } })).to_string(),
            "spec.rules[0].rego.module",
            json!({ "line": null, "column": null }),
            json!({ "line": 3, "column": 22 }),
            "cuont",
        ),
        (
            "application/yaml",
            old_yaml.to_owned(),
            "rules[0].pii_types[0]",
            json!({ "line": 5, "column": 17 }),
            Value::Null,
            "emial",
        ),
        (
            "application/json",
            old.to_string(),
            "rules[0].pii_types[0]",
            json!({ "line": null, "column": null }),
            Value::Null,
            "emial",
        ),
    ];
    for (kind, body, path, place, within, named) in rows {
        let headers = [("content-type", kind)];
        let validated = plane.send("POST", "/api/v1/policies/validate", &headers, &body).await.is(200);
        let applied = plane.send("PUT", "/api/v1/policies/a", &headers, &body).await.is(422);
        let drafted = plane.send("PUT", "/api/v1/drafts/a", &headers, &body).await.is(422);
        for said in
            [&validated["diagnostics"], &applied["error"]["diagnostics"], &drafted["error"]["diagnostics"]]
        {
            let said = said
                .as_array()
                .and_then(|said| said.iter().find(|said| said["severity"] == "error"))
                .unwrap();
            assert_eq!(said["path"], path, "{kind}: {said}");
            assert_eq!(json!({ "line": said["line"], "column": said["column"] }), place, "{kind}: {said}");
            assert_eq!(said["within"], within, "{kind}: {said}");
            assert!(said["message"].as_str().unwrap().contains(named), "{kind}: {said}");
        }
    }
}

#[tokio::test]
async fn a_dry_run_decides_as_the_filter_would() {
    let plane = Plane::new().await;
    let redact = policy("redact", json!({ "pii": { "types": ["email"] } }));
    let models = policy("models", json!({ "models": { "allow": ["claude-*"] } }));
    let mail = chat("write to jane.doe@example.com today");

    // Nothing in force: it passes.
    let answer = plane.json("POST", "/api/v1/policies/dry-run", json!({ "request": mail })).await.is(200);
    assert_eq!(answer["decision"], "allow");

    // With a policy that is not in force.
    let trial = json!({ "policy": redact, "request": mail });
    let answer = plane.json("POST", "/api/v1/policies/dry-run", trial).await.is(200);
    assert_eq!(answer["decision"], "allow_with_modifications", "{answer}");
    let rewritten = answer["modifications"]["body"]["messages"][0]["content"].as_str().unwrap();
    assert_eq!(rewritten, "write to [REDACTED] today");
    assert_eq!(answer["findings"][0]["count"], 1);
    assert_eq!(answer["policies"], json!([{ "id": "redact", "version": 1 }]));
    assert_eq!(answer["guards"]["pii"], "ran");
    assert!(answer["execution_time_ms"].is_number() && answer["policy_violations"].is_array());
    assert_eq!(plane.get("/api/v1/policies").await.is(200)["policies"], json!([]), "nothing was changed");

    // Under what is in force, and under one policy alone.
    plane.json("PUT", "/api/v1/policies/redact", redact).await.is(201);
    plane.json("PUT", "/api/v1/policies/models", models).await.is(201);
    let answer = plane.json("POST", "/api/v1/policies/dry-run", json!({ "request": mail })).await.is(200);
    assert_eq!((&answer["decision"], &answer["status"]), (&json!("deny"), &json!(403)), "{answer}");
    assert_eq!(answer["policy_violations"][0]["policy_id"], "models");
    assert!(answer["refusal"]["error"].is_object(), "the provider's own shape: {answer}");
    let alone =
        plane.json("POST", "/api/v1/policies/redact/evaluate", json!({ "request": mail })).await.is(200);
    assert_eq!(alone["decision"], "allow_with_modifications");
    plane
        .json("POST", "/api/v1/policies/nobody/evaluate", json!({ "request": mail }))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn a_dry_run_believes_who_the_sample_says_is_asking() {
    let plane = Plane::new().await;
    let mut targeted = policy("t", json!({ "models": { "allow": ["nothing"] } }));
    targeted["spec"]["target"] = json!({ "agents": ["support-*"] });
    let mut header = chat("hello");
    header["headers"] = json!({ "X-AI-Mesh-Agent": "support-1" });
    let mut verified = chat("hello");
    verified["agent"] = json!("support-2");
    for (request, decision) in [(chat("hello"), "allow"), (header, "deny"), (verified, "deny")] {
        let trial = json!({ "policy": targeted, "request": request });
        let answer = plane.json("POST", "/api/v1/policies/dry-run", trial).await.is(200);
        assert_eq!(answer["decision"], decision, "{answer}");
    }
}

#[tokio::test]
async fn a_trial_that_makes_no_sense_is_refused() {
    let plane = Plane::new().await;
    let path = "/api/v1/policies/dry-run";
    plane.json("POST", path, json!({})).await.refused(400, "bad_request");
    plane.json("POST", path, json!({ "request": { "pth": "/" } })).await.refused(400, "bad_request");
    let bad = json!({ "policy": { "kind": "Polcy" }, "request": chat("x") });
    plane.json("POST", path, bad).await.refused(422, "policy_invalid");
}

#[tokio::test]
async fn the_impact_of_a_policy_is_told_by_the_records() {
    let plane = Plane::new().await;
    plane.json("PUT", "/api/v1/policies/p", document("p", "1")).await.is(201);
    let asked = |id: &str, agent: &str, found: bool| DecisionRecord {
        agent_id: agent.into(),
        protocol: "openai-chat".into(),
        model: "gpt-4o".into(),
        findings: found.then(finding).into_iter().collect(),
        ..record(id, "allow")
    };
    let records =
        vec![asked("a", "x", true), asked("b", "x", true), asked("c", "x", false), asked("d", "y", true)];
    plane.report(1, records).await;

    let mut wanted = document("p", "2");
    wanted["spec"]["rules"] = json!([{ "pii": { "types": ["email"], "action": "block" } }]);
    let impact = plane.json("POST", "/api/v1/policies/impact", json!({ "policy": wanted })).await.is(200);
    assert_eq!(
        (&impact["decisions"], &impact["changed"], &impact["unknown"]),
        (&json!(4), &json!(3), &json!({}))
    );
    let first = &impact["changes"][0];
    assert_eq!((&first["agent_id"], &first["requests"]), (&json!("x"), &json!(2)));
    assert_eq!((&first["before"], &first["after"]), (&json!("allow_with_modifications"), &json!("deny")));

    // What was recorded otherwise, under other policies, is counted.
    assert_eq!(impact["recorded_otherwise"], 3);

    // What was not looked for is not known.
    wanted["spec"]["rules"] = json!([{ "pii": { "types": ["email", "ssn"] } }]);
    let impact = plane.json("POST", "/api/v1/policies/impact", json!({ "policy": wanted })).await.is(200);
    assert_eq!((&impact["changed"], &impact["unknown"]), (&json!(0), &json!({ "pii": 4 })));
    let late = json!({ "policy": wanted, "since": "2030-01-01T00:00:00Z" });
    let impact = plane.json("POST", "/api/v1/policies/impact", late).await.is(200);
    assert_eq!(impact["decisions"], 0);

    plane
        .json("POST", "/api/v1/policies/impact", json!({ "policy": {} }))
        .await
        .refused(422, "policy_invalid");
    let body = json!({ "policy": document("p", "1"), "limit": 0 });
    plane.json("POST", "/api/v1/policies/impact", body).await.refused(400, "bad_request");
}

/// What a limit or a module in Rego refused is refused before, too, as the record says it; afterwards where that policy stays.
#[tokio::test]
async fn the_impact_on_what_only_the_record_knows() {
    let plane = Plane::new().await;
    let mut counted = document("counted", "1");
    counted["spec"]["rules"] = json!([{ "rateLimit": { "requestsPerMinute": 5 } }]);
    plane.json("PUT", "/api/v1/policies/counted", counted.clone()).await.is(201);
    let throttled = DecisionRecord {
        policies: vec![v1::PolicyRef { id: "counted".into(), version: 1 }],
        violations: vec![v1::Violation {
            policy_id: "counted".into(),
            guard: "rateLimit".into(),
            effect: "throttled".into(),
            ..v1::Violation::default()
        }],
        guards: vec![v1::GuardOutcome { guard: "pii".into(), outcome: "skipped:denied".into() }],
        ..record("t", "throttle")
    };
    plane.report(1, vec![throttled]).await;
    let mut wider = counted.clone();
    wider["spec"]["rules"][0]["rateLimit"]["requestsPerMinute"] = json!(50);
    let change = |before: &str, after: &str| json!([before, after]);
    for (policy, changes, unknown) in [
        (document("other", "1"), json!([]), json!({ "pii": 1 })),
        (wider, change("throttle", "allow"), json!({ "pii": 1, "rateLimit": 1 })),
    ] {
        let impact = plane.json("POST", "/api/v1/policies/impact", json!({ "policy": policy })).await.is(200);
        let told = impact["changes"].as_array().unwrap().first();
        let told = told.map_or(json!([]), |first| json!([first["before"], first["after"]]));
        assert_eq!((told, &impact["unknown"]), (changes, &unknown), "{policy}");
        assert_eq!(impact["recorded_otherwise"], 0);
    }
}

fn finding() -> v1::Finding {
    v1::Finding {
        r#type: "EMAIL_ADDRESS".into(),
        count: 1,
        place: "request:messages[0].content".into(),
        score: 0.9,
    }
}
