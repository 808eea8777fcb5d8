//! Tools: what is on offer and what is called.

use crate::collect::Collector;
use crate::error::WireError;
use crate::json::Val;
use crate::message::Place;

type Done = Result<(), WireError>;

/// A list of definitions: OpenAI chat (`function` inside) and Responses, Anthropic, MCP, legacy `functions`.
pub(crate) fn definitions(c: &mut Collector<'_>, list: Val<'_>, path: u32) -> Done {
    offer(c, list);
    c.free(Place::ToolDefinition, list, path)
}

/// A list of MCP's `tools` or `prompts`: both are offers in a server's own words, but only tools can be called.
pub(crate) fn definitions_of(c: &mut Collector<'_>, what: &str, list: Val<'_>, path: u32) -> Done {
    if what == "tools" { definitions(c, list, path) } else { c.free(Place::ToolDefinition, list, path) }
}

/// Notes the name of each tool in a list. A tool of the provider's own has only a type.
fn offer(c: &mut Collector<'_>, list: Val<'_>) {
    for (_, item) in list.items() {
        let inner = item.get("function").or_else(|| item.get("custom")).filter(|inner| inner.is_object());
        let name = inner.and_then(|inner| inner.get_text("name"));
        let own = || item.get_text("name").or_else(|| item.get_text("server_label"));
        if let Some(name) = name.or_else(own).or_else(|| item.get_text("type")) {
            c.offers(name, list, item);
        }
        // OpenAI's namespaces hold further tools.
        if let Some(nested) = item.get("tools") {
            offer(c, nested);
        }
    }
}

/// OpenAI chat: `tool_calls`, each with the call in `function` or `custom`.
pub(crate) fn calls(c: &mut Collector<'_>, list: Val<'_>, path: u32) -> Done {
    for (index, item) in list.items() {
        let path = c.at_index(path, index);
        for (key, member) in item.members() {
            let name = key.text();
            match &*name {
                "id" | "type" | "index" => {
                    let path = c.at_key(path, &name);
                    c.word(member, path)?;
                }
                "function" | "custom" if member.is_object() => {
                    let path = c.at_key(path, &name);
                    call(c, member, path)?;
                }
                _ => c.unknown(Place::ToolArguments, path, key, member)?,
            }
        }
        if !item.is_object() {
            c.free(Place::ToolArguments, item, path)?;
        }
    }
    if list.items().next().is_none() { c.free(Place::ToolArguments, list, path) } else { Ok(()) }
}

/// A call: a name and arguments, as JSON in a string or (custom tools) free input.
pub(crate) fn call(c: &mut Collector<'_>, value: Val<'_>, path: u32) -> Done {
    let arguments = value.get("arguments").or_else(|| value.get("input"));
    c.calls(value.get_text("name").unwrap_or_default(), arguments);
    for (key, member) in value.members() {
        let name = key.text();
        let path_of = |c: &mut Collector<'_>| c.at_key(path, &name);
        match &*name {
            "name" => {
                let path = path_of(c);
                c.word(member, path)?;
            }
            "arguments" | "input" => {
                let path = path_of(c);
                c.free(Place::ToolArguments, member, path)?;
            }
            _ => c.unknown(Place::ToolArguments, path, key, member)?,
        }
    }
    Ok(())
}
