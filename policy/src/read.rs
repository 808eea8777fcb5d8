//! From a raw value to a policy, or to everything that is wrong with it.
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Agent, Diagnostic, Policy, Severity, State, ToolApproval, check, legacy, meaning, shape};

/// A document that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The policy.
    pub policy: Policy,
    /// What the author should know nevertheless.
    pub warnings: Vec<Diagnostic>,
}

/// A document of one kind or another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Document {
    /// A policy.
    Policy(Policy),
    /// An agent.
    Agent(Agent),
    /// Decisions on a tool's definitions. Nobody writes it: approvals do, so that they stand in the log of all changes.
    Tool(ToolApproval),
    /// What the control plane keeps of its own; no author writes one.
    State(State),
    /// What a model costs. It is set over the API and stands in no file.
    Price(PriceDocument),
}

/// What a model costs, where that was set while the mesh runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceDocument {
    /// A list of prices with one entry, as `mesh_limits::PriceList` reads it.
    pub price: Value,
}

/// A document of any kind that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedDocument {
    /// The document.
    pub document: Document,
    /// What the author should know nevertheless.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a document of the kind that it names; one that names none is taken for a policy.
///
/// # Errors
/// Everything that is wrong with it, warnings included.
pub fn document_from_value(value: &Value) -> Result<ParsedDocument, Vec<Diagnostic>> {
    if value.get("kind").and_then(Value::as_str) != Some("Agent") {
        let Parsed { policy, warnings } = from_value(value)?;
        return Ok(ParsedDocument { document: Document::Policy(policy), warnings });
    }
    let mut found = check::check(value, &shape::AGENT);
    if has_errors(&found) {
        return Err(found);
    }
    match Agent::deserialize(value) {
        Ok(agent) => {
            found.extend(meaning::agent(&agent));
            if has_errors(&found) {
                return Err(found);
            }
            Ok(ParsedDocument { document: Document::Agent(agent), warnings: found })
        }
        Err(error) => {
            found.push(Diagnostic::error("", error.to_string()));
            Err(found)
        }
    }
}

/// Reads a policy document, or one of the specification's own, which is translated.
///
/// # Errors
/// Everything that is wrong with it, not only the first problem, warnings included.
pub fn from_value(value: &Value) -> Result<Parsed, Vec<Diagnostic>> {
    if let Some(read) = legacy::from_value(value) {
        return read;
    }
    let mut found = check::check(value, &shape::POLICY);
    if has_errors(&found) {
        return Err(found);
    }
    let policy = match Policy::deserialize(value) {
        Ok(policy) => policy,
        // The table accepts nothing that the types refuse; if it ever does, the types decide.
        Err(error) => {
            found.push(Diagnostic::error("", error.to_string()));
            return Err(found);
        }
    };
    found.extend(meaning::check(&policy.spec));
    if has_errors(&found) { Err(found) } else { Ok(Parsed { policy, warnings: found }) }
}

/// Names the fields that the author of `value` wrote in diagnostics that came after reading: a compiler's, say, speak of
/// the translation of the specification's own documents.
pub fn in_authors_words(value: &Value, diagnostics: &mut [Diagnostic]) {
    for said in diagnostics {
        if let Some(path) = legacy::written(value, &said.path) {
            said.path = path;
        }
    }
}

pub(crate) fn has_errors(found: &[Diagnostic]) -> bool {
    found.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}
