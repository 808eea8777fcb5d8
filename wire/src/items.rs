//! Messages, items and content parts. OpenAI, Anthropic and MCP use the same few names for the same things, so one
//! reader handles them all; an unknown member is listed with its name and everything in it.

use std::borrow::Cow;

use crate::collect::Collector;
use crate::error::Done;
use crate::json::{Kind, Val};
use crate::message::Place;
use crate::tools;

/// The place of a role's text. An unknown role is treated as a user: the strictest interpretation.
pub(crate) fn place_of_role(role: &str) -> Place {
    match role {
        "system" | "developer" => Place::System,
        "assistant" | "model" => Place::Assistant,
        "tool" | "function" => Place::ToolResult,
        _ => Place::User,
    }
}

/// A message or an item, or a list of them; or a string.
pub(crate) fn contents(c: &mut Collector<'_>, place: Place, value: Val<'_>, path: u32) -> Done {
    each(c, place, value, path, item)
}

/// Content: a string, a part, or a list of parts.
pub(crate) fn parts(c: &mut Collector<'_>, place: Place, value: Val<'_>, path: u32) -> Done {
    each(c, place, value, path, part)
}

fn each(
    c: &mut Collector<'_>,
    place: Place,
    value: Val<'_>,
    path: u32,
    one: fn(&mut Collector<'_>, Place, Val<'_>, u32) -> Done,
) -> Done {
    match value.kind() {
        Kind::Array => value.items().try_for_each(|(index, item)| {
            let path = c.at_index(path, index);
            each(c, place, item, path, one)
        }),
        Kind::Object => one(c, place, value, path),
        _ => c.text(place, value, path),
    }
}

/// The place of an item's texts, from its `type` and `role`.
fn place_of_item(place: Place, kind: &str, role: Option<&str>) -> Place {
    match (kind, role) {
        ("document" | "search_result", _) => Place::Document,
        (kind, _) if kind.ends_with("tool_result") || kind.ends_with("_call_output") => Place::ToolResult,
        (_, Some(role)) => place_of_role(role),
        ("reasoning", None) => Place::Assistant,
        _ => place,
    }
}

/// The same for a part, but only its message can make it the model's or the system's text: whatever is searched in
/// the message is searched in each part.
fn place_of_part(place: Place, kind: &str, role: Option<&str>) -> Place {
    match place_of_item(place, kind, role) {
        Place::Assistant | Place::System => place,
        of_part => of_part,
    }
}

/// Whether an item of this type is a tool call, with its arguments in its own members.
fn is_call(kind: &str) -> bool {
    kind.ends_with("tool_use") || kind.ends_with("_call") || kind == "mcp_approval_request"
}

/// Members with the arguments of calls of OpenAI's various tools.
const ARGUMENTS: &[&str] = &["input", "arguments", "action", "actions", "operation", "code", "queries"];

/// Items that offer tools: a server's tools, the results of a tool search, additional tools from here on.
pub(crate) const OFFERS: &[&str] = &["mcp_list_tools", "tool_search_output", "additional_tools"];

/// One message or item.
pub(crate) fn item(c: &mut Collector<'_>, place: Place, value: Val<'_>, path: u32) -> Done {
    let place = place_of_item(place, &kind_of(value), value.get_text("role").as_deref());
    members(c, place, value, path)
}

/// One part of a content.
pub(crate) fn part(c: &mut Collector<'_>, place: Place, value: Val<'_>, path: u32) -> Done {
    let place = place_of_part(place, &kind_of(value), value.get_text("role").as_deref());
    members(c, place, value, path)
}

