//! An answer is read as what it is, whatever it is called: a stream as a stream of its framing, a whole answer as a whole.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::rc::Rc;

use mesh_engine::{Program, ResponseMode, Step};
use serde_json::{Value, json};

use crate::support::{begun, post, program};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const OLLAMA: &str = "/api/chat";
const GEMINI: &str = "/v1beta/models/g:streamGenerateContent";
const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";

/// What the agent gets of an answer, and whether it is refused.
fn through(program: &Rc<Program>, path: &str, kind: &str, answer: &str, chunk: usize) -> (String, bool) {
    let mut session = begun(program, post(path));
    let text = json!([{ "role": "user", "content": "hi" }]);
    let request = match path {
        GEMINI => json!({ "contents": [{ "parts": [{ "text": "hi" }] }] }),
        _ => json!({ "model": "m", "max_tokens": 9, "messages": text }),
    };
    assert!(matches!(session.request(request.to_string().as_bytes(), 0), Step::Continue));
    let headers: Vec<_> = [("content-type", kind)].into_iter().filter(|(_, kind)| !kind.is_empty()).collect();
    let headers: Vec<_> =
        headers.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect();
    let out = match session.response_headers(&headers, false) {
        ResponseMode::Stream => {
            let pieces = answer.as_bytes().chunks(chunk);
            let mut out: Vec<u8> = pieces.flat_map(|piece| session.response_chunk(piece, false)).collect();
            out.extend(session.response_chunk(b"", true));
            out
        }
        ResponseMode::Buffer => {
            match session.response(answer.as_bytes(), Some(kind).filter(|kind| !kind.is_empty())) {
                Step::Continue => answer.as_bytes().to_vec(),
                Step::Replace(out) => out,
                Step::Refuse(refusal) => refusal.body,
                other => panic!("{other:?}"),
            }
        }
        other => panic!("{other:?}"),
    };
    (String::from_utf8(out).unwrap(), session.finish().0.outcome.as_str() == "deny")
}

fn chat(text: &str) -> String {
    format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": { "content": text } }] }))
}

fn said(text: &str) -> String {
    let delta =
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } });
    format!("event: content_block_delta\ndata: {delta}\n\n")
}

fn line(text: &str) -> String {
    format!(
        "{}\n",
        json!({ "model": "m", "message": { "role": "assistant", "content": text }, "done": false })
    )
}

fn candidate(text: &str) -> String {
    json!({ "candidates": [{ "index": 0, "content": { "role": "model", "parts": [{ "text": text }] } }] })
        .to_string()
}

#[test]
fn a_value_that_is_cut_is_found_in_whatever_the_stream_is_called() {
    let program = program(json!([{ "pii": { "types": ["ssn"], "replacement": "#" } }]));
    let (a, b) = ("ssn 536-9", "0-4399 ok");
    let array = |a: &str, b: &str| format!("[{},\n{}]", candidate(a), candidate(b));
    let lines = ["application/json", "text/plain", "", EVENTS, LINES];
    for (path, kinds, answer, masked) in [
        (CHAT, &[EVENTS, LINES, "text/plain"][..], chat(a) + &chat(b), chat("ssn #") + &chat(" ok")),
        (MESSAGES, &[EVENTS, "application/jsonl"], said(a) + &said(b), said("ssn #") + &said(" ok")),
        (OLLAMA, &lines, line(a) + &line(b), line("ssn #") + &line(" ok")),
        (GEMINI, &["application/json", EVENTS, LINES, "text/plain"], array(a, b), array("ssn #", " ok")),
    ] {
        for kind in kinds {
            for chunk in [1, 50, 1 << 20] {
                let got = through(&program, path, kind, &answer, chunk);
                assert_eq!(got, (masked.clone(), false), "{path} as {kind:?} in {chunk}s");
            }
        }
    }
}

#[test]
fn a_whole_answer_is_one_whatever_it_is_called() {
    let program = program(
        json!([{ "tools": { "deny": ["shell*"] } }, { "pii": { "types": ["ssn"], "replacement": "#" } }]),
    );
    let chat = |message: Value| json!({ "choices": [{ "index": 0, "message": message }] }).to_string();
    let call =
        json!({ "id": "call_1", "type": "function", "function": { "name": "shell", "arguments": "{}" } });
    let parts = |a: &str, b: &str| json!([{ "type": "text", "text": a }, { "type": "text", "text": b }]);
    let used = json!({ "id": "msg_1", "type": "message", "role": "assistant",
        "content": [{ "type": "tool_use", "id": "toolu_1", "name": "shell", "input": {} }] });
    let called = json!({ "candidates": [{ "index": 0, "content": { "parts": [{ "functionCall": { "name": "shell", "args": {} } }] } }] });
    let pretty = serde_json::to_string_pretty(&used).unwrap();
    for kind in [EVENTS, LINES, "text/plain", "application/json"] {
        for chunk in [1, 1 << 20] {
            for (path, answer) in [
                (CHAT, chat(json!({ "role": "assistant", "tool_calls": [call] }))),
                (MESSAGES, used.to_string()),
                (MESSAGES, pretty.clone()),
                (GEMINI, called.to_string()),
                // Some readers take the first value, and do not look at what comes behind it.
                (MESSAGES, format!("{used}\n{{}}\n")),
            ] {
                let (out, refused) = through(&program, path, kind, &answer, chunk);
                assert!(refused && !out.contains("shell"), "{path} as {kind}: {out}");
            }
            let message = |a: &str, b: &str| chat(json!({ "role": "assistant", "content": parts(a, b) }));
            let got = through(&program, CHAT, kind, &message("ssn 536-9", "0-4399 ok"), chunk);
            assert_eq!(got, (message("ssn #", " ok"), false), "{kind}");
        }
    }
}
