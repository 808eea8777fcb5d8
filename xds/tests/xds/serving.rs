//! A real Envoy accepts what we serve, and does with requests what it should.
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use mesh_ports::free_address;
use mesh_xds::{Event, Kind, Protocol};

use crate::{
    http::{get, send, upstream},
    mesh::Mesh,
};

#[tokio::test(flavor = "multi_thread")]
async fn envoy_accepts_all_of_it_in_both_variants() {
    for (sotw, protocol) in [(false, Protocol::Delta), (true, Protocol::Sotw)] {
        let (rest, tools) = (upstream("rest").await, upstream("tools").await);
        let upstreams = [
            ("default", format!("http://{rest}/base")),
            ("mcp", format!("http://localhost:{}", tools.port())),
        ];
        let mesh = Mesh::start(&format!("accepts-{sotw}"), sotw, &upstreams).await;
        let acked = Arc::new(Mutex::new(BTreeSet::new()));
        let told = Arc::clone(&acked);
        mesh.ads.observe(move |event| {
            if let Event::Acked { kind, version, .. } = event {
                told.lock().unwrap().insert((*kind, version.clone()));
            }
        });
        mesh.publish_accepted("7").await;
        let client = &mesh.ads.clients()[0];
        assert_eq!(client.protocol, protocol);
        assert_eq!(client.cluster, "ai_mesh");
        assert!(client.user_agent.starts_with("envoy "), "{}", client.user_agent);
        assert_eq!(mesh.status(Kind::Endpoints).acked_version.as_deref(), Some("7"));
        let kinds = [Kind::Cluster, Kind::Endpoints, Kind::Listener, Kind::Route, Kind::Extension];
        assert_eq!(*acked.lock().unwrap(), kinds.map(|kind| (kind, "7".to_owned())).into());

        let answer = send(mesh.sidecar, "POST", "/v1/chat/completions?x=1", &[], b"{}").await.unwrap();
        let told = answer.json();
        assert_eq!((answer.status, &told["upstream"], &told["body"]), (200, &"rest".into(), &"{}".into()));
        assert_eq!(told["path"], "/base/v1/chat/completions?x=1");
        assert_eq!(told["headers"]["host"], rest.to_string());
        assert!(answer.headers.contains("server: rest"), "{}", answer.headers);
        let own = |text: &str| text.contains("x-envoy");
        assert!(!own(&answer.headers) && !own(&told["headers"].to_string()), "{} {told}", answer.headers);
        assert_eq!(get(mesh.sidecar, "/mcp").await.json()["upstream"], "tools");
        assert_eq!(mesh.refused.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_means_the_same_to_us_and_to_the_upstream() {
    let (rest, anthropic) = (upstream("rest").await, upstream("anthropic").await);
    let upstreams = [("default", format!("http://{rest}")), ("anthropic", format!("http://{anthropic}"))];
    let mesh = Mesh::start("paths", false, &upstreams).await;
    mesh.publish_accepted("1").await;
    // Path as sent, upstream, path as received.
    let cases = [
        ("/v1/messages", "anthropic", "/v1/messages"),
        ("//v1//messages", "anthropic", "/v1/messages"),
        ("/x/../v1/messages/count_tokens", "anthropic", "/v1/messages/count_tokens"),
        ("/x/%2e%2e/v1/messages", "anthropic", "/v1/messages"),
        ("/v1%2Fmessages", "anthropic", "/v1/messages"),
        ("/v1%5cmessages", "anthropic", "/v1/messages"),
        ("/v1/messagesque", "rest", "/v1/messagesque"),
        ("/v1/messages?beta=%2F", "anthropic", "/v1/messages?beta=%2F"),
        ("/v1/chat/completions", "rest", "/v1/chat/completions"),
        ("/v1/m%65ssages", "anthropic", "/v1/messages"),
    ];
    for (sent, name, received) in cases {
        let told = get(mesh.sidecar, sent).await.json();
        assert_eq!((&told["upstream"], &told["path"]), (&name.into(), &received.into()), "{sent}");
    }
    let version = [("anthropic-version", "2023-06-01")];
    let told = send(mesh.sidecar, "GET", "/v1/models", &version, b"").await.unwrap().json();
    assert_eq!(told["upstream"], "anthropic");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_upstream_takes_and_what_is_not_http_is_answered_with_reason() {
    let gone = free_address();
    let mesh = Mesh::start("reasons", false, &[("openai", format!("http://{gone}"))]).await;
    mesh.publish_accepted("1").await;
    let answer = get(mesh.sidecar, "/nowhere").await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &"no_upstream".into()));
    assert!(answer.headers.contains("content-type: application/json"));
    let answer = get(mesh.sidecar, "/v1/models").await;
    let message = answer.json()["error"]["message"].to_string();
    assert!(answer.status == 503 && message.contains("upstream connect error"), "{answer:?}");
    let upgrade = [("upgrade", "websocket"), ("sec-websocket-version", "13"), ("sec-websocket-key", "x")];
    let answer = send(mesh.sidecar, "GET", "/v1/realtime", &upgrade, b"").await.unwrap();
    assert!(answer.status >= 400, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_token_there_is_no_configuration() {
    let mesh =
        Mesh::start_with_token("token", false, &[("default", "http://127.0.0.1:9".into())], "wrong").await;
    mesh.publish("1");
    while mesh.refused.load(Ordering::SeqCst) < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(mesh.ads.clients().is_empty());
    assert!(send(mesh.sidecar, "GET", "/", &[], b"").await.is_err(), "the listener is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_is_down_lets_nothing_pass_and_says_so() {
    let rest = upstream("rest").await;
    let mesh = Mesh::start("down", false, &[("default", format!("http://{rest}"))]).await;
    mesh.publish_accepted("1").await;
    let names: Vec<String> = (0..70).map(|n| format!("x-{n}")).collect();
    let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    // Envoy answers before it has read the body, and may reset a connection with bytes that it has not read.
    let mut answer = send(mesh.sidecar, "POST", "/", &headers, b"{}").await;
    for _ in 0..20 {
        if answer.is_ok() {
            break;
        }
        answer = send(mesh.sidecar, "POST", "/", &headers, b"{}").await;
    }
    let answer = answer.unwrap();
    let message = answer.json()["error"]["message"].to_string();
    assert!(answer.status == 503 && message.contains("policy filter is not running"), "{answer:?}");
    while get(mesh.sidecar, "/").await.status != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
