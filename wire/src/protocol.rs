//! The supported protocols.

/// The protocol of an exchange. Determined from the path first ([`route_of`](crate::route_of)), then refined by the
/// body ([`Message::protocol`](crate::Message::protocol)).
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
    /// Gemini `generateContent` and its siblings, also on Vertex.
    Gemini,
    /// Ollama `/api/chat`, `/api/generate`, `/api/embed` and `/api/embeddings`.
    Ollama,
    /// Bedrock Converse and ConverseStream.
    BedrockConverse,
    /// Bedrock InvokeModel and InvokeModelWithResponseStream: the model's own protocol inside Bedrock's.
    BedrockInvoke,
    /// Agent2Agent over JSON-RPC, versions 0.3 and 1.0, and agent cards.
    A2a,
    /// Agent2Agent over plain HTTP and JSON.
    A2aHttp,
    /// Model Context Protocol over streamable HTTP, revisions 2025-11-25 and 2026-07-28.
    Mcp,
    /// JSON in no known format.
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
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::BedrockConverse => "bedrock-converse",
            Self::BedrockInvoke => "bedrock-invoke",
            Self::A2a => "a2a",
            Self::A2aHttp => "a2a-http",
            Self::Mcp => "mcp",
            Self::Json => "json",
            Self::Text => "text",
            Self::None => "none",
        }
    }

    /// Whether a request of this protocol must name a model.
    pub fn names_a_model(self) -> bool {
        matches!(
            self,
            Self::OpenAiChat
                | Self::OpenAiCompletions
                | Self::OpenAiResponses
                | Self::OpenAiEmbeddings
                | Self::AnthropicMessages
                | Self::Gemini
                | Self::Ollama
                | Self::BedrockConverse
                | Self::BedrockInvoke
        )
    }

    /// Whether responses contain third-party text (of a tool server or another agent), in which an instruction is an
    /// attack.
    pub fn answers_from_outside(self) -> bool {
        matches!(self, Self::Mcp | Self::A2a | Self::A2aHttp)
    }

    /// Whether a response may call or list tools.
    pub fn answers_with_tools(self) -> bool {
        !matches!(self, Self::OpenAiEmbeddings | Self::A2a | Self::A2aHttp)
    }

    /// Whether the path determined the protocol, so that the body's format must not override it: the upstream reads
    /// by path, whatever a body pretends to be.
    pub(crate) fn is_settled(self) -> bool {
        !matches!(self, Self::Json | Self::Text | Self::None)
    }
}
