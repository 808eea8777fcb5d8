//! Streams that stay open: what waits for a text that does not go on, and what does not.
use serde_json::{Value, json};

use crate::program;
use crate::wires::*;

const CHAT: Wire = WIRES[0].1;
const fn at(path: &'static str) -> Wire {
    Wire { path, ..CHAT }
}

fn sse(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

/// All of it has left while the stream is open.
#[test]
fn nothing_waits_for_a_text_that_was_the_last() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let (bus, responses, gemini) =
        (at("/events"), at("/v1/responses"), at("/v1beta/models/m:streamGenerateContent"));
    let idle =
        json!({ "type": "session.status_idle", "id": "sevt_2", "stop_reason": { "type": "end_turn" } });
    let message = |text: &str| json!({ "type": "agent.message", "id": "a", "content": [{ "type": "text", "text": text }] });
    let delta = |text: &str| json!({ "type": "event_delta", "event_id": "a", "delta": { "type": "content_delta", "index": 0, "content": { "type": "text", "text": text } } });
    let text = |text: &str| json!({ "type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": text });
    let done = |text: &str| json!({ "type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": text });
    let item = json!({ "type": "response.output_item.done", "output_index": 0, "item": { "type": "message", "role": "assistant", "content": [] } });
    let tool = |kind: &str| json!({ "type": "response.output_item.added", "output_index": 1, "item": { "type": kind, "id": "ws_1", "status": "in_progress" } });
    let keepalive = json!({ "type": "keepalive", "sequence_number": 4 });
    let said =
        |text: &str| json!({ "candidates": [{ "index": 0, "content": { "parts": [{ "text": text }] } }] });
    let code = json!({ "candidates": [{ "index": 0, "content": { "parts": [{ "executableCode": { "language": "PYTHON", "code": "print(1)" } }] } }] });
    let image = json!({ "candidates": [{ "index": 0, "content": { "parts": [{ "inlineData": { "mimeType": "image/png", "data": "iVBORw0KGgo=" } }] } }] });
    let search = json!({ "candidates": [{ "index": 0, "content": { "parts": [{ "toolCall": { "toolType": "GOOGLE_SEARCH_WEB" } }] } }] });
    let messages = at("/v1/messages");
    let block = json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "no. 536-90" } });
    let stop = json!({ "type": "content_block_stop", "index": 0 });
    let thinks = json!({ "type": "content_block_start", "index": 1, "content_block": { "type": "thinking", "thinking": "", "signature": "" } });
    let a2a = WIRES.iter().find(|(of, _)| *of == "a2a").unwrap().1;
    let chunk = rpc(
        json!({ "kind": "artifact-update", "artifact": { "artifactId": "a", "parts": [{ "kind": "text", "text": "no. 536-90" }] } }),
    );
    let works = rpc(
        json!({ "kind": "status-update", "status": { "state": "working", "message": { "role": "agent", "messageId": "m", "parts": [{ "kind": "text", "text": "Fetching" }] } } }),
    );
    let error =
        json!({ "type": "error", "code": "server_error", "message": "It broke at 12", "sequence_number": 3 });
    for (name, wire, events) in [
        ("an error of Responses", responses, vec![error]),
        ("a whole message, then that nothing follows", bus, vec![message("Order no. 12"), idle.clone()]),
        (
            "its pieces, itself, then that nothing follows",
            bus,
            vec![delta("All done"), message("All done"), idle],
        ),
        (
            "a message and somebody who leaves",
            bus,
            vec![
                json!({ "type": "message", "text": "Order no. 12" }),
                json!({ "type": "presence", "state": "away" }),
            ],
        ),
        (
            "a piece in a list, then a state",
            bus,
            vec![
                json!([{ "content": "Order no. 12", "type": "AIMessageChunk" }, { "x": 1 }]),
                json!({ "status": "interrupted" }),
            ],
        ),
        (
            "a text, then a search",
            responses,
            vec![text("no. 536-90"), done("no. 536-90"), item.clone(), tool("web_search_call")],
        ),
        (
            "a text, then thoughts",
            responses,
            vec![text("no. 536-90"), done("no. 536-90"), item.clone(), tool("reasoning")],
        ),
        (
            "a text, then a listing of tools",
            responses,
            vec![
                text("no. 536-90"),
                done("no. 536-90"),
                item.clone(),
                json!({ "type": "response.mcp_list_tools.in_progress", "output_index": 1 }),
            ],
        ),
        (
            "a text, then that it is alive",
            responses,
            vec![text("no. 536-90"), done("no. 536-90"), item, keepalive],
        ),
        ("a text, then code that runs", gemini, vec![said("no. 536-90"), code]),
        ("a text, then an image", gemini, vec![said("no. 536-90"), image]),
        ("a text, then a tool that runs", gemini, vec![said("no. 536-90"), search]),
        ("a text, then a block without one", messages, vec![block, stop, thinks]),
        ("an artifact, then how its task stands", a2a, vec![chunk, works]),
    ] {
        let answer = sse(&events);
        let left = wire.so_far(&program, answer.as_bytes());
        assert_eq!(String::from_utf8_lossy(&left), answer, "{name}");
    }
    // The next event shows that a message was whole, though it says something itself.
    let whole = sse(&[message("Order no. 12")]);
    let more = sse(&[json!({ "type": "error", "message": "Order no. 13" })]);
    assert_eq!(String::from_utf8_lossy(&bus.so_far(&program, (whole.clone() + &more).as_bytes())), whole);
    let line = "data: build 12\n\n";
    for (name, more) in
        [("an event", "data: {\"state\":\"finished\"}\n\n"), ("silence", ": ping\n\n: ping\n\n")]
    {
        let left = bus.so_far(&program, format!("{line}{more}").as_bytes());
        assert!(String::from_utf8_lossy(&left).contains(line), "{name}");
    }
}

