//! Texts inside a delta that its protocol does not define.

use super::{Channel, ChannelKind, OUTSIDE, field_hash, index_of};
use crate::collect::{Collector, in_its_letters};
use crate::error::WireError;
use crate::json::{Kind, Val};
use crate::media;
use crate::message::Place;
use crate::tools;

/// A member of a delta that its protocol does not define: its name and everything in it.
pub(crate) fn member(
    c: &mut Collector<'_>,
    (place, parent): (Place, u32),
    key: Val<'_>,
    value: Val<'_>,
    (group, seed): (u32, u32),
) -> Result<(), WireError> {
    in_its_letters(key)?;
    let name = key.text();
    c.key(place, parent, key, &name)?;
    let path = c.at_key(parent, &name);
    within(c, place, value, path, (group, field_hash(seed, &name)))
}

/// Everything in a part of a delta. SDKs join deltas member by member, including strings in nested objects
/// (`accumulate_delta` of OpenAI's SDK): each is a running text, identified (`seed`) by the names in its path. Items
/// of a list belong together by their `index`.
pub(super) fn within(
    c: &mut Collector<'_>,
    place: Place,
    value: Val<'_>,
    path: u32,
    (group, seed): (u32, u32),
) -> Result<(), WireError> {
    match value.kind() {
        Kind::Object => {
            if group == OUTSIDE {
                tools::calls_in(c, value);
            }
            value.members().try_for_each(|(key, member)| {
                let name = key.text();
                let here = c.at_key(path, &name);
                match &*name {
                    "type" | "index" | "id" | "name" | "object" | "format" | "role" | "status" => {
                        c.measures(member, here)
                    }
                    "data" if member.is_string() && media::says_media(value) => c.data(member, here),
                    "signature" | "data" if member.is_string() => c.opaque(member, here),
                    _ => {
                        c.key(place, path, key, &name)?;
                        within(c, place, member, here, (group, field_hash(seed, &name)))
                    }
                }
            })
        }
        Kind::Array => value.items().try_for_each(|(position, item)| {
            let path = c.at_index(path, position);
            if item.is_string() {
                return within(c, place, item, path, (group, seed));
            }
            let index = index_of(item, "index").ok().flatten().unwrap_or(0);
            within(c, place, item, path, (group, seed.wrapping_add(index)))
        }),
        Kind::Str => {
            let channel = Channel { group, kind: ChannelKind::Other, index: seed };
            c.piece_apart(channel, place, value, path)
        }
        _ => c.free(place, value, path),
    }
}
