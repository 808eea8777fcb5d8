//! Values cut over deltas that are more than a text: objects within them, lists, Base64, tokens.
use serde_json::json;

use crate::wires::*;
use crate::{halves, program};

const CHAT: Wire = WIRES[0].1;
const fn at(path: &'static str) -> Wire {
    Wire { path, ..CHAT }
}
const FRAMES: Wire = Wire { content_type: "application/vnd.amazon.eventstream", ..CHAT };

#[test]
fn what_stands_deeper_in_a_delta_is_put_together_as_clients_do() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let responses = at("/v1/responses");
    let converse = Wire { path: "/model/m/converse-stream", ..FRAMES };
    for (wire, event) in [
        (
            responses,
            r#"{"type":"response.shell_call_output_content.delta","output_index":1,"command_index":0,"delta":{"stdout":"TEXT"}}"#,
        ),
        (
            responses,
            r#"{"type":"response.shell_call_command.delta","output_index":1,"command_index":0,"delta":"TEXT"}"#,
        ),
        (
            responses,
            r#"{"type":"response.apply_patch_call_operation_diff.delta","output_index":1,"delta":"TEXT"}"#,
        ),
        (
            responses,
            r#"{"type":"response.reasoning.delta","output_index":0,"content_index":0,"delta":{"text":"TEXT"}}"#,
        ),
        (converse, r#"{"contentBlockIndex":0,"delta":{"toolResult":[{"text":"TEXT"}]}}"#),
        (CHAT, r#"{"choices":[{"index":0,"delta":{"provider_specific_fields":{"thinking":"TEXT"}}}]}"#),
        (CHAT, r#"{"choices":[{"index":0,"delta":{"reasoning":{"text":"TEXT"}}}]}"#),
        (CHAT, r#"{"choices":[{"index":0,"delta":{"executed_tools":[{"index":0,"output":"TEXT"}]}}]}"#),
        (
            CHAT,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"output":"TEXT"}}]}}]}"#,
        ),
        (CHAT, r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"mcp":{"a":"TEXT"}}]}}]}"#),
        (
            CHAT,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":{"a":"TEXT"}}}]}}]}"#,
        ),
    ] {
        let [one, other] = ["ssn 536-9", "0-4399 ok"].map(|half| event.replace("TEXT", half));
        halves(&program, wire, &[&one, &other], event);
    }
    let runs = Wire { path: "/v1/threads/t/runs", body: r#"{"assistant_id":"a","stream":true}"#, ..CHAT };
    for (wire, event) in [
        (
            runs,
            r#"{"object":"thread.run.step.delta","delta":{"step_details":{"type":"tool_calls","tool_calls":[{"index":0,"type":"code_interpreter","code_interpreter":{"input":"TEXT"}}]}}}"#,
        ),
        (at("/v2/chat"), r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"TEXT"}}}"#),
    ] {
        let [one, other] = ["ssn 536-9", "0-4399 ok"].map(|half| event.replace("TEXT", half));
        halves(&program, wire, &[&one, &other], event);
    }
    // Another command's output lies between.
    let command = |index: u32, text: &str| {
        json!({ "type": "response.shell_call_output_content.delta", "output_index": 0, "command_index": index,
            "delta": { "stdout": text } })
        .to_string()
    };
    let events = [command(0, "ssn 536-9"), command(1, "zz"), command(0, "0-4399 ok")];
    halves(&program, responses, &events.each_ref().map(String::as_str), "commands");
}

/// Bedrock's agents send their answer's bytes, in Base64.
#[test]
fn what_an_agent_of_bedrocks_says_is_put_together() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let (path, body) = ("/agents/A/agentAliases/B/sessions/s/text", r#"{"inputText":"hi"}"#);
    let wire = Wire { path, body, ..FRAMES };
    // "[1] your ssn is 536-90", "-4399 ok"
    let pieces = ["WzFdIHlvdXIgc3NuIGlzIDUzNi05MA==", "LTQzOTkgb2s="];
    let answer: Vec<u8> =
        pieces.iter().flat_map(|piece| frame(&json!({ "bytes": piece }).to_string())).collect();
    let (out, outcome) = wire.through(&program, &[&answer]);
    assert_eq!(outcome, "allow_with_modifications");
    // "[1] your ssn is #", " ok"
    let want = [json!({ "bytes": "WzFdIHlvdXIgc3NuIGlzICM=" }), json!({ "bytes": "IG9r" })];
    assert_eq!(wire.events(&out), want);
    let image =
        frame(&json!({ "files": [{ "name": "a.png", "bytes": "iVBORw0KGgoAAAANSUhEUgAA" }] }).to_string());
    assert_eq!(wire.through(&program, &[&image]), (image, "allow"));
}

