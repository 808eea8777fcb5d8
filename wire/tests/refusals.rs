//! Refusals, byte for byte, in each provider's shape.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use mesh_wire::{EventStream, Framing, Limits, Protocol, RefusalKind, read_event, refusal, stream_error};

const LIMIT: RefusalKind = RefusalKind::Limit { retry_after_s: 7 };

/// Status, headers and body as text.
fn shown(protocol: Protocol, kind: RefusalKind, ids: &[&str]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    let refusal = refusal(protocol, kind, "not allowed", "d-1", &ids);
    let headers: Vec<String> =
        refusal.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    serde_json::from_slice::<serde_json::Value>(&refusal.body).unwrap();
    format!("{} | {} | {}", refusal.status, headers.join(", "), String::from_utf8(refusal.body).unwrap())
}

#[test]
fn refusals_have_the_providers_shape() {
    for (protocol, kind, ids, want) in [
        (
            Protocol::OpenAiChat,
            RefusalKind::Policy,
            vec![],
            r#"403 | content-type: application/json, x-request-id: d-1 | {"error":{"code":"policy_violation","message":"not allowed","param":null,"type":"permission_error"}}"#,
        ),
        (
            Protocol::OpenAiResponses,
            LIMIT,
            vec![],
            r#"429 | content-type: application/json, retry-after: 7, x-request-id: d-1 | {"error":{"code":"rate_limit_exceeded","message":"not allowed","param":null,"type":"rate_limit_error"}}"#,
        ),
        (
            Protocol::Json,
            RefusalKind::Malformed,
            vec![],
            r#"400 | content-type: application/json, x-request-id: d-1 | {"error":{"code":"malformed_body","message":"not allowed","param":null,"type":"invalid_request_error"}}"#,
        ),
        (
            Protocol::Text,
            RefusalKind::TooLarge,
            vec![],
            r#"413 | content-type: application/json, x-request-id: d-1 | {"error":{"code":"request_too_large","message":"not allowed","param":null,"type":"invalid_request_error"}}"#,
        ),
        (
            Protocol::AnthropicMessages,
            RefusalKind::Policy,
            vec![],
            r#"403 | content-type: application/json, request-id: d-1 | {"error":{"message":"not allowed","type":"permission_error"},"request_id":"d-1","type":"error"}"#,
        ),
        (
            Protocol::AnthropicMessages,
            RefusalKind::GuardFailed,
            vec![],
            r#"503 | content-type: application/json, request-id: d-1 | {"error":{"message":"not allowed","type":"api_error"},"request_id":"d-1","type":"error"}"#,
        ),
        (
            Protocol::Mcp,
            RefusalKind::Policy,
            vec!["1"],
            r#"200 | content-type: application/json | {"jsonrpc":"2.0","id":1,"error":{"code":-32003,"data":{"code":"policy_violation","decision_id":"d-1"},"message":"not allowed"}}"#,
        ),
        (
            Protocol::Mcp,
            LIMIT,
            vec![r#""a""#],
            r#"200 | content-type: application/json, retry-after: 7 | {"jsonrpc":"2.0","id":"a","error":{"code":-32004,"data":{"code":"rate_limit_exceeded","decision_id":"d-1","retry_after_s":7},"message":"not allowed"}}"#,
        ),
        (
            Protocol::Mcp,
            RefusalKind::GuardFailed,
            vec!["1", "2"],
            r#"200 | content-type: application/json | [{"jsonrpc":"2.0","id":1,"error":{"code":-32006,"data":{"code":"guard_unavailable","decision_id":"d-1"},"message":"not allowed"}},{"jsonrpc":"2.0","id":2,"error":{"code":-32006,"data":{"code":"guard_unavailable","decision_id":"d-1"},"message":"not allowed"}}]"#,
        ),
        (
            Protocol::Mcp,
            RefusalKind::Malformed,
            vec![],
            r#"400 | content-type: application/json | {"jsonrpc":"2.0","id":null,"error":{"code":-32600,"data":{"code":"malformed_body","decision_id":"d-1"},"message":"not allowed"}}"#,
        ),
        (
            Protocol::Mcp,
            RefusalKind::Mismatch,
            vec!["1"],
            r#"200 | content-type: application/json | {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"data":{"code":"header_mismatch","decision_id":"d-1"},"message":"not allowed"}}"#,
        ),
        (
            Protocol::A2a,
            RefusalKind::Policy,
            vec![r#""r-1""#],
            r#"200 | content-type: application/json | {"jsonrpc":"2.0","id":"r-1","error":{"code":403,"data":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"ai-mesh.dev","metadata":{"decision_id":"d-1"},"reason":"POLICY_VIOLATION"}],"message":"not allowed"}}"#,
        ),
        (
            Protocol::Gemini,
            RefusalKind::Policy,
            vec![],
            r#"403 | content-type: application/json, x-request-id: d-1 | {"error":{"code":403,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"ai-mesh.dev","metadata":{"decision_id":"d-1"},"reason":"POLICY_VIOLATION"}],"message":"not allowed","status":"PERMISSION_DENIED"}}"#,
        ),
        (
            Protocol::Ollama,
            LIMIT,
            vec![],
            r#"429 | content-type: application/json, retry-after: 7, x-request-id: d-1 | {"error":"not allowed"}"#,
        ),
        (
            Protocol::BedrockConverse,
            RefusalKind::GuardFailed,
            vec![],
            r#"503 | content-type: application/json, x-amzn-requestid: d-1, x-amzn-errortype: ServiceUnavailableException | {"message":"not allowed"}"#,
        ),
    ] {
        assert_eq!(shown(protocol, kind, &ids), want);
    }
}

#[test]
fn streams_end_with_the_providers_error_event() {
    let ended = |protocol, ids: &[&str]| {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let error = stream_error(protocol, Framing::Sse, RefusalKind::Policy, "not allowed", "d-1", &ids);
        String::from_utf8(error).unwrap()
    };
    assert_eq!(
        ended(Protocol::OpenAiChat, &[]),
        "data: {\"error\":{\"code\":\"policy_violation\",\"message\":\"not allowed\",\"param\":null,\"type\":\"permission_error\"}}\n\ndata: [DONE]\n\n"
    );
    assert_eq!(
        ended(Protocol::Json, &[]),
        "data: {\"error\":{\"code\":\"policy_violation\",\"message\":\"not allowed\",\"param\":null,\"type\":\"permission_error\"},\"event_type\":\"error\"}\n\ndata: [DONE]\n\n"
    );
    assert_eq!(
        ended(Protocol::AnthropicMessages, &[]),
        "event: error\ndata: {\"error\":{\"message\":\"not allowed\",\"type\":\"permission_error\"},\"request_id\":\"d-1\",\"type\":\"error\"}\n\n"
    );
    assert_eq!(
        ended(Protocol::OpenAiResponses, &[]),
        "event: error\ndata: {\"code\":\"policy_violation\",\"error\":{\"code\":\"policy_violation\",\"message\":\"not allowed\",\"param\":null,\"type\":\"permission_error\"},\"message\":\"not allowed\",\"param\":null,\"sequence_number\":0,\"type\":\"error\"}\n\n"
    );
    assert_eq!(
        ended(Protocol::Mcp, &["5"]),
        "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":-32003,\"data\":{\"code\":\"policy_violation\",\"decision_id\":\"d-1\"},\"message\":\"not allowed\"}}\n\n"
    );
    assert_eq!(
        ended(Protocol::A2a, &["5"]),
        "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":403,\"data\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"domain\":\"ai-mesh.dev\",\"metadata\":{\"decision_id\":\"d-1\"},\"reason\":\"POLICY_VIOLATION\"}],\"message\":\"not allowed\"}}\n\n"
    );
}

#[test]
fn streams_of_every_framing_end_in_their_own_way() {
    let ended =
        |protocol, framing| stream_error(protocol, framing, RefusalKind::Policy, "not allowed", "d-1", &[]);
    assert_eq!(ended(Protocol::Ollama, Framing::Lines), b"{\"error\":\"not allowed\"}\n");
    // An array stays one, wherever it was when it ended.
    let error = ended(Protocol::Gemini, Framing::Array);
    for sent in ["", "[", "[{\"candidates\":[]}", "[{\"candidates\":[]},"] {
        let end = Framing::Array.ending(sent.bytes().last(), &error);
        let whole: serde_json::Value = serde_json::from_slice(&[sent.as_bytes(), &end].concat()).unwrap();
        assert_eq!(
            whole.as_array().unwrap().last().unwrap()["error"]["status"],
            "PERMISSION_DENIED",
            "{sent}"
        );
    }
    let error = ended(Protocol::BedrockConverse, Framing::Amazon);
    assert!(error.windows(19).any(|bytes| bytes == b"validationException"));
    let event = EventStream::new(Framing::Amazon, &Limits::default()).push(&error).unwrap().remove(0);
    let item = read_event(Protocol::BedrockConverse, "", &event, &Limits::default()).unwrap();
    assert_eq!(item.message.segments.last().unwrap().text, "not allowed");
}
