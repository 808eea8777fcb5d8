//! What a request asks for in places of which its protocol's reader makes nothing: models to fall back on, a session's tools, the
//! requests in a batch. A policy on models or tools sees these too.

use crate::collect::{Collector, in_its_letters};
use crate::error::WireError;
use crate::json::{Kind, Val};
use crate::mcp;
use crate::protocol::Protocol;
use crate::tools;

/// Members that hold a request, or a part of one.
const HOLDERS: &[&str] = &[
    "session",
    "response",
    "request",
    "requests",
    "batch",
    "body",
    "inputConfig",
    "input_config",
    "generateContentRequest",
    "additionalModelRequestFields",
    "chat_template_kwargs",
    "extra_body",
    "agent",
    "audio",
    "transcription",
    "input_audio_transcription",
];
/// Holders within each other.
const DEPTH: usize = 5;

/// Notes the models and tools that the protocol's reader did not. Where no path `settled` the protocol, also those that would be
/// read at the outermost level by a server that passes over members it does not know.
///
/// # Errors
/// [`WireError`]: a method of MCP under a name that only some servers take for `method`.
pub(crate) fn read(c: &mut Collector<'_>, root: Val<'_>, settled: bool) -> Result<(), WireError> {
    let messages = root.items().map(|(_, one)| one).chain([root]);
    for (key, member) in messages.flat_map(Val::members) {
        let method = key.text().eq_ignore_ascii_case("method");
        if method && member.is_string() && mcp::is_method(&member.text()) {
            in_its_letters(key)?;
        }
    }
    let of_nobody = matches!(c.message.protocol, Protocol::Mcp | Protocol::A2a | Protocol::Json);
    let outermost = !settled && of_nobody || c.message.protocol == Protocol::BedrockInvoke;
    within(c, root, outermost, 0);
    Ok(())
}

fn within(c: &mut Collector<'_>, value: Val<'_>, all: bool, depth: usize) {
    for (key, member) in value.members() {
        match &*key.text() {
            "model" | "modelId" if all && member.is_string() => c.asks_model(&member.text()),
            "models" | "fallbacks" => {
                let entries = member.items().map(|(_, entry)| entry);
                let named = entries
                    .filter_map(|entry| if entry.is_object() { entry.get("model") } else { Some(entry) });
                named.filter(|entry| entry.is_string()).for_each(|entry| c.asks_model(&entry.text()));
            }
            "tools" | "functions" | "functionDeclarations"
                if all && (depth > 0 || c.message.tools_offered.is_empty()) =>
            {
                tools::offer_by_any_name(c, member);
            }
            "mcp_servers" => tools::offer_by_any_name(c, member),
            "toolConfig" if all => {
                if let Some(list) = member.get("tools") {
                    tools::offer_by_any_name(c, list);
                }
            }
            // Elsewhere it is a list of messages.
            "input" if depth > 0 && member.is_object() => within(c, member, true, depth + 1),
            name if depth < DEPTH && HOLDERS.contains(&name) => match member.kind() {
                Kind::Array => {
                    for (_, entry) in member.items() {
                        within(c, entry, true, depth + 1);
                    }
                }
                _ => within(c, member, true, depth + 1),
            },
            _ => {}
        }
    }
}
