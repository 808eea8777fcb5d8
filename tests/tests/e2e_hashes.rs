//! Fingerprints of bodies in records: there where they are asked for, under a key, of what the agent sent and got.
use mesh_audit::ContentHash;
use mesh_tests::limits::policy;
use mesh_tests::{Mesh, Request, chat, chat_stream};

fn hash(key: &str, body: &[u8]) -> String {
    let mut hash = ContentHash::new(key.as_bytes()).expect("any key");
    hash.update(body);
    hash.finish()
}

#[test]
fn a_record_holds_fingerprints_only_where_they_are_asked_for() {
    let redact = policy("redact", "rules: [ { pii: { types: [email] } } ]");
    let mesh = Mesh::up(&redact, &["--record-hashes"]);
    let key = std::fs::read_to_string(mesh.data.join("record-key")).expect("a key was made");
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
    assert!(!mesh.data.join("record-key").exists());
}
