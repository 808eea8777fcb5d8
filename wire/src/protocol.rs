//! Which protocol a request speaks, told by its path; the body refines it (`read.rs`).

use crate::body::{BodyKind, body_kind};

/// The protocol of an exchange. Told by path first ([`protocol_of`]), refined by the body
/// ([`Message::protocol`](crate::Message::protocol)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// OpenAI `/v1/chat/completions`, also under a prefix or an Azure deployment.
    OpenAiChat,
    /// OpenAI `/v1/completions`.
    OpenAiCompletions,
    /// OpenAI `/v1/responses`.
    OpenAiResponses,
    /// OpenAI `/v1/embeddings`.
    OpenAiEmbeddings,
    /// Anthropic `/v1/messages` and `/v1/messages/count_tokens`.
    AnthropicMessages,
    /// Model Context Protocol over streamable HTTP, revisions 2025-11-25 and 2026-07-28.
    Mcp,
    /// JSON of no known shape.
    Json,
    /// Text that is not JSON.
    Text,
    /// Nothing to read.
    None,
}

impl Protocol {
    /// The name in headers, records and Rego input.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai-chat",
            Self::OpenAiCompletions => "openai-completions",
            Self::OpenAiResponses => "openai-responses",
            Self::OpenAiEmbeddings => "openai-embeddings",
            Self::AnthropicMessages => "anthropic-messages",
            Self::Mcp => "mcp",
            Self::Json => "json",
            Self::Text => "text",
            Self::None => "none",
        }
    }

    /// Whether bodies of this protocol are JSON.
    pub fn is_json(self) -> bool {
        !matches!(self, Self::Text | Self::None)
    }

    /// Whether a request of this protocol has to name a model.
    pub fn names_a_model(self) -> bool {
        matches!(
            self,
            Self::OpenAiChat
                | Self::OpenAiCompletions
                | Self::OpenAiResponses
                | Self::OpenAiEmbeddings
                | Self::AnthropicMessages
        )
    }

    /// Whether the path already told the protocol, so that the body's shape may not overrule it: the upstream
    /// reads by path, whatever else a body pretends to be.
    pub(crate) fn is_settled(self) -> bool {
        !matches!(self, Self::Json | Self::Text | Self::None)
    }
}

/// The protocol that method, path and content type promise. Query and trailing slashes do not count; a path may have
/// any prefix. Unknown paths give [`Protocol::Json`], [`Protocol::Text`] or [`Protocol::None`], to be refined by shape.
pub fn protocol_of(method: &str, path: &str, content_type: Option<&str>) -> Protocol {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    if path.ends_with("/chat/completions") {
        return Protocol::OpenAiChat;
    }
    if path.ends_with("/completions") {
        return Protocol::OpenAiCompletions;
    }
    if path.ends_with("/embeddings") {
        return Protocol::OpenAiEmbeddings;
    }
    if path.ends_with("/responses") || path.contains("/v1/responses/") {
        return Protocol::OpenAiResponses;
    }
    if path.ends_with("/v1/messages") || path.ends_with("/v1/messages/count_tokens") {
        return Protocol::AnthropicMessages;
    }
    if path.ends_with("/mcp") {
        return Protocol::Mcp;
    }
    match body_kind(content_type) {
        BodyKind::Json => Protocol::Json,
        BodyKind::Text | BodyKind::EventStream | BodyKind::Form => Protocol::Text,
        BodyKind::Empty if matches!(method, "GET" | "HEAD" | "OPTIONS" | "DELETE") => Protocol::None,
        _ => Protocol::Json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_the_protocol() {
        let json = Some("application/json");
        for (method, path, content_type, want) in [
            ("POST", "/v1/chat/completions", json, "openai-chat"),
            ("POST", "/openai/deployments/x/chat/completions?api-version=1", json, "openai-chat"),
            ("POST", "/gateway/v1/chat/completions/", json, "openai-chat"),
            ("POST", "/v1/completions", json, "openai-completions"),
            ("POST", "/v1/responses", json, "openai-responses"),
            ("GET", "/v1/responses/resp_1", None, "openai-responses"),
            ("POST", "/v1/embeddings", json, "openai-embeddings"),
            ("POST", "/v1/messages", json, "anthropic-messages"),
            ("POST", "/anthropic/v1/messages/count_tokens?beta=true", json, "anthropic-messages"),
            ("POST", "/v1/threads/t/messages", json, "json"),
            ("POST", "/mcp", json, "mcp"),
            ("GET", "/servers/files/mcp/", None, "mcp"),
            ("POST", "/other", json, "json"),
            ("POST", "/other", Some("text/plain"), "text"),
            ("POST", "/other", None, "json"),
            ("GET", "/other", None, "none"),
        ] {
            assert_eq!(protocol_of(method, path, content_type).as_str(), want, "{method} {path}");
        }
    }
}
