//! Events of a stream: which running texts they continue, which they end, and what they state completely.

mod anthropic;
mod chat;
mod responses;
mod shape;
mod unknown;
pub(crate) mod within;

use std::borrow::Cow;

use crate::a2a;
use crate::bedrock;
use crate::coding::Coding;
use crate::collect::Collector;
use crate::error::{Limits, WireError, malformed, utf8};
use crate::framing::Event;
use crate::gemini;
use crate::json::{Doc, Kind, NO_LAYER, Val, scan};
use crate::lines;
use crate::message::{Message, Place};
use crate::ollama;
use crate::path::ROOT;
use crate::protocol::Protocol;
use crate::read::document;
use crate::sse;
use crate::usage;
use crate::words;
use shape::{Shape, Within, shape_of};

/// The kind of a running text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChannelKind {
    /// The text of the answer.
    Text,
    /// The text of the answer in one of its blocks or items, which clients join: each continues where the last one of
    /// another group ended.
    Block,
    /// Consecutive messages, each complete or a piece of its sender's text: none waits for the next.
    Messages,
    /// The text of a refusal.
    Refusal,
    /// Reasoning or thinking.
    Reasoning,
    /// A tool call's arguments: JSON in pieces. Must also be scanned with its escapes resolved
    /// ([`resolve_escapes`](crate::resolve_escapes)); write with [`escape_json`](crate::escape_json).
    ToolArguments,
    /// A tool call's input that is not JSON: a command, code, the free text of a custom tool.
    ToolInput,
    /// The transcript of spoken words.
    Transcript,
    /// Tokens that repeat another text (`logprobs`) and are not displayed.
    Tokens,
    /// Another text that comes in pieces.
    Other,
}

/// One running text of a stream. The pieces of a channel, joined in order, are the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel {
    /// Index of the choice, content block or output item.
    pub group: u32,
    /// What kind of text.
    pub kind: ChannelKind,
    /// Index of the tool call or content part inside the group; for [`ChannelKind::Other`] it distinguishes fields.
    pub index: u32,
}

impl Channel {
    /// Whether the text is outside a protocol's own events, so that it is unknown whether it continues.
    pub fn is_outside(&self) -> bool {
        self.group == OUTSIDE
    }

    /// The call whose arguments these are: its choice, block or item, and its index within that.
    pub fn call(&self) -> (u32, u32) {
        (self.group, self.index & (MAX_INDEX as u32 - 1))
    }

    /// Whether its group is one of choices, blocks or items, which are numbered and may take turns, however many
    /// there are.
    pub fn is_numbered(&self) -> bool {
        u64::from(self.group) < MAX_INDEX
    }
}

/// A piece of a running text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The text it continues.
    pub channel: Channel,
    /// Index into the segments of [`StreamItem::message`], which contain the piece's text and place.
    pub segment: usize,
    /// No protocol defines that the pieces of this text belong together: each may also be a separate text, and must
    /// be judged as both.
    pub apart: bool,
    /// An adjacent index or id may separate this text from others at the same place, which no protocol defines
    /// either: the channel that it then belongs to.
    pub turn: Option<Channel>,
    /// It is in a list of parts, as in complete messages: another event shows that it does not continue.
    pub whole: bool,
}

impl Piece {
    pub(crate) fn new(channel: Channel, segment: usize, apart: bool) -> Self {
        Piece { channel, segment, apart, turn: None, whole: false }
    }
}

/// Running texts that end with this event; they must not continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Close {
    /// This one.
    Channel(Channel),
    /// All of a choice, content block or output item.
    Group(u32),
    /// The same, but some providers send it with every piece: it applies once the stream continues with another one.
    Perhaps(u32),
    /// None; but what waits in this one need not wait any longer once the stream continues with another. It may
    /// continue.
    Pauses(u32),
    /// None; but what waits in a choice, or in texts of no protocol ([`Channel::is_outside`]), need not wait any
    /// longer: the event says something else, and another may not come for a while.
    Rests(u32),
    /// None; but nothing needs to wait any longer.
    AllRest,
    /// None by itself; but the stream continues with something else.
    Elsewhere,
    /// All.
    All,
}

/// The name or the id of a tool call. It comes complete, and clients join repeated ones: a second one must be refused
/// unless it is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The call, as the channel of its arguments.
    pub call: Channel,
    /// The field: `name` or `id`.
    pub field: &'static str,
    /// Its text, never empty; if the provider made up the id, only this fact.
    pub text: String,
}