fn kind_of(value: Val<'_>) -> Cow<'_, str> {
    value.get_text("type").unwrap_or_default()
}

fn members(c: &mut Collector<'_>, place: Place, value: Val<'_>, path: u32) -> Done {
    let kind = kind_of(value);
    let thinks = c.thinks;
    c.thinks |= is_thought(&kind);
    members_of(c, place, &kind, value, path)?;
    c.thinks = thinks;
    Ok(())
}

/// Whether an item, a part or a member with this name contains thoughts, or a refusal.
fn is_thought(name: &str) -> bool {
    name.starts_with("reasoning") || name.contains("thinking") || matches!(name, "summary_text" | "refusal")
}

fn members_of(c: &mut Collector<'_>, place: Place, kind: &str, value: Val<'_>, path: u32) -> Done {
    let thinks = c.thinks;
    if is_call(kind) {
        called(c, kind, value);
    }
    c.message.media += u32::from(is_kept_elsewhere(kind, value));
    for (key, one) in value.members() {
        c.thinks = thinks || is_thought(&key.text());
        member(c, (place, kind), value, path, (key, one))?;
    }
    Ok(())
}

/// Notes the call that an item represents.
fn called(c: &mut Collector<'_>, kind: &str, value: Val<'_>) {
    let name = value.get_text("name").unwrap_or_else(|| kind.into());
    // Other members with arguments are not read by anyone.
    let own = if kind == "function_call" { "arguments" } else { "input" };
    let arguments = value.get(own).or_else(|| ARGUMENTS.iter().find_map(|key| value.get(key)));
    c.calls(name, arguments);
    let server = match kind {
        "mcp_call" => value.get_text("server_label"),
        "mcp_tool_use" => value.get_text("server_name"),
        _ => None,
    };
    if let Some(call) = c.message.tool_calls.last_mut() {
        call.server = server.map(Cow::into_owned);
        call.own = kind == "server_tool_use" || value.get("name").is_none();
    }
}

/// Whether a part is a file of which only an id or a URL is present.
fn is_kept_elsewhere(kind: &str, value: Val<'_>) -> bool {
    matches!(kind, "input_file" | "input_image" | "input_audio" | "container_upload")
        && ["file_id", "file_url"].iter().any(|name| value.get(name).is_some_and(Val::is_string))
}

/// Members that contain words of the protocol and ids.
const WORDS: &[&str] = &[
    "type",
    "role",
    "id",
    "object",
    "status",
    "tool_call_id",
    "call_id",
    "tool_use_id",
    "tool_name",
    "item_id",
    "finish_reason",
    "stop_reason",
    "detail",
    "format",
    "media_type",
    "mimeType",
    "phase",
    "file_id",
    "container_id",
    "approval_request_id",
    "server_label",
    "approve",
    "index",
    "isError",
    "is_error",
    "name",
];

/// One member of an item or a part of this kind.
fn member(
    c: &mut Collector<'_>,
    (place, kind): (Place, &str),
    holder: Val<'_>,
    path: u32,
    (key, value): (Val<'_>, Val<'_>),
) -> Done {
    let name = key.text();
    let here = c.at_key(path, &name);
    let call = is_call(kind);
    match &*name {
        name if WORDS.contains(&name) => c.word(value, here),
        "title" | "description" | "url" | "uri" | "filename" | "file_url" => {
            c.text(if place == Place::User { Place::Other } else { place }, value, here)
        }
        name if call && ARGUMENTS.contains(&name) => c.free(Place::ToolArguments, value, here),
        "error" if call => c.free(Place::ToolResult, value, here),
        "logs" | "stdout" | "stderr" if place == Place::ToolResult => c.text(place, value, here),
        "output" | "outputs" | "results" | "result" if kind == "image_generation_call" => c.data(value, here),
        "output" | "outputs" | "results" | "result" if call || place == Place::ToolResult => {
            parts(c, Place::ToolResult, value, here)
        }
        "content" | "summary" | "parts" => parts(c, place, value, here),
        "text" | "thinking" | "refusal" | "transcript" | "reasoning" | "reasoning_content"
        | "output_text" => c.text(place, value, here),
        "source" | "file" | "input_audio" | "audio" | "resource" | "image_url" | "video_url"
        | "image_file" => attached(c, place, &name, value, here),
        // Thoughts that the provider encrypts: Anthropic's, OpenRouter's.
        "data" if matches!(kind, "redacted_thinking" | "reasoning.encrypted") => c.opaque(value, here),
        "data" | "blob" | "b64_json" | "file_data" | "image_data" | "images" => {
            c.is_as_said(holder, value)?;
            c.data_list(value, here)
        }
        // What a model was shown, repeated with its turn.
        "annotations" | "citations" => {
            let place = if place == Place::Assistant && c.asks { Place::Document } else { place };
            c.free(place, value, here)
        }
        "signature" | "encrypted_content" | "encrypted_index" => c.opaque(value, here),
        "tool_calls" => tools::calls(c, value, here),
        "function_call" if value.is_object() => tools::call(c, value, here),
        "tools"
            if c.asks
                && let Some(server) = tools::server_of(kind, holder) =>
        {
            c.message.other_tools.push(server.into_owned());
            tools::listing_of_server(c, value, here)
        }
        "tools" if OFFERS.contains(&kind) => tools::definitions(c, value, here),
        // A server's tools, as listed in a response: the server is not asked again.
        "tools" if kind == "mcp_tool_listing" => tools::listing_of_server(c, value, here),
        "tool" if kind == "tool_addition" => tools::added(c, value, here),
        "tool_changes" => parts(c, place, value, here),
        "structuredContent" => c.free(Place::ToolResult, value, here),
        "logprobs" => c.echoes(value, here),
        _ => c.unknown(place, path, key, value),
    }
}

/// A member that contains a part's bytes, or their location.
fn attached(c: &mut Collector<'_>, place: Place, name: &str, value: Val<'_>, path: u32) -> Done {
    let seen = (c.message.media, c.message.layers.len());
    source(c, place, value, path)?;
    // What is fetched from elsewhere also counts as media, and so does data too short to classify; encoded text has
    // been read.
    let media = matches!(name, "input_audio" | "audio" | "image_url" | "video_url");
    if media && (c.message.media, c.message.layers.len()) == seen && value.kind() != Kind::Null {
        c.message.media += 1;
    }
    Ok(())
}

/// The source of a part's bytes: an object with a URL, data or text, or one of these directly.
fn source(c: &mut Collector<'_>, place: Place, value: Val<'_>, path: u32) -> Done {
    if !value.is_object() {
        return c.text(place, value, path);
    }
    // Stored or fetched elsewhere: none of it is here.
    let elsewhere = |name: &&str| value.get_text(name).is_some_and(|text| !text.starts_with("data:"));
    let here = |name: &&str| value.get(name).is_some_and(|one| one.kind() != Kind::Null);
    if ["file_id", "url", "uri"].iter().any(elsewhere)
        && !["data", "file_data", "blob", "content", "text"].iter().any(here)
    {
        c.message.media += 1;
    }
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "type" | "id" | "format" | "detail" | "media_type" | "mimeType" | "file_id" => {
                c.word(member, here)?
            }
            "data" | "file_data" | "blob" => {
                c.is_as_said(value, member)?;
                c.data(member, here)?;
            }
            "expires_at" => c.measures(member, here)?,
            "transcript" => c.text(place, member, here)?,
            "content" | "text" => parts(c, Place::Document, member, here)?,
            "url" | "uri" | "filename" => c.text(Place::Other, member, here)?,
            _ => c.unknown(Place::Document, path, key, member)?,
        }
    }
    Ok(())
}
