//! Bedrock `converse` and `converse-stream`: the latter in Amazon's binary frames.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    amazon::frame,
    assistant::{Tool, Turn, content_text, fragments, tokens, turn, words},
    call::Call,
    error::Flavour,
    models::UNKNOWN,
    reply::Reply,
};

/// Answers `POST /model/{model}/converse` and `/converse-stream`.
pub(crate) fn converse(call: &Call) -> Result<Reply, Reply> {
    if call.path.contains(UNKNOWN) {
        return Err(Flavour::Bedrock.no_such_model(UNKNOWN));
    }
    let body = call.json(Flavour::Bedrock)?;
    let messages = body["messages"].as_array().filter(|m| !m.is_empty());
    let messages = messages.ok_or_else(|| Flavour::Bedrock.invalid("messages must not be empty"))?;
    let last = messages.iter().rev().find(|m| m["role"] == "user").map_or(&Value::Null, |m| &m["content"]);
    let result = last.as_array().into_iter().flatten().find_map(|block| block.get("toolResult"));
    let prompt = content_text(result.map_or(last, |result| &result["content"]));
    let offered = body["toolConfig"]["tools"].as_array().into_iter().flatten();
    let tools: Vec<_> = offered.filter_map(|tool| function(&tool["toolSpec"])).collect();
    let answer = turn(&prompt, result.is_some(), &tools, &call.knobs);
    let (stop, written) = match &answer {
        Turn::Say(text) => ("end_turn", tokens(text)),
        Turn::Call { arguments, .. } => ("tool_use", tokens(&arguments.to_string())),
    };
    let read = tokens(&prompt);
    let usage = json!({ "inputTokens": read, "outputTokens": written, "totalTokens": read + written });
    if call.path.ends_with("/converse-stream") {
        return Ok(Reply::frames(stream(&answer, stop, &usage)));
    }
    let block = match answer {
        Turn::Say(text) => json!({ "text": text }),
        Turn::Call { name, arguments } => {
            json!({ "toolUse": { "toolUseId": "tooluse_mock", "name": name, "input": arguments } })
        }
    };
    Ok(Reply::json(
        200,
        &json!({
            "output": { "message": { "role": "assistant", "content": [block] } },
            "stopReason": stop, "metrics": { "latencyMs": 1 }, "usage": usage,
        }),
    ))
}

/// Answers `POST /model/{model}/invoke` and `/invoke-with-response-stream` as Meta's Llama does there; the stream's last event
/// has Amazon's own counts.
pub(crate) fn invoke(call: &Call) -> Result<Reply, Reply> {
    let body = call.json(Flavour::Bedrock)?;
    let prompt = body["prompt"].as_str().unwrap_or_default();
    let Turn::Say(text) = turn(prompt, false, &[], &call.knobs) else {
        return Err(Flavour::Bedrock.invalid("no tools here"));
    };
    let (read, written) = (tokens(prompt), tokens(&text));
    if call.path.ends_with("/invoke") {
        let answer = json!({ "generation": text, "prompt_token_count": read,
            "generation_token_count": written, "stop_reason": "stop" });
        return Ok(Reply::json(200, &answer));
    }
    let chunk = |value: Value| {
        let bytes = BASE64_STANDARD.encode(value.to_string());
        frame("chunk", &json!({ "bytes": bytes, "p": "abcdefgh" }))
    };
    let mut frames: Vec<_> = words(&text)
        .into_iter()
        .map(|word| chunk(json!({ "generation": word, "stop_reason": null })))
        .collect();
    frames.push(chunk(json!({ "generation": "", "stop_reason": "stop", "amazon-bedrock-invocationMetrics":
        { "inputTokenCount": read, "outputTokenCount": written, "invocationLatency": 5, "firstByteLatency": 1 } })));
    Ok(Reply::frames(frames))
}

fn function(spec: &Value) -> Option<Tool<'_>> {
    Some(Tool { name: spec["name"].as_str()?, schema: &spec["inputSchema"]["json"] })
}

fn stream(answer: &Turn, stop: &str, usage: &Value) -> Vec<Vec<u8>> {
    let delta = |delta: Value| {
        frame("contentBlockDelta", &json!({ "contentBlockIndex": 0, "delta": delta, "p": "abcdefgh" }))
    };
    let mut frames = vec![frame("messageStart", &json!({ "role": "assistant", "p": "abcdefghijklmnop" }))];
    match answer {
        Turn::Say(text) => frames.extend(words(text).into_iter().map(|word| delta(json!({ "text": word })))),
        Turn::Call { name, arguments } => {
            let start = json!({ "toolUse": { "toolUseId": "tooluse_mock", "name": name } });
            frames.push(frame("contentBlockStart", &json!({ "contentBlockIndex": 0, "start": start })));
            let pieces = fragments(&arguments.to_string());
            frames.extend(pieces.iter().map(|piece| delta(json!({ "toolUse": { "input": piece } }))));
        }
    }
    frames.push(frame("contentBlockStop", &json!({ "contentBlockIndex": 0, "p": "abc" })));
    frames.push(frame("messageStop", &json!({ "stopReason": stop, "p": "abcdef" })));
    frames.push(frame("metadata", &json!({ "usage": usage, "metrics": { "latencyMs": 1 }, "p": "ab" })));
    frames
}
