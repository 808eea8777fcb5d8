//! Texts that every event repeats in full, each time with more at the end: SGLang's `/generate`, DashScope without
//! `incremental_output`, A2A artifacts that replace the previous one. No protocol marks them, so they are read as
//! pieces too.
//!
//! The new part of such a text runs in a separate window. There a value waits for its end even though the next event
//! starts from the beginning of the text; and it is cut from every queued event.
use std::hash::{DefaultHasher, Hash, Hasher};

use mesh_wire::{Channel, ChannelKind, Piece};

use super::Stream;
use super::window::Part;
use crate::session::Session;

/// Distinguishes the window of such a text from that of its pieces.
const CUMULATIVE: u32 = 0x5BD1_E995;

/// A text that is this long, in bytes, and was repeated in full three times does not come in pieces.
const SURE: usize = 16;

/// What the events of a text have said so far.
#[derive(Clone, Copy)]
pub(super) enum Said {
    /// `len` bytes with this digest; each of `events` events repeated all of the text before it.
    All { len: usize, digest: u64, events: u32 },
    /// Not the same text with more at its end.
    Else,
}

impl Default for Said {
    fn default() -> Self {
        Said::All { len: 0, digest: digest_of(""), events: 0 }
    }
}

impl Said {
    /// Takes the next event's text. Returns how much of it was said before, if it repeats all of that.
    fn take(&mut self, text: &str) -> Option<usize> {
        let Said::All { len, digest, events } = *self else { return None };
        let before = text.get(..len).filter(|said| digest_of(said) == digest).map(str::len);
        *self = match before {
            Some(_) => Said::All { len: text.len(), digest: digest_of(text), events: events + 1 },
            None => Said::Else,
        };
        before
    }

    fn is_sure(&self) -> bool {
        matches!(self, Said::All { len: SURE.., events: 3.., .. })
    }
}

fn digest_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl Stream {
    /// Checks a piece that may be such a text, before it is added. Returns the channel of its new part, and the new
    /// part if all of the earlier text precedes it; then the event waits for it to be decided.
    pub(super) fn cumulative<'a>(
        &mut self,
        session: &mut Session,
        piece: &Piece,
        text: &'a str,
        event: u64,
    ) -> (Channel, Option<&'a str>) {
        let channel = Channel { index: piece.channel.index ^ CUMULATIVE, ..piece.channel };
        // Messages are complete, and wait for nothing.
        if channel.kind == ChannelKind::Messages {
            return (channel, None);
        }
        // Earlier parts of the same event are not in the queue yet.
        let own = |part: &Part| part.event == event;
        let window = self.windows.entry(piece.channel).or_default();
        // Several texts in one event are not one text that grows over events.
        if window.parts.back().is_some_and(own) {
            window.said = Said::Else;
        }
        let (before, sure) = (window.said.take(text), window.said.is_sure());
        let Some((said, more)) = before.and_then(|before| text.split_at_checked(before)) else {
            if self.windows.get(&channel).is_some_and(|window| !window.parts.back().is_some_and(own)) {
                self.let_go(session, channel);
                self.windows.remove(&channel);
            }
            return (channel, None);
        };
        if sure {
            self.let_go(session, piece.channel);
            if let Some(window) = self.windows.get_mut(&piece.channel) {
                window.context.clear();
            }
        }
        let window = self.windows.entry(channel).or_default();
        window.whole = piece.whole;
        window.repeated(event, piece.segment, said);
        let part = Part { event, segment: piece.segment, offset: said.len(), len: more.len() };
        if !more.is_empty() {
            window.takes_turn(more, part, true);
        }
        (channel, Some(more))
    }
}
