//! Collects the texts of a document in a [`Message`]: the basis of every protocol's reader.

mod measures;
mod nested;
mod pieces;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::bound::in_small_letters;
use crate::error::{Limits, WireError, malformed};
use crate::json::{Doc, Kind, Val, plain_digits};
use crate::media;
use crate::message::{Message, Place, Segment, Slot, Source, ToolCall};
use crate::sdp;
use crate::stream::{Channel, Close, Label, Piece, arguments};
use crate::words;

/// Members, each with the error for one that is spelled in other letter case.
macro_rules! members {
    ($($name:literal),* $(,)?) => {
        &[$((
            $name,
            concat!("`", $name, "` in other letters, which some servers take for it: write it in small ones"),
        )),*]
    };
}

/// Protocol members that matter to policies.
const NAMES: &[(&str, &str)] = members![
    "arguments",
    "choices",
    "content",
    "contents",
    "delta",
    "function",
    "functions",
    "input",
    "instructions",
    "jsonrpc",
    "message",
    "messages",
    "method",
    "model",
    "models",
    "name",
    "params",
    "prompt",
    "result",
    "role",
    "system",
    "text",
    "tools",
    "uri",
];

/// Checks that a member's name is not one of those in another letter case.
///
/// # Errors
/// [`WireError::Malformed`]: it is.
pub(crate) fn in_its_letters(key: Val<'_>) -> Result<(), WireError> {
    let name = key.text();
    if !name.bytes().any(|b| b.is_ascii_uppercase() || b >= 0x80) {
        return Ok(());
    }
    let small = in_small_letters(&name);
    match NAMES.iter().find(|(known, _)| *known != name && *known == small) {
        Some((_, reason)) => malformed(key.span().start as usize, reason),
        None => Ok(()),
    }
}

/// Builds a message while a reader walks the document.
pub(crate) struct Collector<'l> {
    pub(crate) message: Message,
    /// Whether it is a request's.
    pub(crate) asks: bool,
    /// Whether the protocol is only known from the body's format.
    pub(crate) told_by_form: bool,
    /// Whether the current texts are the model's thoughts.
    pub(crate) thinks: bool,
    pub(crate) limits: &'l Limits,
    /// Models in `message.other_models`, to note each once.
    other_models: BTreeSet<String>,
    /// How many of `message.tool_items` belong to other documents in the same body: each of its lines may be a
    /// document.
    pub(crate) tools_before: usize,
    /// Streams: pieces of running texts, and which of these end.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) closes: Vec<Close>,
    /// Streams: the names and ids that this event gives its tool calls.
    pub(crate) labels: Vec<Label>,
    /// Streams: segments that repeat a running text.
    pub(crate) repeats: Vec<(Channel, usize)>,
    /// Streams: a running text continues, even if with an empty piece.
    pub(crate) speaks: bool,
}

