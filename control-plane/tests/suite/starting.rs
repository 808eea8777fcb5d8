//! Starting: what is there afterwards, and what is said when it cannot be.
use std::net::{SocketAddr, TcpListener};

use mesh_control_plane::{Config, StartError, start, starter};
use mesh_policy::{Document, ModelsRule, Policy, RegoRule, Rule, Spec};
use serde_json::json;

use crate::support::{Data, rest, served, whole};

fn policy(name: &str, rule: Rule) -> Policy {
    Policy::new(name, Spec { rules: vec![rule], ..Spec::default() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_mesh_begins_with_the_starter_policy() {
    let data = Data::new();
    let plane = data.start().await;
    assert_eq!(rest(&plane, "GET", "/readyz", "").await.0, 200);
    let (_, policies) = rest(&plane, "GET", "/api/v1/policies", "").await;
    assert_eq!(policies["policies"][0]["name"], "starter");
    assert_eq!(policies["policies"][0]["rules"], json!(["pii", "injection"]));
    assert_eq!(served(&plane, &data.sidecar_token()).await, "1");
    plane.stop().await;

    // Whoever deletes it does not want it back.
    let plane = data.start().await;
    assert_eq!(rest(&plane, "DELETE", "/api/v1/policies/starter", "").await.0, 200);
    plane.stop().await;
    let plane = data.start().await;
    let (_, policies) = rest(&plane, "GET", "/api/v1/policies", "").await;
    assert_eq!(policies["policies"], json!([]));
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_policies_are_in_force_from_the_first_moment_and_only_changes_make_versions() {
    let data = Data::new();
    let models = |allow: &str| {
        policy("models", Rule::Models(ModelsRule { allow: vec![allow.to_owned()], ..ModelsRule::default() }))
    };
    for (allow, version) in [("gpt-*", 1), ("gpt-*", 1), ("claude-*", 2)] {
        let plane = start(Config { documents: vec![Document::Policy(models(allow))], ..data.config() })
            .await
            .unwrap();
        let (_, list) = rest(&plane, "GET", "/api/v1/policies", "").await;
        assert_eq!(list["policies"].as_array().unwrap().len(), 1, "no starter policy beside it");
        assert_eq!(list["policies"][0]["version"], version);
        plane.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_on_its_way_to_the_sidecars_when_it_is_answered() {
    let data = Data::new();
    let plane = data.start().await;
    for number in 0..20 {
        let body = json!({
            "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": "a" },
            "spec": { "description": number.to_string(), "rules": [{ "pii": {} }] }
        });
        let (status, _) = rest(&plane, "PUT", "/api/v1/policies/a", &body.to_string()).await;
        assert!(status < 300);
        assert_eq!(served(&plane, &data.sidecar_token()).await, (number + 2).to_string());
    }
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_work_is_one_sentence_and_nothing_is_left_running() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let free: SocketAddr = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let data = Data::new();
    // A file where the folder should be.
    let file = tempfile::NamedTempFile::new().unwrap();
    let bad = policy(
        "bad",
        Rule::Rego(RegoRule { module: "package mesh\n\nallow if {".to_owned(), ..RegoRule::default() }),
    );
    let config = || data.config();
    let table: [(Config, &str); 10] = [
        (Config { api: taken, grpc: free, ..config() }, "the port is in use"),
        (Config { api: free, grpc: taken, ..config() }, "the port is in use"),
        (Config { api: "0.0.0.0:0".parse().unwrap(), ..config() }, "can be reached from other machines"),
        (Config { data: file.path().to_owned(), api: free, ..config() }, "choose another data directory"),
        (Config { database: Some("mysql://u:hunter2@h/x".into()), ..config() }, "expected postgres://"),
        (
            Config { database: Some(format!("postgres://u:hunter2@{free}/x")), ..config() },
            "nobody answers there",
        ),
        (Config { redis: Some(format!("redis://:hunter2@{free}")), ..config() }, "Redis at"),
        (Config { upstreams: Vec::new(), ..config() }, "no upstream"),
        (Config { prices: Some(file.path().to_owned()), ..config() }, "this is no list of prices"),
        (
            Config {
                documents: vec![Document::Policy(starter()), Document::Policy(bad)],
                api: free,
                ..config()
            },
            "policy \"bad\" cannot be put in force",
        ),
    ];
    for (config, expected) in table {
        let error = start(config).await.err().expect("it does not start");
        let told = whole(&error);
        assert!(told.contains(expected) && !told.contains("hunter2"), "{told}");
        // The port is free again: nothing was left behind.
        drop(TcpListener::bind(free).expect("nothing is left running"));
    }
    // Of the policies of a start that failed, none was written.
    let plane = start(Config { starter: false, ..config() }).await.unwrap();
    assert_eq!(rest(&plane, "GET", "/api/v1/policies", "").await.1["policies"], json!([]));
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_machines_are_let_in_when_that_is_said() {
    let data = Data::new();
    let everywhere = Config { api: "0.0.0.0:0".parse().unwrap(), allow_remote: true, ..data.config() };
    let plane = start(everywhere).await.unwrap();
    plane.stop().await;
    let error = start(Config { grpc: "0.0.0.0:0".parse().unwrap(), ..data.config() }).await.err().unwrap();
    assert!(matches!(error, StartError::Remote { what: "gRPC", .. }));
}
