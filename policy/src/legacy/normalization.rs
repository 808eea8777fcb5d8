//! `normalization_policy` (blueprint, section 2.4).
use serde_json::{Map, Value, json};

use super::{Translated, U32, field, flatten, index_in, optional, policy, renamed};
use crate::shape::{Field, Need, Shape, TONE};
use crate::{Diagnostic, forms, step};

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
            optional("patterns", Shape::List(0, &Shape::Texts)),
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
            field("tone", TONE, Need::Recorded),
            field("max_length", Shape::Whole(1, U32), Need::Recorded),
            field("language", Shape::Form(&forms::LANGUAGE), Need::Recorded),
        ]),
    ),
    optional(
        "context_injection",
        Shape::Map(&[field("system_prompt_prefix", Shape::NonEmpty, Need::Recorded)]),
    ),
];

pub(super) fn translate(value: &Value) -> Translated {
    let stages = value.get("normalization_policy").unwrap_or(&Value::Null);
    let mut rules = Vec::new();
    let mut remarks = Vec::new();
    let mut labels = Map::new();
    labels.insert("type".to_owned(), "normalization".into());
    for name in ["pii_redaction", "injection_detection"] {
        let Some(stage) = stages.get(name) else { continue };
        if !on(stage) {
            flatten(name, stage, &mut labels);
        } else if name == "pii_redaction" {
            rules.push(json!({ "pii": pii(stage) }));
        } else {
            rules.push(json!({ "injection": injection(stage, &mut remarks) }));
        }
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
    (policy(name, labels, json!({ "rules": rules })), remarks)
}

/// A stage that is written down is on unless it says otherwise.
fn on(stage: &Value) -> bool {
    stage.get("enabled") != Some(&Value::Bool(false))
}

/// The field that the author wrote for a field of the translation.
pub(super) fn written(value: &Value, path: &str) -> Option<String> {
    let stages = value.get("normalization_policy")?;
    if path == "spec.rules" {
        return Some("normalization_policy".to_owned());
    }
    let (_, rest) = index_in(path, "spec.rules[")?;
    if let Some(rest) = rest.strip_prefix(".pii") {
        let stage = "normalization_policy.pii_redaction";
        let Some((index, _)) = index_in(rest, ".patterns[") else { return Some(stage.to_owned() + rest) };
        // Each item of the author's list may hold several patterns.
        let listed = stages.get("pii_redaction")?.get("patterns")?.as_array()?.iter().enumerate();
        let names = listed.flat_map(|(place, item)| {
            item.as_object().into_iter().flat_map(Map::keys).map(move |name| (place, name))
        });
        let (place, name) = names.clone().nth(index)?;
        return Some(format!("{stage}.patterns[{place}]{}", step(name)));
    }
    let rest = rest.strip_prefix(".injection")?;
    Some(format!("normalization_policy.injection_detection{rest}"))
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
