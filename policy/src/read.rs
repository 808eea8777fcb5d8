//! From a raw value to a policy, or to everything that is wrong with it.
use serde::Deserialize;
use serde_json::Value;

use crate::{Diagnostic, Policy, Severity, check, legacy, meaning, shape};

/// A document that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The policy.
    pub policy: Policy,
    /// What the author should know nevertheless.
    pub warnings: Vec<Diagnostic>,
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
        // The table lets nothing through that the types refuse; should it, their word counts.
        Err(error) => {
            found.push(Diagnostic::error("", error.to_string()));
            return Err(found);
        }
    };
    found.extend(meaning::check(&policy.spec));
    if has_errors(&found) { Err(found) } else { Ok(Parsed { policy, warnings: found }) }
}

pub(crate) fn has_errors(found: &[Diagnostic]) -> bool {
    found.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}
