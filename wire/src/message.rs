//! What was read from one body: the texts, and what a policy asks about.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::deployment;
use crate::gemini;
use crate::layers::Layer;
use crate::ollama;
use crate::path::Paths;
use crate::protocol::Protocol;
use crate::route::Route;
use crate::stream::Channel;
use crate::tools;
use crate::usage::Usage;

/// Who speaks, or what kind of text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// System or developer instructions.
    System,
    /// A user's words.
    User,
    /// The model's words.
    Assistant,
    /// What a tool answered.
    ToolResult,
    /// What a tool is called with.
    ToolArguments,
    /// Names, descriptions and schemas of tools on offer.
    ToolDefinition,
    /// Embedding input, resource text, files, retrieved documents.
    Document,
    /// Everything else: metadata, identifiers, members that the protocol does not define.
    Other,
}

impl Place {
    /// The name in records and Rego input.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::ToolResult => "tool_result",
            Self::ToolArguments => "tool_arguments",
            Self::ToolDefinition => "tool_definition",
            Self::Document => "document",
            Self::Other => "other",
        }
    }
}

/// How a segment stands in its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The inside of a JSON string.
    Text,
    /// The inside of an object key.
    Key,
    /// A number token.
    Number,
    /// The name of a form's field, before its value.
    Name,
    /// A stretch of plain text, without any escapes.
    Whole,
}

/// One text of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Who speaks, or what kind of text it is.
    pub place: Place,
    /// The text as a reader sees it: all escapes of all levels resolved.
    pub text: String,
    /// A second reading of a text that another segment shows as it stands (escapes inside it resolved): count its
    /// findings once.
    pub derived: bool,
    /// The model's thoughts or its refusal, which many clients tell from what it says.
    pub thought: bool,
    pub(crate) slot: Slot,
    pub(crate) path: u32,
    /// The layer whose decoded text `span` points into; `NO_LAYER` for the body.
    pub(crate) layer: u32,
    pub(crate) span: Range<u32>,
}

/// A list of texts that are one: where it stands, whose words it has where these are not all one message's, its layer, and
/// whether they are thoughts.
type List = (u32, Option<Place>, u32, bool);

/// Items of a list before one whose name is looked for.
const MAX_SIBLINGS: usize = 32;

impl Segment {
    /// Whether this is an object's key, or the name of a form's field.
    pub fn is_key(&self) -> bool {
        matches!(self.slot, Slot::Key | Slot::Name)
    }

    /// Whether this is a number; any edit of it turns the value into a JSON string.
    pub fn is_number(&self) -> bool {
        self.slot == Slot::Number
    }
}

/// A tool that the message calls (or asks the other side to call). [`Again::arguments`](crate::Again::arguments) gives what with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The tool's name.
    pub name: String,
    /// Clients may make this name of several that are judged by themselves, too.
    pub joined: bool,
    /// One of the provider's own tools, called by its type or by the provider itself.
    pub own: bool,
    /// The MCP server that has the tool, where its provider asks that by itself.
    pub server: Option<String>,
    /// In an event of a stream: where its arguments run, if they come in pieces ([`Channel::call`]). An event that names the call
    /// again has the same.
    pub runs: Option<Channel>,
    pub(crate) arguments: Option<Source>,
}

impl ToolCall {
    /// A call whose name some clients make of several ones.
    pub fn joined(name: String, runs: Channel) -> Self {
        ToolCall { name, joined: true, own: false, server: None, runs: Some(runs), arguments: None }
    }
}

/// A stretch of a layer's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The layer whose decoded text `span` points into; `NO_LAYER` for the body.
    pub(crate) layer: u32,
    pub(crate) span: Range<u32>,
    /// Whether the stretch is the inside of a JSON string.
    pub(crate) string: bool,
}

/// What an access rule is asked about, for protocols that name it: `("call", tool)`, `("read", uri)`,
/// `("get", prompt)`, `("subscribe", uri)`, …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceUse {
    /// The verb.
    pub action: &'static str,
    /// The name or URI.
    pub resource: String,
}

