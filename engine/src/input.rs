//! The document that Rego modules see as `input`.
use mesh_wire::Message;
use serde_json::{Value, json};

use crate::Timestamp;
use crate::session::Session;

/// What is known of a request, for the author's rules:
///
/// ```json
/// { "agent": "support-1", "user": null, "session": null, "team": null, "roles": [], "key": null,
///   "source": { "ip": "10.0.0.7" },
///   "time": { "rfc3339": "2026-11-24T12:00:00Z", "ns": 1795521600000000000 },
///   "request": { "method": "POST", "path": "/v1/chat/completions", "protocol": "openai-chat",
///                "operation": "chat", "model": "gpt-4o", "stream": false },
///   "messages": [ { "role": "user", "place": "messages[0].content", "text": "…" } ],
///   "tools": ["search"], "tool_calls": [ { "name": "search", "arguments": {} } ],
///   "resources": [ { "action": "read", "resource": "file:///a" } ] }
/// ```
pub(crate) fn rego_input(session: &Session, body: &[u8], now: Timestamp) -> Value {
    let caller = session.caller();
    let head = session.head();
    let message = session.message.as_ref();
    let rfc3339 =
        jiff::Timestamp::from_nanosecond(i128::from(now)).map(|time| time.to_string()).unwrap_or_default();
    json!({
        "agent": caller.agent,
        "user": caller.user,
        "session": caller.session,
        "team": caller.team,
        "roles": caller.roles,
        "key": caller.key,
        "source": { "ip": head.source_ip.map(|ip| ip.to_canonical().to_string()) },
        "time": { "rfc3339": rfc3339, "ns": now },
        "request": {
            "method": head.method,
            "path": head.path_only(),
            "protocol": session.protocol.as_str(),
            "operation": message.map(|message| message.operation.as_str()),
            "model": message.and_then(|message| message.model.as_deref()),
            "stream": message.is_some_and(|message| message.stream),
        },
        "messages": message.map(messages).unwrap_or_default(),
        "tools": message.map(|message| message.tools_offered.clone()).unwrap_or_default(),
        "tool_calls": message.map(|message| tool_calls(message, body)).unwrap_or_default(),
        "resources": message.map(resources).unwrap_or_default(),
    })
}

fn messages(message: &Message) -> Vec<Value> {
    let segments = message.segments.iter().enumerate();
    segments
        .map(|(index, segment)| {
            json!({ "role": segment.place.as_str(), "place": message.path(index), "text": segment.text })
        })
        .collect()
}

fn tool_calls(message: &Message, body: &[u8]) -> Vec<Value> {
    let calls = message.tool_calls.iter().enumerate();
    calls
        .map(|(index, call)| json!({ "name": call.name, "arguments": message.arguments(body, index) }))
        .collect()
}

fn resources(message: &Message) -> Vec<Value> {
    message.resources.iter().map(|used| json!({ "action": used.action, "resource": used.resource })).collect()
}