/// The contents of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamItem {
    /// Pieces of running texts. Their segments must be judged together with the text before and after.
    pub pieces: Vec<Piece>,
    /// What ends here, after the event's own pieces.
    pub closes: Vec<Close>,
    /// Names and ids of tool calls whose arguments come in pieces.
    pub labels: Vec<Label>,
    /// Segments that repeat a whole running text.
    pub repeats: Vec<(Channel, usize)>,
    /// It has no content and only keeps the connection alive: a comment, Anthropic's `ping`.
    pub idle: bool,
    /// Everything in the event. Segments that are not pieces are complete texts: events that repeat a finished text,
    /// MCP messages, ids, comments. Also usage, tool calls (by name; arguments come in pieces), model.
    pub message: Message,
}

impl StreamItem {
    /// A piece's text.
    pub fn text(&self, piece: &Piece) -> &str {
        self.message.segments.get(piece.segment).map_or("", |segment| segment.text.as_str())
    }

    /// Whether a segment is a piece of a running text.
    pub fn is_piece(&self, segment: usize) -> bool {
        self.piece(segment).is_some()
    }

    /// Whether it is a piece of a text that its protocol joins, so that adjacent parts are pieces of one text.
    pub fn runs_on(&self, segment: usize) -> bool {
        self.piece(segment).is_some_and(|piece| !piece.channel.is_outside())
    }

    fn piece(&self, segment: usize) -> Option<&Piece> {
        // Sorted in the order in which they were read.
        let at = self.pieces.binary_search_by_key(&segment, |piece| piece.segment).ok()?;
        self.pieces.get(at)
    }
}

/// Reads an event of a response. `protocol` and `operation` are those of the request's message.
///
/// # Errors
/// [`WireError`]: data that begins like JSON but is not strictly JSON, or is over a limit.
pub fn read_event(
    protocol: Protocol,
    operation: &str,
    event: &Event,
    limits: &Limits,
) -> Result<StreamItem, WireError> {
    let mut message = Message::new(protocol);
    operation.clone_into(&mut message.operation);
    let mut c = Collector::new(message, limits);
    match event {
        Event::Sse(event) => {
            // A parsed event is UTF-8.
            let raw = std::str::from_utf8(&event.raw).unwrap_or_default();
            frame(&mut c, Doc { text: raw, nodes: &[], layer: NO_LAYER, level: 0 })?;
            match &event.data {
                Some(_) if event.is_done() => c.closes.push(Close::All),
                Some(data) => {
                    let layer = c.push_layer(NO_LAYER, 0..raw.len() as u32, Coding::Sse)?;
                    match event.name.as_deref() {
                        Some("endpoint") if !data.starts_with(['{', '[', '"']) => {
                            endpoint(&mut c, data, layer)?
                        }
                        _ if !protocol.is_settled() && sse::is_bare(raw) && scan(data, limits).is_err() => {
                            bare_lines(&mut c, operation, raw)?;
                        }
                        _ => self::data(&mut c, operation, data, layer, Within::Event)?,
                    }
                }
                None => {}
            }
        }
        Event::Json(raw) => line(&mut c, operation, utf8(raw)?)?,
        Event::Amazon(frame) => {
            self::data(&mut c, operation, utf8(frame.payload())?, NO_LAYER, Within::Frame)?;
        }
        Event::Gap(_) => {}
    }
    let says = !c.pieces.is_empty() || !c.closes.is_empty() || !c.labels.is_empty();
    let idle = !says && c.message.segments.is_empty() && keeps_alive(event);
    let Collector { pieces, closes, labels, repeats, message, .. } = c;
    Ok(StreamItem { pieces, closes, labels, repeats, idle, message })
}

/// Reads a line, or an item of an array.
fn line(c: &mut Collector<'_>, operation: &str, line: &str) -> Result<(), WireError> {
    let Some((code, json)) = lines::coded(line) else {
        // If a server declares lines but sends events, its clients would read them as events.
        if line.starts_with("data:") || line.starts_with("event:") {
            return malformed(0, "an event among lines of JSON");
        }
        return data(c, operation, line, NO_LAYER, Within::Line);
    };
    // Its client reads JSON after a code, and stops if there is none.
    scan(json, c.limits)?;
    let layer = c.push_layer(NO_LAYER, (line.len() - json.len()) as u32..line.len() as u32, Coding::Plain)?;
    data(c, operation, json, layer, Within::Coded(code))
}

