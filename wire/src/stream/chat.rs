//! OpenAI chat completion chunks, and chunks of the older completions.

use super::within::{member as unknown, within};
use super::{Channel, ChannelKind, Close, Label, beside, field_hash, index_of};
use crate::collect::{Collector, in_its_letters};
use crate::error::Done;
use crate::items::item;
use crate::json::{Kind, Val};
use crate::message::Place;
use crate::openai;
use crate::path::ROOT;
use crate::repeated;
use crate::words;

/// Distinguishes texts in calls from texts next to them.
const CALL: u32 = 1 << 31;

pub(crate) fn read(c: &mut Collector<'_>, root: Val<'_>) -> Done {
    for (key, member) in root.members() {
        if key.text() != "choices" || member.kind() != Kind::Array {
            openai::member(c, ROOT, key, member)?;
            continue;
        }
        let path = c.at_key(ROOT, "choices");
        for (position, choice) in member.items() {
            let path = c.at_index(path, position);
            choice_of(c, choice, path, position)?;
        }
    }
    Ok(())
}

fn choice_of(c: &mut Collector<'_>, choice: Val<'_>, path: u32, position: u32) -> Done {
    if !choice.is_object() {
        return c.free(Place::Assistant, choice, path);
    }
    let group = index_of(choice, "index")?.unwrap_or(position);
    for (key, member) in choice.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "delta" if member.is_object() => delta(c, member, here, group)?,
            // Perplexity: next to each piece, the whole message so far.
            "message" if member.is_object() => {
                let from = c.message.segments.len();
                item(c, Place::Assistant, member, here)?;
                if let Some(said) = member.get("content") {
                    c.repeats(Channel { group, kind: ChannelKind::Text, index: 0 }, said, from);
                }
            }
            // Of the older completions, which no client reads together with a delta; or a delta that is a text
            // (MiniMax).
            "text" | "delta" => {
                let channel = Channel { group, kind: ChannelKind::Text, index: 1 };
                c.piece(channel, Place::Assistant, member, here)?;
            }
            "reasoning" | "reasoning_content" if member.is_string() => {
                let index = if &*name == "reasoning" { 3 } else { 4 };
                c.piece(
                    Channel { group, kind: ChannelKind::Reasoning, index },
                    Place::Assistant,
                    member,
                    here,
                )?;
            }
            "finish_reason" => {
                c.word(member, here)?;
                // Some providers send with every piece that nothing has ended yet.
                if member.string().is_some_and(|reason| !matches!(&*reason, "" | "null")) {
                    c.closes.push(Close::Perhaps(group));
                }
            }
            // MiniMax, next to or instead of a delta.
            "messages" if member.kind() == Kind::Array => {
                within(c, Place::Assistant, member, here, (group, field_hash(0, "messages")))?;
            }
            "index" => c.measures(member, here)?,
            "token_ids" => c.echoes(member, here)?,
            "logprobs" => repeated::running(c, group, member, here)?,
            _ => c.unknown(Place::Assistant, path, key, member)?,
        }
    }
    Ok(())
}

fn delta(c: &mut Collector<'_>, value: Val<'_>, path: u32, group: u32) -> Done {
    for (key, member) in value.members() {
        in_its_letters(key)?;
        let name = key.text();
        let here = c.at_key(path, &name);
        let (kind, index) = match &*name {
            "content" => (ChannelKind::Text, 0),
            "refusal" => (ChannelKind::Refusal, 0),
            "reasoning_content" => (ChannelKind::Reasoning, 0),
            "reasoning" => (ChannelKind::Reasoning, 1),
            "thinking" => (ChannelKind::Reasoning, 2),
            _ => (ChannelKind::Other, field_hash(0, &name)),
        };
        match &*name {
            "role" | "id" | "name" => c.word(member, here)?,
            "tool_calls" if member.kind() == Kind::Array => {
                for (position, call) in member.items() {
                    let here = c.at_index(here, position);
                    tool_call(c, call, here, group, position)?;
                }
            }
            "function_call" if member.is_object() => {
                let call = Channel { group, kind: ChannelKind::ToolArguments, index: 0 };
                function(c, member, here, beside(call, 4))?;
            }
            "audio" if member.is_object() => audio(c, member, here, group)?,
            // Azure: the sources of a response, complete. The response must not wait for more of each document.
            "context" if member.get("citations").is_some() || member.get("intent").is_some() => {
                context(c, member, here, group)?
            }
            _ if member.is_string() => {
                c.piece(Channel { group, kind, index }, Place::Assistant, member, here)?;
            }
            _ if &*name == "content" || member.kind() == Kind::Array => {
                if &*name != "content" {
                    c.key(Place::Assistant, path, key, &name)?;
                }
                listed(c, member, here, (group, field_hash(0, &name)))?;
            }
            _ => unknown(c, (Place::Assistant, path), key, member, (group, 0))?,
        }
    }
    Ok(())
}

/// The sources of an Azure response: documents and search queries are complete, anything else may continue.
fn context(c: &mut Collector<'_>, value: Val<'_>, path: u32, group: u32) -> Done {
    value.members().try_for_each(|(key, member)| match &*key.text() {
        "citations" | "intent" | "all_retrieved_documents" => c.unknown(Place::Assistant, path, key, member),
        _ => unknown(c, (Place::Assistant, path), key, member, (group, 0)),
    })
}

