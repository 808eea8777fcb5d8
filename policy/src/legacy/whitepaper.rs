//! The whitepaper's document, version 3.0.0 (section 3.1).
//!
//! Its rules are duties of whoever stores data; nothing of them can be seen in a request or a response. They are kept as
//! labels, each with a warning. What it says of enforcement is what the translated policy does.
use serde_json::{Map, Value, json};

use super::{Translated, U32, field, flatten, optional, policy, recorded};
use crate::shape::{Field, Need, Shape};
use crate::{Diagnostic, forms};

pub(super) const SHAPE: Shape = Shape::Map(&[
    field("version", Shape::Word(&[&["3.0.0"]]), Need::Required),
    field("name", Shape::Form(&forms::TITLE), Need::Required),
    recorded("framework", Shape::NonEmpty),
    field("rules", Shape::Map(RULES), Need::Required),
    optional(
        "enforcement",
        Shape::Map(&[
            optional("mode", Shape::Word(&[&["enforce"], &["monitor"], &["audit"]])),
            optional("actions_on_violation", Shape::List(0, &Shape::Map(ACTION))),
        ]),
    ),
]);

const TEXTS: Shape = Shape::List(0, &Shape::NonEmpty);

const RULES: &[Field] = &[
    optional(
        "data_collection",
        Shape::Map(&[
            recorded("consent_required", Shape::Flag),
            recorded("purpose_limitation", Shape::Flag),
            recorded("valid_purposes", TEXTS),
            recorded("prohibited_purposes", TEXTS),
        ]),
    ),
    optional(
        "data_storage",
        Shape::Map(&[
            optional(
                "encryption",
                Shape::Map(&[
                    recorded("algorithm", Shape::NonEmpty),
                    recorded("key_rotation_days", Shape::Whole(1, U32)),
                ]),
            ),
            optional(
                "retention",
                Shape::Map(&[
                    recorded("max_days", Shape::Whole(1, U32)),
                    recorded("deletion_policy", Shape::NonEmpty),
                ]),
            ),
            optional("location_restrictions", Shape::Map(&[recorded("allowed_regions", TEXTS)])),
        ]),
    ),
    optional(
        "data_subject_rights",
        Shape::Map(&[
            optional("right_to_access", RIGHT),
            optional("right_to_erasure", RIGHT),
            optional("right_to_portability", RIGHT),
        ]),
    ),
];

const RIGHT: Shape = Shape::Map(&[
    recorded("enabled", Shape::Flag),
    recorded("response_time_hours", Shape::Whole(1, U32)),
    recorded("format", Shape::NonEmpty),
]);

const ACTION: &[Field] = &[
    field("action", Shape::Word(&[&["block"], &["alert"], &["log"]]), Need::Required),
    recorded("severity", Shape::Word(&[&["low"], &["medium"], &["high"], &["critical"]])),
    recorded("channels", TEXTS),
    recorded("recipients", TEXTS),
    optional("destination", Shape::NonEmpty),
];

pub(super) fn translate(value: &Value) -> Translated {
    let title = value.get("name").and_then(Value::as_str).unwrap_or_default();
    let name = forms::label_of(title).unwrap_or_default();
    let mut labels = Map::new();
    labels.insert("version".to_owned(), "3.0.0".into());
    for part in ["framework", "rules", "enforcement"] {
        flatten(part, value.get(part).unwrap_or(&Value::Null), &mut labels);
    }
    let mut remarks = Vec::new();
    let enforcement = value.get("enforcement").unwrap_or(&Value::Null);
    let mode = enforcement.get("mode").and_then(Value::as_str).unwrap_or("enforce");
    remarks.extend(actions(enforcement, mode));
    let spec = json!({ "description": title, "enforcement": mode, "rules": [] });
    (policy(&name, labels, spec), remarks)
}

/// What the list of actions says beside the mode. Every decision is recorded, so `log` needs nothing.
fn actions(enforcement: &Value, mode: &str) -> Vec<Diagnostic> {
    let listed = enforcement.get("actions_on_violation").and_then(Value::as_array);
    let Some(listed) = listed else { return Vec::new() };
    let mut remarks = Vec::new();
    let mut blocks = false;
    for (index, action) in listed.iter().enumerate() {
        let path = format!("enforcement.actions_on_violation[{index}]");
        match action.get("action").and_then(Value::as_str) {
            Some("block") => blocks = true,
            Some("alert") => {
                let message = "`alert` is recorded but not sent by this version";
                remarks.push(Diagnostic::warning(format!("{path}.action"), message));
            }
            _ => {}
        }
        if action.get("destination").is_some_and(|to| to != "audit_log") {
            let message = "decisions are recorded in the audit log, whatever the destination";
            remarks.push(Diagnostic::warning(format!("{path}.destination"), message));
        }
    }
    if blocks != (mode == "enforce") {
        let message = match mode {
            "enforce" => "the mode is `enforce` and no action is `block`: violations are blocked",
            _ => "an action is `block`, but the mode lets violations pass: they are recorded",
        };
        remarks.push(Diagnostic::warning("enforcement.mode", message).help("let both say the same"));
    }
    remarks
}
