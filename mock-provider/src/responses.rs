//! OpenAI `POST /v1/responses`, whole and as the full sequence of events.
//! <https://platform.openai.com/docs/api-reference/responses-streaming>

use serde_json::{Value, json};

use crate::{
    assistant::{Tool, Turn, content_text, fragments, tokens, turn, words},
    call::Call,
    chat::{CREATED, answer_tokens},
    error::Flavour,
    models,
    reply::{Reply, event},
};

/// Answers a response request.
pub(crate) fn create(call: &Call) -> Result<Reply, Reply> {
    let body = call.json(Flavour::OpenAi)?;
    let model = models::known(&body, Flavour::OpenAi)?;
    let (text, from_tool) = match &body["input"] {
        Value::String(text) => (text.clone(), false),
        Value::Array(items) => last_text(items),
        _ => return Err(Flavour::OpenAi.invalid("`input` must be a string or an array")),
    };
    let tools: Vec<_> = body["tools"].as_array().into_iter().flatten().filter_map(function).collect();
    let answer = turn(&text, from_tool, &tools, &call.knobs);
    let input = tokens(&text);
    let output = answer_tokens(&answer);
    let usage = json!({
        "input_tokens": input, "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": output, "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": input + output,
    });
    let response = |status: &str, items: Value, usage: Value| {
        json!({
            "id": "resp_mock", "object": "response", "created_at": CREATED, "status": status, "error": null,
            "incomplete_details": null, "instructions": body["instructions"], "metadata": {}, "model": model,
            "output": items, "parallel_tool_calls": true, "previous_response_id": null, "store": false,
            "temperature": 1.0, "top_p": 1.0, "text": { "format": { "type": "text" } }, "tool_choice": "auto",
            "tools": body["tools"].as_array().cloned().unwrap_or_default(), "truncation": "disabled", "usage": usage,
        })
    };
    let finished = response("completed", json!([item(&answer, "completed")]), usage);
    if body["stream"] != true {
        return Ok(Reply::json(200, &finished));
    }
    let started = response("in_progress", json!([]), Value::Null);
    let mut stream = Events::default();
    stream.push("response.created", json!({ "response": started }));
    stream.push("response.in_progress", json!({ "response": started }));
    stream.item(&answer);
    stream.push("response.completed", json!({ "response": finished }));
    Ok(Reply::sse(stream.0))
}

/// Events numbered in order; each carries its own name as `type`.
#[derive(Default)]
struct Events(Vec<String>);

impl Events {
    fn push(&mut self, name: &str, mut data: Value) {
        data["type"] = name.into();
        data["sequence_number"] = self.0.len().into();
        self.0.push(event(name, &data));
    }

    /// The one output item: opened, filled piece by piece, closed.
    fn item(&mut self, answer: &Turn) {
        let opened = match answer {
            Turn::Say(_) => {
                json!({ "id": "msg_mock", "type": "message", "status": "in_progress", "role": "assistant", "content": [] })
            }
            Turn::Call { name, .. } => {
                json!({ "id": "fc_mock", "type": "function_call", "status": "in_progress", "call_id": "call_mock",
                    "name": name, "arguments": "" })
            }
        };
        self.push("response.output_item.added", json!({ "output_index": 0, "item": opened }));
        match answer {
            Turn::Say(text) => self.text(text),
            Turn::Call { arguments, name } => self.arguments(name, &arguments.to_string()),
        }
        self.push(
            "response.output_item.done",
            json!({ "output_index": 0, "item": item(answer, "completed") }),
        );
    }

    fn text(&mut self, text: &str) {
        let at = |mut value: Value| {
            value["item_id"] = "msg_mock".into();
            value["output_index"] = 0.into();
            value["content_index"] = 0.into();
            value
        };
        let part =
            |text: &str| json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] });
        self.push("response.content_part.added", at(json!({ "part": part("") })));
        for word in words(text) {
            self.push("response.output_text.delta", at(json!({ "delta": word, "logprobs": [] })));
        }
        self.push("response.output_text.done", at(json!({ "text": text, "logprobs": [] })));
        self.push("response.content_part.done", at(json!({ "part": part(text) })));
    }

    fn arguments(&mut self, name: &str, arguments: &str) {
        for delta in fragments(arguments) {
            let data = json!({ "item_id": "fc_mock", "output_index": 0, "delta": delta });
            self.push("response.function_call_arguments.delta", data);
        }
        let data = json!({ "item_id": "fc_mock", "output_index": 0, "name": name, "arguments": arguments });
        self.push("response.function_call_arguments.done", data);
    }
}

fn item(answer: &Turn, status: &str) -> Value {
    match answer {
        Turn::Say(text) => json!({
            "id": "msg_mock", "type": "message", "status": status, "role": "assistant",
            "content": [{ "type": "output_text", "text": text, "annotations": [], "logprobs": [] }],
        }),
        Turn::Call { name, arguments } => json!({
            "id": "fc_mock", "type": "function_call", "status": status, "call_id": "call_mock", "name": name,
            "arguments": arguments.to_string(),
        }),
    }
}

/// The last user message, or the last tool's output when that came later.
fn last_text(items: &[Value]) -> (String, bool) {
    for item in items.iter().rev() {
        if item["type"] == "function_call_output" {
            return (content_text(&item["output"]), true);
        }
        if item["role"] == "user" {
            return (content_text(&item["content"]), false);
        }
    }
    Default::default()
}

fn function(tool: &Value) -> Option<Tool<'_>> {
    Some(Tool { name: tool.get("name")?.as_str()?, schema: &tool["parameters"] })
}
