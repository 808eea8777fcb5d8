//! Reads a whole body into a [`Message`].

use std::borrow::Cow;
use std::collections::BTreeSet;

use memchr::memchr;

use crate::a2a;
use crate::anthropic;
use crate::bedrock;
use crate::besides;
use crate::bound::{self, is_one_of};
use crate::coding::{Coding, form_error};
use crate::collect::Collector;
use crate::elsewhere;
use crate::error::{Limits, WireError, utf8};
use crate::gemini;
use crate::json::{Doc, Kind, NO_LAYER, Val, scan, scan_bytes};
use crate::mcp;
use crate::message::{Message, Place};
use crate::ollama;
use crate::openai;
use crate::path::ROOT;
use crate::protocol::Protocol;
use crate::repeated;
use crate::usage;
use crate::values;

/// Reads a request's body. If the path determined the protocol, it is kept; on an unknown path, the body's format
/// decides.
///
/// An empty body gives an empty message. For [`Protocol::Text`] the body need not be JSON, but is read as JSON if it
/// is; every other protocol requires strict JSON.
///
/// # Errors
/// [`WireError`]: not strictly readable, or over a limit.
pub fn read_request(protocol: Protocol, body: &[u8], limits: &Limits) -> Result<Message, WireError> {
    read(protocol, None, body, limits)
}

/// Reads a response's body. `protocol` and `operation` are those of the request's message; for a response in plain
/// text (a proxy's error page), pass [`Protocol::Text`].
///
/// # Errors
/// [`WireError`]: not strictly readable, or over a limit.
pub fn read_response(
    protocol: Protocol,
    operation: &str,
    body: &[u8],
    limits: &Limits,
) -> Result<Message, WireError> {
    read(protocol, Some(operation), body, limits)
}

fn read(
    protocol: Protocol,
    answer: Option<&str>,
    body: &[u8],
    limits: &Limits,
) -> Result<Message, WireError> {
    let mut c = Collector::new(Message::new(protocol), limits);
    c.asks = answer.is_none();
    if body.iter().all(u8::is_ascii_whitespace) {
        c.message.unnamed = true;
        c.message.operation = answer.map_or_else(|| operation_of(protocol).to_owned(), str::to_owned);
        return Ok(c.message);
    }
    if protocol == Protocol::Text {
        text(&mut c, answer, body, limits)?;
    } else {
        let (text, nodes) = scan_bytes(body, limits)?;
        let root = Doc { text, nodes: &nodes, layer: NO_LAYER, level: 0 }.root();
        document(&mut c, answer, root, ROOT)?;
    }
    Ok(c.message)
}

/// Reads a text: JSON after all, several values of a request, or one text as it is.
fn text(c: &mut Collector<'_>, answer: Option<&str>, body: &[u8], limits: &Limits) -> Result<(), WireError> {
    if body.len() > limits.max_body {
        return Err(WireError::TooLarge { what: "bytes", limit: limits.max_body });
    }
    let text = utf8(body)?;
    if answer.is_none() {
        without_nul(body)?;
    }
    if let Ok(nodes) = scan(text, limits) {
        let root = Doc { text, nodes: &nodes, layer: NO_LAYER, level: 0 }.root();
        if matches!(root.kind(), Kind::Object | Kind::Array) {
            return document(c, answer, root, ROOT);
        }
    }
    if answer.is_none() {
        return values::read(c, text);
    }
    let doc = Doc { text, nodes: &[], layer: NO_LAYER, level: 0 };
    c.whole(Place::Assistant, doc, 0..text.len() as u32, ROOT)
}

/// A text contains no NUL; in UTF-16 and UTF-32, which some servers detect by it, every other character may be one.
fn without_nul(body: &[u8]) -> Result<(), WireError> {
    match memchr(0, body) {
        Some(at) => crate::error::malformed(at, "NUL in a text: UTF-16 or UTF-32 where UTF-8 is required"),
        None => Ok(()),
    }
}

