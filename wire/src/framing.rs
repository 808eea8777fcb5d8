//! How a stream is split into events: server-sent events, lines, items of one JSON array, Amazon's binary frames.

use crate::amazon::{Frame, FrameStream};
use crate::array::ArrayStream;
use crate::body::BodyKind;
use crate::edit::{Edit, apply_dropping_tools};
use crate::error::{Limits, WireError};
use crate::lines::LineStream;
use crate::protocol::Protocol;
use crate::sse::{SseEvent, SseStream};
use crate::stream::StreamItem;

/// The ways in which a stream is split into events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// One JSON value per line.
    Lines,
    /// One JSON array, whose items come one by one: Gemini without `alt=sse`.
    Array,
    /// Amazon's binary event stream.
    Amazon,
}

impl Framing {
    /// The framing of a response with this kind of body; `None` if it is not a stream. `operation` is the request's.
    pub fn of(kind: &BodyKind, protocol: Protocol, operation: &str) -> Option<Self> {
        match kind {
            BodyKind::EventStream => Some(Self::Sse),
            BodyKind::Lines => Some(Self::Lines),
            BodyKind::AmazonEvents => Some(Self::Amazon),
            BodyKind::Json if protocol == Protocol::Gemini && operation == "streamGenerateContent" => {
                Some(Self::Array)
            }
            _ => None,
        }
    }

    /// The bytes to send to end a stream with this error ([`stream_error`](crate::stream_error)), given the last byte
    /// sent that is not white space: an array stays valid.
    pub fn ending(self, sent: Option<u8>, error: &[u8]) -> Vec<u8> {
        if self != Self::Array {
            return error.to_vec();
        }
        let before: &[u8] = match sent {
            None => b"[",
            Some(b'[' | b',') => b"",
            Some(_) => b",",
        };
        [before, error, b"]"].concat()
    }
}

/// One event, or a part of a stream without an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A server-sent event.
    Sse(SseEvent),
    /// A line, or an item of an array.
    Json(Vec<u8>),
    /// White space, and the array around its items.
    Gap(Vec<u8>),
    /// A binary frame.
    Amazon(Frame),
}

impl Event {
    /// The bytes as received.
    pub fn raw(&self) -> &[u8] {
        match self {
            Self::Sse(event) => &event.raw,
            Self::Json(raw) | Self::Gap(raw) => raw,
            Self::Amazon(frame) => frame.raw(),
        }
    }

    /// The bytes that the event's message was read from: a frame's payload, otherwise all of it.
    pub fn read_from(&self) -> &[u8] {
        match self {
            Self::Amazon(frame) => frame.payload(),
            _ => self.raw(),
        }
    }

    /// The bytes with edits of the item's segments applied, and the tools with these names removed from its lists;
    /// all other bytes stay the same.
    pub fn rewritten(&self, item: &StreamItem, edits: &[Edit], drop: &[&str]) -> Vec<u8> {
        match self {
            Self::Amazon(frame) => {
                frame.with_payload(&apply_dropping_tools(frame.payload(), &item.message, edits, drop))
            }
            _ => apply_dropping_tools(self.raw(), &item.message, edits, drop),
        }
    }
}

/// Splits a stream into events, chunk by chunk. The raw bytes of all events together equal the input, and the events
/// are the same however the stream was divided into chunks.
#[derive(Debug, Clone)]
pub struct EventStream(Cutter);

#[derive(Debug, Clone)]
enum Cutter {
    Sse(SseStream),
    Lines(LineStream),
    Array(ArrayStream),
    Amazon(FrameStream),
}

impl EventStream {
    /// A new stream. Of the limits, only `max_event` applies.
    pub fn new(framing: Framing, limits: &Limits) -> Self {
        Self(match framing {
            Framing::Sse => Cutter::Sse(SseStream::new(limits)),
            Framing::Lines => Cutter::Lines(LineStream::new(limits)),
            Framing::Array => Cutter::Array(ArrayStream::new(limits)),
            Framing::Amazon => Cutter::Amazon(FrameStream::new(limits)),
        })
    }

    /// Takes the next chunk; returns the events that are now complete.
    ///
    /// # Errors
    /// [`WireError::Malformed`] for incorrect framing, [`WireError::TooLarge`] for an event over the limit. The
    /// stream cannot continue after either.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<Event>, WireError> {
        match &mut self.0 {
            Cutter::Sse(stream) => Ok(stream.push(chunk)?.into_iter().map(Event::Sse).collect()),
            Cutter::Lines(stream) => stream.push(chunk),
            Cutter::Array(stream) => stream.push(chunk),
            Cutter::Amazon(stream) => Ok(stream.push(chunk)?.into_iter().map(Event::Amazon).collect()),
        }
    }

    /// The stream has ended: returns the rest of it, if any.
    ///
    /// # Errors
    /// [`WireError::Malformed`] if it is cut off, as far as that can be determined.
    pub fn finish(&mut self) -> Result<Option<Event>, WireError> {
        match &mut self.0 {
            Cutter::Sse(stream) => Ok(stream.finish()?.map(Event::Sse)),
            Cutter::Lines(stream) => Ok(stream.finish()),
            Cutter::Array(stream) => Ok(stream.finish()),
            Cutter::Amazon(stream) => stream.finish().map(|()| None),
        }
    }
}
