//! Server-sent events (WHATWG HTML § 9.2.6): splits bytes into events without losing any.

use std::ops::Range;

use crate::error::{Limits, WireError, malformed};
use crate::json::scan;

/// One event, or a part of the stream without an event (comments, blank lines).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// The bytes as received, including the blank line at the end. UTF-8.
    pub raw: Vec<u8>,
    /// The last `event` field.
    pub name: Option<String>,
    /// The last `id` field.
    pub id: Option<String>,
    /// The `data` fields joined by line feeds; `None` if there is no such field.
    pub data: Option<String>,
    /// Whether the blank line that ends an event was present. Browsers drop an event without it, many clients do not.
    pub terminated: bool,
}

impl SseEvent {
    /// Whether this is OpenAI's end marker.
    pub fn is_done(&self) -> bool {
        self.data.as_deref().is_some_and(|data| data.trim_end() == "[DONE]")
    }

    /// Reads one event from its bytes. `offset` is their position in the stream, for errors.
    fn parse(raw: Vec<u8>, terminated: bool, offset: usize) -> Result<Self, WireError> {
        let text = match std::str::from_utf8(&raw) {
            Ok(text) => text,
            Err(error) => return malformed(offset + error.valid_up_to(), "invalid UTF-8"),
        };
        let (mut name, mut id, mut data) = (None, None, None::<String>);
        let bare = is_bare(text);
        for line in lines(text) {
            let start = line.start;
            let (key, value) = field(text, line.clone(), bare);
            // Some parsers drop a byte order mark before a line, some only at the start of the stream, some never.
            if key.starts_with('\u{FEFF}') {
                return malformed(offset + start, "byte order mark before a line");
            }
            let value = text.get(value).unwrap_or_default();
            if key != "data" && begins_another(text.get(line).unwrap_or_default()) {
                return malformed(offset + start, OTHER_LINE);
            }
            match key {
                "event" => name = Some(value.to_owned()),
                "id" => id = Some(value.to_owned()),
                "data" => match &mut data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => data = Some(value.to_owned()),
                },
                _ => {}
            }
        }
        Ok(Self { raw, name, id, data, terminated })
    }
}

/// Why an event is refused if [`begins_another`] is true for a line.
pub(crate) const OTHER_LINE: &str = "a character at which some readers end a line, and a field behind it";

/// Whether a text consists of events whose data is JSON, each on one line.
pub(crate) fn has_json(text: &str, limits: &Limits) -> bool {
    let mut found = false;
    looks_like_events(text.as_bytes())
        && lines(text).all(|line| {
            let line = text.get(line).unwrap_or_default();
            let Some(data) = line.strip_prefix("data:").map(str::trim_start) else { return is_field(line) };
            let json = data.starts_with(['{', '[', '"']) && scan(data, limits).is_ok();
            found |= json;
            json || data.trim_end() == "[DONE]"
        })
        && found
}

/// Whether a line is a field other than data, a comment or the end of an event.
fn is_field(line: &str) -> bool {
    line.trim().is_empty() || [":", "event:", "id:", "retry:"].iter().any(|name| line.starts_with(name))
}

/// Whether a field follows one of the characters at which Python's `splitlines` (httpx, a2a-sdk) ends a line, but the
/// standard does not.
pub(crate) fn begins_another(value: &str) -> bool {
    const BLOCK: usize = 32;
    let text = value.as_bytes();
    // Few texts contain a byte with which such a character begins: a block is checked without branches.
    let may = |b: &u8| matches!(b, 0x0B | 0x0C | 0x1C..=0x1E | 0xC2 | 0xE2);
    let blocks =
        text.chunks(BLOCK).enumerate().filter(|(_, block)| block.iter().fold(false, |any, b| any | may(b)));
    blocks.flat_map(|(number, block)| (number * BLOCK..).take(block.len())).any(|at| {
        let rest = text.get(at..).unwrap_or_default();
        let end = match rest {
            [0x0B | 0x0C | 0x1C..=0x1E, ..] => 1,
            [0xC2, 0x85, ..] => 2,
            [0xE2, 0x80, 0xA8 | 0xA9, ..] => 3,
            _ => return false,
        };
        let line = rest.get(end..).unwrap_or_default();
        ["data", "event", "id", "retry"].iter().any(|name| line.starts_with(name.as_bytes()))
    })
}

/// Whether a whole body is an event stream to a client that expects one: one of its lines is a field.
pub fn looks_like_events(body: &[u8]) -> bool {
    let body = body.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(body);
    let field = |at: usize| {
        let line = body.get(at..).unwrap_or_default();
        line.starts_with(b"data:") || line.starts_with(b"event:")
    };
    field(0)
        || memchr::memchr2_iter(b'\n', b'\r', body).any(|end| field(end + 1))
        || std::str::from_utf8(body).is_ok_and(begins_another)
}