/// Reads a form (`application/x-www-form-urlencoded`): each name and value is a text.
///
/// # Errors
/// [`WireError`]: not UTF-8 (encoded or not), or over a limit.
pub fn read_form(body: &[u8], limits: &Limits) -> Result<Message, WireError> {
    if body.len() > limits.max_body {
        return Err(WireError::TooLarge { what: "bytes", limit: limits.max_body });
    }
    let mut c = Collector::new(Message::new(Protocol::Text), limits);
    let text = utf8(body)?;
    without_nul(body)?;
    if let Some(offset) = form_error(text) {
        return crate::error::malformed(offset, "invalid UTF-8 in a form's escapes");
    }
    let doc = Doc { text, nodes: &[], layer: NO_LAYER, level: 0 };
    let mut start = 0;
    for pair in text.split('&') {
        let name = pair.find('=').unwrap_or(pair.len());
        let shown = Coding::Form.decode(pair.get(..name).unwrap_or_default());
        let path = c.at_key(ROOT, &shown);
        let end = start + pair.len();
        let value = Coding::Form.decode(pair.get(name + 1..).unwrap_or_default());
        asked_for(&mut c, &shown, &value)?;
        for range in [start..start + name, (start + name + 1).min(end)..end] {
            let first = c.message.segments.len();
            c.layer(Place::User, doc, range.start as u32..range.end as u32, Coding::Form, path)?;
            if range.start == start {
                c.names(first);
            }
        }
        start = end + 1;
    }
    Ok(c.message)
}

