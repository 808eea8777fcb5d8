//! The protocols, their streams, and what the agent receives of one.
use std::rc::Rc;

use mesh_engine::{Program, ResponseMode, Session, Step};
use mesh_mock_provider::{amazon_frame, crc32};
use serde_json::{Value, json};

use crate::support::{begun, post};

pub(crate) const SSN: &str = "536-90-4399";
pub(crate) const MAIL: &str = "jane.roe@example.org";

/// A protocol: what is asked, where, and what the answer's content type is.
#[derive(Clone, Copy)]
pub(crate) struct Wire {
    pub(crate) path: &'static str,
    pub(crate) body: &'static str,
    pub(crate) content_type: &'static str,
    /// The event that carries a piece of text, and the last one.
    pub(crate) piece: fn(&str) -> Value,
    pub(crate) end: fn() -> Value,
}

pub(crate) fn rpc(result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "result": result })
}

pub(crate) const GEMINI: Wire = Wire {
    path: "/v1beta/models/g:streamGenerateContent?alt=sse",
    body: r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#,
    content_type: "text/event-stream",
    piece: |text| json!({ "candidates": [{ "content": { "role": "model", "parts": [{ "text": text }] }, "index": 0 }] }),
    end: || json!({ "candidates": [{ "finishReason": "STOP", "index": 0 }] }),
};

pub(crate) const WIRES: &[(&str, Wire)] = &[
    (
        "openai-chat",
        Wire {
            path: "/openai/deployments/d/chat/completions?api-version=1",
            body: r#"{"stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
            content_type: "text/event-stream",
            piece: |text| json!({ "choices": [{ "index": 0, "delta": { "content": text } }] }),
            end: || json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }),
        },
    ),
    ("gemini", GEMINI),
    ("gemini-array", Wire { content_type: "application/json", ..GEMINI }),
    (
        "ollama-chat",
        Wire {
            path: "/api/chat",
            body: r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#,
            content_type: "application/x-ndjson",
            piece: |text| json!({ "model": "m", "message": { "role": "assistant", "content": text }, "done": false }),
            end: || json!({ "model": "m", "message": { "role": "assistant", "content": "" }, "done": true }),
        },
    ),
    (
        "ollama-generate",
        Wire {
            path: "/api/generate",
            body: r#"{"model":"m","prompt":"hi"}"#,
            content_type: "application/x-ndjson",
            piece: |text| json!({ "model": "m", "response": text, "done": false }),
            end: || json!({ "model": "m", "response": "", "done": true }),
        },
    ),
    (
        "bedrock-converse",
        Wire {
            path: "/model/m/converse-stream",
            body: r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#,
            content_type: "application/vnd.amazon.eventstream",
            piece: |text| json!({ "contentBlockIndex": 0, "delta": { "text": text }, "p": "abcd" }),
            end: || json!({ "stopReason": "end_turn", "p": "ab" }),
        },
    ),
    (
        "bedrock-arguments",
        Wire {
            path: "/model/m/converse-stream",
            body: r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#,
            content_type: "application/vnd.amazon.eventstream",
            piece: |text| json!({ "contentBlockIndex": 0, "delta": { "toolUse": { "input": text } } }),
            end: || json!({ "contentBlockIndex": 0 }),
        },
    ),
    (
        "a2a",
        Wire {
            path: "/a2a",
            body: r#"{"jsonrpc":"2.0","id":1,"method":"message/stream","params":{"message":{"role":"user","parts":[{"kind":"text","text":"hi"}]}}}"#,
            content_type: "text/event-stream",
            piece: |text| {
                rpc(json!({ "kind": "artifact-update", "append": true,
                    "artifact": { "artifactId": "a", "parts": [{ "kind": "text", "text": text }] } }))
            },
            end: || {
                rpc(json!({ "kind": "status-update", "status": { "state": "completed" }, "final": true }))
            },
        },
    ),
];

