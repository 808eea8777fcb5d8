//! Events of Anthropic's Messages API.

use super::{Channel, ChannelKind, Close, arguments, field_hash, index_of, within};
use crate::anthropic;
use crate::collect::{Collector, in_its_letters};
use crate::error::{Done, malformed};
use crate::items::item;
use crate::json::Val;
use crate::message::Place;
use crate::path::ROOT;

pub(crate) fn read(c: &mut Collector<'_>, root: Val<'_>) -> Done {
    let kind = root.get_text("type").unwrap_or_default();
    let group = index_of(root, "index")?.unwrap_or(0);
    // Clients do not join text in an event of another type with the rest.
    let own = |event: &str| if kind == event { 0 } else { 2 };
    for (key, member) in root.members() {
        let name = key.text();
        let here = c.at_key(ROOT, &name);
        match &*name {
            "type" | "index" => c.measures(member, here)?,
            "message" if member.is_object() => {
                let (from, calls) = (c.message.segments.len(), c.message.tool_calls.len());
                anthropic::read(c, member, here)?;
                if let Some(content) = member.get("content").filter(|_| kind == "message_start") {
                    content.items().for_each(|(index, block)| opens(c, block, from, index));
                    c.calls_run_in(calls, content);
                }
            }
            "content_block" if member.is_object() => {
                block(c, member, here, group, own("content_block_start"))?
            }
            "delta" if member.is_object() => delta(c, member, here, group, own("content_block_delta"))?,
            "usage" => c.measures(member, here)?,
            _ => c.unknown(Place::Other, ROOT, key, member)?,
        }
    }
    match &*kind {
        "content_block_stop" => c.closes.push(Close::Group(group)),
        "message_stop" => c.closes.push(Close::All),
        // The next event may take its time, and is not a continuation of the text.
        "content_block_start" if root.get("content_block").is_some_and(|block| !is_text(block)) => {
            c.closes.push(Close::Elsewhere);
        }
        _ => {}
    }
    Ok(())
}

fn is_text(block: Val<'_>) -> bool {
    block.get_text("type").is_some_and(|kind| kind == "text")
}

/// The start of a block: the beginning of a running text, or a complete block.
fn block(c: &mut Collector<'_>, value: Val<'_>, path: u32, group: u32, field: u32) -> Done {
    let kind = value.get_text("type").unwrap_or_default();
    if !matches!(&*kind, "text" | "thinking") {
        let (from, calls) = (c.message.segments.len(), c.message.tool_calls.len());
        item(c, Place::Assistant, value, path)?;
        c.calls_run(calls, arguments(group));
        if field == 0 {
            opens(c, value, from, group);
        }
        return Ok(());
    }
    delta(c, value, path, group, field)
}

/// The texts of a block that was read as complete, but that deltas may still continue. `from` is the number of
/// segments before it.
fn opens(c: &mut Collector<'_>, block: Val<'_>, from: usize, group: u32) {
    for (key, member) in block.members().filter(|(_, member)| member.is_string()) {
        let (kind, index) = match &*key.text() {
            "text" => (ChannelKind::Block, 0),
            "thinking" => (ChannelKind::Reasoning, 0),
            "input" => (ChannelKind::ToolArguments, 0),
            name @ "content" => (ChannelKind::Other, field_hash(0, name)),
            _ => continue,
        };
        c.begins(Channel { group, kind, index }, member, from);
    }
}

fn delta(c: &mut Collector<'_>, value: Val<'_>, path: u32, group: u32, field: u32) -> Done {
    let of = value.get_text("type");
    for (key, member) in value.members() {
        in_its_letters(key)?;
        let name = key.text();
        let here = c.at_key(path, &name);
        let (kind, place, types) = match &*name {
            "text" => (ChannelKind::Block, Place::Assistant, ["text", "text_delta"]),
            "thinking" => (ChannelKind::Reasoning, Place::Assistant, ["thinking", "thinking_delta"]),
            "partial_json" => {
                (ChannelKind::ToolArguments, Place::ToolArguments, ["input_json", "input_json_delta"])
            }
            _ => (ChannelKind::Other, Place::Assistant, [""; 2]),
        };
        match &*name {
            "type" | "stop_reason" => c.word(member, here)?,
            "stop_sequence" => c.text(Place::Other, member, here)?,
            "signature" | "encrypted_content" if member.is_string() => c.opaque(member, here)?,
            _ if member.is_string() => {
                let index = match of.as_deref() {
                    _ if kind == ChannelKind::Other => field_hash(field, &name),
                    None => field + 1,
                    Some(of) if types.contains(&of) => field,
                    Some(_) if member.raw().is_empty() => continue,
                    // Some clients use the type, others the field.
                    Some(_) => return malformed(member.span().start as usize, "a delta of another type"),
                };
                let kind = if kind == ChannelKind::Block && index > 0 { ChannelKind::Text } else { kind };
                c.piece(Channel { group, kind, index }, place, member, here)?;
            }
            // Each citation is complete.
            _ if &*name != "citation" && field == 0 => {
                within::member(c, (Place::Assistant, path), key, member, (group, field))?
            }
            _ => c.unknown(Place::Assistant, path, key, member)?,
        }
    }
    Ok(())
}
