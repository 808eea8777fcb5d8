//! Agent2Agent, over JSON-RPC and over plain HTTP, versions 0.3 and 1.0
//! (<https://a2a-protocol.org/latest/specification/>).
//!
//! One reader for all its objects (messages, tasks, artifacts, events): they are nested in each other, and their
//! members mean the same in all of them. What another agent says is as untrusted as a tool's result, and gets the
//! same place; an agent's card is a third-party document.

use crate::collect::Collector;
use crate::error::Done;
use crate::json::{Kind, Val};
use crate::message::Place;
use crate::protocol::Protocol;
use crate::rpc;
use crate::stream::{Channel, ChannelKind, Close, OUTSIDE, field_hash};

/// The context of what is being read.
#[derive(Clone, Copy)]
struct At {
    place: Place,
    /// In a stream: the running text that the parts of an artifact, or of a message, continue.
    running: Option<Channel>,
    /// It is unknown whether they do: one may also replace the last.
    apart: bool,
    /// Whether this is an event of a stream.
    event: bool,
}

/// Whether a body is a JSON-RPC request of A2A. `tasks/get` and `tasks/cancel` also exist in MCP, with another
/// parameter.
pub(crate) fn looks_like(value: Val<'_>) -> bool {
    let rpc = value.get_text("jsonrpc").is_some_and(|version| version == "2.0");
    let Some(method) = value.get_text("method").filter(|_| rpc) else { return false };
    match &*method {
        "tasks/get" | "tasks/cancel" => value
            .get("params")
            .is_some_and(|params| params.get("id").is_some() && params.get("taskId").is_none()),
        "SendMessage"
        | "SendStreamingMessage"
        | "GetTask"
        | "ListTasks"
        | "CancelTask"
        | "SubscribeToTask"
        | "GetExtendedAgentCard"
        | "tasks/resubscribe"
        | "agent/getAuthenticatedExtendedCard" => true,
        method => method.starts_with("message/") || method.contains("ushNotificationConfig"),
    }
}

/// Whether a response over plain HTTP is an agent's card, a task, a message, or a list of cards or tasks, either
/// directly or in a member.
pub(crate) fn says(value: Val<'_>) -> bool {
    let member = |name: &str| value.get(name);
    let one = |value: Val<'_>| is_card(value) || is_task(value);
    let any = |list: Val<'_>| list.items().any(|(_, entry)| one(entry));
    one(value)
        || any(value)
        || value.members().any(|(_, list)| any(list))
        || member("task").is_some_and(is_task)
        || member("message").is_some_and(|message| has_parts(message) && message.get("role").is_some())
}

/// Recognised by a state together with members that only agents' tasks have, or by an agent's text in it: all but the
/// id may be omitted, and a state may be a number.
fn is_task(value: Val<'_>) -> bool {
    let status = value.get("status").filter(|status| status.is_object());
    let of_agent = ["contextId", "context_id", "artifacts", "history"];
    let any = |name: &str, says: fn(Val<'_>) -> bool| {
        value.get(name).is_some_and(|list| list.items().any(|(_, one)| says(one)))
    };
    status.is_some_and(|status| {
        status.get("message").is_some_and(has_parts)
            || status.get_text("state").is_some() && of_agent.iter().any(|name| value.get(name).is_some())
    }) || any("artifacts", has_parts)
        || any("history", |message| has_parts(message) && has_id(message))
}

/// Whether the parts of a message or an artifact are in a list: `content`, in some versions of a message.
fn has_parts(value: Val<'_>) -> bool {
    let list = |name: &str| value.get(name).is_some_and(|parts| parts.kind() == Kind::Array);
    list("parts") || list("content") && has_id(value)
}

fn has_id(message: Val<'_>) -> bool {
    message.get("messageId").is_some() || message.get("message_id").is_some()
}

