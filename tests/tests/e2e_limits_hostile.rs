//! Those who leave at the wrong moment, die, or call themselves odd names: nothing stays held for them, and nobody gets more.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mesh_tests::limits::{four_words, metric, policy, redis, settled};
use mesh_tests::redis::Wire;
use mesh_tests::{
    Mesh, Request, Signal, by, chat, chat_stream, child_of, eventually, free_port, signal, within,
};
use serde_json::Value;

/// Sends these bytes and reads the status of the answer; 0 without one.
fn status_of(mesh: &Mesh, bytes: &[u8]) -> u16 {
    let Ok(mut socket) = TcpStream::connect(mesh.sidecar) else { return 0 };
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    let _ = socket.write_all(bytes);
    let mut said = Vec::new();
    let _ = socket.read_to_end(&mut said);
    let head = String::from_utf8_lossy(&said).into_owned();
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// The account of an agent under a measure.
fn account(mesh: &Mesh, agent: &str, measure: &str) -> Option<Value> {
    let listed = mesh.api("GET", &format!("/api/v1/limits?key=agent:{agent}"), None).json();
    listed["limits"].as_array()?.iter().find(|limit| limit["measure"] == measure).cloned()
}

/// The control plane is too slow for an agent, or for the sidecar: what it promises all the same is given back at once.
#[test]
fn who_does_not_wait_for_the_answer_holds_nothing() {
    let limits = "rules: [ { rateLimit: { maxConcurrent: 1, tokensPerDay: 100000 } } ]";
    let policies = policy("closed", &format!("target: {{ agents: [left, timed-out] }}, {limits}"))
        + &policy("open", &format!("failureMode: open, target: {{ agents: [open] }}, {limits}"));
    let mut mesh = Mesh::prepare(&policies, &[]);
    let plane = mesh.serve();
    let _sidecar = mesh.start_sidecar();
    for agent in ["left", "timed-out", "open"] {
        assert_eq!(mesh.send(&four_words(agent)).status, 200);
    }
    let each = settled(&mesh, "left", "tokens");
    settled(&mesh, "open", "tokens");

    signal(plane.id(), Signal::SIGSTOP);
    for _ in 0..3 {
        let request = four_words("left");
        let mut socket = TcpStream::connect(mesh.sidecar).expect("the sidecar listens");
        socket.write_all(request.head().as_bytes()).expect("it reads");
        socket.write_all(&request.body).expect("it reads");
        std::thread::sleep(Duration::from_millis(150));
    }
    let refused = mesh.send(&four_words("timed-out"));
    assert_eq!(refused.status, 503, "{}", refused.text());
    let passed = mesh.send(&four_words("open"));
    assert_eq!(passed.status, 200, "{}", passed.text());
    signal(plane.id(), Signal::SIGCONT);

    for agent in ["left", "timed-out"] {
        eventually("what was promised is given back", || {
            let free =
                |measure| account(&mesh, agent, measure).is_none_or(|account| account["reserved"] == 0);
            (free("concurrent") && free("tokens")).then_some(())
        });
    }
    // What reached the provider is what counts. (Of `open` two did; a starved Envoy may hear an answer before it hears that the client has left.)
    let sent = mesh.upstream.requests().len() as u64 - 2;
    let used = settled(&mesh, "left", "tokens") + settled(&mesh, "timed-out", "tokens");
    assert_eq!(used, sent * each, "{sent} requests reached the provider");
    // What passed uncounted counts as what it took, or not at all: it was promised, or not.
    let used = settled(&mesh, "open", "tokens");
    assert!(used == each || used == 2 * each, "{used}");
    for agent in ["left", "timed-out", "open"] {
        let answer =
            eventually("a place is free", || Some(mesh.send(&four_words(agent))).filter(|a| a.status == 200));
        assert!(answer.header("x-ai-mesh-guards").contains("rateLimit=ran"), "{answer:?}");
    }
    assert_eq!(metric(&mesh, "ai_mesh_limit_reservations_expired_total"), 0);
}

/// Answers that end while Redis is away are settled when it is back.
#[test]
fn what_ends_without_redis_is_settled_later() {
    let server = redis();
    let server = server.trim_start_matches("redis://").trim_end_matches('/');
    let wire = Wire::to(server);
    let name = format!("later-{}", free_port());
    let limits = "rules: [ { rateLimit: { maxConcurrent: 1, tokensPerDay: 100000 } } ]";
    let flags = ["--redis", &format!("redis://{}", wire.address)];
    let mesh = Mesh::up(&policy(&name, &format!("target: {{ agents: [{name}] }}, {limits}")), &flags);
    let slow = by(&name, Request::post("/v1/chat/completions", &chat_stream(&"word ".repeat(15))));
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| mesh.send(&slow.header("x-mock-delay-ms", "100")));
        std::thread::sleep(Duration::from_millis(500));
        wire.lead(None);
        assert!(answer.join().expect("an answer").complete);
        std::thread::sleep(Duration::from_millis(700));
        wire.lead(Some(server));
    });
    eventually("a place is free", || (mesh.send(&four_words(&name)).status == 200).then_some(()));
    assert!(settled(&mesh, &name, "tokens") > 0);
    let place = account(&mesh, &name, "concurrent");
    assert!(place.is_none_or(|place| place["expired"] == 0));
}

