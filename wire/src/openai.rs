//! OpenAI: chat completions, completions, responses and embeddings, requests and responses. One reader for all of
//! their top-level objects: they do not contradict each other, and a response repeats much of its request.

use crate::collect::Collector;
use crate::error::Done;
use crate::items::{contents, item};
use crate::json::{Kind, Val};
use crate::message::Place;
use crate::protocol::Protocol;
use crate::tools;

/// Reads a body of one of OpenAI's protocols.
pub(crate) fn read(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Done {
    if !value.is_object() {
        return c.free(Place::Other, value, path);
    }
    value.members().try_for_each(|(key, member)| self::member(c, path, key, member))
}

/// One member of a top-level object.
pub(crate) fn member(c: &mut Collector<'_>, parent: u32, key: Val<'_>, member: Val<'_>) -> Done {
    let protocol = c.message.protocol;
    let name = key.text();
    let here = c.at_key(parent, &name);
    match &*name {
        "model" => c.model(member, here)?,
        "stream" => {
            c.message.stream = member.is_true();
            c.measures(member, here)?;
        }
        "messages" => contents(c, Place::User, member, here)?,
        "input" if protocol == Protocol::OpenAiEmbeddings => {
            tokens_or_texts(c, Place::Document, member, here)?
        }
        "prompt" if !member.is_object() => tokens_or_texts(c, Place::User, member, here)?,
        "input" | "suffix" | "prompt" => contents(c, Place::User, member, here)?,
        "instructions" => contents(c, Place::System, member, here)?,
        "output" | "output_text" | "prediction" => contents(c, Place::Assistant, member, here)?,
        // vLLM: the prompt, token by token.
        "prompt_logprobs" | "prompt_token_ids" => c.echoes(member, here)?,
        "choices" => choices(c, member, here)?,
        "data" => vectors(c, member, here)?,
        "tools" | "functions" => tools::definitions(c, member, here)?,
        // A complete response of Cohere's, whose requests have OpenAI's format.
        "message" if !c.asks && member.is_object() => item(c, Place::Assistant, member, here)?,
        _ if is_measure(&name) => c.measures(member, here)?,
        _ if is_label(&name) => c.word(member, here)?,
        "user" | "stop" | "metadata" | "response_format" | "text" | "safety_identifier"
        | "prompt_cache_key" | "web_search_options" | "audio" | "conversation" => {
            c.free(Place::Other, member, here)?
        }
        _ => c.unknown(Place::Other, parent, key, member)?,
    }
    Ok(())
}

/// Members that are numbers, or objects of numbers and words.
fn is_measure(name: &str) -> bool {
    matches!(
        name,
        "temperature"
            | "top_p"
            | "n"
            | "best_of"
            | "max_tokens"
            | "max_completion_tokens"
            | "max_output_tokens"
            | "max_tool_calls"
            | "presence_penalty"
            | "frequency_penalty"
            | "seed"
            | "logit_bias"
            | "logprobs"
            | "top_logprobs"
            | "dimensions"
            | "parallel_tool_calls"
            | "store"
            | "background"
            | "echo"
            | "stream_options"
            | "created"
            | "created_at"
            | "completed_at"
            | "expires_at"
            | "reasoning"
            | "usage"
    )
}

/// Members that are a word or an id.
fn is_label(name: &str) -> bool {
    matches!(
        name,
        "id" | "object"
            | "status"
            | "service_tier"
            | "system_fingerprint"
            | "encoding_format"
            | "reasoning_effort"
            | "verbosity"
            | "truncation"
            | "tool_choice"
            | "function_call"
            | "modalities"
            | "include"
            | "previous_response_id"
            | "error"
            | "incomplete_details"
    )
}

/// A text, several texts, a list of token ids, or lists of them. Tokens cannot be read: they are counted.
fn tokens_or_texts(c: &mut Collector<'_>, place: Place, value: Val<'_>, path: u32) -> Done {
    if value.kind() != Kind::Array {
        return contents(c, place, value, path);
    }
    let small = value.small_items();
    if small > 0 {
        c.message.tokens = c.message.tokens.saturating_add(small);
    }
    value.items().try_for_each(|(index, entry)| {
        let path = c.at_index(path, index);
        tokens_or_texts(c, place, entry, path)
    })
}

fn choices(c: &mut Collector<'_>, list: Val<'_>, path: u32) -> Done {
    if list.kind() != Kind::Array {
        return c.free(Place::Assistant, list, path);
    }
    for (index, choice) in list.items() {
        let path = c.at_index(path, index);
        if !choice.is_object() {
            c.free(Place::Assistant, choice, path)?;
        }
        for (key, member) in choice.members() {
            let name = key.text();
            let here = c.at_key(path, &name);
            match &*name {
                "message" | "delta" if member.is_object() => item(c, Place::Assistant, member, here)?,
                "finish_reason" | "index" => c.word(member, here)?,
                "text" => c.text(Place::Assistant, member, here)?,
                // vLLM: the text's token ids.
                "logprobs" | "token_ids" => c.echoes(member, here)?,
                _ => c.unknown(Place::Assistant, path, key, member)?,
            }
        }
    }
    Ok(())
}

/// Embeddings: vectors contain no text, whether as numbers or as Base64.
fn vectors(c: &mut Collector<'_>, list: Val<'_>, path: u32) -> Done {
    if list.kind() != Kind::Array {
        return c.free(Place::Other, list, path);
    }
    for (index, entry) in list.items() {
        let path = c.at_index(path, index);
        if !entry.is_object() {
            c.free(Place::Other, entry, path)?;
        }
        for (key, member) in entry.members() {
            let name = key.text();
            let here = c.at_key(path, &name);
            match &*name {
                "embedding" => {
                    if member.is_string() {
                        c.opaque(member, here)?
                    } else {
                        c.measures(member, here)?
                    }
                }
                "object" | "index" => c.word(member, here)?,
                _ => c.unknown(Place::Other, path, key, member)?,
            }
        }
    }
    Ok(())
}
