//! The table of known fields, the types and the schema say the same.
#![cfg(feature = "schema")]
use mesh_policy::{agent_json_schema, document_from_value, json_schema};
use serde_json::{Value, json};

fn checked_in() -> Value {
    let text = include_str!("../../api/policy.schema.json");
    serde_json::from_str(text).expect("api/policy.schema.json is JSON")
}

#[test]
fn the_checked_in_schema_is_the_one_the_types_make() {
    assert_eq!(
        checked_in(),
        json_schema(),
        "write it anew: cargo run -p mesh-policy --features schema,yaml --example schema > api/policy.schema.json"
    );
}

#[test]
fn the_checked_in_schema_of_agents_is_the_one_the_types_make() {
    let text = include_str!("../../api/agent.schema.json");
    let checked_in: Value = serde_json::from_str(text).expect("api/agent.schema.json is JSON");
    assert_eq!(checked_in, agent_json_schema(), "write it anew: cargo xtask gen");
}

/// Follows `$ref`.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(name) => root.pointer(name.trim_start_matches('#')).expect("the reference exists"),
        None => schema,
    }
}

/// Every object of the schema gets a field that nobody knows. The checker has to refuse it and to offer, among the known
/// names, just those of the schema.
#[test]
fn the_checker_knows_the_fields_of_the_schema() {
    let root = json_schema();
    let rules = resolve(&root, &root["$defs"]["Rule"]);
    for rule in rules["oneOf"].as_array().expect("a rule is one of several") {
        let (kind, body) = rule["properties"].as_object().unwrap().iter().next().unwrap();
        let body = resolve(&root, body);
        compare(kind, body, &json!({"rules": [{kind: {"zzzzzzzzzzzz": 1}}]}));
    }
    compare("spec", &root["$defs"]["Spec"], &json!({"rules": [], "zzzzzzzzzzzz": 1}));
    compare("target", &root["$defs"]["Target"], &json!({"rules": [], "target": {"zzzzzzzzzzzz": 1}}));
    let conditions = json!({"rules": [{"access": {"conditions": {"zzzzzzzzzzzz": 1}}}]});
    compare("conditions", &root["$defs"]["Conditions"], &conditions);
    let patterns = json!({"rules": [{"pii": {"patterns": [{"zzzzzzzzzzzz": 1}]}}]});
    compare("patterns", &root["$defs"]["CustomPattern"], &patterns);

    compare(
        "judge",
        &root["$defs"]["JudgeRule"],
        &json!({"rules": [{"injection": {"judge": {"zzzzzzzzzzzz": 1}}}]}),
    );
    for part in ["links", "html", "canary"] {
        let name = format!("{}{}Rule", part[..1].to_uppercase(), &part[1..]);
        compare(part, &root["$defs"][name], &json!({"rules": [{"content": {part: {"zzzzzzzzzzzz": 1}}}]}));
    }

    let agents = agent_json_schema();
    let spec = json!({"zzzzzzzzzzzz": 1});
    compare_in("Agent", "agent", &agents["$defs"]["AgentSpec"], &spec);
    let attachments = json!({"policies": [{"zzzzzzzzzzzz": 1}]});
    compare_in("Agent", "attachment", &agents["$defs"]["Attachment"], &attachments);
}

fn compare(what: &str, schema: &Value, spec: &Value) {
    compare_in("Policy", what, schema, spec);
}

fn compare_in(kind: &str, what: &str, schema: &Value, spec: &Value) {
    let document = json!({
        "apiVersion": "ai-mesh.dev/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec
    });
    let found = document_from_value(&document).expect_err("an unknown field is refused");
    let unknown =
        found.iter().find(|found| found.path.ends_with("zzzzzzzzzzzz")).expect("the field is named");
    let help = unknown.help.as_deref().unwrap_or_default();
    let mut known: Vec<&str> =
        help.trim_start_matches("known here: ").split(", ").map(|name| name.trim_matches('`')).collect();
    let mut fields: Vec<&str> =
        schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    known.sort_unstable();
    fields.sort_unstable();
    assert_eq!(known, fields, "{what}");

    let mut missing: Vec<&str> = found
        .iter()
        .filter(|found| unknown.path == format!("{}.zzzzzzzzzzzz", found.path))
        .filter_map(|found| found.message.strip_prefix('`')?.split_once("` is missing"))
        .map(|(name, _)| name)
        .collect();
    let required = schema.get("required").and_then(Value::as_array);
    let mut required: Vec<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
    required.retain(|name| spec.get(name).is_none());
    missing.sort_unstable();
    required.sort_unstable();
    assert_eq!(missing, required, "{what}");
}
