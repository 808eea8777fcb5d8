//! The `input` document that docs/policies.md shows is the one that modules see.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, missing_docs)]

mod support;

use std::collections::BTreeMap;

use mesh_engine::{LimitAnswer, LimitStatus, Session, Step};
use serde_json::{Value, json};

use crate::support::{post, program};

/// Tells the fields of `input`, and of each the fields within, one warning for each.
const MODULE: &str = r#"package mesh

warn contains sprintf("%s: %s", [name, concat(",", sort(names(value)))]) if {
	input.phase == "response"
	some name, value in input
}

names(value) := object.keys(value) if is_object(value)

names(value) := object.keys(value[0]) if { is_array(value); is_object(value[0]) }

names(value) := set() if not composite(value)

composite(value) if is_object(value)

composite(value) if { is_array(value); is_object(value[0]) }
"#;

fn documented() -> Value {
    let text = include_str!("../../docs/policies.md");
    let blocks = text.split("```json").skip(1).filter_map(|rest| rest.split("```").next());
    let mut inputs = blocks.filter_map(|block| serde_json::from_str::<Value>(block).ok());
    inputs.find(|value| value.get("phase").is_some()).expect("the page shows the input")
}

fn fields(value: &Value) -> Vec<String> {
    let object = value.as_object().or_else(|| value.get(0)?.as_object());
    object.map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn the_page_shows_what_modules_see() {
    let rules = json!([
        { "pii": { "types": ["email"], "action": "log" } },
        { "rateLimit": { "key": "user", "requestsPerMinute": 60 } },
        { "rego": { "module": MODULE } },
    ]);
    let mut session = Session::start(program(rules), post("/v1/chat/completions"), "d".to_owned(), 1);
    let call = json!({ "id": "c", "type": "function", "function": { "name": "search", "arguments": "{}" } });
    let body = json!({
        "model": "gpt-4o",
        "tools": [{ "type": "function", "function": { "name": "search", "parameters": {} } }],
        "messages": [{ "role": "user", "content": "write to jane.roe@example.org" }, { "role": "assistant", "tool_calls": [call] }],
    })
    .to_string();
    let Step::AskLimits(checks) = session.request(body.as_bytes(), 1) else { panic!("a limit is asked") };
    let statuses = checks.iter().map(|_| LimitStatus { over: None, remaining: 59 }).collect();
    assert!(matches!(session.limits(LimitAnswer::Answered(statuses), body.as_bytes(), 1), Step::Continue));
    let headers = [
        (":status".to_owned(), "200".to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    session.response_headers(&headers, false);
    let answer =
        json!({ "choices": [{ "index": 0, "message": { "role": "assistant", "content": "done" } }] })
            .to_string();
    session.response(answer.as_bytes(), Some("application/json"));
    let warnings = session.decision().warnings.iter().filter(|warning| warning.guard == "rego");
    let seen: BTreeMap<String, Vec<String>> = warnings
        .filter_map(|warning| warning.message.split_once(": "))
        .map(|(name, fields)| {
            (name.to_owned(), fields.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
        })
        .collect();
    let shown = documented();
    let names: Vec<&String> = shown.as_object().unwrap().keys().collect();
    assert_eq!(seen.keys().collect::<Vec<_>>(), names, "{:?}", session.decision().guards);
    for (name, found) in seen {
        let mut expected = fields(&shown[&name]);
        expected.sort();
        // Nothing of the kind was in this exchange.
        if !found.is_empty() {
            assert_eq!(found, expected, "{name}");
        }
    }
}

/// Each row: what a module reads, and the warning about it; none where it is there.
#[test]
fn what_is_not_in_the_input_is_told() {
    let remarks = |condition: &str| -> Vec<String> {
        let module = format!("package mesh\n\ndeny contains \"x\" if {condition}\n");
        let spec = json!({ "rules": [{ "rego": { "module": module } }] });
        let document = json!({ "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": "p" }, "spec": spec });
        let policy = mesh_policy::from_value(&document).unwrap().policy;
        mesh_engine::check(&policy).unwrap();
        mesh_engine::remarks(&policy).iter().map(ToString::to_string).collect()
    };
    let field = "warning: spec.rules[0].rego.module: line 3, column";
    for (condition, expected) in [
        (
            "input.requst.stream",
            format!(
                "{field} 22 of it: there is no `input.requst.stream`, so it is undefined for every request (did you mean `request`?)"
            ),
        ),
        (
            "{ true; input.request.strem }",
            format!(
                "{field} 30 of it: there is no `input.request.strem`, so it is undefined for every request (did you mean `stream`?)"
            ),
        ),
        (
            "input.response.code == 5",
            format!(
                "{field} 22 of it: there is no `input.response.code`, so it is undefined for every request (expected one of status, stream, tool_calls, messages)"
            ),
        ),
        ("input.tool_calls[_].arguments.amount > 3", String::new()),
        ("input.messages[0].role == \"user\"", String::new()),
        ("count(input) > 3", String::new()),
        ("input[input.model].x", String::new()),
        ("\"input.requst\" == input.model", String::new()),
    ] {
        assert_eq!(remarks(condition).join("\n"), expected, "{condition}");
    }
    for (name, value) in documented().as_object().unwrap() {
        assert_eq!(remarks(&format!("input.{name}")), [""; 0]);
        for field in value.as_object().into_iter().flat_map(|fields| fields.keys()) {
            assert_eq!(remarks(&format!("input.{name}.{field}")), [""; 0]);
        }
    }
}
