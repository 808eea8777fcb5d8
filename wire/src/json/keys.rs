//! Duplicate keys: one parser takes the first, another the last, so an object that has them is refused.

use std::borrow::Cow;

use super::scan::{Kind, Node};
use crate::coding::unescape;
use crate::error::{WireError, malformed};

/// Objects up to this size are compared pairwise, without allocating.
const FEW: usize = 12;

/// Refuses the object at `index` if two of its keys are equal once their escapes are resolved.
pub(crate) fn refuse_duplicate_keys(text: &str, nodes: &[Node], index: u32) -> Result<(), WireError> {
    let count = keys(nodes, index).take(FEW + 1).count();
    if count < 2 {
        return Ok(());
    }
    if count <= FEW {
        for (position, key) in keys(nodes, index).enumerate() {
            for earlier in keys(nodes, index).take(position) {
                // Most keys differ in length.
                let written = !earlier.escaped && !key.escaped;
                if written && earlier.end - earlier.start != key.end - key.start {
                    continue;
                }
                if name(text, earlier) == name(text, key) {
                    return malformed(key.start as usize, "duplicate key");
                }
            }
        }
        return Ok(());
    }
    let mut names: Vec<(Cow<'_, str>, u32)> =
        keys(nodes, index).map(|key| (name(text, key), key.start)).collect();
    names.sort_unstable();
    let twice = names.windows(2).find_map(|pair| match pair {
        [(first, _), (second, at)] if first == second => Some(*at),
        _ => None,
    });
    match twice {
        Some(at) => malformed(at as usize, "duplicate key"),
        None => Ok(()),
    }
}

fn name<'a>(text: &'a str, key: &Node) -> Cow<'a, str> {
    let raw = text.get(key.start as usize..key.end as usize).unwrap_or_default();
    if key.escaped { unescape(raw) } else { Cow::Borrowed(raw) }
}

/// The keys of the object at `index`, in order.
fn keys(nodes: &[Node], index: u32) -> impl Iterator<Item = &Node> {
    let end = nodes.get(index as usize).map_or(0, |node| node.link);
    let mut at = index + 1;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let key = nodes.get(at as usize)?;
        let value = nodes.get(at as usize + 1)?;
        at = match value.kind {
            Kind::Object | Kind::Array => value.link,
            _ => at + 2,
        };
        Some(key)
    })
}
