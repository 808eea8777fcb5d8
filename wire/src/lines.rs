//! Newline-delimited JSON: an event is a line (<https://github.com/ndjson/ndjson-spec>). Lines of the AI SDK's data
//! streams (its version 4) begin with a code for the kind of their JSON: `0:"some words"`.

use crate::error::{Limits, WireError};
use crate::framing::Event;
use crate::json::scan;

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

/// The code of a line, if there is one before what looks like its JSON, and the JSON.
pub(crate) fn coded(line: &str) -> Option<(u8, &str)> {
    let (code, json) = line.split_once(':')?;
    let [code] = code.as_bytes() else { return None };
    let json = json.trim_start();
    (code.is_ascii_alphanumeric() && json.starts_with(['"', '{', '['])).then_some((*code, json))
}

/// Whether a text consists of several lines of only JSON, all with or all without a code before it.
pub(crate) fn are_json(text: &str, limits: &Limits) -> bool {
    let object = |line: &str| line.starts_with(['{', '[']) && scan(line, limits).is_ok();
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
    let is_coded = lines.peek().is_some_and(|first| !object(first));
    let mut count = 0;
    lines.all(|line| {
        count += 1;
        let is_json = |(_, json): (u8, &str)| scan(json, limits).is_ok();
        if is_coded { coded(line).is_some_and(is_json) } else { object(line) }
    }) && count > 1
}
