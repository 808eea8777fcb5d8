//! Gathering the texts of a document into a [`Message`]: what every protocol's reader builds on.

use std::borrow::Cow;
use std::ops::Range;

use crate::coding::Coding;
use crate::error::{Limits, WireError};
use crate::json::{Doc, Kind, Val, plain_digits, scan};
use crate::layers::Layer;
use crate::media::{self, Content};
use crate::message::{Echo, Message, Place, Segment, Slot, Source, ToolCall};
use crate::stream::{Channel, ChannelKind, Close, Label, OUTSIDE, Piece};
use crate::words;

/// Texts inside texts inside texts: this many times.
const MAX_LEVEL: u8 = 4;

/// Builds a message while a reader walks the document.
pub(crate) struct Collector<'l> {
    pub(crate) message: Message,
    pub(crate) limits: &'l Limits,
    /// Streams: pieces of running texts, and which of these end.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) closes: Vec<Close>,
    /// Streams: what this event calls its tool calls.
    pub(crate) labels: Vec<Label>,
}

/// A text to be listed and where it stands.
struct Found {
    place: Place,
    slot: Slot,
    path: u32,
    layer: u32,
    span: Range<u32>,
    derived: bool,
}

impl<'l> Collector<'l> {
    pub(crate) fn new(message: Message, limits: &'l Limits) -> Self {
        Self { message, limits, pieces: Vec::new(), closes: Vec::new(), labels: Vec::new() }
    }

    /// The path to a member.
    pub(crate) fn at_key(&mut self, parent: u32, key: &str) -> u32 {
        self.message.paths.key(parent, key)
    }

    /// The path to an item.
    pub(crate) fn at_index(&mut self, parent: u32, index: u32) -> u32 {
        self.message.paths.index(parent, index)
    }

    /// A member that the protocol does not define: its name and everything in it.
    pub(crate) fn unknown(
        &mut self,
        place: Place,
        parent: u32,
        key: Val<'_>,
        value: Val<'_>,
    ) -> Result<(), WireError> {
        let name = key.text();
        // A schema is mostly made of the same few words.
        let defined = place == Place::ToolDefinition && words::is_schema_word(&name);
        if !defined {
            self.key(place, parent, key, &name)?;
        }
        let path = self.at_key(parent, &name);
        if defined && &*name == "type" { self.word(value, path) } else { self.free(place, value, path) }
    }

    pub(crate) fn key(
        &mut self,
        place: Place,
        parent: u32,
        key: Val<'_>,
        name: &str,
    ) -> Result<(), WireError> {
        let path = self.at_key(parent, "*");
        let found =
            Found { place, slot: Slot::Key, path, layer: key.doc.layer, span: key.span(), derived: false };
        self.list(found, name.to_owned())
    }

    /// Everything in a value of free form: keys, strings, large numbers. Recursion is bounded by the scanner's depth
    /// limit times the levels of texts in texts.
    pub(crate) fn free(&mut self, place: Place, value: Val<'_>, path: u32) -> Result<(), WireError> {
        match value.kind() {
            Kind::Object => {
                value.members().try_for_each(|(key, member)| self.unknown(place, path, key, member))
            }
            Kind::Array => value.items().try_for_each(|(index, item)| {
                let path = self.at_index(path, index);
                self.free(place, item, path)
            }),
            Kind::Str => self.text(place, value, path),
            Kind::Num => self.number(place, value, path),
            Kind::Key | Kind::True | Kind::False | Kind::Null | Kind::Run => Ok(()),
        }
    }

    fn number(&mut self, place: Place, value: Val<'_>, path: u32) -> Result<(), WireError> {
        let text = plain_digits(value.raw());
        let digits = text.bytes().take_while(|b| *b != b'.').filter(u8::is_ascii_digit).count();
        if digits < 7 {
            return Ok(());
        }
        let slot = Slot::Number;
        let found = Found { place, slot, path, layer: value.doc.layer, span: value.span(), derived: false };
        self.list(found, text.into_owned())
    }

    /// A text. One that is itself JSON is read as JSON; a `data:` URL is media or the text it encodes. What is no
    /// string (a protocol's text field that holds something else) is read as free form.
    pub(crate) fn text(&mut self, place: Place, value: Val<'_>, path: u32) -> Result<(), WireError> {
        let Some(text) = value.string() else { return self.free(place, value, path) };
        match media::data_url(&text) {
            Content::Text => self.written(place, value, text, path),
            content => self.encoded(place, value, &text, path, content),
        }
    }

