//! What was read from one body: the texts, and what policies check.

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

/// The speaker, or the kind of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// System or developer instructions.
    System,
    /// A user's words.
    User,
    /// The model's words.
    Assistant,
    /// The result of a tool.
    ToolResult,
    /// The arguments of a tool call.
    ToolArguments,
    /// Names, descriptions and schemas of offered tools.
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

/// The syntactic position of a segment in its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The inside of a JSON string.
    Text,
    /// The inside of an object key.
    Key,
    /// A number token.
    Number,
    /// The name of a form field, before its value.
    Name,
    /// A range of plain text, without any escapes.
    Whole,
}

/// One text of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The speaker, or the kind of text.
    pub place: Place,
    /// The text as its reader sees it: with all escapes of all levels resolved.
    pub text: String,
    /// A second reading of a text that another segment contains as it is (with escapes inside it resolved): its
    /// findings must be counted once.
    pub derived: bool,
    /// The model's thoughts or its refusal, which many clients show separately from its answer.
    pub thought: bool,
    pub(crate) slot: Slot,
    pub(crate) path: u32,
    /// The layer whose decoded text `span` refers to; `NO_LAYER` for the body.
    pub(crate) layer: u32,
    pub(crate) span: Range<u32>,
}

/// A list of texts that form one: its path, the place of its texts if they are not all of one message, its layer, and
/// whether they are thoughts.
type List = (u32, Option<Place>, u32, bool);

/// How many earlier items of a list are examined to find its name.
const MAX_SIBLINGS: usize = 32;

impl Segment {
    /// Whether this is an object's key, or the name of a form field.
    pub fn is_key(&self) -> bool {
        matches!(self.slot, Slot::Key | Slot::Name)
    }

    /// Whether this is a number; any edit of it turns the value into a JSON string.
    pub fn is_number(&self) -> bool {
        self.slot == Slot::Number
    }
}

/// A tool that the message calls (or asks the other side to call). [`Again::arguments`](crate::Again::arguments)
/// returns the arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The tool's name.
    pub name: String,
    /// The name was joined from several that are also judged separately, because clients may join them.
    pub joined: bool,
    /// One of the provider's own tools, called by its type or by the provider itself.
    pub own: bool,
    /// The MCP server of the tool, if the provider calls it directly.
    pub server: Option<String>,
    /// In a stream event: the channel of its arguments, if they come in pieces ([`Channel::call`]). An event that
    /// names the call again has the same channel.
    pub runs: Option<Channel>,
    pub(crate) arguments: Option<Source>,
}

impl ToolCall {
    /// A call whose name is joined from several, as some clients do.
    pub fn joined(name: String, runs: Channel) -> Self {
        ToolCall { name, joined: true, own: false, server: None, runs: Some(runs), arguments: None }
    }
}

/// A range of a layer's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The layer whose decoded text `span` refers to; `NO_LAYER` for the body.
    pub(crate) layer: u32,
    pub(crate) span: Range<u32>,
    /// Whether the range is the inside of a JSON string.
    pub(crate) string: bool,
}

/// What an access rule checks, in protocols that name it: `("call", tool)`, `("read", uri)`, `("get", prompt)`,
/// `("subscribe", uri)`, …
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
    /// The requested or responding model; the path's, if the path names one ([`Message::follow`]).
    pub model: Option<String>,
    /// Other models that the body names: in addition to the path's, or in the lines of a file.
    pub other_models: Vec<String>,
    /// Whether a stream is requested.
    pub stream: bool,
    /// Every text, in document order.
    pub segments: Vec<Segment>,
    /// Names of the offered tools.
    pub tools_offered: Vec<String>,
    /// Other names by which a server may know an offered tool.
    pub other_tools: Vec<String>,
    /// Offered tools of MCP servers, if the request names those that may be called.
    pub server_tools: Vec<String>,
    /// Tools called.
    pub tool_calls: Vec<ToolCall>,
    /// Resources used.
    pub resources: Vec<ResourceUse>,
    /// Methods named in a form field, which some servers use instead of the request's.
    pub(crate) methods: Vec<String>,
    /// Whether the request is for an MCP server: by its protocol, or by the body's format on another protocol's path,
    /// which it is then read as.
    pub mcp: bool,
    /// MCP: whether something is requested that `resources` does not contain, and that is neither part of the
    /// handshake nor a listing.
    pub unnamed: bool,
    /// MCP and A2A: the ids of the requests (all of a batch), as raw JSON.
    pub rpc_ids: Vec<String>,
    /// Parts that are not text and were not read: images, audio, files.
    pub media: u32,
    /// Inputs given as token ids, which cannot be read.
    pub tokens: u32,
    /// Token counts that the provider reports.
    pub usage: Option<Usage>,
    /// The maximum number of output tokens of all responses together; `None` if the request sets no bound.
    pub max_output: Option<u64>,
    /// How many responses the request asks for.
    pub answers: u64,
    /// The response comes later and elsewhere: that of a batch, or one in the background.
    pub later: bool,
    pub(crate) layers: Vec<Layer>,
    pub(crate) paths: Paths,
    /// For each of `tools_offered`: the position of its definition, for removing it.
    pub(crate) tool_items: Vec<ToolItem>,
    /// MCP: those of `tools_offered` that a server provides to a model that it asks (sampling), and does not list as
    /// its own.
    pub(crate) lent: BTreeSet<usize>,
    pub(crate) echoes: Vec<Echo>,
}

