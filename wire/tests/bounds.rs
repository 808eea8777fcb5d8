//! What a request lets its answers be, and the bound that is written into one that sets none.
use mesh_wire::{Answers, Limits, Message, answers, bounded, read_request, reads_elsewhere, route_of};
use proptest::prelude::*;
use serde_json::{Value, json};

const MOST: u64 = 1024;

fn read(path: &str, body: &[u8]) -> Message {
    let route = route_of("POST", path, Some("application/json"));
    let mut message = read_request(route.protocol, body, &Limits::default()).expect("it is read");
    message.follow(&route, body);
    message
}

fn asked(path: &str, body: &str) -> Option<Answers> {
    answers(&read(path, body.as_bytes()), body.as_bytes())
}

const CHAT: &str = "/v1/chat/completions";
const AZURE: &str = "/openai/deployments/prod-gpt-5-mini/chat/completions";
const COMPLETIONS: &str = "/v1/completions";
const RESPONSES: &str = "/v1/responses";
const CLAUDE: &str = "/v1/messages";
const GEMINI: &str = "/v1beta/models/gemini-2.5-flash:generateContent";
const CONVERSE: &str = "/model/anthropic.claude-sonnet-4-5/converse";
const LLAMA: &str = "/model/meta.llama3-1-8b-instruct-v1:0/invoke";
const TITAN: &str = "/model/amazon.titan-text-express-v1/invoke";
const NOVA: &str = "/model/us.amazon.nova-lite-v1:0/invoke";
const BEDROCK_CLAUDE: &str = "/model/us.anthropic.claude-sonnet-4-5/invoke";
const OLLAMA: &str = "/api/chat";

