//! The document that Rego modules see as `input`.
use mesh_rego::{Input, Rego};
use mesh_wire::Message;
use serde_json::{Map, Value, json};

use crate::Timestamp;
use crate::own_rules::Answer;
use crate::session::Session;

/// What is known of a request, and of its answer once that is there, for the author's rules: docs/policies.md describes
/// each field.
///
/// Only the fields that one of `modules` reads are there.
pub(crate) fn rego_input<'a>(
    session: &Session,
    body: &[u8],
    now: Timestamp,
    answer: Option<&Answer>,
    modules: impl Iterator<Item = &'a Rego> + Clone,
) -> Input {
    let caller = session.caller();
    let head = session.head();
    let message = session.message.as_ref();
    let mut fields = Map::new();
    let mut field = |name: &str, value: &dyn Fn() -> Value| {
        if modules.clone().any(|module| module.reads(name)) {
            fields.insert(name.to_owned(), value());
        }
    };
    let model = message.and_then(|message| message.model.as_deref());
    field("phase", &|| json!(if answer.is_some() { "response" } else { "request" }));
    field("protocol", &|| json!(session.protocol.as_str()));
    field("model", &|| json!(model));
    field("findings", &|| Value::Array(findings(session)));
    field("limits", &|| Value::Array(limits(session)));
    field("response", &|| answer.map_or(Value::Null, |answer| answer.input(session.budget.status)));
    field("agent", &|| json!(caller.agent));
    field("user", &|| json!(caller.user));
    field("session", &|| json!(caller.session));
    field("team", &|| json!(caller.team));
    field("roles", &|| json!(caller.roles));
    field("key", &|| json!(caller.key));
    field("source", &|| json!({ "ip": head.source_ip.map(|ip| ip.to_canonical().to_string()) }));
    field("time", &|| {
        let time = jiff::Timestamp::from_nanosecond(i128::from(now)).map(|time| time.to_string());
        json!({ "rfc3339": time.unwrap_or_default(), "ns": now })
    });
    field("request", &|| {
        json!({
            "method": head.method,
            "path": head.path_only(),
            "protocol": session.protocol.as_str(),
            "operation": message.map(|message| message.operation.as_str()),
            "model": model,
            "stream": message.is_some_and(|message| message.stream),
        })
    });
    field("messages", &|| Value::Array(message.map(messages).unwrap_or_default()));
    field("tools", &|| json!(message.map(|message| message.tools_offered.as_slice()).unwrap_or_default()));
    field("tool_calls", &|| {
        Value::Array(message.map(|message| tool_calls(message, body)).unwrap_or_default())
    });
    field("resources", &|| Value::Array(message.map(resources).unwrap_or_default()));
    Input::from(&Value::Object(fields))
}

pub(crate) fn messages(message: &Message) -> Vec<Value> {
    let segments = message.segments.iter().enumerate();
    segments
        .map(|(index, segment)| {
            json!({ "role": segment.place.as_str(), "place": message.path(index), "text": segment.text })
        })
        .collect()
}

pub(crate) fn tool_calls(message: &Message, body: &[u8]) -> Vec<Value> {
    let calls = message.tool_calls.iter().enumerate();
    calls
        .map(|(index, call)| json!({ "name": call.name, "arguments": message.arguments(body, index) }))
        .collect()
}

fn resources(message: &Message) -> Vec<Value> {
    message.resources.iter().map(|used| json!({ "action": used.action, "resource": used.resource })).collect()
}

/// What the guards before have found: types, places and scores, as the record has them.
fn findings(session: &Session) -> Vec<Value> {
    let found = session.decision.findings.iter();
    found
        .map(|found| {
            json!({ "type": found.kind, "count": found.count, "place": found.place, "score": found.score })
        })
        .collect()
}

/// What the rate limit service said of each limit that counts this request.
fn limits(session: &Session) -> Vec<Value> {
    let told = session.told.iter();
    told.map(|(check, status)| {
        let key = check.key.split(':').next();
        json!({ "policy": check.policy, "name": check.name, "key": key, "limit": check.limit,
                "remaining": status.remaining, "over": status.over.is_some() })
    })
    .collect()
}
