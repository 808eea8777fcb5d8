//! What the request line tells before any body is read: the protocol, and the model and the operation if the path
//! contains them. Services resolve escapes in paths and (some of them) ignore case, so this code does the same; the
//! body's format refines what the path leaves open (`read.rs`).

use std::borrow::Cow;

use crate::body::{BodyKind, body_kind};
use crate::coding::{Coding, percent_decode};
use crate::deployment::{self, is_version};
use crate::gemini::INTERACTIONS;
use crate::protocol::Protocol;
use crate::repeated::TRANSCRIPTIONS;
use crate::tools;

/// Replicate's operation, whose body names a version of a model.
pub(crate) const PREDICTIONS: &str = "predictions";

/// What the request line tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The protocol of the path.
    pub protocol: Protocol,
    /// The model in the path: an Azure deployment, Gemini's and Bedrock's model.
    pub model: Option<String>,
    /// Models in the query: some proxies prefer these.
    pub other_models: Vec<String>,
    /// The operation, if the path contains it.
    pub operation: Option<&'static str>,
    /// Whether the operation's response is a stream.
    pub streams: bool,
    /// Whether the request asks a model. Other services use `/responses` and `/completions`, too, and retrieving a
    /// stored response is not a query.
    pub queries: bool,
    /// Whether the request opens a live session with a model: then only the URL says what is requested.
    pub opens: bool,
}

impl Route {
    fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            model: None,
            other_models: Vec::new(),
            operation: None,
            streams: false,
            queries: false,
            opens: false,
        }
    }

    fn operation(protocol: Protocol, operation: &'static str) -> Self {
        Self { operation: Some(operation), ..Self::new(protocol) }
    }
}

/// Reads method, path and content type. Only the models in the query are used; empty segments are ignored; a path may
/// have any prefix. Unknown paths give [`Protocol::Json`], [`Protocol::Text`] or [`Protocol::None`], to be refined by
/// the body's format.
pub fn route_of(method: &str, path: &str, content_type: Option<&str>) -> Route {
    let (path, query) = path.split('#').next().and_then(|line| line.split_once('?')).unwrap_or((path, ""));
    let path = path.split('#').next().unwrap_or_default();
    let segments: Vec<Cow<'_, str>> =
        path.split('/').filter(|segment| !segment.is_empty()).map(percent_decode).collect();
    let small: Vec<String> = segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let names: Vec<&str> = small.iter().map(String::as_str).collect();
    let known = known(&segments).or_else(|| posted(method, &names)).or_else(|| agents_own(method, &names));
    let mut route = known.unwrap_or_else(|| Route::new(by_content(method, content_type)));
    if route.model.is_none() {
        route.model = deployment::model(&segments);
    }
    let named = pairs(query).filter(|(name, _)| name == "model").map(|(_, value)| value);
    route.other_models = named.collect();
    route.opens = is_realtime(&names);
    if route.opens {
        let deployments = pairs(query).filter(|(name, _)| name == "deployment").map(|(_, value)| value);
        route.other_models.extend(deployments);
        route.model = route.model.or_else(|| route.other_models.pop());
    }
    route.queries = route.protocol.names_a_model() && is_query(&route, &segments);
    route
}

/// Names and values of a query.
fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, String)> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (Coding::Form.decode(name), Coding::Form.decode(value).into_owned()))
}

/// Whether the path opens one of OpenAI's live sessions: over a WebSocket, or with a session description.
fn is_realtime(names: &[&str]) -> bool {
    matches!(names, [.., "realtime"] | [.., "realtime", "calls"])
}

/// Segments before `completions`, `embeddings` and `responses` in paths of OpenAI or similar services, besides a
/// version.
const BEFORE: &[&str] =
    &["chat", "fim", "agents", "beta", "openai", "models", "inference", "serving-endpoints", "extensions"];

