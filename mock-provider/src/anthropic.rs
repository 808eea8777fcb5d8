//! Anthropic `POST /v1/messages` (whole and as events) and `POST /v1/messages/count_tokens`.
//! <https://docs.anthropic.com/en/api/messages-streaming>

use serde_json::{Value, json};

use crate::{
    assistant::{Tool, Turn, content_text, fragments, tokens, turn, words},
    call::Call,
    chat::answer_tokens,
    error::Flavour,
    models,
    reply::{Reply, event},
};

/// Answers a messages request.
pub(crate) fn messages(call: &Call) -> Result<Reply, Reply> {
    let body = call.json(Flavour::Anthropic)?;
    let model = models::known(&body, Flavour::Anthropic)?;
    let conversation = conversation(&body)?;
    if !body["max_tokens"].is_u64() {
        return Err(Flavour::Anthropic.invalid("max_tokens: Field required"));
    }
    let tools: Vec<_> = body["tools"].as_array().into_iter().flatten().filter_map(tool).collect();
    let (text, from_tool) = last_text(conversation);
    let answer = turn(&text, from_tool, &tools, &call.knobs);
    let input = count(&body, conversation);
    let (block, stop_reason) = match &answer {
        Turn::Say(text) => (json!({ "type": "text", "text": text }), "end_turn"),
        Turn::Call { name, arguments } => {
            (json!({ "type": "tool_use", "id": "toolu_mock", "name": name, "input": arguments }), "tool_use")
        }
    };
    let message = |content: Value, stop_reason: Value, output: usize| {
        json!({
            "id": "msg_mock", "type": "message", "role": "assistant", "model": model, "content": content,
            "stop_reason": stop_reason, "stop_sequence": null,
            "usage": { "input_tokens": input, "output_tokens": output, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0, "service_tier": "standard" },
        })
    };
    let output = answer_tokens(&answer);
    if body["stream"] != true {
        return Ok(Reply::json(200, &message(json!([block]), json!(stop_reason), output)));
    }
    let mut events = vec![
        named("message_start", json!({ "message": message(json!([]), Value::Null, 1) })),
        named("content_block_start", json!({ "index": 0, "content_block": opening(&block) })),
        named("ping", json!({})),
    ];
    let delta = |delta: Value| named("content_block_delta", json!({ "index": 0, "delta": delta }));
    match &answer {
        Turn::Say(text) => {
            events.extend(words(text).into_iter().map(|w| delta(json!({ "type": "text_delta", "text": w }))));
        }
        Turn::Call { arguments, .. } => {
            // A real stream starts a tool call with an empty piece.
            let pieces = std::iter::once(String::new()).chain(fragments(&arguments.to_string()));
            events.extend(pieces.map(|p| delta(json!({ "type": "input_json_delta", "partial_json": p }))));
        }
    }
    events.push(named("content_block_stop", json!({ "index": 0 })));
    let end = json!({ "delta": { "stop_reason": stop_reason, "stop_sequence": null },
        "usage": { "output_tokens": output } });
    events.push(named("message_delta", end));
    events.push(named("message_stop", json!({})));
    Ok(Reply::sse(events))
}

/// Answers a token count.
pub(crate) fn count_tokens(call: &Call) -> Result<Reply, Reply> {
    let body = call.json(Flavour::Anthropic)?;
    models::known(&body, Flavour::Anthropic)?;
    let conversation = conversation(&body)?;
    Ok(Reply::json(200, &json!({ "input_tokens": count(&body, conversation) })))
}

fn named(name: &str, mut data: Value) -> String {
    data["type"] = name.into();
    event(name, &data)
}

/// The block as it is announced: without what the deltas bring.
fn opening(block: &Value) -> Value {
    let mut block = block.clone();
    match block["type"].as_str() {
        Some("text") => block["text"] = "".into(),
        _ => block["input"] = json!({}),
    }
    block
}

fn conversation(body: &Value) -> Result<&[Value], Reply> {
    let messages = body["messages"].as_array().filter(|m| !m.is_empty());
    Ok(messages.ok_or_else(|| Flavour::Anthropic.invalid("messages: at least one message is required"))?)
}

fn count(body: &Value, conversation: &[Value]) -> usize {
    tokens(&content_text(&body["system"]))
        + conversation.iter().map(|m| tokens(&content_text(&m["content"]))).sum::<usize>()
}

/// The last user message; a tool's result when it has one.
fn last_text(conversation: &[Value]) -> (String, bool) {
    let Some(message) = conversation.iter().rev().find(|m| m["role"] == "user") else {
        return Default::default();
    };
    let content = &message["content"];
    let results: Vec<_> =
        content.as_array().into_iter().flatten().filter(|block| block["type"] == "tool_result").collect();
    match results.last() {
        Some(result) => (content_text(&result["content"]), true),
        None => (content_text(content), false),
    }
}

fn tool(tool: &Value) -> Option<Tool<'_>> {
    Some(Tool { name: tool.get("name")?.as_str()?, schema: &tool["input_schema"] })
}

/// Answers `POST /v1/messages/batches`: the messages come later.
pub(crate) fn batch() -> Reply {
    Reply::json(
        200,
        &json!({ "id": "msgbatch_mock", "type": "message_batch", "processing_status": "in_progress" }),
    )
}
