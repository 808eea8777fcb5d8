//! A2A over JSON-RPC, versions 0.3 (`message/send`, `message/stream`) and 1.0 (`SendMessage`, `SendStreamingMessage`), and
//! the agent's card. <https://a2a-protocol.org/latest/specification/>

use serde_json::{Value, json};

use crate::{
    assistant::{content_text, words},
    call::Call,
    error::Flavour,
    gemini::said,
    reply::{Reply, data},
};

/// Answers one JSON-RPC call.
pub(crate) fn rpc(call: &Call) -> Result<Reply, Reply> {
    let body = call.json(Flavour::Ollama)?;
    let text = said(&content_text(&body["params"]["message"]["parts"]), call);
    let answer = |result: Value| json!({ "jsonrpc": "2.0", "id": body["id"], "result": result });
    Ok(match body["method"].as_str() {
        Some("message/send") => {
            let parts = json!([{ "kind": "text", "text": text }]);
            let message = json!({ "kind": "message", "messageId": "msg_mock", "role": "agent",
                "contextId": "ctx_mock", "parts": parts });
            Reply::json(200, &answer(message))
        }
        Some("SendMessage") => {
            let message = json!({ "messageId": "msg_mock", "role": "ROLE_AGENT", "contextId": "ctx_mock",
                "parts": [{ "text": text }] });
            Reply::json(200, &answer(json!({ "message": message })))
        }
        Some("message/stream") => stream(&text, answer, |piece, first, last| {
            json!({ "kind": "artifact-update", "taskId": "task_mock", "contextId": "ctx_mock",
                "artifact": { "artifactId": "artifact_mock", "parts": [{ "kind": "text", "text": piece }] },
                "append": !first, "lastChunk": last })
        }),
        Some("SendStreamingMessage") => stream(&text, answer, |piece, first, last| {
            json!({ "artifactUpdate": { "taskId": "task_mock", "contextId": "ctx_mock",
                "artifact": { "artifactId": "artifact_mock", "parts": [{ "text": piece }] },
                "append": !first, "lastChunk": last } })
        }),
        _ => {
            let error = json!({ "code": -32601, "message": "Method not found" });
            Reply::json(200, &json!({ "jsonrpc": "2.0", "id": body["id"], "error": error }))
        }
    })
}

/// A task that works, writes an artifact word by word and is completed. The version shows in the pieces' form.
fn stream(text: &str, answer: impl Fn(Value) -> Value, piece: impl Fn(&str, bool, bool) -> Value) -> Reply {
    let pieces = words(text);
    let last = pieces.len().saturating_sub(1);
    let pieces: Vec<Value> =
        pieces.into_iter().enumerate().map(|(at, word)| piece(word, at == 0, at == last)).collect();
    let current = pieces.first().is_some_and(|first| first.get("artifactUpdate").is_some());
    let status = |old: &str, new: &str, over: bool| {
        if current {
            let task = json!({ "id": "task_mock", "contextId": "ctx_mock", "status": { "state": new } });
            let update =
                json!({ "taskId": "task_mock", "contextId": "ctx_mock", "status": { "state": new } });
            if over { json!({ "statusUpdate": update }) } else { json!({ "task": task }) }
        } else {
            json!({ "kind": "status-update", "taskId": "task_mock", "contextId": "ctx_mock",
                "status": { "state": old }, "final": over })
        }
    };
    let begin = status("working", "TASK_STATE_WORKING", false);
    let end = status("completed", "TASK_STATE_COMPLETED", true);
    let events = [vec![begin], pieces, vec![end]].concat();
    Reply::sse(events.into_iter().map(|event| data(&answer(event))).collect())
}

/// The card of the one agent there is, as both versions read it.
pub(crate) fn card(call: &Call) -> Reply {
    let host = call.header("host").unwrap_or("127.0.0.1");
    let url = format!("http://{host}/a2a");
    let skill =
        json!({ "id": "echo", "name": "Echo", "description": "Says what you said", "tags": ["echo"] });
    Reply::json(
        200,
        &json!({
            "protocolVersion": "0.3.0", "name": "Mock agent", "description": "Says what you said", "version": "1.0.0",
            "url": url, "preferredTransport": "JSONRPC",
            "supportedInterfaces": [{ "url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0" }],
            "capabilities": { "streaming": true }, "defaultInputModes": ["text/plain"],
            "defaultOutputModes": ["text/plain"], "skills": [skill],
        }),
    )
}