/// Where, what is sent, and what goes on: the bound stands where the provider reads it, every other byte stays.
#[test]
fn a_bound_is_written_where_the_provider_reads_it() {
    let rows = [
        (
            CHAT,
            r#"{"model":"gpt-4o","messages":[]}"#,
            r#"{"max_tokens":1024,"model":"gpt-4o","messages":[]}"#,
        ),
        (
            CHAT,
            r#"{"model":"o3","messages":[]}"#,
            r#"{"max_completion_tokens":1024,"model":"o3","messages":[]}"#,
        ),
        (CHAT, r#"{"model":"openai/gpt-5.1"}"#, r#"{"max_completion_tokens":1024,"model":"openai/gpt-5.1"}"#),
        (CHAT, r#"{"model":"gpt-oss-120b"}"#, r#"{"max_tokens":1024,"model":"gpt-oss-120b"}"#),
        (AZURE, r#"{"messages":[]}"#, r#"{"max_completion_tokens":1024,"messages":[]}"#),
        (CHAT, "  { } ", r#"  {"max_tokens":1024 } "#),
        // Written out as nothing, or as what not every server takes for a bound.
        (CHAT, r#"{"max_tokens":null , "n":1}"#, r#"{"max_tokens":1024 , "n":1}"#),
        (
            CHAT,
            r#"{"model":"o3","max_tokens":null}"#,
            r#"{"max_completion_tokens":1024,"model":"o3","max_tokens":null}"#,
        ),
        (CHAT, r#"{"max_tokens":"9"}"#, r#"{"max_tokens":1024}"#),
        (CHAT, r#"{"max_tokens":1e9}"#, r#"{"max_tokens":1024}"#),
        (CHAT, r#"{"max_tokens":-1}"#, r#"{"max_tokens":1024}"#),
        (CHAT, r#"{"max_tokens":9.5}"#, r#"{"max_tokens":1024}"#),
        (CHAT, r#"{"max_tokens":[9]}"#, r#"{"max_tokens":1024}"#),
        (CHAT, r#"{"max_tokens":true}"#, r#"{"max_tokens":1024}"#),
        // Nothing at all is infinity to some, and one token is little.
        (CHAT, r#"{"max_tokens":0}"#, r#"{"max_tokens":1}"#),
        // Another spelling is one to servers in Go, and none to the others.
        (CHAT, r#"{"MAX_TOKENS":99999}"#, r#"{"max_tokens":1024,"MAX_TOKENS":1024}"#),
        (CHAT, r#"{"Max_Tokens":7}"#, r#"{"max_tokens":1024,"Max_Tokens":7}"#),
        (CHAT, r#"{"max_tokens":7,"MAX_TOKENS":null}"#, r#"{"max_tokens":7,"MAX_TOKENS":1024}"#),
        (CHAT, r#"{"max_tokens":7,"n_predict":-1}"#, r#"{"max_tokens":7,"n_predict":1024}"#),
        (
            CHAT,
            r#"{"max_completion_tokens":"9","max_tokens":7}"#,
            r#"{"max_completion_tokens":1024,"max_tokens":7}"#,
        ),
        (COMPLETIONS, r#"{"prompt":"a"}"#, r#"{"max_tokens":1024,"prompt":"a"}"#),
        (COMPLETIONS, r#"{"max_completion_tokens":7}"#, r#"{"max_tokens":1024,"max_completion_tokens":7}"#),
        (RESPONSES, r#"{"input":"a"}"#, r#"{"max_output_tokens":1024,"input":"a"}"#),
        (RESPONSES, r#"{"max_tokens":5}"#, r#"{"max_output_tokens":1024,"max_tokens":5}"#),
        (CLAUDE, r#"{"messages":[]}"#, r#"{"max_tokens":1024,"messages":[]}"#),
        (
            CLAUDE,
            r#"{"max_tokens":7,"fallbacks":[{"max_tokens":null},{"max_tokens":"x"}]}"#,
            r#"{"max_tokens":7,"fallbacks":[{"max_tokens":1024},{"max_tokens":1024}]}"#,
        ),
        (GEMINI, r#"{"contents":[]}"#, r#"{"generationConfig":{"maxOutputTokens":1024},"contents":[]}"#),
        (
            GEMINI,
            r#"{"generationConfig":{"topK":1}}"#,
            r#"{"generationConfig":{"maxOutputTokens":1024,"topK":1}}"#,
        ),
        (GEMINI, r#"{"generationConfig":null}"#, r#"{"generationConfig":{"maxOutputTokens":1024}}"#),
        (GEMINI, r#"{"generation_config":{}}"#, r#"{"generation_config":{"maxOutputTokens":1024}}"#),
        (
            GEMINI,
            r#"{"generation_config":{"max_output_tokens":null}}"#,
            r#"{"generation_config":{"max_output_tokens":1024}}"#,
        ),
        (
            GEMINI,
            r#"{"generationConfig":{"maxOutputTokens":7},"generation_config":{"max_output_tokens":"x"}}"#,
            r#"{"generationConfig":{"maxOutputTokens":7},"generation_config":{"max_output_tokens":1024}}"#,
        ),
        (CONVERSE, r#"{"messages":[]}"#, r#"{"inferenceConfig":{"maxTokens":1024},"messages":[]}"#),
        (
            CONVERSE,
            r#"{"inferenceConfig":{"maxTokens":7},"additionalModelRequestFields":{"max_tokens":"7"}}"#,
            r#"{"inferenceConfig":{"maxTokens":7},"additionalModelRequestFields":{"max_tokens":1024}}"#,
        ),
        (LLAMA, r#"{"prompt":"a","max_tokens":1}"#, r#"{"max_gen_len":1024,"prompt":"a","max_tokens":1}"#),
        (TITAN, r#"{"inputText":"a"}"#, r#"{"textGenerationConfig":{"maxTokenCount":1024},"inputText":"a"}"#),
        (NOVA, r#"{"messages":[]}"#, r#"{"inferenceConfig":{"maxTokens":1024},"messages":[]}"#),
        (BEDROCK_CLAUDE, r#"{"messages":[]}"#, r#"{"max_tokens":1024,"messages":[]}"#),
        (OLLAMA, r#"{"messages":[]}"#, r#"{"options":{"num_predict":1024},"messages":[]}"#),
        (OLLAMA, r#"{"options":null}"#, r#"{"options":{"num_predict":1024}}"#),
        (OLLAMA, r#"{"options":{"num_predict":-2}}"#, r#"{"options":{"num_predict":1024}}"#),
        (OLLAMA, r#"{"options":{"num_predict":0}}"#, r#"{"options":{"num_predict":1}}"#),
        (
            OLLAMA,
            r#"{"options":{"num_predict":7},"OPTIONS":null}"#,
            r#"{"options":{"num_predict":7},"OPTIONS":{"num_predict":1024}}"#,
        ),
    ];
    for (path, sent, expected) in rows {
        let message = read(path, sent.as_bytes());
        let before = answers(&message, sent.as_bytes()).expect("it is known what bounds it");
        assert_eq!(before.most, None, "{path} {sent}");
        let written = bounded(&message, sent.as_bytes(), MOST).expect("it can be written");
        assert_eq!(String::from_utf8_lossy(&written), expected, "{path}");
        let after = asked(path, expected).expect("it is known what bounds it");
        assert!(after.most.is_some_and(|most| (1..=MOST).contains(&most)), "{path} {expected}: {after:?}");
    }
}

/// Where, what is sent, the bound on each answer and how many there are.
#[test]
fn what_is_asked_of_the_answers() {
    let invoke = |model: &str| format!("/model/{model}/invoke");
    let rows: &[(&str, Value, Option<u64>, u64)] = &[
        (CHAT, json!({ "max_tokens": 7 }), Some(7), 1),
        (CHAT, json!({ "max_tokens": 7, "max_completion_tokens": 9 }), Some(9), 1),
        (CHAT, json!({ "max_tokens": 7, "max_completion_tokens": null }), Some(7), 1),
        (CHAT, json!({ "max_tokens": 7, "n_predict": 900 }), Some(900), 1),
        (CHAT, json!({ "max_tokens": 7, "MAX_TOKENS": 900 }), Some(900), 1),
        (CHAT, json!({ "n_predict": 7 }), None, 1),
        (CHAT, json!({ "max_tokens": 7, "n": 1000 }), Some(7), 1000),
        (CHAT, json!({ "max_tokens": 7, "n": "8" }), Some(7), 8),
        (CHAT, json!({ "max_tokens": 7, "n": 7.5 }), Some(7), 8),
        (CHAT, json!({ "max_tokens": 7, "n": 1e30 }), Some(7), u64::MAX),
        (CHAT, json!({ "max_tokens": 7, "n": -3 }), Some(7), 1),
        (CHAT, json!({ "max_tokens": 7, "n": null }), Some(7), 1),
        (CHAT, json!({ "max_tokens": 7, "N": 5 }), Some(7), 5),
        (COMPLETIONS, json!({ "prompt": "a", "max_tokens": 7, "n": 2, "best_of": 5 }), Some(7), 5),
        (COMPLETIONS, json!({ "prompt": ["a", "b", "c"], "max_tokens": 7, "n": 2 }), Some(7), 6),
        (COMPLETIONS, json!({ "prompt": [1, 2, 3], "max_tokens": 7 }), Some(7), 1),
        (COMPLETIONS, json!({ "prompt": [12345678, 2, 12345679], "max_tokens": 7 }), Some(7), 1),
        (COMPLETIONS, json!({ "prompt": [[1, 2], [3]], "max_tokens": 7 }), Some(7), 2),
        (GEMINI, json!({ "generationConfig": { "maxOutputTokens": 7, "candidateCount": 4 } }), Some(7), 4),
        (
            GEMINI,
            json!({ "generation_config": { "max_output_tokens": 7, "candidate_count": 4 } }),
            Some(7),
            4,
        ),
        (
            CLAUDE,
            json!({ "max_tokens": 7, "fallbacks": [{ "model": "m", "max_tokens": 900 }] }),
            Some(900),
            1,
        ),
        (
            CLAUDE,
            json!({ "max_tokens": 7, "fallbacks": [{ "model": "m" }, { "max_tokens": 5 }] }),
            Some(7),
            1,
        ),
        (CLAUDE, json!({ "max_tokens": 7, "fallbacks": [{ "max_tokens": "x" }] }), None, 1),
        (CLAUDE, json!({ "max_tokens": 7, "fallbacks": { "max_tokens": 900 } }), Some(7), 1),
        (CLAUDE, json!({ "fallbacks": [{ "max_tokens": 9 }] }), None, 1),
        (CHAT, json!({ "max_tokens": 7, "fallbacks": ["m", { "max_tokens": 900 }] }), Some(900), 1),
        (OLLAMA, json!({ "options": { "num_predict": 7 }, "Options": { "num_predict": 9 } }), Some(9), 1),
        ("/v1/embeddings", json!({ "input": "a" }), Some(0), 1),
        ("/api/embed", json!({ "input": "a", "options": { "num_predict": -1 } }), Some(0), 1),
        (GEMINI, json!({ "generationConfig": [7] }), None, 1),
    ];
    for (path, body, most, count) in rows {
        let asked = asked(path, &body.to_string()).expect("it is known what bounds it");
        assert_eq!((asked.most, asked.count), (*most, *count), "{path} {body}");
    }
    let of_titan = asked(&invoke("amazon.titan-embed-text-v2:0"), r#"{"inputText":"a"}"#).expect("no answer");
    assert_eq!(of_titan.most, Some(0));
    for path in [invoke("somebody.elses-model"), "/v1/images/generations".to_owned(), "/x".to_owned()] {
        assert_eq!(
            asked(&path, r#"{"model":"m","max_tokens":1}"#),
            None,
            "{path}: nobody knows what it reads"
        );
    }
    // What comes as a batch has to have its bounds.
    let batch = |bound: Value| json!({ "requests": [{ "params": { "messages": [], "max_tokens": bound } }] });
    let path = "/v1/messages/batches";
    assert_eq!(asked(path, &batch(7.into()).to_string()).and_then(|asked| asked.total()), Some(7));
    let body = batch(Value::Null).to_string();
    assert_eq!((asked(path, &body), bounded(&read(path, body.as_bytes()), body.as_bytes(), 9)), (None, None));
}

/// No more of a body is scanned again than was read of it.
#[test]
fn what_is_too_large_to_be_read_is_not_scanned() {
    let message = read(CHAT, br#"{"model":"m","messages":[]}"#);
    for (lists, known) in [(100, true), (Limits::default().max_nodes, false)] {
        let body = format!(r#"{{"max_tokens":9,"stop":[{}[]]}}"#, "[],".repeat(lists));
        assert_eq!(answers(&message, body.as_bytes()).is_some(), known, "{lists}");
        assert_eq!(bounded(&message, body.as_bytes(), MOST).is_some(), known, "{lists}");
        assert!(reads_elsewhere(&message, body.as_bytes()) != known, "{lists}");
    }
}

#[test]
fn what_stands_elsewhere_is_seen() {
    let own = json!([{ "type": "function", "function": { "name": "f", "parameters": { "properties": { "file_id": {} } } } }]);
    let image = json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "https://x.example/a.png" } }] }]);
    let added = |definition: Value| {
        let tool = json!({ "type": "tool_definition", "definition": definition });
        json!({ "messages": [{ "role": "system", "content": [{ "type": "tool_addition", "tool": tool }] }] })
    };
    let said = |content: Value| json!({ "input": [{ "role": "user", "content": [content] }] });
    let rows = [
        (
            CHAT,
            json!({ "messages": [{ "role": "user", "content": "the file_id is 7" }], "tools": own }),
            false,
        ),
        (CHAT, json!({ "messages": image }), true),
        (CHAT, json!({ "messages": [], "web_search_options": {} }), true),
        (CHAT, json!({ "messages": [], "web_search_options": null }), false),
        (RESPONSES, json!({ "input": "a", "previous_response_id": null, "conversation": null }), false),
        (RESPONSES, json!({ "input": "a", "previous_response_id": "resp_1" }), true),
        (RESPONSES, json!({ "input": "a", "conversation": { "id": "c" } }), true),
        (RESPONSES, json!({ "prompt": { "id": "p" } }), true),
        (RESPONSES, json!({ "input": "a", "tools": [{ "type": "web_search" }] }), true),
        (
            RESPONSES,
            json!({ "input": "a", "tools": [{ "type": "function", "name": "f", "parameters": {} }] }),
            false,
        ),
        (RESPONSES, json!({ "input": [{ "type": "item_reference", "id": "msg_1" }] }), true),
        (RESPONSES, said(json!({ "type": "input_file", "file_id": "f" })), true),
        (RESPONSES, said(json!({ "type": "input_text", "text": "a" })), false),
        (
            CLAUDE,
            json!({ "messages": [{ "role": "user", "content": [{ "type": "document", "source": { "type": "url", "url": "https://x.example" } }] }] }),
            true,
        ),
        (
            CLAUDE,
            json!({ "messages": [{ "role": "assistant", "content": [{ "type": "tool_use", "id": "t", "name": "f", "input": { "file_id": "x" } }] }] }),
            false,
        ),
        (
            CLAUDE,
            json!({ "messages": [], "tools": [{ "name": "f", "input_schema": {} }, { "type": "bash_20250124", "name": "bash" }] }),
            false,
        ),
        (CLAUDE, json!({ "messages": [], "tools": [{ "type": "web_search_20250305", "name": "w" }] }), true),
        (
            CLAUDE,
            json!({ "messages": [], "mcp_servers": [{ "type": "url", "url": "https://x.example" }] }),
            true,
        ),
        (
            GEMINI,
            json!({ "contents": [{ "parts": [{ "fileData": { "fileUri": "https://x.example/v" } }] }] }),
            true,
        ),
        (
            GEMINI,
            json!({ "contents": [{ "parts": [{ "file_data": { "file_uri": "https://x.example/v" } }] }] }),
            true,
        ),
        (
            CLAUDE,
            json!({ "messages": [], "thread": { "type": "continue", "previous_message_id": "m" } }),
            true,
        ),
        (CLAUDE, json!({ "messages": [], "thread": { "type": "create" } }), false),
        (CLAUDE, added(json!({ "type": "web_search_20250305", "name": "web_search" })), true),
        (CLAUDE, added(json!({ "type": "custom", "name": "f", "input_schema": {} })), false),
        (
            RESPONSES,
            json!({ "input": [{ "type": "additional_tools", "tools": [{ "type": "web_search" }] }] }),
            true,
        ),
        (
            RESPONSES,
            json!({ "input": [{ "type": "additional_tools", "tools": [{ "type": "function", "name": "f" }] }] }),
            false,
        ),
        (COMPLETIONS, json!({ "prompt_embeds": ["AAAA"] }), true),
        (GEMINI, json!({ "contents": [], "cachedContent": "c" }), true),
        (GEMINI, json!({ "contents": [], "tools": [{ "functionDeclarations": [] }] }), false),
        (GEMINI, json!({ "contents": [], "tools": [{ "google_search": {} }] }), true),
        (
            CONVERSE,
            json!({ "messages": [{ "role": "user", "content": [{ "document": { "source": { "s3Location": { "uri": "s3://b/k" } } } }] }] }),
            true,
        ),
        (CONVERSE, json!({ "messages": [], "promptVariables": { "a": { "text": "b" } } }), true),
        (OLLAMA, json!({ "messages": [{ "role": "user", "content": "a" }] }), false),
    ];
    for (path, body, expected) in rows {
        let text = body.to_string();
        assert_eq!(reads_elsewhere(&read(path, text.as_bytes()), text.as_bytes()), expected, "{path} {body}");
    }
}

/// Values that somebody may write for a number.
fn value() -> impl Strategy<Value = String> + Clone {
    const ODD: &[&str] = &["null", "true", "\"9\"", "\"\"", "[1]", "{}", "-1", "0", "1e3", "7.0"];
    prop_oneof![
        proptest::sample::select(ODD).prop_map(str::to_owned),
        (1_u64..5000).prop_map(|n| n.to_string())
    ]
}

fn name() -> impl Strategy<Value = &'static str> + Clone {
    proptest::sample::select(
        &[
            "max_tokens",
            "MAX_TOKENS",
            "maxTokens",
            "max_completion_tokens",
            "max_output_tokens",
            "n",
            "n_predict",
            "maxOutputTokens",
            "max_gen_len",
            "num_predict",
            "Num_Predict",
            "model",
            "x",
        ][..],
    )
}

fn object(members: Vec<(&str, String)>) -> String {
    let mut seen = std::collections::BTreeSet::new();
    let once = members.into_iter().filter(|(name, _)| seen.insert(*name));
    let members: Vec<String> = once.map(|(name, value)| format!("\"{name}\" : {value}")).collect();
    format!("{{ {} }}", members.join(", "))
}

fn body() -> impl Strategy<Value = String> {
    let flat = proptest::collection::vec((name(), value()), 0..5);
    const OUTER: &[&str] = &[
        "options",
        "OPTIONS",
        "generationConfig",
        "generation_config",
        "inferenceConfig",
        "additionalModelRequestFields",
    ];
    let inner = prop_oneof![flat.clone().prop_map(object), value()];
    let nested = proptest::collection::vec((proptest::sample::select(OUTER), inner), 0..3);
    (flat, nested).prop_map(|(mut flat, nested)| {
        flat.extend(nested);
        object(flat)
    })
}

proptest! {
    /// Whatever stands there: a bound that is written is read as one, by every reading, and is not written twice.
    #[test]
    fn what_is_written_bounds(body in body(), path in proptest::sample::select(
        &[CHAT, AZURE, COMPLETIONS, RESPONSES, CLAUDE, GEMINI, CONVERSE, LLAMA, NOVA, BEDROCK_CLAUDE, OLLAMA][..],
    )) {
        let message = read(path, body.as_bytes());
        let before = answers(&message, body.as_bytes()).expect("it is known what bounds it");
        if before.most.is_some() {
            return Ok(());
        }
        let written = bounded(&message, body.as_bytes(), MOST).expect("it can be written");
        let again = read(path, &written);
        let after = answers(&again, &written).expect("it is known what bounds it");
        prop_assert!(after.most.is_some_and(|most| (1..=MOST).contains(&most)), "{body} {}", String::from_utf8_lossy(&written));
        prop_assert_eq!(after.count, before.count);
        serde_json::from_slice::<Value>(&written).expect("it is JSON");
    }
}
