//! Decisions over HTTP: listed, read, followed.
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use mesh_audit::v1::{self, DecisionRecord};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Plane, TOKEN, record};

fn ids(list: &Value) -> Vec<&str> {
    list["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["decision_id"].as_str().unwrap().trim_start_matches("v-"))
        .collect()
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let plane = Plane::new().await;
    let records = ["allow", "deny", "allow", "throttle", "allow"];
    let records = records.iter().enumerate().map(|(n, decision)| record(&format!("d{}", n + 1), decision));
    plane.report(1, records.collect()).await;

    let all = plane.get("/api/v1/decisions").await.is(200);
    assert_eq!((ids(&all), &all["next_cursor"]), (vec!["d5", "d4", "d3", "d2", "d1"], &Value::Null));
    let denied = plane.get("/api/v1/decisions?decision=deny&agent=support-1").await.is(200);
    assert_eq!(ids(&denied), ["d2"]);
    let late = plane.get("/api/v1/decisions?since=2030-01-01T00:00:00Z").await.is(200);
    assert_eq!(ids(&late), [""; 0]);

    let first = plane.get("/api/v1/decisions?limit=2").await.is(200);
    assert_eq!(ids(&first), ["d5", "d4"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = plane.get(&format!("/api/v1/decisions?limit=2&cursor={cursor}")).await.is(200);
    assert_eq!(ids(&second), ["d3", "d2"]);

    let one = plane.get("/api/v1/decisions/v-d2").await.is(200);
    assert_eq!(
        (&one["decision"], &one["sequence"], &one["sidecar"]),
        (&json!("deny"), &json!(2), &json!("edge"))
    );
    assert_eq!(one["time"], "2026-09-21T14:13:20Z");
    plane.get("/api/v1/decisions/nothing").await.refused(404, "not_found");
}

#[tokio::test]
async fn parameters_that_make_no_sense_are_refused() {
    let plane = Plane::new().await;
    let table = [
        ("limit=0", "1 to 1000"),
        ("limit=1001", "1 to 1000"),
        ("limit=many", "limit: found \"many\", expected a whole number"),
        ("limit=-1", "limit: found \"-1\", expected a whole number"),
        ("cursor=x", "cursor"),
        ("cursor=17", "list again without it"),
        ("cursor=-1-17", "list again without it"),
        ("since=yesterday", "2026-"),
        ("decision=denied", "allow_with_modifications"),
        ("agnet=a", "agnet"),
        ("agent=a&agent=b", "agent"),
    ];
    for (query, expected) in table {
        let message = plane.get(&format!("/api/v1/decisions?{query}")).await.refused(400, "bad_request");
        assert!(message.contains(expected), "{query}: {message}");
    }
    plane.get("/api/v1/decisions/follow?limit=1").await.refused(400, "bad_request");
    plane.get("/api/v1/decisions/gaps?agent=a").await.refused(400, "bad_request");
}

/// What the sidecars record is joined with the very version of the document that applied, also after it was changed.
#[tokio::test]
async fn decisions_are_explained() {
    let plane = Plane::new().await;
    let policy = |enforcement: &str| {
        json!({
            "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": "p" },
            "spec": { "enforcement": enforcement, "rules": [
                { "pii": { "types": ["ssn"], "action": "block" } },
                { "access": { "resource": "reports/*", "allowedRoles": ["cfo"], "allowedActions": ["read"] } },
            ] },
        })
    };
    plane.json("PUT", "/api/v1/policies/p", policy("blocking")).await.is(201);
    plane.json("PUT", "/api/v1/policies/p", policy("advisory")).await.is(200);
    let violation = |guard: &str, rule, effect: &str, evidence| v1::Violation {
        policy_id: "p".into(),
        guard: guard.into(),
        severity: "high".into(),
        message: format!("{guard} objects"),
        rule,
        effect: effect.into(),
        evidence: Some(evidence),
    };
    let near = v1::Near { rule: 2, missing: vec!["role".into()] };
    let ssn = v1::Evidence {
        r#type: "US_SSN".into(),
        place: "request:messages[0].content".into(),
        start: Some(10),
        end: Some(21),
        score: Some(0.85),
        threshold: Some(0.5),
        ..v1::Evidence::default()
    };
    let spent = v1::Evidence {
        r#type: "agent".into(),
        limit: Some(2000),
        measure: "cost".into(),
        ..v1::Evidence::default()
    };
    let refused = DecisionRecord {
        policies: vec![v1::PolicyRef { id: "p".into(), version: 1 }],
        violations: vec![
            violation("pii", 1, "denied", ssn),
            violation("access", 0, "denied", v1::Evidence { near: vec![near], ..v1::Evidence::default() }),
        ],
        warnings: vec![
            violation("rego", 9, "recorded", v1::Evidence::default()),
            violation("rateLimit", 9, "throttled", spent),
        ],
        ..record("refused", "deny")
    };
    plane.report(1, vec![refused, record("passed", "allow")]).await;

    let why = plane.get("/api/v1/decisions/v-refused/explanation").await.is(200);
    let pii = &why["reasons"][0];
    assert_eq!(
        (&pii["decisive"], &pii["version"], &pii["field"]),
        (&json!(true), &json!(1), &json!("spec.rules[0].pii"))
    );
    assert_eq!(pii["rule_document"]["pii"]["action"], "block");
    let expected = [
        "there were no US_SSN in request:messages[0].content, bytes 10 to 21",
        "the rule's `threshold` were above 0.85; it is 0.50",
        "the rule's `action` were `redact` or `log`",
        "the policy's `enforcement`, or its attachment's, were `logging` or `advisory`",
    ];
    assert_eq!(pii["would_pass_if"], json!(expected));
    assert_eq!(why["reasons"][1]["would_pass_if"][0], "the caller had one of the roles cfo (spec.rules[1])");
    // Places are those of the document, wherever they stand.
    assert_eq!((&pii["rule"], &why["reasons"][1]["rule"]), (&json!(0), &Value::Null));
    assert_eq!(why["reasons"][1]["evidence"]["near"][0]["rule"], 1);
    // A rule that is not in that version (a record of another database) is told without its document.
    let recorded = &why["reasons"][2];
    assert_eq!((&recorded["decisive"], &recorded["rule_document"]), (&json!(false), &Value::Null));
    assert_eq!(recorded["would_pass_if"], json!([]));
    let spent = &why["reasons"][3]["would_pass_if"][0];
    assert_eq!(spent, "this agent had used less of its limit of 0.002 USD in the time before");
    assert_eq!(
        why["summary"],
        "refused, because of p (version 1), spec.rules[0].pii: pii objects; p (version 1): access objects"
    );

    let passed = plane.get("/api/v1/decisions/v-passed/explanation").await.is(200);
    assert_eq!(passed["summary"], "passed as it was: nothing was objected to");
    plane.get("/api/v1/decisions/nothing/explanation").await.refused(404, "not_found");
}

#[tokio::test]
async fn gaps_are_listed() {
    let plane = Plane::new().await;
    plane.report(4, vec![record("d", "allow")]).await;
    let gaps = plane.get("/api/v1/decisions/gaps").await.is(200);
    let gap = &gaps["gaps"][0];
    assert_eq!((&gap["vm"], &gap["from_sequence"], &gap["to_sequence"]), (&json!("v"), &json!(1), &json!(3)));
}

/// Opens a stream of events.
async fn follow(plane: &Plane, query: &str, last_event: Option<&str>) -> Body {
    let mut request = Request::get(format!("/api/v1/decisions/follow{query}"))
        .header("authorization", format!("Bearer {TOKEN}"));
    if let Some(id) = last_event {
        request = request.header("last-event-id", id);
    }
    let response = plane.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response.into_body()
}

/// Reads events up to the decision with this id; gives the ids of all and the event id of the last.
async fn read_to(body: &mut Body, last: &str) -> (Vec<String>, String) {
    let (mut text, mut seen, mut event) = (String::new(), Vec::new(), String::new());
    while seen.last().is_none_or(|id| id != last) {
        let frame = tokio::time::timeout(Duration::from_secs(20), body.frame()).await.expect("an event");
        text.push_str(std::str::from_utf8(frame.unwrap().unwrap().data_ref().unwrap()).unwrap());
        while let Some((one, rest)) = text.split_once("\n\n") {
            for line in one.lines() {
                if let Some(data) = line.strip_prefix("data: ") {
                    let decision: Value = serde_json::from_str(data).unwrap();
                    seen.push(decision["decision_id"].as_str().unwrap().trim_start_matches("v-").to_owned());
                }
                if let Some(id) = line.strip_prefix("id: ") {
                    event = id.to_owned();
                }
            }
            text = rest.to_owned();
        }
    }
    (seen, event)
}

#[tokio::test]
async fn followers_see_what_comes_and_go_on_where_they_were() {
    let plane = Plane::new().await;
    plane.report(1, vec![record("before", "allow")]).await;
    let mut all = follow(&plane, "", None).await;
    let mut denied = follow(&plane, "?decision=deny", None).await;
    plane.report(2, vec![record("a", "allow"), record("b", "deny")]).await;
    plane.report(4, (0..600).map(|n| record(&format!("n{n}"), "allow")).collect()).await;
    plane.report(604, vec![record("c", "deny")]).await;
    let (seen, _) = read_to(&mut denied, "c").await;
    assert_eq!(seen, ["b", "c"]);
    let (seen, last) = read_to(&mut all, "b").await;
    assert_eq!(seen[..2], ["a", "b"]);
    drop(all);

    // A client that reconnects repeats its query and says what it saw last; a page may have brought more than was asked.
    let mut again = follow(&plane, "?after=0", Some(&last)).await;
    let (more, _) = read_to(&mut again, "c").await;
    assert_eq!(seen.len() + more.len(), 2 + 600 + 1);
    let mut from_start = follow(&plane, "?after=0", None).await;
    assert_eq!(read_to(&mut from_start, "c").await.0.len(), 604);
}

#[tokio::test]
async fn followers_are_let_go_when_the_process_stops() {
    let plane = Plane::new().await;
    let body = follow(&plane, "", None).await;
    plane.stop.send_replace(true);
    let ended = tokio::time::timeout(Duration::from_secs(20), body.collect()).await;
    assert!(ended.expect("the stream ends").unwrap().to_bytes().is_empty());
}
