//! Tools: which are offered and which are called.

use std::borrow::Cow;

use crate::bound::{alike, in_small_letters, is_one_of, scanned, snake};
use crate::collect::{Collector, in_its_letters};
use crate::error::{Done, malformed};
use crate::json::{Kind, Val};
use crate::message::{Place, ToolItem};
use crate::protocol::Protocol;

/// The members of a tool's definition (MCP) that models and clients use.
pub const DEFINITION: &[&str] =
    &["name", "title", "description", "inputSchema", "outputSchema", "annotations"];

/// An operation that calls a tool of an MCP server, whatever protocol the body indicates.
pub(crate) const CALL: &str = "tools/call";

/// The tool that is called by path, with only its name and arguments in the body.
pub(crate) fn called(operation: &str, body: &[u8]) -> Option<String> {
    if operation != CALL {
        return None;
    }
    scanned(body, |root| root.get_text("name").map(Cow::into_owned)).flatten()
}

/// A list of definitions: OpenAI chat (with `function`) and Responses, Anthropic, MCP, legacy `functions`.
pub(crate) fn definitions(c: &mut Collector<'_>, list: Val<'_>, path: u32) -> Done {
    offer(c, list)?;
    c.free(Place::ToolDefinition, list, path)
}

/// Anthropic's `tool_addition`: the tool's definition, or its name at an MCP server. Any other name refers to a tool
/// defined elsewhere.
pub(crate) fn added(c: &mut Collector<'_>, tool: Val<'_>, path: u32) -> Done {
    if let Some(definition) = tool.get("definition") {
        definition.members().try_for_each(|(key, _)| in_its_letters(key))?;
        offer(c, definition)?;
    }
    if tool.get("server_name").is_some() {
        c.message.server_tools.extend(tool.get_text("name").map(Cow::into_owned));
    }
    c.free(Place::ToolDefinition, tool, path)
}

/// The server whose tool list an item is (OpenAI's `mcp_list_tools`), sent back with the conversation: as for its
/// calls, allowing the server allows its tools.
pub(crate) fn server_of<'d>(kind: &str, item: Val<'d>) -> Option<Cow<'d, str>> {
    item.get_text("server_label").filter(|label| kind == "mcp_list_tools" && !label.is_empty())
}

/// The tools of an MCP server, as listed in a request (Anthropic's `mcp_tool_listing`). The server itself is offered
/// among the request's tools.
pub(crate) fn listing_of_server(c: &mut Collector<'_>, list: Val<'_>, path: u32) -> Done {
    in_their_letters(list, &[])?;
    names_of_server(c, list);
    c.free(Place::ToolDefinition, list, path)
}

/// Notes the tools in a list as an MCP server's.
pub(crate) fn names_of_server(c: &mut Collector<'_>, list: Val<'_>) {
    let names = list.items().filter_map(|(_, tool)| tool.get_text("name"));
    c.message.server_tools.extend(names.map(Cow::into_owned));
}

/// A list of MCP's `tools` or `prompts`: both are offers in a server's own words, but only tools can be called.
pub(crate) fn definitions_of(c: &mut Collector<'_>, what: &str, list: Val<'_>, path: u32) -> Done {
    if what == "tools" { definitions(c, list, path) } else { c.free(Place::ToolDefinition, list, path) }
}

/// Notes each tool in a list by name. A provider's own tool has only a type; a tool without either is noted with an
/// empty name, so that a list of allowed names does not miss it.
fn offer(c: &mut Collector<'_>, list: Val<'_>) -> Done {
    // The member of an item that contains the definition.
    let nested: &[&str] = match c.message.protocol {
        Protocol::BedrockConverse => &["toolSpec", "systemTool"],
        // In these, the name is in the item itself, whatever else it contains.
        Protocol::Mcp | Protocol::AnthropicMessages | Protocol::OpenAiResponses => &[],
        _ => &["function", "custom"],
    };
    if c.message.protocol == Protocol::Mcp {
        return offer_of_server(c, list, nested);
    }
    listed(c, list, nested);
    in_their_letters(list, nested)
}