/// One body, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The protocol, refined by the body's shape.
    pub protocol: Protocol,
    /// `chat`, `completions`, `responses`, `embeddings`, `messages`, `count_tokens`, the operation in the path
    /// (`generateContent`, `converse`, …), an MCP or A2A method (a batch: the first one and `+n`), or empty.
    pub operation: String,
    /// The model asked for or answering; the path's, where the path names one ([`Message::follow`]).
    pub model: Option<String>,
    /// Other models that the body names: beside the path, or in the lines of a file.
    pub other_models: Vec<String>,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Every text, in document order.
    pub segments: Vec<Segment>,
    /// Names of the tools on offer.
    pub tools_offered: Vec<String>,
    /// Further names by which a server may know a tool on offer.
    pub other_tools: Vec<String>,
    /// Tools of MCP servers on offer, where the request names those that may be called.
    pub server_tools: Vec<String>,
    /// Tools called.
    pub tool_calls: Vec<ToolCall>,
    /// Resources used.
    pub resources: Vec<ResourceUse>,
    /// Methods that a form names in a field, which some servers take the request for.
    pub(crate) methods: Vec<String>,
    /// Whether an MCP server is asked: by the protocol, or by the body's form where the path has another one, in which it is read.
    pub mcp: bool,
    /// MCP: whether anything is asked for that `resources` does not tell, and that is neither part of the handshake nor a listing.
    pub unnamed: bool,
    /// MCP and A2A: the ids of requests (of a batch, all), as raw JSON.
    pub rpc_ids: Vec<String>,
    /// Parts that are not text and were not read: images, audio, files.
    pub media: u32,
    /// Inputs given as token numbers, which cannot be read.
    pub tokens: u32,
    /// Token counts that the provider reports.
    pub usage: Option<Usage>,
    /// The most tokens that the request lets its answers have, all of them together; none where it sets no bound.
    pub max_output: Option<u64>,
    /// How many answers the request asks for.
    pub answers: u64,
    /// The answer comes later and elsewhere: a batch's, one in the background.
    pub later: bool,
    pub(crate) layers: Vec<Layer>,
    pub(crate) paths: Paths,
    /// For each of `tools_offered`: where its definition stands, for dropping it.
    pub(crate) tool_items: Vec<ToolItem>,
    /// MCP: those of `tools_offered` that a server lends to a model that it asks (sampling), and does not list as its own.
    pub(crate) lent: BTreeSet<usize>,
    pub(crate) echoes: Vec<Echo>,
}

/// What holds no longer when anything is edited: a value that repeats texts token by token, a length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Echo {
    pub(crate) layer: u32,
    pub(crate) span: Range<u32>,
    /// What stands there then.
    pub(crate) with: &'static str,
}

/// Where a tool's definition stands in the array that lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolItem {
    pub(crate) layer: u32,
    /// Start of the array that holds it.
    pub(crate) list: u32,
    pub(crate) span: Range<u32>,
    /// End of the item before and start of the one after it.
    pub(crate) previous_end: Option<u32>,
    pub(crate) next_start: Option<u32>,
    /// Whether something that is no tool stands before it in the list.
    pub(crate) others_before: bool,
}

