//! Texts that clients put together of events of several kinds: neither half of a value over them leaves.
use serde_json::{Value, json};

use crate::wires::*;
use crate::{halves, program};

const CHAT: Wire = WIRES[0].1;
const fn at(path: &'static str) -> Wire {
    Wire { path, ..CHAT }
}
const ANTHROPIC: Wire = at("/v1/messages");
const RESPONSES: Wire = at("/v1/responses");
const ONE: &str = "ssn 536-9";
const OTHER: &str = "0-4399 ok";

/// Each row: what the events are, and these.
fn joined(wire: Wire, rows: &[(&str, Vec<Value>)]) {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    for (name, events) in rows {
        let events: Vec<String> = events.iter().map(Value::to_string).collect();
        halves(&program, wire, &events.iter().map(String::as_str).collect::<Vec<_>>(), name);
    }
}

fn block(index: u32, text: &str) -> Value {
    json!({ "type": "content_block_delta", "index": index, "delta": { "type": "text_delta", "text": text } })
}

fn output(index: u32, text: &str) -> Value {
    json!({ "type": "response.output_text.delta", "output_index": index, "content_index": 0, "delta": text })
}

#[test]
fn a_block_that_nothing_ended_may_go_on_in_the_next_or_by_itself() {
    let start = |index: u32| json!({ "type": "content_block_start", "index": index, "content_block": { "type": "text", "text": "" } });
    let added = |index: u32| json!({ "type": "response.output_item.added", "output_index": index, "item": { "type": "message", "content": [] } });
    joined(
        ANTHROPIC,
        &[
            ("the next block", vec![block(0, ONE), start(1), block(1, OTHER)]),
            (
                "over three",
                vec![block(0, "ssn 536-"), start(1), block(1, "90"), start(2), block(2, "-4399 ok")],
            ),
            ("taking turns", vec![block(0, ONE), block(1, "zz"), block(0, OTHER)]),
        ],
    );
    joined(
        RESPONSES,
        &[
            ("the next item", vec![output(0, ONE), added(1), output(1, OTHER)]),
            ("taking turns", vec![output(0, ONE), output(1, "zz"), output(0, OTHER)]),
            (
                "taking turns, ended or not",
                vec![added(0), output(0, ONE), added(1), output(1, "zz"), output(0, OTHER)],
            ),
        ],
    );
}
