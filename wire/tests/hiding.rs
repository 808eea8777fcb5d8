//! No reader has a blind spot: wherever a datum is planted in a document made of the protocols' own words, it is found,
//! and once it is blacked out it is gone and the body still reads.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use mesh_wire::{
    Edit, EventStream, Framing, Limits, Message, Protocol, apply, read_event, read_request, read_response,
};
use proptest::prelude::*;
use serde_json::{Map, Value};

const NEEDLE: &str = "123-45-6789";

/// Names that readers treat in their own way, and some that they do not know.
const NAMES: &str = "
    messages content role type text tools functions function name arguments input output parameters
    tool_calls function_call id tool_call_id model system prompt instructions choices message delta
    finish_reason index logprobs usage created data embedding image_url url input_audio file file_data
    source resource resources blob signature encrypted_content annotations metadata stream seed jsonrpc
    method params result error code contents structuredContent _meta uri completion prompts protocolVersion
    requestState inputRequests inputResponses content_block partial_json thinking response item part
    refusal audio transcript summary custom action title supportedVersions progressToken b64_json
    output_index stop_sequence x Content server_label queries expires_at tool_choice cursor level
    nextCursor description
";

/// The same of the protocols that share few names with the others.
const GEMINI: &str = "
    contents content parts role text thought thoughtSignature inlineData inline_data mimeType data fileData
    fileUri functionCall function_response functionResponse name args id response executableCode code
    codeExecutionResult output candidates finishReason index groundingMetadata logprobsResult
    systemInstruction system_instruction tools functionDeclarations toolConfig generationConfig
    safetySettings usageMetadata promptTokenCount modelVersion model requests embedding title partialArgs
    jsonPath stringValue error x
";
const OLLAMA: &str = "
    model messages message role content images thinking tool_calls function name arguments tool_name tools
    prompt suffix system template input response context format options stream done done_reason created_at
    logprobs eval_count embeddings error keep_alive x
";
const BEDROCK: &str = "
    messages message system role content text image document source bytes format name toolUse toolUseId
    input toolResult status json guardContent qualifiers reasoningContent reasoningText signature
    redactedContent cachePoint type toolConfig tools toolSpec inputSchema toolChoice inferenceConfig output
    stopReason usage inputTokens metrics contentBlockIndex start delta p s3Location uri context
    citationsContent x
";
const A2A: &str = "
    jsonrpc id method params result error message code data role parts kind text file bytes raw uri url
    name mimeType mediaType filename metadata messageId contextId taskId status state timestamp artifact
    artifacts artifactId append lastChunk final history task statusUpdate artifactUpdate configuration
    skills capabilities description extensions x
";

fn names(protocol: Protocol) -> Vec<&'static str> {
    let names = match protocol {
        Protocol::Gemini => GEMINI,
        Protocol::Ollama => OLLAMA,
        Protocol::BedrockConverse => BEDROCK,
        Protocol::A2a | Protocol::A2aHttp => A2A,
        _ => NAMES,
    };
    names.split_whitespace().chain(["weird key"]).collect()
}

/// Values of `type`, `role` and `method` that change how the rest is read.
const WORDS: &str = "
    user assistant system tool text image audio document tool_use tool_result function_call
    function_call_output reasoning mcp_call mcp_list_tools image_generation_call code_interpreter_call
    message 2.0 tools/call tools/list resources/read initialize sampling/createMessage
    notifications/message content_block_delta content_block_start message_start message_delta message_stop
    response.output_text.delta response.output_text.done response.completed response.audio.delta
    response.function_call_arguments.delta error base64 2025-11-25 gpt-4o model ROLE_AGENT message/send
    SendMessage TASK_STATE_COMPLETED STOP abcdef
";