/// What waits still, since it may go on.
#[test]
fn a_text_that_goes_on_waits_for_the_rest() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let (one, other) = ("ssn 536-9", "0-4399 ok");
    let output = |index: u32, text: &str| json!({ "type": "response.output_text.delta", "output_index": index, "content_index": 0, "delta": text });
    let message = |index: u32| json!({ "type": "response.output_item.added", "output_index": index, "item": { "type": "message", "role": "assistant", "content": [] } });
    let part = |index: u32| json!({ "type": "response.content_part.added", "output_index": index, "content_index": 0, "part": { "type": "output_text", "text": "" } });
    let done = |index: u32| json!({ "type": "response.output_item.done", "output_index": index, "item": { "type": "message", "role": "assistant", "content": [] } });
    let said =
        |text: &str| json!({ "candidates": [{ "index": 0, "content": { "parts": [{ "text": text }] } }] });
    for (name, wire, events) in [
        (
            "a piece that is empty",
            at("/run"),
            vec![json!({ "text": one }), json!({ "text": "" }), json!({ "text": other })],
        ),
        (
            "the next message, which begins",
            at("/v1/responses"),
            vec![output(0, one), done(0), message(1), part(1), output(1, other)],
        ),
        (
            "an event without parts",
            at("/v1beta/models/m:streamGenerateContent"),
            vec![said(one), json!({ "candidates": [{ "index": 0 }] }), said(other)],
        ),
    ] {
        let events: Vec<String> = events.iter().map(Value::to_string).collect();
        crate::halves(&program, wire, &events.iter().map(String::as_str).collect::<Vec<_>>(), name);
    }
    let ping =
        format!("data: {}\n\n: ping\n\ndata: {}\n\n", json!({ "text": one }), json!({ "text": other }));
    let (out, _) = at("/run").through(&program, &[ping.as_bytes()]);
    let out = String::from_utf8_lossy(&out);
    assert!(!out.contains("536-9") && !out.contains("0-4399"), "one comment: {out}");
}

/// A client that comes back says by it which event it saw last.
#[test]
fn an_identifier_of_an_event_overtakes_none() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let text = "id: 1\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ssn 536-9\"}}]}\n\n";
    assert_eq!(CHAT.so_far(&program, format!("{text}id: 2\n\n").as_bytes()), b"");
    let answer = format!("{text}id: 2\n\n: ping\n\n");
    let (out, _) = CHAT.through(&program, &[answer.as_bytes()]);
    assert_eq!(String::from_utf8_lossy(&out), format!(": ping\n\n{text}id: 2\n\n"));
}

/// LangServe says by a name alone that an answer is over: a client then reads no more.
#[test]
fn a_name_without_data_overtakes_none() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let answer = "event: data\ndata: \"The total is 4111\"\n\nevent: end\n\n";
    for chunk in [1, 40, 4096] {
        let chunks: Vec<&[u8]> = answer.as_bytes().chunks(chunk).collect();
        let (out, outcome) = at("/chain/stream").through(&program, &chunks);
        assert_eq!((String::from_utf8_lossy(&out).as_ref(), outcome), (answer, "allow"), "in {chunk}s");
    }
}

/// More texts than may be open pass where none of them goes on.
#[test]
fn many_texts_that_are_over_end_no_stream() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let a2a = WIRES.iter().find(|(of, _)| *of == "a2a").unwrap().1;
    let rows = json!({ "results": vec![json!({ "text": "a" }); 1100] });
    let artifact = |id: usize| {
        rpc(
            json!({ "kind": "artifact-update", "artifact": { "artifactId": format!("a{id}"), "parts": [{ "kind": "text", "text": "row" }] } }),
        )
    };
    let state = |id: usize| {
        let delta: Value = [(format!("k{id}"), json!("v"))].into_iter().collect();
        json!({ "type": "state", "delta": delta })
    };
    for (name, wire, events) in [
        ("rows of an event", at("/run"), vec![rows.clone(), rows]),
        ("artifacts", a2a, (0..1100).map(artifact).collect()),
        ("names", at("/run"), (0..1100).map(state).collect()),
    ] {
        let answer = sse(&events);
        let (out, outcome) = wire.through(&program, &[answer.as_bytes()]);
        assert!(out == answer.as_bytes() && outcome == "allow", "{name}: {outcome}");
    }
    // A value in one of them is found, the first and the last.
    for place in [0, 1099] {
        let mut rows = vec![json!({ "text": "a" }); 1100];
        rows[place] = json!({ "text": "ssn 536-90-4399" });
        let (out, _) = at("/run").through(&program, &[sse(&[json!({ "results": rows })]).as_bytes()]);
        let out = String::from_utf8_lossy(&out);
        assert!(out.contains("ssn #") && !out.contains("4399"), "{place}");
    }
}
