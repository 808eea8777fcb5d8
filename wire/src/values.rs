//! JSON in a request that is declared as text, with more after it: another value, a line, any character.
//!
//! Many servers parse JSON whatever a body is declared as. Those that decode a stream of values (Go's `json.Decoder`)
//! take the first or each in turn, and ignore the rest. So each value is read as a possible request, and the rest as
//! a text.

use crate::coding::Coding;
use crate::collect::Collector;
use crate::error::{Done, FOLLOWS, WireError};
use crate::json::{Doc, Kind, NO_LAYER, Node, Val, scan};
use crate::message::Place;
use crate::path::ROOT;
use crate::protocol::Protocol;
use crate::read::document;

/// A byte order mark, which many parsers skip.
const MARK: char = '\u{FEFF}';

/// Reads the values at the beginning of a text, and what follows them.
///
/// # Errors
/// [`WireError`]: a value that JSON parsers read in different ways, or that is over a limit.
pub(crate) fn read(c: &mut Collector<'_>, text: &str) -> Done {
    let mut at = if text.starts_with(MARK) { MARK.len_utf8() } else { 0 };
    let (mut values, mut answers) = (0, 0_u64);
    let mut protocol = Protocol::Text;
    while let Some((len, nodes)) = first(c, text, at)? {
        let layer = c.push_layer(NO_LAYER, at as u32..(at + len) as u32, Coding::Plain)?;
        let value = text.get(at..at + len).unwrap_or_default();
        let path = c.at_index(ROOT, values);
        one(c, Doc { text: value, nodes: &nodes, layer, level: 0 }.root(), path)?;
        (at, values, answers) = (at + len, values + 1, answers.saturating_add(c.message.answers));
        // If one value asks a model, a model is asked, whatever the others do.
        if c.message.protocol.is_settled() && !protocol.names_a_model() {
            protocol = c.message.protocol;
        }
    }
    c.message.protocol = protocol;
    if values > 1 {
        // Nothing bounds the responses to all of them, and no single operation applies.
        c.message.operation.clear();
        (c.message.max_output, c.message.answers) = (None, answers);
    }
    let start = if values == 0 { 0 } else { at };
    if text.get(start..).is_none_or(|rest| rest.trim_ascii().is_empty()) {
        return Ok(());
    }
    let doc = Doc { text, nodes: &[], layer: NO_LAYER, level: 0 };
    c.whole(Place::User, doc, start as u32..text.len() as u32, ROOT)
}

/// The value that begins here, and its length: an object, or a list that contains one. A list of anything else
/// requests nothing, and texts may begin with one (`[1] A note.`).
fn first(c: &Collector<'_>, text: &str, at: usize) -> Result<Option<(usize, Vec<Node>)>, WireError> {
    let rest = text.get(at..).unwrap_or_default();
    if !rest.trim_ascii_start().starts_with(['{', '[']) {
        return Ok(None);
    }
    let (len, nodes) = match scan(rest, c.limits) {
        Ok(nodes) => (rest.len(), nodes),
        Err(WireError::Malformed { offset, reason: FOLLOWS }) => {
            (offset, scan(rest.get(..offset).unwrap_or_default(), c.limits)?)
        }
        Err(error) if error.is_ambiguous(rest) => return Err(error.moved(at)),
        Err(_) => return Ok(None),
    };
    let asks = nodes.iter().any(|node| node.kind == Kind::Object);
    Ok(asks.then_some((len, nodes)))
}

/// One of several requests: what any of them asks for, the whole message does.
fn one(c: &mut Collector<'_>, root: Val<'_>, path: u32) -> Done {
    let model = c.message.model.take();
    let before = (c.message.mcp, c.message.unnamed, c.message.later, c.message.stream);
    c.message.protocol = Protocol::Text;
    document(c, None, root, path)?;
    c.message.mcp |= before.0;
    c.message.unnamed |= before.1;
    c.message.later |= before.2;
    c.message.stream |= before.3;
    match std::mem::replace(&mut c.message.model, model) {
        Some(own) => c.asks_models(&own),
        None => Ok(()),
    }
}
