//! Events of Anthropic's Messages API.

use super::{Channel, ChannelKind, Close, field_hash};
use crate::anthropic;
use crate::collect::Collector;
use crate::error::WireError;
use crate::items::item;
use crate::json::Val;
use crate::message::Place;
use crate::path::ROOT;

type Done = Result<(), WireError>;

pub(crate) fn read(c: &mut Collector<'_>, root: Val<'_>) -> Done {
    let kind = root.get_text("type").unwrap_or_default();
    let group = root.get("index").and_then(Val::unsigned).map_or(0, |index| index as u32);
    for (key, member) in root.members() {
        let name = key.text();
        let path_of = |c: &mut Collector<'_>| c.at_key(ROOT, &name);
        match &*name {
            "type" | "index" => {
                let path = path_of(c);
                c.measures(member, path)?;
            }
            "message" if member.is_object() => {
                let path = path_of(c);
                anthropic::read(c, member, path)?;
            }
            "content_block" if member.is_object() => {
                let path = path_of(c);
                block(c, member, path, group)?;
            }
            "delta" if member.is_object() => {
                let path = path_of(c);
                delta(c, member, path, group)?;
            }
            "usage" => {
                let path = path_of(c);
                c.measures(member, path)?;
            }
            _ => c.unknown(Place::Other, ROOT, key, member)?,
        }
    }
    match &*kind {
        "content_block_stop" => c.closes.push(Close::Group(group)),
        "message_stop" => c.closes.push(Close::All),
        _ => {}
    }
    Ok(())
}

/// The start of a block: the beginning of a running text, or a block that is there at once.
fn block(c: &mut Collector<'_>, value: Val<'_>, path: u32, group: u32) -> Done {
    let kind = value.get_text("type").unwrap_or_default();
    if !matches!(&*kind, "text" | "thinking") {
        return item(c, Place::Assistant, value, path);
    }
    delta(c, value, path, group)
}

fn delta(c: &mut Collector<'_>, value: Val<'_>, path: u32, group: u32) -> Done {
    for (key, member) in value.members() {
        let name = key.text();
        let path_of = |c: &mut Collector<'_>| c.at_key(path, &name);
        let (kind, place) = match &*name {
            "text" => (ChannelKind::Text, Place::Assistant),
            "thinking" => (ChannelKind::Reasoning, Place::Assistant),
            "partial_json" => (ChannelKind::ToolArguments, Place::ToolArguments),
            _ => (ChannelKind::Other, Place::Assistant),
        };
        match &*name {
            "type" | "stop_reason" => {
                let path = path_of(c);
                c.word(member, path)?;
            }
            "stop_sequence" => {
                let path = path_of(c);
                c.text(Place::Other, member, path)?;
            }
            "signature" => {
                let path = path_of(c);
                c.opaque(member, path)?;
            }
            _ if member.is_string() => {
                let path = path_of(c);
                let index = if kind == ChannelKind::Other { field_hash(0, &name) } else { 0 };
                c.piece(Channel { group, kind, index }, place, member, path)?;
            }
            _ => c.unknown(Place::Assistant, path, key, member)?,
        }
    }
    Ok(())
}