/// Lines without a field name, in an unknown protocol: each is one JSON value, or a text that begins with a bracket.
fn bare_lines(c: &mut Collector<'_>, operation: &str, raw: &str) -> Result<(), WireError> {
    for line in sse::lines(raw) {
        let text = raw.get(line.clone()).unwrap_or_default();
        // Most clients read this field, and nothing else of the event.
        if text.starts_with("data") {
            return malformed(line.start, "JSON that stands among an event's fields");
        }
        let layer = c.push_layer(NO_LAYER, line.start as u32..line.end as u32, Coding::Plain)?;
        match scan(text, c.limits) {
            Ok(_) => data(c, operation, text, layer, Within::Event)?,
            Err(_) => c.running(text, layer)?,
        }
    }
    Ok(())
}

fn keeps_alive(event: &Event) -> bool {
    let Event::Sse(event) = event else { return false };
    // A client that reconnects says which event it saw last: an event with an id must not overtake others.
    if event.id.is_some() {
        return false;
    }
    let ping = |data: &str| data.split_ascii_whitespace().collect::<String>() == r#"{"type":"ping"}"#;
    match &event.data {
        Some(data) => ping(data),
        // A name alone can have a meaning: that the response is complete, for example (LangServe).
        None => event.name.is_none(),
    }
}

/// The URL to which the client sends its messages, in MCP's older transport (HTTP with SSE, 2024-11-05). It is
/// complete, and its host is the server's own.
fn endpoint(c: &mut Collector<'_>, address: &str, layer: u32) -> Result<(), WireError> {
    let path = match address.split_once("://") {
        Some((scheme, rest)) => scheme.len() + 3 + rest.find(['/', '?', '#']).unwrap_or(rest.len()),
        None => 0,
    };
    let doc = Doc { text: address, nodes: &[], layer, level: 0 };
    c.whole(Place::Other, doc, path as u32..address.len() as u32, ROOT)
}

/// Comments, names, ids and unknown fields: none of them may carry anything that must not pass.
fn frame(c: &mut Collector<'_>, doc: Doc<'_>) -> Result<(), WireError> {
    let bare = sse::is_bare(doc.text);
    for line in sse::lines(doc.text) {
        let (name, value) = sse::field(doc.text, line.clone(), bare);
        let text = doc.text.get(value.clone()).unwrap_or_default();
        let plain = words::is_event_id(text);
        let span = match name {
            "data" => continue,
            "" | "event" | "id" | "retry" if plain => continue,
            "" | "event" | "id" | "retry" => value,
            // Some clients read the line separately.
            _ if sse::is_bare(doc.text.get(line.clone()).unwrap_or_default())
                && c.message.protocol.is_settled() =>
            {
                return malformed(line.start, "JSON that stands among an event's fields");
            }
            _ => line,
        };
        c.whole(Place::Other, doc, span.start as u32..span.end as u32, ROOT)?;
    }
    Ok(())
}

fn data(
    c: &mut Collector<'_>,
    operation: &str,
    data: &str,
    layer: u32,
    within: Within,
) -> Result<(), WireError> {
    let start = data.trim_start();
    let container = start.starts_with(['{', '[']);
    let nodes = match scan(data, c.limits) {
        Ok(nodes) if container || start.starts_with('"') => nodes,
        Err(error)
            if container
                && (within == Within::Line || c.message.protocol.is_settled() || may_be_read(start)) =>
        {
            return Err(error);
        }
        _ if sse::begins_another(data) => return malformed(0, sse::OTHER_LINE),
        _ => return c.running(data, layer),
    };
    let root = Doc { text: data, nodes: &nodes, layer, level: 0 }.root();
    if root.is_string() {
        // Lines with the same code continue a separate text.
        let code = if let Within::Coded(code) = within { u32::from(code) } else { 0 };
        if let Some(event) = event_within(c, root).filter(|_| code == 0) {
            let layer = c.push_layer(layer, root.span(), Coding::Json)?;
            return self::data(c, operation, &event, layer, Within::Member);
        }
        let channel = Channel { group: OUTSIDE, kind: ChannelKind::Text, index: 1 + code };
        return c.piece_apart(channel, Place::Assistant, root, ROOT);
    }
    c.message.usage = usage::reported(c.message.protocol, root);
    let shape = shape_of(c.message.protocol, root, within);
    match shape {
        Shape::Chat => chat::read(c, root),
        Shape::Responses => responses::read(c, root),
        Shape::Anthropic => anthropic::read(c, root),
        Shape::Gemini => gemini::read(c, root, ROOT, true),
        Shape::Ollama => ollama::read(c, root, ROOT, ollama::Of::Line),
        Shape::Bedrock => bedrock::event(c, root, ROOT),
        Shape::A2a => a2a::read(c, root, ROOT, Some(operation), true),
        Shape::Inside(text) => inside(c, operation, root, text),
        Shape::Whole => document(c, Some(operation), root, ROOT),
        Shape::Unknown => unknown::unknown(c, operation, root, ROOT, 0),
    }?;
    if matches!(shape, Shape::Unknown) && !c.speaks && !unknown::may_precede_text(root) {
        c.closes.push(Close::Rests(OUTSIDE));
    }
    Ok(())
}

