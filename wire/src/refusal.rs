//! Refusals in the provider's own format, so that an unmodified SDK raises the error that its users know.
//!
//! MCP: a JSON-RPC error with the request's id, over HTTP status 200. Clients need this, as tested with each: on a
//! status of 400 or above, the Python SDK 1.30 ends the whole session with an HTTP error (no `McpError`), and the
//! TypeScript SDK 1.32 throws a transport error with the body as text; only Python 2.3 looks for a JSON-RPC error in
//! it. With 200, as JSON or as an event, all three raise their usual error with our message. If there is no id to
//! answer (notifications, unreadable bodies), the HTTP status is that of the kind, as the transport's specification
//! requires. A2A is answered in the same way, and its Python SDK 1.3 raises its usual error, with codes outside A2A's
//! own range (-32001 to -32099 belong to the specification): those of HTTP. MCP's codes are from the range that the
//! 2026-07-28 revision leaves to implementations (-32000 to -32019), avoiding those that SDKs use themselves; except
//! where that revision has its own code.

use serde_json::{Value, json};

use crate::amazon;
use crate::framing::Framing;
use crate::protocol::Protocol;

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// A policy refuses: 403.
    Policy,
    /// A limit is used up: 429.
    Limit {
        /// When to try again, in seconds.
        retry_after_s: u64,
    },
    /// More than is inspected: 413.
    TooLarge,
    /// Not readable in its declared format: 400.
    Malformed,
    /// MCP headers that contradict the body: 400.
    Mismatch,
    /// A guard could not run, and the policy fails closed: 503.
    GuardFailed,
}

impl RefusalKind {
    /// The HTTP status for this kind.
    pub fn status(self) -> u16 {
        match self {
            Self::Policy => 403,
            Self::Limit { .. } => 429,
            Self::TooLarge => 413,
            Self::Malformed | Self::Mismatch => 400,
            Self::GuardFailed => 503,
        }
    }

    /// The `code` in the body.
    pub fn code(self) -> &'static str {
        match self {
            Self::Policy => "policy_violation",
            Self::Limit { .. } => "rate_limit_exceeded",
            Self::TooLarge => "request_too_large",
            Self::Malformed => "malformed_body",
            Self::Mismatch => "header_mismatch",
            Self::GuardFailed => "guard_unavailable",
        }
    }

    fn openai_type(self) -> &'static str {
        match self {
            Self::Policy => "permission_error",
            Self::Limit { .. } => "rate_limit_error",
            Self::TooLarge | Self::Malformed | Self::Mismatch => "invalid_request_error",
            Self::GuardFailed => "server_error",
        }
    }

    fn anthropic_type(self) -> &'static str {
        match self {
            Self::Policy => "permission_error",
            Self::Limit { .. } => "rate_limit_error",
            Self::TooLarge => "request_too_large",
            Self::Malformed | Self::Mismatch => "invalid_request_error",
            Self::GuardFailed => "api_error",
        }
    }

    /// The name of the status in Google's APIs (AIP-193).
    fn google_status(self) -> &'static str {
        match self {
            Self::Policy => "PERMISSION_DENIED",
            Self::Limit { .. } => "RESOURCE_EXHAUSTED",
            Self::TooLarge | Self::Malformed | Self::Mismatch => "INVALID_ARGUMENT",
            Self::GuardFailed => "UNAVAILABLE",
        }
    }

    fn amazon_type(self) -> &'static str {
        match self {
            Self::Policy => "AccessDeniedException",
            Self::Limit { .. } => "ThrottlingException",
            Self::TooLarge | Self::Malformed | Self::Mismatch => "ValidationException",
            Self::GuardFailed => "ServiceUnavailableException",
        }
    }

    /// One of the exceptions that a stream's model defines: there is none for access.
    fn amazon_exception(self) -> &'static str {
        match self {
            Self::Policy | Self::TooLarge | Self::Malformed | Self::Mismatch => "validationException",
            Self::Limit { .. } => "throttlingException",
            Self::GuardFailed => "serviceUnavailableException",
        }
    }

    fn rpc_code(self, protocol: Protocol) -> i64 {
        match self {
            Self::Malformed => -32600,
            // The specification's own code (HeaderMismatch).
            Self::Mismatch => -32020,
            _ if protocol == Protocol::A2a => i64::from(self.status()),
            Self::Policy => -32003,
            Self::Limit { .. } => -32004,
            Self::TooLarge => -32005,
            Self::GuardFailed => -32006,
        }
    }
}

/// A complete response that refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// Headers, including `content-type`.
    pub headers: Vec<(&'static str, String)>,
    /// The body, never empty.
    pub body: Vec<u8>,
}

/// Refuses a request. `message` is for people and must not quote content; `rpc_ids` are the ids of a JSON-RPC request
/// or batch as in [`Message::rpc_ids`](crate::Message::rpc_ids), and only used for MCP and A2A.
pub fn refusal(
    protocol: Protocol,
    kind: RefusalKind,
    message: &str,
    decision_id: &str,
    rpc_ids: &[String],
) -> Refusal {
    let mut headers = vec![("content-type", "application/json".to_owned())];
    if let RefusalKind::Limit { retry_after_s } = kind {
        headers.push(("retry-after", retry_after_s.to_string()));
    }
    match protocol {
        // The names under which the SDKs look for an error's request id.
        Protocol::AnthropicMessages => headers.push(("request-id", decision_id.to_owned())),
        Protocol::BedrockConverse | Protocol::BedrockInvoke => {
            headers.push(("x-amzn-requestid", decision_id.to_owned()));
            headers.push(("x-amzn-errortype", kind.amazon_type().to_owned()));
        }
        Protocol::Mcp | Protocol::A2a => {}
        _ => headers.push(("x-request-id", decision_id.to_owned())),
    }
    let rpc = matches!(protocol, Protocol::Mcp | Protocol::A2a);
    let status = if rpc && !rpc_ids.is_empty() { 200 } else { kind.status() };
    let body = if rpc {
        rpc_errors(protocol, kind, message, decision_id, rpc_ids)
    } else {
        body(protocol, kind, message, decision_id)
    };
    Refusal { status, headers, body: body.into_bytes() }
}

