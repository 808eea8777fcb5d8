//! Tokens: the counts that a provider reports, and requesting them in a stream.
//!
//! The counts are recognised by their names alone, whatever the protocol: gateways may answer in a different protocol
//! than the request's. They are found in:
//!
//! | API | member |
//! |---|---|
//! | OpenAI chat, completions, embeddings; their streams' last chunk | `usage`: `prompt_tokens`, `completion_tokens` |
//! | … of Groq; of Moonshot | `x_groq.usage`; `choices[].usage` |
//! | OpenAI Responses, `response.completed` | `usage`: `input_tokens`, `output_tokens`; `response.usage` |
//! | Anthropic Messages, `message_start`, `message_delta` | `usage`; `message.usage` |
//! | Gemini `generateContent` | `usageMetadata`: `promptTokenCount`, `candidatesTokenCount`, `thoughtsTokenCount` |
//! | Bedrock Converse, its stream's `metadata` | `usage`; `metadata.usage`: `inputTokens`, `outputTokens` |
//! | Bedrock InvokeModel: the model's own; its stream's last event | `amazon-bedrock-invocationMetrics`: `inputTokenCount`, `outputTokenCount` |
//! | … Llama, Titan | `prompt_token_count`, `generation_token_count`; `inputTextTokenCount`, `results[].tokenCount` |
//! | … any, in headers ([`Usage::of_header`]) | `x-amzn-bedrock-input-token-count`, `-output-token-count` |
//! | Ollama, with embeddings | `prompt_eval_count`, `eval_count` |

use crate::coding::{Patch, patched};
use crate::error::Limits;
use crate::framing::Event;
use crate::json::{Doc, Kind, NO_LAYER, Val, scan, scan_bytes};
use crate::protocol::Protocol;

/// Token counts reported by the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Input tokens, including those read from and written to a cache.
    pub input_tokens: u64,
    /// Of the input: read from a cache.
    pub cached_tokens: u64,
    /// Of the input: written to a cache.
    pub cache_write_tokens: u64,
    /// Output tokens, including those for reasoning.
    pub output_tokens: u64,
    /// Of the output: reasoning.
    pub reasoning_tokens: u64,
}