/// A file that is text, in chunks of an artifact.
#[test]
fn files_of_other_agents_are_put_together() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let (_, wire) = WIRES.iter().find(|(name, _)| *name == "a2a").unwrap();
    let chunk = |bytes: &str| {
        rpc(json!({ "kind": "artifact-update", "append": true, "artifact": { "artifactId": "a",
            "parts": [{ "kind": "file", "file": { "mimeType": "text/csv", "bytes": bytes } }] } }))
    };
    let stream = |chunks: &[&str]| -> String {
        chunks.iter().map(|bytes| format!("data: {}\n\n", chunk(bytes))).collect()
    };
    // "the ssn is 536-9", "0-4399 and ok!"; then "the ssn is #", " and ok!"
    let said = stream(&["dGhlIHNzbiBpcyA1MzYtOQ==", "MC00Mzk5IGFuZCBvayE="]);
    let want = stream(&["dGhlIHNzbiBpcyAj", "IGFuZCBvayE="]);
    let (out, _) = wire.through(&program, &[said.as_bytes()]);
    assert_eq!(String::from_utf8(out).unwrap(), want);
}

/// A server that waits for a stop word holds text back, and not its tokens.
#[test]
fn tokens_are_searched_though_their_text_comes_later() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let tokens = ["ssn", " 536", "-90", "-43", "99", " ok", " and", " more"];
    let said = tokens.concat();
    let (mut sent, mut read, mut answer) = (0, 0, String::new());
    for (index, token) in tokens.iter().enumerate() {
        read += token.len();
        let to = if index + 1 < tokens.len() { read.saturating_sub(12) } else { read };
        let event = json!({ "choices": [{ "index": 0, "delta": { "content": &said[sent..to] },
            "logprobs": { "content": [{ "token": token, "logprob": -0.1, "bytes": token.as_bytes(), "top_logprobs": [] }] } }] });
        answer += &format!("data: {event}\n\n");
        sent = to;
    }
    let (out, outcome) = CHAT.through(&program, &[answer.as_bytes()]);
    assert_eq!((&*CHAT.said(&out), outcome), ("ssn # ok and more", "allow_with_modifications"));
    let events = CHAT.events(&out);
    let left: Vec<_> = events
        .iter()
        .filter_map(|event| event.pointer("/choices/0/logprobs/content/0/token")?.as_str())
        .collect();
    assert!(!left.iter().any(|token| token.contains(['5', '9', '4'])), "{left:?}");
    assert!(left.contains(&"ssn"), "{left:?}");
}

/// What a custom tool is given is no JSON: what stands in place of a value is not escaped.
#[test]
fn free_input_of_a_tool_is_rewritten_as_it_is_read() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "\"X\"" } }]));
    let delta = |text: &str| json!({ "type": "response.custom_tool_call_input.delta", "output_index": 0, "delta": text });
    let answer: String =
        ["echo 536-9", "0-4399 ok"].map(|text| format!("data: {}\n\n", delta(text))).concat();
    let (out, _) = at("/v1/responses").through(&program, &[answer.as_bytes()]);
    let said: String = CHAT.events(&out).iter().filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!(said, r#"echo "X" ok"#);
}

