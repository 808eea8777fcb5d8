//! JSON-RPC 2.0, the envelope that MCP and A2A share.

use crate::collect::Collector;
use crate::error::{Done, WireError};
use crate::json::{Kind, Val};
use crate::message::Place;

/// The content of an envelope.
pub(crate) enum Part<'m> {
    /// The parameters of this method.
    Params(&'m str),
    /// The result of a request.
    Result,
}

/// One JSON-RPC message; `content` reads its contents. Returns its method, if it has one.
pub(crate) fn envelope(
    c: &mut Collector<'_>,
    value: Val<'_>,
    path: u32,
    mut content: impl FnMut(&mut Collector<'_>, Part<'_>, Val<'_>, u32) -> Done,
) -> Result<Option<String>, WireError> {
    if !value.is_object() {
        c.free(Place::Other, value, path)?;
        return Ok(None);
    }
    let method = value.get_text("method");
    if let (Some(_), Some(id)) = (&method, value.get("id").filter(|id| id.kind() != Kind::Null)) {
        c.message.rpc_ids.push(raw_id(id));
    }
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "jsonrpc" if member.raw() == "2.0" => {}
            "id" => {
                if member.is_string() {
                    c.word(member, here)?
                } else {
                    c.measures(member, here)?
                }
            }
            // Some methods are written like types: `SendMessage`.
            "method" if member.raw().len() <= 64 && member.raw().bytes().all(|b| b.is_ascii_alphabetic()) => {
            }
            "method" => c.word(member, here)?,
            "params" => content(c, Part::Params(method.as_deref().unwrap_or_default()), member, here)?,
            "result" => content(c, Part::Result, member, here)?,
            "error" => error(c, member, here)?,
            _ => c.unknown(Place::Other, path, key, member)?,
        }
    }
    Ok(method.map(std::borrow::Cow::into_owned))
}

/// What a body requests: the method of its only message; for several, the first method and the number of those after
/// it.
pub(crate) fn operation(methods: &[String]) -> Option<String> {
    match methods.split_first()? {
        (first, []) => Some(first.clone()),
        (first, rest) => Some(format!("{first}+{}", rest.len())),
    }
}

/// The id as written in the body.
fn raw_id(id: Val<'_>) -> String {
    if id.is_string() { format!("\"{}\"", id.raw()) } else { id.raw().to_owned() }
}

fn error(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Done {
    for (key, member) in value.members() {
        let name = key.text();
        let here = c.at_key(path, &name);
        match &*name {
            "code" => c.measures(member, here)?,
            "message" | "data" => c.free(Place::ToolResult, member, here)?,
            _ => c.unknown(Place::ToolResult, path, key, member)?,
        }
    }
    if value.is_object() { Ok(()) } else { c.free(Place::ToolResult, value, path) }
}
