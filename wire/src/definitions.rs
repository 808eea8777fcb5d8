//! In which tool's definition a text stands.

use std::cmp::Reverse;

use crate::message::Message;

/// Where the definitions of the tools on offer stand.
pub struct Definitions<'m> {
    message: &'m Message,
    /// By layer and beginning, an outer one before those in it.
    sorted: Vec<Definition>,
}

/// Where one of them stands.
struct Definition {
    layer: u32,
    start: u32,
    end: u32,
    /// Index into the tools on offer.
    tool: usize,
    /// The definition around it, among the sorted ones.
    outer: Option<usize>,
}

impl Message {
    /// Where the definitions of its tools stand.
    pub fn definitions(&self) -> Definitions<'_> {
        let items = self.tool_items.iter().enumerate().map(|(tool, item)| Definition {
            layer: item.layer,
            start: item.span.start,
            end: item.span.end,
            tool,
            outer: None,
        });
        let mut sorted: Vec<Definition> = items.collect();
        // Of a tool that was noted twice, the later one is found.
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

/// The innermost definition that is not over before `end`: the last of these, or one around it. They are as deep in one another as a
/// document may be.
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
    /// The tool, of `tools_offered`, in whose definition a segment stands; of tools in one another the inner one.
    pub fn tool_of(&self, segment: usize) -> Option<usize> {
        let segment = self.message.segments.get(segment)?;
        let (mut layer, mut span) = (segment.layer, segment.span.clone());
        loop {
            let before = self.sorted.partition_point(|one| (one.layer, one.start) <= (layer, span.start));
            let around = around(self.sorted.get(..before)?, layer, span.end);
            if let Some(definition) = around.and_then(|at| self.sorted.get(at)) {
                return Some(definition.tool);
            }
            // A text in a text of the definition.
            let outer = self.message.layers.get(layer as usize)?;
            (layer, span) = (outer.parent, outer.span.clone());
        }
    }
}
