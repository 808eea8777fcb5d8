//! `policy_id`, a `type` and rules of that type (blueprint, section 2.5).
use serde_json::{Map, Value, json};

use super::{SOME_TEXTS, TEXTS, Translated, U32, field, index_in, policy, renamed, text};
use crate::shape::{CATEGORIES, Field, Need, Shape};
use crate::{Diagnostic, Parsed, check, forms};

/// Reads one.
pub(super) fn from_value(value: &Value) -> Result<Parsed, Vec<Diagnostic>> {
    let Some(kind) = KINDS.iter().find(|kind| value.get("type") == Some(&Value::from(kind.name))) else {
        return Err(check::check(value, &UNKNOWN));
    };
    super::read(value, &kind.shape, |value| translate(kind, value))
}

/// The field that the author wrote for a field of the translation.
pub(super) fn written(value: &Value, path: &str) -> Option<String> {
    let kind = KINDS.iter().find(|kind| value.get("type") == Some(&Value::from(kind.name)))?;
    if path == "spec.rules" {
        return Some("rules".to_owned());
    }
    let (index, rest) = index_in(path, "spec.rules[")?;
    // One rule of the author's may have become two.
    let listed = value.get("rules")?.as_array()?.iter().enumerate();
    let (rule, _) = listed
        .flat_map(|(place, rule)| (kind.rules)(rule).into_iter().map(move |new| (place, new)))
        .nth(index)?;
    let mut path = format!("rules[{rule}]");
    for step in rest.trim_start_matches('.').split('.').skip(1) {
        let (name, place) = step.split_at(step.find('[').unwrap_or(step.len()));
        let old = NAMES.iter().find(|(_, new)| *new == name).map_or(name, |(old, _)| old);
        path += &format!(".{old}{place}");
    }
    Some(path)
}

/// The author's names, and those of today.
const NAMES: &[(&str, &str)] = &[
    ("allowed_roles", "allowedRoles"),
    ("allowed_actions", "allowedActions"),
    ("time_of_day", "timeOfDay"),
    ("ip_whitelist", "ipAllowList"),
    ("pii_types", "types"),
    ("max_requests_per_minute", "requestsPerMinute"),
    ("max_tokens_per_day", "tokensPerDay"),
    ("burst_allowance", "burst"),
];

/// One type of document: how it looks, and what becomes of a rule.
struct Kind {
    name: &'static str,
    shape: Shape,
    rules: fn(&Value) -> Vec<Value>,
}

const KINDS: &[Kind] = &[
    Kind { name: "access_control", shape: Shape::Map(ACCESS_CONTROL), rules: access },
    Kind { name: "content_safety", shape: Shape::Map(CONTENT_SAFETY), rules: content },
    Kind { name: "compliance", shape: Shape::Map(COMPLIANCE), rules: |_| Vec::new() },
    Kind { name: "rate_limiting", shape: Shape::Map(RATE_LIMITING), rules: rate_limit },
];

/// Each type's fixture and shape.
#[cfg(all(test, feature = "yaml"))]
pub(super) fn shapes() -> impl Iterator<Item = (&'static str, &'static Shape)> {
    let fixtures = ["access-control.json", "content-safety.json", "compliance.json", "rate-limiting.json"];
    fixtures.into_iter().zip(KINDS.iter().map(|kind| &kind.shape))
}

const ID: Field = field("policy_id", Shape::Form(&forms::NAME), Need::Required);
const TYPE: Field = field("type", TYPES, Need::Required);
const TYPES: Shape =
    Shape::Word(&[&["access_control"], &["content_safety"], &["compliance"], &["rate_limiting"]]);

/// For a document whose type is missing or unknown; its rules are looked at when that is mended.
const UNKNOWN: Shape = Shape::Map(&[
    ID,
    TYPE,
    field("framework", Shape::Text, Need::Optional),
    field("rules", Shape::List(0, &Shape::Anything), Need::Required),
]);

const ACCESS_CONTROL: &[Field] = &[
    ID,
    TYPE,
    field(
        "rules",
        Shape::List(
            0,
            &Shape::Map(&[
                field("resource", Shape::NonEmpty, Need::Required),
                field("allowed_roles", SOME_TEXTS, Need::Required),
                field("allowed_actions", SOME_TEXTS, Need::Required),
                field(
                    "conditions",
                    Shape::Map(&[
                        field("time_of_day", Shape::Form(&forms::HOURS), Need::Optional),
                        field("ip_whitelist", Shape::List(1, &Shape::Form(&forms::NETWORK)), Need::Optional),
                    ]),
                    Need::Optional,
                ),
            ]),
        ),
        Need::Required,
    ),
];

const CONTENT_SAFETY: &[Field] = &[
    ID,
    TYPE,
    field(
        "rules",
        Shape::List(
            0,
            &Shape::Map(&[
                field("detect_pii", Shape::Flag, Need::Optional),
                field("pii_types", TEXTS, Need::Optional),
                field("block_harmful_content", Shape::Flag, Need::Recorded),
                field("categories", Shape::List(0, &CATEGORIES), Need::Recorded),
                field("threshold", Shape::Share, Need::Recorded),
                field("action", Shape::Word(&[&["block"], &["redact"], &["log"]]), Need::Optional),
            ]),
        ),
        Need::Required,
    ),
];

