//! Bedrock Converse and ConverseStream: requests, responses and events
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>).

use crate::collect::Collector;
use crate::error::Done;
use crate::items::place_of_role;
use crate::json::{Kind, Val};
use crate::message::Place;
use crate::stream::{Channel, ChannelKind, Close, arguments, field_hash, index_of, within};
use crate::tools;

/// Reads a body.
pub(crate) fn read(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Done {
    if !value.is_object() {
        return c.free(Place::Other, value, path);
    }
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "messages" => messages(c, Place::User, member, here)?,
            "system" => blocks(c, Place::System, member, here)?,
            "output" => messages(c, Place::Assistant, member, here)?,
            "toolConfig" if member.is_object() => tool_config(c, member, here)?,
            "promptVariables" => c.free(Place::User, member, here)?,
            _ => shared(c, path, key, member)?,
        }
    }
    Ok(())
}

/// Members that responses and events have in common.
pub(crate) fn shared(c: &mut Collector<'_>, parent: u32, key: Val<'_>, member: Val<'_>) -> Done {
    let name = key.text();
    let here = c.at_key(parent, &name);
    match &*name {
        "usage" | "inferenceConfig" | "guardrailConfig" | "performanceConfig" | "metrics" | "stopReason"
        | "serviceTier" | "role" | "contentBlockIndex" => c.measures(member, here),
        // Events are padded with the beginning of the alphabet to hide their length.
        "p" if member.is_string() && PADDING.starts_with(member.raw()) => Ok(()),
        _ => c.unknown(Place::Other, parent, key, member),
    }
}

const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Messages, one message, or an object that contains one.
fn messages(c: &mut Collector<'_>, place: Place, value: Val<'_>, path: u32) -> Done {
    if value.kind() == Kind::Array {
        return value.items().try_for_each(|(index, entry)| {
            let path = c.at_index(path, index);
            messages(c, place, entry, path)
        });
    }
    let place = value.get_text("role").map_or(place, |role| place_of_role(&role));
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "role" => c.word(member, here)?,
            "content" => blocks(c, place, member, here)?,
            "message" if member.is_object() => messages(c, place, member, here)?,
            _ => c.unknown(place, path, key, member)?,
        }
    }
    if value.is_object() { Ok(()) } else { c.free(place, value, path) }
}

/// Content blocks. Each is an object with one member that says what it is.
fn blocks(c: &mut Collector<'_>, place: Place, value: Val<'_>, path: u32) -> Done {
    if value.kind() == Kind::Array {
        return value.items().try_for_each(|(index, entry)| {
            let path = c.at_index(path, index);
            blocks(c, place, entry, path)
        });
    }
    if !value.is_object() {
        return c.text(place, value, path);
    }
    value.members().try_for_each(|(key, member)| block(c, (place, path), key, member, None))
}

/// One member of a block, or (if `running`: its number, and a seed that distinguishes its texts) of a piece of one.
fn block(
    c: &mut Collector<'_>,
    (place, parent): (Place, u32),
    key: Val<'_>,
    value: Val<'_>,
    running: Option<(u32, u32)>,
) -> Done {
    let name = key.text();
    let here = c.at_key(parent, &name);
    match &*name {
        "reasoningContent" => {
            c.thinks = true;
            blocks(c, place, value, here)?;
            c.thinks = false;
            Ok(())
        }
        "text" | "content" | "guardContent" | "reasoningText" | "citationsContent" | "image" | "video"
        | "audio" => blocks(c, place, value, here),
        "document" | "searchResult" => {
            if let Some(bytes) = value.get("source").and_then(|source| source.get("bytes")) {
                c.is_as_said(value, bytes)?;
            }
            blocks(c, Place::Document, value, here)
        }
        "source" | "s3Location" if value.is_object() => {
            if name == "s3Location" {
                c.message.media += 1;
            }
            blocks(c, Place::Document, value, here)
        }
        "bytes" => c.data(value, here),
        "toolUse" | "toolResult" if value.is_object() => tool(c, value, here),
        "json" => c.free(place, value, here),
        "signature" | "redactedContent" => c.opaque(value, here),
        "format" | "type" | "cachePoint" | "qualifiers" => c.measures(value, here),
        "name" | "title" | "context" | "uri" | "source" => c.text(place, value, here),
        _ => match running {
            Some(running) => within::member(c, (place, parent), key, value, running),
            None => c.unknown(place, parent, key, value),
        },
    }
}

