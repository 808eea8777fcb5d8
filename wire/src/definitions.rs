//! In which tool's definition a text stands.

use std::collections::BTreeMap;

use crate::message::Message;

/// Where the definitions of the tools on offer stand.
pub struct Definitions<'m> {
    message: &'m Message,
    /// The tools, by the layer and the beginning of their definitions.
    tools: BTreeMap<(u32, u32), usize>,
}

impl Message {
    /// Where the definitions of its tools stand.
    pub fn definitions(&self) -> Definitions<'_> {
        let items = self.tool_items.iter().enumerate();
        let tools = items.map(|(tool, item)| ((item.layer, item.span.start), tool)).collect();
        Definitions { message: self, tools }
    }
}

impl Definitions<'_> {
    /// The tool, of `tools_offered`, in whose definition a segment stands; of tools in one another the inner one.
    pub fn tool_of(&self, segment: usize) -> Option<usize> {
        let segment = self.message.segments.get(segment)?;
        let (mut layer, mut span) = (segment.layer, segment.span.clone());
        loop {
            let before = self.tools.range((layer, 0)..=(layer, span.start)).rev();
            let holds = |tool: &usize| {
                self.message.tool_items.get(*tool).is_some_and(|item| span.end <= item.span.end)
            };
            if let Some(tool) = before.map(|(_, tool)| *tool).find(holds) {
                return Some(tool);
            }
            // A text in a text of the definition.
            let outer = self.message.layers.get(layer as usize)?;
            (layer, span) = (outer.parent, outer.span.clone());
        }
    }
}
