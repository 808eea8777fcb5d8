//! OpenAI `POST /v1/chat/completions` and `POST /v1/completions`, whole and streaming.
//! <https://platform.openai.com/docs/api-reference/chat>

use serde_json::{Value, json};

use crate::{
    assistant::{Tool, Turn, content_text, fragments, tokens, turn, words},
    call::Call,
    error::Flavour,
    models,
    reply::{Reply, data},
};

/// When everything of the mock was created.
pub(crate) const CREATED: u64 = 1_767_225_600;

/// Answers a chat completion.
pub(crate) fn completion(call: &Call) -> Result<Reply, Reply> {
    let body = call.json(Flavour::OpenAi)?;
    let model = models::known(&body, Flavour::OpenAi)?;
    let messages = body["messages"].as_array().filter(|m| !m.is_empty());
    let messages = messages.ok_or_else(|| Flavour::OpenAi.invalid("`messages` must be a non-empty array"))?;
    let tools: Vec<_> = body["tools"].as_array().into_iter().flatten().filter_map(function).collect();
    let (text, from_tool) = last_text(messages);
    let answer = turn(&text, from_tool, &tools, &call.knobs);

    let prompt: usize = messages.iter().map(|m| tokens(&content_text(&m["content"]))).sum();
    let choices = body["n"].as_u64().unwrap_or(1).clamp(1, 8);
    let usage = usage(prompt, &answer, choices);
    if body["stream"] == true {
        let include_usage = body["stream_options"]["include_usage"] == true;
        return Ok(stream(&model, &answer, choices, include_usage.then_some(usage)));
    }
    let choice = |index: u64| {
        let (message, finish) = match &answer {
            Turn::Say(text) => {
                (json!({ "role": "assistant", "content": text, "refusal": null, "annotations": [] }), "stop")
            }
            Turn::Call { name, arguments } => {
                let call = json!({ "id": format!("call_mock_{index}"), "type": "function",
                    "function": { "name": name, "arguments": arguments.to_string() } });
                (
                    json!({ "role": "assistant", "content": null, "refusal": null, "tool_calls": [call] }),
                    "tool_calls",
                )
            }
        };
        json!({ "index": index, "message": message, "logprobs": null, "finish_reason": finish })
    };
    Ok(Reply::json(
        200,
        &json!({
            "id": "chatcmpl-mock", "object": "chat.completion", "created": CREATED, "model": model,
            "choices": (0..choices).map(choice).collect::<Vec<_>>(), "usage": usage,
            "service_tier": "default", "system_fingerprint": "fp_mock",
        }),
    ))
}

/// Chunks of all choices in turn, as a real stream interleaves them.
fn stream(model: &str, answer: &Turn, choices: u64, usage: Option<Value>) -> Reply {
    let chunk = |choices: Value, usage: Option<&Value>| {
        let mut chunk = json!({ "id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": CREATED,
            "model": model, "system_fingerprint": "fp_mock", "choices": choices });
        if let Some(usage) = usage {
            chunk["usage"] = usage.clone();
        }
        data(&chunk)
    };
    let null = usage.as_ref().map(|_| Value::Null);
    let delta = |index: u64, delta: Value, finish: Value| {
        let choice = json!([{ "index": index, "delta": delta, "logprobs": null, "finish_reason": finish }]);
        chunk(choice, null.as_ref())
    };
    let mut events = Vec::new();
    let mut all = |make: &dyn Fn(u64) -> Value, finish: Value| {
        events.extend((0..choices).map(|index| delta(index, make(index), finish.clone())));
    };
    match answer {
        Turn::Say(text) => {
            all(&|_| json!({ "role": "assistant", "content": "", "refusal": null }), Value::Null);
            for word in words(text) {
                all(&|_| json!({ "content": word }), Value::Null);
            }
            all(&|_| json!({}), json!("stop"));
        }
        Turn::Call { name, arguments } => {
            let opening = |index: u64| {
                let call = json!([{ "index": 0, "id": format!("call_mock_{index}"), "type": "function",
                    "function": { "name": name, "arguments": "" } }]);
                json!({ "role": "assistant", "content": null, "tool_calls": call })
            };
            all(&opening, Value::Null);
            for part in fragments(&arguments.to_string()) {
                let piece = json!([{ "index": 0, "function": { "arguments": part } }]);
                all(&|_| json!({ "tool_calls": piece }), Value::Null);
            }
            all(&|_| json!({}), json!("tool_calls"));
        }
    }
    if let Some(usage) = &usage {
        events.push(chunk(json!([]), Some(usage)));
    }
    events.push("data: [DONE]\n\n".to_owned());
    Reply::sse(events)
}

/// Answers a legacy text completion.
pub(crate) fn text_completion(call: &Call) -> Result<Reply, Reply> {
    let body = call.json(Flavour::OpenAi)?;
    let model = models::known(&body, Flavour::OpenAi)?;
    if !(body["prompt"].is_string() || body["prompt"].is_array()) {
        return Err(Flavour::OpenAi.invalid("`prompt` must be a string or an array"));
    }
    let prompt = content_text(&body["prompt"]);
    let answer = turn(&prompt, false, &[], &call.knobs);
    let Turn::Say(text) = &answer else { return Err(Flavour::OpenAi.error(500, "no tools were offered")) };
    let completion = |text: &str, finish: Value| {
        json!({ "id": "cmpl-mock", "object": "text_completion", "created": CREATED, "model": model,
            "choices": [{ "index": 0, "text": text, "logprobs": null, "finish_reason": finish }] })
    };
    if body["stream"] == true {
        let mut events: Vec<_> = words(text).into_iter().map(|w| data(&completion(w, Value::Null))).collect();
        events.push(data(&completion("", json!("stop"))));
        if body["stream_options"]["include_usage"] == true {
            let mut last = completion("", Value::Null);
            last["choices"] = json!([]);
            last["usage"] = usage(tokens(&prompt), &answer, 1);
            events.push(data(&last));
        }
        events.push("data: [DONE]\n\n".to_owned());
        return Ok(Reply::sse(events));
    }
    let mut whole = completion(text, json!("stop"));
    whole["usage"] = usage(tokens(&prompt), &answer, 1);
    Ok(Reply::json(200, &whole))
}

/// Text of the last user message, or of a tool's result when that came last.
fn last_text(messages: &[Value]) -> (String, bool) {
    let last =
        messages.iter().rev().find(|m| matches!(m["role"].as_str(), Some("user" | "tool" | "function")));
    last.map_or_else(Default::default, |m| (content_text(&m["content"]), m["role"] != "user"))
}

fn function(tool: &Value) -> Option<Tool<'_>> {
    let function = tool.get("function")?;
    Some(Tool { name: function.get("name")?.as_str()?, schema: &function["parameters"] })
}

fn usage(prompt: usize, answer: &Turn, choices: u64) -> Value {
    let completion = answer_tokens(answer) * choices as usize;
    json!({
        "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0 },
    })
}

/// Tokens of an answer.
pub(crate) fn answer_tokens(answer: &Turn) -> usize {
    match answer {
        Turn::Say(text) => tokens(text),
        Turn::Call { arguments, .. } => tokens(&arguments.to_string()),
    }
}
