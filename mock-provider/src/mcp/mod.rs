//! An MCP server over streamable HTTP: `POST`, `GET` and `DELETE /mcp`.
//! <https://modelcontextprotocol.io/specification/2025-11-25/basic/transports>
//!
//! A session is made by `initialize` and ended by `DELETE`; a request that names no session is answered all the same
//! (the stateless revision), one that names an unknown session is refused with 404. `tools/call` is answered as a
//! stream when the client accepts one, other requests as JSON.

mod content;

use std::sync::{Mutex, PoisonError};

use hyper::Method;
use serde_json::{Value, json};

use crate::{
    call::Call,
    reply::{Reply, data},
};

/// Revisions the mock agrees to; another one asked for gets the first.
const REVISIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// The stateless revision: no `initialize`, `server/discover` instead, and results that say how they may be cached.
const STATELESS: &str = "2026-07-28";
/// More sessions than any test opens; the oldest is forgotten.
const MAX_SESSIONS: usize = 4096;

const INSTRUCTIONS: &str = "Tools that echo, search and look up a customer.";

/// JSON-RPC 2.0 § 5.1.
const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
/// Invalid method parameter(s).
const INVALID_PARAMS: i64 = -32602;

/// The sessions that are open.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Open>);

#[derive(Default)]
struct Open {
    made: u64,
    ids: Vec<String>,
}

impl Sessions {
    fn open(&self) -> String {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.made += 1;
        let id = format!("mock-session-{}", open.made);
        if open.ids.len() == MAX_SESSIONS {
            open.ids.remove(0);
        }
        open.ids.push(id.clone());
        id
    }

    fn has(&self, id: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ids.iter().any(|open| open == id)
    }

    fn close(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ids.retain(|open| open != id);
    }
}

/// Answers one HTTP request.
pub(crate) fn answer(call: &Call, sessions: &Sessions) -> Reply {
    let session = call.header("mcp-session-id");
    if let Some(id) = session.filter(|id| !sessions.has(id)) {
        return Reply::json(
            404,
            &failure(&Value::Null, INVALID_REQUEST, &format!("session {id} is not open")),
        );
    }
    match call.method {
        Method::POST => post(call, sessions),
        Method::DELETE => {
            session.iter().for_each(|id| sessions.close(id));
            Reply::whole(204, "text/plain", Vec::new())
        }
        // No messages are sent unasked: a client takes 405 for "no stream here".
        _ => Reply::text(405, "only POST and DELETE are answered here").with_header("allow", "POST, DELETE"),
    }
}

fn post(call: &Call, sessions: &Sessions) -> Reply {
    let Ok(body) = serde_json::from_slice::<Value>(&call.body()) else {
        return Reply::json(400, &failure(&Value::Null, PARSE_ERROR, "Parse error"));
    };
    let stream = call.accepts("text/event-stream");
    match &body {
        Value::Array(batch) => {
            let answers: Vec<Value> = batch.iter().filter_map(|message| rpc(message, call)).collect();
            if answers.is_empty() { accepted() } else { Reply::json(200, &Value::Array(answers)) }
        }
        Value::Object(_) => {
            let Some(answer) = rpc(&body, call) else { return accepted() };
            match body["method"].as_str() {
                Some("initialize") => {
                    Reply::json(200, &answer).with_header("mcp-session-id", sessions.open())
                }
                Some("tools/call") if stream => streamed(&body, &answer),
                _ => Reply::json(200, &answer),
            }
        }
        _ => Reply::json(400, &failure(&Value::Null, INVALID_REQUEST, "Invalid Request")),
    }
}

fn accepted() -> Reply {
    Reply::whole(202, "text/plain", Vec::new())
}

/// The answer behind a progress notification, when the client asked for one.
fn streamed(request: &Value, answer: &Value) -> Reply {
    let message = |value: &Value| format!("event: message\n{}", data(value));
    let token = &request["params"]["_meta"]["progressToken"];
    let mut events = Vec::new();
    if !token.is_null() {
        let progress = json!({ "progressToken": token, "progress": 1, "total": 2, "message": "half way" });
        events.push(message(
            &json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": progress }),
        ));
    }
    events.push(message(answer));
    Reply::sse(events)
}

/// One JSON-RPC message; a notification (or a response to us) has no answer.
fn rpc(message: &Value, call: &Call) -> Option<Value> {
    let id = message.get("id").filter(|id| !id.is_null());
    let Some(method) = message["method"].as_str() else {
        return id.is_none().then(|| failure(&Value::Null, INVALID_REQUEST, "Invalid Request"));
    };
    let id = id?;
    Some(match result(method, &message["params"], call) {
        Ok(mut result) => {
            if call.header("mcp-protocol-version") == Some(STATELESS) {
                result["resultType"] = "complete".into();
                result["ttlMs"] = 0.into();
                result["cacheScope"] = "private".into();
            }
            json!({ "jsonrpc": "2.0", "id": id, "result": result })
        }
        Err((code, message)) => failure(id, code, &message),
    })
}

fn failure(id: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

fn result(method: &str, params: &Value, call: &Call) -> Result<Value, (i64, String)> {
    Ok(match method {
        "initialize" => {
            let asked = params["protocolVersion"].as_str().unwrap_or_default();
            let agreed = REVISIONS.iter().find(|revision| **revision == asked).unwrap_or(&REVISIONS[0]);
            json!({
                "protocolVersion": agreed,
                "capabilities": { "tools": {}, "resources": {}, "prompts": {}, "logging": {} },
                "serverInfo": { "name": "mock-mcp", "version": "1.0.0" },
                "instructions": INSTRUCTIONS,
            })
        }
        "server/discover" => json!({
            "supportedVersions": [STATELESS],
            "capabilities": { "tools": {}, "resources": {}, "prompts": {} },
            "instructions": INSTRUCTIONS,
        }),
        "ping" | "logging/setLevel" => json!({}),
        "tools/list" => json!({ "tools": content::tools() }),
        "tools/call" => {
            let name = params["name"].as_str().unwrap_or_default();
            content::call(name, &params["arguments"], &call.knobs)
                .ok_or_else(|| (INVALID_PARAMS, format!("Unknown tool: {name}")))?
        }
        "resources/list" => json!({ "resources": content::resources() }),
        "resources/templates/list" => json!({ "resourceTemplates": [] }),
        "resources/read" => {
            let uri = params["uri"].as_str().unwrap_or_default();
            content::read(uri).ok_or_else(|| (-32002, format!("Resource not found: {uri}")))?
        }
        "prompts/list" => json!({ "prompts": content::prompts() }),
        "prompts/get" => content::prompt(params)
            .ok_or_else(|| (INVALID_PARAMS, format!("Unknown prompt: {}", params["name"])))?,
        _ => return Err((METHOD_NOT_FOUND, format!("Method not found: {method}"))),
    })
}
