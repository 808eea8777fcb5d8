//! The parts of a body that a message does not store: read again, from the same bytes.

use crate::coding::unescape;
use crate::error::Limits;
use crate::json::{inexact_numbers, to_value};
use crate::layers::Texts;
use crate::message::Message;
use crate::tools::DEFINITION;

/// A message together with the body (or the event's payload) that it was read from. Texts that contain others are
/// decoded once, however many they contain.
pub struct Again<'b, 'm> {
    message: &'m Message,
    texts: Texts<'b, 'm>,
}

impl Message {
    /// Accesses `body` again, which this message was read from.
    pub fn again<'b>(&self, body: &'b [u8]) -> Again<'b, '_> {
        Again { message: self, texts: Texts::new(body, &self.layers) }
    }
}

impl Again<'_, '_> {
    /// The definition of the `tool`-th of `tools_offered`, parsed.
    pub fn definition(&self, tool: usize) -> Option<serde_json::Value> {
        to_value(self.written(tool)?.as_bytes(), &Limits::default()).ok()
    }

    /// The numbers in a definition's members ([`DEFINITION`]) that a double cannot represent exactly, as written:
    /// some parsers distinguish them from their neighbours, but [`Again::definition`] does not.
    pub fn inexact_numbers(&self, tool: usize) -> Vec<String> {
        let Some(raw) = self.written(tool) else { return Vec::new() };
        inexact_numbers(raw.as_bytes(), DEFINITION, &Limits::default()).unwrap_or_default()
    }

    /// The arguments of the `call`-th of `tool_calls`, parsed. A string that is strict JSON (as OpenAI writes
    /// arguments) is parsed too; any other stays a string.
    pub fn arguments(&self, call: usize) -> serde_json::Value {
        let source = self.message.tool_calls.get(call).and_then(|call| call.arguments.as_ref());
        let Some(source) = source else { return serde_json::Value::Null };
        let raw = self.texts.stretch(source.layer, &source.span);
        let text = if source.string { unescape(raw) } else { raw.into() };
        match to_value(text.as_bytes(), &Limits::default()) {
            Ok(value) => value,
            Err(_) => serde_json::Value::String(text.into_owned()),
        }
    }

    fn written(&self, tool: usize) -> Option<&str> {
        let item = self.message.tool_items.get(tool)?;
        Some(self.texts.stretch(item.layer, &item.span))
    }
}
