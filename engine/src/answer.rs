//! A response as the author's rules see it: `input.response`.
//!
//! Failure law: a call in a stream with more than [`MAX_WAYS`] names, or with more than that many texts as its
//! arguments, cannot be judged by a rule: it is unclear.
use std::collections::HashMap;

use mesh_wire::{Channel, ChannelKind, Limits, Message, StreamItem, ToolCall};
use serde_json::{Value, json};

use crate::input::is_unclear;

/// A tool call of a stream: its choice, block or item, and its index within that.
type Runs = (u32, u32);

/// Maximum number of names of one call, and of texts as its arguments: `input` contains each combination of the two.
const MAX_WAYS: usize = 16;

/// What has been seen of a response so far.
#[derive(Default)]
pub(crate) struct Answer {
    stream: bool,
    messages: Vec<Value>,
    calls: Vec<Call>,
    /// Indices in `calls` of a stream's calls: some events name a call again.
    named: HashMap<Runs, HashMap<String, usize>>,
    /// A call has more names than are kept.
    tangled: bool,
    /// The running texts of a stream.
    texts: Vec<Text>,
    /// Their indices in `texts`.
    running: HashMap<Channel, usize>,
}

struct Call {
    name: String,
    runs: Option<Runs>,
    /// Arguments that events state as a whole.
    whole: Vec<Value>,
}

struct Text {
    channel: Channel,
    place: String,
    text: String,
}

impl Text {
    fn is_arguments(&self) -> bool {
        matches!(self.channel.kind, ChannelKind::ToolArguments | ChannelKind::ToolInput)
    }

    /// Parses it as arguments if it is strict JSON.
    fn read(&self) -> Value {
        mesh_wire::to_value(self.text.as_bytes(), &Limits::default()).unwrap_or_else(|_| json!(self.text))
    }
}

impl Answer {
    /// From a whole body.
    pub(crate) fn of(message: &Message, body: &[u8]) -> Self {
        let mut answer = Answer { messages: crate::input::messages(message), ..Answer::default() };
        answer.add_calls(message, body);
        answer
    }

    /// Adds an event of a stream; its message was read from `body`.
    pub(crate) fn add(&mut self, item: &StreamItem, body: &[u8]) {
        self.stream = true;
        for (index, segment) in item.message.segments.iter().enumerate().filter(|(at, _)| !item.is_piece(*at))
        {
            let place = item.message.path(index);
            self.messages
                .push(json!({ "role": segment.place.as_str(), "place": place, "text": segment.text }));
        }
        for piece in &item.pieces {
            let at = *self.running.entry(piece.channel).or_insert(self.texts.len());
            match self.texts.get_mut(at) {
                Some(known) => known.text.push_str(item.text(piece)),
                None => self.texts.push(Text {
                    channel: piece.channel,
                    place: item.message.path(piece.segment),
                    text: item.text(piece).to_owned(),
                }),
            }
        }
        self.add_calls(&item.message, body);
    }

    fn add_calls(&mut self, message: &Message, body: &[u8]) {
        let again = message.again(body);
        for (index, call) in message.tool_calls.iter().enumerate() {
            let Some(at) = self.place_of(call) else { continue };
            let arguments = again.arguments(index);
            if let Some(known) = self.calls.get_mut(at)
                && known.whole.last() != Some(&arguments)
            {
                known.whole.push(arguments);
            }
        }
    }

    /// The index of a call in the list; a new one if it was not named before. `None` if it has too many names.
    fn place_of(&mut self, call: &ToolCall) -> Option<usize> {
        let runs = call.runs.as_ref().map(Channel::call);
        let at = self.calls.len();
        if let Some(runs) = runs {
            let names = self.named.entry(runs).or_default();
            if let Some(known) = names.get(&call.name) {
                return Some(*known);
            }
            if names.len() >= MAX_WAYS {
                self.tangled = true;
                return None;
            }
            names.insert(call.name.clone(), at);
        }
        self.calls.push(Call { name: call.name.clone(), runs, whole: Vec::new() });
        Some(at)
    }

    /// `input.response`.
    pub(crate) fn input(&self, status: Option<u16>) -> Value {
        let told =
            self.texts.iter().filter(|text| !text.is_arguments() && text.channel.kind != ChannelKind::Tokens);
        let told = told.map(|text| json!({ "role": "assistant", "place": text.place, "text": text.text }));
        let messages: Vec<Value> = self.messages.iter().cloned().chain(told).collect();
        json!({ "status": status, "stream": self.stream, "messages": messages, "tool_calls": self.tool_calls() })
    }

    /// The calls in the order in which they were named, each with its own arguments. A call with several different
    /// arguments is listed once with each, because clients differ in which they use.
    pub(crate) fn tool_calls(&self) -> Vec<Value> {
        let (texts, nameless) = self.arguments();
        let mut told = Vec::new();
        for call in &self.calls {
            let texts = call.runs.and_then(|runs| texts.get(&runs)).into_iter().flatten().take(MAX_WAYS);
            let mut ways: Vec<Value> =
                call.whole.iter().cloned().chain(texts.map(|text| text.read())).collect();
            // If a call's arguments come in pieces, it begins with empty ones.
            let nothing = ways.iter().find(|way| way.is_object()).cloned().unwrap_or_default();
            ways.retain(|way| !is_nothing(way));
            ways.dedup();
            if ways.is_empty() {
                ways.push(nothing);
            }
            told.extend(ways.into_iter().map(|way| json!({ "name": call.name, "arguments": way })));
        }
        told.extend(nameless.iter().map(|text| json!({ "name": "", "arguments": text.read() })));
        told
    }

    /// Whether a rule cannot judge the arguments of a call, since clients may read them differently.
    pub(crate) fn is_unclear(&self) -> bool {
        let (texts, _) = self.arguments();
        self.tangled
            || texts.values().any(|texts| texts.len() > MAX_WAYS)
            || self.tool_calls().iter().any(is_unclear)
    }

    /// The running arguments by call, and those of calls without a name.
    fn arguments(&self) -> (HashMap<Runs, Vec<&Text>>, Vec<&Text>) {
        let mut texts: HashMap<Runs, Vec<&Text>> = HashMap::new();
        let mut nameless = Vec::new();
        for text in self.texts.iter().filter(|text| text.is_arguments()) {
            // A block or an item is one call, whichever of its fields holds the arguments.
            let (group, index) = text.channel.call();
            match [(group, index), (group, 0)].into_iter().find(|runs| self.named.contains_key(runs)) {
                Some(runs) => texts.entry(runs).or_default().push(text),
                None => nameless.push(text),
            }
        }
        (texts, nameless)
    }
}

fn is_nothing(arguments: &Value) -> bool {
    match arguments {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}