/// The lines of an event, without their line ends (CR, LF or both).
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let start = at;
        let len = memchr::memchr2(b'\r', b'\n', rest.as_bytes()).unwrap_or(rest.len());
        let end = rest.get(len..).map_or(0, |end| if end.starts_with("\r\n") { 2 } else { end.len().min(1) });
        at += len + end;
        Some(start..start + len)
    })
}

/// Whether an event is plain JSON without a field name: some servers write such events, and some clients read them.
pub(crate) fn is_bare(text: &str) -> bool {
    text.trim_ascii_start().starts_with(['{', '['])
}

/// The name of a field of an event (`text`), and the range of its value. Comments have an empty name; every line of
/// plain JSON (`bare`) is data.
pub(crate) fn field(text: &str, line: Range<usize>, bare: bool) -> (&str, Range<usize>) {
    if bare {
        return ("data", line);
    }
    let content = text.get(line.clone()).unwrap_or_default();
    match content.split_once(':') {
        None => (content, line.end..line.end),
        Some((name, value)) => {
            let space = usize::from(value.starts_with(' '));
            (name, line.start + name.len() + 1 + space..line.end)
        }
    }
}

/// Splits a stream into events, chunk by chunk. The raw bytes of all events together equal the input, and the events
/// are the same however the stream was divided into chunks.
#[derive(Debug, Clone)]
pub(crate) struct SseStream {
    buffer: Vec<u8>,
    /// Line ends before this offset have been processed.
    scanned: usize,
    line_start: usize,
    /// A line has ended in a single CR. Before that, a CR at the end of a chunk waits for a possible LF; after that,
    /// an event that ends in a CR is returned at once, since in such a stream no LF will come to release it.
    lone_cr: bool,
    /// The previous event ended in a CR: an LF that comes first belongs to that line end.
    skip_lf: bool,
    max_event: usize,
    offset: usize,
}

