//! The document that Rego modules see as `input`.
use mesh_rego::{Input, Rego};
use mesh_wire::Message;
use serde_json::{Value, json};

use crate::Timestamp;
use crate::answer::Answer;
use crate::session::Session;

/// The fields of `input`; those of one object are adjacent. docs/policies.md describes each.
pub(crate) const FIELDS: [&str; 25] = [
    "phase",
    "protocol",
    "model",
    FINDINGS,
    "limits",
    RESPONSE,
    "agent",
    "user",
    "session",
    "team",
    "roles",
    "key",
    "source.ip",
    "time.rfc3339",
    "time.ns",
    "request.method",
    "request.path",
    "request.protocol",
    "request.operation",
    "request.model",
    "request.stream",
    "messages",
    "tools",
    "tool_calls",
    "resources",
];
const FINDINGS: &str = "findings";
const RESPONSE: &str = "response";

/// An author's module, and the [`FIELDS`] that it reads, one bit for each.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) rego: Rego,
    pub(crate) reads: u32,
}

impl Asked {
    pub(crate) fn new(rego: Rego) -> Self {
        let bits = FIELDS.iter().enumerate().map(|(bit, field)| u32::from(rego.reads(field)) << bit);
        let reads = bits.fold(0, |all, bit| all | bit);
        Asked { rego, reads }
    }

    pub(crate) fn reads_findings(&self) -> bool {
        self.reads & bit(FINDINGS) != 0
    }

    /// Whether it reads tool arguments: those of the request, or of its response.
    pub(crate) fn reads_arguments(&self, answered: bool) -> bool {
        if answered { self.reads_response() } else { self.reads & bit("tool_calls") != 0 }
    }

    pub(crate) fn reads_response(&self) -> bool {
        self.reads & bit(RESPONSE) != 0
    }
}

fn bit(field: &str) -> u32 {
    FIELDS.iter().position(|name| *name == field).map_or(0, |place| 1 << place)
}

/// What is known about a request, and about its response once there is one, for the author's rules.
///
/// Contains only the fields in `reads`: those that one of the modules reads.
pub(crate) fn rego_input(
    session: &Session,
    body: &[u8],
    now: Timestamp,
    answer: Option<&Answer>,
    reads: u32,
) -> Input {
    let read = FIELDS.iter().enumerate().filter(|(place, _)| reads >> place & 1 != 0);
    Input::of(read.map(|(_, field)| (*field, value(session, body, now, answer, field))))
}

fn value(session: &Session, body: &[u8], now: Timestamp, answer: Option<&Answer>, field: &str) -> Value {
    let caller = session.caller();
    let head = session.head();
    let message = session.message.as_ref();
    match field {
        "phase" => json!(if answer.is_some() { "response" } else { "request" }),
        "protocol" | "request.protocol" => json!(session.protocol.as_str()),
        "model" | "request.model" => {
            // A live session is opened without a body: the model is in the request line.
            let opened = session.route.model.as_deref().filter(|_| session.route.opens);
            json!(message.and_then(|message| message.model.as_deref()).or(opened))
        }
        FINDINGS => Value::Array(findings(session)),
        "limits" => Value::Array(limits(session)),
        RESPONSE => answer.map_or(Value::Null, |answer| answer.input(session.budget.status)),
        "agent" => json!(caller.agent),
        "user" => json!(caller.user),
        "session" => json!(caller.session),
        "team" => json!(caller.team),
        "roles" => json!(caller.roles),
        "key" => json!(head.key(session.protocol)),
        "source.ip" => json!(head.source_ip.map(|ip| ip.to_canonical().to_string())),
        "time.rfc3339" => {
            let time = jiff::Timestamp::from_nanosecond(i128::from(now)).map(|time| time.to_string());
            json!(time.unwrap_or_default())
        }
        "time.ns" => json!(now),
        "request.method" => json!(head.method),
        "request.path" => json!(head.path_only()),
        "request.operation" => json!(message.map(|message| message.operation.as_str())),
        "request.stream" => json!(message.is_some_and(|message| message.stream)),
        "messages" => Value::Array(message.map(messages).unwrap_or_default()),
        "tools" => json!(message.map(tools).unwrap_or_default()),
        "tool_calls" => Value::Array(message.map(|message| tool_calls(message, body)).unwrap_or_default()),
        "resources" => Value::Array(message.map(resources).unwrap_or_default()),
        _ => Value::Null,
    }
}

pub(crate) fn messages(message: &Message) -> Vec<Value> {
    let segments = message.segments.iter().enumerate();
    segments
        .map(|(index, segment)| {
            json!({ "role": segment.place.as_str(), "place": message.path(index), "text": segment.text })
        })
        .collect()
}

/// Whether arguments look like an object, but a strict parser rejects them: each tool may parse them differently.
pub(crate) fn is_unclear(call: &Value) -> bool {
    let text = call["arguments"].as_str().unwrap_or_default().trim_start();
    text.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with(['"', '}']))
}

pub(crate) fn tool_calls(message: &Message, body: &[u8]) -> Vec<Value> {
    let (calls, again) = (message.tool_calls.iter().enumerate(), message.again(body));
    calls.map(|(index, call)| json!({ "name": call.name, "arguments": again.arguments(index) })).collect()
}

/// All tools, under all their names.
fn tools(message: &Message) -> Vec<&str> {
    let names = message.tools_offered.iter().chain(&message.other_tools).chain(&message.server_tools);
    names.map(String::as_str).collect()
}

fn resources(message: &Message) -> Vec<Value> {
    message.resources.iter().map(|used| json!({ "action": used.action, "resource": used.resource })).collect()
}

/// The findings of earlier guards: types, places and scores, as in the record.
fn findings(session: &Session) -> Vec<Value> {
    let found = session.decision.findings.iter();
    found
        .map(|found| {
            json!({ "type": found.kind, "count": found.count, "place": found.place, "score": found.score })
        })
        .collect()
}

/// What the rate limit service answered for each limit that counts this request.
fn limits(session: &Session) -> Vec<Value> {
    let told = session.told.iter();
    told.map(|(check, status)| {
        let key = check.key.split(':').next();
        json!({ "policy": check.policy, "name": check.name, "key": key, "limit": check.limit,
                "remaining": status.remaining, "over": status.over.is_some() })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::RequestHead;

    #[test]
    fn every_field_has_a_value_of_its_own() {
        let bundle = serde_json::from_value(json!({ "version": "1", "policies": [] })).unwrap();
        let program = crate::compile(&bundle, Rc::new(crate::Detector::new())).unwrap();
        let head = RequestHead { path: "/v1/chat/completions".into(), ..RequestHead::default() };
        let session = Session::start(Rc::new(program), head, "1".into(), 1);
        for (place, field) in FIELDS.iter().enumerate() {
            assert_eq!(bit(field), 1 << place, "{field} stands once");
            let module = format!("package mesh\ndeny if input.{field}");
            let rego = Rego::expression("x", &format!("input.{field}")).unwrap();
            assert_eq!(Asked::new(rego).reads, 1 << place, "{module}");
        }
        let known = ["phase", "protocol", FINDINGS, "limits", "agent", "roles", "time.rfc3339", "time.ns"];
        let known = known.into_iter().chain(["request.method", "request.path", "request.stream", "messages"]);
        for field in known.chain(["tools", "tool_calls", "resources", "request.protocol"]) {
            assert!(!value(&session, b"{}", 1, None, field).is_null(), "{field}");
        }
    }
}