const COMPLIANCE: &[Field] = &[
    ID,
    TYPE,
    field("framework", Shape::Text, Need::Recorded),
    field(
        "rules",
        Shape::List(
            0,
            &Shape::Map(&[
                field("require_explanation", Shape::Flag, Need::Recorded),
                field("automated_decision_threshold", Shape::Share, Need::Recorded),
                field("log_decision_factors", Shape::Flag, Need::Recorded),
                field("notify_data_subject", Shape::Flag, Need::Recorded),
            ]),
        ),
        Need::Required,
    ),
];

const RATE_LIMITING: &[Field] = &[
    ID,
    TYPE,
    field(
        "rules",
        Shape::List(
            0,
            &Shape::Map(&[
                field("max_requests_per_minute", Shape::Whole(1, U32), Need::Optional),
                field("max_tokens_per_day", Shape::Whole(1, u64::MAX), Need::Optional),
                field("burst_allowance", Shape::Whole(0, U32), Need::Optional),
                field("action", Shape::Word(&[&["throttle"]]), Need::Optional),
            ]),
        ),
        Need::Required,
    ),
];

/// The document in today's words, and what of it has no effect. Its fields were checked before.
fn translate(kind: &Kind, value: &Value) -> Translated {
    let rules = value.get("rules").and_then(Value::as_array);
    let rules: &[Value] = rules.map_or(&[], Vec::as_slice);
    let mut labels = Map::new();
    let mut remarks = Vec::new();
    labels.insert("type".to_owned(), kind.name.into());
    if let Some(framework) = value.get("framework") {
        labels.insert("framework".to_owned(), text(framework));
    }
    for (index, rule) in rules.iter().enumerate() {
        let idle = match kind.name {
            "compliance" => {
                rule.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect()
            }
            "content_safety" => without_effect(index, rule, &mut remarks),
            _ => Vec::new(),
        };
        for (name, value) in idle {
            let label =
                if labels.contains_key(name) { format!("rules[{index}].{name}") } else { name.to_owned() };
            labels.insert(label, text(value));
        }
    }
    let name = value.get("policy_id").and_then(Value::as_str).unwrap_or_default();
    let spec = json!({ "rules": rules.iter().flat_map(kind.rules).collect::<Vec<_>>() });
    (policy(name, labels, spec), remarks)
}

/// The fields of a rule about content that nothing asks for. Those of harmful content are warned of in any case.
fn without_effect<'r>(
    index: usize,
    rule: &'r Value,
    remarks: &mut Vec<Diagnostic>,
) -> Vec<(&'static str, &'r Value)> {
    let asks = |name: &str| rule.get(name) == Some(&Value::Bool(true));
    let (pii, harmful) = (asks("detect_pii"), asks("block_harmful_content"));
    let mut idle = Vec::new();
    let mut warn = |field: &str, message: &str| {
        remarks.push(Diagnostic::warning(format!("rules[{index}]{field}"), message));
    };
    if !pii && !harmful {
        warn("", "the rule asks for nothing: neither `detect_pii` nor `block_harmful_content` is true");
    }
    if let Some(types) = rule.get("pii_types").filter(|_| !pii) {
        warn(".pii_types", "`pii_types` has no effect, because `detect_pii` is not true");
        idle.push(("pii_types", types));
    }
    for name in ["categories", "threshold"] {
        idle.extend(rule.get(name).filter(|_| !harmful).map(|value| (name, value)));
    }
    match rule.get("action") {
        Some(action) if !pii && !harmful => idle.push(("action", action)),
        Some(action) if harmful && action == "redact" => {
            warn(
                ".action",
                "harmful content is not redacted but blocked: there is no value in it to replace",
            );
        }
        _ => {}
    }
    idle
}

fn access(rule: &Value) -> Vec<Value> {
    let mut access = renamed(
        rule,
        &[("resource", "resource"), ("allowed_roles", "allowedRoles"), ("allowed_actions", "allowedActions")],
    );
    if let Some(conditions) = rule.get("conditions") {
        let conditions =
            renamed(conditions, &[("time_of_day", "timeOfDay"), ("ip_whitelist", "ipAllowList")]);
        access.insert("conditions".to_owned(), conditions.into());
    }
    vec![json!({ "access": access })]
}

/// One rule may ask for both, each of which is a rule today.
fn content(rule: &Value) -> Vec<Value> {
    let asked = |name: &str| rule.get(name) == Some(&Value::Bool(true));
    let mut rules = Vec::new();
    if asked("detect_pii") {
        rules.push(json!({ "pii": renamed(rule, &[("pii_types", "types"), ("action", "action")]) }));
    }
    if asked("block_harmful_content") {
        let mut content = renamed(rule, &[("categories", "categories"), ("threshold", "threshold")]);
        // What is harmful is blocked or logged; there is nothing in it to redact.
        if rule.get("action") == Some(&Value::from("log")) {
            content.insert("action".to_owned(), "log".into());
        }
        rules.push(json!({ "content": content }));
    }
    rules
}

/// The blueprint counts each user.
fn rate_limit(rule: &Value) -> Vec<Value> {
    let mut limit = renamed(
        rule,
        &[
            ("max_requests_per_minute", "requestsPerMinute"),
            ("max_tokens_per_day", "tokensPerDay"),
            ("burst_allowance", "burst"),
            ("action", "action"),
        ],
    );
    limit.insert("key".to_owned(), "user".into());
    vec![json!({ "rateLimit": limit })]
}
