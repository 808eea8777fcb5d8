//! Texts that go on in another block, item or message.
use serde_json::json;

use crate::program;
use crate::wires::*;

/// Clients put the texts of blocks together, and of messages that follow each other.
#[test]
fn the_next_block_goes_on_where_the_last_one_ended() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let wire = |name: &str| WIRES.iter().find(|(of, _)| *of == name).unwrap().1;
    let at = |path: &'static str| Wire { path, ..WIRES[0].1 };
    let (anthropic, responses) = (at("/v1/messages"), at("/v1/responses"));
    let (bedrock, a2a) = (wire("bedrock-converse"), wire("a2a"));
    let block = |index: u32, text: &str| json!({ "type": "content_block_delta", "index": index, "delta": { "type": "text_delta", "text": text } });
    let input = |index: u32| json!({ "type": "content_block_delta", "index": index, "delta": { "type": "input_json_delta", "partial_json": "{" } });
    let start = |index: u32| json!({ "type": "content_block_start", "index": index, "content_block": { "type": "text", "text": "" } });
    let stop = |index: u32| json!({ "type": "content_block_stop", "index": index });
    let (ping, reason) = (
        json!({ "type": "ping" }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": {} }),
    );
    let delta = |index: u32, text: &str| json!({ "contentBlockIndex": index, "delta": { "text": text } });
    let ended = |index: u32| json!({ "contentBlockIndex": index });
    let output = |index: u32, part: u32, text: &str| json!({ "type": "response.output_text.delta", "output_index": index, "content_index": part, "delta": text });
    let done = |index: u32, part: u32, text: &str| json!({ "type": "response.output_text.done", "output_index": index, "content_index": part, "text": text });
    let item = |index: u32| json!({ "type": "response.output_item.done", "output_index": index, "item": { "type": "message", "role": "assistant", "content": [] } });
    let says = |text: &str| {
        rpc(
            json!({ "kind": "status-update", "taskId": "t", "contextId": "c", "final": false, "status": { "state": "working",
            "message": { "kind": "message", "role": "agent", "messageId": "m", "parts": [{ "kind": "text", "text": text }] } } }),
        )
    };
    let (one, other, none) = ("ssn 536-9", "0-4399 ok", "");
    // What leaves: neither half, or the first one alone.
    for (name, wire, events, first) in [
        ("blocks", anthropic, vec![block(0, one), stop(0), start(1), block(1, other), stop(1)], none),
        (
            "three",
            anthropic,
            vec![block(0, "ssn 536-"), stop(0), block(1, "90"), stop(1), block(2, "-4399 ok")],
            none,
        ),
        (
            "a ping",
            anthropic,
            vec![block(0, one), stop(0), ping, start(1), block(1, other), stop(1), reason],
            none,
        ),
        (
            "a call",
            anthropic,
            vec![block(0, one), stop(0), input(1), stop(1), block(2, other), stop(2)],
            "536-9",
        ),
        ("bedrock", bedrock, vec![delta(0, one), ended(0), delta(1, other), ended(1)], none),
        ("parts", responses, vec![output(0, 0, one), done(0, 0, "-"), output(0, 1, other)], none),
        ("items", responses, vec![output(0, 0, one), done(0, 0, "-"), item(0), output(1, 0, other)], none),
        ("messages", a2a, vec![says(one), says(other)], "536-9"),
        ("a message", a2a, vec![says("zz"), says("ssn 536-90-4399 ok")], none),
    ] {
        let answer: Vec<u8> = match wire.content_type {
            "text/event-stream" => {
                events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>().into()
            }
            _ => events.iter().flat_map(|event| frame(&event.to_string())).collect(),
        };
        let (out, outcome) = wire.through(&program, &[&answer]);
        let out = String::from_utf8_lossy(&out);
        assert_eq!(outcome, "allow_with_modifications", "{name}: {out}");
        assert_eq!(out.contains("536-"), !first.is_empty(), "{name}: {out}");
        assert!(out.contains('#') && out.contains(" ok") && !out.contains("4399"), "{name}: {out}");
    }
}

/// Whatever ends like a value waits for no other text than the next block's.
#[test]
fn a_block_that_ended_waits_for_no_call_and_no_message_for_the_next() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let anthropic = Wire { path: "/v1/messages", ..WIRES[0].1 };
    let a2a = WIRES.iter().find(|(of, _)| *of == "a2a").unwrap().1;
    let text =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"call 536-90"}}"#;
    let stop = r#"{"type":"content_block_stop","index":0}"#;
    let call =
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{"}}"#;
    let says = r#"{"jsonrpc":"2.0","id":1,"result":{"kind":"status-update","status":{"state":"working","message":{"role":"agent","parts":[{"kind":"text","text":"call 536-90"}]}}}}"#;
    for (wire, events) in [(anthropic, &[text, stop, call][..]), (a2a, &[says])] {
        let answer: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let left = wire.so_far(&program, answer.as_bytes());
        assert!(String::from_utf8_lossy(&left).contains("536-90"), "{events:?}");
    }
}

/// What says nothing keeps connections alive; what waits stays behind it.
#[test]
fn pings_and_comments_overtake_what_waits() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let at = |path: &'static str| Wire { path, ..WIRES[0].1 };
    let text = r#"data: {"choices":[{"index":0,"delta":{"content":"ssn 536-9"}}]}"#;
    let block =
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ssn 536-9"}}"#;
    for (wire, text, idle) in [
        (WIRES[0].1, text, ": keepalive"),
        (at("/v1/messages"), block, "event: ping\ndata: {\"type\": \"ping\"}"),
    ] {
        let left = wire.so_far(&program, format!("{text}\n\n{idle}\n\n").as_bytes());
        assert_eq!(String::from_utf8_lossy(&left), format!("{idle}\n\n"));
        // A value in one is found all the same.
        let left = wire.so_far(&program, b": 536-90-4399\n\n");
        assert_eq!(String::from_utf8_lossy(&left), ": #\n\n");
    }
}

/// An agent that waits for its user, and one that goes on working, have said what they said.
#[test]
fn the_last_words_of_an_artifact_do_not_wait_for_its_task() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let a2a = WIRES.iter().find(|(of, _)| *of == "a2a").unwrap().1;
    let artifact = rpc(json!({ "kind": "artifact-update", "lastChunk": true,
        "artifact": { "artifactId": "a", "parts": [{ "kind": "text", "text": "Report done" }] } }));
    for state in ["input-required", "TASK_STATE_AUTH_REQUIRED", "working"] {
        let status = rpc(json!({ "kind": "status-update", "final": false, "status": { "state": state } }));
        let answer = format!("data: {artifact}\n\ndata: {status}\n\n");
        let left = a2a.so_far(&program, answer.as_bytes());
        assert_eq!(String::from_utf8_lossy(&left), answer);
    }
}

/// The client cannot go on before it has the address (MCP's older transport).
#[test]
fn an_endpoint_leaves_at_once_and_keeps_its_host() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let sse = Wire { path: "/sse", ..WIRES[0].1 };
    for (address, want) in [
        ("/messages/?session_id=8f14e45fceea167a5a36dedd4bea2543", None),
        ("http://127.0.0.1:3001/message?sessionId=67ccd2bf-17f0-819c-b67e-123456789012", None),
        ("/messages/?of=536-90-4399", Some("/messages/?of=#")),
    ] {
        let left = sse.so_far(&program, format!("event: endpoint\ndata: {address}\n\n").as_bytes());
        let want = format!("event: endpoint\ndata: {}\n\n", want.unwrap_or(address));
        assert_eq!(String::from_utf8_lossy(&left), want);
    }
}
