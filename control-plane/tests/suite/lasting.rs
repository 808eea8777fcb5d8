//! What outlives a control plane.
use serde_json::json;

use crate::support::{Data, report, rest, served};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_a_sudden_end() {
    let data = Data::new();
    let plane = data.start().await;
    let (admin, sidecar) = (plane.admin_token().secret().to_owned(), data.sidecar_token());
    let body = json!({
        "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": "mine" },
        "spec": { "rules": [{ "injection": {} }] }
    });
    assert_eq!(rest(&plane, "PUT", "/api/v1/policies/mine", &body.to_string()).await.0, 201);
    assert_eq!(report(&plane, &sidecar, 1, 3).await, 3);
    // No goodbye.
    drop(plane);

    let plane = data.start().await;
    assert_eq!(plane.admin_token().secret(), admin);
    assert_eq!(data.sidecar_token(), sidecar);
    let (_, policies) = rest(&plane, "GET", "/api/v1/policies", "").await;
    let names: Vec<_> =
        policies["policies"].as_array().unwrap().iter().map(|policy| &policy["name"]).collect();
    assert_eq!(names, ["mine", "starter"]);
    assert_eq!(served(&plane, &sidecar).await, "2", "what was in force is published at the start");
    // The sidecar did not hear the last acknowledgement and sends again, with more.
    assert_eq!(report(&plane, &sidecar, 2, 5).await, 5);
    let (_, decisions) = rest(&plane, "GET", "/api/v1/decisions", "").await;
    let ids: Vec<_> = decisions["decisions"].as_array().unwrap().iter().map(|d| &d["decision_id"]).collect();
    assert_eq!(ids, ["v-5", "v-4", "v-3", "v-2", "v-1"]);
    assert_eq!(rest(&plane, "GET", "/api/v1/decisions/gaps", "").await.1["gaps"], json!([]));
    plane.stop().await;
}
