//! Model Context Protocol: JSON-RPC 2.0 messages and batches of them, in revisions 2025-11-25 and 2026-07-28.

use std::borrow::Cow;

use crate::a2a;
use crate::base64;
use crate::collect::{Collector, in_its_letters};
use crate::error::{Done, WireError};
use crate::items::{contents, item, parts, place_of_role};
use crate::json::{Kind, Val};
use crate::message::{Place, ResourceUse};
use crate::rpc::{self, Part};
use crate::tools;

/// Whether a method belongs to MCP, in any revision.
pub(crate) fn is_method(method: &str) -> bool {
    const FAMILIES: &[&str] = &[
        "tools/",
        "resources/",
        "prompts/",
        "completion/",
        "sampling/",
        "elicitation/",
        "logging/",
        "roots/",
        "notifications/",
        "server/",
        "subscriptions/",
        "tasks/",
    ];
    matches!(method, "initialize" | "ping") || FAMILIES.iter().any(|family| method.starts_with(family))
}

/// The value of a header that repeats a value of the body: as it is, or decoded if the value cannot be written in a
/// header (`=?base64?…?=`). `None` if the result is not text.
pub fn header_value(value: &str) -> Option<Cow<'_, str>> {
    const CODED: &str = "=?base64?";
    let value = value.trim_ascii();
    let (coding, rest) = value.split_at_checked(CODED.len()).unwrap_or_default();
    let coded = rest.strip_suffix("?=").filter(|_| coding.eq_ignore_ascii_case(CODED));
    match coded {
        Some(coded) => String::from_utf8(base64::decode(coded)?).ok().map(Cow::Owned),
        None => Some(Cow::Borrowed(value)),
    }
}

/// Whether a body is an MCP message, or a batch with one. Some servers recognise it by its method alone.
pub(crate) fn looks_like(value: Val<'_>) -> bool {
    if value.kind() == Kind::Array {
        return value.items().any(|(_, one)| one.is_object() && looks_like(one));
    }
    let rpc = value.get("jsonrpc").is_some();
    value.get_text("method").is_some_and(|method| is_method(&method) && (rpc || method.contains('/')))
}

/// Reads a message or a batch. `operation` is the method that a response answers; empty for requests.
pub(crate) fn read(c: &mut Collector<'_>, value: Val<'_>, path: u32, operation: &str) -> Done {
    let mut methods = Vec::new();
    if value.kind() == Kind::Array {
        c.message.unnamed = value.items().next().is_none();
        for (index, entry) in value.items() {
            let path = c.at_index(path, index);
            methods.extend(one(c, entry, path)?);
        }
    } else {
        methods.extend(one(c, value, path)?);
    }
    c.message.operation = rpc::operation(&methods).unwrap_or_else(|| operation.to_owned());
    Ok(())
}

/// Notes what a body requests of an MCP server although it is read in another protocol, that of its path: MCP servers
/// may use such paths, too (`/v1/messages`, where the older transport is mounted under `/v1`).
///
/// # Errors [`WireError`]: a message's member in another letter case.
pub(crate) fn beside(c: &mut Collector<'_>, value: Val<'_>) -> Done {
    if value.kind() == Kind::Array {
        let mut messages = value.items().filter(|(_, one)| one.is_object());
        return messages.try_for_each(|(_, one)| beside(c, one));
    }
    if !looks_like(value) || a2a::looks_like(value) {
        return Ok(());
    }
    c.message.mcp = true;
    let method = value.get_text("method").unwrap_or_default();
    let params = value.get("params");
    let keys = value.members().chain(params.into_iter().flat_map(Val::members));
    keys.into_iter().try_for_each(|(key, _)| in_its_letters(key))?;
    match params {
        Some(params) => asks(c, &method, params),
        None if method == "tools/call" => c.calls(Cow::Borrowed(""), None),
        None => {}
    }
    Ok(())
}

