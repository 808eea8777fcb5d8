//! Streams: whatever the pieces, what the policy protects does not reach the agent (complaints 1, 3 and 10 of users of
//! other systems: masking silently off on streams, values split over chunks, a lost second chunk).
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
