//! What monitors see.
use std::collections::BTreeSet;

use mesh_audit::v1::{DecisionRecord, ReportRequest};
use mesh_control_api::intake;
use mesh_control_api::v1::decision_intake_client::DecisionIntakeClient;
use serde_json::json;

use crate::support::{Plane, document, record};

#[tokio::test]
async fn ready_means_that_policies_are_published() {
    let plane = Plane::unpublished(true);
    plane.get("/healthz").await.is(200);
    plane.get("/readyz").await.refused(503, "not_ready");
    plane.policies.refresh().await.unwrap();
    assert_eq!(plane.get("/readyz").await.is(200), json!({ "status": "ok" }));
}

#[tokio::test]
async fn sidecars_are_shown() {
    let plane = Plane::new().await;
    let list = plane.get("/api/v1/sidecars").await.is(200);
    let sidecar = &list["sidecars"][0];
    assert_eq!(
        (&sidecar["id"], &sidecar["policy_version"], &sidecar["offered_version"]),
        (&json!("edge"), &json!("1"), &json!("2"))
    );
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let plane = Plane::new().await;
    plane.json("PUT", "/api/v1/policies/a", document("a", "")).await.is(201);
    plane.get("/api/v1/policies/nobody").await.refused(404, "not_found");
    // The generated client on the generated server, without a network.
    let mut client = DecisionIntakeClient::new(intake(
        plane.decisions.clone(),
        plane.limits.clone(),
        plane.tools.clone(),
        std::sync::Arc::clone(&plane.metrics),
    ));
    let report = |first_sequence: u64, records: Vec<DecisionRecord>, dropped: u64| {
        let request = ReportRequest {
            sidecar: "edge".into(),
            vm: "v".into(),
            first_sequence,
            records,
            dropped,
            returns: Vec::new(),
        };
        let mut client = client.clone();
        async move { client.report(request).await }
    };
    let kept = report(1, vec![record("a", "allow"), record("b", "deny")], 0).await.unwrap();
    assert_eq!(kept.into_inner().acknowledged, 2);
    report(2, vec![record("b", "deny"), record("c", "strange")], 4).await.unwrap();
    assert_eq!(report(9, vec![record("i", "throttle")], 4).await.unwrap().into_inner().acknowledged, 9);
    // No more is acknowledged than was sent: somebody else may have reported in this VM's name.
    assert_eq!(report(2, vec![record("b", "allow")], 4).await.unwrap().into_inner().acknowledged, 2);
    assert_eq!(report(4, Vec::new(), 4).await.unwrap().into_inner().acknowledged, 3);
    let long = vec![record("x", "allow"); 1025];
    let refused = report(10, long, 4).await.unwrap_err();
    assert!(refused.message().contains("at most 1024"), "{refused}");
    let foreign = DecisionRecord { decision_id: "w-1".to_owned(), ..record("x", "allow") };
    let refused = report(10, vec![foreign], 4).await.unwrap_err();
    assert!(refused.message().contains("record with the id \"w-1\""), "{refused}");
    let large = DecisionRecord { user_id: "x".repeat(300_000), ..record("x", "allow") };
    let refused = report(10, vec![large], 4).await.unwrap_err();
    assert!(refused.message().contains("at most 262144"), "{refused}");
    let refused = report(0, vec![record("x", "allow")], 0).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    let refused = client.report(ReportRequest::default()).await.unwrap_err();
    assert!(refused.message().contains("vm"), "{refused}");

    let metrics = plane.get("/metrics").await;
    assert!(metrics.headers["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    for line in [
        "ai_mesh_decisions_total{decision=\"allow\"} 1",
        "ai_mesh_decisions_total{decision=\"deny\"} 1",
        "ai_mesh_decisions_total{decision=\"other\"} 1",
        "ai_mesh_decisions_total{decision=\"throttle\"} 1",
        "ai_mesh_decision_gaps_total 1",
        "ai_mesh_decision_conflicts_total 1",
        "ai_mesh_records_dropped_total 4",
        "ai_mesh_xds_nacks_total 7",
        "ai_mesh_sidecars_connected 1",
        "ai_mesh_policies 1",
        "ai_mesh_build_info{version=",
        "ai_mesh_http_requests_total{method=\"GET\",route=\"/api/v1/policies/{name}\",status=\"404\"} 1",
    ] {
        assert!(metrics.text.contains(line), "{line} is missing in\n{}", metrics.text);
    }
}

/// The table of metrics in the documents and what is exposed name the same metrics, with the same labels, from the start on.
#[tokio::test]
async fn the_documents_list_every_metric() {
    let plane = Plane::new().await;
    plane.get("/healthz").await.is(200);
    let text = plane.get("/metrics").await.text;
    let exposed: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| {
            let (name, kind) = line.split_once(' ').expect("a name and a type");
            let name = match kind {
                "counter" => format!("{name}_total"),
                "info" => format!("{name}_info"),
                _ => name.to_owned(),
            };
            let sample = text.lines().find_map(|line| line.strip_prefix(&format!("{name}{{")));
            let labels: Vec<&str> = sample.into_iter().flat_map(label_names).collect();
            if labels.is_empty() { name } else { format!("{name}{{{}}}", labels.join(",")) }
        })
        .collect();
    let document = include_str!("../../../../docs/operations.md");
    let rows = document.lines().filter(|line| line.starts_with("| `ai_mesh_"));
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2));
    let listed: BTreeSet<String> = names.map(str::to_owned).collect();
    assert_eq!(exposed, listed);
}

/// The names of the labels of `a="x",b="y"} 1`.
fn label_names(labels: &str) -> Vec<&str> {
    let labels = labels.split_once("\"}").map_or(labels, |(labels, _)| labels);
    labels.split("\",").filter_map(|label| Some(label.split_once('=')?.0)).collect()
}