impl Message {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            operation: String::new(),
            model: None,
            other_models: Vec::new(),
            stream: false,
            segments: Vec::new(),
            tools_offered: Vec::new(),
            other_tools: Vec::new(),
            server_tools: Vec::new(),
            tool_calls: Vec::new(),
            resources: Vec::new(),
            methods: Vec::new(),
            mcp: false,
            unnamed: false,
            rpc_ids: Vec::new(),
            media: 0,
            tokens: 0,
            usage: None,
            max_output: None,
            answers: 1,
            later: false,
            layers: Vec::new(),
            paths: Paths::default(),
            tool_items: Vec::new(),
            lent: BTreeSet::new(),
            echoes: Vec::new(),
        }
    }

    /// Takes over what the request line told: its operation, and its model, which is the one that answers.
    /// Of `body` only counts what a path says that a model is made of.
    pub fn follow(&mut self, route: &Route, body: &[u8]) {
        if let Some(model) = &route.model {
            let named = self.model.replace(model.clone());
            self.other_models.extend(named.filter(|named| named != model));
        }
        // Elsewhere the word has any meaning.
        if self.protocol.names_a_model() || self.model.is_some() {
            let mut named = route.other_models.iter().cloned();
            self.model = self.model.take().or_else(|| named.next());
            self.other_models.extend(named);
        }
        self.other_models.extend(route.operation.and_then(|operation| ollama::origin(operation, body)));
        self.other_models.extend(route.operation.and_then(|operation| ollama::kept(operation, body)));
        self.other_models.extend(route.operation.and_then(|operation| gemini::agent(operation, body)));
        self.other_models.extend(route.operation.and_then(|operation| deployment::version(operation, body)));
        self.other_tools.extend(route.operation.and_then(|operation| tools::called(operation, body)));
        // What is called by its path may be a message of MCP all the same, which says itself what it is.
        if let Some(operation) = route.operation.filter(|operation| *operation != tools::CALL) {
            operation.clone_into(&mut self.operation);
            // Only Ollama's operations stream or not as the body says.
            self.stream = route.streams || self.stream && operation != "embed";
            if matches!(operation, "embed" | "embedContent" | "batchEmbedContents") {
                self.max_output = Some(0);
            }
        }
    }

    /// Takes in what the same body asks for where it is read in another way.
    pub fn asks_as_well(&mut self, other: Message) {
        self.other_models.extend(other.model);
        self.other_models.extend(other.other_models);
        self.other_tools.extend(other.tools_offered);
        self.other_tools.extend(other.other_tools);
        self.methods.extend(other.methods);
    }

    /// The methods that some servers take this form for instead of its own (`_method`), in capitals.
    pub fn methods(&self) -> impl Iterator<Item = String> {
        let named = self.methods.iter().map(|method| method.trim().to_ascii_uppercase());
        named.filter(|method| !method.is_empty())
    }

    /// The models that are asked for: each has to be allowed.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.model.iter().chain(&self.other_models).map(String::as_str)
    }

    /// Where a segment stands: `messages[0].content`. Structure only; keys that do not read like plain names are `*`.
    pub fn path(&self, segment: usize) -> String {
        self.segments.get(segment).map_or_else(String::new, |segment| self.paths.show(segment.path))
    }

    /// For each text that goes on from another one the two of them, in order: parts (`text`) of one list, whatever else stands
    /// between. Those of one message are one text whatever they say of themselves (a `role`), others where they stand in one
    /// place. Where `apart`, thoughts do not go on with other texts, nor these with thoughts.
    pub fn continuations(&self, apart: bool) -> impl Iterator<Item = (usize, usize)> + use<'_> {
        // Of each list the last text, and the one before that in another part.
        let mut last: HashMap<List, (usize, Option<usize>)> = HashMap::new();
        self.segments.iter().enumerate().filter_map(move |(index, this)| {
            if this.derived || this.is_key() {
                return None;
            }
            let (list, of_one) = self.paths.list_of(this.path)?;
            let place = Some(this.place).filter(|_| !of_one);
            let key = (list, place, this.layer, apart && this.thought);
            let before = match last.get(&key) {
                Some((before, further)) => {
                    let one = self.segments.get(*before);
                    let same = one.is_some_and(|one| self.paths.are_of_one_part(one.path, this.path));
                    if same { *further } else { Some(*before) }
                }
                None => None,
            };
            last.insert(key, (index, before));
            Some((before?, index))
        })
    }

    /// Whether a server lends the `tool`-th of `tools_offered` to a model that it asks, so that no client calls it.
    pub fn is_lent(&self, tool: usize) -> bool {
        self.lent.contains(&tool)
    }

    /// The name under which a value stands in an object, or in a list in one; where the protocol gives it no meaning, so
    /// that it tells what the value is.
    pub fn name_of(&self, segment: usize) -> Option<&str> {
        let before = self.segments.get(..segment)?;
        let siblings = self.segments.get(segment)?;
        for earlier in before.iter().rev().take(MAX_SIBLINGS) {
            if earlier.is_key() {
                return Some(&earlier.text);
            }
            if earlier.layer != siblings.layer || !self.paths.are_siblings(earlier.path, siblings.path) {
                return None;
            }
        }
        None
    }
}
