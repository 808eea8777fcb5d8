//! Values cut over deltas that are more than a text: objects within them, lists, Base64, tokens.
use serde_json::json;

use crate::wires::*;

const CHAT: Wire = WIRES[0].1;
const fn at(path: &'static str) -> Wire {
    Wire { path, ..CHAT }
}

#[test]
fn calls_that_are_numbered_alike_pass() {
    let program = program(json!([{ "pii": { "action": "redact" } }]));
    let call = |id: &str, name: &str| {
        json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [{ "index": 0, "id": id, "type": "function",
            "function": { "name": name, "arguments": "{}" } }] } }] })
    };
    for (calls, want) in [
        // Gemini, as OpenAI's clients are answered by it.
        ([call("function-call-17392048712", "get_v2"), call("function-call-99392048712", "get_v2")], "allow"),
        ([call("", "get_weather_v2"), call("", "get_time_v2")], "allow"),
        ([call("call_1", "get_"), call("", "weather2")], "allow"),
        ([call("", "ssn_536-9"), call("", "0-4399")], "deny"),
    ] {
        let answer: String = calls.iter().map(|event| format!("data: {event}\n\n")).collect();
        let (out, outcome) = CHAT.through(&program, &[answer.as_bytes()]);
        assert_eq!(outcome, want, "{answer}");
        assert!(want == "deny" || out == answer.as_bytes());
    }
    // Some gateways fill what a delta of another type would have with nothing.
    let empty = r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"a","text":""}}"#;
    let answer = format!("data: {empty}\n\n").into_bytes();
    assert_eq!(at("/v1/messages").through(&program, &[&answer]), (answer, "allow"));
}
