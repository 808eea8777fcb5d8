//! The specification's own documents, translated to today's: the blueprint's four types (section 2.5) and its
//! `normalization_policy` (section 2.4), and the whitepaper's version 3.0.0 (section 3.1).
//!
//! They are checked in their own words first, so that diagnostics name the fields the author wrote. Every field is
//! enforced, mapped to what enforces it today, or kept as a label of the translated policy with a warning that says so.
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::read::has_errors;
use crate::shape::{Field, Need, Shape};
use crate::{Diagnostic, Parsed, Policy, check, meaning};

mod blueprint;
#[cfg(all(test, feature = "yaml"))]
mod fields;
mod normalization;
mod whitepaper;

/// Reads a document if it is one of these; `None` for what claims to be of today.
pub(crate) fn from_value(value: &Value) -> Option<Result<Parsed, Vec<Diagnostic>>> {
    let has = |field: &str| value.get(field).is_some();
    if has("apiVersion") {
        None
    } else if has("normalization_policy") {
        Some(read(value, &normalization::SHAPE, normalization::translate))
    } else if has("policy_id") {
        Some(blueprint::from_value(value))
    } else if has("version") && !has("kind") {
        Some(read(value, &whitepaper::SHAPE, whitepaper::translate))
    } else {
        None
    }
}

/// The field of the document as its author wrote it, for a field of its translation; none where the two are the same.
pub(crate) fn written(value: &Value, path: &str) -> Option<String> {
    let has = |field: &str| value.get(field).is_some();
    if has("apiVersion") {
        None
    } else if has("normalization_policy") {
        normalization::written(value, path)
    } else if has("policy_id") {
        blueprint::written(value, path)
    } else {
        (has("version") && !has("kind") && path == "spec.rules").then(|| "rules".to_owned())
    }
}

/// The number in `path` behind `before`, and what follows its bracket.
fn index_in<'p>(path: &'p str, before: &str) -> Option<(usize, &'p str)> {
    let (number, rest) = path.strip_prefix(before)?.split_once(']')?;
    Some((number.parse().ok()?, rest))
}

/// A translation, and what the author should know about it.
type Translated = (Value, Vec<Diagnostic>);

/// Checks a document in its own words, translates it, and reads the translation.
fn read(
    value: &Value,
    shape: &Shape,
    translate: impl Fn(&Value) -> Translated,
) -> Result<Parsed, Vec<Diagnostic>> {
    let mut found = check::check(value, shape);
    if has_errors(&found) {
        return Err(found);
    }
    let (document, remarks) = translate(value);
    found.extend(remarks);
    match Policy::deserialize(&document) {
        Ok(policy) => {
            let said = meaning::check(&policy.spec).into_iter();
            found.extend(said.map(|said| match written(value, &said.path) {
                Some(path) if said.path == "spec.rules" => Diagnostic::warning(path, NOTHING_ENFORCED),
                Some(path) => Diagnostic { path, ..said },
                None => said,
            }));
            if has_errors(&found) { Err(found) } else { Ok(Parsed { policy, warnings: found }) }
        }
        Err(error) => {
            found.push(Diagnostic::error("", error.to_string()));
            Err(found)
        }
    }
}

const U32: u64 = u32::MAX as u64;
const TEXTS: Shape = Shape::List(0, &Shape::NonEmpty);
const SOME_TEXTS: Shape = Shape::List(1, &Shape::NonEmpty);

const fn field(name: &'static str, shape: Shape, need: Need) -> Field {
    Field { name, shape, need }
}

const fn recorded(name: &'static str, shape: Shape) -> Field {
    field(name, shape, Need::Recorded)
}

const fn optional(name: &'static str, shape: Shape) -> Field {
    field(name, shape, Need::Optional)
}

const NOTHING_ENFORCED: &str =
    "nothing of this can be enforced by this version: the policy keeps it, and does nothing";

/// A policy of today.
fn policy(name: &str, labels: Map<String, Value>, spec: Value) -> Value {
    json!({
        "apiVersion": "ai-mesh.dev/v1alpha1",
        "kind": "Policy",
        "metadata": { "name": name, "labels": labels },
        "spec": spec,
    })
}

/// Every value as a label, under its path.
fn flatten(path: &str, value: &Value, labels: &mut Map<String, Value>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&format!("{path}.{name}"), value, labels);
            }
        }
        other => {
            labels.insert(path.to_owned(), text(other));
        }
    }
}

/// A label's value.
fn text(value: &Value) -> Value {
    match value {
        Value::String(_) => value.clone(),
        other => other.to_string().into(),
    }
}

/// A map of those fields that are there, under their names of today.
fn renamed(value: &Value, names: &[(&str, &str)]) -> Map<String, Value> {
    let present = |(old, new): &(&str, &str)| Some(((*new).to_owned(), value.get(old)?.clone()));
    names.iter().filter_map(present).collect()
}