/// Notes what a form field requests. Of several with the same name, the server chooses one.
pub(crate) fn asked_for(c: &mut Collector<'_>, name: &str, value: &str) -> Result<(), WireError> {
    match name {
        "model" => {
            c.message.other_models.extend(c.message.model.replace(value.to_owned()));
            c.asks_models(value)
        }
        "_method" => {
            c.message.methods.push(value.to_owned());
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Reads one JSON document of a known or unknown protocol.
pub(crate) fn document(
    c: &mut Collector<'_>,
    answer: Option<&str>,
    root: Val<'_>,
    path: u32,
) -> Result<(), WireError> {
    let settled = c.message.protocol.is_settled();
    c.told_by_form = !settled;
    c.tools_before = c.message.tool_items.len();
    if !settled {
        c.message.protocol = if answer.is_some() { by_answer(root) } else { by_request(root) };
    }
    let protocol = c.message.protocol;
    c.message.operation = answer.map_or_else(|| operation_of(protocol).to_owned(), str::to_owned);
    match answer {
        Some(_) => c.message.usage = usage::reported(protocol, root),
        None => {
            let answers = bound::of(protocol, root);
            (c.message.max_output, c.message.answers) = (answers.total(), answers.count);
            c.message.later = elsewhere::answered_later(root);
        }
    }
    // A Bedrock invocation contains a model's own protocol.
    let spoken = if protocol == Protocol::BedrockInvoke { by_shape(root) } else { protocol };
    match spoken {
        Protocol::OpenAiChat
        | Protocol::OpenAiCompletions
        | Protocol::OpenAiResponses
        | Protocol::OpenAiEmbeddings => openai::read(c, root, path),
        Protocol::AnthropicMessages if answer.is_none() && is_batch(root) => batch(c, root, path),
        Protocol::AnthropicMessages => anthropic::read(c, root, path),
        Protocol::Gemini => gemini::read(c, root, path, false),
        Protocol::Ollama => {
            let of = if answer.is_some() { ollama::Of::Answer } else { ollama::Of::Request };
            ollama::read(c, root, path, of)
        }
        Protocol::BedrockConverse => bedrock::read(c, root, path),
        Protocol::A2a | Protocol::A2aHttp => a2a::read(c, root, path, answer, false),
        Protocol::Mcp => mcp::read(c, root, path, answer.unwrap_or_default()),
        Protocol::BedrockInvoke | Protocol::Json | Protocol::Text | Protocol::None => {
            c.message.model = root.get_text("model").map(Cow::into_owned);
            c.message.stream = root.get("stream").is_some_and(Val::is_true);
            match answer {
                Some(operation) => repeated::answer(c, operation, root, path),
                None => c.free(Place::Other, root, path),
            }
        }
    }?;
    if answer.is_some() {
        return Ok(());
    }
    c.message.mcp = spoken == Protocol::Mcp;
    if !c.message.mcp {
        mcp::beside(c, root)?;
    }
    besides::read(c, root, settled)
}

/// Whether the body contains requests (`requests[].params`) instead of being one.
fn is_batch(root: Val<'_>) -> bool {
    let held = |list: Val<'_>| list.items().any(|(_, one)| one.get("params").is_some_and(Val::is_object));
    root.get("requests").is_some_and(held)
}

/// Anthropic's Message Batches: each request is read as if it came alone.
fn batch(c: &mut Collector<'_>, root: Val<'_>, path: u32) -> Result<(), WireError> {
    let mut answers = Answers::default();
    for (key, member) in root.members() {
        if &*key.text() != "requests" {
            c.unknown(Place::Other, path, key, member)?;
            continue;
        }
        let list = c.at_key(path, "requests");
        for (index, one) in member.items() {
            let path = c.at_index(list, index);
            if !one.is_object() {
                c.free(Place::Other, one, path)?;
            }
            for (key, member) in one.members() {
                if &*key.text() == "params" && member.is_object() {
                    let path = c.at_key(path, "params");
                    anthropic::read(c, member, path)?;
                    besides::of_several(c, member)?;
                    answers.add(c, bound::of(Protocol::AnthropicMessages, member).total());
                } else {
                    c.unknown(Place::Other, path, key, member)?;
                }
            }
        }
    }
    answers.end(c);
    Ok(())
}

/// What several requests in one body ask for together.
#[derive(Default)]
pub(crate) struct Answers {
    /// The models, each once and in order; `known` is for lookup.
    models: Vec<String>,
    known: BTreeSet<String>,
    bounds: Option<u64>,
    unbounded: bool,
}

impl Answers {
    /// Adds another request: its model is taken out of the message.
    pub(crate) fn add(&mut self, c: &mut Collector<'_>, bound: Option<u64>) {
        let model = c.message.model.take().filter(|model| self.known.insert(model.clone()));
        self.models.extend(model);
        self.unbounded |= bound.is_none();
        self.bounds = Some(self.bounds.unwrap_or(0).saturating_add(bound.unwrap_or(0)));
    }

    pub(crate) fn end(self, c: &mut Collector<'_>) {
        let mut models = self.models.into_iter();
        c.message.model = models.next();
        c.message.other_models.extend(models);
        c.message.stream = false;
        c.message.max_output = self.bounds.filter(|_| !self.unbounded);
        "batches".clone_into(&mut c.message.operation);
    }
}

/// The protocol of a response on an unknown path: responses of other agents and of MCP servers are recognised by
/// their format, as in the stream of MCP's older transport, or when a task is requested by its id.
fn by_answer(root: Val<'_>) -> Protocol {
    let answers = |one: Val<'_>| {
        one.get_text("jsonrpc").is_some_and(|version| version == "2.0")
            && (one.get("result").is_some() || one.get("error").is_some())
    };
    if answers(root) || root.items().any(|(_, one)| answers(one)) {
        return Protocol::Mcp;
    }
    if a2a::says(root) { Protocol::A2aHttp } else { by_shape(root) }
}

/// The protocol of a request on an unknown path: `messages` may also be those of a queue, or of a telephone service.
fn by_request(root: Val<'_>) -> Protocol {
    let shape = by_shape(root);
    let is_chat = matches!(shape, Protocol::OpenAiChat | Protocol::AnthropicMessages);
    if is_chat && are_for_people(root) { Protocol::Json } else { shape }
}

/// Whether `messages` have what a queue or a telephone service needs, and neither they nor the request has anything
/// that a model's would.
fn are_for_people(root: Val<'_>) -> bool {
    let Some(messages) = root.get("messages") else { return false };
    let has = |one: Val<'_>, names: &[&str]| one.members().any(|(key, _)| is_one_of(names, &key.text()));
    let sent = |one: Val<'_>| {
        let speaker = one.get_text("type").is_some_and(|kind| SPEAKERS.contains(&&*kind));
        has(one, DELIVERED) && !has(one, SPOKEN) && !speaker
    };
    let mut messages = messages.items().map(|(_, one)| one).peekable();
    messages.peek().is_some() && messages.all(sent) && !has(root, ASKED)
}

/// Members of a message of a queue (Pub/Sub, Kafka, Service Bus) or a telephone service.
const DELIVERED: &[&str] = &[
    "data",
    "attributes",
    "body",
    "payload",
    "to",
    "from",
    "recipient",
    "destination",
    "destinations",
    "topic",
];
/// Members of a message of a chat with a model.
const SPOKEN: &[&str] =
    &["role", "author", "sender", "parts", "tool_calls", "function_call", "tool_call_id", "model"];
/// The types of messages of a chat with a model, in LangChain.
const SPEAKERS: &[&str] =
    &["human", "ai", "system", "tool", "function", "user", "assistant", "developer", "chat"];
/// Members of a request to a model.
const ASKED: &[&str] = &[
    "model",
    "models",
    "model_id",
    "model_name",
    "deployment",
    "llm",
    "config",
    "tools",
    "functions",
    "system",
    "stream",
    "temperature",
    "max_tokens",
];

/// The protocol of a body by its format alone.
fn by_shape(root: Val<'_>) -> Protocol {
    if a2a::looks_like(root) {
        return Protocol::A2a;
    }
    if mcp::looks_like(root) {
        return Protocol::Mcp;
    }
    let is_list = |name: &str| root.get(name).is_some_and(|member| member.kind() == Kind::Array);
    let has = |name: &str| root.get(name).is_some();
    let typed = |name: &str| root.get_text("type").is_some_and(|kind| kind == name);
    if is_list("messages") {
        let anthropic = has("system") || has("anthropic_version") || has("stop_sequences");
        return if anthropic { Protocol::AnthropicMessages } else { Protocol::OpenAiChat };
    }
    let parts = |name: &str| {
        root.get(name).is_some_and(|list| list.items().any(|(_, one)| one.get("parts").is_some()))
    };
    if parts("contents") || is_list("candidates") {
        return Protocol::Gemini;
    }
    if is_list("choices") {
        return Protocol::OpenAiChat;
    }
    if typed("message") && is_list("content") {
        return Protocol::AnthropicMessages;
    }
    if is_list("output") && has("model")
        || has("input") && has("model") && (has("instructions") || is_list("input"))
    {
        return Protocol::OpenAiResponses;
    }
    if has("prompt") && has("model") {
        return Protocol::OpenAiCompletions;
    }
    Protocol::Json
}

fn operation_of(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::OpenAiChat => "chat",
        Protocol::OpenAiCompletions => "completions",
        Protocol::OpenAiResponses => "responses",
        Protocol::OpenAiEmbeddings => "embeddings",
        Protocol::AnthropicMessages => "messages",
        // Named by the path, or by the body's method.
        Protocol::Gemini
        | Protocol::Ollama
        | Protocol::BedrockConverse
        | Protocol::BedrockInvoke
        | Protocol::A2a
        | Protocol::A2aHttp
        | Protocol::Mcp
        | Protocol::Json
        | Protocol::Text
        | Protocol::None => "",
    }
}