/// A card may omit either of its two lists.
fn is_card(value: Val<'_>) -> bool {
    let has = |name: &str| value.get(name).is_some();
    let skill = |one: Val<'_>| ["name", "description", "tags"].iter().all(|name| one.get(name).is_some());
    let skills = value.get("skills").is_some_and(|skills| skills.items().any(|(_, one)| skill(one)));
    let only_of_cards = [
        "skills",
        "defaultInputModes",
        "default_input_modes",
        "supportedInterfaces",
        "supported_interfaces",
        "preferredTransport",
        "preferred_transport",
        "protocolVersion",
        "protocol_version",
    ];
    let capable = value.get("capabilities").is_some_and(Val::is_object) && has("name");
    has("skills") && has("capabilities") || skills || capable && only_of_cards.iter().any(|name| has(name))
}

/// Reads a request, a response, or (`event`) an event of a streamed response. `answer` is the method that a response
/// answers; `None` for requests.
pub(crate) fn read(
    c: &mut Collector<'_>,
    value: Val<'_>,
    path: u32,
    answer: Option<&str>,
    event: bool,
) -> Done {
    let place = if answer.is_some() { Place::ToolResult } else { Place::User };
    let at = At { place, running: None, apart: false, event };
    if answer == Some("agent-card") {
        return c.free(Place::Document, value, path);
    }
    if c.message.protocol == Protocol::A2aHttp {
        return object(c, at, value, path);
    }
    let mut methods = Vec::new();
    messages(c, at, value, path, &mut methods)?;
    c.message.stream |=
        methods.iter().any(|method| matches!(&**method, "message/stream" | "SendStreamingMessage"));
    if let Some(operation) = rpc::operation(&methods) {
        c.message.operation = operation;
    }
    Ok(())
}

/// A JSON-RPC message or a batch of them, and their methods. Recursion is bounded by the scanner's depth limit.
fn messages(c: &mut Collector<'_>, at: At, value: Val<'_>, path: u32, methods: &mut Vec<String>) -> Done {
    if value.kind() == Kind::Array {
        return value.items().try_for_each(|(index, entry)| {
            let path = c.at_index(path, index);
            messages(c, at, entry, path, methods)
        });
    }
    methods.extend(rpc::envelope(c, value, path, |c, _, member, path| object(c, at, member, path))?);
    Ok(())
}

fn object(c: &mut Collector<'_>, at: At, value: Val<'_>, path: u32) -> Done {
    match value.kind() {
        Kind::Array => {
            return value.items().try_for_each(|(index, entry)| {
                let path = c.at_index(path, index);
                object(c, at, entry, path)
            });
        }
        Kind::Object => {}
        _ => return c.text(at.place, value, path),
    }
    // Cards also come as results.
    if is_card(value) {
        return c.free(Place::Document, value, path);
    }
    let running = at.running.or_else(|| at.event.then(|| said(value)).flatten());
    let at = At { place: place_of(value, at.place), running, ..at };
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "artifact" if at.event => {
                let apart = !value.get("append").is_some_and(Val::is_true);
                artifact(c, At { apart, ..at }, member, here, ChannelKind::Text)?;
            }
            // The artifacts so far: chunks may continue them, and they wait for none.
            "artifacts" if at.event && member.kind() == Kind::Array => {
                for (index, entry) in member.items() {
                    let here = c.at_index(here, index);
                    artifact(c, at, entry, here, ChannelKind::Messages)?;
                }
            }
            // Repeats earlier messages.
            "history" if !member.is_string() => {
                object(c, At { event: false, ..at }, member, here)?;
            }
            "message" | "status" | "task" | "artifact" | "artifacts" | "tasks" | "agents"
            | "statusUpdate" | "status_update" | "artifactUpdate" | "artifact_update"
                if !member.is_string() =>
            {
                object(c, at, member, here)?;
            }
            "parts" | "content" => parts(c, at, member, here)?,
            "kind" | "role" | "state" | "id" | "taskId" | "task_id" | "contextId" | "context_id"
            | "messageId" | "message_id" | "artifactId" | "artifact_id" | "timestamp" | "final"
            | "append" | "lastChunk" | "last_chunk" | "historyLength" | "referenceTaskIds"
            | "configuration" | "pageSize" | "nextPageToken" => c.measures(member, here)?,
            "name" | "description" => c.text(at.place, member, here)?,
            "metadata" | "extensions" => c.free(Place::Other, member, here)?,
            _ => c.unknown(at.place, path, key, member)?,
        }
    }
    if at.event {
        ends(c, value);
    }
    Ok(())
}

