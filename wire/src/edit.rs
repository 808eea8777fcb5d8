//! Writes edits back: innermost texts first; the patches of each level become patches of the text around it, until
//! they are patches of the body. Bytes outside the patched ranges are copied unchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::coding::{Coding, Patch, escape, patched, settle, unescape, whole_characters};
use crate::error::Limits;
use crate::json::{Doc, Kind, Val, plain_digits, scan};
use crate::layers::Texts;
use crate::message::{Message, Segment, Slot};

/// One replacement in one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Index into [`Message::segments`].
    pub segment: usize,
    /// Byte range in the segment's `text`. Widened to whole characters; overlapping edits are joined.
    pub range: Range<usize>,
    /// The replacement, as readers are to see it: it is escaped as its position requires.
    pub with: String,
}

/// The body with the edits applied. All bytes outside the edited ranges stay as they are, except that an edited
/// number becomes a JSON string, edited keys are kept distinct (`…-2`), edited Base64 is encoded again as a whole,
/// and `logprobs`, which repeat the text token by token, are emptied.
pub fn apply(body: &[u8], message: &Message, edits: &[Edit]) -> Vec<u8> {
    apply_dropping_tools(body, message, edits, &[])
}

/// As [`apply`], but also removes the definitions of the tools with these names ([`Message::tools_offered`]) from
/// their lists, each with its comma.
pub fn apply_dropping_tools(body: &[u8], message: &Message, edits: &[Edit], drop: &[&str]) -> Vec<u8> {
    if edits.is_empty() && drop.is_empty() {
        return body.to_vec();
    }
    let patches = body_patches(body, message, edits, drop);
    match std::str::from_utf8(body) {
        Ok(text) => patched(text, &patches).into_bytes(),
        Err(_) => patched_bytes(body, &patches),
    }
}

/// A form with files that are not text: its patches are those of parts that are text, and split no character.
fn patched_bytes(body: &[u8], patches: &[Patch]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut at = 0;
    for patch in patches {
        out.extend_from_slice(body.get(at..patch.range.start).unwrap_or_default());
        out.extend_from_slice(patch.with.as_bytes());
        at = at.max(patch.range.end);
    }
    out.extend_from_slice(body.get(at..).unwrap_or_default());
    out
}

/// Patches by the layer that they apply to; the last entry is the body's.
struct Levels {
    patches: Vec<Vec<Patch>>,
}

impl Levels {
    fn push(&mut self, layer: u32, patch: Patch) {
        let body = self.patches.len().saturating_sub(1);
        if let Some(level) = self.patches.get_mut((layer as usize).min(body)) {
            level.push(patch);
        }
    }
}

fn body_patches(body: &[u8], message: &Message, edits: &[Edit], drop: &[&str]) -> Vec<Patch> {
    let mut levels = Levels { patches: vec![Vec::new(); message.layers.len() + 1] };
    let texts = Texts::new(body, &message.layers);
    segments_to_patches(&texts, message, edits, &mut levels);
    if !edits.is_empty() {
        for echo in &message.echoes {
            let with = echo.with.to_owned();
            let range = echo.span.start as usize..echo.span.end as usize;
            levels.push(echo.layer, Patch { range, with });
        }
    }
    drop_tools(message, drop, &mut levels);
    // A layer is always listed after the one around it.
    for (index, layer) in message.layers.iter().enumerate().rev() {
        let mut patches = levels.patches.get_mut(index).map(std::mem::take).unwrap_or_default();
        if patches.is_empty() {
            continue;
        }
        settle(&mut patches);
        let mapped = layer.coding.to_source(texts.source_of(layer), texts.of(index as u32), patches);
        let start = layer.span.start as usize;
        mapped.into_iter().for_each(|patch| levels.push(layer.parent, shifted(patch, start)));
    }
    let mut patches = levels.patches.pop().unwrap_or_default();
    settle(&mut patches);
    patches
}

fn shifted(patch: Patch, by: usize) -> Patch {
    Patch { range: patch.range.start + by..patch.range.end + by, with: patch.with }
}

/// Turns edits into patches of the documents that contain their segments.
fn segments_to_patches(texts: &Texts<'_, '_>, message: &Message, edits: &[Edit], levels: &mut Levels) {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|edit| edit.segment);
    let mut keys: Vec<(&Segment, Vec<Patch>)> = Vec::new();
    for group in sorted.chunk_by(|one, other| one.segment == other.segment) {
        let Some(segment) = group.first().and_then(|edit| message.segments.get(edit.segment)) else {
            continue;
        };
        let mut patches: Vec<Patch> =
            group.iter().map(|edit| Patch { range: edit.range.clone(), with: edit.with.clone() }).collect();
        for patch in &mut patches {
            patch.range = whole_characters(&segment.text, patch.range.clone());
        }
        settle(&mut patches);
        if segment.slot == Slot::Key {
            keys.push((segment, patches));
            continue;
        }
        let placed = placed(texts.of(segment.layer), segment, patches);
        placed.into_iter().for_each(|patch| levels.push(segment.layer, patch));
    }
    keys.sort_by_key(|(segment, _)| (segment.layer, segment.span.start));
    for group in keys.chunk_by(|(one, _), (other, _)| one.layer == other.layer) {
        let Some((first, _)) = group.first() else { continue };
        keys_to_patches(texts.of(first.layer), group)
            .into_iter()
            .for_each(|patch| levels.push(first.layer, patch));
    }
}

