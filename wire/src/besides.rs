//! What a request asks for in places that its protocol's reader ignores: fallback models, a session's tools, the
//! requests in a batch. Policies on models or tools see these too.

use std::borrow::Cow;

use crate::attached;
use crate::bound::{alike, is_one_of};
use crate::collect::{Collector, in_its_letters};
use crate::error::Done;
use crate::items::OFFERS;
use crate::json::{Kind, Val};
use crate::mcp;
use crate::protocol::Protocol;
use crate::tools;

/// Members that contain a request, or a part of one.
const HOLDERS: &[&str] = &[
    "session",
    "response",
    "request",
    "requests",
    "batch",
    "body",
    "inputConfig",
    "generateContentRequest",
    "additionalModelRequestFields",
    "chat_template_kwargs",
    "extra_body",
    "agent",
    "agentConfig",
    "target",
    "audio",
    "transcription",
    "input_audio_transcription",
    // Agents that ask others: Anthropic's, OpenAI's live sessions.
    "multiagent",
    "agents",
    "advisor",
    "delegation",
    "responses",
    "decisions",
    // Gemini on Vertex, and the setup of its live sessions.
    "generationConfig",
    "routingConfig",
    "bidiGenerateContentSetup",
    // OpenAI's evaluations and graders.
    "data_source",
    "sampling_params",
    "testing_criteria",
    "method",
    "reinforcement",
    "grader",
    // LiteLLM.
    "user_config",
    "model_list",
    "litellm_params",
    "router_settings_override",
    // OpenRouter.
    "plugins",
    // Oracle's.
    "servingMode",
    // Bedrock's agents and knowledge bases.
    "retrieveAndGenerateConfiguration",
    "knowledgeBaseConfiguration",
    "externalSourcesConfiguration",
    "retrievalConfiguration",
    "vectorSearchConfiguration",
    "implicitFilterConfiguration",
    "rerankingConfiguration",
    "bedrockRerankingConfiguration",
    "modelConfiguration",
    "promptOverrideConfiguration",
    "promptConfigurations",
    "modelInput",
    "actionGroups",
    "functionSchema",
    "collaborators",
    "sessionState",
    "knowledgeBases",
    "knowledgeBaseConfigurations",
    "managedSearchConfiguration",
    "agenticRetrieveConfiguration",
    "foundationModelConfiguration",
    "bedrockFoundationModelConfiguration",
    "mantleFoundationModelConfiguration",
    // Azure's agents.
    "definition",
    // xAI's batches.
    "batch_requests",
    "batch_request",
    "chat_get_completion",
];
/// Members that contain fallback models.
const FALLBACKS: &[&str] = &[
    "fallbacks",
    "default_fallbacks",
    "context_window_fallbacks",
    "context_window_fallback_dict",
    "content_policy_fallbacks",
];
/// What a request to a model has, one of them at least.
const ASKED: &[&str] = &["messages", "input", "prompt", "contents", "inputs", "text", "tools"];
/// Other names than `model` that services use for a model.
const MODELS: &[&str] = &[
    "modelId",
    "model_id",
    "modelArn",
    "foundationModel",
    "targetModelId",
    // The model to tune: on Vertex AI, on Bedrock.
    "baseModel",
    "baseModelIdentifier",
];
/// OpenRouter's plugins that search the web; others repair a response, or read an attached file.
const SEARCHING: &[&str] = &["web", "fusion"];
/// Members of a request that make a provider search the web for the model, as its own tool would.
const SEARCHES: &[&str] = &["web_search_options", "search_parameters"];
/// Maximum nesting of such members.
const DEPTH: usize = 8;

/// Notes the models, tools and files that the protocol's reader did not. If no path `settled` the protocol, this
/// includes those that a server that ignores unknown members would read at the top level.
///
/// # Errors
/// [`WireError`](crate::error::WireError): an MCP method under a name that only some servers take for `method`; too
/// many models in one name; data that is declared as text but is not UTF-8.
pub(crate) fn read(c: &mut Collector<'_>, root: Val<'_>, settled: bool) -> Done {
    let messages = root.items().map(|(_, one)| one).chain([root]);
    for (key, member) in messages.flat_map(Val::members) {
        let method = key.text().eq_ignore_ascii_case("method");
        if method && member.is_string() && mcp::is_method(&member.text()) {
            in_its_letters(key)?;
        }
    }
    let of_nobody = matches!(c.message.protocol, Protocol::Mcp | Protocol::A2a | Protocol::Json);
    let outermost = !settled && of_nobody || c.message.protocol == Protocol::BedrockInvoke;
    attached::read(c, root)?;
    if !settled {
        // A body in a known format may be for a service with another name for the model (watsonx).
        let model = root.get("model").filter(|model| model.is_object());
        let named_so = MODELS.iter().filter_map(|name| root.get(name));
        named_so.chain(model).try_for_each(|model| named(c, model))?;
        of_providers(c, root)?;
    }
    searches(c, root);
    within(c, root, outermost, 0)
}

