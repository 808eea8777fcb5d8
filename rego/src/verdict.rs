//! The opinions of a module, gathered in one evaluation and read into a verdict.
use regorus::Value as RegoValue;

use crate::RegoError;
use crate::check::Opinions;

/// What the modules say about a request. Empty: nothing against it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why the request is refused, one message for each reason; not empty means refused.
    pub deny: Vec<String>,
    /// What is remarked.
    pub warn: Vec<String>,
}

/// The package of the gathering module.
pub(crate) const PACKAGE: &str = "ai_mesh_verdict";
/// The gathering module's name; authors never see it.
pub(crate) const MODULE: &str = "ai_mesh_verdict.rego";
/// The rule that holds all opinions.
pub(crate) const RULE: &str = "data.ai_mesh_verdict.opinions";

/// Most messages of one kind, and most characters of a message: messages go to clients and into records.
const MAX_MESSAGES: usize = 32;
const MAX_MESSAGE_CHARS: usize = 512;

/// A module that asks for the rules that exist, and only for those: `[[v | v := data.mesh.deny], …]`. A comprehension
/// turns undefined into an empty array.
pub(crate) fn source(opinions: Opinions) -> String {
    let ask = |defined: bool, rule: &str| {
        if defined { format!("[v | v := data.mesh.{rule}]") } else { "[]".to_owned() }
    };
    format!(
        "package {PACKAGE}\nopinions := [{}, {}, {}]\n",
        ask(opinions.deny, "deny"),
        ask(opinions.warn, "warn"),
        ask(opinions.allow, "allow"),
    )
}

/// Reads the value of [`RULE`].
pub(crate) fn read(defined: Opinions, value: &RegoValue) -> Result<Verdict, RegoError> {
    let nth = |index: usize| -> Result<Option<&RegoValue>, RegoError> {
        let opinions = value.as_array().map_err(|_| undecided())?;
        let opinion = opinions.get(index).ok_or_else(undecided)?;
        Ok(opinion.as_array().map_err(|_| undecided())?.first())
    };
    let mut verdict = Verdict { deny: messages("deny", nth(0)?)?, warn: messages("warn", nth(1)?)? };
    if defined.allow && !matches!(nth(2)?, Some(RegoValue::Bool(true))) {
        verdict.deny.push("the policy does not allow this request".to_owned());
    }
    Ok(verdict)
}

fn undecided() -> RegoError {
    RegoError::general("the evaluation gave no result")
}

fn messages(rule: &str, value: Option<&RegoValue>) -> Result<Vec<String>, RegoError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    match value {
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
