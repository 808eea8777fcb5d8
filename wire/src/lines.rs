//! Newline-delimited JSON: an event is a line (<https://github.com/ndjson/ndjson-spec>).

use crate::error::{Limits, WireError};
use crate::framing::Event;

#[derive(Debug, Clone)]
pub(crate) struct LineStream {
    buffer: Vec<u8>,
    max_event: usize,
}

impl LineStream {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { buffer: Vec::new(), max_event: limits.max_event }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<Vec<Event>, WireError> {
        let mut events = Vec::new();
        for piece in chunk.split_inclusive(|b| *b == b'\n') {
            self.buffer.extend_from_slice(piece);
            if self.buffer.len() > self.max_event {
                return Err(WireError::TooLarge { what: "bytes in one line", limit: self.max_event });
            }
            if piece.last() == Some(&b'\n') {
                events.push(event(std::mem::take(&mut self.buffer)));
            }
        }
        Ok(events)
    }

    pub(crate) fn finish(&mut self) -> Option<Event> {
        let rest = std::mem::take(&mut self.buffer);
        (!rest.is_empty()).then(|| event(rest))
    }
}

fn event(raw: Vec<u8>) -> Event {
    if raw.iter().all(u8::is_ascii_whitespace) { Event::Gap(raw) } else { Event::Json(raw) }
}
