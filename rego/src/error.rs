//! What goes wrong, said with its place in the author's module.
use std::collections::BTreeMap;
use std::fmt;

use crate::meter::{Inserted, OVER_MEMORY};

/// An error in a module, or in its evaluation.
///
/// Compile errors may quote the author's source. Evaluation errors never quote a value: values come from requests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RegoError {
    /// Name of the module; empty when the error belongs to none.
    pub module: String,
    /// Line in the module, counted from 1.
    pub line: Option<u32>,
    /// Column in characters, counted from 1.
    pub column: Option<u32>,
    /// What is wrong and what to do.
    pub message: String,
}

/// `checks.rego:3:7: unknown function "cuont" (did you mean "count"?)`
impl fmt::Display for RegoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.module.is_empty() {
            f.write_str(&self.module)?;
            if let Some(line) = self.line {
                write!(f, ":{line}:{}", self.column.unwrap_or(1))?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

impl RegoError {
    pub(crate) fn general(message: impl Into<String>) -> Self {
        RegoError { module: String::new(), line: None, column: None, message: message.into() }
    }

    pub(crate) fn at(module: &str, line: u32, column: u32, message: impl Into<String>) -> Self {
        RegoError {
            module: module.to_owned(),
            line: Some(line),
            column: Some(column.max(1)),
            message: message.into(),
        }
    }

    /// An error of the library while it reads or prepares modules. Its text may quote the source.
    pub(crate) fn from_compile(error: &anyhow::Error) -> Self {
        let text = error.to_string();
        let (place, message) = split(&text);
        // Some name a second place, with an excerpt of its own.
        let message = match message.split_once("\n--> ") {
            Some((message, rest)) => {
                let other = rest.lines().next().unwrap_or_default();
                format!("{} ({})", message.trim_end(), other.trim_end())
            }
            None => message.to_owned(),
        };
        Self::placed(place, message)
    }

    /// An error of the library while it evaluates. Its text may quote values, so only its kind is kept.
    pub(crate) fn from_evaluation(error: &anyhow::Error) -> Self {
        if error.downcast_ref::<regorus::LimitError>().is_some() {
            return Self::general(OVER_BUDGET);
        }
        let text = error.to_string();
        let (place, message) = split(&text);
        let kind = KINDS.iter().find(|(needle, _)| message.contains(needle));
        Self::placed(place, kind.map_or(OTHER, |(_, kind)| kind).to_owned())
    }

    /// With its place as the author wrote the module, where calls were put into it.
    pub(crate) fn written(self, inserted: &BTreeMap<String, Inserted>) -> Self {
        let column = match (inserted.get(&self.module), self.line, self.column) {
            (Some(inserted), Some(line), Some(column)) => Some(inserted.column(line, column)),
            (_, _, column) => column,
        };
        RegoError { column, ..self }
    }

    fn placed(place: Option<(&str, u32, u32)>, message: String) -> Self {
        match place {
            Some((module, line, column)) => Self::at(module, line, column, message),
            None => Self::general(message),
        }
    }
}

const OVER_BUDGET: &str = "the evaluation took more steps than a policy may take; make the rule simpler";
const OTHER: &str = "the evaluation failed, most likely because a built-in function got a value of a type it cannot take; \
                     check the type first (`is_string(input.x)`)";

/// Phrases of the library's messages, and what we say instead.
const KINDS: &[(&str, &str)] = &[
    ("execution exceeded time limit", OVER_BUDGET),
    ("complete rules should not produce multiple outputs", "the rule has several different values at once"),
    ("multiple outputs", "the rule or function has several different values at once"),
    ("divide by zero", "division by zero"),
    ("modulo by zero", "division by zero"),
    ("recursion detected", "the rule depends on itself"),
    ("invalid regex", "the regular expression is not valid"),
    ("could not find function", "the function does not exist"),
    ("mismatch in number of arguments", "the function is called with the wrong number of arguments"),
    (OVER_MEMORY, OVER_MEMORY),
    (crate::builtins::TOO_LARGE, crate::builtins::TOO_LARGE),
    (crate::builtins::UNFIT, crate::builtins::UNFIT),
];

/// The first place a library message names, and the message without the quoted source around it.
///
/// The form is `\n--> file:line:column\n<source excerpt>\nerror: message`.
fn split(text: &str) -> (Option<(&str, u32, u32)>, &str) {
    let place = text.split_once("--> ").and_then(|(_, rest)| {
        let head = rest.lines().next()?;
        let (rest, column) = head.rsplit_once(':')?;
        let (module, line) = rest.rsplit_once(':')?;
        Some((module, line.parse().ok()?, column.parse().ok()?))
    });
    let message = text.split_once("\nerror: ").map_or(text, |(_, message)| message);
    let message = message.strip_prefix("error: ").unwrap_or(message);
    (place, message.trim())
}