/// A tool call, or its result.
fn tool(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Done {
    if let Some(name) = value.get_text("name") {
        c.calls(name, value.get("input"));
    }
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "toolUseId" | "name" | "status" | "type" => c.word(member, here)?,
            "input" => c.free(Place::ToolArguments, member, here)?,
            "content" => blocks(c, Place::ToolResult, member, here)?,
            _ => c.unknown(Place::ToolArguments, path, key, member)?,
        }
    }
    Ok(())
}

fn tool_config(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Done {
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "tools" => tools::definitions(c, member, here)?,
            "toolChoice" => c.measures(member, here)?,
            _ => c.unknown(Place::ToolDefinition, path, key, member)?,
        }
    }
    Ok(())
}

/// Reads an event of a stream. Its type is in the frame's headers, and is evident from its members.
pub(crate) fn event(c: &mut Collector<'_>, root: Val<'_>, path: u32) -> Done {
    if !root.is_object() {
        return c.free(Place::Other, root, path);
    }
    let group = index_of(root, "contentBlockIndex")?;
    for (key, member) in root.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "start" if member.is_object() => {
                let calls = c.message.tool_calls.len();
                blocks(c, Place::Assistant, member, here)?;
                c.calls_run(calls, arguments(group.unwrap_or_default()));
            }
            "delta" if member.is_object() => delta(c, member, here, group.unwrap_or_default())?,
            _ => shared(c, path, key, member)?,
        }
    }
    let goes_on = root.get("start").is_some() || root.get("delta").is_some();
    match group {
        Some(group) if !goes_on => c.closes.push(Close::Group(group)),
        _ if root.get("stopReason").is_some() => c.closes.push(Close::All),
        _ => {}
    }
    Ok(())
}

fn delta(c: &mut Collector<'_>, value: Val<'_>, path: u32, group: u32) -> Done {
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "text" => {
                let channel = Channel { group, kind: ChannelKind::Block, index: 0 };
                c.piece(channel, Place::Assistant, member, here)?;
            }
            "toolUse" | "toolResult" | "reasoningContent" if member.is_object() => {
                for (key, member) in member.members() {
                    inner(c, (&name, here), key, member, group)?;
                }
            }
            "toolResult" if member.kind() == Kind::Array => {
                for (index, item) in member.items() {
                    let here = c.at_index(here, index);
                    for (key, member) in item.members() {
                        inner(c, (&name, here), key, member, group)?;
                    }
                    if !item.is_object() {
                        c.free(Place::ToolResult, item, here)?;
                    }
                }
            }
            // Each citation is complete.
            "citation" => block(c, (Place::Assistant, path), key, member, None)?,
            _ => block(c, (Place::Assistant, path), key, member, Some((group, 0)))?,
        }
    }
    Ok(())
}

/// Pieces of arguments, and of thoughts.
fn inner(c: &mut Collector<'_>, (of, parent): (&str, u32), key: Val<'_>, value: Val<'_>, group: u32) -> Done {
    let name = key.text();
    let (kind, index, place) = match (of, &*name) {
        ("toolUse", "input") => (ChannelKind::ToolArguments, 0, Place::ToolArguments),
        ("reasoningContent", "text") => (ChannelKind::Reasoning, 0, Place::Assistant),
        (_, "input" | "text") => {
            (ChannelKind::Other, field_hash(field_hash(0, of), &name), Place::ToolResult)
        }
        _ => {
            let running = Some((group, field_hash(0, of)));
            return block(c, (Place::Assistant, parent), key, value, running);
        }
    };
    let path = c.at_key(parent, &name);
    c.piece(Channel { group, kind, index }, place, value, path)
}
