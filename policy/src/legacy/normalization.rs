//! `normalization_policy` (blueprint, section 2.4).
use serde_json::{Map, Value, json};

use super::{Translated, U32, field, optional, policy, renamed};
use crate::shape::{Field, Need, Shape};
use crate::{Diagnostic, forms};

/// Name of a document that bears none, as the blueprint's does.
const NAME: &str = "normalization";

/// Names of patterns that are also types the detectors know: both look.
const KNOWN: &[&str] = &["ssn", "email", "credit_card"];

pub(super) const SHAPE: Shape = Shape::Map(&[
    optional("policy_id", Shape::Form(&forms::NAME)),
    field("normalization_policy", Shape::Map(STAGES), Need::Required),
]);

const STAGES: &[Field] = &[
    optional(
        "pii_redaction",
        Shape::Map(&[
            optional("enabled", Shape::Flag),
            optional("patterns", Shape::List(0, &Shape::Labels)),
            optional("replacement", Shape::Text),
        ]),
    ),
    optional(
        "injection_detection",
        Shape::Map(&[
            optional("enabled", Shape::Flag),
            optional("patterns", Shape::List(0, &Shape::NonEmpty)),
            optional("action", Shape::Word(&[&["block"], &["log"], &["sanitize"]])),
        ]),
    ),
    optional(
        "style",
        Shape::Map(&[
            field("tone", Shape::Word(&[&["casual"], &["professional"], &["technical"]]), Need::Recorded),
            field("max_length", Shape::Whole(1, U32), Need::Recorded),
            field("language", Shape::NonEmpty, Need::Recorded),
        ]),
    ),
    optional(
        "context_injection",
        Shape::Map(&[field("system_prompt_prefix", Shape::NonEmpty, Need::Recorded)]),
    ),
];

pub(super) fn translate(value: &Value) -> Translated {
    let stages = value.get("normalization_policy").unwrap_or(&Value::Null);
    let stage = |name: &str| {
        let stage = stages.get(name)?;
        // A stage that is written down is on unless it says otherwise.
        (stage.get("enabled") != Some(&Value::Bool(false))).then_some(stage)
    };
    let mut rules = Vec::new();
    let mut remarks = Vec::new();
    if let Some(stage) = stage("pii_redaction") {
        rules.push(json!({ "pii": pii(stage) }));
    }
    if let Some(stage) = stage("injection_detection") {
        rules.push(json!({ "injection": injection(stage, &mut remarks) }));
    }
    let mut normalize = Map::new();
    if let Some(style) = stages.get("style") {
        let names = [("tone", "tone"), ("max_length", "maxLength"), ("language", "language")];
        normalize.extend(renamed(style, &names));
    }
    if let Some(context) = stages.get("context_injection") {
        normalize.extend(renamed(context, &[("system_prompt_prefix", "systemPromptPrefix")]));
    }
    if !normalize.is_empty() {
        rules.push(json!({ "normalize": normalize }));
    }
    let name = value.get("policy_id").and_then(Value::as_str).unwrap_or(NAME);
    let labels = [("type".to_owned(), Value::from("normalization"))].into_iter().collect();
    (policy(name, labels, json!({ "rules": rules })), remarks)
}

/// The author's patterns, word for word, and the detectors of the same names. Without patterns: every type.
fn pii(stage: &Value) -> Value {
    let listed = stage.get("patterns").and_then(Value::as_array).into_iter().flatten();
    let pairs: Vec<(&String, &Value)> = listed.filter_map(Value::as_object).flatten().collect();
    let known = pairs.iter().map(|(name, _)| name.as_str()).filter(|name| KNOWN.contains(name));
    let mut types: Vec<&str> = known.collect();
    if types.is_empty() && !pairs.is_empty() {
        // An empty list would mean every type, of which the author said nothing.
        types.push("none");
    }
    let patterns: Vec<Value> =
        pairs.iter().map(|(name, regex)| json!({ "name": name, "regex": regex })).collect();
    let mut rule = renamed(stage, &[("replacement", "replacement")]);
    rule.insert("types".to_owned(), types.into());
    rule.insert("action".to_owned(), "redact".into());
    if !patterns.is_empty() {
        rule.insert("patterns".to_owned(), patterns.into());
    }
    rule.into()
}

fn injection(stage: &Value, remarks: &mut Vec<Diagnostic>) -> Value {
    let mut rule = renamed(stage, &[("patterns", "patterns"), ("action", "action")]);
    if rule.get("action") == Some(&Value::from("sanitize")) {
        rule.insert("action".to_owned(), "block".into());
        let path = "normalization_policy.injection_detection.action";
        let message = "`sanitize` is enforced as `block`: what is left of an attack once a phrase is cut out may still be one";
        remarks.push(Diagnostic::warning(path, message).help("write `block` or `log`"));
    }
    rule.into()
}
