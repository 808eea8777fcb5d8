//! Drafts, rollouts in stages and the freeze, over HTTP.
use mesh_audit::v1::{DecisionRecord, Evidence, PolicyRef, Violation};
use mesh_control_core::Timestamp;
use serde_json::{Value, json};

use crate::support::{Plane, document, record};

/// A decision under one version; what it objects to, and whether it refuses for that.
fn decided(number: usize, policy: &str, version: u64, said: Option<(&str, &str, &str)>) -> DecisionRecord {
    let violations = said.map(|(message, effect, kind)| Violation {
        policy_id: policy.to_owned(),
        message: message.to_owned(),
        effect: effect.to_owned(),
        evidence: Some(Evidence { r#type: kind.to_owned(), ..Evidence::default() }),
        ..Violation::default()
    });
    let policies = vec![PolicyRef { id: policy.to_owned(), version }];
    let violations = violations.into_iter().collect();
    DecisionRecord { policies, violations, ..record(&format!("d{number}"), "allow") }
}

async fn plane() -> Plane {
    let plane = Plane::new().await;
    plane.json("POST", "/api/v1/policies", document("a", "first")).await.is(201);
    plane
}

async fn start(plane: &Plane, body: Value) -> Value {
    plane.json("POST", "/api/v1/policies/a/rollout", body).await.is(200)
}

async fn turn(plane: &Plane, verb: &str) -> Value {
    plane.send("POST", &format!("/api/v1/policies/a/rollout/{verb}"), &[], "").await.is(200)
}

#[tokio::test]
async fn a_rollout_from_draft_to_everywhere() {
    let plane = plane().await;
    plane.json("POST", "/api/v1/policies/a/rollout", json!({})).await.refused(404, "not_found");
    plane.json("PUT", "/api/v1/drafts/a", document("a", "second")).await.is(200);
    plane.json("PUT", "/api/v1/drafts/a", json!({"kind": "Policy"})).await.refused(422, "policy_invalid");
    assert_eq!(plane.get("/api/v1/drafts").await.is(200)["drafts"].as_array().unwrap().len(), 1);
    assert_eq!(plane.get("/api/v1/policies/a").await.is(200)["version"], 1, "a draft is not in force");

    let started = start(&plane, json!({ "steps": [20] })).await;
    assert_eq!(
        (&started["stage"], &started["version"], &started["present"]),
        (&json!("monitor"), &json!(2), &json!(1))
    );
    let bundle = plane.policies.published().unwrap();
    assert_eq!(bundle.rollouts.len(), 1);
    plane.json("POST", "/api/v1/policies/a/rollout", json!({})).await.refused(409, "rollout_active");
    let message = plane.json("PUT", "/api/v1/policies/a", document("a", "third")).await;
    assert!(message.refused(409, "rollout_active").contains("version 2"));

    assert_eq!(turn(&plane, "pause").await["state"], "paused");
    plane.send("POST", "/api/v1/policies/a/rollout/promote", &[], "").await.refused(409, "not_now");
    assert_eq!(turn(&plane, "resume").await["state"], "running");
    assert_eq!(turn(&plane, "promote").await["stage"], "20%");
    assert_eq!(plane.get("/api/v1/policies/a").await.is(200)["version"], 1);
    let done = turn(&plane, "promote").await;
    assert_eq!((&done["state"], &done["stage"]), (&json!("done"), &json!("everywhere")));
    let in_force = plane.get("/api/v1/policies/a").await.is(200);
    assert_eq!(
        (&in_force["version"], &in_force["document"]["spec"]["description"]),
        (&json!(2), &json!("second"))
    );
    assert_eq!(plane.policies.published().unwrap().rollouts, []);
    plane.send("POST", "/api/v1/policies/a/rollout/promote", &[], "").await.refused(404, "not_found");
    assert_eq!(plane.get("/api/v1/rollouts").await.is(200)["rollouts"][0]["state"], "done");
}

#[tokio::test]
async fn a_plan_that_makes_no_sense_is_refused() {
    let plane = plane().await;
    for body in [
        json!({ "document": document("b", "x") }),
        json!({ "document": document("a", "x"), "steps": [50, 10] }),
        json!({ "document": document("a", "x"), "steps": [0] }),
        json!({ "document": document("a", "x"), "steps": [100] }),
        json!({ "document": document("a", "x"), "bounds": { "refusals": 1.5 } }),
    ] {
        plane.json("POST", "/api/v1/policies/a/rollout", body).await.refused(422, "policy_invalid");
    }
    let bad = json!({ "document": { "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": "a" },
                                    "spec": { "rules": [{ "rego": { "module": "package mesh\ndeny if {" } }] } } });
    plane.json("POST", "/api/v1/policies/a/rollout", bad).await.refused(422, "policy_invalid");
    plane.get("/api/v1/policies/a/rollout").await.refused(404, "not_found");
}

/// Each row: the stage that is reached, what each version says of ten requests, and what becomes of the rollout.
#[tokio::test]
async fn a_rollout_over_its_bounds_is_taken_back() {
    let deny = Some(("not allowed", "denied", ""));
    let recorded = Some(("not allowed", "recorded", ""));
    let failed = Some(("rego could not run: evaluation", "recorded", "could-not-run"));
    let unjudged = Some(("the judge of injection could not run: answer", "recorded", "judge/could-not-run"));
    // What an author's own rule says is no failure, whatever its words.
    let words = Some(("the batch could not run: no budget", "denied", ""));
    for (promote, shadow, next, present, state) in [
        (false, true, (10, recorded), (0, None), "rolled_back"),
        (false, true, (10, None), (0, None), "running"),
        (false, true, (10, failed), (0, None), "rolled_back"),
        (true, false, (10, deny), (10, None), "rolled_back"),
        (true, false, (10, deny), (10, deny), "running"),
        (true, false, (10, None), (10, None), "running"),
        (true, false, (10, failed), (10, None), "rolled_back"),
        (true, false, (10, unjudged), (10, None), "rolled_back"),
        (true, false, (10, words), (10, words), "running"),
        (true, false, (10, words), (10, failed), "rolled_back"),
        // Too few to say anything.
        (true, false, (9, deny), (10, None), "running"),
    ] {
        let plane = plane().await;
        start(&plane, json!({ "document": document("a", "second"), "bounds": { "refusals": 0.2, "errors": 0.1, "sample": 10 } })).await;
        if promote {
            turn(&plane, "promote").await;
        }
        let id = if shadow { "a@2" } else { "a" };
        let mut records: Vec<_> = (0..next.0).map(|number| decided(number, id, 2, next.1)).collect();
        records.extend((0..present.0).map(|number| decided(100 + number, "a", 1, present.1)));
        plane.report(1, records).await;
        let before = plane.get("/api/v1/policies/a/rollout").await.is(200);
        assert_eq!(before["tallies"]["next"]["decisions"], next.0, "{before}");
        plane.rollouts.look(Timestamp::now()).await.unwrap();
        let after = plane.get("/api/v1/policies/a/rollout").await.is(200);
        assert_eq!(after["state"], state, "{next:?} {present:?}: {after}");
        assert_eq!(plane.get("/api/v1/policies/a").await.is(200)["version"], 1);
        if state == "rolled_back" {
            assert!(after["note"].as_str().unwrap().contains("of 10"), "{after}");
            assert_eq!(plane.policies.published().unwrap().rollouts, []);
        }
    }
}

#[tokio::test]
async fn a_rollback_ends_a_rollout_and_then_goes_to_what_was_good() {
    let plane = plane().await;
    start(&plane, json!({ "document": document("a", "second") })).await;
    let rollback = async |version: &str| {
        let headers = [("content-type", "application/json"), ("if-match", version)];
        plane.send("POST", "/api/v1/policies/a/rollback", &headers, "{}").await
    };
    rollback("2").await.refused(412, "version_mismatch");
    assert_eq!(plane.get("/api/v1/policies/a/rollout").await.is(200)["state"], "running");
    rollback("1").await.is(200);
    assert_eq!(plane.get("/api/v1/policies/a/rollout").await.is(200)["state"], "aborted");
    plane.json("POST", "/api/v1/policies/a/rollback", json!({})).await.refused(409, "not_now");
    // What was tried has its number for ever, and can be read; it was not in force, so there is no going back to it.
    let tried = plane.get("/api/v1/policies/a/versions/2").await.is(200);
    assert_eq!(
        (&tried["change"], &tried["document"]["spec"]["description"]),
        (&json!("tried"), &json!("second"))
    );
    let versions = plane.get("/api/v1/policies/a/versions").await.is(200);
    let numbers: Vec<_> =
        versions["versions"].as_array().unwrap().iter().map(|held| held["version"].clone()).collect();
    assert_eq!(numbers, [json!(2), json!(1)]);
    plane
        .json("POST", "/api/v1/policies/a/rollback", json!({ "version": 2 }))
        .await
        .refused(409, "only_tried");
    plane
        .json("POST", "/api/v1/policies/a/rollback", json!({ "version": 3 }))
        .await
        .refused(404, "not_found");
    plane.json("PUT", "/api/v1/policies/a", document("a", "second")).await.is(200);
    plane.json("PUT", "/api/v1/policies/a", document("a", "bad")).await.is(200);
    let back = plane.json("POST", "/api/v1/policies/a/rollback", json!({})).await.is(200);
    assert_eq!(back["policy"]["document"]["spec"]["description"], "second");
    // Once more: not to the one that was rolled back from.
    let back = plane.json("POST", "/api/v1/policies/a/rollback", json!({})).await.is(200);
    assert_eq!(back["policy"]["document"]["spec"]["description"], "first");
}

#[tokio::test]
async fn while_frozen_only_what_is_safe_goes_through() {
    let plane = plane().await;
    plane.json("PUT", "/api/v1/policies/a", document("a", "second")).await.is(200);
    let agent = |status: &str| json!({ "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Agent", "metadata": { "name": "x" }, "spec": { "status": status } });
    let stopped = |status: &str| {
        let mut document = agent(status);
        document["metadata"]["name"] = json!("stopped");
        document
    };
    plane.json("PUT", "/api/v1/agents/x", agent("active")).await.is(201);
    plane.json("PUT", "/api/v1/agents/stopped", stopped("active")).await.is(201);
    let why = json!({ "reason": "leak" });
    plane.json("POST", "/api/v1/agents/stopped/suspend", why).await.is(200);
    start(&plane, json!({ "document": document("a", "third") })).await;
    plane.json("PUT", "/api/v1/freeze", json!({ "by": "", "reason": "x" })).await.refused(400, "bad_request");
    plane.json("PUT", "/api/v1/freeze", json!({ "by": "ada", "reason": "release day" })).await.is(200);
    assert_eq!(
        plane.get("/api/v1/freeze").await.is(200),
        json!({ "frozen": true, "by": "ada", "reason": "release day" })
    );

    for (method, path, body) in [
        ("POST", "/api/v1/policies", document("b", "new")),
        ("POST", "/api/v1/policies/a/rollout/promote", json!(null)),
        ("PUT", "/api/v1/agents/stopped", stopped("deprecated")),
        ("POST", "/api/v1/agents/stopped/resume", json!(null)),
        (
            "PUT",
            "/api/v1/agents/y",
            json!({ "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Agent", "metadata": { "name": "y" }, "spec": {} }),
        ),
    ] {
        let message = plane.json(method, path, body).await.refused(423, "frozen");
        assert!(message.contains("ada: release day"), "{method} {path}: {message}");
    }
    // A rollout may be stopped, an agent too, and a draft written and thrown away.
    turn(&plane, "abort").await;
    plane.json("PUT", "/api/v1/drafts/a", document("a", "fourth")).await.is(200);
    plane.send("DELETE", "/api/v1/drafts/a", &[], "").await.is(200);
    plane.json("POST", "/api/v1/agents/x/suspend", json!({ "reason": "leak" })).await.is(200);
    plane.json("PUT", "/api/v1/agents/stopped", stopped("quarantined")).await.is(200);
    plane.json("PUT", "/api/v1/policies/a", document("a", "fifth")).await.refused(423, "frozen");
    plane.send("DELETE", "/api/v1/policies/a", &[], "").await.refused(423, "frozen");
    let back = plane.json("POST", "/api/v1/policies/a/rollback", json!({})).await.is(200);
    assert_eq!(back["policy"]["document"]["spec"]["description"], "first");
    plane.json("POST", "/api/v1/policies/a/rollback", json!({ "version": 2 })).await.refused(423, "frozen");

    plane.send("DELETE", "/api/v1/freeze", &[], "").await.is(200);
    plane.json("PUT", "/api/v1/policies/a", document("a", "fifth")).await.is(200);
}

/// A number that a rollout had is never given again, and the one that comes after it has one of its own.
#[tokio::test]
async fn a_rollout_after_one_that_was_aborted_comes_to_its_end() {
    let plane = plane().await;
    for (number, ends) in [(2, "abort"), (3, "abort"), (4, "promote")] {
        let document = document("a", &number.to_string());
        let started = start(&plane, json!({ "document": document, "steps": [50] })).await;
        assert_eq!(started["version"], number);
        assert_eq!(turn(&plane, "promote").await["stage"], "50%");
        let end = if ends == "abort" { "aborted" } else { "done" };
        assert_eq!(turn(&plane, ends).await["state"], end);
    }
    let in_force = plane.get("/api/v1/policies/a").await.is(200);
    assert_eq!(
        (&in_force["version"], &in_force["document"]["spec"]["description"]),
        (&json!(4), &json!("4"))
    );
    plane.json("PUT", "/api/v1/policies/a", document("a", "after")).await.is(200);
    assert_eq!(plane.get("/api/v1/policies/a").await.is(200)["version"], 5);
}