/// What becomes invalid with any edit: a value that repeats texts token by token, a length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Echo {
    pub(crate) layer: u32,
    pub(crate) span: Range<u32>,
    /// Its replacement in that case.
    pub(crate) with: &'static str,
}

/// The position of a tool's definition in the array that lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolItem {
    pub(crate) layer: u32,
    /// Start of the array that contains it.
    pub(crate) list: u32,
    pub(crate) span: Range<u32>,
    /// End of the previous item and start of the next one.
    pub(crate) previous_end: Option<u32>,
    pub(crate) next_start: Option<u32>,
    /// Whether an item that is not a tool precedes it in the list.
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

    /// Applies what the request line says: its operation, and its model, which is the one that responds. `body` is
    /// only used for the models that certain operations name in it.
    pub fn follow(&mut self, route: &Route, body: &[u8]) {
        if let Some(model) = &route.model {
            let named = self.model.replace(model.clone());
            self.other_models.extend(named.filter(|named| named != model));
        }
        // In other protocols, such a word may mean anything.
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
        // A request that is called by its path may still be an MCP message, which names its own operation.
        if let Some(operation) = route.operation.filter(|operation| *operation != tools::CALL) {
            operation.clone_into(&mut self.operation);
            // Only for Ollama's operations does the body decide whether they stream.
            self.stream = route.streams || self.stream && operation != "embed";
            if matches!(operation, "embed" | "embedContent" | "batchEmbedContents") {
                self.max_output = Some(0);
            }
        }
    }

    /// Adds what the same body requests when read in another way.
    pub fn asks_as_well(&mut self, other: Message) {
        self.other_models.extend(other.model);
        self.other_models.extend(other.other_models);
        self.other_tools.extend(other.tools_offered);
        self.other_tools.extend(other.other_tools);
        self.methods.extend(other.methods);
    }

    /// The methods that some servers use for this form instead of its own (`_method`), in upper case.
    pub fn methods(&self) -> impl Iterator<Item = String> {
        let named = self.methods.iter().map(|method| method.trim().to_ascii_uppercase());
        named.filter(|method| !method.is_empty())
    }

    /// The requested models: each of them must be allowed.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.model.iter().chain(&self.other_models).map(String::as_str)
    }

    /// The path of a segment: `messages[0].content`. Structure only; keys that do not look like plain names are shown
    /// as `*`.
    pub fn path(&self, segment: usize) -> String {
        self.segments.get(segment).map_or_else(String::new, |segment| self.paths.show(segment.path))
    }

    /// For each text that continues another one, the pair of both, in order: parts (`text`) of one list, whatever is
    /// between them. The parts of one message form one text whatever they declare (a `role`); others do if they have
    /// the same place. If `apart`, thoughts and other texts do not continue each other.
    pub fn continuations(&self, apart: bool) -> impl Iterator<Item = (usize, usize)> + use<'_> {
        // For each list, its last text, and the last one before that in another part.
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

    /// Whether a server provides the `tool`-th of `tools_offered` to a model that it asks, so that no client calls
    /// it.
    pub fn is_lent(&self, tool: usize) -> bool {
        self.lent.contains(&tool)
    }

    /// The name of a value in an object, or of the list that contains it; only if the protocol gives the name no
    /// meaning, so that it tells what the value is.
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
