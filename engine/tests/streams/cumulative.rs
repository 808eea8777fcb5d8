//! Texts that every event says from their beginning once more: what is not yet a whole value does not leave.
use std::rc::Rc;

use mesh_engine::{LimitAnswer, LimitStatus, Session, Step};
use serde_json::json;

use crate::support::{post, program};
use crate::wires::*;

const CHAT: Wire = WIRES[0].1;
const A2A: &str = r#"{"jsonrpc":"2.0","id":1,"method":"message/stream","params":{"message":{"role":"user","parts":[{"text":"hi"}]}}}"#;

/// Each row: what it is, the exchange, and an event, where `TEXT` is all that was said and `MORE` what is new of it.
fn rows() -> [(&'static str, Wire, &'static str); 5] {
    let other = |path: &'static str, body: &'static str| Wire { path, body, ..CHAT };
    [
        (
            "SGLang",
            other("/generate", r#"{"text":"hi","stream":true}"#),
            r#"{"text":"TEXT","meta_info":{"id":"a"}}"#,
        ),
        (
            "DashScope",
            other("/api/v1/services/aigc/text-generation/generation", r#"{"input":{"prompt":"hi"}}"#),
            r#"{"output":{"choices":[{"message":{"role":"assistant","content":"TEXT"}}]}}"#,
        ),
        (
            "LangGraph's states",
            other("/runs/stream", r#"{"input":{"query":"hi"}}"#),
            r#"{"messages":[{"type":"ai","content":[{"type":"text","text":"TEXT"}]}]}"#,
        ),
        (
            "an artifact of A2A that is replaced",
            other("/a2a", A2A),
            r#"{"jsonrpc":"2.0","id":1,"result":{"kind":"artifact-update","taskId":"t","contextId":"c","append":false,"artifact":{"artifactId":"a","parts":[{"kind":"text","text":"TEXT"}]}}}"#,
        ),
        (
            "Perplexity",
            CHAT,
            r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"TEXT"},"delta":{"content":"MORE"}}]}"#,
        ),
    ]
}

fn events(event: &str, said: &str, step: usize) -> Vec<u8> {
    let ends = (1..=said.len()).filter(|end| end % step == 0 || *end == said.len());
    let mut before = 0;
    let events = ends.map(|end| {
        let text = event.replace("TEXT", &said[..end]).replace("MORE", &said[before..end]);
        before = end;
        format!("data: {text}\n\n")
    });
    events.collect::<String>().into()
}

#[test]
fn no_beginning_of_a_value_leaves_in_a_text_that_grows() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let said = "card 4111 1111 1111 1111, ssn 536-90-4399 and ada@example.com ok.";
    for (name, wire, event) in rows() {
        for step in 1..said.len() / 2 {
            let (out, outcome) = wire.through(&program, &[&events(event, said, step)]);
            let out = String::from_utf8_lossy(&out);
            assert_eq!(outcome, "allow_with_modifications", "{name} by {step}: {out}");
            for half in ["4111", "536-", "ada"] {
                assert!(!out.contains(half), "{name} by {step}: {out}");
            }
            assert!(out.contains("card #, ssn # and # ok."), "{name} by {step}: {out}");
        }
    }
}

#[test]
fn a_text_that_grows_and_has_nothing_to_find_passes_byte_for_byte() {
    let program = program(json!([{ "pii": { "action": "redact" } }]));
    let said = "It rains in Oslo, 12 mm by 4 p.m., 5 6 7.";
    for (name, wire, event) in rows() {
        for step in [1, 3, 10] {
            let answer = events(event, said, step);
            assert_eq!(wire.through(&program, &[&answer]), (answer.clone(), "allow"), "{name} by {step}");
        }
    }
}

/// Documents that an answer cites, rows of a table: each event may say several, the same ones too.
#[test]
fn several_texts_of_one_event_all_leave() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let run = Wire { path: "/run", ..CHAT };
    let cited = r#"{"choices":[{"index":0,"delta":{"context":{"citations":[{"content":"TEXT"},{"content":"TEXT"},{"content":"TEXT"}]}}}]}"#;
    let thoughts = r#"{"choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text":"TEXT"},{"type":"reasoning.text","text":"TEXT"},{"type":"reasoning.text","text":"TEXT"}]}}]}"#;
    let bye = r#"{"choices":[{"index":0,"delta":{"content":"bye"}}]}"#;
    let grows = r#"{"result":["TEXT","TEXT and on","TEXT and on and on"]}"#;
    let two = r#"{"result":["TEXT","TEXT"]}"#;
    for (name, wire, events) in [
        ("citations", CHAT, [cited, bye]),
        ("thoughts", CHAT, [thoughts, bye]),
        ("rows", run, [r#"{"result":["TEXT","TEXT","TEXT"]}"#, r#"{"text":"bye"}"#]),
        ("rows that grow", run, [grows, r#"{"text":"bye"}"#]),
        ("rows in two events", run, [two, two]),
        ("rows that grow in two events", run, [grows, grows]),
    ] {
        let said =
            |text: &str| events.map(|event| format!("data: {event}\n\n").replace("TEXT", text)).concat();
        let answer = said("2026-11-28 00:00:00");
        let (out, outcome) = wire.through(&program, &[answer.as_bytes()]);
        assert_eq!((String::from_utf8_lossy(&out).as_ref(), outcome), (answer.as_str(), "allow"), "{name}");
        let (out, outcome) = wire.through(&program, &[said("the card 4111 1111 1111 1111").as_bytes()]);
        let out = String::from_utf8_lossy(&out);
        assert_eq!(
            (out.as_ref(), outcome),
            (said("the card #").as_str(), "allow_with_modifications"),
            "{name}"
        );
    }
}

#[test]
fn a_budget_counts_a_text_that_grows_once() {
    let program = program(json!([{ "rateLimit": { "tokensPerDay": 10_000 } }]));
    let said = "It rains in Oslo. ".repeat(20);
    // Elsewhere no tokens are counted.
    let chat = [
        rows()[4],
        ("parts", CHAT, r#"{"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"TEXT"}]}}]}"#),
    ];
    for (name, wire, event) in chat {
        let mut session = Session::start(Rc::clone(&program), post(wire.path), "d".into(), 0);
        assert!(matches!(session.request_headers(false, 0), Step::ReadBody), "{name}");
        let Step::AskLimits(checks) = session.request(wire.body.as_bytes(), 0) else { panic!("{name}") };
        let statuses = checks.iter().map(|_| LimitStatus { over: None, remaining: 9_000 }).collect();
        let answer = LimitAnswer::Answered(statuses);
        let step = session.limits(answer, wire.body.as_bytes(), 0);
        assert!(matches!(step, Step::Continue | Step::Replace(_)), "{name}: {step:?}");
        let headers = [(":status", "200"), ("content-type", wire.content_type)];
        session.response_headers(&headers.map(|(name, value)| (name.to_owned(), value.to_owned())), false);
        session.response_chunk(&events(event, &said, 4), false);
        session.response_chunk(b"", true);
        let settled: Vec<_> = session.finish().0.settlements.iter().map(|settled| settled.spent).collect();
        assert!(matches!(settled[..], [Some(80..=150)]), "{name}: {settled:?}");
    }
}
