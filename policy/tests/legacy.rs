//! The blueprint's own documents, word for word from its section 2.5, and what becomes of them.
use mesh_policy::from_value;
use serde_json::{Value, json};

/// Each row: a document, the rules it becomes, and the paths of the warnings.
#[test]
fn the_blueprints_documents_are_translated() {
    for (document, rules, warned) in [
        (
            json!({"policy_id": "rbac-finance-data", "type": "access_control", "rules": [{
                "resource": "finance_reports/*",
                "allowed_roles": ["finance_analyst", "cfo", "auditor"],
                "allowed_actions": ["read", "query"],
                "conditions": {"time_of_day": "09:00-17:00 EST", "ip_whitelist": ["10.0.0.0/8"]}
            }]}),
            json!([{"access": {
                "resource": "finance_reports/*",
                "allowedRoles": ["finance_analyst", "cfo", "auditor"],
                "allowedActions": ["read", "query"],
                "conditions": {"timeOfDay": "09:00-17:00 EST", "ipAllowList": ["10.0.0.0/8"]}
            }}]),
            vec![],
        ),
        (
            json!({"policy_id": "content-safety-customer-facing", "type": "content_safety", "rules": [
                {"block_harmful_content": true, "categories": ["violence", "hate_speech", "self_harm"], "threshold": 0.7, "action": "block"},
                {"detect_pii": true, "pii_types": ["ssn", "credit_card", "email"], "action": "redact"}
            ]}),
            json!([
                {"content": {"categories": ["violence", "hate_speech", "self_harm"], "threshold": 0.7, "action": "block"}},
                {"pii": {"types": ["ssn", "credit_card", "email"], "action": "redact", "directions": ["request", "response"]}}
            ]),
            vec!["rules[0].block_harmful_content", "rules[0].categories", "rules[0].threshold"],
        ),
        (
            json!({"policy_id": "gdpr-right-to-explanation", "type": "compliance", "framework": "GDPR Article 22", "rules": [
                {"require_explanation": true, "automated_decision_threshold": 0.8, "log_decision_factors": true, "notify_data_subject": true}
            ]}),
            json!([]),
            vec![
                "framework",
                "rules[0].automated_decision_threshold",
                "rules[0].log_decision_factors",
                "rules[0].notify_data_subject",
                "rules[0].require_explanation",
                "spec.rules",
            ],
        ),
        (
            json!({"policy_id": "rate-limit-per-user", "type": "rate_limiting", "rules": [
                {"max_requests_per_minute": 60, "max_tokens_per_day": 100000, "burst_allowance": 10, "action": "throttle"}
            ]}),
            json!([{"rateLimit": {"key": "user", "requestsPerMinute": 60, "burst": 10, "tokensPerDay": 100000, "action": "throttle"}}]),
            vec![],
        ),
    ] {
        let parsed = from_value(&document).unwrap_or_else(|found| panic!("{document}\n{found:?}"));
        assert_eq!(parsed.policy.metadata.name, document["policy_id"].as_str().unwrap());
        let policy = serde_json::to_value(&parsed.policy).unwrap();
        assert_eq!(policy["spec"]["rules"], rules, "{document}");
        let mut paths: Vec<&str> = parsed.warnings.iter().map(|warning| warning.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, warned, "{document}");
        // The translation is a document of today, which is read without a word about its form.
        assert_eq!(from_value(&policy).unwrap().policy, parsed.policy);
    }
}

#[test]
fn what_is_not_enforced_is_kept_as_labels() {
    let document = json!({"policy_id": "gdpr", "type": "compliance", "framework": "GDPR Article 22", "rules": [{"require_explanation": true}]});
    let labels = from_value(&document).unwrap().policy.metadata.labels;
    let labels: Vec<(&str, &str)> =
        labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        labels,
        [("framework", "GDPR Article 22"), ("require_explanation", "true"), ("type", "compliance")]
    );
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
        (
            json!({"policy_id": "x", "type": "rate_limiting", "rules": [{}]}),
            "spec.rules[0].rateLimit",
            "a rate limit needs",
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
