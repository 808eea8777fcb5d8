//! Reads a form's parts into texts: fields, and readable files, whatever type they claim.
//!
//! A file is text if it is UTF-8. JSON in it is read as JSON; JSON lines each as what they are: a line of a batch in
//! the protocol that its `url` names, a line of training data by its format. Other files are media, unless they look
//! like text in another character set: that would be inspected as something other than it is. A part without a file
//! name is a field to many servers, whatever its type: what it requests counts, and it must be text or is refused.

use std::borrow::Cow;
use std::ops::Range;

use crate::besides;
use crate::body::{BodyKind, body_kind, is_binary, is_latin, names_character_set};
use crate::coding::{Coding, percent_decode};
use crate::collect::Collector;
use crate::error::{Limits, WireError, malformed};
use crate::json::{Doc, Kind, NO_LAYER, Node, Val, scan};
use crate::media;
use crate::message::{Echo, Message, Place};
use crate::multipart::{Part, boundary, parts};
use crate::path::ROOT;
use crate::protocol::Protocol;
use crate::read::{self, Answers, document};
use crate::route::route_of;
use crate::words;

/// Reads a `multipart/form-data` body. `content_type` is the header's whole value. `None` if it does not determine,
/// in one way for all parsers, how the body is split.
///
/// # Errors
/// [`WireError`]: it could be read in more than one way, contains text that is not UTF-8, or is over a limit.
pub fn read_multipart(
    content_type: &str,
    body: &[u8],
    limits: &Limits,
) -> Option<Result<Message, WireError>> {
    let boundary = boundary(content_type)?;
    Some(if body.len() > limits.max_body {
        Err(WireError::TooLarge { what: "bytes", limit: limits.max_body })
    } else {
        form(body, boundary, is_latin(content_type), limits)
    })
}

/// What a file's content is expected to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Nothing is declared.
    Any,
    /// One JSON document.
    Json,
    /// One JSON document per line.
    Lines,
}

/// If `latin`, some parsers read the form's names, and parts without their own character set, as Latin-1.
fn form(body: &[u8], boundary: &str, latin: bool, limits: &Limits) -> Result<Message, WireError> {
    let mut c = Collector::new(Message::new(Protocol::Json), limits);
    c.asks = true;
    let parts = parts(body, boundary)?;
    // Of several fields with the same name, the server chooses one.
    let any = |name: &[u8], says: fn(&[u8]) -> bool| {
        let mut fields = parts.iter().filter(|part| body.get(part.name.clone()) == Some(name));
        fields.any(|part| body.get(part.content.clone()).is_some_and(says))
    };
    // RFC 7578 § 4.6: it changes how the other parts are read.
    if any(b"_charset_", |charset| !charset.eq_ignore_ascii_case(b"utf-8")) {
        return malformed(0, "a form in another character set than UTF-8");
    }
    let lines = any(b"purpose", |purpose| matches!(purpose, b"batch" | b"fine-tune"));
    for part in &parts {
        one(&mut c, body, part, (lines, latin))?;
        if let Some(line) = &part.length_line {
            let span = line.start as u32..line.end as u32;
            c.message.echoes.push(Echo { layer: NO_LAYER, span, with: "" });
        }
    }
    Ok(c.message)
}

fn one(
    c: &mut Collector<'_>,
    body: &[u8],
    part: &Part,
    (lines, latin): (bool, bool),
) -> Result<(), WireError> {
    let name = text(body, &part.name)?;
    if latin && !part.headers(body).is_ascii() {
        return another_character_set(part);
    }
    let path = c.at_key(ROOT, name);
    names(c, body, part, name, path)?;
    let told = Told::of(body, part)?;
    if told.is_media(body.get(part.content.clone()).unwrap_or_default()) {
        c.message.media += 1;
        return Ok(());
    }
    let content = text(body, &part.content)?;
    if content.is_empty() {
        return Ok(());
    }
    if is_wide(content.as_bytes()) || told.may_be_latin(latin) && !content.is_ascii() {
        return another_character_set(part);
    }
    let layer = c.push_layer(NO_LAYER, part.content.start as u32..part.content.end as u32, Coding::Plain)?;
    let doc = Doc { text: content, nodes: &[], layer, level: 0 };
    let nodes = if told.is_field() { json(content, c.limits) } else { None };
    let value = nodes.as_ref().map(|nodes| Doc { nodes, ..doc }.root());
    if told.is_field() {
        asked_for(c, name, content, value)?;
    }
    if told.is_file() {
        return file(c, doc, told.shape(lines), path, part.content.start);
    }
    match value {
        Some(value) => c.free(Place::User, value, path),
        None => c.whole(Place::User, doc, 0..content.len() as u32, path),
    }
}

