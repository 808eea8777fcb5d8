//! A2A over JSON-RPC: `message/send`, `message/stream`, and the agent's card.
//! <https://a2a-protocol.org/latest/specification/>

use serde_json::{Value, json};

use crate::{
    assistant::content_text,
    call::Call,
    error::Flavour,
    gemini::said,
    reply::{Reply, data},
};

/// Answers one JSON-RPC call.
pub(crate) fn rpc(call: &Call) -> Result<Reply, Reply> {
    let body = call.json(Flavour::Ollama)?;
    let text = said(&content_text(&body["params"]["message"]["parts"]), call);
    let message = json!({ "kind": "message", "messageId": "msg-mock", "role": "agent", "contextId": "ctx-mock",
        "parts": [{ "kind": "text", "text": text }] });
    let answer = json!({ "jsonrpc": "2.0", "id": body["id"], "result": message });
    Ok(match body["method"].as_str() {
        Some("message/send" | "SendMessage") => Reply::json(200, &answer),
        Some("message/stream" | "SendStreamingMessage") => Reply::sse(vec![data(&answer)]),
        _ => {
            let error = json!({ "code": -32601, "message": "Method not found" });
            Reply::json(200, &json!({ "jsonrpc": "2.0", "id": body["id"], "error": error }))
        }
    })
}

/// The card of the one agent there is.
pub(crate) fn card(call: &Call) -> Reply {
    let host = call.header("host").unwrap_or("127.0.0.1");
    let skill: Value =
        json!({ "id": "echo", "name": "Echo", "description": "Says what you said", "tags": ["echo"] });
    Reply::json(
        200,
        &json!({
            "protocolVersion": "0.3.0", "name": "Mock agent", "description": "Says what you said", "version": "1.0.0",
            "url": format!("http://{host}/a2a"), "preferredTransport": "JSONRPC",
            "capabilities": { "streaming": true }, "defaultInputModes": ["text/plain"],
            "defaultOutputModes": ["text/plain"], "skills": [skill],
        }),
    )
}
