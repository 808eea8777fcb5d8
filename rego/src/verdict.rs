//! The opinions of a module, read into a verdict.
use regorus::Value as RegoValue;

use crate::RegoError;

/// What the modules say about a request. Empty: nothing against it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why the request is refused, one message for each reason; not empty means refused.
    pub deny: Vec<String>,
    /// What is remarked.
    pub warn: Vec<String>,
}

/// Most messages of one kind, and most characters of a message: messages go to clients and into records.
const MAX_MESSAGES: usize = 32;
const MAX_MESSAGE_CHARS: usize = 512;

/// Reads the values of the three rules: [`RegoValue::Undefined`] where a rule has none. `allows` when there is an `allow`.
pub(crate) fn read(
    allows: bool,
    deny: &RegoValue,
    warn: &RegoValue,
    allow: &RegoValue,
) -> Result<Verdict, RegoError> {
    let mut verdict = Verdict { deny: messages("deny", deny)?, warn: messages("warn", warn)? };
    if allows && !matches!(allow, RegoValue::Bool(true)) {
        verdict.deny.push("the policy does not allow this request".to_owned());
    }
    Ok(verdict)
}

fn messages(rule: &str, value: &RegoValue) -> Result<Vec<String>, RegoError> {
    match value {
        RegoValue::Undefined => Ok(Vec::new()),
        RegoValue::Bool(false) => Ok(Vec::new()),
        RegoValue::Bool(true) => Ok(vec![format!("the policy's `{rule}` rule applies")]),
        RegoValue::Set(items) => items.iter().take(MAX_MESSAGES).map(|item| message(rule, item)).collect(),
        RegoValue::Array(items) => items.iter().take(MAX_MESSAGES).map(|item| message(rule, item)).collect(),
        single => Ok(vec![message(rule, single)?]),
    }
}

fn message(rule: &str, value: &RegoValue) -> Result<String, RegoError> {
    let text = match value {
        RegoValue::String(text) => Some(text),
        RegoValue::Object(fields) => match fields.get(&RegoValue::from("message")) {
            Some(RegoValue::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    };
    match text {
        Some(text) => Ok(text.chars().take(MAX_MESSAGE_CHARS).collect()),
        None => Err(RegoError::general(format!(
            "`{rule}` has to be a boolean, or a set of strings or of objects with a string `message`"
        ))),
    }
}
