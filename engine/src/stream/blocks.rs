//! Blocks of an answer, whose texts clients put together: the next one goes on in the window of the last.
//!
//! A block's end is not the end of its text, so what could still become a finding waits for what comes next. If that is anything
//! but another block's text, it leaves, and what went before stays as context.
use std::collections::BTreeSet;

use mesh_wire::{Channel, ChannelKind, Close, StreamItem};

use super::Stream;
use super::window::Window;
use crate::session::Session;

impl Stream {
    /// Hands the window of the block that ended last on to the block that an event goes on with, if it does.
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

    /// Begins chunks of a text where what was there of it before they came ended.
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

    /// Begins a block beside one that nothing ended: it may go on from there, and that one may go on by itself.
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

    /// Whether a text that is over, in a stream that goes on, waits for the next block.
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

/// Whether it is that text, or its group, that ends.
fn is_of(close: Close, channel: Channel) -> bool {
    [Close::Channel(channel), Close::Group(channel.group)].contains(&close)
}

impl Window {
    /// The same window for a block that goes on with the text. What form the text has, it shows anew.
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
