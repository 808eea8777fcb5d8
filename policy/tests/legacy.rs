//! The specification's own documents, word for word (`tests/corpus/policies`), and what becomes of them. A document that
//! loads once loads for ever: nothing is taken out of that folder.
#![cfg(feature = "yaml")]
use std::path::Path;

use mesh_policy::{from_value, from_yaml};
use serde_json::{Value, json};

/// Beside each document stands what it becomes: the rules, the labels, and the paths of the warnings.
#[test]
fn the_specifications_documents_are_translated() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/policies");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".expected.json") {
            continue;
        }
        let expected = path.with_extension("expected.json");
        let expected: Value = serde_json::from_str(&std::fs::read_to_string(expected).unwrap()).unwrap();
        let parsed = from_yaml(&std::fs::read_to_string(&path).unwrap());
        let parsed = parsed.unwrap_or_else(|found| panic!("{name}: {found:#?}")).remove(0);
        let policy = serde_json::to_value(&parsed.policy).unwrap();
        let mut warned: Vec<&str> = parsed.warnings.iter().map(|warning| warning.path.as_str()).collect();
        warned.sort_unstable();
        let found = json!({
            "name": policy["metadata"]["name"], "labels": policy["metadata"]["labels"],
            "enforcement": policy["spec"]["enforcement"], "rules": policy["spec"]["rules"], "warnings": warned,
        });
        assert_eq!(found, expected, "{name}:\n{found:#}");
        for warning in &parsed.warnings {
            assert!(warning.line.is_some(), "{name}: {warning}");
        }
        // The translation is a document of today, which is read without a word about its form.
        assert_eq!(from_value(&policy).unwrap().policy, parsed.policy);
        count += 1;
    }
    assert!(count >= 6, "only {count} documents are in {}", folder.display());
}

/// Each row: what the author wrote, and what of it is said.
#[test]
fn what_is_enforced_otherwise_is_said() {
    for (document, path, message) in [
        (
            json!({"normalization_policy": {"injection_detection": {"action": "sanitize"}}}),
            "normalization_policy.injection_detection.action",
            "`sanitize` is enforced as `block`",
        ),
        (
            json!({"version": "3.0.0", "name": "a", "rules": {}, "enforcement": {"mode": "monitor", "actions_on_violation": [{"action": "block"}]}}),
            "enforcement.mode",
            "an action is `block`, but the mode lets violations pass",
        ),
        (
            json!({"version": "3.0.0", "name": "a", "rules": {}, "enforcement": {"actions_on_violation": [{"action": "log", "destination": "siem"}]}}),
            "enforcement.actions_on_violation[0].destination",
            "decisions are recorded in the audit log",
        ),
    ] {
        let warnings = from_value(&document).unwrap_or_else(|found| panic!("{document}: {found:?}")).warnings;
        let said = warnings.iter().find(|warning| warning.path == path);
        assert!(said.is_some_and(|said| said.message.starts_with(message)), "{document}: {warnings:?}");
    }
}

#[test]
fn a_stage_that_is_off_is_no_rule() {
    let document = json!({"policy_id": "form", "normalization_policy": {
        "pii_redaction": {"enabled": false, "patterns": [{"ssn": "x"}]},
        "injection_detection": {"enabled": true, "patterns": []},
    }});
    let policy = from_value(&document).unwrap().policy;
    assert_eq!(policy.metadata.name, "form");
    let kinds: Vec<_> = policy.spec.rules.iter().map(|rule| rule.kind()).collect();
    assert_eq!(kinds, ["injection"]);
}

/// Patterns of the author's own do not turn on detectors that nobody asked for.
#[test]
fn patterns_alone_are_looked_for_alone() {
    let types = |patterns: Value| {
        let document = json!({"normalization_policy": {"pii_redaction": {"patterns": patterns}}});
        let policy = serde_json::to_value(from_value(&document).unwrap().policy).unwrap();
        policy["spec"]["rules"][0]["pii"]["types"].clone()
    };
    assert_eq!(types(json!([{"ticket": "TCK-[0-9]+"}])), json!(["none"]));
    assert_eq!(types(json!([{"ticket": "TCK-[0-9]+"}, {"ssn": "[0-9-]+"}])), json!(["ssn"]));
    assert_eq!(types(json!([])), Value::Null);
}

#[test]
fn mistakes_are_named_in_the_authors_words() {
    for (document, path, message) in [
        (json!({"policy_id": "x", "rules": []}), "", "`type` is missing"),
        (json!({"policy_id": "x", "type": "acess_control", "rules": []}), "type", "found \"acess_control\""),
        (json!({"policy_id": "X Y", "type": "compliance", "rules": []}), "policy_id", "found \"X Y\""),
        (
            json!({"policy_id": "x", "type": "rate_limiting", "rules": [{"max_requests": 5}]}),
            "rules[0].max_requests",
            "unknown field",
        ),
        (
            json!({"policy_id": "x", "type": "access_control", "rules": [{"resource": "a", "allowed_roles": "b", "allowed_actions": ["c"]}]}),
            "rules[0].allowed_roles",
            "found \"b\" (a string), expected a list of strings",
        ),
        (json!({"policy_id": "x", "type": "rate_limiting", "rules": [{}]}), "rules[0]", "a rate limit needs"),
        (
            json!({"normalization_policy": {"pii_redaction": {"pattern": []}}}),
            "normalization_policy.pii_redaction.pattern",
            "unknown field",
        ),
        (json!({"normalization_policy": null}), "normalization_policy", "found nothing (null)"),
        (
            json!({"normalization_policy": {"style": {"tone": "formal"}}}),
            "normalization_policy.style.tone",
            "found \"formal\"",
        ),
        (json!({"version": "2.0.0", "name": "a", "rules": {}}), "version", "found \"2.0.0\""),
        (json!({"version": "3.0.0", "name": "…", "rules": {}}), "name", "found \"…\""),
        (
            json!({"version": "3.0.0", "name": "a", "rules": {"data_colection": {}}}),
            "rules.data_colection",
            "unknown field",
        ),
        (
            json!({"policy_id": Value::Null, "type": "compliance", "rules": []}),
            "policy_id",
            "found nothing (null)",
        ),
    ] {
        let found = from_value(&document).unwrap_err();
        assert_eq!(found[0].path, path, "{document}: {}", found[0]);
        assert!(found[0].message.starts_with(message), "{document}: {}", found[0]);
    }
}