/// The place for a role; other text keeps the place of its side.
fn place_of(value: Val<'_>, place: Place) -> Place {
    match value.get_text("role").as_deref() {
        Some("user" | "ROLE_USER") => Place::User,
        Some("agent" | "ROLE_AGENT") => Place::ToolResult,
        _ => place,
    }
}

/// The running text of messages in a stream, whoever sends them: some agents send every few words as a message.
fn said(value: Val<'_>) -> Option<Channel> {
    value.get("parts").or_else(|| value.get("content")).map(|_| Channel {
        group: OUTSIDE,
        kind: ChannelKind::Messages,
        index: 0,
    })
}

/// An artifact in a stream: chunks of the same artifact are one running text.
fn artifact(c: &mut Collector<'_>, at: At, value: Val<'_>, path: u32, kind: ChannelKind) -> Done {
    let id = value.get_text("artifactId").or_else(|| value.get_text("artifact_id")).unwrap_or_default();
    let running = Channel { group: field_hash(0, &id), kind, index: 0 };
    object(c, At { running: Some(running), ..at }, value, path)
}

/// Texts that need not wait for more: that of an artifact with its last chunk, all of them if the task reports its
/// status. None has ended: agents send an artifact again, even after their user has done their part.
fn ends(c: &mut Collector<'_>, value: Val<'_>) {
    let is = |name: &str| value.get(name).is_some_and(Val::is_true);
    if (is("lastChunk") || is("last_chunk"))
        && let Some(artifact) = value.get("artifact")
    {
        let id = artifact.get_text("artifactId").or_else(|| artifact.get_text("artifact_id"));
        c.closes.push(Close::Pauses(field_hash(0, &id.unwrap_or_default())));
    }
    if value.get("status").is_some() || is("final") {
        c.closes.push(Close::AllRest);
    }
}

fn parts(c: &mut Collector<'_>, at: At, value: Val<'_>, path: u32) -> Done {
    match value.kind() {
        Kind::Array => value.items().try_for_each(|(index, entry)| {
            let path = c.at_index(path, index);
            parts(c, at, entry, path)
        }),
        Kind::Object => file_or_text(c, at, value, path),
        _ => c.text(at.place, value, path),
    }
}

/// A part, or the file in it.
fn file_or_text(c: &mut Collector<'_>, at: At, value: Val<'_>, path: u32) -> Done {
    for bytes in ["raw", "bytes", "fileWithBytes"].iter().filter_map(|name| value.get(name)) {
        c.is_as_said(value, bytes)?;
    }
    value.members().try_for_each(|(key, member)| part(c, at, path, key, member))
}

/// A member of a part. In 1.0 the member itself shows the kind: `text`, `raw`, `url` or `data`; in 0.3 the `kind`
/// does, and files are in `file`.
fn part(c: &mut Collector<'_>, at: At, parent: u32, key: Val<'_>, value: Val<'_>) -> Done {
    let name = key.text();
    let here = c.at_key(parent, &name);
    match &*name {
        "kind" | "mediaType" | "media_type" | "mimeType" => c.word(value, here),
        "text" => match at.running {
            Some(channel) if at.apart || channel.kind == ChannelKind::Messages => {
                c.piece_apart(channel, at.place, value, here)
            }
            Some(channel) => c.piece(channel, at.place, value, here),
            None => c.text(at.place, value, here),
        },
        "file" if value.is_object() => file_or_text(c, at, value, here),
        "raw" | "bytes" | "fileWithBytes" => {
            match at.running {
                // A file, which may come in pieces like texts.
                Some(channel) if channel.kind == ChannelKind::Text => {
                    c.data_piece(Channel { kind: ChannelKind::Other, ..channel }, value, here)
                }
                _ => c.data(value, here),
            }
        }
        "url" | "uri" | "fileWithUri" => {
            // The content of the URL.
            c.message.media += u32::from(c.asks && value.is_string());
            c.text(Place::Other, value, here)
        }
        "filename" | "name" => c.text(Place::Other, value, here),
        "data" => c.free(at.place, value, here),
        "metadata" => c.free(Place::Other, value, here),
        _ => c.unknown(at.place, parent, key, value),
    }
}
