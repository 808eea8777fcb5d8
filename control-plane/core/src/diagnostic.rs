//! How the OpenAPI document describes `mesh_policy::Diagnostic`, which itself knows nothing of OpenAPI.
use mesh_policy::{Diagnostic, Severity};
use serde::Serialize;
use utoipa::ToSchema;

/// A remark about a policy document.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Diagnostic)]
pub struct DiagnosticSchema {
    /// `error` or `warning`.
    #[schema(example = "error")]
    pub severity: String,
    /// The field, such as `spec.rules[2].rego.module`; empty for the document as a whole.
    pub path: String,
    /// Line, counted from 1, when the document came as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in characters, counted from 1, when the document came as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// Where in the field's own text (a Rego module, say), when its place in the document is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<WithinSchema>,
    /// What was found and what was expected.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// A place in the text that is a field's value.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Within)]
pub struct WithinSchema {
    /// Line of that text, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
}

impl From<Diagnostic> for DiagnosticSchema {
    fn from(said: Diagnostic) -> Self {
        let severity = match said.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        DiagnosticSchema {
            severity: severity.to_owned(),
            path: said.path,
            line: said.line,
            column: said.column,
            within: said.within.map(|at| WithinSchema { line: at.line, column: at.column }),
            message: said.message,
            help: said.help,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_and_the_diagnostic_are_one_json() {
        let full = Diagnostic::error("spec", "wrong").at(1, 2).help("do this");
        let bare = Diagnostic::warning("", "odd");
        let inside = Diagnostic::error("spec", "wrong").within(3, 4);
        for said in [full, bare, inside] {
            let described = serde_json::to_value(DiagnosticSchema::from(said.clone())).unwrap();
            assert_eq!(described, serde_json::to_value(said).unwrap());
        }
    }
}