/// The event that a string contains as a whole: some servers encode their JSON events as JSON once more (agents on
/// AgentCore).
fn event_within<'d>(c: &Collector<'_>, root: Val<'d>) -> Option<Cow<'d, str>> {
    let text = root.string().filter(|text| text.trim_start().starts_with('{'))?;
    let nodes = scan(&text, c.limits).ok()?;
    let says =
        Doc { text: &text, nodes: &nodes, layer: NO_LAYER, level: 0 }.root().members().next().is_some();
    says.then_some(text)
}

/// Whether a lenient parser may accept data that is not strict JSON: it ends with a bracket, as it begins, and
/// contains a string. In an unknown protocol, anything else is text that begins with a bracket.
fn may_be_read(data: &str) -> bool {
    data.trim_end().ends_with(['}', ']']) && data.contains('"')
}

/// Bedrock's InvokeModelWithResponseStream: each event of the model in Base64, next to padding. Its InvokeAgent:
/// pieces of a text.
fn inside(c: &mut Collector<'_>, operation: &str, root: Val<'_>, bytes: Val<'_>) -> Result<(), WireError> {
    for (key, member) in root.members().filter(|(_, member)| member.at != bytes.at) {
        bedrock::shared(c, ROOT, key, member)?;
    }
    let outer = c.push_layer(bytes.doc.layer, bytes.span(), Coding::Json)?;
    let written = bytes.text();
    let layer = c.push_layer(outer, 0..written.len() as u32, Coding::Base64)?;
    let text = Coding::Base64.decode(&written);
    if text.is_empty() && !written.is_empty() {
        return malformed(0, "an event that is no text");
    }
    if c.message.protocol.is_settled() {
        data(c, operation, &text, layer, Within::Member)
    } else {
        c.running(&text, layer)
    }
}

/// The group of texts that are outside a protocol's own events.
pub(crate) const OUTSIDE: u32 = u32::MAX;
/// No response has more choices, blocks or calls than this; higher bits distinguish fields of one of them.
const MAX_INDEX: u64 = 1 << 24;

/// The index in a member; `None` if it is absent. What two clients could read differently is refused.
pub(crate) fn index_of(value: Val<'_>, name: &str) -> Result<Option<u32>, WireError> {
    match value.get(name) {
        None => Ok(None),
        Some(index) if index.kind() == Kind::Null => Ok(None),
        Some(index) => match index.unsigned() {
            Some(number) if number < MAX_INDEX && index.raw().bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Some(number as u32))
            }
            _ => malformed(index.span().start as usize, "an index that is no plain number"),
        },
    }
}

/// The arguments of the only call in a content block or output item.
pub(crate) fn arguments(group: u32) -> Channel {
    Channel { group, kind: ChannelKind::ToolArguments, index: 0 }
}

/// The corresponding running text of another field, which clients do not join with the first.
pub(crate) fn beside(channel: Channel, field: u32) -> Channel {
    Channel { index: channel.index | field << 24, ..channel }
}

/// Distinguishes running texts in fields without a defined meaning (FNV-1a).
pub(crate) fn field_hash(seed: u32, name: &str) -> u32 {
    name.bytes().fold(0x811C_9DC5 ^ seed, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
