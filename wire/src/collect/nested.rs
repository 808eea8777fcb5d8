//! Texts, and texts nested in them: JSON in a string, Base64, escapes that some readers resolve.

use std::borrow::Cow;
use std::ops::Range;

use super::{Collector, Found};
use crate::coding::Coding;
use crate::error::{WireError, malformed};
use crate::json::{Doc, Kind, Node, Val, scan};
use crate::layers::Layer;
use crate::media::{self, Content};
use crate::message::{Place, Slot};
use crate::words;

/// The maximum depth of nested texts.
const MAX_LEVEL: u8 = 4;

impl Collector<'_> {
    /// A text. If it is itself JSON, it is read as JSON; a `data:` URL is media or the text that it encodes. A value
    /// that is not a string (in a text field of the protocol) is read as free form.
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

    /// Data in a request that its container declares as text must be UTF-8 text, or is refused, as in a part of a
    /// form.
    pub(crate) fn is_as_said(&self, holder: Val<'_>, data: Val<'_>) -> Result<(), WireError> {
        let text = data.string().filter(|_| self.asks && media::says_text(holder)).unwrap_or_default();
        let media = [media::base64_data(&text), media::data_url(&text)].contains(&Content::Media);
        if media { in_another_character_set(data) } else { Ok(()) }
    }

    /// Whether a string in a request is Base64 of something other than text, although its container may declare it as
    /// text (`says_text`, which is only called for media).
    pub(crate) fn holds_media(
        &self,
        says_text: impl FnOnce() -> bool,
        data: Val<'_>,
    ) -> Result<bool, WireError> {
        let text = data.string().unwrap_or_default();
        let content = media::base64_data(&text);
        let media = [content.clone(), media::data_url(&text)].contains(&Content::Media);
        if media && self.asks && says_text() {
            return in_another_character_set(data).map(|()| true);
        }
        match content {
            Content::Media if media::is_in_another_character_set(&text) => {
                in_another_character_set(data).map(|()| true)
            }
            // An id may consist of the same letters.
            content => Ok(content == Content::Media && !words::says_nothing(&text)),
        }
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

    /// Lists a decoded layer as a separate text, read as JSON if it is JSON.
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
            Content::Escaped if self.asks => malformed(
                value.span().start as usize,
                "text in Base64 with escapes in it: write the address without them",
            ),
            Content::Escaped => self.written(place, value, Cow::Borrowed(text), path),
            _ if self.asks && media::is_in_another_character_set(text) => in_another_character_set(value),
            _ => {
                self.message.media += 1;
                let data = text.split_once(',').map_or(text, |(_, data)| data);
                // A reader that ignores the declared type reads it as text.
                let legible = media::is_legible(data);
                if legible { self.written(place, value, Cow::Borrowed(text), path) } else { Ok(()) }
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

    /// Lists the text once more with its escapes resolved, if any of them could hide something.
    pub(super) fn second_reading(
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
    fn as_json(&self, text: &str, level: u8) -> Option<Vec<Node>> {
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
}

fn in_another_character_set(value: Val<'_>) -> Result<(), WireError> {
    malformed(value.span().start as usize, "text in Base64 in another character set than UTF-8")
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
