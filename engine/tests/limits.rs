//! Limits, without a proxy: what the rate limit service is asked, and what becomes of its answer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::rc::Rc;

use mesh_engine::{LimitAnswer, LimitCheck, LimitStatus, Session, Step};
use mesh_policy::{Bundle, BundlePolicy, Secret, Settings};
use serde_json::{Value, json};

use crate::support::{begun, bundle, compiled, policy, post, program};

const CHAT: &str = "/v1/chat/completions";

fn chat(model: &str) -> Vec<u8> {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hello" }] }).to_string().into_bytes()
}

fn asks(session: &mut Session, body: &[u8]) -> Vec<LimitCheck> {
    let Step::AskLimits(checks) = session.request(body, 0) else { panic!("a limit is asked") };
    checks
}

fn answered(over: &[bool]) -> LimitAnswer {
    let status = |over: &bool| LimitStatus { over: over.then_some(7), remaining: 0 };
    LimitAnswer::Answered(over.iter().map(status).collect())
}

/// A model has one account, however an agent spells its name.
#[test]
fn a_model_is_counted_under_one_name() {
    let program = program(json!([{ "rateLimit": { "key": "model", "requestsPerMinute": 9 } }]));
    for (model, key) in [
        ("llama3", "model:llama3"),
        ("LLaMA3", "model:llama3"),
        ("llama3:latest", "model:llama3"),
        ("registry.ollama.ai/library/llama3", "model:llama3"),
        ("llama3:70b", "model:llama3:70b"),
    ] {
        let checks = asks(&mut begun(&program, post("/v1/chat/completions")), &chat(model));
        assert_eq!(checks.iter().map(|check| check.key.as_str()).collect::<Vec<_>>(), [key], "{model}");
    }
}

/// What the service was never asked has not to be ended there.
#[test]
fn only_what_was_asked_is_settled() {
    let rules = |strict: Value| json!([{ "rateLimit": { "maxConcurrent": 8 } }, { "rateLimit": strict }]);
    let text = json!({ "type": "text", "text": "what is this?" });
    let image = json!({ "type": "image_url", "image_url": { "url": "https://example.com/a.png" } });
    let body = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": [text, image] }] });
    for (strict, settled) in [
        (json!({ "tokensPerDay": 9000, "mode": "strict" }), vec![]),
        (json!({ "tokensPerDay": 9000 }), vec!["maxConcurrent", "tokensPerDay"]),
    ] {
        let mut session = begun(&program(rules(strict)), post("/v1/chat/completions"));
        let step = session.request(body.to_string().as_bytes(), 0);
        assert_eq!(matches!(step, Step::AskLimits(_)), !settled.is_empty());
        let told: Vec<_> = session.finish().0.settlements;
        assert_eq!(told.len(), settled.len(), "{told:?}");
    }
}

/// A refusal names a limit only where it is the limit's.
#[test]
fn a_limit_is_named_by_its_own_refusals() {
    let program = program(json!([
        { "rateLimit": { "requestsPerMinute": 1 } },
        { "models": { "deny": ["gpt-3*"] } },
    ]));
    for (model, status, named) in [("gpt-4o", 429, Some("p/requestsPerMinute")), ("gpt-3.5-turbo", 403, None)]
    {
        let mut session = begun(&program, post("/v1/chat/completions"));
        let body = chat(model);
        asks(&mut session, &body);
        let Step::Refuse(refusal) = session.limits(answered(&[true]), &body, 0) else {
            panic!("{model} is refused");
        };
        let name = refusal.headers.iter().find(|(name, _)| *name == "x-ai-mesh-limit");
        assert_eq!((refusal.status, name.map(|(_, value)| value.as_str())), (status, named), "{model}");
    }
}

/// Where limits that enforce are asked again without those that record, the author's rules see the answers to all.
#[test]
fn rules_see_limits_that_only_record() {
    let module =
        "package mesh\nwarn contains sprintf(\"%s %v\", [l.policy, l.over]) if some l in input.limits";
    let limit = json!({ "rateLimit": { "requestsPerMinute": 1 } });
    let enforcing = policy(json!({ "rules": [limit, { "rego": { "module": module } }] }));
    let recording = policy(json!({ "enforcement": "logging", "rules": [limit] }));
    let policies = vec![enforcing, BundlePolicy { id: "q".into(), ..recording }];
    let bundle = Bundle { version: "1".into(), policies, ..Bundle::default() };
    let mut session = begun(&Rc::new(compiled(&bundle)), post("/v1/chat/completions"));
    let body = chat("gpt-4o");
    let over: Vec<bool> = asks(&mut session, &body).iter().map(|check| check.policy == "q").collect();
    assert_eq!(over.iter().filter(|over| **over).count(), 1);
    let Step::AskLimits(again) = session.limits(answered(&over), &body, 0) else { panic!("asked again") };
    assert_eq!(again.iter().map(|check| check.policy.as_str()).collect::<Vec<_>>(), ["p"]);
    session.limits(answered(&[false]), &body, 0);
    let warnings = session.decision().warnings.iter().filter(|warning| warning.guard == "rego");
    let mut seen: Vec<&str> = warnings.map(|warning| warning.message.as_str()).collect();
    seen.sort_unstable();
    assert_eq!(seen, ["p false", "q true"]);
}

