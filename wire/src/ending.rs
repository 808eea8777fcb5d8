//! Ends a stream early in the provider's own way: as if the model had reached its token limit.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::framing::Event;

/// What must be known about a stream to end it; collected while its events pass.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    shape: Shape,
    /// Choices that have been seen, or content blocks that are open.
    open: BTreeSet<u64>,
    last_sequence: u64,
}

#[derive(Debug, Clone, Default)]
enum Shape {
    #[default]
    Unknown,
    /// A chunk of chat completions, without its choices; whether it is one of the older completions.
    Chat(Value, bool),
    Anthropic,
    /// The response, as in the last event that contained it.
    Responses(Value),
}

/// More choices or blocks than any provider sends: keeps the memory small.
const MAX_OPEN: usize = 256;

impl Ending {
    /// Notes an event that passes.
    pub fn see(&mut self, event: &Event) {
        let Event::Sse(event) = event else { return };
        let data = event.data.as_deref().and_then(|data| serde_json::from_str::<Value>(data).ok());
        let Some(data) = data else { return };
        let index = data.get("index").and_then(Value::as_u64);
        match data.get("type").and_then(Value::as_str) {
            Some("content_block_start") => {
                self.shape = Shape::Anthropic;
                self.open.extend(index.filter(|_| self.open.len() < MAX_OPEN));
            }
            Some("content_block_stop") => {
                self.open.retain(|open| Some(*open) != index);
            }
            Some("message_start") => self.shape = Shape::Anthropic,
            Some(kind) if kind.starts_with("response.") => {
                let sequence = data.get("sequence_number").and_then(Value::as_u64);
                self.last_sequence = sequence.unwrap_or(self.last_sequence);
                if let Some(response) = data.get("response").filter(|response| response.is_object()) {
                    self.shape = Shape::Responses(response.clone());
                }
            }
            _ => self.chunk(data),
        }
    }

    fn chunk(&mut self, mut data: Value) {
        let choices = data.as_object_mut().and_then(|chunk| chunk.remove("choices"));
        let Some(Value::Array(choices)) = choices else { return };
        let text = choices.first().is_some_and(|choice| choice["text"].is_string());
        for choice in choices.iter().take(MAX_OPEN) {
            if let Some(index) = choice["index"].as_u64() {
                if choice["finish_reason"].is_string() {
                    self.open.remove(&index);
                } else if self.open.len() < MAX_OPEN {
                    self.open.insert(index);
                }
            }
        }
        if let Some(chunk) = data.as_object_mut() {
            chunk.remove("usage");
        }
        self.shape = Shape::Chat(data, text);
    }

    /// The events that end the stream here, as if the response had reached its token limit; `None` for a protocol
    /// that has no way to do so. `output_tokens` is the number of output tokens so far.
    pub fn at_bound(&self, output_tokens: u64) -> Option<Vec<u8>> {
        let mut out = String::new();
        let mut event = |name: &str, data: &Value| {
            if !name.is_empty() {
                out.push_str("event: ");
                out.push_str(name);
                out.push('\n');
            }
            out.push_str(&format!("data: {data}\n\n"));
        };
        match &self.shape {
            Shape::Unknown => return None,
            Shape::Chat(head, text) => {
                let choice = |index: &u64| match text {
                    true => {
                        json!({ "index": index, "text": "", "logprobs": null, "finish_reason": "length" })
                    }
                    false => {
                        json!({ "index": index, "delta": {}, "logprobs": null, "finish_reason": "length" })
                    }
                };
                let mut chunk = head.clone();
                if let Some(chunk) = chunk.as_object_mut() {
                    chunk.insert("choices".to_owned(), self.open.iter().map(choice).collect());
                }
                event("", &chunk);
                out.push_str("data: [DONE]\n\n");
            }
            Shape::Anthropic => {
                for index in &self.open {
                    event("content_block_stop", &json!({ "type": "content_block_stop", "index": index }));
                }
                let delta = json!({ "stop_reason": "max_tokens", "stop_sequence": null });
                let usage = json!({ "output_tokens": output_tokens });
                event("message_delta", &json!({ "type": "message_delta", "delta": delta, "usage": usage }));
                event("message_stop", &json!({ "type": "message_stop" }));
            }
            Shape::Responses(response) => {
                let mut response = response.clone();
                if let Some(response) = response.as_object_mut() {
                    response.insert("status".to_owned(), "incomplete".into());
                    response
                        .insert("incomplete_details".to_owned(), json!({ "reason": "max_output_tokens" }));
                }
                let kind = "response.incomplete";
                let number = self.last_sequence.saturating_add(1);
                event(kind, &json!({ "type": kind, "sequence_number": number, "response": response }));
            }
        }
        Some(out.into_bytes())
    }
}
