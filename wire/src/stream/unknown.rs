//! Streams of protocols nobody told us.

use super::{Channel, ChannelKind, OUTSIDE, field_hash, within};
use crate::collect::Collector;
use crate::error::WireError;
use crate::json::{Kind, Val};
use crate::message::Place;
use crate::repeated;

/// A stream of a protocol nobody told us: members that usually carry the text are taken for pieces of it, the rest
/// for whole texts.
pub(super) fn unknown(
    c: &mut Collector<'_>,
    operation: &str,
    value: Val<'_>,
    path: u32,
    fields: u32,
) -> Result<(), WireError> {
    const TEXTS: &[&str] = &[
        "text",
        "content",
        "response",
        "delta",
        "output",
        "completion",
        "token",
        "generated_text",
        "thinking",
        "arguments",
        "partial_json",
        "generation",
        "outputText",
        "text_output",
        "value",
        "answer",
        "chunk",
        "data",
        "result",
        "message",
        "reply",
        "textDelta",
        "inputTextDelta",
        "argsTextDelta",
    ];
    match value.kind() {
        Kind::Object => value.members().try_for_each(|(key, member)| {
            let name = key.text();
            if member.is_string() && TEXTS.contains(&&*name) {
                let path = c.at_key(path, &name);
                let channel =
                    Channel { group: OUTSIDE, kind: ChannelKind::Other, index: field_hash(fields, &name) };
                return c.piece_apart(channel, Place::Assistant, member, path);
            }
            if repeated::repeats(&name, operation) {
                let path = c.at_key(path, &name);
                return repeated::running(c, OUTSIDE, member, path);
            }
            // Whatever it is called: clients put together what they are given to add.
            if &*name == "delta" && member.is_object() {
                let path = c.at_key(path, &name);
                return within::within(
                    c,
                    Place::Assistant,
                    member,
                    path,
                    (OUTSIDE, field_hash(fields, &name)),
                );
            }
            if matches!(member.kind(), Kind::Object | Kind::Array) {
                c.key(Place::Other, path, key, &name)?;
                let path = c.at_key(path, &name);
                return unknown(c, operation, member, path, field_hash(fields, &name));
            }
            c.unknown(Place::Other, path, key, member)
        }),
        Kind::Array => value.items().try_for_each(|(index, item)| {
            let path = c.at_index(path, index);
            unknown(c, operation, item, path, fields.wrapping_add(index))
        }),
        _ => c.free(Place::Other, value, path),
    }
}