fn is_query(route: &Route, segments: &[Cow<'_, str>]) -> bool {
    let last = segments.last().map(|last| last.to_ascii_lowercase()).unwrap_or_default();
    match &*last {
        "completions" | "embeddings" | "responses" if route.operation.is_none() => {
            let before = segments.len().checked_sub(2).and_then(|at| segments.get(at));
            let known = |before: &Cow<'_, str>| {
                is_version(before) || BEFORE.iter().any(|known| before.eq_ignore_ascii_case(known))
            };
            // Proxies use them at the root.
            route.model.is_some() || before.is_none_or(known)
        }
        "compact" => true,
        _ => route.protocol != Protocol::OpenAiResponses || route.operation.is_some(),
    }
}

fn by_content(method: &str, content_type: Option<&str>) -> Protocol {
    match body_kind(content_type) {
        BodyKind::Json => Protocol::Json,
        BodyKind::Text | BodyKind::Lines | BodyKind::EventStream | BodyKind::Form => Protocol::Text,
        BodyKind::Empty if matches!(method, "GET" | "HEAD" | "OPTIONS" | "DELETE") => Protocol::None,
        _ => Protocol::Json,
    }
}

fn known(segments: &[Cow<'_, str>]) -> Option<Route> {
    let ends = |end: &[&str]| {
        let tail = segments.len().checked_sub(end.len()).and_then(|from| segments.get(from..));
        tail.is_some_and(|tail| matches(tail, end))
    };
    // Ollama before OpenAI, whose paths are shorter.
    for (end, operation) in
        [("chat", "chat"), ("generate", "generate"), ("embed", "embed"), ("embeddings", "embed")]
    {
        if ends(&["api", end]) {
            return Some(Route::operation(Protocol::Ollama, operation));
        }
    }
    for (end, protocol) in [
        (&["v1", "messages", "batches"][..], Protocol::AnthropicMessages),
        (&["v1", "batches"], Protocol::Json),
        (&["openai", "batches"], Protocol::Json),
    ] {
        if ends(end) {
            return Some(Route::operation(protocol, "batches"));
        }
    }
    if ends(&["audio", "transcriptions"]) || ends(&["audio", "translations"]) {
        return Some(Route::operation(Protocol::Json, TRANSCRIPTIONS));
    }
    // OpenAI's assistants: what is run is stored on the server.
    if ends(&["runs"]) && segments.iter().any(|segment| segment.eq_ignore_ascii_case("threads")) {
        return Some(Route::operation(Protocol::Json, "runs"));
    }
    let protocol = if ends(&["chat", "completions"]) {
        Protocol::OpenAiChat
    } else if ends(&["completions"]) {
        Protocol::OpenAiCompletions
    } else if ends(&["embeddings"]) {
        Protocol::OpenAiEmbeddings
    } else if ends(&["responses", "input_tokens"]) {
        return Some(Route::operation(Protocol::OpenAiResponses, "count_tokens"));
    } else if ends(&["responses"])
        || after(segments, &["v1", "responses"]).is_some()
        || after(segments, &["openai", "responses"]).is_some()
    {
        Protocol::OpenAiResponses
    } else if ends(&["v1", "messages"]) {
        Protocol::AnthropicMessages
    } else if ends(&["v1", "messages", "count_tokens"]) {
        return Some(Route::operation(Protocol::AnthropicMessages, "count_tokens"));
    } else if ends(&["mcp"]) {
        Protocol::Mcp
    } else if ends(&["a2a"]) {
        Protocol::A2a
    } else if ends(&[".well-known", "agent-card.json"]) || ends(&[".well-known", "agent.json"]) {
        return Some(Route::operation(Protocol::A2a, "agent-card"));
    } else {
        return bedrock(segments).or_else(|| verb(segments));
    };
    Some(Route::new(protocol))
}

/// Operations that run a file or something stored on a server, or that create models: with another method, these
/// paths mean something else.
fn posted(method: &str, names: &[&str]) -> Option<Route> {
    let operation = match names {
        ["api", "delete"] | ["ollama", "api", "delete"] if method == "DELETE" => "delete",
        _ if method != "POST" => return None,
        // On other paths, any service may use this word, for instance for customers.
        [.., version, "interactions"] if is_version(version) => INTERACTIONS,
        [.., "locations", _, "interactions"] => INTERACTIONS,
        ["batches"] | [.., "v1", "batch", "jobs"] => "batches",
        [.., "model-invocation-job"] | [.., "batchpredictionjobs"] => "batches",
        [.., "evals", _, "runs"] | [.., "threads", _, "runs", _, "submit_tool_outputs"] => "runs",
        // Agents hosted by a provider: each message runs them.
        [.., "v1", "sessions", _, "events"] | [.., "v1", "deployments", _, "run"] => "runs",
        [.., "v1", "agents", "sessions"] | [.., "v1", "agents", "sessions", _, "events"] => "runs",
        [.., "v1", "agents", "automations", _, "invocations"] => "runs",
        ["api", "create"] | ["ollama", "api", "create"] => "create",
        ["api", "copy"] | ["ollama", "api", "copy"] => "copy",
        ["api", "pull"] | ["ollama", "api", "pull"] => "pull",
        ["api", "push"] | ["ollama", "api", "push"] => "push",
        ["api", "show"] | ["ollama", "api", "show"] => "show",
        [.., "v1", "predictions"] => PREDICTIONS,
        // A tool of an MCP server, without its protocol (LiteLLM).
        [.., server, "tools", "call"] if server.contains("mcp") => tools::CALL,
        _ => return None,
    };
    Some(Route::operation(Protocol::Json, operation))
}

/// Paths of A2A over plain HTTP whose names other services use too: only where A2A has them, and, except for push
/// notification configs, only with GET.
fn agents_own(method: &str, names: &[&str]) -> Option<Route> {
    match names {
        [.., "tasks", _, "pushnotificationconfigs"] | [.., "tasks", _, "pushnotificationconfigs", _] => {
            Some(Route::new(Protocol::A2aHttp))
        }
        // Without such a prefix, this may be any service's task list.
        ["v1" | "a2a", "tasks"] | ["v1" | "a2a", "tasks", _] if method == "GET" => {
            Some(Route::new(Protocol::A2aHttp))
        }
        [.., "extendedagentcard"] if method == "GET" => Some(Route::operation(Protocol::A2a, "agent-card")),
        _ => None,
    }
}

/// Bedrock: `/model/{model}/converse`. A model's ARN may contain slashes, escaped or not.
fn bedrock(segments: &[Cow<'_, str>]) -> Option<Route> {
    let (operation, before) = segments.split_last()?;
    let at = before.iter().position(|segment| segment == "model")?;
    let model = before.get(at + 1..).filter(|model| !model.is_empty())?.join("/");
    let (protocol, operation, streams) = match &**operation {
        "converse" => (Protocol::BedrockConverse, "converse", false),
        "converse-stream" => (Protocol::BedrockConverse, "converse-stream", true),
        "invoke" => (Protocol::BedrockInvoke, "invoke", false),
        "invoke-with-response-stream" => (Protocol::BedrockInvoke, "invoke-with-response-stream", true),
        "count-tokens" => (Protocol::BedrockInvoke, "count-tokens", false),
        // Speech, with Amazon's events in both directions.
        "invoke-with-bidirectional-stream" => {
            (Protocol::BedrockInvoke, "invoke-with-bidirectional-stream", true)
        }
        _ => return None,
    };
    Some(Route { model: Some(model), streams, ..Route::operation(protocol, operation) })
}

/// Custom methods, as Google's APIs (AIP-136) and A2A over plain HTTP write them: `…/{name}:{verb}`.
fn verb(segments: &[Cow<'_, str>]) -> Option<Route> {
    let last = segments.last()?;
    let (name, verb) = last.rsplit_once(':')?;
    let parent = segments.len().checked_sub(2).and_then(|at| segments.get(at));
    let task = parent.is_some_and(|parent| parent == "tasks");
    if name == "message" || task && matches!(verb, "subscribe" | "cancel") {
        return Some(Route { streams: verb == "stream", ..Route::new(Protocol::A2aHttp) });
    }
    let models = |segment: &Cow<'_, str>| ["models", "tunedModels", "endpoints"].contains(&&**segment);
    let at = segments.iter().rposition(models)?;
    // A proxy's model names contain slashes; the verb shows that it is a model.
    let before = segments.get(at + 1..segments.len() - 1)?;
    let (protocol, operation) = match verb {
        "generateContent" => (Protocol::Gemini, Some("generateContent")),
        "streamGenerateContent" => (Protocol::Gemini, Some("streamGenerateContent")),
        "countTokens" => (Protocol::Gemini, Some("countTokens")),
        "computeTokens" => (Protocol::Gemini, Some("computeTokens")),
        "embedContent" => (Protocol::Gemini, Some("embedContent")),
        "batchEmbedContents" => (Protocol::Gemini, Some("batchEmbedContents")),
        "batchGenerateContent" | "asyncBatchEmbedContent" => (Protocol::Json, Some("batches")),
        "rawPredict" | "streamRawPredict" if after(segments, &["publishers"]) == Some("anthropic") => {
            (Protocol::AnthropicMessages, (name == "count-tokens").then_some("count_tokens"))
        }
        _ if !before.is_empty() => return None,
        _ => (Protocol::Json, None),
    };
    // Anthropic's token counter on Vertex is in the place of a model: the body names the model.
    let own = before.iter().map(|segment| &**segment).chain([name]).collect::<Vec<_>>().join("/");
    let model = (name != "count-tokens").then_some(own);
    Some(Route { model, operation, streams: verb.starts_with("stream"), ..Route::new(protocol) })
}

/// The segment after these.
pub(crate) fn after<'s>(segments: &'s [Cow<'_, str>], these: &[&str]) -> Option<&'s str> {
    let at = segments.windows(these.len()).position(|window| matches(window, these))?;
    segments.get(at + these.len()).map(|segment| &**segment)
}

pub(crate) fn matches(segments: &[Cow<'_, str>], want: &[&str]) -> bool {
    segments.len() == want.len()
        && segments.iter().zip(want).all(|(segment, want)| segment.eq_ignore_ascii_case(want))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_the_protocol() {
        let json = Some("application/json");
        for (method, path, content_type, want) in [
            ("POST", "/v1/chat/completions", json, "openai-chat"),
            ("POST", "/v1/chat%2Fcompletions", json, "json"),
            ("POST", "/v1/chat/%63ompletions", json, "openai-chat"),
            ("POST", "/openai/Deployments/x/Chat/completions?api-version=1", json, "openai-chat x"),
            ("POST", "/openai/deployments/my%20gpt/embeddings", json, "openai-embeddings my gpt"),
            ("POST", "/openai/deployments/x/images/generations", json, "json x"),
            ("POST", "/openai/deployments/azure/x/chat/completions", json, "openai-chat azure/x"),
            (
                "POST",
                "/openai/deployments/azure%2Fx/extensions/chat/completions",
                json,
                "openai-chat azure/x",
            ),
            ("POST", "/openai/deployments/x/y", json, "json x"),
            ("POST", "/engines/azure/x/chat/completions", json, "openai-chat azure/x"),
            ("POST", "/v1/engines/x/embeddings", json, "openai-embeddings x"),
            ("POST", "/engines/llama.cpp/v1/chat/completions", json, "openai-chat"),
            ("POST", "/engines/v1/completions", json, "openai-completions"),
            ("POST", "/engines/7/parts", json, "json"),
            ("POST", "/serving-endpoints/x/invocations", json, "json x"),
            ("POST", "/serving-endpoints/chat/completions", json, "openai-chat"),
            ("POST", "/models/o/x/v1/chat/completions", json, "openai-chat o/x"),
            ("POST", "/models/v2ray/x/v1/chat/completions", json, "openai-chat v2ray/x"),
            ("POST", "/models/x/embeddings", json, "openai-embeddings x"),
            ("POST", "/models/chat/completions", json, "openai-chat"),
            ("POST", "/models/v1/chat/completions", json, "openai-chat"),
            ("POST", "/models/v1beta/openai/chat/completions", json, "openai-chat"),
            ("POST", "/v1/models/o/x/predictions", json, "json o/x"),
            ("POST", "/weather/predictions", json, "json"),
            ("POST", "/v1/deployments/o/x/predictions", json, "json o/x"),
            ("POST", "/endpoints/x/invocations", json, "json x"),
            ("POST", "/endpoints/x/invocations-response-stream", json, "json x"),
            ("POST", "/endpoints/x/parts", json, "json"),
            ("POST", "/v1/projects/p/locations/l/endpoints/7/chat/completions", json, "openai-chat 7"),
            ("POST", "/v1/projects/p/locations/l/endpoints/openapi/chat/completions", json, "openai-chat"),
            ("POST", "/endpoints/7/chat/completions", json, "openai-chat"),
            ("POST", "/v2/models/x/generate", json, "json x"),
            ("POST", "/v2/models/x/versions/3/infer", json, "json x"),
            ("POST", "/v2/models/x/ready", json, "json"),
            ("POST", "/v1/inference/o/x", json, "json o/x"),
            ("POST", "/v1/inference/chat/completions", json, "openai-chat"),
            ("POST", "/v1/genai/o/x", json, "json o/x"),
            ("POST", "/hf-inference/models/o/x", json, "json o/x"),
            ("POST", "/hf-inference/models/o/x/pipeline/feature-extraction", json, "json o/x"),
            ("POST", "/hf-inference/models/o/x/v1/chat/completions", json, "openai-chat o/x"),
            ("GET", "/v1/realtime?model=x", None, "none x"),
            ("GET", "/openai/realtime?api-version=1&deployment=x", None, "none x"),
            ("POST", "/v1/realtime/calls?model=x", Some("application/sdp"), "text x"),
            ("GET", "/feeds/realtime/7?model=x", None, "none, x"),
            ("POST", "/client/v4/accounts/a/ai/run/@cf/meta/x", json, "json @cf/meta/x"),
            ("POST", "/client/v4/accounts/a/ai/run/x", json, "json x"),
            ("POST", "/ai/run/%40cf/meta/x", json, "json @cf/meta/x"),
            ("POST", "/ai/run/7", json, "json"),
            ("POST", "/v1/chat/completions?a&m%6fdel=x%2By+z&model=w#model=v", json, "openai-chat, x+y z, w"),
            ("POST", "/batches", json, "json"),
            ("POST", "/openai/v1/chat/completions", json, "openai-chat"),
            ("POST", "/openai/responses?api-version=1", json, "openai-responses"),
            ("POST", "/gateway/v1/chat/completions/", json, "openai-chat"),
            ("POST", "/v1/completions", json, "openai-completions"),
            ("POST", "/v1/responses", json, "openai-responses"),
            ("GET", "/v1/responses/resp_1", None, "openai-responses"),
            ("POST", "/v1/embeddings", json, "openai-embeddings"),
            ("POST", "/v1/messages", json, "anthropic-messages"),
            ("POST", "/anthropic/v1/messages/count_tokens?beta=true", json, "anthropic-messages"),
            ("POST", "/v1/messages/batches", json, "anthropic-messages"),
            ("POST", "/v1/batches", json, "json"),
            ("POST", "/v1/threads/t/messages", json, "json"),
            ("POST", "/mcp", json, "mcp"),
            ("GET", "/servers/files/mcp/", None, "mcp"),
            ("POST", "/v1beta/models/gemini-2.5-pro:generateContent", json, "gemini gemini-2.5-pro"),
            (
                "POST",
                "/v1beta/models/gemini-2.5-pro%3AstreamGenerateContent?alt=sse",
                json,
                "gemini gemini-2.5-pro stream",
            ),
            (
                "POST",
                "/v1/projects/p/locations/l/publishers/google/models/gemini-x:countTokens",
                json,
                "gemini gemini-x",
            ),
            (
                "POST",
                "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x:streamRawPredict",
                json,
                "anthropic-messages claude-x stream",
            ),
            (
                "POST",
                "/v1/projects/p/locations/l/publishers/google/models/text-x:predict",
                json,
                "json text-x",
            ),
            ("POST", "/v1beta/models/openai/o3:generateContent", json, "gemini openai/o3"),
            ("POST", "/cars/models/5/items/3:archive", json, "json"),
            ("POST", "/v1beta/openai/chat/completions", json, "openai-chat"),
            ("POST", "/api/chat", json, "ollama"),
            ("POST", "/api/v1/chat/completions", json, "openai-chat"),
            ("POST", "/api/embeddings", json, "ollama"),
            ("POST", "/a2a", json, "a2a"),
            ("GET", "/.well-known/agent-card.json", None, "a2a"),
            ("POST", "/v1/message:stream", json, "a2a-http stream"),
            ("POST", "/v1/tasks/t:cancel", json, "a2a-http"),
            ("POST", "/v1/operations/o:cancel", json, "json"),
            ("GET", "/v1/tasks", None, "a2a-http"),
            ("GET", "/a2a/tasks/t?historyLength=3", None, "a2a-http"),
            ("GET", "/tasks/t", None, "none"),
            ("GET", "/v1/tasks/t/pushNotificationConfigs", None, "a2a-http"),
            ("POST", "/agents/x/tasks/t/pushNotificationConfigs", json, "a2a-http"),
            ("GET", "/v1/extendedAgentCard", None, "a2a"),
            // Tasks of another kind.
            ("POST", "/v1/tasks", json, "json"),
            ("GET", "/api/tasks/t", None, "none"),
            (
                "POST",
                "/model/anthropic.claude-x-v1%3A0/converse",
                json,
                "bedrock-converse anthropic.claude-x-v1:0",
            ),
            (
                "POST",
                "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fx/converse-stream",
                json,
                "bedrock-converse arn:aws:bedrock:us-east-1::foundation-model/x stream",
            ),
            ("POST", "/model/x/y/invoke", json, "bedrock-invoke x/y"),
            ("POST", "/model/x/invoke-with-bidirectional-stream", json, "bedrock-invoke x stream"),
            ("POST", "/other", json, "json"),
            ("POST", "/other", Some("text/plain"), "text"),
            ("POST", "/other", None, "json"),
            ("GET", "/other", None, "none"),
            ("GET", "/", None, "none"),
        ] {
            let route = route_of(method, path, content_type);
            let mut shown = route.protocol.as_str().to_owned();
            route.model.iter().for_each(|model| shown.extend([" ", model]));
            route.other_models.iter().for_each(|model| shown.extend([", ", model]));
            shown.push_str(if route.streams { " stream" } else { "" });
            assert_eq!(shown, want, "{method} {path}");
        }
    }
    #[test]
    fn what_is_run_elsewhere_is_told_by_the_path() {
        for (method, path, want) in [
            ("POST", "/v1/batches", Some("batches")),
            ("POST", "/batches", Some("batches")),
            ("POST", "/bakery/batches", None),
            ("GET", "/batches", None),
            ("POST", "/v1/batch/jobs", Some("batches")),
            ("POST", "/model-invocation-job", Some("batches")),
            ("POST", "/v1/projects/p/locations/l/batchPredictionJobs", Some("batches")),
            ("GET", "/v1/projects/p/locations/l/batchPredictionJobs", None),
            ("POST", "/v1/evals/e/runs", Some("runs")),
            ("POST", "/v1/threads/t/runs", Some("runs")),
            ("POST", "/v1/threads/t/runs/r/submit_tool_outputs", Some("runs")),
            ("POST", "/marathons/m/runs", None),
            ("POST", "/v1/sessions/s/events?beta=true", Some("runs")),
            ("GET", "/v1/sessions/s/events", None),
            ("POST", "/v1/sessions", None),
            ("POST", "/sessions/s/events", None),
            ("POST", "/v1/deployments/d/run", Some("runs")),
            ("POST", "/v1/agents/sessions", Some("runs")),
            ("POST", "/v1/agents/sessions/s/events", Some("runs")),
            ("POST", "/v1/agents/automations/a/invocations", Some("runs")),
            ("POST", "/v1beta/interactions", Some("interactions")),
            ("POST", "/v1beta1/projects/p/locations/l/interactions", Some("interactions")),
            ("POST", "/customers/c/interactions", None),
            ("GET", "/v1beta/interactions", None),
        ] {
            let route = route_of(method, path, Some("application/json"));
            assert_eq!(route.operation, want, "{method} {path}");
        }
    }
}
