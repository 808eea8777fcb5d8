//! The MCP server's tools, resources and prompts. The customer is invented; her numbers have valid check digits.

use serde_json::{Value, json};

use crate::{assistant::content_text, knobs::Knobs};

fn customer() -> Value {
    json!({ "name": "Jane Miller", "email": "jane.miller@example.com", "ssn": "536-90-4399",
        "card": "4111 1111 1111 1111", "phone": "+1 202-555-0143" })
}

fn customer_line() -> String {
    let c = customer();
    let field = |name: &str| c[name].as_str().unwrap_or_default().to_owned();
    format!(
        "{}: email {}, SSN {}, card {}, phone {}",
        field("name"),
        field("email"),
        field("ssn"),
        field("card"),
        field("phone")
    )
}

/// What `tools/list` offers.
pub(crate) fn tools() -> Value {
    let text = json!({ "type": "string" });
    let object = |name: &str| json!({ "type": "object", "properties": { name: text }, "required": [name] });
    json!([
        { "name": "echo", "title": "Echo", "description": "Says back what it is told", "inputSchema": object("text") },
        { "name": "search", "title": "Search", "description": "Searches the knowledge base",
          "inputSchema": object("query"), "annotations": { "readOnlyHint": true } },
        { "name": "lookup_customer", "title": "Customer", "description": "Looks up a customer's record",
          "inputSchema": object("customer_id"),
          "outputSchema": { "type": "object", "required": ["name", "email"], "properties": {
              "name": text, "email": text, "ssn": text, "card": text, "phone": text } } },
    ])
}

/// The result of `tools/call`; none when there is no such tool. `x-mock-reply` replaces the text of `echo` and `search`.
pub(crate) fn call(name: &str, arguments: &Value, knobs: &Knobs) -> Option<Value> {
    let text = |text: String| json!({ "content": [{ "type": "text", "text": text }], "isError": false });
    let argument = |name: &str| content_text(&arguments[name]);
    let said = |otherwise: String| text(knobs.reply.clone().unwrap_or(otherwise));
    Some(match name {
        "echo" => said(argument("text")),
        "search" => said(format!("1 result for \"{}\": the handbook, page 7", argument("query"))),
        "lookup_customer" => {
            let mut result = text(customer_line());
            result["structuredContent"] = customer();
            result
        }
        _ => return None,
    })
}

/// What `resources/list` offers.
pub(crate) fn resources() -> Value {
    json!([
        { "uri": "mock://handbook", "name": "handbook", "mimeType": "text/plain", "description": "How we work" },
        { "uri": "mock://customer", "name": "customer", "mimeType": "text/plain", "description": "A customer's record" },
    ])
}

/// The result of `resources/read`.
pub(crate) fn read(uri: &str) -> Option<Value> {
    let text = match uri {
        "mock://handbook" => "Be kind. Write things down.".to_owned(),
        "mock://customer" => customer_line(),
        _ => return None,
    };
    Some(json!({ "contents": [{ "uri": uri, "mimeType": "text/plain", "text": text }] }))
}

/// What `prompts/list` offers.
pub(crate) fn prompts() -> Value {
    json!([{ "name": "summarise", "description": "Asks for a summary",
        "arguments": [{ "name": "text", "description": "What to summarise", "required": true }] }])
}

/// The result of `prompts/get`.
pub(crate) fn prompt(params: &Value) -> Option<Value> {
    (params["name"] == "summarise").then(|| {
        let text = format!("Summarise this: {}", content_text(&params["arguments"]["text"]));
        json!({ "description": "Asks for a summary",
            "messages": [{ "role": "user", "content": { "type": "text", "text": text } }] })
    })
}
