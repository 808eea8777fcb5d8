//! A real Envoy under changes: good ones, bad ones, and a control plane that goes away.
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use mesh_xds::{Kind, Upstream};

use crate::{
    http::{get, send, upstream},
    mesh::Mesh,
};

#[tokio::test(flavor = "multi_thread")]
async fn until_a_program_arrives_nothing_passes() {
    let rest = upstream("rest").await;
    let mut mesh = Mesh::start("no-program", false, &[("default", format!("http://{rest}"))]).await;
    let program = mesh.spec.filter_path.clone();
    mesh.spec.filter_path = "/nowhere/filter.wasm".to_owned();
    mesh.publish("1");
    let client = mesh.until(|c| c.types.get(&Kind::Extension).is_some_and(|t| t.nacked.is_some())).await;
    let nack = client.types[&Kind::Extension].nacked.clone().unwrap();
    assert!(nack.version == "1" && nack.message.contains("/nowhere/filter.wasm"), "{nack:?}");
    // Once the first program was refused, Envoy opens the listener, and answers for the missing filter itself.
    if let Ok(answer) = send(mesh.sidecar, "GET", "/", &[], b"").await {
        assert_eq!(answer.status, 500, "{answer:?}");
    }
    mesh.spec.filter_path = program;
    mesh.publish_accepted("2").await;
    assert_eq!(get(mesh.sidecar, "/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_policy_leaves_the_old_one_in_force() {
    for sotw in [false, true] {
        let rest = upstream("rest").await;
        let upstreams = [("default", format!("http://{rest}"))];
        let mut mesh = Mesh::start(&format!("refused-{sotw}"), sotw, &upstreams).await;
        mesh.publish_accepted("1").await;
        // The tests' filter refuses configurations of odd length.
        mesh.spec.plugin_config = "{ }".to_owned();
        mesh.publish("2");
        mesh.until(|c| c.types[&Kind::Extension].nacked.is_some()).await;
        let status = mesh.status(Kind::Extension);
        assert_eq!(status.acked_version.as_deref(), Some("1"));
        assert_eq!(status.nacked.unwrap().version, "2");
        assert_eq!(get(mesh.sidecar, "/").await.status, 200);
        let nonce = mesh.status(Kind::Extension).last_nonce;
        mesh.spec.plugin_config = "{}{}".to_owned();
        mesh.publish_accepted("3").await;
        let sent = |nonce: Option<String>| nonce.unwrap().parse::<u64>().unwrap();
        assert_eq!(
            sent(mesh.status(Kind::Extension).last_nonce),
            sent(nonce) + 1,
            "the bad one was sent again"
        );
        assert_eq!(get(mesh.sidecar, "/").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_everything_lose_no_request() {
    for sotw in [false, true] {
        let (one, two) = (upstream("one").await, upstream("two").await);
        let mut mesh =
            Mesh::start(&format!("changes-{sotw}"), sotw, &[("default", format!("http://{one}"))]).await;
        mesh.publish_accepted("0").await;
        let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let load: Vec<_> = (0..4)
            .map(|_| {
                let (stop, served, to) = (stop.clone(), served.clone(), mesh.sidecar);
                tokio::spawn(async move {
                    while !stop.load(Ordering::SeqCst) {
                        let answer = send(to, "POST", "/v1/chat/completions", &[], b"{\"a\":1}").await;
                        let answer = answer.expect("a request was lost");
                        assert_eq!(answer.status, 200, "{answer:?}");
                        served.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for round in 1..=12 {
            let address = if round % 2 == 0 { one } else { two };
            let url = format!("http://{address}{}", ["", "/base"][usize::from(round % 3 == 0)]);
            mesh.spec.upstreams = vec![Upstream::parse("default", &url).unwrap()];
            match round % 4 {
                // The load's route moves to a cluster that is new, and back from one that goes.
                0 => mesh.spec.upstreams.push(Upstream::parse("openai", &format!("http://{two}")).unwrap()),
                1 => mesh.spec.max_body_bytes += 1,
                2 => mesh.spec.plugin_config.push_str("  "),
                _ => mesh.spec.upstreams = vec![Upstream::parse("openai", &format!("http://{one}")).unwrap()],
            }
            let before = served.load(Ordering::SeqCst);
            mesh.publish_accepted(&round.to_string()).await;
            while served.load(Ordering::SeqCst) < before + 8 && !load.iter().any(|l| l.is_finished()) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
        stop.store(true, Ordering::SeqCst);
        for task in load {
            task.await.unwrap();
        }
        assert!(mesh.is_alive());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_comes_back_finds_what_is_in_force() {
    for sotw in [false, true] {
        let rest = upstream("rest").await;
        let upstreams = [("default", format!("http://{rest}"))];
        let mut mesh = Mesh::start(&format!("restart-{sotw}"), sotw, &upstreams).await;
        mesh.publish_accepted("1").await;
        mesh.stop_server().await;
        assert_eq!(get(mesh.sidecar, "/").await.status, 200, "traffic goes on");
        mesh.restart_server().await;
        mesh.publish_accepted("1").await;
        if !sotw {
            // Everything was known from the versions that Envoy came with.
            let client = &mesh.ads.clients()[0];
            assert!(client.types.values().all(|t| t.last_nonce.is_none()), "{client:#?}");
        }
        mesh.spec.plugin_config = "{}{}".to_owned();
        mesh.publish_accepted("2").await;
        assert_eq!(get(mesh.sidecar, "/").await.status, 200);
    }
}
