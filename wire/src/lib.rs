//! The protocols: parsing bytes into structure with byte spans, rewriting in place, the framing of streams, and
//! refusals in the provider's own format.
//!
//! Pure: no IO, no clock, no globals, no randomness, and no panic, since this code runs inside a proxy's wasm VM.
//!
//! How a body is processed:
//!
//! 1. [`route_of`] and [`body_kind`] use the method, path and content type; [`sniff`] examines a body without a
//!    content type.
//! 2. [`read_request`] / [`read_response`] scan the JSON once, strictly, and list every text in it as a [`Segment`]
//!    with its speaker and position. What two parsers could read differently is refused ([`WireError`]).
//! 3. [`apply`] writes edits of segments back; bytes outside the edited ranges stay as they were.
//! 4. A stream goes through [`EventStream`], [`read_event`] and [`Event::rewritten`] the same way, event by event.
//! 5. [`refusal`] and [`stream_error`] refuse in such a way that unmodified SDKs raise their usual error.
#![deny(clippy::disallowed_methods)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod a2a;
mod again;
mod amazon;
mod anthropic;
mod array;
mod attached;
mod base64;
mod bedrock;
mod besides;
mod body;
mod bound;
mod coding;
mod collect;
mod content_coding;
mod definitions;
mod deployment;
mod edit;
mod elsewhere;
mod ending;
mod error;
mod form_data;
mod framing;
mod gemini;
mod items;
mod json;
mod layers;
mod lines;
mod mcp;
mod media;
mod message;
mod multipart;
mod ollama;
mod openai;
mod opening;
mod path;
mod protocol;
mod read;
mod refusal;
mod repeated;
mod resolve;
mod route;
mod rpc;
mod sdp;
mod sse;
mod stream;
mod tools;
mod usage;
mod values;
mod words;

pub use again::Again;
pub use amazon::Frame;
pub use body::{BodyKind, body_kind, is_binary, kind_of_body, sniff};
pub use bound::{Answers, answers, bounded};
pub use content_coding::{ContentCoding, ContentDecoder, ContentEncoding, DecodeError, decode};
pub use definitions::Definitions;
pub use edit::{Edit, apply, apply_dropping_tools};
pub use elsewhere::{holds_a_prompt, may_ask_a_model, reads_elsewhere};
pub use ending::Ending;
pub use error::{Limits, WireError};
pub use form_data::read_multipart;
pub use framing::{Event, EventStream, Framing};
pub use json::to_value;
pub use mcp::header_value;
pub use message::{Message, Place, ResourceUse, Segment, ToolCall};
pub use opening::{Opened, Opening, is_text};
pub use protocol::Protocol;
pub use read::{read_form, read_request, read_response};
pub use refusal::{Refusal, RefusalKind, refusal, stream_error};
pub use resolve::{QUOTE_INSIDE, Resolved, cut_escape, escape_json, resolve_escapes, resolve_inside};
pub use route::{Route, route_of};
pub use sse::{SseEvent, looks_like_events};
pub use stream::{Channel, ChannelKind, Close, Label, Piece, StreamItem, read_event};
pub use tools::{DEFINITION, other_spelling};
pub use usage::{Usage, asking_for_usage, only_tells_usage};
