//! What the assistant says: the same to the same request, whichever provider's form it comes in.

use serde_json::{Map, Value, json};

use crate::knobs::Knobs;

/// A tool as the request offered it.
pub(crate) struct Tool<'a> {
    pub(crate) name: &'a str,
    pub(crate) schema: &'a Value,
}

/// One answer of the assistant.
pub(crate) enum Turn {
    /// It says this.
    Say(String),
    /// It calls this tool with these arguments.
    Call { name: String, arguments: Value },
}

/// The answer to `text`, the last user text, or the text of a tool's result when `from_tool`.
pub(crate) fn turn(text: &str, from_tool: bool, tools: &[Tool<'_>], knobs: &Knobs) -> Turn {
    if !from_tool && let Some(tool) = called(text, tools) {
        let words = knobs.reply.as_deref().unwrap_or(text);
        return Turn::Call { name: tool.name.to_owned(), arguments: arguments(tool.schema, words) };
    }
    Turn::Say(match &knobs.reply {
        Some(reply) => reply.clone(),
        None if from_tool => format!("The tool answered: {text}"),
        None => format!("You said: {text}"),
    })
}

/// The offered tool that the text asks for with `call NAME`.
fn called<'a>(text: &str, tools: &'a [Tool<'a>]) -> Option<&'a Tool<'a>> {
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case("call") {
            let name = words.clone().next()?.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
            if let Some(tool) = tools.iter().find(|tool| tool.name == name) {
                return Some(tool);
            }
        }
    }
    None
}

/// Arguments that fit a JSON Schema: text properties hold `text`, the others a small value of their type.
fn arguments(schema: &Value, text: &str) -> Value {
    let Some(properties) = schema.get("properties").and_then(Value::as_object).filter(|p| !p.is_empty())
    else {
        return json!({ "text": text });
    };
    let value = |schema: &Value| match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([text]),
        Some("object") => json!({}),
        _ => json!(text),
    };
    Value::Object(
        properties.iter().map(|(name, schema)| (name.clone(), value(schema))).collect::<Map<_, _>>(),
    )
}

/// The text of a message's content: a string, or the text parts of a list.
pub(crate) fn content_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let text = |part: &Value| match part {
                Value::String(text) => Some(text.clone()),
                part => {
                    let inner = part.get("text").or_else(|| part.get("content"))?;
                    Some(content_text(inner))
                }
            };
            parts.iter().filter_map(text).collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

/// Words with the blanks that follow them: what a stream sends one by one. Joined, they are the text.
pub(crate) fn words(text: &str) -> Vec<&str> {
    text.split_inclusive(' ').collect()
}

/// Small pieces of tool-call arguments, cut at characters.
pub(crate) fn fragments(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(7).map(|chunk| chunk.iter().collect()).collect()
}

/// The mock's tokens are words.
pub(crate) fn tokens(text: &str) -> usize {
    text.split_whitespace().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_the_tool_it_is_asked_for() {
        let schema = json!({ "properties": { "city": { "type": "string" }, "days": { "type": "integer" } } });
        let tools = [Tool { name: "weather", schema: &schema }];
        let Turn::Call { name, arguments } = turn("please call `weather`.", false, &tools, &Knobs::default())
        else {
            panic!("expected a call")
        };
        assert_eq!(
            (name.as_str(), arguments),
            ("weather", json!({ "city": "please call `weather`.", "days": 1 }))
        );
        for (text, from_tool) in [("call nobody", false), ("call weather", true), ("recall weather", false)] {
            assert!(matches!(turn(text, from_tool, &tools, &Knobs::default()), Turn::Say(_)), "{text}");
        }
    }

    #[test]
    fn pieces_join_to_the_text() {
        let text = "héllo  wörld, it is \u{1F600} fine ";
        assert_eq!(words(text).concat(), text);
        assert_eq!(fragments(text).concat(), text);
    }
}