fn planted() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::from(NEEDLE)),
        Just(Value::from(format!("call_{NEEDLE}"))),
        Just(Value::from(format!("words {NEEDLE} words"))),
        Just(Value::from(format!("{{\"a\":\"{NEEDLE}\"}}"))),
        Just(Value::from(format!("{{\"a\":\"\\u0031{}\"", &NEEDLE[1..]))),
        Just(Value::from(format!("data:text/plain,{NEEDLE}"))),
        Just(Value::from(format!("2026-01-01T00:00:00Z{NEEDLE}"))),
    ]
}

fn document(protocol: Protocol) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        2 => planted(),
        4 => proptest::sample::select(WORDS.split_whitespace().collect::<Vec<_>>()).prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => (0_u32..5).prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 80, 5, move |inner| {
        let name = prop_oneof![
            12 => proptest::sample::select(names(protocol)).prop_map(str::to_owned),
            1 => Just(NEEDLE.to_owned()),
        ];
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => proptest::collection::vec((name, inner), 1..7)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A protocol, and a document made of its words.
fn spoken() -> impl Strategy<Value = (Protocol, Value)> {
    protocol().prop_flat_map(|protocol| (Just(protocol), document(protocol)))
}

fn protocol() -> impl Strategy<Value = Protocol> {
    proptest::sample::select(
        &[
            Protocol::OpenAiChat,
            Protocol::OpenAiCompletions,
            Protocol::OpenAiResponses,
            Protocol::OpenAiEmbeddings,
            Protocol::AnthropicMessages,
            Protocol::Gemini,
            Protocol::Ollama,
            Protocol::BedrockConverse,
            Protocol::BedrockInvoke,
            Protocol::A2a,
            Protocol::A2aHttp,
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
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_hides_in_a_body((protocol, document) in spoken(), answer in any::<bool>()) {
        let body = serde_json::to_vec(&document).unwrap();
        let limits = Limits::default();
        let read = if answer {
            read_response(protocol, "tools/call", &body, &limits)
        } else {
            read_request(protocol, &body, &limits)
        };
        // What servers could read differently is refused, and hides nothing.
        let Ok(message) = read else { return Ok(()) };
        let edited = apply(&body, &message, &edits(&message));
        let text = String::from_utf8(edited).unwrap();
        prop_assert!(!shows_needle(&text), "{:?} {}", protocol, text);
        prop_assert!(read_request(protocol, text.as_bytes(), &limits).is_ok(), "{}", text);
        prop_assert_eq!(apply(&body, &message, &[]), body);
    }

    #[test]
    fn nothing_hides_in_an_event((protocol, document) in spoken(), lines in any::<bool>()) {
        let framing = if lines { Framing::Lines } else { Framing::Sse };
        let raw = if lines { format!("{document}\n") } else { format!("event: message\ndata: {document}\n\n") };
        let limits = Limits::default();
        let event = EventStream::new(framing, &limits).push(raw.as_bytes()).unwrap().remove(0);
        // What clients could read differently is refused, and hides nothing.
        let Ok(item) = read_event(protocol, "tools/call", &event, &limits) else { return Ok(()) };
        let text = String::from_utf8(event.rewritten(&item, &edits(&item.message), &[])).unwrap();
        // A running text is searched by its reader with escapes resolved (they may be cut anywhere): not here.
        let visible = if item.pieces.is_empty() { shows_needle(&text) } else { text.contains(NEEDLE) };
        prop_assert!(!visible, "{:?} {}", protocol, text);
        let again = EventStream::new(framing, &limits).push(text.as_bytes()).unwrap().remove(0);
        prop_assert!(read_event(protocol, "tools/call", &again, &limits).is_ok(), "{}", text);
        prop_assert_eq!(event.rewritten(&item, &[], &[]), event.raw());
    }

    #[test]
    fn broken_bodies_break_nothing(
        (protocol, document) in spoken(),
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
        for event in EventStream::new(Framing::Sse, &limits).push(&[b"data: ", body.as_slice(), b"\n\n"].concat()).unwrap_or_default() {
            if let Ok(item) = read_event(protocol, "", &event, &limits) {
                prop_assert_eq!(event.rewritten(&item, &[], &[]), event.raw());
            }
        }
    }
}
