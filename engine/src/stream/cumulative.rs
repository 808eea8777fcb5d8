//! Texts that come whole with every event, each time with more at the end: SGLang's `/generate`, DashScope without
//! `incremental_output`, artifacts of A2A that replace the last one. No protocol says so, so that they are read as pieces too.
//!
//! What such a text says for the first time runs in a window of its own. There a value waits for its end, though the next event
//! begins from the text's beginning again; and is cut from every event that waits.
use std::hash::{DefaultHasher, Hash, Hasher};

use mesh_wire::{Channel, ChannelKind, Piece};

use super::Stream;
use super::window::Part;
use crate::session::Session;

/// Tells the window of such a text from that of its pieces.
const CUMULATIVE: u32 = 0x5BD1_E995;

/// A text that said this much, in bytes, and came whole three times is no text that comes in pieces.
const SURE: usize = 16;

/// What the events of a text said so far.
#[derive(Clone, Copy)]
pub(super) enum Said {
    /// `len` bytes with this digest, each of so many events all of what was said before.
    All { len: usize, digest: u64, events: u32 },
    /// Not the same with more at its end.
    Else,
}

impl Default for Said {
    fn default() -> Self {
        Said::All { len: 0, digest: digest_of(""), events: 0 }
    }
}

impl Said {
    /// Takes the next event's text. Gives how much of it was said before, if that is all.
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
    /// Looks at a piece that may be such a text, before it is taken. Gives the channel of what it says for the first time, and
    /// that, if all that was said before stands before it; the event waits for more of it.
    pub(super) fn cumulative<'a>(
        &mut self,
        session: &mut Session,
        piece: &Piece,
        text: &'a str,
        event: u64,
    ) -> (Channel, Option<&'a str>) {
        let channel = Channel { index: piece.channel.index ^ CUMULATIVE, ..piece.channel };
        // Messages are whole, and wait for none.
        if channel.kind == ChannelKind::Messages {
            return (channel, None);
        }
        // What the same event said before is still to be queued.
        let own = |part: &Part| part.event == event;
        let window = self.windows.entry(piece.channel).or_default();
        // Several texts of one event are not one that grows over events.
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