/// MCP's listings: removing a tool must leave valid JSON, and what is pinned must be what clients read.
fn offer_of_server(c: &mut Collector<'_>, list: Val<'_>, nested: &[&str]) -> Done {
    if list.is_object() {
        // Not what the protocol defines, but some clients may read it.
        for (_, item) in list.members().filter(|(_, item)| says_something(*item)) {
            offer_as(c, name_of(item, nested), item);
            item.members().try_for_each(|(key, _)| is_defined_in_its_letters(key))?;
        }
        return Ok(());
    }
    listed(c, list, nested);
    in_their_letters(list, nested)?;
    let mut keys = list.items().flat_map(|(_, item)| item.members());
    keys.try_for_each(|(key, _)| is_defined_in_its_letters(key))
}

/// Whether the value is more than a number, flag or null.
fn says_something(item: Val<'_>) -> bool {
    matches!(item.kind(), Kind::Object | Kind::Array | Kind::Str)
}

/// Checks that a member of a definition is not one of [`DEFINITION`] in another letter case: clients that ignore case
/// would read something other than what is pinned.
fn is_defined_in_its_letters(key: Val<'_>) -> Done {
    let name = key.text();
    let small = in_small_letters(&name);
    if DEFINITION.iter().any(|known| *known != name && in_small_letters(known) == small) {
        return malformed(
            key.span().start as usize,
            "a member of a tool's definition in other letters, which some clients take for it",
        );
    }
    Ok(())
}

/// Checks that no member of a definition is spelled in another letter case, which some servers take for the intended
/// one.
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

/// Notes each tool in a list of an unknown protocol, by all names that a server may use for it.
pub(crate) fn offer_by_any_name(c: &mut Collector<'_>, list: Val<'_>) {
    listed(c, list, NESTED);
}

/// Whether the reader of the document's protocol has already noted the tools in a list.
pub(crate) fn are_noted(c: &Collector<'_>, list: Val<'_>) -> bool {
    let at = (list.doc.layer, list.span().start);
    c.message.tool_items.iter().skip(c.tools_before).any(|item| (item.layer, item.list) == at)
}

/// The members of items that contain definitions, in any protocol.
const NESTED: &[&str] = &["function", "custom", "toolSpec", "systemTool"];

/// Types that say how a tool is defined. Other types say which of the provider's tools it is, whatever else its item
/// is called; except Anthropic's, which contain a date and are refused under other names.
const KINDS: &[&str] = &["function", "custom", "namespace", "builtin_function", "mcp"];

/// Notes other names that a server may use for a tool.
fn other_names(c: &mut Collector<'_>, tool: Val<'_>) {
    let dated = |kind: &str| {
        kind.rsplit_once('_')
            .is_some_and(|(_, date)| date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()))
    };
    let anthropic = c.message.protocol == Protocol::AnthropicMessages;
    let kind = tool.get_text("type").filter(|kind| !anthropic && !KINDS.contains(&&**kind) && !dated(kind));
    let nested = NESTED.iter().filter_map(|name| tool.get(name)?.get_text("name"));
    // A label is freely chosen, a connector's id is not.
    let own = ["name", "server_label", "connector_id"].into_iter().filter_map(|name| tool.get_text(name));
    for name in nested.chain(own).chain(kind) {
        if c.message.tools_offered.last().is_none_or(|noted| *noted != name) {
            c.message.other_tools.push(name.into_owned());
        }
    }
}