/// An Envoy that is killed takes its leases with it: they stay counted, are shown with the time they expire in, and nobody gets
/// more for it.
#[test]
fn leases_of_a_killed_sidecar_are_shown_and_cost_no_more_than_a_tenth() {
    let rule = "target: { agents: [many] }, rules: [ { rateLimit: { requestsPerHour: 600 } } ]";
    let mesh = Mesh::up(&policy("killed", rule), &["--concurrency", "2"]);
    let admit = |count: usize| (0..count).filter(|_| mesh.send(&four_words("many")).status == 200).count();
    let first = admit(60);
    assert_eq!(first, 60);
    let envoy = child_of(mesh.parts[0].id()).expect("Envoy is a child of ai-mesh up");
    signal(envoy, Signal::SIGKILL);
    let get = b"GET /v1/models HTTP/1.1\r\nhost: mesh.test\r\nconnection: close\r\n\r\n";
    // An Envoy takes as long to start as the machine is slow: each worker compiles the module.
    within(Duration::from_secs(90), "Envoy's start", || (status_of(&mesh, get) == 200).then_some(()));
    let lost = account(&mesh, "many", "requests").expect("an account");
    let left = lost["expires_in_seconds"].as_u64().expect("it says when they expire");
    assert!(lost["open"].as_u64() > Some(0) && (1..=600).contains(&left), "{lost}");
    let shown = String::from_utf8_lossy(&mesh.cli(&["limits", "--key", "agent:many"]).stdout).into_owned();
    assert!(shown.contains("UNSETTLED") && shown.contains("open, "), "{shown}");
    let all = first + eventually("it is served", || Some(admit(1)).filter(|n| *n == 1)) + admit(620);
    assert!((540..=600).contains(&all), "{all} of 600: a tenth may have gone with the leases");
}

/// Names of users as an attacker would choose them: each counts its own, or the agent; none has no limit, and none is another's.
#[test]
fn odd_names_are_counted_like_any_other() {
    let rule = "rules: [ { rateLimit: { key: user, requestsPerDay: 2, mode: strict } } ]";
    let mesh = Mesh::up(&policy("each", rule), &[]);
    let long = |length: usize| "x".repeat(length);
    let names: Vec<Vec<u8>> = [
        "\"}],\"x\":[{\"",
        "a\\",
        "a\\\"",
        "{limits}",
        "{}",
        "*",
        "?",
        "[a-z]",
        "agent:other",
        "user:x",
        "..//..",
        "%00%0d%0a",
        "' OR 1=1 --",
        "$(id)",
        "é",
        "\u{202e}abc",
        "名前",
        "😀",
        "a,b",
        "a;b=c",
        "-1",
        "null",
        "a\tb",
        "KEYS[1]",
    ]
    .iter()
    .map(|name| name.as_bytes().to_vec())
    .chain([b"\xff\xfe\x80".to_vec(), b"a\xc3".to_vec(), long(256).into_bytes()])
    .collect();
    let body = chat("hello").to_string();
    let send = |agent: &str, user: &[u8]| {
        let mut bytes = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: mesh.test\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\nx-ai-mesh-agent: {agent}\r\nx-ai-mesh-user: ",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(user);
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(body.as_bytes());
        status_of(&mesh, &bytes)
    };
    for (number, name) in names.iter().enumerate() {
        let statuses: Vec<u16> = (0..3).map(|_| send(&format!("agent-{number}"), name)).collect();
        assert_eq!(statuses, [200, 200, 429], "{}", String::from_utf8_lossy(name));
    }
    // What is longer than a name can be is nobody's name: the agent counts, for all of them together.
    for length in [257, 5000, 40_000] {
        let (first, second) = (long(length), long(length + 1));
        let agent = format!("long-{length}");
        let statuses: Vec<u16> =
            [&first, &second, &first, &second].map(|name| send(&agent, name.as_bytes())).into();
        assert_eq!(statuses, [200, 200, 429, 429], "{length} bytes");
    }
    let refused = send("longest", long(70_000).as_bytes());
    assert!((400..500).contains(&refused), "{refused}");
    // Thousands of users, each with one request: nothing is lent for any of them, and the list is bounded.
    for number in 0..2000 {
        assert_eq!(send("crowd", format!("one-of-many-{number}").as_bytes()), 200);
    }
    assert_eq!(metric(&mesh, "ai_mesh_limit_leases_total"), 0);
    let listed = mesh.api("GET", "/api/v1/limits", None).json();
    assert_eq!((listed["limits"].as_array().map(Vec::len), &listed["truncated"]), (Some(1000), &true.into()));
}

/// Two control planes that price a model differently: each settles what its own sidecars spent by its own price, in one account.
#[test]
fn two_planes_with_two_prices_share_a_budget() {
    let name = format!("prices-{}", free_port());
    let rule = policy(
        &name,
        &format!("target: {{ agents: [{name}] }}, rules: [ {{ rateLimit: {{ costPerDay: 100 }} }} ]"),
    );
    let redis = redis();
    let mesh = |price: u64| {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("prices.json");
        let list =
            format!(r#"{{ "models": [{{ "model": "gpt-4o", "input": {price}, "output": {price} }}] }}"#);
        std::fs::write(&file, list).expect("a file");
        Mesh::up(&rule, &["--redis", &redis, "--prices", &file.to_string_lossy()])
    };
    let meshes = [mesh(10), mesh(1000)];
    let mut expected = 0;
    for (mesh, price) in meshes.iter().zip([10, 1000]) {
        let answer = mesh.send(&four_words(&name));
        assert_eq!(answer.status, 200, "{}", answer.text());
        expected += mesh_tests::limits::reported(&answer) * price;
        settled(mesh, &name, "cost");
    }
    for mesh in &meshes {
        assert_eq!(settled(mesh, &name, "cost"), expected, "both see what both have spent");
    }
}
