//! What the author's own rules see of the tools that a stream calls: each call once, with its own arguments.
use mesh_engine::{ResponseMode, Session, Step};
use serde_json::{Value, json};

use crate::support::{post, program};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const ANTHROPIC: &str = "/v1/messages";
const GEMINI: &str = "/v1beta/models/gemini-2.5-pro:streamGenerateContent";
const BEDROCK: &str = "/model/m/converse-stream";

/// `input.response.tool_calls`, as a module sees it once the stream is there; nothing where the guard could not run.
fn seen(path: &str, events: &[Value]) -> Option<Value> {
    let module = "package mesh\nwarn contains json.marshal(input.response.tool_calls) if input.response";
    let program = program(json!([{ "rego": { "module": module } }]));
    let mut session = Session::start(program, post(path), "d".into(), 0);
    let request = json!({ "model": "m", "stream": true, "max_tokens": 9, "input": "hi",
        "messages": [{ "role": "user", "content": "hi" }] });
    assert!(matches!(session.request_headers(false, 0), Step::ReadBody));
    assert!(matches!(session.request(request.to_string().as_bytes(), 0), Step::Continue), "{path}");
    let content_type = ("content-type".to_owned(), "text/event-stream".to_owned());
    assert!(matches!(session.response_headers(&[content_type], false), ResponseMode::Stream));
    for event in events {
        session.response_chunk(format!("data: {event}\n\n").as_bytes(), false);
    }
    session.response_chunk(b"", true);
    let decision = session.finish().0;
    let told = decision.warnings.iter().find(|warning| warning.guard == "rego");
    told.map(|warning| serde_json::from_str(&warning.message).expect("what the module told"))
}

fn call(name: &str, arguments: Value) -> Value {
    json!({ "name": name, "arguments": arguments })
}

fn anthropic(index: u32, name: &str, input: Value, pieces: &[&str]) -> Vec<Value> {
    let block = json!({ "type": "tool_use", "id": format!("toolu_{index}"), "name": name, "input": input });
    let mut events = vec![json!({ "type": "content_block_start", "index": index, "content_block": block })];
    events.extend(pieces.iter().map(|piece| {
        let delta = json!({ "type": "input_json_delta", "partial_json": piece });
        json!({ "type": "content_block_delta", "index": index, "delta": delta })
    }));
    events.push(json!({ "type": "content_block_stop", "index": index }));
    events
}

fn chat(index: u32, name: Option<&str>, arguments: &str) -> Value {
    let mut function = json!({ "arguments": arguments });
    let mut call = json!({ "index": index });
    if let Some(name) = name {
        function["name"] = json!(name);
        call["id"] = json!(format!("call_{index}"));
        call["type"] = json!("function");
    }
    call["function"] = function;
    json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [call] } }] })
}

/// All events that OpenAI sends of an answer with these calls.
fn responses(calls: &[(&str, &str)]) -> Vec<Value> {
    let item = |name: &str, arguments: &str| {
        json!({ "type": "function_call", "id": format!("fc_{name}"), "call_id": format!("call_{name}"),
        "name": name, "arguments": arguments, "status": "completed" })
    };
    let mut events = vec![json!({ "type": "response.created", "response": { "output": [] } })];
    for (index, (name, arguments)) in calls.iter().enumerate() {
        let added = item(name, "");
        events.push(json!({ "type": "response.output_item.added", "output_index": index, "item": added }));
        for piece in [&arguments[..arguments.len() / 2], &arguments[arguments.len() / 2..]] {
            events.push(json!({ "type": "response.function_call_arguments.delta", "output_index": index, "delta": piece }));
        }
        events.push(json!({ "type": "response.function_call_arguments.done", "output_index": index, "arguments": arguments }));
        let done = item(name, arguments);
        events.push(json!({ "type": "response.output_item.done", "output_index": index, "item": done }));
    }
    let output: Vec<Value> = calls.iter().map(|(name, arguments)| item(name, arguments)).collect();
    events.push(json!({ "type": "response.completed", "response": { "output": output } }));
    events
}