/// Notes the tools of an MCP server that a request selects: OpenAI's and Google's `allowed_tools`, Anthropic's
/// `configs` and `tool_configuration`.
fn of_server(c: &mut Collector<'_>, server: Val<'_>) {
    let names = &mut c.message.server_tools;
    for holder in [Some(server), server.get("tool_configuration")].into_iter().flatten() {
        let allowed = holder.get("allowed_tools");
        let list = allowed.map(|allowed| allowed.get("tool_names").unwrap_or(allowed));
        for (_, picked) in list.into_iter().flat_map(Val::items) {
            // Google selects them by mode.
            let of_mode = picked.get("tools").into_iter().flat_map(Val::items).map(|(_, name)| name);
            names.extend(of_mode.chain([picked]).filter_map(Val::string).map(Cow::into_owned));
        }
    }
    let Some(configs) = server.get("configs") else { return };
    let on = |config: Val<'_>| config.get("enabled").is_none_or(|on| on.kind() != Kind::False);
    let keyed = configs.members().filter(|(_, config)| on(*config));
    names.extend(keyed.map(|(name, _)| name.text().into_owned()));
    let listed = configs.items().filter(|(_, config)| on(*config));
    names.extend(listed.filter_map(|(_, config)| config.get_text("name").map(Cow::into_owned)));
}

/// Google's own tools, in one of their two spellings.
pub(crate) const GOOGLES: &[&str] = &[
    "googleSearch",
    "googleSearchRetrieval",
    "urlContext",
    "codeExecution",
    "fileSearch",
    "googleMaps",
    "enterpriseWebSearch",
    "retrieval",
    "mcpServers",
    "computerUse",
];

/// The other spelling of one of Google's own tools.
pub fn other_spelling(name: &str) -> Option<String> {
    let known = GOOGLES.iter().find(|known| alike(name, known))?;
    Some(if name == *known { snake(known) } else { (*known).to_owned() })
}

/// Whether an item is Gemini's: a list of functions, or Google's own tools under their names.
fn is_googles(item: Val<'_>) -> bool {
    let known = |name: &str| alike(name, "functionDeclarations") || is_one_of(GOOGLES, name);
    item.members().any(|(key, _)| known(&key.text()))
}

