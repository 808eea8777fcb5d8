//! No reader has a blind spot: wherever a datum is planted in a document made of the protocols' own words, it is found,
//! and once it is blacked out it is gone and the body still reads.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use mesh_wire::{
    Edit, Limits, Message, Protocol, SseStream, apply, read_event, read_request, read_response, rewrite_event,
};
use proptest::prelude::*;
use serde_json::{Map, Value};

const NEEDLE: &str = "123-45-6789";

/// Names that readers treat in their own way, and some that they do not know.
const NAMES: &[&str] = &[
    "messages",
    "content",
    "role",
    "type",
    "text",
    "tools",
    "functions",
    "function",
    "name",
    "arguments",
    "input",
    "output",
    "parameters",
    "tool_calls",
    "function_call",
    "id",
    "tool_call_id",
    "model",
    "system",
    "prompt",
    "instructions",
    "choices",
    "message",
    "delta",
    "finish_reason",
    "index",
    "logprobs",
    "usage",
    "created",
    "data",
    "embedding",
    "image_url",
    "url",
    "input_audio",
    "file",
    "file_data",
    "source",
    "resource",
    "resources",
    "blob",
    "signature",
    "encrypted_content",
    "annotations",
    "metadata",
    "stream",
    "seed",
    "jsonrpc",
    "method",
    "params",
    "result",
    "error",
    "code",
    "contents",
    "structuredContent",
    "_meta",
    "uri",
    "completion",
    "prompts",
    "protocolVersion",
    "requestState",
    "inputRequests",
    "inputResponses",
    "content_block",
    "partial_json",
    "thinking",
    "response",
    "item",
    "part",
    "refusal",
    "audio",
    "transcript",
    "summary",
    "custom",
    "action",
    "title",
    "supportedVersions",
    "progressToken",
    "b64_json",
    "output_index",
    "stop_sequence",
    "x",
    "Content",
    "weird key",
    "server_label",
    "queries",
    "expires_at",
    "tool_choice",
    "cursor",
    "level",
    "nextCursor",
    "description",
];

/// Values of `type`, `role` and `method` that change how the rest is read.
const WORDS: &[&str] = &[
    "user",
    "assistant",
    "system",
    "tool",
    "text",
    "image",
    "audio",
    "document",
    "tool_use",
    "tool_result",
    "function_call",
    "function_call_output",
    "reasoning",
    "mcp_call",
    "mcp_list_tools",
    "image_generation_call",
    "code_interpreter_call",
    "message",
    "2.0",
    "tools/call",
    "tools/list",
    "resources/read",
    "initialize",
    "sampling/createMessage",
    "notifications/message",
    "content_block_delta",
    "content_block_start",
    "message_start",
    "message_delta",
    "message_stop",
    "response.output_text.delta",
    "response.output_text.done",
    "response.completed",
    "response.audio.delta",
    "response.function_call_arguments.delta",
    "error",
    "base64",
    "2025-11-25",
    "gpt-4o",
];

fn planted() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::from(NEEDLE)),
        Just(Value::from(format!("call_{NEEDLE}"))),
        Just(Value::from(format!("words {NEEDLE} words"))),
        Just(Value::from(format!("{{\"a\":\"{NEEDLE}\"}}"))),
        Just(Value::from(format!("{{\"a\":\"\\u0031{}\"", &NEEDLE[1..]))),
        Just(Value::from(format!("data:text/plain,{NEEDLE}"))),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        2 => planted(),
        4 => proptest::sample::select(WORDS).prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => (0_u32..5).prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 80, 5, |inner| {
        let name = prop_oneof![
            12 => proptest::sample::select(NAMES).prop_map(str::to_owned),
            1 => Just(NEEDLE.to_owned()),
        ];
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => proptest::collection::vec((name, inner), 1..7)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn protocol() -> impl Strategy<Value = Protocol> {
    proptest::sample::select(
        &[
            Protocol::OpenAiChat,
            Protocol::OpenAiCompletions,
            Protocol::OpenAiResponses,
            Protocol::OpenAiEmbeddings,
            Protocol::AnthropicMessages,
            Protocol::Mcp,
            Protocol::Json,
            Protocol::Text,
        ][..],
    )
}

/// Blacks the needle out wherever it was found.
fn edits(message: &Message) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (segment, found) in message.segments.iter().enumerate() {
        edits.extend(found.text.match_indices(NEEDLE).map(|(start, _)| Edit {
            segment,
            range: start..start + NEEDLE.len(),
            with: "[\"X\"]".to_owned(),
        }));
    }
    edits
}

/// The needle, in plain or behind escapes, as deep as they go here.
fn shows_needle(text: &str) -> bool {
    let once = mesh_wire::resolve_escapes(text);
    let twice = mesh_wire::resolve_escapes(once.text());
    let thrice = mesh_wire::resolve_escapes(twice.text());
    [text, once.text(), twice.text(), thrice.text()].iter().any(|text| text.contains(NEEDLE))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_hides_in_a_body(document in document(), protocol in protocol(), answer in any::<bool>()) {
        let body = serde_json::to_vec(&document).unwrap();
        let limits = Limits::default();
        let message = if answer {
            read_response(protocol, "tools/call", &body, &limits).unwrap()
        } else {
            read_request(protocol, &body, &limits).unwrap()
        };
        let edited = apply(&body, &message, &edits(&message));
        let text = String::from_utf8(edited).unwrap();
        prop_assert!(!shows_needle(&text), "{:?} {}", protocol, text);
        prop_assert!(read_request(protocol, text.as_bytes(), &limits).is_ok(), "{}", text);
        prop_assert_eq!(apply(&body, &message, &[]), body);
    }

    #[test]
    fn nothing_hides_in_an_event(document in document(), protocol in protocol()) {
        let raw = format!("event: message\ndata: {document}\n\n");
        let limits = Limits::default();
        let event = SseStream::new(&limits).push(raw.as_bytes()).unwrap().remove(0);
        let item = read_event(protocol, "tools/call", &event, &limits).unwrap();
        let text = String::from_utf8(rewrite_event(&event, &item, &edits(&item.message))).unwrap();
        // A running text is searched by its reader with escapes resolved (they may be cut anywhere): not here.
        let visible = if item.pieces.is_empty() { shows_needle(&text) } else { text.contains(NEEDLE) };
        prop_assert!(!visible, "{:?} {}", protocol, text);
        let again = SseStream::new(&limits).push(text.as_bytes()).unwrap().remove(0);
        prop_assert!(read_event(protocol, "tools/call", &again, &limits).is_ok(), "{}", text);
        prop_assert_eq!(rewrite_event(&event, &item, &[]), event.raw);
    }

    #[test]
    fn broken_bodies_break_nothing(
        document in document(),
        protocol in protocol(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut body = serde_json::to_vec(&document).unwrap();
        let at = at.index(body.len());
        body[at] = byte;
        let limits = Limits::default();
        if let Ok(message) = read_request(protocol, &body, &limits) {
            prop_assert_eq!(apply(&body, &message, &[]), body.clone());
            let edited = apply(&body, &message, &edits(&message));
            prop_assert!(read_request(protocol, &edited, &limits).is_ok());
        }
        for event in SseStream::new(&limits).push(&[b"data: ", body.as_slice(), b"\n\n"].concat()).unwrap_or_default() {
            if let Ok(item) = read_event(protocol, "", &event, &limits) {
                prop_assert_eq!(rewrite_event(&event, &item, &[]), event.raw);
            }
        }
    }
}
