//! Ollama: chat, generate and embed; requests, responses and lines of streams (<https://docs.ollama.com/api>).

use std::borrow::Cow;

use crate::bound::scanned;
use crate::collect::Collector;
use crate::error::Done;
use crate::items::contents;
use crate::json::{Kind, Val};
use crate::message::Place;
use crate::repeated;
use crate::stream::{Channel, ChannelKind, Close, within};
use crate::tools;

/// What is read: a request, a complete response, or one line of a streamed response.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Request,
    Answer,
    Line,
}

/// Operations on models other than asking them.
pub(crate) const KEEPING: [&str; 4] = ["pull", "push", "show", "delete"];

/// The model that is pulled, pushed, shown or deleted (`/api/pull`, `/api/show`, …), if given under its older name.
pub(crate) fn kept(operation: &str, body: &[u8]) -> Option<String> {
    if !KEEPING.contains(&operation) {
        return None;
    }
    scanned(body, |root| root.get_text("name").map(Cow::into_owned)).flatten()
}

/// The model that another one is made from (`/api/create`, `/api/copy`).
pub(crate) fn origin(operation: &str, body: &[u8]) -> Option<String> {
    let (member, made) = match operation {
        "create" => ("from", ["model", "name"]),
        "copy" => ("source", ["destination", "destination"]),
        _ => return None,
    };
    let origin = |root: Val<'_>| {
        let makes = made.iter().any(|name| root.get_text(name).is_some());
        root.get_text(member).filter(|_| makes).map(Cow::into_owned)
    };
    scanned(body, origin).flatten()
}

/// Reads a body or a line.
pub(crate) fn read(c: &mut Collector<'_>, value: Val<'_>, path: u32, of: Of) -> Done {
    if !value.is_object() {
        return c.free(Place::Other, value, path);
    }
    if of == Of::Request {
        // Streaming is the default.
        c.message.stream = value.get("stream").is_none_or(|stream| stream.kind() != Kind::False);
    }
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "model" => c.model(member, here)?,
            "messages" => contents(c, Place::User, member, here)?,
            "message" if of == Of::Line && member.is_object() => message(c, member, here)?,
            "message" => contents(c, Place::Assistant, member, here)?,
            "prompt" | "suffix" => c.text(Place::User, member, here)?,
            "input" => contents(c, Place::Document, member, here)?,
            "system" | "template" => c.text(Place::System, member, here)?,
            "response" | "thinking" => said(c, &name, member, here, (of, 1))?,
            "images" => c.data_list(member, here)?,
            "tools" => tools::definitions(c, member, here)?,
            "logprobs" if of == Of::Line => repeated::running(c, 0, member, here)?,
            "logprobs" => c.echoes(member, here)?,
            // The conversation so far as token ids.
            "context" if of == Of::Answer => c.echoes(member, here)?,
            // In Go, names are case-insensitive.
            name if name.eq_ignore_ascii_case("context") => {
                c.message.tokens = c.message.tokens.saturating_add(member.small_items());
                c.measures(member, here)?;
            }
            "stream"
            | "options"
            | "keep_alive"
            | "raw"
            | "think"
            | "truncate"
            | "dimensions"
            | "done"
            | "done_reason"
            | "created_at"
            | "total_duration"
            | "load_duration"
            | "prompt_eval_count"
            | "prompt_eval_duration"
            | "eval_count"
            | "eval_duration"
            | "embedding"
            | "embeddings" => c.measures(member, here)?,
            "format" if member.is_string() => c.word(member, here)?,
            _ => c.unknown(Place::Other, path, key, member)?,
        }
    }
    if value.get("done").is_some_and(Val::is_true) {
        c.closes.push(Close::All);
    }
    Ok(())
}

/// `index` distinguishes the texts of a message from those next to it, which clients do not join.
fn said(c: &mut Collector<'_>, name: &str, value: Val<'_>, path: u32, (of, index): (Of, u32)) -> Done {
    if of != Of::Line {
        return c.text(Place::Assistant, value, path);
    }
    let kind = if name == "thinking" { ChannelKind::Reasoning } else { ChannelKind::Text };
    c.piece(Channel { group: 0, kind, index }, Place::Assistant, value, path)
}

/// The message of a line: its texts continue running ones; calls and images are complete.
fn message(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Done {
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "content" | "thinking" => said(c, &name, member, here, (Of::Line, 0))?,
            "role" | "tool_name" => c.word(member, here)?,
            "tool_calls" => tools::calls(c, member, here)?,
            "images" => c.data_list(member, here)?,
            _ => within::member(c, (Place::Assistant, path), key, member, (0, 0))?,
        }
    }
    Ok(())
}