/// One JSON-RPC message. Returns its method, if it has one.
fn one(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Result<Option<String>, WireError> {
    let mut params_seen = false;
    let method = rpc::envelope(c, value, path, |c, part, member, path| match part {
        Part::Params(method) => {
            params_seen = true;
            params(c, method, member, path)
        }
        Part::Result => result(c, member, path),
    })?;
    if !params_seen && method.as_deref() == Some("tools/call") {
        // A call without parameters is still a call: an allow list must see it.
        c.calls(Cow::Borrowed(""), None);
    }
    let told = match method.as_deref() {
        Some(method) => params_seen && names_what_it_uses(method) || needs_no_name(method),
        None => value.get("result").is_some() || value.get("error").is_some(),
    };
    let other = |key: &str| !matches!(key, "jsonrpc" | "id" | "method" | "params" | "result" | "error");
    c.message.unnamed |= !told || value.members().any(|(key, _)| other(&key.text()));
    Ok(method)
}

/// Whether [`asks`] finds the requested resource in a method's parameters.
fn names_what_it_uses(method: &str) -> bool {
    matches!(
        method,
        "tools/call"
            | "resources/read"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "prompts/get"
            | "completion/complete"
            | "subscriptions/listen"
    )
}

/// Whether every client sends it, whatever it may use: the handshake, listings and notifications.
fn needs_no_name(method: &str) -> bool {
    method.starts_with("notifications/")
        || matches!(
            method,
            "initialize"
                | "ping"
                | "server/discover"
                | "logging/setLevel"
                | "tools/list"
                | "prompts/list"
                | "resources/list"
                | "resources/templates/list"
        )
}

fn uses(c: &mut Collector<'_>, action: &'static str, resource: Option<Cow<'_, str>>) {
    let resource = resource.unwrap_or_default().into_owned();
    c.message.resources.push(ResourceUse { action, resource });
}

/// Notes the tool that is called, or the resource or prompt that is used.
fn asks(c: &mut Collector<'_>, method: &str, value: Val<'_>) {
    match method {
        "tools/call" => {
            let name = value.get_text("name").unwrap_or_default();
            c.calls(name.clone(), value.get("arguments"));
            uses(c, "call", Some(name));
        }
        "resources/read" => uses(c, "read", value.get_text("uri")),
        "resources/subscribe" => uses(c, "subscribe", value.get_text("uri")),
        "resources/unsubscribe" => uses(c, "unsubscribe", value.get_text("uri")),
        "prompts/get" => uses(c, "get", value.get_text("name")),
        "subscriptions/listen" => {
            let wanted = value.get("notifications").and_then(|wanted| wanted.get("resourceSubscriptions"));
            for (_, uri) in wanted.into_iter().flat_map(Val::items) {
                uses(c, "subscribe", uri.string());
            }
        }
        "completion/complete" => {
            let of = value.get("ref").and_then(|of| of.get_text("name").or_else(|| of.get_text("uri")));
            uses(c, "complete", of);
        }
        _ => {}
    }
}

fn params(c: &mut Collector<'_>, method: &str, value: Val<'_>, path: u32) -> Done {
    asks(c, method, value);
    // What a server sends (sampling, elicitation, log lines) is as untrusted as a tool's result.
    let place = match method {
        "tools/call" | "prompts/get" | "completion/complete" => Place::ToolArguments,
        "elicitation/create" | "sampling/createMessage" | "notifications/message" => Place::ToolResult,
        _ => Place::Other,
    };
    if !value.is_object() {
        return c.free(place, value, path);
    }
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "name" | "uri" | "level" | "cursor" | "protocolVersion" => version_or_word(c, member, here)?,
            "messages" => contents(c, Place::User, member, here)?,
            "systemPrompt" => c.text(Place::System, member, here)?,
            "tools" => {
                let from = c.message.tools_offered.len();
                tools::definitions(c, member, here)?;
                if method == "sampling/createMessage" {
                    c.message.lent.extend(from..c.message.tools_offered.len());
                }
            }
            "_meta" => meta(c, member, here)?,
            "progress" | "total" | "maxTokens" | "temperature" | "progressToken" | "requestId" => {
                c.measures(member, here)?
            }
            "requestState" => c.opaque(member, here)?,
            "arguments" | "argument" | "message" | "data" | "inputResponses" => {
                c.free(place, member, here)?
            }
            _ => c.unknown(place, path, key, member)?,
        }
    }
    Ok(())
}

