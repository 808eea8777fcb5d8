//! Policies and their versions over HTTP.
use serde_json::json;

use crate::support::{Plane, document};

#[tokio::test]
async fn the_life_of_a_policy() {
    let plane = Plane::new().await;
    let created = plane.json("POST", "/api/v1/policies", document("a", "first")).await;
    assert_eq!(created.headers["etag"], "\"1\"");
    let created = created.is(201);
    assert_eq!((&created["changed"], &created["policy"]["change"]), (&json!(true), &json!("created")));
    assert_eq!(created["policy"]["rules"], json!(["pii"]));

    let updated = plane.json("PUT", "/api/v1/policies/a", document("a", "second")).await.is(200);
    assert_eq!((&updated["policy"]["version"], &updated["policy"]["change"]), (&json!(2), &json!("updated")));
    let same = plane.json("PUT", "/api/v1/policies/a", document("a", "second")).await.is(200);
    assert_eq!((&same["changed"], &same["policy"]["version"]), (&json!(false), &json!(2)));

    let listed = plane.get("/api/v1/policies").await.is(200);
    assert_eq!(listed["policies"].as_array().unwrap().len(), 1);
    assert_eq!(listed["policies"][0]["description"], "second");
    let read = plane.get("/api/v1/policies/a").await;
    assert_eq!(read.headers["etag"], "\"2\"");
    assert_eq!(read.is(200)["document"]["spec"]["description"], "second");

    let back = plane.json("POST", "/api/v1/policies/a/rollback", json!({ "version": 1 })).await.is(200);
    assert_eq!((&back["policy"]["version"], &back["policy"]["change"]), (&json!(3), &json!("rolled_back")));
    assert_eq!(back["policy"]["document"]["spec"]["description"], "first");

    let gone = plane.send("DELETE", "/api/v1/policies/a", &[], "").await.is(200);
    assert_eq!((&gone["policy"]["version"], &gone["policy"]["document"]), (&json!(4), &json!(null)));
    plane.get("/api/v1/policies/a").await.refused(404, "not_found");
    plane.send("DELETE", "/api/v1/policies/a", &[], "").await.refused(404, "not_found");

    let versions = plane.get("/api/v1/policies/a/versions").await.is(200);
    let changes: Vec<_> = versions["versions"].as_array().unwrap().iter().map(|v| &v["change"]).collect();
    assert_eq!(changes, ["deleted", "rolled_back", "updated", "created"]);
    assert_eq!(
        plane.get("/api/v1/policies/a/versions/2").await.is(200)["document"]["spec"]["description"],
        "second"
    );
    plane.get("/api/v1/policies/a/versions/9").await.refused(404, "not_found");
    let said = plane.get("/api/v1/policies/a/versions/one").await.refused(404, "not_found");
    assert!(said.contains("expected a whole number"), "{said}");
    plane.get("/api/v1/policies/b/versions").await.refused(404, "not_found");

    plane
        .json("POST", "/api/v1/policies/a/rollback", json!({ "version": 4 }))
        .await
        .refused(409, "no_document");
    plane
        .json("POST", "/api/v1/policies/a/rollback", json!({ "version": 9 }))
        .await
        .refused(404, "not_found");
    plane
        .json("POST", "/api/v1/policies/b/rollback", json!({ "version": 1 }))
        .await
        .refused(404, "not_found");
    let again = plane.json("POST", "/api/v1/policies/a/rollback", json!({ "version": 2 })).await.is(200);
    assert_eq!(again["policy"]["version"], 5);

    // Every change was published; the bundle's version is the number of changes.
    assert_eq!(plane.get("/api/v1/version").await.is(200)["policy_version"], "5");
    let bundle = plane.policies.published().unwrap();
    assert_eq!((bundle.policies.len(), bundle.policies[0].version), (1, 5));
}