fn listed(c: &mut Collector<'_>, list: Val<'_>, nested: &[&str]) {
    let mut items = Vec::new();
    list.children(|item| items.push(item));
    match list.kind() {
        // A single tool, or tools under their names.
        Kind::Object if list.members().any(|(_, value)| !value.is_object()) => items.push(list),
        Kind::Object => items.extend(list.members().map(|(_, tool)| tool)),
        // A server may parse tools from it: a list of allowed names must not miss any.
        Kind::Str if c.asks && !list.text().trim_ascii().is_empty() => {
            c.message.tools_offered.push(String::new())
        }
        _ => {}
    }
    let mut previous_end = None;
    let mut others_before = false;
    let bedrock = c.message.protocol == Protocol::BedrockConverse;
    let mcp = c.message.protocol == Protocol::Mcp;
    for (index, item) in items.iter().enumerate() {
        let span = item.outer_span();
        let next_start = items.get(index + 1).map(|next| next.outer_span().start);
        let cache_point = bedrock && item.members().all(|(key, _)| key.text() == "cachePoint");
        // An item that is not a tool's definition may be one to some client of a server.
        let another = mcp && !item.is_object() && says_something(*item);
        if !mcp && item.is_object() && name_of(*item, nested).is_empty() && is_googles(*item) {
            for (key, member) in item.members().filter(|(_, member)| member.kind() != Kind::Null) {
                match key.text() {
                    name if alike(&name, "functionDeclarations") => listed(c, member, nested),
                    name => offer_googles(c, name, member),
                }
            }
        } else if item.is_object() && !cache_point || another {
            let (layer, list) = (item.doc.layer, list.span().start);
            let place = ToolItem { layer, list, span: span.clone(), previous_end, next_start, others_before };
            c.message.tools_offered.push(name_of(*item, nested).into_owned());
            c.message.tool_items.push(place);
            if !mcp {
                other_names(c, *item);
                of_server(c, *item);
            }
            // OpenAI's namespaces contain further tools.
            if let Some(tools) =
                item.get("tools").or_else(|| Some(*item).filter(|_| item.kind() == Kind::Array))
            {
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

/// Notes one of Google's own tools, which is a member under its name; of MCP servers, also each one's name.
pub(crate) fn offer_googles(c: &mut Collector<'_>, name: Cow<'_, str>, value: Val<'_>) {
    if alike(&name, "mcpServers") {
        let names = value.items().filter_map(|(_, server)| server.get_text("name"));
        c.message.other_tools.extend(names.map(Cow::into_owned));
    }
    offer_as(c, name, value);
}

/// Notes a tool that is a member under its name instead of in a list.
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

/// The definition inside an item, or the item itself.
fn nested_in<'d>(tool: Val<'d>, nested: &[&str]) -> Val<'d> {
    nested.iter().find_map(|name| tool.get(name)).filter(|inner| inner.is_object()).unwrap_or(tool)
}

/// OpenAI chat: `tool_calls`, each with the call in `function` or `custom`.
pub(crate) fn calls(c: &mut Collector<'_>, list: Val<'_>, path: u32) -> Done {
    for (index, item) in list.items() {
        let path = c.at_index(path, index);
        for (key, member) in item.members() {
            let name = key.text();
            let here = c.at_key(path, &name);
            match &*name {
                "id" | "type" | "index" => c.word(member, here)?,
                "function" | "custom" if member.is_object() => call(c, member, here)?,
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
        let here = c.at_key(path, &name);
        match &*name {
            "name" => c.word(member, here)?,
            "arguments" | "input" => c.free(Place::ToolArguments, member, here)?,
            _ => c.unknown(Place::ToolArguments, path, key, member)?,
        }
    }
    Ok(())
}

/// Notes the calls in an object of a response in an unknown protocol: one whose type says that it is a call, OpenAI's
/// `tool_calls` (Cohere streams one at a time), LangChain's chunks of them, Gemini's `functionCall`, Bedrock's
/// `toolUse`, and what the AI SDK and AG-UI name next to a `toolCallId`.
pub(crate) fn calls_in(c: &mut Collector<'_>, value: Val<'_>) {
    if is_call(value) {
        named(c, value);
    }
    for (key, member) in value.members() {
        match &*key.text() {
            "functionCall" | "function_call" => named(c, member),
            "toolUse" | "tool_call" if !is_call(member) => named(c, member),
            "tool_calls" if member.is_object() => named(c, nested_in(member, &["function", "custom"])),
            "tool_calls" | "tool_call_chunks" => {
                for (_, item) in member.items().filter(|(_, item)| !is_call(*item)) {
                    named(c, nested_in(item, &["function", "custom"]));
                }
            }
            "toolName" | "toolCallName" if value.get("toolCallId").is_some() => {
                if let Some(name) = member.string().filter(|name| !name.is_empty()) {
                    c.calls(name, arguments_of(value));
                }
            }
            _ => {}
        }
    }
}

fn is_call(value: Val<'_>) -> bool {
    const CALLS: &[&str] = &["function_call", "function.call", "mcp_call"];
    value.get_text("type").is_some_and(|kind| {
        let kind = kind.strip_suffix(".delta").unwrap_or(&kind);
        CALLS.contains(&kind) || kind.ends_with("tool_use") || kind.ends_with("tool_call")
    })
}

/// Notes a call that has a name: a call in pieces has it in the first.
fn named(c: &mut Collector<'_>, call: Val<'_>) {
    if let Some(name) = call.get_text("name").filter(|name| !name.is_empty()) {
        c.calls(name, arguments_of(call));
    }
}

fn arguments_of(call: Val<'_>) -> Option<Val<'_>> {
    ["arguments", "input", "args"].iter().find_map(|name| call.get(name))
}
