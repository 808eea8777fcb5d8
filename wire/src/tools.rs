//! Tools: what is on offer and what is called.

use std::borrow::Cow;

use crate::collect::{Collector, in_its_letters};
use crate::error::WireError;
use crate::json::{Kind, Val};
use crate::message::{Place, ToolItem};
use crate::protocol::Protocol;

type Done = Result<(), WireError>;

/// A list of definitions: OpenAI chat (`function` inside) and Responses, Anthropic, MCP, legacy `functions`.
pub(crate) fn definitions(c: &mut Collector<'_>, list: Val<'_>, path: u32) -> Done {
    offer(c, list)?;
    c.free(Place::ToolDefinition, list, path)
}

/// A list of MCP's `tools` or `prompts`: both are offers in a server's own words, but only tools can be called.
pub(crate) fn definitions_of(c: &mut Collector<'_>, what: &str, list: Val<'_>, path: u32) -> Done {
    if what == "tools" { definitions(c, list, path) } else { c.free(Place::ToolDefinition, list, path) }
}

/// Notes each tool in a list by name. A tool of the provider's own has only a type; one without either is noted without
/// a name, so that a list of allowed names does not miss it.
fn offer(c: &mut Collector<'_>, list: Val<'_>) -> Done {
    // Where a definition stands inside its item.
    let nested: &[&str] = match c.message.protocol {
        Protocol::BedrockConverse => &["toolSpec", "systemTool"],
        // Theirs have their names themselves, whatever else is in them.
        Protocol::Mcp | Protocol::AnthropicMessages | Protocol::OpenAiResponses => &[],
        _ => &["function", "custom"],
    };
    listed(c, list, nested);
    in_their_letters(list, nested)
}

/// Whether no member of a definition is called in other letters, which some servers take for the one that is meant.
fn in_their_letters(list: Val<'_>, nested: &[&str]) -> Done {
    for (_, item) in list.items() {
        let inner = nested_in(item, nested);
        item.members().chain(inner.members()).try_for_each(|(key, _)| in_its_letters(key))?;
        if let Some(tools) = item.get("tools") {
            in_their_letters(tools, nested)?;
        }
    }
    Ok(())
}

/// Notes each tool in a list whose protocol is not known: by all names that a server may take for its own.
pub(crate) fn offer_by_any_name(c: &mut Collector<'_>, list: Val<'_>) {
    const NESTED: &[&str] = &["function", "custom", "toolSpec"];
    listed(c, list, NESTED);
    list.children(|item| {
        if let Some(own) = item.get_text("name").filter(|_| nested_in(item, NESTED).at != item.at) {
            c.message.tools_offered.push(own.into_owned());
        }
    });
}

fn listed(c: &mut Collector<'_>, list: Val<'_>, nested: &[&str]) {
    let mut items = Vec::new();
    list.children(|item| items.push(item));
    match list.kind() {
        // A tool by itself, or tools under their names.
        Kind::Object if list.members().any(|(_, value)| !value.is_object()) => items.push(list),
        Kind::Object => items.extend(list.members().map(|(_, tool)| tool)),
        // Who reads it may find tools in it: a list of allowed names is to miss none.
        Kind::Str if !list.text().trim_ascii().is_empty() => c.message.tools_offered.push(String::new()),
        _ => {}
    }
    let mut previous_end = None;
    let mut others_before = false;
    let bedrock = c.message.protocol == Protocol::BedrockConverse;
    for (index, item) in items.iter().enumerate() {
        let span = item.outer_span();
        let next_start = items.get(index + 1).map(|next| next.outer_span().start);
        let cache_point = bedrock && item.members().all(|(key, _)| key.text() == "cachePoint");
        if item.is_object() && !cache_point {
            let (layer, list) = (item.doc.layer, list.span().start);
            let place = ToolItem { layer, list, span: span.clone(), previous_end, next_start, others_before };
            c.message.tools_offered.push(name_of(*item, nested).into_owned());
            c.message.tool_items.push(place);
            // OpenAI's namespaces hold further tools.
            if let Some(tools) = item.get("tools") {
                listed(c, tools, nested);
            }
        } else {
            if item.kind() == Kind::Array {
                listed(c, *item, nested);
            }
            others_before = true;
        }
        previous_end = Some(span.end);
    }
}

/// Notes a tool that stands under its name instead of in a list.
pub(crate) fn offer_as(c: &mut Collector<'_>, name: Cow<'_, str>, value: Val<'_>) {
    let (layer, span) = (value.doc.layer, value.outer_span());
    let list = span.start;
    c.message.tools_offered.push(name.into_owned());
    c.message.tool_items.push(ToolItem {
        layer,
        list,
        span,
        previous_end: None,
        next_start: None,
        others_before: false,
    });
}

fn name_of<'d>(tool: Val<'d>, nested: &[&str]) -> Cow<'d, str> {
    let name = nested_in(tool, nested).get_text("name").or_else(|| tool.get_text("name"));
    name.or_else(|| tool.get_text("server_label")).or_else(|| tool.get_text("type")).unwrap_or_default()
}

/// The definition inside of an item, or the item.
fn nested_in<'d>(tool: Val<'d>, nested: &[&str]) -> Val<'d> {
    nested.iter().find_map(|name| tool.get(name)).filter(|inner| inner.is_object()).unwrap_or(tool)
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
