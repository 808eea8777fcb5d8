//! Amazon's event stream: binary frames with headers and a payload
//! (<https://smithy.io/2.0/aws/amazon-eventstream.html>).
//!
//! ```text
//! total length | headers' length | CRC of these two | headers | payload | CRC of all before
//! ```
//!
//! Numbers are big-endian, checksums CRC-32 as in gzip. A header that could contain a text is refused: only payloads
//! are inspected and rewritten.

use std::ops::Range;

use crate::error::{Limits, WireError, malformed};
use crate::words;

/// Length of the two lengths and their checksum.
const PRELUDE: usize = 12;
/// Length of a checksum.
const CHECKSUM: usize = 4;
/// Header type: a string preceded by its length in two bytes.
const STRING: u8 = 7;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    raw: Vec<u8>,
    headers: Range<usize>,
    payload: Range<usize>,
}

impl Frame {
    /// The bytes as received.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        self.raw.get(self.payload.clone()).unwrap_or_default()
    }

    /// The frame with another payload.
    pub fn with_payload(&self, payload: &[u8]) -> Vec<u8> {
        encode(self.raw.get(self.headers.clone()).unwrap_or_default(), payload)
    }

    /// Reads one frame; `raw` is as long as its prelude says. `offset` is its position in the stream, for errors.
    fn parse(raw: Vec<u8>, headers_len: usize, offset: usize) -> Result<Self, WireError> {
        let end = raw.len().saturating_sub(CHECKSUM);
        if number(&raw, end) != Some(crc32fast::hash(raw.get(..end).unwrap_or_default())) {
            return malformed(offset, "a frame with a wrong checksum");
        }
        let headers = PRELUDE..PRELUDE + headers_len;
        let payload = headers.end..end;
        let Some(()) = plain_headers(raw.get(headers.clone()).unwrap_or_default()) else {
            return malformed(offset + PRELUDE, "a frame's header that is not a word");
        };
        Ok(Self { raw, headers, payload })
    }
}

/// A frame that ends a stream with an exception of this type.
pub(crate) fn exception(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in
        [(":exception-type", kind), (":content-type", "application/json"), (":message-type", "exception")]
    {
        headers.push(name.len() as u8);
        headers.extend_from_slice(name.as_bytes());
        headers.push(STRING);
        headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    encode(&headers, payload)
}

fn encode(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = PRELUDE + headers.len() + payload.len() + CHECKSUM;
    let mut out = Vec::with_capacity(total);
    out.extend_from_slice(&(total as u32).to_be_bytes());
    out.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}

/// Four bytes as a number.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// Whether all headers are words and flags; `None` if not.
fn plain_headers(mut rest: &[u8]) -> Option<()> {
    while let Some((len, tail)) = rest.split_first() {
        let (name, tail) = tail.split_at_checked(usize::from(*len))?;
        let name = std::str::from_utf8(name).ok()?;
        let (kind, tail) = tail.split_first()?;
        let (value, tail) = match *kind {
            // True and false.
            0 | 1 => (&[][..], tail),
            STRING => {
                let len = usize::from(u16::from_be_bytes(tail.get(..2)?.try_into().ok()?));
                tail.get(2..)?.split_at_checked(len)?
            }
            _ => return None,
        };
        let value = std::str::from_utf8(value).ok()?;
        if !words::says_nothing(name.strip_prefix(':').unwrap_or(name)) || !words::says_nothing(value) {
            return None;
        }
        rest = tail;
    }
    Some(())
}

/// Splits a stream into frames.
#[derive(Debug, Clone)]
pub(crate) struct FrameStream {
    buffer: Vec<u8>,
    max_event: usize,
    offset: usize,
}

impl FrameStream {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { buffer: Vec::new(), max_event: limits.max_event, offset: 0 }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<Vec<Frame>, WireError> {
        self.buffer.extend_from_slice(chunk);
        let mut frames = Vec::new();
        let mut start = 0;
        while let Some((total, headers)) = self.prelude(start)? {
            let Some(raw) = self.buffer.get(start..start + total) else { break };
            frames.push(Frame::parse(raw.to_vec(), headers, self.offset + start)?);
            start += total;
        }
        self.buffer.drain(..start);
        self.offset += start;
        Ok(frames)
    }

    /// The lengths of the frame that begins at `start` and of its headers, once they have arrived.
    fn prelude(&self, start: usize) -> Result<Option<(usize, usize)>, WireError> {
        let Some(prelude) = self.buffer.get(start..start + PRELUDE) else { return Ok(None) };
        let [Some(total), Some(headers), Some(checksum)] = [0, 4, 8].map(|at| number(prelude, at)) else {
            return Ok(None);
        };
        let (total, headers) = (total as usize, headers as usize);
        if checksum != crc32fast::hash(prelude.get(..8).unwrap_or_default()) {
            return malformed(self.offset + start, "a frame's beginning with a wrong checksum");
        }
        if total > self.max_event {
            return Err(WireError::TooLarge { what: "bytes in one stream event", limit: self.max_event });
        }
        if headers > total.saturating_sub(PRELUDE + CHECKSUM) || total < PRELUDE + CHECKSUM {
            return malformed(self.offset + start, "a frame whose lengths do not fit");
        }
        Ok(Some((total, headers)))
    }

    /// The stream has ended: this must not be inside a frame.
    pub(crate) fn finish(&mut self) -> Result<(), WireError> {
        if self.buffer.is_empty() { Ok(()) } else { malformed(self.offset, "a frame that is cut off") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's own example, a frame without headers and payload.
    #[test]
    fn frames_are_as_specified() {
        let empty = [0, 0, 0, 16, 0, 0, 0, 0, 0x05, 0xC2, 0x48, 0xEB, 0x7D, 0x98, 0xC8, 0xFF];
        assert_eq!(encode(&[], &[]), empty);
        let frames = FrameStream::new(&Limits::default()).push(&empty).unwrap();
        assert_eq!(frames.len(), 1);
        assert!(frames[0].payload().is_empty());
    }

    #[test]
    fn frames_that_do_not_hold_together_are_refused() {
        let good = exception("validationException", b"{}");
        let parsed = |bytes: &[u8]| FrameStream::new(&Limits::default()).push(bytes);
        assert_eq!(parsed(&good).unwrap()[0].payload(), b"{}");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(parsed(&bad).is_err() || parsed(&bad).unwrap().is_empty(), "byte {at}");
        }
        let text = encode(b"\x01x\x07\x00\x0bmy 536-90-4", b"");
        assert!(
            matches!(parsed(&text), Err(WireError::Malformed { reason, .. }) if reason.contains("header"))
        );
        let mut stream = FrameStream::new(&Limits::default());
        assert!(stream.push(&good[..20]).unwrap().is_empty());
        assert!(stream.finish().is_err());
        let mut short = FrameStream::new(&Limits { max_event: 40, ..Limits::default() });
        assert!(matches!(short.push(&good), Err(WireError::TooLarge { .. })));
    }
}