impl SseStream {
    /// A new stream. Of the limits, only `max_event` applies.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            buffer: Vec::new(),
            scanned: 0,
            line_start: 0,
            lone_cr: false,
            skip_lf: false,
            max_event: limits.max_event,
            offset: 0,
        }
    }

    /// Takes the next chunk; returns the events that are now complete.
    ///
    /// # Errors
    /// [`WireError::Malformed`] for invalid UTF-8 and for a byte order mark before a line, [`WireError::TooLarge`]
    /// for an event over the limit. The stream cannot continue after either.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<Vec<SseEvent>, WireError> {
        self.buffer.extend_from_slice(chunk);
        let mut events = Vec::new();
        let mut start = 0;
        while let Some(end) = self.next_end(start) {
            let raw = self.buffer.get(start..end).unwrap_or_default().to_vec();
            self.bounded(raw.len())?;
            let len = raw.len();
            events.push(SseEvent::parse(raw, true, self.offset)?);
            self.offset += len;
            start = end;
            self.line_start = end;
        }
        if start > 0 {
            self.buffer.drain(..start);
            self.scanned -= start;
            self.line_start -= start;
        }
        self.bounded(self.buffer.len())?;
        Ok(events)
    }

    /// The stream has ended: returns the rest of it, if any.
    ///
    /// # Errors
    /// [`WireError::Malformed`] for invalid UTF-8.
    pub(crate) fn finish(&mut self) -> Result<Option<SseEvent>, WireError> {
        let raw = std::mem::take(&mut self.buffer);
        self.scanned = 0;
        self.line_start = 0;
        if raw.is_empty() {
            return Ok(None);
        }
        // A CR that waited for an LF may have been the end of the event.
        let terminated = matches!(raw.as_slice(), [.., b'\r' | b'\n', b'\r'] | [b'\r']);
        SseEvent::parse(raw, terminated, self.offset).map(Some)
    }

    fn bounded(&self, len: usize) -> Result<(), WireError> {
        if len > self.max_event {
            return Err(WireError::TooLarge { what: "bytes in one stream event", limit: self.max_event });
        }
        Ok(())
    }

    /// The end of the event that begins at `start`, once it has arrived.
    fn next_end(&mut self, start: usize) -> Option<usize> {
        if self.skip_lf && self.buffer.len() > start {
            self.skip_lf = false;
            if self.buffer.get(start) == Some(&b'\n') {
                self.scanned = start + 1;
                self.line_start = start + 1;
            }
        }
        loop {
            let rest = self.buffer.get(self.scanned..)?;
            let Some(found) = memchr::memchr2(b'\r', b'\n', rest) else {
                self.scanned = self.buffer.len();
                return None;
            };
            let at = self.scanned + found;
            let blank = at == self.line_start;
            let next = self.buffer.get(at + 1);
            let end = match (self.buffer.get(at), next) {
                (Some(b'\n'), _) => at + 1,
                (_, _) if blank && self.lone_cr => {
                    self.skip_lf = true;
                    at + 1
                }
                (_, Some(b'\n')) => at + 2,
                (_, Some(_)) => {
                    self.lone_cr = true;
                    at + 1
                }
                (_, None) => {
                    self.scanned = at;
                    return None;
                }
            };
            self.scanned = end;
            self.line_start = end;
            if blank {
                return Some(end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(chunks: &[&[u8]]) -> Vec<SseEvent> {
        let mut stream = SseStream::new(&Limits::default());
        let mut events: Vec<SseEvent> = chunks.iter().flat_map(|chunk| stream.push(chunk).unwrap()).collect();
        events.extend(stream.finish().unwrap());
        events
    }

    /// Wherever the character is in the text.
    #[test]
    fn a_line_that_only_some_readers_end_begins_another() {
        let ends = ["\u{b}", "\u{c}", "\u{1c}", "\u{1d}", "\u{1e}", "\u{85}", "\u{2028}", "\u{2029}"];
        for before in (0..70).map(|length| "x".repeat(length)) {
            for end in ends {
                assert!(begins_another(&format!("{before}{end}{end}data: x")), "{before:?}{end:?}");
                assert!(!begins_another(&format!("{before}{end} data: x")), "{before:?}{end:?}");
            }
            assert!(!begins_another(&format!("{before}\u{201c}data: \u{c5}id\u{a0}retry")), "{before:?}");
        }
    }

    #[test]
    fn fields_and_line_ends_are_read_as_the_standard_says() {
        for (stream, want) in [
            ("data: a\n\n", vec![Some("a")]),
            ("data: a\r\n\r\ndata:b\r\n\r\n", vec![Some("a"), Some("b")]),
            ("data: a\r\rdata: b\r\r", vec![Some("a"), Some("b")]),
            ("data: \u{FEFF}a\n\n", vec![Some("\u{FEFF}a")]),
            ("data: a\ndata:  b\ndata\n\n", vec![Some("a\n b\n")]),
            (": comment\n\ndata: a\n\n", vec![None, Some("a")]),
            ("event: x\nid: 7\nretry: 10\ndata: a\n\n", vec![Some("a")]),
            ("data: a\n\ndata: cut", vec![Some("a"), Some("cut")]),
            ("\n\n", vec![None, None]),
        ] {
            let events = all(&[stream.as_bytes()]);
            let data: Vec<Option<&str>> = events.iter().map(|event| event.data.as_deref()).collect();
            assert_eq!(data, want, "{stream:?}");
            let raw: Vec<u8> = events.iter().flat_map(|event| event.raw.clone()).collect();
            assert_eq!(raw, stream.as_bytes());
        }
        let event = all(&[b"event: x\nid: 7\ndata: [DONE]\n\n"]).remove(0);
        assert_eq!(
            (event.name.as_deref(), event.id.as_deref(), event.is_done()),
            (Some("x"), Some("7"), true)
        );
        assert!(!all(&[b"data: cut"]).remove(0).terminated);
    }

    #[test]
    fn an_event_goes_out_as_soon_as_it_is_complete() {
        let mut stream = SseStream::new(&Limits::default());
        assert_eq!(stream.push(b"data: a\n\n").unwrap().len(), 1);
        assert_eq!(stream.push(b"data: b\r\n\r\n").unwrap().len(), 1);
        let mut stream = SseStream::new(&Limits::default());
        assert_eq!(stream.push(b"data: a\r\r").unwrap().len(), 1, "no LF is waited for in a stream of CRs");
    }

    #[test]
    fn events_are_bounded() {
        let mut stream = SseStream::new(&Limits { max_event: 10, ..Limits::default() });
        assert!(stream.push(b"data: 1234").is_ok());
        assert!(matches!(stream.push(b"5"), Err(WireError::TooLarge { .. })));
        let mut stream = SseStream::new(&Limits::default());
        assert!(matches!(stream.push(b"data: \xFF\n\n"), Err(WireError::Malformed { offset: 6, .. })));
        for (stream, at) in [("\u{FEFF}data: a\n\n", 0), ("data: a\n\nid: 1\n\u{FEFF}data: b\n\n", 15)] {
            let read = SseStream::new(&Limits::default()).push(stream.as_bytes());
            assert!(matches!(read, Err(WireError::Malformed { offset, .. }) if offset == at), "{stream:?}");
        }
    }

    proptest! {
        #[test]
        fn the_cuts_do_not_matter(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("\r"), Just("\n"), Just("\r\n"), Just("data: "), Just("é😀"), Just("x"), Just("event: y"),
                    Just(":"), Just("\n\n"),
                ],
                0..24,
            ),
            cuts in proptest::collection::vec(0_usize..64, 0..8),
        ) {
            let stream = parts.concat().into_bytes();
            let whole = all(&[&stream]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            prop_assert_eq!(&all(&chunks), &whole);
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            prop_assert_eq!(&all(&bytes), &whole);
            let raw: Vec<u8> = whole.iter().flat_map(|event| event.raw.clone()).collect();
            prop_assert_eq!(raw, stream);
        }
    }
}