/// A text to be listed, and its position.
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
        Self {
            message,
            asks: false,
            told_by_form: false,
            thinks: false,
            limits,
            other_models: BTreeSet::new(),
            tools_before: 0,
            pieces: Vec::new(),
            closes: Vec::new(),
            labels: Vec::new(),
            repeats: Vec::new(),
            speaks: false,
        }
    }

    /// The path to a member.
    pub(crate) fn at_key(&mut self, parent: u32, key: &str) -> u32 {
        self.message.paths.key(parent, key)
    }

    /// The path to an item.
    pub(crate) fn at_index(&mut self, parent: u32, index: u32) -> u32 {
        self.message.paths.index(parent, index)
    }

    /// A member that the protocol does not define: its name and everything in it. It is refused if servers that
    /// ignore letter case (Go's `encoding/json`, .NET) would take it for a member that the protocol defines.
    pub(crate) fn unknown(
        &mut self,
        place: Place,
        parent: u32,
        key: Val<'_>,
        value: Val<'_>,
    ) -> Result<(), WireError> {
        in_its_letters(key)?;
        self.member(place, parent, key, value)
    }

    /// A member of a free-form object.
    pub(crate) fn member(
        &mut self,
        place: Place,
        parent: u32,
        key: Val<'_>,
        value: Val<'_>,
    ) -> Result<(), WireError> {
        let name = key.text();
        // A schema mostly consists of the same few words.
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

    /// Everything in a free-form value: keys, strings, large numbers. Recursion is bounded by the scanner's depth
    /// limit times the levels of nested texts.
    pub(crate) fn free(&mut self, place: Place, value: Val<'_>, path: u32) -> Result<(), WireError> {
        match value.kind() {
            Kind::Object => {
                value.members().try_for_each(|(key, member)| self.member(place, path, key, member))
            }
            Kind::Array => value.items().try_for_each(|(index, item)| {
                let path = self.at_index(path, index);
                self.free(place, item, path)
            }),
            Kind::Str if value.string().is_some_and(|text| media::is_media(&text)) => {
                self.message.media += 1;
                Ok(())
            }
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

    /// A text that fills (a range of) a document without being JSON; of a session description, only what does not
    /// belong to the connection.
    pub(crate) fn whole(
        &mut self,
        place: Place,
        doc: Doc<'_>,
        span: Range<u32>,
        path: u32,
    ) -> Result<(), WireError> {
        let text = doc.text.get(span.start as usize..span.end as usize).unwrap_or_default();
        for stretch in sdp::searched(text) {
            let text = text.get(stretch.clone()).unwrap_or_default();
            let span = span.start + stretch.start as u32..span.start + stretch.end as u32;
            let found = Found {
                place,
                slot: Slot::Whole,
                path,
                layer: doc.layer,
                span: span.clone(),
                derived: false,
            };
            self.list(found, text.to_owned())?;
            self.second_reading(place, doc.layer, span, text, path, doc.level)?;
        }
        Ok(())
    }

    fn list(&mut self, found: Found, text: String) -> Result<(), WireError> {
        if text.is_empty() {
            return Ok(());
        }
        if self.message.segments.len() >= self.limits.max_segments {
            return Err(WireError::TooLarge { what: "texts", limit: self.limits.max_segments });
        }
        let Found { place, slot, path, layer, span, derived } = found;
        let thought = self.thinks;
        self.message.segments.push(Segment { place, text, derived, thought, slot, path, layer, span });
        Ok(())
    }

    /// Marks what was listed from there on as the name of the next value.
    pub(crate) fn names(&mut self, first: usize) {
        let listed = self.message.segments.iter_mut().skip(first);
        listed.filter(|segment| segment.slot == Slot::Whole).for_each(|segment| segment.slot = Slot::Name);
    }

    /// Notes a tool call.
    pub(crate) fn calls(&mut self, name: Cow<'_, str>, arguments: Option<Val<'_>>) {
        let arguments = arguments.map(|value| Source {
            layer: value.doc.layer,
            span: value.span(),
            string: value.is_string(),
        });
        self.message.tool_calls.push(ToolCall {
            name: name.into_owned(),
            joined: false,
            own: false,
            server: None,
            runs: None,
            arguments,
        });
    }

    /// Sets the channel of the arguments for the calls noted after the first `from`.
    pub(crate) fn calls_run(&mut self, from: usize, runs: Channel) {
        self.message.tool_calls.iter_mut().skip(from).for_each(|call| call.runs = Some(runs));
    }

    /// The same for calls noted from a list of blocks or items, where each one's index is its group.
    pub(crate) fn calls_run_in(&mut self, from: usize, list: Val<'_>) {
        let mut calls = self.message.tool_calls.iter_mut().skip(from).peekable();
        for (index, item) in list.items() {
            let name = item.get_text("name").or_else(|| item.get_text("type")).unwrap_or_default();
            if let Some(call) = calls.next_if(|call| call.name == name) {
                call.runs = Some(arguments(index));
            }
        }
    }
}
