//! Which module answers: told by the path's end, so that any prefix (`/openai/v1`, an Azure deployment) works.

use hyper::Method;
use serde_json::json;

use crate::{
    a2a, anthropic, bedrock, call::Call, chat, embeddings, error::Flavour, gemini, journal::Journal, mcp,
    models, ollama, reply::Reply, responses,
};

/// What lives as long as the server.
#[derive(Default)]
pub(crate) struct State {
    journal: Journal,
    sessions: mcp::Sessions,
}

/// The answer to one request.
pub(crate) fn answer(call: &Call, state: &State) -> Reply {
    if call.path == "/__mock/requests" {
        if call.method == Method::DELETE {
            state.journal.clear();
        }
        return Reply::json(200, &state.journal.list());
    }
    state.journal.record(call);
    if let Some(status) = call.knobs.status {
        return flavour(&call.path).error(status, "the mock was asked for this error");
    }
    routed(call, state).unwrap_or_else(|error| error)
}

fn routed(call: &Call, state: &State) -> Result<Reply, Reply> {
    let path = call.path.trim_end_matches('/');
    let ends = |end: &str| path.ends_with(end);
    if ends("/mcp") {
        return Ok(mcp::answer(call, &state.sessions));
    }
    match call.method {
        Method::POST if ends("/chat/completions") => chat::completion(call),
        Method::POST if ends("/completions") => chat::text_completion(call),
        Method::POST if ends("/responses") => responses::create(call),
        Method::POST if ends("/api/chat") || ends("/api/generate") => ollama::complete(call),
        Method::POST if ends("/api/embed") || ends("/api/embeddings") => ollama::embed(call),
        Method::POST if ends("/embeddings") => embeddings::embed(call),
        Method::POST if ends("/messages") => anthropic::messages(call),
        // Claude on Vertex.
        Method::POST if ends(":rawPredict") || ends(":streamRawPredict") => anthropic::messages(call),
        Method::POST if ends("/messages/count_tokens") => anthropic::count_tokens(call),
        Method::POST if gemini_method(path) => gemini::generate(call),
        Method::POST if ends("/converse") || ends("/converse-stream") => bedrock::converse(call),
        Method::POST if ends("/invoke") || ends("/invoke-with-response-stream") => bedrock::invoke(call),
        Method::POST if ends("/messages/batches") => Ok(anthropic::batch()),
        Method::POST if ends("/files") || ends("/batches") => Ok(files(path)),
        Method::POST if ends("/a2a") => a2a::rpc(call),
        Method::GET if ends("/models") || path.contains("/models/") => Ok(models::list(call)),
        Method::GET if ends("/api/tags") => Ok(ollama::tags()),
        Method::GET if ends("/.well-known/agent-card.json") => Ok(a2a::card(call)),
        Method::GET if path.is_empty() || ends("/healthz") => {
            Ok(Reply::json(200, &json!({ "mock": "ready" })))
        }
        // Anything else with a body comes back as it went: what a tool behind a plain HTTP API would see.
        Method::POST | Method::PUT | Method::PATCH if ends("/echo") => Ok(echo(call)),
        _ => Err(Flavour::OpenAi.error(404, &format!("nothing answers {} {} here", call.method, call.path))),
    }
}

fn gemini_method(path: &str) -> bool {
    let methods =
        ["generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents"];
    path.rsplit_once(':').is_some_and(|(_, method)| methods.contains(&method))
}

/// What OpenAI answers to an upload, or to a batch that is to be run.
fn files(path: &str) -> Reply {
    let object = if path.ends_with("/files") { "file" } else { "batch" };
    Reply::json(200, &json!({ "id": format!("{object}-mock"), "object": object, "status": "processed" }))
}

fn echo(call: &Call) -> Reply {
    let content_type = match call.header("content-type") {
        Some(t) if t.contains("json") => "application/json",
        Some(t) if t.starts_with("text/") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    Reply::whole(200, content_type, call.body())
}

fn flavour(path: &str) -> Flavour {
    if path.contains("/messages") {
        Flavour::Anthropic
    } else if gemini_method(path) {
        Flavour::Gemini
    } else if path.contains("/api/") {
        Flavour::Ollama
    } else if path.contains("/converse") {
        Flavour::Bedrock
    } else {
        Flavour::OpenAi
    }
}