/// Texts in lists, as some providers send them: each type of part is a running text, or several texts.
fn listed(c: &mut Collector<'_>, value: Val<'_>, path: u32, (group, seed): (u32, u32)) -> Done {
    const TEXTS: &[&str] = &["text", "thinking", "content", "summary", "value"];
    if value.kind() == Kind::Array {
        return value.items().try_for_each(|(position, part)| {
            let path = c.at_index(path, position);
            listed(c, part, path, (group, seed))
        });
    }
    let content = seed == field_hash(0, "content");
    // Continues text that came as a string.
    let said = Channel { group, kind: ChannelKind::Text, index: 0 };
    if value.is_string() {
        let channel = if content { said } else { Channel { group, kind: ChannelKind::Other, index: seed } };
        return c.piece_apart(channel, Place::Assistant, value, path);
    }
    if !value.is_object() {
        return c.text(Place::Assistant, value, path);
    }
    let is_text = |name: &str| TEXTS.contains(&name);
    let own = index_of(value, "index")?;
    let is_said = content && own.is_none() && value.get_text("type").is_none_or(|kind| kind == "text");
    let index = own.unwrap_or(0);
    if !value.members().any(|(key, _)| is_text(&key.text())) {
        // Clients also join items by their index.
        return match own {
            Some(_) => within(c, Place::Assistant, value, path, (group, seed.wrapping_add(index))),
            None => item(c, Place::Assistant, value, path),
        };
    }
    let seed = field_hash(seed.wrapping_add(index), &value.get_text("type").unwrap_or_default());
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match member.kind() {
            Kind::Str if is_text(&name) => {
                let other = Channel { group, kind: ChannelKind::Other, index: field_hash(seed, &name) };
                let channel = if is_said && &*name == "text" { said } else { other };
                c.piece_apart(channel, Place::Assistant, member, here)?;
            }
            Kind::Array | Kind::Object if is_text(&name) => {
                listed(c, member, here, (group, field_hash(seed, &name)))?
            }
            _ if matches!(&*name, "type" | "index" | "id" | "format") => c.measures(member, here)?,
            _ if matches!(&*name, "signature" | "data") => c.opaque(member, here)?,
            _ => c.unknown(Place::Assistant, path, key, member)?,
        }
    }
    Ok(())
}

fn tool_call(c: &mut Collector<'_>, call: Val<'_>, path: u32, group: u32, position: u32) -> Done {
    let index = index_of(call, "index")?.unwrap_or(position);
    let channel = Channel { group, kind: ChannelKind::ToolArguments, index };
    for (key, member) in call.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "index" | "id" | "type" => {
                if &*name == "id" {
                    label(c, channel, "id", member);
                }
                c.word(member, here)?;
            }
            "function" | "custom" if member.is_object() => {
                let custom = if &*name == "custom" { 2 } else { 0 };
                function(c, member, here, beside(channel, custom))?;
            }
            _ => unknown(c, (Place::ToolArguments, path), key, member, (group, CALL.wrapping_add(index)))?,
        }
    }
    if call.is_object() { Ok(()) } else { c.free(Place::ToolArguments, call, path) }
}

fn function(c: &mut Collector<'_>, value: Val<'_>, path: u32, channel: Channel) -> Done {
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "name" => {
                // Comes complete in the first chunk of a call; later chunks repeat it, leave it empty, or omit it.
                label(c, channel, "name", member);
                if let Some(called) = member.string().filter(|called| !called.is_empty()) {
                    let from = c.message.tool_calls.len();
                    c.calls(called, None);
                    c.calls_run(from, channel);
                }
                c.word(member, here)?;
            }
            "arguments" if member.is_string() => c.piece(channel, Place::ToolArguments, member, here)?,
            // Of custom tools, whose input is any text.
            "input" if member.is_string() => {
                let channel = Channel { kind: ChannelKind::ToolInput, ..beside(channel, 1) };
                c.piece(channel, Place::ToolArguments, member, here)?;
            }
            _ => {
                let seed = CALL.wrapping_add(channel.index);
                unknown(c, (Place::ToolArguments, path), key, member, (channel.group, seed))?;
            }
        }
    }
    Ok(())
}

fn label(c: &mut Collector<'_>, call: Channel, field: &'static str, value: Val<'_>) {
    const MADE_UP: &str = "made up";
    if let Some(text) = value.string().filter(|text| !text.is_empty()) {
        // Some providers make up a new id for each piece. Its prefix occurs between the pieces of any value.
        let made_up = field == "id" && (words::is_made_up(&text) || words::is_id(&text));
        let text = if made_up { MADE_UP.to_owned() } else { text.into_owned() };
        c.labels.push(Label { call, field, text });
    }
}

fn audio(c: &mut Collector<'_>, value: Val<'_>, path: u32, group: u32) -> Done {
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "transcript" => {
                let channel = Channel { group, kind: ChannelKind::Transcript, index: 0 };
                c.piece(channel, Place::Assistant, member, here)?;
            }
            "data" => c.data(member, here)?,
            "id" | "expires_at" => c.measures(member, here)?,
            _ => c.unknown(Place::Assistant, path, key, member)?,
        }
    }
    Ok(())
}
