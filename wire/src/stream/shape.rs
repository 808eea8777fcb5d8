//! Which protocol an event belongs to.

use super::unknown;
use crate::coding::Coding;
use crate::json::Val;
use crate::protocol::Protocol;

/// What contains the data of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    Event,
    /// A line, or an item of an array: must be JSON if it begins like JSON.
    Line,
    /// A line after this code.
    Coded(u8),
    /// An Amazon event frame.
    Frame,
    /// A member of another event.
    Member,
}

/// How to read an event.
pub(super) enum Shape<'d> {
    Chat,
    Responses,
    Anthropic,
    Gemini,
    Ollama,
    Bedrock,
    A2a,
    /// This member contains, in Base64, an event of the model's own protocol, or a text.
    Inside(Val<'d>),
    Whole,
    Unknown,
}

/// The shape of the requested protocol if its characteristic member is present: its clients look for nothing else.
/// Otherwise determined from the event itself: gateways may answer in another protocol. An event with several
/// possible shapes has none.
pub(super) fn shape_of(protocol: Protocol, root: Val<'_>, within: Within) -> Shape<'_> {
    let kind = root.get_text("type").unwrap_or_default();
    let chat = root.get("choices").is_some();
    let gemini = root.get("candidates").is_some();
    let responses = kind.starts_with("response.");
    let anthropic = kind.starts_with("content_block_") || kind.starts_with("message_") || kind == "ping";
    let ollama = root.get("message").is_some() || root.get("response").is_some();
    match protocol {
        Protocol::A2a | Protocol::A2aHttp => return Shape::A2a,
        Protocol::BedrockConverse => return Shape::Bedrock,
        Protocol::Mcp => return Shape::Whole,
        Protocol::BedrockInvoke if within != Within::Member => {
            if let Some(bytes) = root.get("bytes").filter(|bytes| bytes.is_string()) {
                return Shape::Inside(bytes);
            }
        }
        // Texts of Bedrock's agents.
        protocol if within == Within::Frame && !protocol.is_settled() => {
            let bytes = root.get("bytes").filter(|bytes| bytes.is_string());
            if let Some(bytes) = bytes.filter(|bytes| !Coding::Base64.decode(&bytes.text()).is_empty()) {
                return Shape::Inside(bytes);
            }
        }
        Protocol::OpenAiChat | Protocol::OpenAiCompletions if chat => return Shape::Chat,
        Protocol::OpenAiResponses if responses => return Shape::Responses,
        Protocol::AnthropicMessages if anthropic => return Shape::Anthropic,
        Protocol::Gemini if gemini => return Shape::Gemini,
        Protocol::Ollama if ollama => return Shape::Ollama,
        _ => {}
    }
    let rpc = |one: Val<'_>| one.get_text("jsonrpc").is_some();
    let whole = rpc(root) || root.items().any(|(_, one)| rpc(one));
    let known = [
        (whole, Shape::Whole),
        (chat, Shape::Chat),
        (gemini, Shape::Gemini),
        (responses, Shape::Responses),
        (anthropic, Shape::Anthropic),
    ];
    let mut known = known.into_iter().filter_map(|(is, shape)| is.then_some(shape));
    match (known.next(), known.next()) {
        (Some(shape), None) => return shape,
        (Some(_), Some(_)) => return Shape::Unknown,
        _ => {}
    }
    let errs = protocol == Protocol::OpenAiResponses && kind == "error"
        || root.get("error").is_some_and(|error| error.is_object() || error.is_string());
    let told = errs || root.get("usage").is_some() && !is_piece(protocol, root);
    match protocol {
        Protocol::Gemini if root.is_object() => Shape::Gemini,
        Protocol::Ollama if root.is_object() => Shape::Ollama,
        // A Bedrock model's own members may come with it.
        Protocol::BedrockInvoke => Shape::Unknown,
        protocol if protocol.is_settled() && told => Shape::Whole,
        _ => Shape::Unknown,
    }
}

/// Whether an event that reports usage also has a text (ERNIE's `result`) in a member in which complete responses of
/// its protocol have none: some of their lists have such names.
fn is_piece(protocol: Protocol, root: Val<'_>) -> bool {
    let chat = matches!(protocol, Protocol::OpenAiChat | Protocol::OpenAiCompletions);
    root.members().any(|(key, member)| {
        (member.is_string() || chat && member.is_object()) && unknown::is_text(&key.text())
    })
}