fn another_character_set<T>(part: &Part) -> Result<T, WireError> {
    malformed(part.content.start, "a part in another character set than UTF-8")
}

/// A range of a form that is text.
fn text<'b>(body: &'b [u8], range: &Range<usize>) -> Result<&'b str, WireError> {
    let bytes = body.get(range.clone()).unwrap_or_default();
    std::str::from_utf8(bytes)
        .or_else(|error| malformed(range.start + error.valid_up_to(), "text in a form that is not UTF-8"))
}

/// What a part's headers say about its content.
struct Told<'b> {
    kind: BodyKind,
    filename: Option<Cow<'b, str>>,
    /// Its type names UTF-8.
    utf_8: bool,
    /// Its type names Latin-1.
    latin: bool,
}

impl<'b> Told<'b> {
    fn of(body: &'b [u8], part: &Part) -> Result<Self, WireError> {
        let said = part.content_type.as_ref().map(|range| text(body, range)).transpose()?;
        let latin = said.is_some_and(is_latin);
        let kind = body_kind(said.filter(|_| !latin).or(said.and_then(|said| said.split(';').next())));
        match &kind {
            BodyKind::Unknown(why) if why == "charset" => return another_character_set(part),
            BodyKind::Multipart => return malformed(part.content.start, "a form inside a form"),
            _ => {}
        }
        // If both forms are present, all parsers read the second alike.
        let written = part.filename.as_ref().map(|range| text(body, range)).transpose()?.map(Cow::Borrowed);
        let again = part.extended.as_ref().map(|range| text(body, range)).transpose()?.map(percent_decode);
        let utf_8 = said.is_some_and(names_character_set) && !latin;
        Ok(Told { kind, filename: again.or(written), utf_8, latin })
    }

    /// Whether its type is textual, or missing.
    fn is_textual(&self) -> bool {
        matches!(
            self.kind,
            BodyKind::Empty
                | BodyKind::Json
                | BodyKind::Text
                | BodyKind::Lines
                | BodyKind::Form
                | BodyKind::EventStream
        )
    }

    fn is_file(&self) -> bool {
        self.filename.is_some() || !self.is_textual()
    }

    /// Some servers only check the file name, and treat an empty one as missing.
    fn is_field(&self) -> bool {
        self.filename.as_deref().is_none_or(str::is_empty)
    }

    /// Whether a parser may read its text as Latin-1: because of its own type, or, for a field, of its form's.
    fn may_be_latin(&self, form: bool) -> bool {
        self.latin || form && !self.utf_8 && self.is_field()
    }

    /// Whether servers take it for text because of its name, whatever its type.
    fn is_named_as_text(&self) -> bool {
        self.filename.as_deref().is_some_and(media::is_named_as_text)
    }

    /// Whether its content is not text, not even in another character set.
    fn is_media(&self, content: &[u8]) -> bool {
        if self.is_field() || self.is_named_as_text() {
            return false;
        }
        if std::str::from_utf8(content).is_ok() {
            return is_wide(content) && self.kind == BodyKind::Media;
        }
        (!self.is_textual() || self.kind == BodyKind::Empty) && is_binary(&self.kind, content)
    }

    fn shape(&self, lines: bool) -> Shape {
        let filename = self.filename.as_deref().unwrap_or_default().to_ascii_lowercase();
        if lines
            || self.kind == BodyKind::Lines
            || filename.ends_with(".jsonl")
            || filename.ends_with(".ndjson")
        {
            Shape::Lines
        } else if self.kind == BodyKind::Json || filename.ends_with(".json") {
            Shape::Json
        } else {
            Shape::Any
        }
    }
}

