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
            found.extend(meaning::check(&policy.spec));
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

/// A policy of today.
fn policy(name: &str, labels: Map<String, Value>, spec: Value) -> Value {
    json!({
        "apiVersion": "ai-mesh.dev/v1alpha1",
        "kind": "Policy",
        "metadata": { "name": name, "labels": labels },
        "spec": spec,
    })
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