impl Wire {
    /// The answer that says these pieces one after the other.
    pub(crate) fn stream(&self, pieces: &[&str]) -> Vec<u8> {
        let mut events: Vec<String> = pieces.iter().map(|piece| (self.piece)(piece).to_string()).collect();
        events.push((self.end)().to_string());
        match self.content_type {
            "text/event-stream" => {
                events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>().into()
            }
            "application/x-ndjson" => (events.join("\n") + "\n").into(),
            "application/json" => format!("[{}]", events.join(",\r\n")).into(),
            _ => events.iter().flat_map(|event| frame(event)).collect(),
        }
    }

    /// What the agent receives when the answer arrives in these chunks, and its decision's outcome.
    pub(crate) fn through(&self, program: &Rc<Program>, chunks: &[&[u8]]) -> (Vec<u8>, &'static str) {
        let mut session = self.answering(program);
        let mut out = Vec::new();
        for chunk in chunks {
            out.extend(session.response_chunk(chunk, false));
        }
        out.extend(session.response_chunk(b"", true));
        (out, session.finish().0.outcome.as_str())
    }

    /// What the agent receives, and how many values were found in it.
    pub(crate) fn counted(&self, program: &Rc<Program>, answer: &[u8]) -> (Vec<u8>, u64) {
        let mut session = self.answering(program);
        let mut out = session.response_chunk(answer, false);
        out.extend(session.response_chunk(b"", true));
        let found = session.finish().0.findings.iter().map(|finding| u64::from(finding.count)).sum();
        (out, found)
    }

    /// What the agent has received when so much of the answer is there.
    pub(crate) fn so_far(&self, program: &Rc<Program>, answer: &[u8]) -> Vec<u8> {
        self.answering(program).response_chunk(answer, false)
    }

    fn answering(&self, program: &Rc<Program>) -> Session {
        let mut session = begun(program, post(self.path));
        assert!(matches!(session.request(self.body.as_bytes(), 0), Step::Continue));
        let headers = [("content-type".to_owned(), self.content_type.to_owned())];
        assert!(matches!(session.response_headers(&headers, false), ResponseMode::Stream), "{}", self.path);
        session
    }

    /// All JSON in an answer, in order, whatever its framing; the framing has to hold.
    pub(crate) fn events(&self, answer: &[u8]) -> Vec<Value> {
        let text = || std::str::from_utf8(answer).unwrap();
        let parsed = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"));
        match self.content_type {
            "text/event-stream" => text()
                .split_terminator("\n\n")
                .filter_map(|event| event.rsplit_once("data: "))
                .filter(|(_, data)| *data != "[DONE]")
                .map(|(_, data)| parsed(data))
                .collect(),
            "application/x-ndjson" => text().lines().map(parsed).collect(),
            "application/json" => parsed(text()).as_array().unwrap().clone(),
            _ => {
                let mut rest = answer;
                let mut events = Vec::new();
                while !rest.is_empty() {
                    let number =
                        |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap()) as usize;
                    let (total, headers) = (number(0), number(4));
                    assert_eq!(number(8), crc32(&rest[..8]) as usize);
                    assert_eq!(number(total - 4), crc32(&rest[..total - 4]) as usize);
                    events.push(serde_json::from_slice(&rest[12 + headers..total - 4]).unwrap());
                    rest = &rest[total..];
                }
                events
            }
        }
    }

    /// The text that an answer says.
    pub(crate) fn said(&self, answer: &[u8]) -> String {
        let places = [
            "/choices/0/delta/content",
            "/candidates/0/content/parts/0/text",
            "/message/content",
            "/response",
            "/delta/text",
            "/delta/toolUse/input",
            "/result/artifact/parts/0/text",
        ];
        let text = |event: &Value| places.iter().find_map(|at| Some(event.pointer(at)?.as_str()?.to_owned()));
        self.events(answer).iter().filter_map(text).collect()
    }
}

pub(crate) fn frame(payload: &str) -> Vec<u8> {
    amazon_frame("chunk", &payload)
}

/// The text as pieces, cut in two places.
pub(crate) fn cut(text: &str, one: usize, other: usize) -> [&str; 3] {
    let [one, other] = [one, other].map(|at| text.floor_char_boundary(at));
    [&text[..one], &text[one..other], &text[other..]]
}