/// What the agent gets of a streamed answer, where the budget admits what the request says. Objects are events' data.
fn streamed(path: &str, body: &Value, rules: Value, events: &[Value]) -> String {
    let settings = Settings { masking_key: Some(Secret::new("key")), ..Settings::default() };
    let bundle = Bundle { settings, ..bundle(json!({ "rules": rules })) };
    let mut session = begun(&Rc::new(compiled(&bundle)), post(path));
    let body = body.to_string().into_bytes();
    asks(&mut session, &body);
    let step = session.limits(answered(&[false]), &body, 0);
    assert!(matches!(step, Step::Continue | Step::Replace(_)), "{path}: {step:?}");
    let headers = [(":status", "200"), ("content-type", "text/event-stream")];
    session.response_headers(&headers.map(|(name, value)| (name.to_owned(), value.to_owned())), false);
    let events =
        events.iter().map(|event| session.response_chunk(format!("data: {event}\n\n").as_bytes(), false));
    let mut out = events.collect::<Vec<_>>().concat();
    out.extend(session.response_chunk(b"", true));
    String::from_utf8(out).unwrap()
}

/// Where the mesh asked for the usage, a chunk that tells more than that is the client's, as some providers tell it with each.
#[test]
fn only_the_chunk_that_tells_nothing_but_usage_is_kept() {
    let body = json!({ "model": "m", "stream": true, "max_tokens": 900, "messages": [{ "role": "user", "content": "hi" }] });
    let usage = json!({ "prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6 });
    let chunk = |delta: Value| json!({ "choices": [{ "index": 0, "delta": delta }], "usage": usage });
    let image = json!({ "images": [{ "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } }] });
    for (name, event, kept) in [
        ("usage alone", json!({ "id": "c", "choices": [], "usage": usage }), true),
        (
            "usage and what a server measured",
            json!({ "choices": [], "usage": usage, "timings": { "predicted_ms": 2.5 }, "token_ids": [1], "x": null }),
            true,
        ),
        (
            "usage and sources",
            json!({ "choices": [], "usage": usage, "citations": ["https://docs.example.com/a"] }),
            false,
        ),
        ("who speaks", chunk(json!({ "role": "assistant", "content": "" })), false),
        (
            "a call without arguments",
            chunk(
                json!({ "tool_calls": [{ "index": 0, "id": "call_1", "function": { "name": "get_time" } }] }),
            ),
            false,
        ),
        ("sound", chunk(json!({ "audio": { "id": "a", "data": "UklGRiQAAABXQVZF" } })), false),
        ("an image", chunk(image), false),
        (
            "a whole message",
            json!({ "choices": [{ "index": 0, "message": { "role": "assistant", "content": "hi" } }], "usage": usage }),
            false,
        ),
        ("an error", json!({ "error": { "message": "overloaded" }, "usage": usage }), false),
        (
            "an error beside no choices",
            json!({ "choices": [], "error": { "message": "overloaded" }, "usage": usage }),
            false,
        ),
    ] {
        let rules = json!([{ "rateLimit": { "tokensPerDay": 9000 } }]);
        let out = streamed(CHAT, &body, rules, std::slice::from_ref(&event));
        let want = if kept { String::new() } else { format!("data: {event}\n\n") };
        assert_eq!(out, want, "{name}");
    }
}

/// What ends a stream when its budget is spent is made of what was sent, and what might have become a value does not leave.
#[test]
fn a_cut_tells_nothing_that_was_kept_back() {
    let words = "word ".repeat(200);
    let chat = json!({ "model": "m", "stream": true, "max_tokens": 20, "messages": [{ "role": "user", "content": "hi" }] });
    let responses = json!({ "model": "m", "stream": true, "max_output_tokens": 20, "input": "hi" });
    let chunk = |delta: Value| json!({ "id": "ada@example.com", "note": "ssn 536-90-4399", "choices": [{ "index": 0, "delta": delta }] });
    let says = |text: &str| {
        vec![chunk(json!({ "content": format!("{words}{text}") })), chunk(json!({ "content": "1 x" }))]
    };
    let created = json!({ "type": "response.created", "sequence_number": 0, "response": {
        "id": "r", "status": "in_progress", "instructions": "write to ada@example.com", "output": [] } });
    let delta = json!({ "type": "response.output_text.delta", "sequence_number": 1, "output_index": 0,
        "content_index": 0, "delta": words });
    let calls = |arguments: &str| json!({ "tool_calls": [{ "index": 0, "id": "c", "function": { "name": "f", "arguments": arguments } }] });
    let call = vec![chunk(calls(&format!("{{\"q\":\"{words}4111 1111 1111 111")))];
    let length = "\"finish_reason\":\"length\"";
    for (name, path, body, events, end) in [
        ("a response's instructions", "/v1/responses", &responses, vec![created, delta], "max_output_tokens"),
        ("a chunk's other members", CHAT, &chat, says("and"), length),
        ("half of a card", CHAT, &chat, says("4111 1111 1111 111"), length),
        ("half of a card in a call", CHAT, &chat, call, length),
        ("half of a mail address", CHAT, &chat, says("ada@example.c"), length),
    ] {
        let rules = json!([{ "rateLimit": { "tokensPerDay": 1000 } }, { "pii": { "replacement": "#" } }]);
        let out = streamed(path, body, rules, &events);
        let leaks = ["ada", "536-90", "4111"].iter().any(|value| out.contains(value));
        assert!(!leaks && out.contains(end), "{name}: {out}");
        assert!(out.matches("word").count() > 190, "{name}: {out}");
    }
}
