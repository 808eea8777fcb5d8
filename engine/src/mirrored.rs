//! MCP headers that repeat parts of the body: its method, the name in it, parameters (revision 2026-07-28, Streamable
//! HTTP, "Request Metadata"). Intermediaries in front of a server rely on them, and edits of the body do not affect
//! them.
//!
//! Failure law: headers that contradict the body, or cannot be read, are refused like a body that parsers read in
//! different ways. If a rule would modify a header, the request is refused: a server would refuse the modified
//! request anyway.
use std::borrow::Cow;
use std::rc::Rc;

use mesh_detect::Source;
use mesh_wire::{Message, Protocol, header_value};

use crate::caller::RequestHead;
use crate::session::Session;

const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";
const PARAMETER: &str = "mcp-param-";

/// Why headers and body contradict each other, if they do.
pub(crate) fn contradiction(head: &RequestHead, message: &Message) -> Option<&'static str> {
    if !message.mcp {
        return None;
    }
    if mirrored(head).any(|(_, value)| value.is_none()) {
        return Some("a header of MCP is in Base64 of no text");
    }
    // On another protocol's path, the operation is that protocol's.
    if message.protocol == Protocol::Mcp && head.all(METHOD).any(|method| method.trim() != message.operation)
    {
        return Some("the header mcp-method names another method than the body");
    }
    let named = || message.resources.iter().filter(|used| matches!(used.action, "call" | "read" | "get"));
    let another = |name: &str| named().any(|used| header_value(name).as_deref() != Some(&*used.resource));
    head.all(NAME).any(another).then_some("the header mcp-name names something else than the body")
}

/// Names of parameters (`None` for `mcp-name`) and their values; no value if it is encoded but not text.
fn mirrored(head: &RequestHead) -> impl Iterator<Item = (Option<&str>, Option<Cow<'_, str>>)> {
    head.headers.iter().filter_map(|(header, value)| {
        let parameter = header.strip_prefix(PARAMETER);
        (parameter.is_some() || header == NAME).then(|| (parameter, header_value(value)))
    })
}

impl Session {
    /// Searches the headers of a request to an MCP server for personal data and attacks.
    pub(crate) fn judge_mirrored(&mut self) {
        if !self.message.as_ref().is_some_and(|message| message.mcp) {
            return;
        }
        let said: Vec<(Option<String>, String)> = mirrored(&self.head)
            .filter_map(|(parameter, value)| Some((parameter.map(str::to_owned), value?.into_owned())))
            .collect();
        let program = Rc::clone(&self.program);
        let applies = Rc::clone(&self.applies);
        let mut found = Vec::new();
        for (parameter, value) in &said {
            self.injection_in_text(value, Source::ToolArguments, "request:header");
            for policy in applies.iter() {
                for guard in policy.pii.iter().filter(|guard| guard.request) {
                    match parameter {
                        Some(name) => guard.find_named(&program.detector, name, value, &mut found),
                        None => guard.find_whole(&program.detector, value, &mut found),
                    }
                    self.outside_body((policy, guard), &found, "a header of MCP", "request:header");
                }
            }
        }
    }
}
