//! What is kept of requests: fingerprints of bodies where they are asked for, under a key, of what the agent sent and got; and
//! records as long as they are wanted.
use mesh_audit::ContentHash;
use mesh_tests::limits::policy;
use mesh_tests::{Mesh, Request, chat, chat_stream, eventually};

fn hash(key: &str, body: &[u8]) -> String {
    let mut hash = ContentHash::new(key.as_bytes());
    hash.update(body);
    hash.finish()
}

#[test]
fn a_record_holds_fingerprints_only_where_they_are_asked_for() {
    let redact = policy("redact", "rules: [ { pii: { types: [email] } } ]");
    let mesh = Mesh::up(&redact, &["--record-hashes"]);
    let key = std::fs::read_to_string(mesh.data().join("record-key")).expect("a key was made");
    let words = "write to jane.roe@example.org";
    for (name, request) in [
        ("whole", Request::post("/v1/chat/completions", &chat(words))),
        ("in pieces", {
            let mut request = Request::post("/v1/chat/completions", &chat(words));
            request.chunk = Some(7);
            request
        }),
        ("streamed", Request::post("/v1/chat/completions", &chat_stream(words))),
        ("refused", Request::bytes("/v1/chat/completions", "application/json", b"{\"a\":1,\"a\":2}")),
    ] {
        let answer = mesh.send(&request);
        let record = mesh.decision(answer.header("x-ai-mesh-decision-id"));
        assert_eq!(
            record["request_hash"],
            hash(&key, &request.body),
            "{name}: of what was sent, not of what went on"
        );
        assert_eq!(record["response_hash"], hash(&key, &answer.body), "{name}: of what came back");
        assert_ne!(record["request_hash"], hash("", &request.body), "{name}");
    }
    let mesh = Mesh::up(&redact, &[]);
    let answer = mesh.send(&Request::post("/v1/chat/completions", &chat(words)));
    let record = mesh.decision(answer.header("x-ai-mesh-decision-id"));
    assert_eq!((&record["request_hash"], &record["response_hash"]), (&"".into(), &"".into()), "{record}");
    assert!(!mesh.data().join("record-key").exists());
}

#[test]
fn records_are_kept_as_long_as_they_are_wanted() {
    let redact = policy("redact", "rules: [ { pii: { types: [email] } } ]");
    let mesh = Mesh::up(&redact, &["--keep-decisions", "3s"]);
    let listed = || mesh.api("GET", "/api/v1/decisions", None).json()["decisions"].as_array().map(Vec::len);
    let answer = mesh.send(&Request::post("/v1/chat/completions", &chat("hello")));
    mesh.decision(answer.header("x-ai-mesh-decision-id"));
    eventually("the record is deleted", || (listed() == Some(0)).then_some(()));
    // Numbers go on: what is deleted is not missing.
    let answer = mesh.send(&Request::post("/v1/chat/completions", &chat("hello again")));
    mesh.decision(answer.header("x-ai-mesh-decision-id"));
    let gaps = mesh.api("GET", "/api/v1/decisions/gaps", None).json();
    assert_eq!(gaps["gaps"].as_array().map(Vec::len), Some(0), "{gaps}");
}