#[test]
fn calls_that_are_numbered_alike_pass() {
    let program = program(json!([{ "pii": { "action": "redact" } }]));
    let call = |id: &str, name: &str| {
        json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [{ "index": 0, "id": id, "type": "function",
            "function": { "name": name, "arguments": "{}" } }] } }] })
    };
    for (calls, want) in [
        // Gemini, as OpenAI's clients are answered by it.
        ([call("function-call-17392048712", "get_v2"), call("function-call-99392048712", "get_v2")], "allow"),
        ([call("", "get_weather_v2"), call("", "get_time_v2")], "allow"),
        ([call("call_1", "get_"), call("", "weather2")], "allow"),
        ([call("", "ssn_536-9"), call("", "0-4399")], "deny"),
    ] {
        let answer: String = calls.iter().map(|event| format!("data: {event}\n\n")).collect();
        let (out, outcome) = CHAT.through(&program, &[answer.as_bytes()]);
        assert_eq!(outcome, want, "{answer}");
        assert!(want == "deny" || out == answer.as_bytes());
    }
    // Some gateways fill what a delta of another type would have with nothing.
    let empty = r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"a","text":""}}"#;
    let answer = format!("data: {empty}\n\n").into_bytes();
    assert_eq!(at("/v1/messages").through(&program, &[&answer]), (answer, "allow"));
}

/// Thoughts that are over in what a model says are not over in its stream: nothing ends them. The answer does not wait for that.
#[test]
fn an_answer_does_not_wait_for_the_end_of_what_went_before_it() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let event = |index: u32, field: &str, text: &str| {
        let event = json!({ "choices": [{ "index": index, "delta": { field: text } }] });
        format!("data: {event}\n\n")
    };
    let words: Vec<String> = (0..60).map(|_| event(0, "content", "word ")).collect();
    for (field, said) in [("reasoning_content", "It is 42."), ("refusal", "I can not"), ("x", "abc123456")] {
        let answer = event(0, field, said) + &words.concat();
        let half = &answer[..answer.len() / 2];
        let (all, outcome) = CHAT.through(&program, &[answer.as_bytes()]);
        assert_eq!((all, outcome), (answer.clone().into_bytes(), "allow"), "{field}");
        assert!(!CHAT.so_far(&program, half.as_bytes()).is_empty(), "{field}");
    }
    // Documents that an answer is made of, which Azure sends with its first event.
    let documents: Vec<_> =
        (0..20).map(|i| json!({ "content": format!("Text {i}."), "title": "T" })).collect();
    let context = json!({ "choices": [{ "index": 0, "delta": { "context": { "citations": documents } } }] });
    let left = CHAT.so_far(&program, format!("data: {context}\n\n").as_bytes());
    assert!(!left.is_empty());
    // What goes on from them all the same is seen with what went before.
    for between in [1, 16, 40] {
        let answer = event(0, "reasoning_content", "ssn 536-9")
            + &words[..between].concat()
            + &event(0, "reasoning_content", "0-4399 ok");
        let (out, outcome) = CHAT.through(&program, &[answer.as_bytes()]);
        assert!(!String::from_utf8(out).unwrap().contains("0-4399"), "{between}");
        assert_eq!(outcome, "allow_with_modifications", "{between}");
    }
    // Choices that take turns, however many, wait for each other.
    let turns = ["ssn 536-9", "0-4399", " ok"]
        .map(|text| (0..100).map(|index| event(index, "content", text)).collect::<String>());
    let (out, _) = CHAT.through(&program, &[turns.concat().as_bytes()]);
    let out = String::from_utf8(out).unwrap();
    assert!(!out.contains("536-9") && !out.contains("0-4399") && out.matches("ssn #").count() == 100);
}

/// A number in what a tool is called with stays a value when something else stands for it.
#[test]
fn a_number_that_is_replaced_becomes_a_string() {
    let program = program(json!([{ "pii": { "action": "redact" } }]));
    let said = r#"{"ssn":536904399,"note":"card: 4111111111111111, paid","card":4111111111111111}"#;
    let want = json!({ "ssn": "[REDACTED]", "note": "card: [REDACTED], paid", "card": "[REDACTED]" });
    for name in ["bedrock-arguments", "openai-chat", "ollama-chat"] {
        let (_, wire) = WIRES.iter().find(|(of, _)| *of == name).unwrap();
        for at in 0..=said.len() {
            let (out, _) = wire.through(&program, &[&wire.stream(&cut(said, at / 2, at))]);
            let read: serde_json::Value = serde_json::from_str(&wire.said(&out)).unwrap();
            assert_eq!(read, want, "{name} cut at {at}");
        }
    }
}
