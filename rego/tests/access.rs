//! The access library against its cases, `policies/access.cases.json`: each has rules, and requests with the one message
//! of their denial, or none.
use mesh_rego::{Rego, access_library};
use serde_json::{Value, json};

#[test]
fn the_access_library_decides_its_cases() {
    let groups: Vec<Value> = serde_json::from_str(include_str!("../policies/access.cases.json")).unwrap();
    for group in &groups {
        let mut rules = group["rules"].as_array().unwrap().clone();
        for (index, rule) in rules.iter_mut().enumerate() {
            rule["index"] = json!(index);
        }
        let rego = Rego::compile(&[access_library()], &json!({"access": {"rules": rules}})).unwrap();
        for case in group["cases"].as_array().unwrap() {
            let mut input = case.clone();
            let deny = input.as_object_mut().unwrap().remove("deny");
            let wanted: Vec<&str> = deny.iter().filter_map(Value::as_str).collect();
            assert_eq!(rego.decide(&input).unwrap().deny, wanted, "{}: {input}", group["name"]);
        }
    }
}

/// Without the rules, or with an input that is not what was agreed on, nobody gets in.
#[test]
fn what_is_missing_grants_nothing() {
    let rules = json!({"access": {"rules": [
        {"resource": "a", "allowed_roles": ["r"], "allowed_actions": ["read"], "index": 0}
    ]}});
    for (data, input) in [
        (json!({}), json!({"roles": ["r"], "action": "read", "resource": "a"})),
        (rules.clone(), json!({})),
        (rules.clone(), json!({"action": "read", "resource": "a"})),
        (rules.clone(), json!({"roles": ["r"], "resource": "a"})),
        (rules.clone(), json!({"roles": "r", "action": "read", "resource": "a"})),
        (rules.clone(), json!({"roles": ["r"], "action": "read", "resource": 5})),
        (rules, json!({"roles": ["r"], "action": "read", "resource": "a", "conditions": {"0": "true"}})),
    ] {
        let rego = Rego::compile(&[access_library()], &data).unwrap();
        let verdict = rego.decide(&input);
        assert!(verdict.is_err() || !verdict.unwrap().deny.is_empty(), "{data} {input}");
    }
}
