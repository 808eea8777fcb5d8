//! Streams: whatever the pieces, what the policy protects does not reach the agent (complaints 1, 3 and 10 of users of
//! other systems: masking silently off on streams, values split over chunks, a lost second chunk).
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use base64::{Engine, prelude::BASE64_STANDARD};
use mesh_tests::{Answer, Mesh, Request, chat_stream};
use serde_json::{Value, json};

const POLICY: &str = r#"
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: redact }
spec:
  target: { agents: ["redact"] }
  rules: [ { pii: { action: redact } } ]
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: refuse }
spec:
  target: { agents: ["refuse"] }
  rules: [ { pii: { action: block } } ]
"#;

/// The texts of all deltas, in order, whatever the protocol.
fn streamed_text(answer: &Answer) -> String {
    let mut text = String::new();
    for line in answer.text().lines() {
        let Some(data) = line.strip_prefix("data:") else { continue };
        let Ok(event) = serde_json::from_str::<Value>(data.trim()) else { continue };
        let delta = [&event["choices"][0]["delta"]["content"], &event["delta"]["text"], &event["delta"]];
        text.extend(delta.iter().find_map(|delta| delta.as_str()));
    }
    text
}

fn requests(reply: &str) -> Vec<(&'static str, Request)> {
    let reply = BASE64_STANDARD.encode(reply);
    let anthropic = json!({"model": "claude-sonnet-4", "max_tokens": 100, "stream": true,
        "messages": [{"role": "user", "content": "hello"}]});
    let responses = json!({"model": "gpt-4o", "stream": true, "input": "hello"});
    vec![
        ("openai-chat", Request::post("/v1/chat/completions", &chat_stream("hello"))),
        ("anthropic-messages", Request::post("/v1/messages", &anthropic)),
        ("openai-responses", Request::post("/v1/responses", &responses)),
    ]
    .into_iter()
    .map(|(name, request)| (name, request.header("x-mock-reply", &reply)))
    .collect()
}

#[test]
fn a_protected_value_never_reaches_the_agent_whatever_the_pieces() {
    let mesh = Mesh::up(POLICY, &[]);
    let reply = "Sure: the card is 4111 1111 1111 1111, the SSN 536-90-4399 and the mail jane.roe@example.org. Anything else?";
    for pieces in [1, 2, 3, 5, 7, 11, 64, 1 << 20] {
        for (name, request) in requests(reply) {
            let request = request.header("x-mock-chunk-bytes", &pieces.to_string());
            let answer = mesh.send(&request.header("x-ai-mesh-agent", "redact"));
            let what = format!("{name} in pieces of {pieces}");
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
            assert!(answer.complete, "{what}: the stream did not end");
            assert!(answer.header("x-ai-mesh-guards").contains("pii=ran"), "{what}: {:?}", answer.headers);
            for secret in ["4111", "1111", "536-90", "4399", "jane.roe", "example.org"] {
                assert!(!answer.text().contains(secret), "{what}: {secret} leaked: {}", answer.text());
            }
            let text = streamed_text(&answer);
            let want =
                "Sure: the card is [REDACTED], the SSN [REDACTED] and the mail [REDACTED]. Anything else?";
            assert_eq!(text, want, "{what}");
        }
    }
    clean_streams_pass_byte_for_byte(&mesh);
    a_block_ends_the_stream_with_the_providers_own_error(&mesh);
}

fn clean_streams_pass_byte_for_byte(mesh: &Mesh) {
    for (name, request) in requests("Nothing to see here: 12 apples, caf\u{e9} and a \u{1F600}.") {
        let plain = mesh.send(&request.clone().header("x-ai-mesh-agent", "nobody"));
        for pieces in ["1", "9", "4096"] {
            let request =
                request.clone().header("x-mock-chunk-bytes", pieces).header("x-ai-mesh-agent", "redact");
            let inspected = mesh.send(&request);
            // Ids and times differ from answer to answer: compare the shape of each line, and the text.
            let shape = |answer: &Answer| answer.text().lines().map(|line| line.len()).collect::<Vec<_>>();
            assert_eq!(shape(&inspected), shape(&plain), "{name}: {}", inspected.text());
            assert_eq!(streamed_text(&inspected), streamed_text(&plain), "{name}");
        }
    }
}

fn a_block_ends_the_stream_with_the_providers_own_error(mesh: &Mesh) {
    for (name, request) in requests("First some words. Then the SSN 536-90-4399 and much more text after it.")
    {
        let answer = mesh.send(&request.header("x-ai-mesh-agent", "refuse"));
        let text = answer.text();
        assert!(text.contains("First") && text.contains("error"), "{name}: {text}");
        assert!(!text.contains("536") && !text.contains("much more"), "{name}: {text}");
        let record = mesh.decision(answer.header("x-ai-mesh-decision-id"));
        assert_eq!(record["decision"], "deny", "{name}: {record}");
    }
}

/// Answers every request with these events, and with a trailer behind them.
fn ends_in_a_trailer(events: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let mut seen = Vec::new();
            let mut buffer = [0; 4096];
            while !seen.ends_with(b"}") {
                let Ok(read @ 1..) = connection.read(&mut buffer) else { break };
                seen.extend_from_slice(&buffer[..read]);
            }
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\ntrailer: x-a\r\n\r\n";
            let body = format!("{:x}\r\n{events}\r\n", events.len());
            let _ = connection.write_all(format!("{head}{body}0\r\nx-a: b\r\n\r\n").as_bytes());
        }
    });
    address
}

/// Trailers are the end of the body: what waits for the end of a value cannot leave then, and no agent takes what it has for
/// the whole. An answer that has ended by itself is whole.
#[test]
fn a_stream_that_ends_in_a_trailer_is_whole_or_breaks_off() {
    const WHOLE: &str =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ssn 536-90-4399\"}}]}\n\ndata: [DONE]\n\n";
    const CUT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello. ssn 536-90\"}}]}\n\n";
    for (events, whole) in [(WHOLE, true), (CUT, false)] {
        let upstream = format!("openai=http://{}", ends_in_a_trailer(events));
        let mesh = Mesh::up(POLICY, &["--upstream", &upstream]);
        let request = Request::post("/v1/chat/completions", &chat_stream("hi"));
        let answer = mesh.send(&request.header("x-ai-mesh-agent", "redact"));
        let seen = answer.text();
        assert!(!seen.contains("536"), "{seen}");
        assert_eq!(answer.complete, whole, "{seen}");
        assert_eq!(seen.contains("[REDACTED]"), whole, "{seen}");
    }
}
