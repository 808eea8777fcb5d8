//! Which tool's definition contains a text.

use std::cmp::Reverse;

use crate::message::Message;

/// The positions of the offered tools' definitions.
pub struct Definitions<'m> {
    message: &'m Message,
    /// Sorted by layer and start, an outer one before those in it.
    sorted: Vec<Definition>,
}

/// The position of a definition.
struct Definition {
    layer: u32,
    start: u32,
    end: u32,
    /// Index into the offered tools.
    tool: usize,
    /// The definition around it, as an index into the sorted ones.
    outer: Option<usize>,
}

impl Message {
    /// The positions of its tools' definitions.
    pub fn definitions(&self) -> Definitions<'_> {
        let items = self.tool_items.iter().enumerate().map(|(tool, item)| Definition {
            layer: item.layer,
            start: item.span.start,
            end: item.span.end,
            tool,
            outer: None,
        });
        let mut sorted: Vec<Definition> = items.collect();
        // For a tool that was noted twice, the later one is found.
        sorted.sort_by_key(|one| (one.layer, one.start, Reverse(one.end), Reverse(one.tool)));
        sorted.dedup_by_key(|one| (one.layer, one.start, one.end));
        for at in 0..sorted.len() {
            let (before, rest) = sorted.split_at_mut(at);
            if let Some(one) = rest.first_mut() {
                one.outer = around(before, one.layer, one.end);
            }
        }
        Definitions { message: self, sorted }
    }
}

/// The innermost definition that does not end before `end`: the last of these, or one around it. Their nesting is
/// bounded by a document's depth.
fn around(before: &[Definition], layer: u32, end: u32) -> Option<usize> {
    let mut next = before.len().checked_sub(1);
    loop {
        let one = before.get(next?)?;
        if one.layer == layer && end <= one.end {
            return next;
        }
        next = one.outer;
    }
}

impl Definitions<'_> {
    /// The tool, as an index into `tools_offered`, whose definition contains a segment; the inner one if they are
    /// nested.
    pub fn tool_of(&self, segment: usize) -> Option<usize> {
        let segment = self.message.segments.get(segment)?;
        let (mut layer, mut span) = (segment.layer, segment.span.clone());
        loop {
            let before = self.sorted.partition_point(|one| (one.layer, one.start) <= (layer, span.start));
            let around = around(self.sorted.get(..before)?, layer, span.end);
            if let Some(definition) = around.and_then(|at| self.sorted.get(at)) {
                return Some(definition.tool);
            }
            // A text nested in a text of the definition.
            let outer = self.message.layers.get(layer as usize)?;
            (layer, span) = (outer.parent, outer.span.clone());
        }
    }
}