#[tokio::test]
async fn changes_can_be_made_to_depend_on_what_is_there() {
    let plane = Plane::new().await;
    plane.json("POST", "/api/v1/policies", document("a", "1")).await.is(201);
    plane.json("POST", "/api/v1/policies", document("a", "2")).await.refused(409, "exists");
    let table = [
        ("if-match", "\"2\"", 412, 1),
        ("if-match", "\"1\"", 200, 2),
        ("if-match", "\"1\"", 412, 2),
        ("if-match", "2", 200, 3),
        ("if-match", "*", 200, 4),
        ("if-match", "W/\"4\"", 400, 4),
        ("if-match", "", 400, 4),
        ("if-none-match", "*", 412, 4),
        ("if-none-match", "\"4\"", 400, 4),
    ];
    for (row, (name, value, status, version)) in table.into_iter().enumerate() {
        let headers = [("content-type", "application/json"), (name, value)];
        let body = document("a", &format!("row {row}")).to_string();
        let answer = plane.send("PUT", "/api/v1/policies/a", &headers, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {value}: {}", answer.text);
        assert_eq!(plane.get("/api/v1/policies/a").await.is(200)["version"], version, "{name}: {value}");
    }
    let headers = [("content-type", "application/json"), ("if-match", "*")];
    let body = document("new", "").to_string();
    plane.send("PUT", "/api/v1/policies/new", &headers, &body).await.refused(412, "version_mismatch");
    plane
        .send("DELETE", "/api/v1/policies/a", &[("if-match", "1")], "")
        .await
        .refused(412, "version_mismatch");
    let headers = [("content-type", "application/json"), ("if-none-match", "*")];
    plane.send("PUT", "/api/v1/policies/new", &headers, &body).await.is(201);
}

#[tokio::test]
async fn yaml_and_json_are_one_document() {
    let plane = Plane::new().await;
    let yaml = "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: { name: y }\nspec:\n  rules:\n    - pii: {}\n";
    for kind in ["application/yaml", "text/yaml; charset=utf-8", "application/x-yaml"] {
        let answer = plane.send("PUT", "/api/v1/policies/y", &[("content-type", kind)], yaml).await;
        assert!(answer.status.is_success(), "{}", answer.text);
    }
    assert_eq!(plane.get("/api/v1/policies/y").await.is(200)["version"], 1);
    let two = format!("{yaml}---\n{yaml}");
    let message = plane
        .send("POST", "/api/v1/policies", &[("content-type", "text/yaml")], &two)
        .await
        .refused(400, "bad_request");
    assert!(message.contains("exactly one"), "{message}");
}

#[tokio::test]
async fn what_can_not_be_accepted_is_refused_with_a_reason_and_leaves_no_trace() {
    let plane = Plane::new().await;
    let json = [("content-type", "application/json")];
    let long = " ".repeat(5 * 1024 * 1024);
    let unknown = json!({
        "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": "a" },
        "spec": { "rules": [{ "pii": { "tyqes": [] } }] }
    });
    let bad_rego = json!({
        "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": "a" },
        "spec": { "rules": [{ "rego": { "module": "package mesh\ndeny contains" } }] }
    });
    let fine = document("a", "").to_string();
    /// Path, headers, body, status and code.
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);
    let twice = r#"{"apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": {"name": "a"}, "spec": {"rules": []}, "spec": {}}"#;
    let twice_within = format!("{{\"policy\": {twice}}}");
    let table: [Row<'_>; 12] = [
        ("/api/v1/policies", &json, "{", 400, "bad_request"),
        ("/api/v1/policies", &json, twice, 400, "bad_request"),
        ("/api/v1/policies/impact", &json, &twice_within, 400, "bad_request"),
        (
            "/api/v1/policies/a/rollout",
            &json,
            &twice_within.replace("policy", "document"),
            400,
            "bad_request",
        ),
        ("/api/v1/policies", &[], &fine, 415, "unsupported_media_type"),
        ("/api/v1/policies", &[("content-type", "text/plain")], &fine, 415, "unsupported_media_type"),
        ("/api/v1/policies", &json, &long, 413, "body_too_large"),
        ("/api/v1/policies?force=1", &json, &fine, 400, "bad_request"),
        ("/api/v1/policies", &json, &unknown.to_string(), 422, "policy_invalid"),
        ("/api/v1/policies", &json, &bad_rego.to_string(), 422, "policy_invalid"),
        ("/api/v1/policies", &json, &document("dry-run", "").to_string(), 422, "policy_invalid"),
        ("/api/v1/policies/a/rollback", &json, r#"{"versoin": 1}"#, 400, "bad_request"),
    ];
    for (path, headers, body, status, code) in table {
        plane.send("POST", path, headers, body).await.refused(status, code);
    }
    let message =
        plane.json("PUT", "/api/v1/policies/b", document("a", "")).await.refused(400, "bad_request");
    assert!(message.contains("\"a\"") && message.contains("\"b\""), "{message}");
    let said = plane.json("POST", "/api/v1/policies", unknown).await.is(422);
    let diagnostic = &said["error"]["diagnostics"][0];
    assert!(diagnostic["path"].as_str().unwrap().contains("spec.rules[0].pii"), "{said}");
    assert!(said.to_string().contains("types"), "the nearest known name is told: {said}");
    assert_eq!(plane.get("/api/v1/policies").await.is(200)["policies"], json!([]));
    assert_eq!(plane.get("/api/v1/version").await.is(200)["policy_version"], "0");
    plane.send("PATCH", "/api/v1/policies", &[], "").await.refused(405, "method_not_allowed");
    plane.get("/nothing").await.refused(404, "not_found");
}

#[tokio::test]
async fn racing_changes_each_make_their_version_and_the_last_is_published() {
    let plane = std::sync::Arc::new(Plane::new().await);
    let racers: Vec<_> = (0..100)
        .map(|racer| {
            let plane = std::sync::Arc::clone(&plane);
            tokio::spawn(async move {
                let name = format!("p{}", racer % 5);
                let path = format!("/api/v1/policies/{name}");
                plane.json("PUT", &path, document(&name, &racer.to_string())).await.status.is_success()
            })
        })
        .collect();
    for racer in racers {
        assert!(racer.await.unwrap());
    }
    let bundle = plane.policies.published().unwrap();
    assert_eq!((bundle.version.as_str(), bundle.policies.len()), ("100", 5));
    assert!(bundle.policies.iter().all(|policy| policy.version == 20));
}
