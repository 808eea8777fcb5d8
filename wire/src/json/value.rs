//! A scanned document as a `serde_json::Value`, for code that evaluates it (Rego).

use serde_json::{Map, Number, Value};

use super::cursor::{Doc, NO_LAYER, Val};
use super::number::is_exact;
use super::scan::{Kind, scan_bytes};
use crate::error::{Limits, WireError};

/// The whole body as a value, as strict as reading it.
///
/// # Errors
/// As for [`read_request`](crate::read_request): whatever two parsers could read differently.
pub fn to_value(body: &[u8], limits: &Limits) -> Result<Value, WireError> {
    let (text, nodes) = scan_bytes(body, limits)?;
    Ok(value_of(Doc { text, nodes: &nodes, layer: NO_LAYER, level: 0 }.root()))
}

/// Recursion is bounded by the scanner's depth limit.
pub(crate) fn value_of(val: Val<'_>) -> Value {
    match val.kind() {
        Kind::Object => Value::Object(
            val.members().map(|(key, item)| (key.text().into_owned(), value_of(item))).collect::<Map<_, _>>(),
        ),
        Kind::Array => {
            let mut items = Vec::new();
            val.children(|child| match child.kind() {
                Kind::Run => items.extend(child.raw().split(',').map(|scalar| scalar_of(scalar.trim()))),
                _ => items.push(value_of(child)),
            });
            Value::Array(items)
        }
        Kind::Key | Kind::Str => Value::String(val.text().into_owned()),
        _ => scalar_of(val.raw()),
    }
}

fn scalar_of(token: &str) -> Value {
    match token {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        _ => number_of(token).map_or(Value::Null, Value::Number),
    }
}

fn number_of(token: &str) -> Option<Number> {
    if let Ok(value) = token.parse::<u64>() {
        return Some(value.into());
    }
    match token.parse::<i64>() {
        // A negative zero is a double for most parsers.
        Ok(value) if value != 0 => Some(value.into()),
        _ => token.parse::<f64>().ok().and_then(Number::from_f64),
    }
}

/// The numbers in these members of an object, in order, that a double cannot represent exactly.
pub(crate) fn inexact_numbers(
    body: &[u8],
    members: &[&str],
    limits: &Limits,
) -> Result<Vec<String>, WireError> {
    let (text, nodes) = scan_bytes(body, limits)?;
    let mut found = Vec::new();
    let root = Doc { text, nodes: &nodes, layer: NO_LAYER, level: 0 }.root();
    for (_, member) in root.members().filter(|(key, _)| members.contains(&&*key.text())) {
        inexact_in(member, &mut found);
    }
    Ok(found)
}

/// Recursion is bounded by the scanner's depth limit.
fn inexact_in(val: Val<'_>, found: &mut Vec<String>) {
    match val.kind() {
        Kind::Object => val.members().for_each(|(_, member)| inexact_in(member, found)),
        Kind::Array => val.children(|child| inexact_in(child, found)),
        Kind::Key | Kind::Str => {}
        _ => {
            let tokens = val.raw().split(',').map(str::trim);
            found.extend(tokens.filter(|token| !is_exact(token)).map(str::to_owned));
        }
    }
}
