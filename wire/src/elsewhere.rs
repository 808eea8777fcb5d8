//! Whether a model is asked to read what does not stand in the request: then its bytes say nothing of what it takes.

use crate::bound::{alike, is_one_of, scanned};
use crate::json::{Kind, Val};
use crate::message::Message;
use crate::tools::GOOGLES;

/// Members of a request that stand for more than they are: what was said before and is kept by the provider, and where it looks.
const OF_REQUESTS: &[&str] = &[
    "previous_response_id",
    "conversation",
    "cachedContent",
    "container",
    "mcp_servers",
    "web_search_options",
    "promptVariables",
];

/// Members that name a file, or what was said before, wherever they stand.
const OF_PARTS: &[&str] = &["file_id", "file_url", "fileUri", "s3Location", "previous_message_id"];

/// Members that hold somebody's own data or schema, in which any name may stand.
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

/// Tools that whoever asks runs by himself: what they answer comes with the next request.
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

/// Whether the request asks for more to be read than its own text: images, audio and files; what the provider keeps; what the
/// provider's own tools find.
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

/// Whether the answer is to be fetched later: OpenAI's `background`, xAI's `deferred`.
pub(crate) fn answered_later(root: Val<'_>) -> bool {
    root.members().any(|(key, value)| !is_empty(value) && is_one_of(&["background", "deferred"], &key.text()))
}

/// Members that hold what a model is asked, wherever a server reads them.
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

/// Whether a body on a path that says nothing is a question to a model, which the server chooses: it holds a prompt under a name
/// that model servers use, or a text as `input`.
pub fn holds_a_prompt(body: &[u8]) -> bool {
    let asks = |root: Val<'_>| {
        root.members().any(|(key, value)| {
            let name = key.text();
            is_one_of(PROMPTS, &name) || alike(&name, "input") && !value.is_object() && !is_empty(value)
        })
    };
    scanned(body, asks).unwrap_or(false)
}

/// Whether it may be one: such a prompt, or what other servers mean by these names.
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
    // Tools are offered among the messages, too: in a list, or each with its definition (Anthropic).
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

/// Whether a tool is a description alone. Gemini's and Bedrock's say by a member what they are, the others by a type.
fn is_own(tool: Val<'_>) -> bool {
    match tool.get_text("type") {
        Some(kind) => OWN_TOOLS.iter().any(|own| kind.starts_with(own)),
        None => tool.members().all(|(key, _)| {
            let name = key.text();
            !is_one_of(GOOGLES, &name) && !alike(&name, "systemTool")
        }),
    }
}
