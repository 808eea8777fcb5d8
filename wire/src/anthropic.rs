//! Anthropic Messages: requests (also `count_tokens`) and answers.

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
        let path_of = |c: &mut Collector<'_>| c.at_key(path, &name);
        match &*name {
            "model" => {
                let path = path_of(c);
                c.model(member, path)?;
            }
            "stream" => {
                c.message.stream = member.is_true();
                let path = path_of(c);
                c.measures(member, path)?;
            }
            "system" => {
                let path = path_of(c);
                contents(c, Place::System, member, path)?;
            }
            "messages" => {
                let path = path_of(c);
                contents(c, Place::User, member, path)?;
            }
            "content" => {
                let path = path_of(c);
                contents(c, Place::Assistant, member, path)?;
            }
            "tools" => {
                let path = path_of(c);
                tools::definitions(c, member, path)?;
            }
            "usage" => {
                let path = path_of(c);
                c.measures(member, path)?;
            }
            "max_tokens" | "temperature" | "top_p" | "top_k" | "thinking" | "input_tokens" => {
                let path = path_of(c);
                c.measures(member, path)?;
            }
            // Dates, which must not be taken for somebody's birthday.
            "anthropic_version" if matches!(member.raw(), "bedrock-2023-05-31" | "vertex-2023-10-16") => {}
            "id" | "type" | "role" | "stop_reason" | "service_tier" | "anthropic_version" | "tool_choice"
            | "request_id" => {
                let path = path_of(c);
                c.word(member, path)?;
            }
            "stop_sequences" | "stop_sequence" | "metadata" | "mcp_servers" | "context_management"
            | "container" => {
                let path = path_of(c);
                c.free(Place::Other, member, path)?;
            }
            _ => c.unknown(Place::Other, path, key, member)?,
        }
    }
    Ok(())
}
