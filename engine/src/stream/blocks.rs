//! Blocks of a response whose texts clients join: the next block continues in the window of the last.
//!
//! The end of a block is not the end of its text, so what could still become a finding waits for the next event. If
//! that is not another block's text, it leaves, and the text before stays as context.
use std::collections::BTreeSet;

use mesh_wire::{Channel, ChannelKind, Close, StreamItem};

use super::Stream;
use super::window::Window;
use crate::session::Session;

impl Stream {
    /// Passes the window of the block that ended last to the block that an event continues with, if there is one.
    pub(super) fn follow(&mut self, session: &mut Session, item: &StreamItem, touched: &BTreeSet<Channel>) {
        let begins =
            |channel: &&Channel| channel.kind == ChannelKind::Block && !self.windows.contains_key(channel);
        let next = touched.iter().find(begins);
        let elsewhere = !touched.is_empty() || !item.message.tool_calls.is_empty();
        match (self.ended_block, next) {
            (Some(last), Some(next)) => {
                let window = self.windows.remove(&last).unwrap_or_default();
                self.windows.insert(*next, window.of_next_block());
                self.ended_block = None;
            }
            (None, Some(next)) => self.branch(*next),
            (Some(last), None) if elsewhere || item.closes.iter().any(|close| !is_of(*close, last)) => {
                self.let_go(session, last);
            }
            (_, None) => {}
        }
    }

    /// Starts the chunks of a text where its text from before them ended.
    pub(super) fn go_on(&mut self, touched: &BTreeSet<Channel>) {
        for channel in touched.iter().filter(|channel| channel.kind == ChannelKind::Text) {
            let stated = Channel { kind: ChannelKind::Messages, ..*channel };
            if !self.windows.contains_key(channel)
                && let Some(window) = self.windows.get(&stated)
            {
                self.windows.insert(*channel, window.clone());
            }
        }
    }

    /// Starts a block next to one that has not ended: it may continue that one, and that one may also continue by
    /// itself.
    fn branch(&mut self, next: Channel) {
        let blocks = self.windows.iter().filter(|(channel, _)| channel.kind == ChannelKind::Block);
        let Some((_, last)) = blocks.max_by_key(|(_, window)| window.touched) else { return };
        let window = last.clone();
        for part in &window.parts {
            let at = usize::try_from(part.event.saturating_sub(self.first)).ok();
            if let Some(held) = at.and_then(|at| self.queue.get_mut(at)) {
                held.open += 1;
            }
        }
        self.windows.insert(next, window.of_next_block());
    }

    /// Whether a text that has ended, in a stream that continues, waits for the next block.
    pub(super) fn waits_for_another(&mut self, session: &mut Session, channel: Channel) -> bool {
        if channel.kind != ChannelKind::Block {
            return false;
        }
        if self.ended_block != Some(channel)
            && let Some(before) = self.ended_block.replace(channel)
        {
            self.settle(session, &before, true);
            self.windows.remove(&before);
        }
        true
    }
}

/// Whether this text, or its group, is what ends.
fn is_of(close: Close, channel: Channel) -> bool {
    [Close::Channel(channel), Close::Group(channel.group)].contains(&close)
}

impl Window {
    /// The window for a block that continues the text. Whether the text is JSON is determined anew.
    fn of_next_block(mut self) -> Window {
        self.repeats.of_next_block(self.text.len());
        if self.text.is_empty() {
            self.place.clear();
            self.json = None;
            self.inside = Default::default();
        }
        self
    }
}