/// Whether about every other byte is NUL, as in UTF-16.
fn is_wide(content: &[u8]) -> bool {
    content.iter().filter(|b| **b == 0).count() * 8 >= content.len().max(1)
}

/// The names of a part: that of the field, unless the part is a file and the name is only a word, and those of the
/// file.
fn names(c: &mut Collector<'_>, body: &[u8], part: &Part, name: &str, path: u32) -> Result<(), WireError> {
    let first = c.message.segments.len();
    if !words::is_word(name) || part.filename.is_none() {
        named(c, Place::Other, (body, &part.name), name, path)?;
        c.names(first);
    }
    for range in [&part.filename, &part.extended].into_iter().flatten() {
        let filename = text(body, range)?;
        named(c, Place::Document, (body, range), filename, path)?;
        for stem in stems(filename) {
            named(c, Place::Document, (body, &(range.start..range.start + stem.len())), stem, path)?;
        }
    }
    match &part.word {
        Some((range, coding)) => word(c, body, range, *coding, path),
        None => Ok(()),
    }
}

/// A file name in an encoded word.
fn word(
    c: &mut Collector<'_>,
    body: &[u8],
    range: &Range<usize>,
    coding: Coding,
    path: u32,
) -> Result<(), WireError> {
    let text = text(body, range)?;
    // The part before two dots could not be replaced separately.
    if coding == Coding::Base64 && coding.decode(text).matches('.').count() > 1 {
        return malformed(range.start, "a file's name with two dots in an encoded word");
    }
    let layer = c.push_layer(NO_LAYER, range.start as u32..range.end as u32, Coding::Plain)?;
    let doc = Doc { text, nodes: &[], layer, level: 0 };
    c.layer(Place::Document, doc, 0..text.len() as u32, coding, path)?;
    if coding == Coding::Q {
        for stem in stems(text) {
            c.layer(Place::Document, doc, 0..stem.len() as u32, coding, path)?;
        }
    }
    Ok(())
}

