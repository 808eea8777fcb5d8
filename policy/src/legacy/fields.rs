//! What becomes of every field of the specification's own documents: a closed list, so that none is lost in silence.
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{blueprint, normalization, whitepaper};
use crate::shape::Shape;
use crate::{Severity, from_value, from_yaml};

/// What becomes of a field.
enum Fate {
    /// It is this field of the translation.
    Field(&'static str),
    /// It is kept as this label, and a warning names it.
    Label(&'static str),
    /// It is this field of the translation, which nothing enforces, and a warning names it.
    Recorded(&'static str),
    /// It says which document this is.
    Kind,
}
use Fate::{Field, Kind, Label, Recorded};

/// Each row: the document, the field, another value for it, and what becomes of it.
const FIELDS: &[(&str, &str, &str, Fate)] = &[
    ("access-control.json", "policy_id", "\"other\"", Field("/metadata/name")),
    ("access-control.json", "type", "", Kind),
    ("access-control.json", "rules[0].resource", "\"x\"", Field("/spec/rules/0/access/resource")),
    ("access-control.json", "rules[0].allowed_roles", "[\"x\"]", Field("/spec/rules/0/access/allowedRoles")),
    (
        "access-control.json",
        "rules[0].allowed_actions",
        "[\"read\"]",
        Field("/spec/rules/0/access/allowedActions"),
    ),
    (
        "access-control.json",
        "rules[0].conditions.time_of_day",
        "\"10:00-11:00 UTC\"",
        Field("/spec/rules/0/access/conditions/timeOfDay"),
    ),
    (
        "access-control.json",
        "rules[0].conditions.ip_whitelist",
        "[\"192.0.2.7\"]",
        Field("/spec/rules/0/access/conditions/ipAllowList"),
    ),
    ("content-safety.json", "policy_id", "\"other\"", Field("/metadata/name")),
    ("content-safety.json", "type", "", Kind),
    (
        "content-safety.json",
        "rules[0].block_harmful_content",
        "true",
        Recorded("/spec/rules/0/content/action"),
    ),
    (
        "content-safety.json",
        "rules[0].categories",
        "[\"violence\"]",
        Recorded("/spec/rules/0/content/categories"),
    ),
    ("content-safety.json", "rules[0].threshold", "0.5", Recorded("/spec/rules/0/content/threshold")),
    ("content-safety.json", "rules[1].action", "\"block\"", Field("/spec/rules/1/pii/action")),
    ("content-safety.json", "rules[1].detect_pii", "true", Field("/spec/rules/1/pii")),
    ("content-safety.json", "rules[1].pii_types", "[\"phone\"]", Field("/spec/rules/1/pii/types")),
    ("compliance.json", "policy_id", "\"other\"", Field("/metadata/name")),
    ("compliance.json", "type", "", Kind),
    ("compliance.json", "framework", "\"HIPAA\"", Label("framework")),
    ("compliance.json", "rules[0].require_explanation", "true", Label("require_explanation")),
    (
        "compliance.json",
        "rules[0].automated_decision_threshold",
        "0.5",
        Label("automated_decision_threshold"),
    ),
    ("compliance.json", "rules[0].log_decision_factors", "true", Label("log_decision_factors")),
    ("compliance.json", "rules[0].notify_data_subject", "true", Label("notify_data_subject")),
    ("rate-limiting.json", "policy_id", "\"other\"", Field("/metadata/name")),
    ("rate-limiting.json", "type", "", Kind),
    (
        "rate-limiting.json",
        "rules[0].max_requests_per_minute",
        "7",
        Field("/spec/rules/0/rateLimit/requestsPerMinute"),
    ),
    ("rate-limiting.json", "rules[0].max_tokens_per_day", "7", Field("/spec/rules/0/rateLimit/tokensPerDay")),
    ("rate-limiting.json", "rules[0].burst_allowance", "7", Field("/spec/rules/0/rateLimit/burst")),
    ("rate-limiting.json", "rules[0].action", "\"throttle\"", Field("/spec/rules/0/rateLimit/action")),
    ("normalization.yaml", "policy_id", "\"other\"", Field("/metadata/name")),
    ("normalization.yaml", "normalization_policy.pii_redaction.enabled", "true", Field("/spec/rules/0/pii")),
    (
        "normalization.yaml",
        "normalization_policy.pii_redaction.patterns",
        "[{\"ticket\": \"T-[0-9]\"}]",
        Field("/spec/rules/0/pii/patterns"),
    ),
    (
        "normalization.yaml",
        "normalization_policy.pii_redaction.replacement",
        "\"x\"",
        Field("/spec/rules/0/pii/replacement"),
    ),
    (
        "normalization.yaml",
        "normalization_policy.injection_detection.enabled",
        "true",
        Field("/spec/rules/1/injection"),
    ),
    (
        "normalization.yaml",
        "normalization_policy.injection_detection.patterns",
        "[\"x\"]",
        Field("/spec/rules/1/injection/patterns"),
    ),
    (
        "normalization.yaml",
        "normalization_policy.injection_detection.action",
        "\"log\"",
        Field("/spec/rules/1/injection/action"),
    ),
    (
        "normalization.yaml",
        "normalization_policy.style.tone",
        "\"casual\"",
        Recorded("/spec/rules/2/normalize/tone"),
    ),
    (
        "normalization.yaml",
        "normalization_policy.style.max_length",
        "7",
        Recorded("/spec/rules/2/normalize/maxLength"),
    ),
    (
        "normalization.yaml",
        "normalization_policy.style.language",
        "\"de\"",
        Recorded("/spec/rules/2/normalize/language"),
    ),
    (
        "normalization.yaml",
        "normalization_policy.context_injection.system_prompt_prefix",
        "\"x\"",
        Recorded("/spec/rules/2/normalize/systemPromptPrefix"),
    ),
    ("gdpr-3.0.0.yaml", "version", "", Kind),
    ("gdpr-3.0.0.yaml", "name", "\"Other\"", Field("/metadata/name")),
    ("gdpr-3.0.0.yaml", "framework", "\"HIPAA\"", Label("framework")),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_collection.consent_required",
        "true",
        Label("rules.data_collection.consent_required"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_collection.purpose_limitation",
        "true",
        Label("rules.data_collection.purpose_limitation"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_collection.valid_purposes",
        "[\"x\"]",
        Label("rules.data_collection.valid_purposes"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_collection.prohibited_purposes",
        "[\"x\"]",
        Label("rules.data_collection.prohibited_purposes"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_storage.encryption.algorithm",
        "\"x\"",
        Label("rules.data_storage.encryption.algorithm"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_storage.encryption.key_rotation_days",
        "7",
        Label("rules.data_storage.encryption.key_rotation_days"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_storage.retention.max_days",
        "7",
        Label("rules.data_storage.retention.max_days"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_storage.retention.deletion_policy",
        "\"x\"",
        Label("rules.data_storage.retention.deletion_policy"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_storage.location_restrictions.allowed_regions",
        "[\"x\"]",
        Label("rules.data_storage.location_restrictions.allowed_regions"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_subject_rights.right_to_access.enabled",
        "true",
        Label("rules.data_subject_rights.right_to_access.enabled"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_subject_rights.right_to_access.response_time_hours",
        "7",
        Label("rules.data_subject_rights.right_to_access.response_time_hours"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_subject_rights.right_to_access.format",
        "\"x\"",
        Label("rules.data_subject_rights.right_to_access.format"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_subject_rights.right_to_erasure.enabled",
        "true",
        Label("rules.data_subject_rights.right_to_erasure.enabled"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_subject_rights.right_to_erasure.response_time_hours",
        "7",
        Label("rules.data_subject_rights.right_to_erasure.response_time_hours"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_subject_rights.right_to_erasure.format",
        "\"x\"",
        Label("rules.data_subject_rights.right_to_erasure.format"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_subject_rights.right_to_portability.enabled",
        "true",
        Label("rules.data_subject_rights.right_to_portability.enabled"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_subject_rights.right_to_portability.response_time_hours",
        "7",
        Label("rules.data_subject_rights.right_to_portability.response_time_hours"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "rules.data_subject_rights.right_to_portability.format",
        "\"x\"",
        Label("rules.data_subject_rights.right_to_portability.format"),
    ),
    ("gdpr-3.0.0.yaml", "enforcement.mode", "\"monitor\"", Field("/spec/enforcement")),
    // Blocking is the mode's, alerts are warned of, and everything is recorded.
    (
        "gdpr-3.0.0.yaml",
        "enforcement.actions_on_violation[1].action",
        "\"alert\"",
        Label("enforcement.actions_on_violation"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "enforcement.actions_on_violation[0].severity",
        "\"low\"",
        Label("enforcement.actions_on_violation"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "enforcement.actions_on_violation[1].channels",
        "[\"x\"]",
        Label("enforcement.actions_on_violation"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "enforcement.actions_on_violation[1].recipients",
        "[\"x\"]",
        Label("enforcement.actions_on_violation"),
    ),
    (
        "gdpr-3.0.0.yaml",
        "enforcement.actions_on_violation[2].destination",
        "\"siem\"",
        Label("enforcement.actions_on_violation"),
    ),
];

fn document(name: &str) -> Value {
    let text = match name {
        "access-control.json" => include_str!("../../../tests/corpus/policies/access-control.json"),
        "content-safety.json" => include_str!("../../../tests/corpus/policies/content-safety.json"),
        "compliance.json" => include_str!("../../../tests/corpus/policies/compliance.json"),
        "rate-limiting.json" => include_str!("../../../tests/corpus/policies/rate-limiting.json"),
        "normalization.yaml" => include_str!("../../../tests/corpus/policies/normalization.yaml"),
        "gdpr-3.0.0.yaml" => include_str!("../../../tests/corpus/policies/gdpr-3.0.0.yaml"),
        other => panic!("{other} is no fixture"),
    };
    crate::yaml::value_from_yaml(text).unwrap()
}

/// Puts `value` at a path such as `rules[0].resource`, making maps on the way.
fn put(document: &mut Value, path: &str, value: Value) {
    let pointer = path.replace('[', ".").replace(']', "");
    let mut at = document;
    for step in pointer.split('.') {
        at = match step.parse::<usize>() {
            Ok(index) => &mut at.as_array_mut().unwrap()[index],
            Err(_) => at.as_object_mut().unwrap().entry(step).or_insert_with(|| json!({})),
        };
    }
    *at = value;
}

#[test]
fn every_field_is_enforced_mapped_or_recorded_with_a_warning() {
    for (name, path, other, fate) in FIELDS {
        let mut document = document(name);
        if !matches!(fate, Kind) {
            put(&mut document, path, serde_json::from_str(other).unwrap());
        }
        let read = from_value(&document).unwrap_or_else(|found| panic!("{name} {path}: {found:#?}"));
        let policy = serde_json::to_value(&read.policy).unwrap();
        let warned =
            read.warnings.iter().any(|said| said.severity == Severity::Warning && said.path == *path);
        let wanted: Value = serde_json::from_str(other).unwrap_or_default();
        match fate {
            Kind => assert!(!warned, "{name} {path}"),
            Field(pointer) | Recorded(pointer) => {
                let found = policy.pointer(pointer).unwrap_or_else(|| panic!("{name} {path}: {policy:#}"));
                // A switch turns its rule on; a title becomes a name; patterns and words become those of today.
                let kept = match (*path, *pointer) {
                    (_, "/spec/rules/0/content/action") => *found == json!("block"),
                    (_, "/spec/rules/0/pii/patterns") => {
                        *found == json!([{"name": "ticket", "regex": "T-[0-9]"}])
                    }
                    (_, "/spec/enforcement") => *found == json!("logging"),
                    ("name", _) => *found == json!("other"),
                    _ if found.is_object() => wanted == json!(true),
                    _ => *found == wanted,
                };
                assert!(kept, "{name} {path}: {found} for {other}");
                // That actions and mode differ is said too.
                let said = matches!(fate, Recorded(_)) || *path == "enforcement.mode";
                assert_eq!(warned, said, "{name} {path}: {:#?}", read.warnings);
            }
            Label(label) => {
                assert!(warned, "{name} {path}: {:#?}", read.warnings);
                let kept = read.policy.metadata.labels.get(*label);
                let kept =
                    kept.unwrap_or_else(|| panic!("{name} {path}: {:#?}", read.policy.metadata.labels));
                let plain = wanted.as_str().map_or_else(|| wanted.to_string(), str::to_owned);
                assert!(kept.contains(&plain), "{name} {path}: {kept}");
            }
        }
    }
}

/// The list above is whole: what the importers accept is on it.
#[test]
fn the_list_of_fields_is_closed() {
    let mut accepted = BTreeSet::new();
    for (name, shape) in blueprint::shapes() {
        leaves(&mut accepted, name, String::new(), shape);
    }
    leaves(&mut accepted, "normalization.yaml", String::new(), &normalization::SHAPE);
    leaves(&mut accepted, "gdpr-3.0.0.yaml", String::new(), &whitepaper::SHAPE);
    let digits = |c: char| c.is_ascii_digit();
    let listed: BTreeSet<String> =
        FIELDS.iter().map(|(name, path, ..)| format!("{name} {}", path.replace(digits, ""))).collect();
    let missing: Vec<_> = accepted.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&accepted).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not listed: {missing:#?}; not accepted: {gone:#?}");
}

fn leaves(found: &mut BTreeSet<String>, name: &str, path: String, shape: &Shape) {
    match shape {
        Shape::Map(fields) => {
            for field in *fields {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(found, name, format!("{path}{dot}{}", field.name), &field.shape);
            }
        }
        Shape::List(_, item @ Shape::Map(_)) => leaves(found, name, format!("{path}[]"), item),
        _ => {
            found.insert(format!("{name} {path}"));
        }
    }
}

/// Fields that nothing asks for: each row is a rule, and where a warning says so.
#[test]
fn what_has_no_effect_is_said_and_kept() {
    for (rule, path, label) in [
        (json!({}), "rules[0]", None),
        (json!({"detect_pii": false, "pii_types": ["ssn"]}), "rules[0].pii_types", Some("pii_types")),
        (
            json!({"block_harmful_content": true, "pii_types": ["ssn"]}),
            "rules[0].pii_types",
            Some("pii_types"),
        ),
        (json!({"block_harmful_content": true, "action": "redact"}), "rules[0].action", None),
        (json!({"detect_pii": true, "categories": ["violence"]}), "rules[0].categories", Some("categories")),
        (json!({"action": "log"}), "rules[0]", Some("action")),
    ] {
        let document = json!({"policy_id": "x", "type": "content_safety", "rules": [rule]});
        let read = from_value(&document).unwrap();
        assert!(read.warnings.iter().any(|said| said.path == path), "{document}: {:#?}", read.warnings);
        let labels = &read.policy.metadata.labels;
        assert!(label.is_none_or(|label| labels.contains_key(label)), "{document}: {labels:?}");
    }
    let twice = json!({"policy_id": "x", "type": "compliance",
        "rules": [{"require_explanation": true}, {"require_explanation": false}]});
    let labels = from_value(&twice).unwrap().policy.metadata.labels;
    assert_eq!(
        (labels["require_explanation"].as_str(), labels["rules[1].require_explanation"].as_str()),
        ("true", "false")
    );
    let off = json!({"normalization_policy": {"pii_redaction": {"enabled": false, "replacement": "x"}}});
    let labels = from_value(&off).unwrap().policy.metadata.labels;
    assert_eq!(labels["pii_redaction.replacement"], "x");
}

/// A compiler's diagnostics about the translation name the field that the author wrote, with its line.
#[test]
fn later_errors_are_told_in_the_authors_words() {
    for (text, of_today, path, place) in [
        (
            "policy_id: x\ntype: access_control\nrules:\n  - resource: a\n    allowed_roles: [b]\n    allowed_actions: [read]\n    \
             conditions:\n      time_of_day: 09:00-17:00 Nowhere\n",
            "spec.rules[0].access.conditions.timeOfDay",
            "rules[0].conditions.time_of_day",
            (8, 7),
        ),
        (
            "policy_id: x\ntype: content_safety\nrules:\n  - block_harmful_content: true\n    detect_pii: true\n    pii_types: [ssn, snn]\n",
            "spec.rules[1].content.threshold",
            "rules[0].threshold",
            (4, 5),
        ),
        (
            "policy_id: x\ntype: content_safety\nrules:\n  - block_harmful_content: true\n    detect_pii: true\n    pii_types: [ssn, snn]\n",
            "spec.rules[0].pii.types[1]",
            "rules[0].pii_types[1]",
            (6, 22),
        ),
        (
            "normalization_policy:\n  pii_redaction:\n    patterns:\n      - { a: x, b: y }\n      - c: '('\n",
            "spec.rules[0].pii.patterns[2].regex",
            "normalization_policy.pii_redaction.patterns[1].c",
            (5, 9),
        ),
        (
            "normalization_policy:\n  injection_detection:\n    patterns: [a]\n",
            "spec.rules[0].injection.patterns",
            "normalization_policy.injection_detection.patterns",
            (3, 5),
        ),
    ] {
        assert!(from_yaml(text).is_ok(), "{text}");
        let mut said = [crate::Diagnostic::error(of_today, "m")];
        crate::locate(text, 0, &mut said);
        assert_eq!(
            (said[0].path.as_str(), said[0].line, said[0].column),
            (path, Some(place.0), Some(place.1)),
            "{text}"
        );
    }
}
