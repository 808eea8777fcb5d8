//! Anthropic Messages: requests (also `count_tokens`) and responses.

use crate::collect::Collector;
use crate::error::WireError;
use crate::items::contents;
use crate::json::Val;
use crate::message::Place;
use crate::tools;

/// Reads a body of the Messages API.
pub(crate) fn read(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Result<(), WireError> {
    if !value.is_object() {
        return c.free(Place::Other, value, path);
    }
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "model" => c.model(member, here)?,
            "stream" => {
                c.message.stream = member.is_true();
                c.measures(member, here)?;
            }
            "system" => contents(c, Place::System, member, here)?,
            "messages" => contents(c, Place::User, member, here)?,
            "content" => contents(c, Place::Assistant, member, here)?,
            "tools" => tools::definitions(c, member, here)?,
            "max_tokens" | "temperature" | "top_p" | "top_k" | "thinking" | "input_tokens" | "usage" => {
                c.measures(member, here)?
            }
            // Dates, which must not be mistaken for a birth date.
            "anthropic_version" if matches!(member.raw(), "bedrock-2023-05-31" | "vertex-2023-10-16") => {}
            "id" | "type" | "role" | "stop_reason" | "service_tier" | "anthropic_version" | "tool_choice"
            | "request_id" => c.word(member, here)?,
            "stop_sequences" | "stop_sequence" | "metadata" | "mcp_servers" | "context_management"
            | "container" => c.free(Place::Other, member, here)?,
            _ => c.unknown(Place::Other, path, key, member)?,
        }
    }
    Ok(())
}