/// Cloudflare's requests to several providers, tried in turn until one answers: each with its request in `query`.
fn of_providers(c: &mut Collector<'_>, root: Val<'_>) -> Done {
    let sent = root.items().filter(|(_, one)| one.get("provider").is_some() && one.get("endpoint").is_some());
    let asks = |query: &Val<'_>| ASKED.iter().any(|name| query.get(name).is_some());
    sent.filter_map(|(_, one)| one.get("query")).filter(asks).try_for_each(|query| within(c, query, true, 1))
}

/// The same for one of several requests in a body whose protocol is settled.
///
/// # Errors
/// [`WireError`]: too many models in one name.
pub(crate) fn of_several(c: &mut Collector<'_>, request: Val<'_>) -> Done {
    searches(c, request);
    within(c, request, false, 0)
}

/// Notes, under its name, what makes a provider search without a tool: OpenAI's `web_search_options`, xAI's
/// `search_parameters`, Alibaba's `enable_search`, OpenRouter's plugins.
fn searches(c: &mut Collector<'_>, request: Val<'_>) {
    // Alibaba's own request format has everything but the messages in an object.
    let parameters = request.get("parameters").filter(|_| request.get("input").is_some());
    for holder in [Some(request), parameters].into_iter().flatten() {
        let asks = c.message.protocol.names_a_model() || parameters.is_some();
        if asks && holder.get("enable_search").is_some_and(Val::is_true) {
            c.message.other_tools.push("enable_search".to_owned());
        }
    }
    if let Some(list) = parameters.and_then(|parameters| parameters.get("tools")) {
        tools::offer_by_any_name(c, list);
    }
    if !c.message.protocol.names_a_model() {
        return;
    }
    let on = |search: Val<'_>| search.is_object() && search.get_text("mode").is_none_or(|mode| mode != "off");
    for name in SEARCHES.iter().filter(|name| request.get(name).is_some_and(on)) {
        c.message.other_tools.push((*name).to_owned());
    }
    let plugins = request.get("plugins").into_iter().flat_map(Val::items).map(|(_, plugin)| plugin);
    let on = |plugin: &Val<'_>| plugin.get("enabled").is_none_or(|on| on.kind() != Kind::False);
    let names = plugins.filter(on).filter_map(|plugin| plugin.get_text("id"));
    c.message.other_tools.extend(names.filter(|name| SEARCHING.contains(&&**name)).map(Cow::into_owned));
}

fn within(c: &mut Collector<'_>, value: Val<'_>, all: bool, depth: usize) -> Done {
    value.members().try_for_each(|(key, value)| member(c, &key.text(), value, all, depth))
}

/// One member of an object; `all` if no reader handles it.
pub(crate) fn member(c: &mut Collector<'_>, name: &str, value: Val<'_>, all: bool, depth: usize) -> Done {
    if name == "tools" {
        // Tools that ask a model themselves: for advice, for an image.
        let mut models = value.items().filter_map(|(_, tool)| tool.get("model"));
        models.try_for_each(|model| named(c, model))?;
        // OpenRouter's tools have their settings in an object where others have a schema.
        let own = |tool: &Val<'_>| tool.get_text("type").is_some_and(|kind| kind.starts_with("openrouter:"));
        let theirs = value.items().map(|(_, tool)| tool).filter(own);
        let mut theirs = theirs.filter_map(|tool| tool.get("parameters"));
        theirs.try_for_each(|parameters| within(c, parameters, true, depth + 1))?;
    }
    let holds = matches!(value.kind(), Kind::Object | Kind::Array);
    match name {
        "model" if all => named(c, value),
        name if all && MODELS.contains(&name) => named(c, value),
        "models" if value.is_string() && c.message.protocol.names_a_model() => named(c, value),
        "models" | "analysis_models" => value.items().try_for_each(|(_, entry)| named(c, entry)),
        name if FALLBACKS.contains(&name) => fallbacks(c, value, depth),
        "compound_custom" => compound(c, value),
        "tools" | "functions" | "functionDeclarations"
            if all && (depth > 0 || !tools::are_noted(c, value)) =>
        {
            tools::offer_by_any_name(c, value);
            Ok(())
        }
        "mcp_servers" => {
            tools::offer_by_any_name(c, value);
            Ok(())
        }
        "toolConfig" if all => {
            value.get("tools").into_iter().for_each(|list| tools::offer_by_any_name(c, list));
            Ok(())
        }
        // In other places, such a name may be a label (LiteLLM's model lists).
        _ if holds && alike(name, "manualMode") => {
            let mut names = value.members().filter(|(key, _)| alike(&key.text(), "modelName"));
            names.try_for_each(|(_, name)| named(c, name))
        }
        "items" if all => {
            kept(c, value);
            Ok(())
        }
        // In other places it is a list of messages.
        "input" if depth > 0 && value.is_object() => within(c, value, true, depth + 1),
        // Each under its own name: a grader, a provider (including Vercel's gateway).
        "graders" | "providerOptions" | "provider_options" if depth < DEPTH => {
            value.members().try_for_each(|(_, held)| within(c, held, true, depth + 1))
        }
        // Others define words and flows.
        _ if alike(name, "definition") && value.get_text("kind").is_none() => Ok(()),
        name if holds && depth < DEPTH && is_one_of(HOLDERS, name) => match value.kind() {
            Kind::Array => value.items().try_for_each(|(_, entry)| within(c, entry, true, depth + 1)),
            _ => within(c, value, true, depth + 1),
        },
        _ => Ok(()),
    }
}