    /// A string where the protocol has Base64 data.
    pub(crate) fn data(&mut self, value: Val<'_>, path: u32) -> Result<(), WireError> {
        let Some(text) = value.string() else { return self.free(Place::Document, value, path) };
        match media::base64_data(&text) {
            Content::Text => self.text(Place::Document, value, path),
            content => self.encoded(Place::Document, value, &text, path, content),
        }
    }

    /// The same in a stream, where a file may come in pieces: one that is text continues a running text, or is one by itself.
    pub(crate) fn data_piece(
        &mut self,
        channel: Channel,
        value: Val<'_>,
        path: u32,
    ) -> Result<(), WireError> {
        let text = value.string().unwrap_or_default();
        let Content::Encoded(range) = media::base64_data(&text) else { return self.data(value, path) };
        let outer = self.push_layer(value.doc.layer, value.span(), Coding::Json)?;
        let layer = self.push_layer(outer, range.start as u32..range.end as u32, Coding::Base64)?;
        let inner = Coding::Base64.decode(text.get(range).unwrap_or_default()).into_owned();
        let (place, slot, span) = (Place::Document, Slot::Whole, 0..inner.len() as u32);
        self.list(Found { place, slot, path, layer, span, derived: false }, inner)?;
        self.pieces.push(Piece { channel, segment: self.message.segments.len() - 1, apart: true });
        Ok(())
    }

    /// One or several strings where the protocol has Base64 data.
    pub(crate) fn data_list(&mut self, value: Val<'_>, path: u32) -> Result<(), WireError> {
        if value.kind() != Kind::Array {
            return self.data(value, path);
        }
        value.items().try_for_each(|(index, item)| {
            let path = self.at_index(path, index);
            self.data(item, path)
        })
    }

    /// Data that the provider signs or encrypts: passed over, unless it does not look like it.
    pub(crate) fn opaque(&mut self, value: Val<'_>, path: u32) -> Result<(), WireError> {
        match value.string() {
            Some(text) if media::is_opaque(&text) => Ok(()),
            _ => self.text(Place::Other, value, path),
        }
    }

    /// A word of an enumeration, an identifier or a time: passed over, unless it is something else.
    pub(crate) fn word(&mut self, value: Val<'_>, path: u32) -> Result<(), WireError> {
        match value.string() {
            Some(text) if words::says_nothing(&text) => Ok(()),
            _ => self.free(Place::Other, value, path),
        }
    }

    /// The model asked for or answering: noted, and a text like any other unless it reads like a model's name.
    pub(crate) fn model(&mut self, value: Val<'_>, path: u32) -> Result<(), WireError> {
        let name = value.string();
        let plain = name.as_deref().is_some_and(words::is_model);
        self.message.model = name.map(Cow::into_owned);
        if plain { Ok(()) } else { self.text(Place::Other, value, path) }
    }

    /// Numbers, flags and words, or objects of them (token counts, dates, vectors): only texts in them are listed.
    pub(crate) fn measures(&mut self, value: Val<'_>, path: u32) -> Result<(), WireError> {
        match value.kind() {
            Kind::Object => value.members().try_for_each(|(key, member)| {
                let name = key.text();
                if !words::is_word(&name) {
                    self.key(Place::Other, path, key, &name)?;
                }
                self.measure(path, &name, member)
            }),
            Kind::Array => value.items().try_for_each(|(index, item)| {
                let path = self.at_index(path, index);
                self.measures(item, path)
            }),
            Kind::Str => self.word(value, path),
            Kind::Num if may_be_card(value) => self.number(Place::Other, value, path),
            _ => Ok(()),
        }
    }

    /// The member of this name as [`Collector::measures`]; numbers and flags need no path.
    pub(crate) fn measure(&mut self, parent: u32, name: &str, value: Val<'_>) -> Result<(), WireError> {
        if !matches!(value.kind(), Kind::Object | Kind::Array | Kind::Str) && !may_be_card(value) {
            return Ok(());
        }
        let path = self.at_key(parent, name);
        self.measures(value, path)
    }

    /// The member of this name as [`Collector::word`]; what says nothing needs no path.
    pub(crate) fn label(&mut self, parent: u32, name: &str, value: Val<'_>) -> Result<(), WireError> {
        if value.string().is_some_and(|text| words::says_nothing(&text)) {
            return Ok(());
        }
        let path = self.at_key(parent, name);
        self.word(value, path)
    }