/// The error object of protocols other than JSON-RPC.
fn body(protocol: Protocol, kind: RefusalKind, message: &str, decision_id: &str) -> String {
    match protocol {
        Protocol::AnthropicMessages => anthropic(kind, message, decision_id),
        Protocol::Gemini | Protocol::A2aHttp => google(kind, message, decision_id),
        Protocol::Ollama => json!({ "error": message }),
        Protocol::BedrockConverse | Protocol::BedrockInvoke => json!({ "message": message }),
        _ => json!({ "error": openai(kind, message) }),
    }
    .to_string()
}

/// Ends a stream that has begun with the provider's error event and its end marker. For an array, this returns the
/// item: [`Framing::ending`] inserts it.
pub fn stream_error(
    protocol: Protocol,
    framing: Framing,
    kind: RefusalKind,
    message: &str,
    decision_id: &str,
    rpc_ids: &[String],
) -> Vec<u8> {
    match framing {
        Framing::Sse => sse_error(protocol, kind, message, decision_id, rpc_ids).into_bytes(),
        Framing::Lines => (body(protocol, kind, message, decision_id) + "\n").into_bytes(),
        Framing::Array => body(protocol, kind, message, decision_id).into_bytes(),
        Framing::Amazon => {
            let payload = json!({ "message": message }).to_string();
            amazon::exception(kind.amazon_exception(), payload.as_bytes())
        }
    }
}

fn sse_error(
    protocol: Protocol,
    kind: RefusalKind,
    message: &str,
    decision_id: &str,
    rpc_ids: &[String],
) -> String {
    match protocol {
        Protocol::AnthropicMessages => {
            format!("event: error\ndata: {}\n\n", anthropic(kind, message, decision_id))
        }
        // The SDK checks the event's name and for an `error` in it; the other members are the API's own.
        Protocol::OpenAiResponses => {
            let event = json!({
                "type": "error", "code": kind.code(), "message": message, "param": null, "sequence_number": 0,
                "error": openai(kind, message),
            });
            format!("event: error\ndata: {event}\n\n")
        }
        Protocol::Mcp | Protocol::A2a => {
            let ids = if rpc_ids.is_empty() { &["null".to_owned()][..] } else { rpc_ids };
            ids.iter()
                .map(|id| {
                    format!(
                        "event: message\ndata: {}\n\n",
                        rpc_error(protocol, kind, message, decision_id, id)
                    )
                })
                .collect()
        }
        Protocol::Gemini | Protocol::A2aHttp | Protocol::Ollama => {
            format!("data: {}\n\n", body(protocol, kind, message, decision_id))
        }
        _ => {
            let mut event = json!({ "error": openai(kind, message) });
            // Clients of Gemini's Interactions check the type; the format does not distinguish their requests from
            // others.
            if let (Protocol::Json, Some(event)) = (protocol, event.as_object_mut()) {
                event.insert("event_type".to_owned(), "error".into());
            }
            format!("data: {event}\n\ndata: [DONE]\n\n")
        }
    }
}

/// `google.rpc.Status` as JSON, as used by Gemini and A2A over plain HTTP.
fn google(kind: RefusalKind, message: &str, decision_id: &str) -> Value {
    json!({ "error": {
        "code": kind.status(), "message": message, "status": kind.google_status(),
        "details": [error_info(kind, decision_id)],
    } })
}

fn error_info(kind: RefusalKind, decision_id: &str) -> Value {
    json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": kind.code().to_ascii_uppercase(),
        "domain": "ai-mesh.dev", "metadata": { "decision_id": decision_id },
    })
}

fn openai(kind: RefusalKind, message: &str) -> Value {
    json!({ "message": message, "type": kind.openai_type(), "param": null, "code": kind.code() })
}

fn anthropic(kind: RefusalKind, message: &str, decision_id: &str) -> Value {
    json!({
        "type": "error",
        "error": { "type": kind.anthropic_type(), "message": message },
        "request_id": decision_id,
    })
}

/// One error for each id; a batch is answered with a batch.
fn rpc_errors(
    protocol: Protocol,
    kind: RefusalKind,
    message: &str,
    decision_id: &str,
    rpc_ids: &[String],
) -> String {
    let error = |id: &str| rpc_error(protocol, kind, message, decision_id, id);
    match rpc_ids {
        [] => error("null"),
        [id] => error(id),
        ids => format!("[{}]", ids.iter().map(|id| error(id)).collect::<Vec<_>>().join(",")),
    }
}

/// The id is written as in the request: a number stays exactly the same.
fn rpc_error(protocol: Protocol, kind: RefusalKind, message: &str, decision_id: &str, id: &str) -> String {
    let data = if protocol == Protocol::A2a {
        json!([error_info(kind, decision_id)])
    } else {
        let mut data = json!({ "code": kind.code(), "decision_id": decision_id });
        if let (RefusalKind::Limit { retry_after_s }, Some(data)) = (kind, data.as_object_mut()) {
            data.insert("retry_after_s".to_owned(), retry_after_s.into());
        }
        data
    };
    let error = json!({ "code": kind.rpc_code(protocol), "message": message, "data": data });
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}")
}