/// Items of a conversation that OpenAI stores: each response in it is offered their tools.
fn kept(c: &mut Collector<'_>, items: Val<'_>) {
    for (_, item) in items.items() {
        let kind = item.get_text("type").unwrap_or_default();
        let Some(list) = item.get("tools").filter(|_| OFFERS.contains(&&*kind)) else { continue };
        let Some(server) = tools::server_of(&kind, item) else {
            tools::offer_by_any_name(c, list);
            continue;
        };
        c.message.other_tools.push(server.into_owned());
        tools::names_of_server(c, list);
    }
}

/// Fallback models: in a list, as names or requests; or under the name of the failed model.
fn fallbacks(c: &mut Collector<'_>, value: Val<'_>, depth: usize) -> Done {
    if value.kind() == Kind::Array {
        return value.items().try_for_each(|(_, entry)| under_names(c, entry, depth));
    }
    under_names(c, value, depth)
}

fn under_names(c: &mut Collector<'_>, value: Val<'_>, depth: usize) -> Done {
    asked(c, value, depth)?;
    let request = value.get("model").is_some();
    for (key, member) in value.members() {
        if !request && member.is_string() {
            named(c, member)?;
        }
        // A failed model may have the name of a part of a request: in that, only texts are models.
        let part = is_part(&key.text());
        let mut entries = member.items().filter(|(_, entry)| !part || entry.is_string());
        entries.try_for_each(|(_, entry)| asked(c, entry, depth))?;
    }
    Ok(())
}

/// Whether a member with this name is part of a request, so that its contents have already been read.
fn is_part(name: &str) -> bool {
    matches!(name, "messages" | "tools" | "functions")
        || FALLBACKS.contains(&name)
        || HOLDERS.iter().any(|holder| alike(name, holder))
}

/// A fallback model, or a complete request, which may contain more of them.
fn asked(c: &mut Collector<'_>, value: Val<'_>, depth: usize) -> Done {
    named(c, value)?;
    within(c, value, true, depth + 1)
}

/// The models and tools that Groq's compound systems consist of.
fn compound(c: &mut Collector<'_>, value: Val<'_>) -> Done {
    let models = value.get("models").into_iter().flat_map(Val::members);
    let tools = value.get("tools").and_then(|tools| tools.get("enabled_tools"));
    let tools = tools.into_iter().flat_map(Val::items).filter_map(|(_, tool)| tool.string());
    c.message.other_tools.extend(tools.map(Cow::into_owned));
    models.map(|(_, model)| model).try_for_each(|model| named(c, model))
}

/// A model's name, or an object that contains one: an entry with a request, a model with its settings, or these under
/// their provider's name (Bedrock's harnesses).
fn named(c: &mut Collector<'_>, value: Val<'_>) -> Done {
    let member = |name: &str| value.get_text(name);
    let name = if value.is_object() { member("model").or_else(|| member("id")) } else { value.string() };
    // As in Gemini's reader.
    let mut asks = |name: Cow<'_, str>| c.asks_models(name.strip_prefix("models/").unwrap_or(&name));
    match name {
        Some(name) => asks(name),
        None => {
            let of_provider = value.members().filter(|(key, _)| key.text().ends_with("ModelConfig"));
            of_provider.filter_map(|(_, of)| of.get_text("modelId")).try_for_each(asks)
        }
    }
}