    /// A value that repeats a listed text token by token (`logprobs`). A text cut into tokens cannot be searched, so the
    /// value goes as soon as anything of the message is edited; until then its strings are texts like any other.
    pub(crate) fn echoes(&mut self, value: Val<'_>, path: u32) -> Result<(), WireError> {
        self.echo(value);
        self.measures(value, path)
    }

    /// Notes that a value goes as soon as anything is edited.
    pub(crate) fn echo(&mut self, value: Val<'_>) {
        if matches!(value.kind(), Kind::Object | Kind::Array) {
            let with = if value.is_object() { "null" } else { "[]" };
            self.message.echoes.push(Echo { layer: value.doc.layer, span: value.span(), with });
        }
    }

    /// A piece of a running text of a stream: listed as it stands.
    pub(crate) fn piece(
        &mut self,
        channel: Channel,
        place: Place,
        value: Val<'_>,
        path: u32,
    ) -> Result<(), WireError> {
        self.add_piece(channel, place, value, path, false)
    }

    /// The same where no protocol says that the pieces belong together.
    pub(crate) fn piece_apart(
        &mut self,
        channel: Channel,
        place: Place,
        value: Val<'_>,
        path: u32,
    ) -> Result<(), WireError> {
        self.add_piece(channel, place, value, path, true)
    }

    fn add_piece(
        &mut self,
        channel: Channel,
        place: Place,
        value: Val<'_>,
        path: u32,
        apart: bool,
    ) -> Result<(), WireError> {
        let Some(text) = value.string() else { return self.free(place, value, path) };
        if text.is_empty() {
            return Ok(());
        }
        let slot = Slot::Text;
        let found = Found { place, slot, path, layer: value.doc.layer, span: value.span(), derived: false };
        self.list(found, text.into_owned())?;
        self.pieces.push(Piece { channel, segment: self.message.segments.len() - 1, apart });
        Ok(())
    }

    /// An event's data that is no JSON: a piece of running text as it stands.
    pub(crate) fn running(&mut self, text: &str, layer: u32) -> Result<(), WireError> {
        if text.is_empty() {
            return Ok(());
        }
        let (place, slot, path) = (Place::Assistant, Slot::Whole, crate::path::ROOT);
        self.list(
            Found { place, slot, path, layer, span: 0..text.len() as u32, derived: false },
            text.to_owned(),
        )?;
        let channel = Channel { group: OUTSIDE, kind: ChannelKind::Text, index: 0 };
        self.pieces.push(Piece { channel, segment: self.message.segments.len() - 1, apart: true });
        Ok(())
    }

    /// A text that fills (a stretch of) a document without being JSON.
    pub(crate) fn whole(
        &mut self,
        place: Place,
        doc: Doc<'_>,
        span: Range<u32>,
        path: u32,
    ) -> Result<(), WireError> {
        let text = doc.text.get(span.start as usize..span.end as usize).unwrap_or_default();
        let found =
            Found { place, slot: Slot::Whole, path, layer: doc.layer, span: span.clone(), derived: false };
        self.list(found, text.to_owned())?;
        self.second_reading(place, doc.layer, span, text, path, doc.level)
    }

    /// A decoded layer as a text of its own, read as JSON if it is.
    pub(crate) fn layer(
        &mut self,
        place: Place,
        outer: Doc<'_>,
        span: Range<u32>,
        coding: Coding,
        path: u32,
    ) -> Result<(), WireError> {
        let source = outer.text.get(span.start as usize..span.end as usize).unwrap_or_default();
        let text = coding.decode(source);
        let layer = self.push_layer(outer.layer, span, coding)?;
        let level = outer.level + 1;
        if let Some(nodes) = self.as_json(&text, level) {
            return self.free(place, Doc { text: &text, nodes: &nodes, layer, level }.root(), path);
        }
        self.whole(place, Doc { text: &text, nodes: &[], layer, level }, 0..text.len() as u32, path)
    }

    fn encoded(
        &mut self,
        place: Place,
        value: Val<'_>,
        text: &str,
        path: u32,
        content: Content,
    ) -> Result<(), WireError> {
        match content {
            Content::Encoded(range) if value.doc.level < MAX_LEVEL => {
                // The string may have escapes (`\/` in Base64): one layer for the string, one for what it encodes.
                let layer = self.push_layer(value.doc.layer, value.span(), Coding::Json)?;
                let outer = Doc { text, nodes: &[], layer, level: value.doc.level };
                self.layer(place, outer, range.start as u32..range.end as u32, Coding::Base64, path)
            }
            _ => {
                self.message.media += 1;
                Ok(())
            }
        }
    }

