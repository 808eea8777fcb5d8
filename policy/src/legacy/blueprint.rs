//! `policy_id`, a `type` and rules of that type (blueprint, section 2.5).
use serde_json::{Map, Value, json};

use super::{SOME_TEXTS, TEXTS, U32, field, policy, renamed, text};
use crate::shape::{Field, Need, Shape};
use crate::{Diagnostic, Parsed, check, forms};

/// Reads one.
pub(super) fn from_value(value: &Value) -> Result<Parsed, Vec<Diagnostic>> {
    let Some(kind) = KINDS.iter().find(|kind| value.get("type") == Some(&Value::from(kind.name))) else {
        return Err(check::check(value, &UNKNOWN));
    };
    super::read(value, &kind.shape, |value| (translate(kind, value), Vec::new()))
}

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
                field("categories", TEXTS, Need::Recorded),
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

/// The document in today's words. Its fields were checked before.
fn translate(kind: &Kind, value: &Value) -> Value {
    let rules = value.get("rules").and_then(Value::as_array);
    let rules: &[Value] = rules.map_or(&[], Vec::as_slice);
    let mut labels = Map::new();
    labels.insert("type".to_owned(), kind.name.into());
    if let Some(framework) = value.get("framework") {
        labels.insert("framework".to_owned(), text(framework));
    }
    if kind.name == "compliance" {
        for (name, value) in rules.iter().filter_map(Value::as_object).flatten() {
            labels.insert(name.clone(), text(value));
        }
    }
    let name = value.get("policy_id").and_then(Value::as_str).unwrap_or_default();
    policy(name, labels, json!({ "rules": rules.iter().flat_map(kind.rules).collect::<Vec<_>>() }))
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
        ],
    );
    limit.insert("key".to_owned(), "user".into());
    vec![json!({ "rateLimit": limit })]
}
