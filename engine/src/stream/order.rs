//! What the events of a stream said before: what its tool calls are called, and which texts are over.
//!
//! Failure law: an event that says it in another way does not follow, and the stream cannot be read on. What is kept is
//! bounded by [`MAX_LABELS`] and [`MAX_OVER`]; a stream that says more does not follow either.
use std::collections::{BTreeMap, BTreeSet};

use mesh_wire::{Channel, Close, StreamItem};

/// Bytes of names and identifiers of tool calls that are kept of one stream, with what each takes beside its text.
const MAX_LABELS: usize = 1 << 20;
/// Running texts of one stream that have come to their end.
const MAX_OVER: usize = 1 << 16;

#[derive(Default)]
pub(super) struct Order {
    /// The first name and the first identifier of each call.
    labels: BTreeMap<(Channel, &'static str), String>,
    size: usize,
    over: BTreeSet<Channel>,
    /// Texts that are over if the stream goes on with another choice or artifact.
    perhaps: BTreeSet<Channel>,
}

impl Order {
    /// Whether an event follows those before it; it is one of them from then on.
    pub(super) fn follows(&mut self, item: &StreamItem) -> bool {
        // What was held back of a text that is over has left: what follows would be judged without it.
        if self.over.len() > MAX_OVER || item.pieces.iter().any(|piece| self.over.contains(&piece.channel)) {
            return false;
        }
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

    /// The running texts among these that are over with an event.
    pub(super) fn ends<'c>(
        &mut self,
        item: &StreamItem,
        open: impl Iterator<Item = &'c Channel> + Clone,
    ) -> Vec<Channel> {
        let closes: BTreeSet<Close> = item.closes.iter().copied().collect();
        let said: BTreeSet<u32> = item.pieces.iter().map(|piece| piece.channel.group).collect();
        let mut ended = BTreeSet::new();
        // Comments and usage do not show whether a text goes on.
        if !said.is_empty() || !closes.is_empty() {
            (self.perhaps, ended) = std::mem::take(&mut self.perhaps)
                .into_iter()
                .partition(|channel| said.contains(&channel.group));
        }
        for channel in open {
            let certain = [Close::All, Close::Group(channel.group), Close::Channel(*channel)];
            if certain.iter().any(|close| closes.contains(close)) {
                ended.insert(*channel);
            } else if closes.contains(&Close::Perhaps(channel.group)) && !ended.contains(channel) {
                self.perhaps.insert(*channel);
            }
        }
        self.over.extend(&ended);
        ended.into_iter().collect()
    }
}