    fn written(
        &mut self,
        place: Place,
        value: Val<'_>,
        text: Cow<'_, str>,
        path: u32,
    ) -> Result<(), WireError> {
        let level = value.doc.level + 1;
        if let Some(nodes) = self.as_json(&text, level) {
            let layer = self.push_layer(value.doc.layer, value.span(), Coding::Json)?;
            return self.free(place, Doc { text: &text, nodes: &nodes, layer, level }.root(), path);
        }
        if text.is_empty() {
            return Ok(());
        }
        let hides = hides_escapes(&text);
        let slot = Slot::Text;
        let found = Found { place, slot, path, layer: value.doc.layer, span: value.span(), derived: false };
        if !hides || level > MAX_LEVEL {
            return self.list(found, text.into_owned());
        }
        let copy = text.clone().into_owned();
        self.list(found, copy)?;
        let layer = self.push_layer(value.doc.layer, value.span(), Coding::Json)?;
        self.second_reading(place, layer, 0..text.len() as u32, &text, path, level)
    }

    /// Lists the text once more with the escapes in it resolved, if there are any that could hide something.
    fn second_reading(
        &mut self,
        place: Place,
        parent: u32,
        span: Range<u32>,
        text: &str,
        path: u32,
        level: u8,
    ) -> Result<(), WireError> {
        if level > MAX_LEVEL || !hides_escapes(text) {
            return Ok(());
        }
        let inner = Coding::Loose.decode(text);
        if inner == text {
            return Ok(());
        }
        let layer = self.push_layer(parent, span, Coding::Loose)?;
        let whole = 0..inner.len() as u32;
        let found = Found { place, slot: Slot::Whole, path, layer, span: whole.clone(), derived: true };
        self.list(found, inner.clone().into_owned())?;
        self.second_reading(place, layer, whole, &inner, path, level + 1)
    }

    /// The nodes of a text that is, as a whole, a strict JSON object or array.
    fn as_json(&self, text: &str, level: u8) -> Option<Vec<crate::json::Node>> {
        if level > MAX_LEVEL || !looks_like_json(text) {
            return None;
        }
        scan(text, self.limits).ok()
    }

    pub(crate) fn push_layer(
        &mut self,
        parent: u32,
        span: Range<u32>,
        coding: Coding,
    ) -> Result<u32, WireError> {
        if self.message.layers.len() >= self.limits.max_segments {
            return Err(WireError::TooLarge { what: "texts inside texts", limit: self.limits.max_segments });
        }
        self.message.layers.push(Layer { parent, span, coding });
        Ok(self.message.layers.len() as u32 - 1)
    }

    fn list(&mut self, found: Found, text: String) -> Result<(), WireError> {
        if text.is_empty() {
            return Ok(());
        }
        if self.message.segments.len() >= self.limits.max_segments {
            return Err(WireError::TooLarge { what: "texts", limit: self.limits.max_segments });
        }
        let Found { place, slot, path, layer, span, derived } = found;
        self.message.segments.push(Segment { place, text, derived, slot, path, layer, span });
        Ok(())
    }

    /// Notes a tool call.
    pub(crate) fn calls(&mut self, name: Cow<'_, str>, arguments: Option<Val<'_>>) {
        let arguments = arguments.map(|value| Source {
            layer: value.doc.layer,
            span: value.span(),
            string: value.is_string(),
        });
        self.message.tool_calls.push(ToolCall { name: name.into_owned(), arguments });
    }
}

/// Whether a number has as many digits as a card's, and begins like one: a time in milliseconds or nanoseconds does not.
fn may_be_card(value: Val<'_>) -> bool {
    let digits = if value.kind() == Kind::Num { value.raw() } else { "" };
    (13..=19).contains(&digits.len()) && digits.starts_with(['3', '4', '5', '6'])
}

fn looks_like_json(text: &str) -> bool {
    let trimmed = text.trim_matches([' ', '\n', '\r', '\t']);
    (trimmed.starts_with('{') && trimmed.ends_with('}'))
        || (trimmed.starts_with('[') && trimmed.ends_with(']'))
}

/// Whether escapes in a text (that is not strict JSON) could hide something from a reader of the raw text.
fn hides_escapes(text: &str) -> bool {
    let Some(first) = memchr::memchr(b'\\', text.as_bytes()) else { return false };
    let start = text.trim_start();
    start.starts_with(['{', '[', '"'])
        || memchr::memmem::find(text.as_bytes().get(first..).unwrap_or_default(), b"\\u").is_some()
}
