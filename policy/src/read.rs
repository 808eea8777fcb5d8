//! From a raw value to a policy, or to everything that is wrong with it.
use serde::Deserialize;
use serde_json::Value;

use crate::{Diagnostic, Policy};

/// A document that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The policy.
    pub policy: Policy,
    /// What the author should know nevertheless.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a policy document.
///
/// # Errors
/// Everything that is wrong with it, not only the first problem, warnings included.
pub fn from_value(value: &Value) -> Result<Parsed, Vec<Diagnostic>> {
    match Policy::deserialize(value) {
        Ok(policy) => Ok(Parsed { policy, warnings: Vec::new() }),
        Err(error) => Err(vec![Diagnostic::error("", error.to_string())]),
    }
}
