//! What the events of a stream said before: what its tool calls are called.
//!
//! Failure law: an event that says it in another way does not follow, and the stream cannot be read on. What is kept is
//! bounded by [`MAX_LABELS`]; a stream that says more does not follow either.
use std::collections::BTreeMap;

use mesh_wire::{Channel, StreamItem};

/// Bytes of names and identifiers of tool calls that are kept of one stream, with what each takes beside its text.
const MAX_LABELS: usize = 1 << 20;

#[derive(Default)]
pub(super) struct Order {
    /// The first name and the first identifier of each call.
    labels: BTreeMap<(Channel, &'static str), String>,
    size: usize,
}

impl Order {
    /// Whether an event follows those before it; it is one of them from then on.
    pub(super) fn follows(&mut self, item: &StreamItem) -> bool {
        item.labels.iter().all(|label| {
            let key = (label.call, label.field);
            if let Some(first) = self.labels.get(&key) {
                // Clients put the two together, and nobody judged what comes of that.
                return *first == label.text;
            }
            self.size = self.size.saturating_add(label.text.len() + size_of_val(&key));
            self.labels.insert(key, label.text.clone());
            self.size <= MAX_LABELS
        })
    }
}