/// A name without what follows its last dot, and its last two: an extension is not part of a value before it
/// (`536….tar.gz`).
fn stems(name: &str) -> impl Iterator<Item = &str> {
    fn stem(name: &str) -> Option<&str> {
        let (stem, kind) = last_dot(name)?;
        (kind.len() <= 8 && kind.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(stem)
    }
    std::iter::successors(stem(name), |name| stem(name)).take(2)
}

/// The texts before and after the last dot, which may be written as `%2E`.
fn last_dot(name: &str) -> Option<(&str, &str)> {
    let encoded = name.to_ascii_lowercase().rfind("%2e");
    match (name.rfind('.'), encoded) {
        (dot, Some(at)) if dot.is_none_or(|dot| dot < at) => Some((name.get(..at)?, name.get(at + 3..)?)),
        (Some(_), _) => name.rsplit_once('.'),
        _ => None,
    }
}

/// Notes what a field requests; its content may be JSON.
fn asked_for(
    c: &mut Collector<'_>,
    name: &str,
    content: &str,
    value: Option<Val<'_>>,
) -> Result<(), WireError> {
    read::asked_for(c, name, content)?;
    if name == "stream" {
        c.message.stream = content.eq_ignore_ascii_case("true");
    }
    value.map_or(Ok(()), |value| besides::member(c, name, value, true, 1))
}

/// A name in a header, mostly in quotes: as it is, and with `%XX` resolved, as some servers read it.
fn named(
    c: &mut Collector<'_>,
    place: Place,
    (body, range): (&[u8], &Range<usize>),
    text: &str,
    path: u32,
) -> Result<(), WireError> {
    let before = range.start.checked_sub(1).and_then(|at| body.get(at));
    let coding = if before == Some(&b'"') { Coding::Quoted } else { Coding::Token };
    let layer = c.push_layer(NO_LAYER, range.start as u32..range.end as u32, coding)?;
    let doc = Doc { text, nodes: &[], layer, level: 0 };
    c.whole(place, doc, 0..text.len() as u32, path)?;
    if text.contains('_') {
        // In names, they stand for spaces.
        let spaced = text.replace('_', " ");
        c.whole(place, Doc { text: &spaced, ..doc }, 0..text.len() as u32, path)?;
    }
    if text.contains('%') {
        c.layer(place, doc, 0..text.len() as u32, Coding::Form, path)?;
    }
    Ok(())
}

/// A file that is text. If declared as JSON it must be strict JSON, or JSON lines: a parser may read it as that.
fn file(
    c: &mut Collector<'_>,
    doc: Doc<'_>,
    shape: Shape,
    path: u32,
    offset: usize,
) -> Result<(), WireError> {
    let text = doc.text;
    if shape != Shape::Lines
        && let Some(nodes) = json(text, c.limits)
    {
        return c.free(Place::Document, Doc { nodes: &nodes, ..doc }.root(), path);
    }
    let are_lines = |is: &dyn Fn(&str) -> bool| each_line(text).all(|(_, line)| is(line));
    if shape == Shape::Json {
        return match scan(text, c.limits) {
            // A JSON document that is only a string or number.
            Ok(nodes) => c.free(Place::Document, Doc { nodes: &nodes, ..doc }.root(), path),
            // A parser that accepts several documents reads them one after the other.
            Err(_) if are_lines(&|line| scan(line, c.limits).is_ok()) => self::lines(c, doc, path, offset),
            Err(error) => Err(error.moved(offset)),
        };
    }
    if shape == Shape::Lines || text.starts_with('{') && are_lines(&|line| json(line, c.limits).is_some()) {
        return self::lines(c, doc, path, offset);
    }
    c.whole(Place::Document, doc, 0..text.len() as u32, path)
}

/// Lines that are not blank, and their offsets.
fn each_line(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let at = next;
        next += line.len();
        (!line.trim_ascii().is_empty()).then_some((at, line))
    })
}

fn lines(c: &mut Collector<'_>, doc: Doc<'_>, path: u32, offset: usize) -> Result<(), WireError> {
    let mut answers = Answers::default();
    if c.message.model.is_some() {
        answers.add(c, Some(0));
    }
    for (index, (at, line)) in each_line(doc.text).enumerate() {
        let nodes = scan(line, c.limits).map_err(|error| error.moved(offset + at))?;
        // Relative to the body, not to the file: a line can then be accessed without reading the file again.
        let start = offset + at;
        let layer = c.push_layer(NO_LAYER, start as u32..(start + line.len()) as u32, Coding::Plain)?;
        let root = Doc { text: line, nodes: &nodes, layer, level: 0 }.root();
        let path = c.at_index(path, index as u32);
        self::line(c, root, path)?;
        let bound = c.message.max_output.take();
        answers.add(c, bound);
        c.message.protocol = Protocol::Json;
        c.message.mcp = false;
    }
    answers.end(c);
    "files".clone_into(&mut c.message.operation);
    Ok(())
}

/// One line: a batch's (`custom_id`, `method`, `url`, `body`), or a document by its format.
fn line(c: &mut Collector<'_>, root: Val<'_>, path: u32) -> Result<(), WireError> {
    let url = root.get_text("url").filter(|_| root.get("body").is_some_and(Val::is_object));
    let Some(url) = url else { return document(c, None, root, path) };
    for (key, member) in root.members() {
        if &*key.text() == "body" {
            c.message.protocol = route_of("POST", &url, Some("application/json")).protocol;
            let path = c.at_key(path, "body");
            document(c, None, member, path)?;
        } else {
            c.unknown(Place::Other, path, key, member)?;
        }
    }
    Ok(())
}

/// The nodes of a strict JSON object or array.
fn json(text: &str, limits: &Limits) -> Option<Vec<Node>> {
    let nodes = text.trim_ascii_start().starts_with(['{', '[']).then(|| scan(text, limits).ok())??;
    let kind = nodes.first().map(|node| node.kind);
    matches!(kind, Some(Kind::Object | Kind::Array)).then_some(nodes)
}
