//! Rego: any module compiles or is refused, and what compiles decides within its budget, each time alike.

use mesh_rego::{Module, Rego};
use serde_json::json;

pub(crate) fn check(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else { return };
    let module = Module { name: "fuzz.rego".to_owned(), source: source.to_owned() };
    let Ok(rego) = Rego::compile(&[module], &json!({})) else { return };
    let input = json!({
        "agent": { "id": "a", "labels": { "team": "x" } }, "user": "u", "method": "POST", "path": "/v1/x",
        "model": "m", "messages": [{ "role": "user", "content": "hello" }], "tools": ["search"], "a": 1,
        "body": { "n": [1, 2, 3], "deep": { "er": [true, null] } },
    });
    let first = rego.decide(&input);
    assert_eq!(rego.decide(&input).ok(), first.ok(), "the same twice");
}