#[test]
fn every_call_has_its_own_arguments() {
    let etc = || json!({ "path": "/etc" });
    let bedrock =
        |index: u32, name: &str, pieces: &[&str]| {
            let tool = json!({ "toolUse": { "toolUseId": format!("t{index}"), "name": name } });
            let mut events = vec![json!({ "contentBlockIndex": index, "start": tool })];
            events.extend(pieces.iter().map(
                |piece| json!({ "contentBlockIndex": index, "delta": { "toolUse": { "input": piece } } }),
            ));
            events.push(json!({ "contentBlockIndex": index }));
            events
        };
    let gemini = |calls: &[(&str, Value)]| {
        let parts: Vec<Value> = calls
            .iter()
            .map(|(name, args)| json!({ "functionCall": { "name": name, "args": args } }))
            .collect();
        json!({ "candidates": [{ "index": 0, "content": { "role": "model", "parts": parts } }] })
    };
    for (name, path, events, expected) in [
        (
            "Anthropic, the first without parameters",
            ANTHROPIC,
            [anthropic(0, "A", json!({}), &[]), anthropic(1, "B", json!({}), &["{\"path\":", "\"/etc\"}"])]
                .concat(),
            json!([call("A", json!({})), call("B", etc())]),
        ),
        (
            "Anthropic, what with at the start",
            ANTHROPIC,
            [anthropic(0, "A", json!({}), &["{}"]), anthropic(1, "B", etc(), &[])].concat(),
            json!([call("A", json!({})), call("B", etc())]),
        ),
        (
            "Anthropic, a call in the message that starts",
            ANTHROPIC,
            vec![
                json!({ "type": "message_start", "message": { "role": "assistant", "content": [
                    { "type": "text", "text": "" },
                    { "type": "tool_use", "id": "toolu_1", "name": "B", "input": {} }] } }),
                json!({ "type": "content_block_delta", "index": 1,
                    "delta": { "type": "input_json_delta", "partial_json": etc().to_string() } }),
            ],
            json!([call("B", etc())]),
        ),
        (
            "Responses, whose events say a call three times",
            RESPONSES,
            responses(&[("A", "{}"), ("B", "{\"path\":\"/etc\"}")]),
            json!([call("A", json!({})), call("B", etc())]),
        ),
        (
            "Responses, one call twice",
            RESPONSES,
            responses(&[("A", "{\"a\":1}"), ("A", "{\"a\":2}")]),
            json!([call("A", json!({ "a": 1 })), call("A", json!({ "a": 2 }))]),
        ),
        (
            "chat, calls side by side that take turns",
            CHAT,
            vec![
                chat(0, Some("A"), ""),
                chat(1, Some("B"), ""),
                chat(1, None, "{\"path\":"),
                chat(0, None, "{\"a\":"),
                chat(1, None, "\"/etc\"}"),
                chat(0, None, "1}"),
            ],
            json!([call("A", json!({ "a": 1 })), call("B", etc())]),
        ),
        (
            "chat, the first without arguments, and its name again",
            CHAT,
            vec![chat(0, Some("A"), ""), chat(0, Some("A"), ""), chat(1, Some("B"), "{\"path\":\"/etc\"}")],
            json!([call("A", Value::Null), call("B", etc())]),
        ),
        (
            "Gemini, whose calls come whole",
            GEMINI,
            vec![gemini(&[("A", json!({}))]), gemini(&[("B", etc()), ("A", json!({ "a": 1 }))])],
            json!([call("A", json!({})), call("B", etc()), call("A", json!({ "a": 1 }))]),
        ),
        (
            "Bedrock, the first without parameters",
            BEDROCK,
            [bedrock(0, "A", &[]), bedrock(1, "B", &["{\"path\":", "\"/etc\"}"])].concat(),
            json!([call("A", Value::Null), call("B", etc())]),
        ),
    ] {
        assert_eq!(seen(path, &events), Some(expected), "{name}");
    }
}

/// What programs read in different ways stands there in each of them.
#[test]
fn a_call_that_says_two_things_is_shown_with_both() {
    let mut events = responses(&[("B", "{\"a\":1}")]);
    events.last_mut().unwrap()["response"]["output"][0]["arguments"] = json!("{\"path\":\"/etc\"}");
    let told = seen(RESPONSES, &events).unwrap();
    let told = told.as_array().unwrap();
    assert!(
        told.contains(&call("B", json!({ "a": 1 }))) && told.contains(&call("B", json!({ "path": "/etc" }))),
        "{told:?}"
    );
    // Arguments of a call that nobody named.
    let events = [chat(0, Some("A"), "{}"), chat(0, None, ""), {
        json!({ "choices": [{ "index": 1, "delta": { "tool_calls": [{ "index": 0, "function": { "arguments": "{\"b\":1}" } }] } }] })
    }];
    assert_eq!(seen(CHAT, &events), Some(json!([call("A", json!({})), call("", json!({ "b": 1 }))])));
}

/// Each of a call's names stands there with each text, so both have a bound: more can not be judged.
#[test]
fn a_call_of_many_names_is_unclear() {
    let named = |index: u32| {
        let item = json!({ "type": "function_call", "name": format!("n{index}"), "arguments": "" });
        json!({ "type": "response.output_item.added", "output_index": 0, "item": item })
    };
    let few: Vec<Value> = (0..8).map(named).collect();
    assert_eq!(seen(RESPONSES, &few).map(|calls| calls.as_array().unwrap().len()), Some(8));
    let many: Vec<Value> = (0..64).map(named).collect();
    assert_eq!(seen(RESPONSES, &many), None);
    let running = |index: u32| json!({ "type": format!("response.x{index}_arguments.delta"), "output_index": 0, "delta": "{}" });
    let texts: Vec<Value> = [named(0)].into_iter().chain((0..64).map(running)).collect();
    assert_eq!(seen(RESPONSES, &texts), None);
}
