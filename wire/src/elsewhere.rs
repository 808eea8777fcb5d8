//! Whether a model is asked to read something outside of the request: then the request's bytes do not bound its
//! tokens.

use crate::bound::{alike, is_one_of, scanned};
use crate::json::{Kind, Val};
use crate::message::Message;
use crate::tools::GOOGLES;

/// Members of a request that refer to more: earlier messages stored by the provider, and sources that it searches.
const OF_REQUESTS: &[&str] = &[
    "previous_response_id",
    "conversation",
    "cachedContent",
    "container",
    "mcp_servers",
    "web_search_options",
    "promptVariables",
];

/// Members that refer to a file or an earlier message, wherever they are.
const OF_PARTS: &[&str] = &["file_id", "file_url", "fileUri", "s3Location", "previous_message_id"];

/// Members with arbitrary data or a schema, in which any name may occur.
pub(crate) const FREE: &[&str] = &[
    "parameters",
    "input_schema",
    "input_examples",
    "parametersJsonSchema",
    "schema",
    "arguments",
    "args",
    "response",
    "json",
    "metadata",
];

/// Tools that the client runs itself: their results come with the next request.
const OWN_TOOLS: &[&str] = &[
    "function",
    "custom",
    "namespace",
    "bash_",
    "text_editor_",
    "computer",
    "memory_",
    "local_shell",
    "apply_patch",
];

/// Whether the request makes the model read more than its own text: images, audio and files; what the provider
/// stores; what the provider's own tools find.
pub fn reads_elsewhere(message: &Message, body: &[u8]) -> bool {
    let prompt = message.model.as_ref().is_some_and(|model| model.contains(":prompt/"));
    message.media > 0 || prompt || scanned(body, of).unwrap_or(true)
}

fn of(root: Val<'_>) -> bool {
    root.members().any(|(key, value)| {
        let name = key.text();
        if is_empty(value) {
            return false;
        }
        let template = alike(&name, "prompt") && value.is_object();
        is_one_of(OF_REQUESTS, &name) || template || part(&name, value)
    })
}

/// Whether the response is to be fetched later: OpenAI's `background`, xAI's `deferred`.
pub(crate) fn answered_later(root: Val<'_>) -> bool {
    root.members().any(|(key, value)| !is_empty(value) && is_one_of(&["background", "deferred"], &key.text()))
}

/// Members that contain a prompt, on any server.
const PROMPTS: &[&str] = &[
    "prompt",
    "messages",
    "contents",
    "inputs",
    "inputText",
    "model",
    // SGLang's own, llama.cpp's.
    "sampling_params",
    "input_ids",
    "input_prefix",
    "n_predict",
];

/// Whether a body on an unknown path asks a model that the server chooses: it contains a prompt under a name that
/// model servers use, or a text as `input`.
pub fn holds_a_prompt(body: &[u8]) -> bool {
    let asks = |root: Val<'_>| {
        root.members().any(|(key, value)| {
            let name = key.text();
            is_one_of(PROMPTS, &name) || alike(&name, "input") && !value.is_object() && !is_empty(value)
        })
    };
    scanned(body, asks).unwrap_or(false)
}

/// Whether it may ask one: it contains such a prompt, or a name that other servers use for one.
pub fn may_ask_a_model(body: &[u8]) -> bool {
    const OTHERS: &[&str] = &["input", "message", "query", "queries"];
    let asks = |root: Val<'_>| {
        root.members().any(|(key, _)| [PROMPTS, OTHERS].iter().any(|names| is_one_of(names, &key.text())))
    };
    scanned(body, asks).unwrap_or(false)
}

fn is_empty(value: Val<'_>) -> bool {
    match value.kind() {
        Kind::Null | Kind::False => true,
        Kind::Array => value.items().next().is_none(),
        _ => false,
    }
}

/// Recursion is bounded by the scanner's depth limit.
fn part(name: &str, value: Val<'_>) -> bool {
    if is_empty(value) || is_one_of(FREE, name) || name == "input" && value.is_object() {
        return false;
    }
    // Tools may also be offered among the messages: in a list, or each with its definition (Anthropic).
    let offers = alike(name, "tools") && value.items().any(|(_, tool)| !is_own(tool))
        || alike(name, "definition") && value.get("type").is_some() && !is_own(value);
    if is_one_of(OF_PARTS, name) || offers {
        return true;
    }
    let points = value.get_text("type").is_some_and(|kind| matches!(&*kind, "url" | "item_reference"));
    points
        || value.members().any(|(key, value)| part(&key.text(), value))
        || value.items().any(|(_, item)| part("", item))
}

/// Whether a tool is only a description. Gemini's and Bedrock's are recognised by a member, the others by a type.
fn is_own(tool: Val<'_>) -> bool {
    match tool.get_text("type") {
        Some(kind) => OWN_TOOLS.iter().any(|own| kind.starts_with(own)),
        None => tool.members().all(|(key, _)| {
            let name = key.text();
            !is_one_of(GOOGLES, &name) && !alike(&name, "systemTool")
        }),
    }
}