/// The result of a request: the results of all methods have different members, so the format is sufficient.
fn result(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Done {
    if !value.is_object() {
        return c.free(Place::ToolResult, value, path);
    }
    // A result of sampling has a role, a result of elicitation an action and a person's values.
    let role = value.get_text("role").map(|role| place_of_role(&role));
    let elicited = value.get("action").is_some();
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "tools" | "prompts" => tools::definitions_of(c, &name, member, here)?,
            "content" if elicited => c.free(Place::User, member, here)?,
            "content" => parts(c, role.unwrap_or(Place::ToolResult), member, here)?,
            "contents" => parts(c, Place::Document, member, here)?,
            "resources" | "resourceTemplates" | "completion" => c.free(Place::Document, member, here)?,
            "messages" => contents(c, Place::User, member, here)?,
            // A server's instructions on how to use its tools.
            "instructions" => c.text(Place::ToolDefinition, member, here)?,
            "model" => c.model(member, here)?,
            "role" | "action" | "stopReason" | "resultType" | "cacheScope" | "nextCursor"
            | "protocolVersion" => version_or_word(c, member, here)?,
            "ttlMs" | "isError" => c.measures(member, here)?,
            "supportedVersions" if member.kind() == Kind::Array => {
                for (index, version) in member.items() {
                    let path = c.at_index(path, index);
                    version_or_word(c, version, path)?;
                }
            }
            "_meta" => meta(c, member, here)?,
            "requestState" => c.opaque(member, here)?,
            "inputRequests" if member.is_object() => input_requests(c, member, here)?,
            "structuredContent" => c.free(Place::ToolResult, member, here)?,
            "message" if member.is_object() => item(c, Place::ToolResult, member, here)?,
            // Any service may respond in this format with its own members; a listing is recognised in any letter
            // case.
            _ if c.told_by_form && !name.eq_ignore_ascii_case("tools") => {
                c.member(Place::ToolResult, path, key, member)?
            }
            _ => c.unknown(Place::ToolResult, path, key, member)?,
        }
    }
    Ok(())
}

/// A server's questions before it continues with a request (revision 2026-07-28), under names of its own: each is
/// read as if sent separately.
fn input_requests(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Done {
    for (key, request) in value.members() {
        let name = key.text();
        c.key(Place::ToolResult, path, key, &name)?;
        let path = c.at_key(path, &name);
        if !request.is_object() {
            c.free(Place::ToolResult, request, path)?;
        }
        let method = request.get_text("method").unwrap_or_default();
        for (key, member) in request.members() {
            let name = key.text();
            let here = c.at_key(path, &name);
            match &*name {
                "method" => c.word(member, here)?,
                "params" => params(c, &method, member, here)?,
                _ => c.unknown(Place::ToolResult, path, key, member)?,
            }
        }
    }
    Ok(())
}

/// `_meta`: tokens and versions under the protocol's own names, everything else free.
fn meta(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Done {
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "progressToken" | "io.modelcontextprotocol/subscriptionId" if !member.is_string() => {
                c.measures(member, here)?
            }
            "io.modelcontextprotocol/protocolVersion" => version_or_word(c, member, here)?,
            _ => c.member(Place::Other, path, key, member)?,
        }
    }
    if value.is_object() { Ok(()) } else { c.free(Place::Other, value, path) }
}

/// A word, or a revision of the protocol (a date, which must not be mistaken for a birth date).
fn version_or_word(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Done {
    const REVISIONS: &[&str] =
        &["2024-10-07", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];
    if value.is_string() && REVISIONS.contains(&value.raw()) { Ok(()) } else { c.word(value, path) }
}
