//! Streams through a whole session: whatever is said is redacted the same however the text is cut into pieces and the
//! bytes into chunks, and comes out byte for byte where there is nothing to find.

use std::cell::LazyCell;
use std::rc::Rc;

use mesh_engine::{Detector, Program, RequestHead, ResponseMode, Session, Step, compile};
use mesh_policy::{Bundle, BundlePolicy, Settings, from_value};
use serde_json::{Value, json};

use crate::bytes::{chunks, pick, pieces, take};
use crate::frames::frame;

thread_local! {
    static REDACT: LazyCell<Rc<Program>> =
        LazyCell::new(|| program(json!([{ "pii": { "action": "redact", "replacement": "#" } }])));
}

/// A program of one policy with these rules.
pub(crate) fn program(rules: Value) -> Rc<Program> {
    let document = json!({
        "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": "p" },
        "spec": { "rules": rules },
    });
    let policy = from_value(&document).expect("a policy").policy;
    let policies = vec![BundlePolicy { id: "p".to_owned(), version: 1, policy }];
    let bundle =
        Bundle { version: "1".to_owned(), policies, settings: Settings::default(), ..Bundle::default() };
    Rc::new(compile(&bundle, Rc::new(Detector::new())).expect("a program"))
}

/// A protocol's stream: what is asked and where, and how a piece of text is said.
#[derive(Clone, Copy)]
struct Wire {
    path: &'static str,
    body: &'static str,
    content_type: &'static str,
    piece: fn(&str) -> Value,
    end: fn() -> Value,
    /// Where the piece's text stands in an event.
    at: &'static str,
}

const SSE: &str = "text/event-stream";

const WIRES: [Wire; 6] = [
    Wire {
        path: "/v1/chat/completions",
        body: r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
        content_type: SSE,
        piece: |text| json!({ "choices": [{ "index": 0, "delta": { "content": text } }] }),
        end: || json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }),
        at: "/choices/0/delta/content",
    },
    Wire {
        path: "/v1/messages",
        body: r#"{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#,
        content_type: SSE,
        piece: |text| json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } }),
        end: || json!({ "type": "content_block_stop", "index": 0 }),
        at: "/delta/text",
    },
    Wire {
        path: "/v1/responses",
        body: r#"{"model":"m","stream":true,"input":"hi"}"#,
        content_type: SSE,
        piece: |text| {
            json!({ "type": "response.output_text.delta", "item_id": "i", "output_index": 0,
                "content_index": 0, "delta": text })
        },
        end: || json!({ "type": "response.incomplete", "response": { "output": [] } }),
        at: "/delta",
    },
    Wire {
        path: "/v1beta/models/g:streamGenerateContent",
        body: r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#,
        content_type: "application/json",
        piece: |text| json!({ "candidates": [{ "content": { "parts": [{ "text": text }] }, "index": 0 }] }),
        end: || json!({ "candidates": [{ "finishReason": "STOP", "index": 0 }] }),
        at: "/candidates/0/content/parts/0/text",
    },
    Wire {
        path: "/api/generate",
        body: r#"{"model":"m","prompt":"hi"}"#,
        content_type: "application/x-ndjson",
        piece: |text| json!({ "model": "m", "response": text, "done": false }),
        end: || json!({ "model": "m", "response": "", "done": true }),
        at: "/response",
    },
    Wire {
        path: "/model/m/converse-stream",
        body: r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#,
        content_type: "application/vnd.amazon.eventstream",
        piece: |text| json!({ "contentBlockIndex": 0, "delta": { "text": text } }),
        end: || json!({ "stopReason": "end_turn" }),
        at: "/delta/text",
    },
];

impl Wire {
    fn stream(&self, pieces: &[&str]) -> Vec<u8> {
        let mut events: Vec<String> = pieces.iter().map(|piece| (self.piece)(piece).to_string()).collect();
        events.push((self.end)().to_string());
        match self.content_type {
            SSE => events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>().into(),
            "application/x-ndjson" => (events.join("\n") + "\n").into(),
            "application/json" => format!("[{}]", events.join(",\r\n")).into(),
            _ => {
                let headers = b"\x0d:content-type\x07\x00\x10application/json";
                events.iter().flat_map(|event| frame(headers, event.as_bytes())).collect()
            }
        }
    }

    fn through(&self, program: &Rc<Program>, chunks: &[&[u8]]) -> Vec<u8> {
        let head = RequestHead {
            method: "POST".to_owned(),
            path: self.path.to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            ..RequestHead::default()
        };
        let mut session = Session::start(Rc::clone(program), head, "d".to_owned(), 0);
        assert!(matches!(session.request_headers(false, 0), Step::ReadBody));
        assert!(matches!(session.request(self.body.as_bytes(), 0), Step::Continue));
        let headers = [("content-type".to_owned(), self.content_type.to_owned())];
        assert!(matches!(session.response_headers(&headers, false), ResponseMode::Stream), "{}", self.path);
        let mut out: Vec<u8> = chunks.iter().flat_map(|chunk| session.response_chunk(chunk, false)).collect();
        out.extend(session.response_chunk(b"", true));
        out
    }

    /// The text that an answer says.
    fn said(&self, answer: &[u8]) -> String {
        let text = |event: &str| {
            let event: Value = serde_json::from_str(event).expect("an event is JSON");
            event.pointer(self.at).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let lossy = || std::str::from_utf8(answer).expect("UTF-8");
        match self.content_type {
            SSE => lossy().split("\n\n").filter_map(|event| event.strip_prefix("data: ")).map(text).collect(),
            "application/x-ndjson" => lossy().lines().map(text).collect(),
            "application/json" => {
                let items: Vec<Value> = serde_json::from_str(lossy()).expect("an array stays one");
                items.iter().map(|item| text(&item.to_string())).collect()
            }
            _ => {
                let mut rest = answer;
                let mut said = String::new();
                while let Some((head, _)) = rest.split_first_chunk::<8>() {
                    let number = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("four"));
                    let (total, headers) = (number(0) as usize, number(4) as usize);
                    said += &text(std::str::from_utf8(&rest[12 + headers..total - 4]).expect("UTF-8"));
                    rest = &rest[total..];
                }
                said
            }
        }
    }
}

pub(crate) fn check(data: &[u8]) {
    let mut rest = data;
    let wire = pick(&WIRES, &mut rest);
    let (text_seed, byte_seed) = (take(&mut rest), take(&mut rest));
    let text = String::from_utf8_lossy(rest);
    let text = text.as_ref();
    if text.is_empty() {
        return;
    }
    REDACT.with(|program| {
        let at_once = wire.stream(&[text]);
        let whole = wire.through(program, &[&at_once]);
        let said = wire.said(&whole);
        let answer = wire.stream(&pieces(text, text_seed, 40));
        let out = wire.through(program, &[&answer]);
        assert_eq!(wire.said(&out), said, "the text in other pieces: {text:?}");
        if said == text {
            assert!(out == answer, "nothing found, and other bytes came out");
        }
        assert_eq!(wire.through(program, &chunks(&answer, byte_seed)), out, "the bytes in other chunks");
    });
}
