//! One JSON array whose items arrive one by one, each an event: Gemini's `streamGenerateContent` without `alt=sse`.

use crate::error::{Limits, WireError, malformed};
use crate::framing::Event;

#[derive(Debug, Clone)]
pub(crate) struct ArrayStream {
    buffer: Vec<u8>,
    /// The start of the bytes in the buffer that belong to no event yet; earlier ones are removed once the chunk is
    /// read.
    start: usize,
    /// How many bytes of the buffer have been read.
    scanned: usize,
    state: State,
    max_event: usize,
    offset: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Only white space so far.
    Begin,
    /// Not an array (an error object): one event, which is complete when the stream ends.
    Single,
    /// Inside the array, outside of items.
    Between(Last),
    /// Inside an item.
    Item { depth: u32, string: bool, escaped: bool },
    /// The array has been closed.
    End,
}

/// The last token in the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Bracket,
    Comma,
    Item,
}

impl ArrayStream {
    pub(crate) fn new(limits: &Limits) -> Self {
        let state = State::Begin;
        Self { buffer: Vec::new(), start: 0, scanned: 0, state, max_event: limits.max_event, offset: 0 }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<Vec<Event>, WireError> {
        self.buffer.extend_from_slice(chunk);
        let mut events = Vec::new();
        while let Some(byte) = self.buffer.get(self.scanned) {
            let at = self.offset + self.scanned;
            let item = State::Item { depth: 1, string: false, escaped: false };
            match (self.state, *byte) {
                (State::Begin | State::Between(_) | State::End, b' ' | b'\n' | b'\r' | b'\t') => {}
                (State::Begin, b'[') => self.state = State::Between(Last::Bracket),
                (State::Begin, _) => self.state = State::Single,
                (State::Single, _) => {}
                (State::Between(Last::Item), b',') => self.state = State::Between(Last::Comma),
                (State::Between(Last::Bracket | Last::Item), b']') => self.state = State::End,
                (State::Between(Last::Bracket | Last::Comma), b'{') => {
                    self.cut(&mut events, Event::Gap)?;
                    self.state = item;
                }
                (State::Between(_), _) => {
                    return malformed(at, "not an object where an array's item should be");
                }
                (State::End, _) => return malformed(at, "bytes behind the array's end"),
                (State::Item { depth, string, escaped }, byte) => {
                    let (depth, string, escaped) = step(depth, string, escaped, byte);
                    self.state = State::Item { depth, string, escaped };
                    if depth == 0 {
                        self.scanned += 1;
                        self.cut(&mut events, Event::Json)?;
                        self.state = State::Between(Last::Item);
                        continue;
                    }
                }
            }
            self.scanned += 1;
        }
        self.buffer.drain(..self.start);
        self.offset += self.start;
        self.scanned -= self.start;
        self.start = 0;
        self.bounded(self.buffer.len())?;
        Ok(events)
    }

    pub(crate) fn finish(&mut self) -> Option<Event> {
        let rest = std::mem::take(&mut self.buffer);
        self.scanned = 0;
        let gap = matches!(self.state, State::Begin | State::Between(_) | State::End);
        (!rest.is_empty()).then_some(if gap { Event::Gap(rest) } else { Event::Json(rest) })
    }

    /// Turns what has been read into an event, unless it is empty.
    fn cut(&mut self, events: &mut Vec<Event>, event: fn(Vec<u8>) -> Event) -> Result<(), WireError> {
        self.bounded(self.scanned - self.start)?;
        let raw = self.buffer.get(self.start..self.scanned).unwrap_or_default();
        if !raw.is_empty() {
            events.push(event(raw.to_vec()));
        }
        self.start = self.scanned;
        Ok(())
    }

    fn bounded(&self, len: usize) -> Result<(), WireError> {
        if len > self.max_event {
            return Err(WireError::TooLarge { what: "bytes in one item of a stream", limit: self.max_event });
        }
        Ok(())
    }
}

/// The state after the next byte of an item: the depth of brackets, whether in a string, and whether after a
/// backslash in it.
fn step(depth: u32, string: bool, escaped: bool, byte: u8) -> (u32, bool, bool) {
    match (string, byte) {
        (true, _) if escaped => (depth, true, false),
        (true, b'\\') => (depth, true, true),
        (true, b'"') => (depth, false, false),
        (false, b'"') => (depth, true, false),
        (false, b'{' | b'[') => (depth.saturating_add(1), false, false),
        (false, b'}' | b']') => (depth.saturating_sub(1), false, false),
        _ => (depth, string, false),
    }
}