impl Usage {
    /// Input and output.
    pub fn total(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// The count in one of Bedrock's headers, whatever model was invoked.
    pub fn of_header(name: &str, value: &str) -> Option<Usage> {
        let count = || value.parse().ok();
        match name {
            "x-amzn-bedrock-input-token-count" => Some(Usage { input_tokens: count()?, ..Usage::default() }),
            "x-amzn-bedrock-output-token-count" => {
                Some(Usage { output_tokens: count()?, ..Usage::default() })
            }
            _ => None,
        }
    }

    /// The combined counts of several events of one stream. Counts only grow within a response: the largest of each
    /// is the last.
    #[must_use]
    pub fn merged(self, later: Usage) -> Usage {
        Usage {
            input_tokens: self.input_tokens.max(later.input_tokens),
            cached_tokens: self.cached_tokens.max(later.cached_tokens),
            cache_write_tokens: self.cache_write_tokens.max(later.cache_write_tokens),
            output_tokens: self.output_tokens.max(later.output_tokens),
            reasoning_tokens: self.reasoning_tokens.max(later.reasoning_tokens),
        }
    }
}

/// The counts reported by a response, or by an event of one.
pub(crate) fn reported(protocol: Protocol, root: Val<'_>) -> Option<Usage> {
    if protocol == Protocol::Mcp {
        return None;
    }
    let inside = |outer: &str, inner: &str| root.get(outer).and_then(|outer| outer.get(inner));
    let places = [
        root.get("usage"),
        inside("message", "usage"),
        inside("response", "usage"),
        inside("metadata", "usage"),
        inside("x_groq", "usage"),
        root.get("usageMetadata"),
        root.get("amazon-bedrock-invocationMetrics"),
        Some(root),
    ];
    let choices = root.get("choices").into_iter().flat_map(Val::items);
    let of_choices = choices.filter_map(|(_, choice)| choice.get("usage"));
    let told = places.into_iter().flatten().chain(of_choices).filter_map(counts);
    told.chain(titan(root)).reduce(Usage::merged)
}

/// Whether an event of a chat completion stream only reports usage: it has no choices, lists nothing that the answer
/// refers to (xAI's `citations`), and is not an error.
pub fn only_tells_usage(event: &Event) -> bool {
    let Event::Sse(event) = event else { return false };
    let data = event.data.as_deref().unwrap_or_default();
    let Ok(nodes) = scan(data, &Limits::default()) else { return false };
    let root = Doc { text: data, nodes: &nodes, layer: NO_LAYER, level: 0 }.root();
    let none = |choices: Val<'_>| choices.kind() == Kind::Array && choices.items().next().is_none();
    let lists = |(_, member): (Val<'_>, Val<'_>)| {
        member.items().next().is_some_and(|(_, item)| item.is_string() || item.is_object())
    };
    root.get("choices").is_some_and(none)
        && root.get("error").is_none_or(|error| error.kind() == Kind::Null)
        && !root.members().any(lists)
}

/// A count: some gateways write a zero fraction (`500.0`).
fn count_of(value: Val<'_>) -> Option<u64> {
    let whole =
        value.raw().split_once('.').filter(|(_, fraction)| fraction.bytes().all(|digit| digit == b'0'));
    match whole {
        Some((whole, _)) if value.kind() == Kind::Num => whole.parse().ok(),
        _ => value.unsigned(),
    }
}

/// Amazon Titan reports one input count for all results, and an output count for each.
fn titan(root: Val<'_>) -> Option<Usage> {
    let results = root.get("results")?;
    let counts = results.items().filter_map(|(_, result)| result.get("tokenCount").and_then(count_of));
    let output_tokens = counts.fold(0, u64::saturating_add);
    (output_tokens > 0).then(|| Usage { output_tokens, ..Usage::default() })
}

fn counts(value: Val<'_>) -> Option<Usage> {
    // Most objects contain no counts, and no name of a count is shorter than this one.
    let may_count = |(key, member): (Val<'_>, Val<'_>)| {
        member.kind() == Kind::Num && key.raw().len() >= "eval_count".len()
    };
    if !value.members().any(may_count) {
        return None;
    }
    let count = |names: &[&str]| names.iter().find_map(|name| value.get(name).and_then(count_of));
    let part = |outer: &[&str], inner: &str| {
        outer.iter().find_map(|name| value.get(name)?.get(inner).and_then(count_of)).unwrap_or(0)
    };
    // The counts with these names include cached tokens; Anthropic's and Bedrock's do not.
    let whole = count(&[
        "prompt_tokens",
        "promptTokenCount",
        "prompt_eval_count",
        "prompt_token_count",
        "inputTextTokenCount",
    ]);
    let input = whole.or_else(|| count(&["input_tokens", "inputTokens", "inputTokenCount"]));
    let output = count(&[
        "completion_tokens",
        "output_tokens",
        "candidatesTokenCount",
        "outputTokens",
        "outputTokenCount",
        "eval_count",
        "generation_token_count",
        "totalOutputTextTokenCount",
    ]);
    if input.is_none() && output.is_none() {
        return None;
    }
    let read = count(&["cache_read_input_tokens", "cacheReadInputTokens"]).unwrap_or(0);
    let written = count(&["cache_creation_input_tokens", "cacheWriteInputTokens"]).unwrap_or(0);
    let within = part(&["prompt_tokens_details", "input_tokens_details"], "cached_tokens")
        .max(count(&["cachedContentTokenCount"]).unwrap_or(0));
    let beside = if whole.is_none() { read.saturating_add(written) } else { 0 };
    let tools = count(&["toolUsePromptTokenCount"]).unwrap_or(0);
    let thoughts = count(&["thoughtsTokenCount"]).unwrap_or(0);
    let reasoning = part(&["completion_tokens_details", "output_tokens_details"], "reasoning_tokens");
    Some(Usage {
        input_tokens: input.unwrap_or(0).saturating_add(beside).saturating_add(tools),
        cached_tokens: read.max(within),
        cache_write_tokens: written,
        output_tokens: output.unwrap_or(0).saturating_add(thoughts),
        reasoning_tokens: reasoning.max(thoughts),
    })
}

/// The body of a streaming chat completion, with usage requested (`stream_options.include_usage`); `None` if the
/// client already requests it, or the body is not one. All other bytes stay the same.
pub fn asking_for_usage(body: &[u8]) -> Option<Vec<u8>> {
    const ASK: &str = "\"include_usage\":true";
    let (text, nodes) = scan_bytes(body, &Limits { max_body: body.len(), ..Limits::default() }).ok()?;
    let root = Doc { text, nodes: &nodes, layer: NO_LAYER, level: 0 }.root();
    let comma = |object: Val<'_>| if object.members().next().is_some() { "," } else { "" };
    let inside = |object: Val<'_>| object.span().start as usize + 1;
    if !root.is_object() {
        return None;
    }
    let (range, with) = match root.get("stream_options") {
        None => (inside(root)..inside(root), format!("\"stream_options\":{{{ASK}}}{}", comma(root))),
        Some(options) if options.is_object() => match options.get("include_usage") {
            Some(asked) if asked.is_true() => return None,
            Some(asked) => (asked.outer_range(), "true".to_owned()),
            None => (inside(options)..inside(options), format!("{ASK}{}", comma(options))),
        },
        Some(options) => (options.outer_range(), format!("{{{ASK}}}")),
    };
    Some(patched(text, &[Patch { range, with }]).into_bytes())
}