/// Patches of a segment's text as patches of its document.
fn placed(document: &str, segment: &Segment, patches: Vec<Patch>) -> Vec<Patch> {
    let span = segment.span.start as usize..segment.span.end as usize;
    let source = document.get(span.clone()).unwrap_or_default();
    match segment.slot {
        Slot::Whole | Slot::Name => patches.into_iter().map(|patch| shifted(patch, span.start)).collect(),
        Slot::Text | Slot::Key => {
            let mapped = Coding::Json.to_source(source, &segment.text, patches);
            mapped.into_iter().map(|patch| shifted(patch, span.start)).collect()
        }
        Slot::Number => {
            let with = format!("\"{}\"", escape(&patched(&plain_digits(source), &patches)));
            vec![Patch { range: span, with }]
        }
    }
}

/// Renames keys of one document, keeping the keys of each object distinct.
fn keys_to_patches(document: &str, keys: &[(&Segment, Vec<Patch>)]) -> Vec<Patch> {
    // The document was scanned before, possibly under wider limits.
    let limits = Limits { max_nodes: usize::MAX, ..Limits::default() };
    let Ok(nodes) = scan(document, &limits) else {
        // Then no object is known, but nothing that was to be removed may stay.
        return keys.iter().flat_map(|(key, patches)| placed(document, key, patches.clone())).collect();
    };
    let doc = Doc { text: document, nodes: &nodes, layer: 0, level: 0 };
    let mut out = Vec::new();
    for at in 0..nodes.len() as u32 {
        let object = Val { doc, at };
        if object.kind() != Kind::Object {
            continue;
        }
        let edited = |key: Val<'_>| {
            let start = key.span().start;
            let index = keys.binary_search_by_key(&start, |(segment, _)| segment.span.start).ok()?;
            keys.get(index)
        };
        if !object.members().any(|(key, _)| edited(key).is_some()) {
            continue;
        }
        let mut taken: BTreeSet<String> = object
            .members()
            .filter(|(key, _)| edited(*key).is_none())
            .map(|(key, _)| key.text().into_owned())
            .collect();
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for (key, _) in object.members() {
            let Some((segment, patches)) = edited(key) else { continue };
            let wanted = patched(&unescape(key.raw()), patches);
            let mut name = wanted.clone();
            let number = numbers.entry(wanted.clone()).or_insert(1);
            while !taken.insert(name.clone()) {
                *number += 1;
                name = format!("{wanted}-{number}");
            }
            if name == wanted {
                out.extend(placed(document, segment, patches.clone()));
            } else {
                let span = key.span();
                out.push(Patch { range: span.start as usize..span.end as usize, with: escape(&name) });
            }
        }
    }
    out
}

/// Removes items from their lists: with the comma before them, or, at the beginning of a list, the one after them.
fn drop_tools(message: &Message, drop: &[&str], levels: &mut Levels) {
    let drop: BTreeSet<&str> = drop.iter().copied().collect();
    // Lists in which an earlier item is kept.
    let mut kept: BTreeSet<(u32, u32)> = BTreeSet::new();
    for (name, item) in message.tools_offered.iter().zip(&message.tool_items) {
        let list = (item.layer, item.list);
        if !drop.contains(name.as_str()) {
            kept.insert(list);
            continue;
        }
        if item.list == item.span.start {
            // It is a member under its name, not in a list.
            let range = item.span.start as usize..item.span.end as usize;
            levels.push(item.layer, Patch { range, with: "null".to_owned() });
            continue;
        }
        let range = match item.previous_end {
            Some(end) if item.others_before || kept.contains(&list) => end..item.span.end,
            _ => item.span.start..item.next_start.unwrap_or(item.span.end),
        };
        levels
            .push(item.layer, Patch { range: range.start as usize..range.end as usize, with: String::new() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Place;

    /// No edit of a key is lost if its document cannot be scanned again.
    #[test]
    fn keys_are_edited_whatever_stands_around_them() {
        for (document, want) in [(r#"{"ann":1}"#, r#"{"X":1}"#), (r#"{"ann":1,"#, r#"{"X":1,"#)] {
            let segment = Segment {
                place: Place::Other,
                text: "ann".to_owned(),
                derived: false,
                thought: false,
                slot: Slot::Key,
                path: 0,
                layer: 0,
                span: 2..5,
            };
            let patches = vec![Patch { range: 0..3, with: "X".to_owned() }];
            assert_eq!(patched(document, &keys_to_patches(document, &[(&segment, patches)])), want);
        }
    }
}
