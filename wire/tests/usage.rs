//! Tokens: as each provider reports them, whole and streamed; asking for them; ending a stream at its bound.
use mesh_wire::{
    Ending, Event, EventStream, Framing, Limits, Protocol, Usage, asking_for_usage, read_event, read_request,
    read_response,
};
use serde_json::{Value, json};

fn usage(input: u64, cached: u64, cache_write: u64, output: u64, reasoning: u64) -> Option<Usage> {
    Some(Usage {
        input_tokens: input,
        cached_tokens: cached,
        cache_write_tokens: cache_write,
        output_tokens: output,
        reasoning_tokens: reasoning,
    })
}

#[test]
fn each_provider_reports_in_its_own_words() {
    let chat = json!({ "choices": [], "usage": { "prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140,
        "prompt_tokens_details": { "cached_tokens": 60 }, "completion_tokens_details": { "reasoning_tokens": 25 } } });
    let responses = json!({ "output": [], "usage": { "input_tokens": 100, "output_tokens": 40,
        "input_tokens_details": { "cached_tokens": 60 }, "output_tokens_details": { "reasoning_tokens": 25 } } });
    let anthropic = json!({ "type": "message", "content": [], "usage": { "input_tokens": 30, "output_tokens": 40,
        "cache_read_input_tokens": 60, "cache_creation_input_tokens": 10 } });
    let gemini = json!({ "candidates": [], "usageMetadata": { "promptTokenCount": 90, "candidatesTokenCount": 15,
        "thoughtsTokenCount": 25, "cachedContentTokenCount": 60, "toolUsePromptTokenCount": 10,
        "totalTokenCount": 140 } });
    let bedrock = json!({ "output": {}, "usage": { "inputTokens": 30, "outputTokens": 40, "totalTokens": 140,
        "cacheReadInputTokens": 60, "cacheWriteInputTokens": 10 } });
    let gateway = json!({ "choices": [], "usage": { "prompt_tokens": 100, "completion_tokens": 40,
        "cache_read_input_tokens": 60, "cache_creation_input_tokens": 10 } });
    let cases = [
        (Protocol::OpenAiChat, chat, usage(100, 60, 0, 40, 25)),
        (Protocol::OpenAiResponses, responses, usage(100, 60, 0, 40, 25)),
        (Protocol::AnthropicMessages, anthropic, usage(100, 60, 10, 40, 0)),
        (Protocol::Gemini, gemini, usage(100, 60, 0, 40, 25)),
        (Protocol::BedrockConverse, bedrock, usage(100, 60, 10, 40, 0)),
        (Protocol::OpenAiChat, gateway, usage(100, 60, 10, 40, 0)),
        (
            Protocol::Ollama,
            json!({ "response": "hi", "prompt_eval_count": 7, "eval_count": 9 }),
            usage(7, 0, 0, 9, 0),
        ),
        (
            Protocol::OpenAiEmbeddings,
            json!({ "data": [], "usage": { "prompt_tokens": 8, "total_tokens": 8 } }),
            usage(8, 0, 0, 0, 0),
        ),
        (
            Protocol::Ollama,
            json!({ "embeddings": [[0.5]], "total_duration": 14_143_917, "prompt_eval_count": 8 }),
            usage(8, 0, 0, 0, 0),
        ),
        // InvokeModel: the model's own words.
        (
            Protocol::BedrockInvoke,
            json!({ "generation": "hi", "prompt_token_count": 7, "generation_token_count": 9 }),
            usage(7, 0, 0, 9, 0),
        ),
        (
            Protocol::BedrockInvoke,
            json!({ "inputTextTokenCount": 7, "results": [{ "tokenCount": 4, "outputText": "a" }, { "tokenCount": 5 }] }),
            usage(7, 0, 0, 9, 0),
        ),
        (
            Protocol::BedrockInvoke,
            json!({ "outputText": "a", "index": 0, "totalOutputTextTokenCount": 9, "inputTextTokenCount": 7 }),
            usage(7, 0, 0, 9, 0),
        ),
        (
            Protocol::BedrockInvoke,
            json!({ "type": "message", "content": [], "usage": { "input_tokens": 30, "output_tokens": 40,
                "cache_read_input_tokens": 60 } }),
            usage(90, 60, 0, 40, 0),
        ),
        (
            Protocol::BedrockInvoke,
            json!({ "generation": "", "amazon-bedrock-invocationMetrics": { "inputTokenCount": 7, "outputTokenCount": 9 } }),
            usage(7, 0, 0, 9, 0),
        ),
        (
            Protocol::OpenAiChat,
            json!({ "choices": [], "x_groq": { "id": "r", "usage": { "prompt_tokens": 7, "completion_tokens": 9 } } }),
            usage(7, 0, 0, 9, 0),
        ),
        (
            Protocol::OpenAiChat,
            json!({ "choices": [{ "index": 0, "delta": {}, "usage": { "prompt_tokens": 7, "completion_tokens": 9 } }] }),
            usage(7, 0, 0, 9, 0),
        ),
        (
            Protocol::OpenAiChat,
            json!({ "choices": [], "usage": { "prompt_tokens": 7.0, "completion_tokens": 9.00 } }),
            usage(7, 0, 0, 9, 0),
        ),
        (Protocol::OpenAiChat, json!({ "choices": [], "usage": null }), None),
        (Protocol::Json, json!({ "usage": { "cpu": 3 } }), None),
        (Protocol::Mcp, json!({ "jsonrpc": "2.0", "id": 1, "usage": { "input_tokens": 3 } }), None),
        (
            Protocol::OpenAiChat,
            json!({ "choices": [], "usage": { "prompt_tokens": -5, "completion_tokens": 1.5 } }),
            None,
        ),
    ];
    for (protocol, body, expected) in cases {
        let message =
            read_response(protocol, "", body.to_string().as_bytes(), &Limits::default()).expect("it is read");
        assert_eq!(message.usage, expected, "{body}");
    }
}

fn sse(text: &[u8]) -> Vec<Event> {
    EventStream::new(Framing::Sse, &Limits::default()).push(text).expect("events")
}

fn streamed(protocol: Protocol, events: &[Value]) -> Option<Usage> {
    let text: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let events = sse(text.as_bytes());
    let read = events.iter().filter_map(|event| {
        read_event(protocol, "", event, &Limits::default()).expect("it is read").message.usage
    });
    read.reduce(Usage::merged)
}

#[test]
fn streams_report_bit_by_bit() {
    let chat = [
        json!({ "choices": [{ "index": 0, "delta": { "content": "a" } }], "usage": null }),
        json!({ "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 2 } }),
    ];
    assert_eq!(streamed(Protocol::OpenAiChat, &chat), usage(3, 0, 0, 2, 0));
    let anthropic = [
        json!({ "type": "message_start", "message": { "type": "message", "content": [], "usage": {
            "input_tokens": 5, "cache_read_input_tokens": 20, "output_tokens": 1 } } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "a" } }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 9 } }),
    ];
    assert_eq!(streamed(Protocol::AnthropicMessages, &anthropic), usage(25, 20, 0, 9, 0));
    let responses = [
        json!({ "type": "response.created", "response": { "id": "r", "output": [], "usage": null } }),
        json!({ "type": "response.completed", "response": { "output": [], "usage": {
            "input_tokens": 4, "output_tokens": 6, "output_tokens_details": { "reasoning_tokens": 2 } } } }),
    ];
    assert_eq!(streamed(Protocol::OpenAiResponses, &responses), usage(4, 0, 0, 6, 2));
    let gemini = [
        json!({ "candidates": [], "usageMetadata": { "promptTokenCount": 4, "candidatesTokenCount": 1 } }),
        json!({ "candidates": [], "usageMetadata": { "promptTokenCount": 4, "candidatesTokenCount": 8 } }),
    ];
    assert_eq!(streamed(Protocol::Gemini, &gemini), usage(4, 0, 0, 8, 0));
    let bedrock = [json!({ "metadata": { "usage": { "inputTokens": 4, "outputTokens": 8 } } })];
    assert_eq!(streamed(Protocol::BedrockConverse, &bedrock), usage(4, 0, 0, 8, 0));
}

#[test]
fn requests_bound_their_answers() {
    let cases = [
        (Protocol::OpenAiChat, json!({ "messages": [], "max_tokens": 50 }), Some(50)),
        (
            Protocol::OpenAiChat,
            json!({ "messages": [], "max_tokens": 9, "max_completion_tokens": 50, "n": 3 }),
            Some(150),
        ),
        (Protocol::OpenAiResponses, json!({ "input": "a", "max_output_tokens": 7 }), Some(7)),
        (Protocol::AnthropicMessages, json!({ "messages": [], "max_tokens": 7 }), Some(7)),
        (
            Protocol::AnthropicMessages,
            json!({ "requests": [{ "params": { "messages": [], "max_tokens": 7 } }, { "params": { "max_tokens": 8 } }] }),
            Some(15),
        ),
        (Protocol::BedrockInvoke, json!({ "prompt": "a", "max_gen_len": 7 }), Some(7)),
        (
            Protocol::BedrockInvoke,
            json!({ "inputText": "a", "textGenerationConfig": { "maxTokenCount": 7 } }),
            Some(7),
        ),
        (
            Protocol::Json,
            json!({ "generationConfig": { "maxOutputTokens": 7, "candidateCount": 2 } }),
            Some(14),
        ),
        (Protocol::Json, json!({ "inferenceConfig": { "maxTokens": 7 } }), Some(7)),
        (Protocol::Json, json!({ "options": { "num_predict": 7 } }), Some(7)),
        (Protocol::Json, json!({ "options": { "num_predict": -1 } }), None),
        (Protocol::OpenAiEmbeddings, json!({ "input": "a" }), Some(0)),
        (Protocol::OpenAiChat, json!({ "messages": [] }), None),
        (Protocol::OpenAiChat, json!({ "messages": [], "max_tokens": 2, "n": 1000 }), Some(2000)),
        (
            Protocol::OpenAiCompletions,
            json!({ "prompt": "a", "max_tokens": 2, "n": 9, "best_of": 1 }),
            Some(18),
        ),
        (
            Protocol::Gemini,
            json!({ "contents": [], "generation_config": { "max_output_tokens": 7 } }),
            Some(7),
        ),
        (Protocol::Ollama, json!({ "prompt": "a", "options": { "num_predict": 7 } }), Some(7)),
        // What the server does not read bounds nothing; of what it may read, the largest does.
        (Protocol::OpenAiChat, json!({ "messages": [], "max_tokens": 900, "max_gen_len": 1 }), Some(900)),
        (
            Protocol::OpenAiChat,
            json!({ "messages": [], "max_tokens": 900, "max_completion_tokens": 1 }),
            Some(900),
        ),
        (
            Protocol::AnthropicMessages,
            json!({ "messages": [], "max_completion_tokens": 1, "max_tokens": 900 }),
            Some(900),
        ),
        (Protocol::Ollama, json!({ "prompt": "a", "max_tokens": 1 }), None),
        (
            Protocol::Ollama,
            json!({ "prompt": "a", "options": { "num_predict": 1, "NUM_PREDICT": 900 } }),
            Some(900),
        ),
        (
            Protocol::Ollama,
            json!({ "prompt": "a", "options": { "num_predict": 1, "Num_Predict": -1 } }),
            None,
        ),
        (
            Protocol::Gemini,
            json!({ "contents": [], "max_tokens": 1, "generationConfig": { "maxOutputTokens": 900 } }),
            Some(900),
        ),
        (Protocol::BedrockConverse, json!({ "messages": [], "max_tokens": 1 }), None),
    ];
    for (protocol, body, bound) in cases {
        let message =
            read_request(protocol, body.to_string().as_bytes(), &Limits::default()).expect("it is read");
        assert_eq!(message.max_output, bound, "{body}");
    }
}

#[test]
fn usage_is_asked_for_without_touching_anything_else() {
    let cases = [
        (r#"{"stream":true}"#, Some(r#"{"stream_options":{"include_usage":true},"stream":true}"#)),
        ("  {}", Some(r#"  {"stream_options":{"include_usage":true}}"#)),
        (
            r#"{ "n": 1e2, "stream_options" : { "a":1 } }"#,
            Some(r#"{ "n": 1e2, "stream_options" : {"include_usage":true, "a":1 } }"#),
        ),
        (r#"{"stream_options":{}}"#, Some(r#"{"stream_options":{"include_usage":true}}"#)),
        (r#"{"stream_options":null,"x":1}"#, Some(r#"{"stream_options":{"include_usage":true},"x":1}"#)),
        (
            r#"{"stream_options":{"include_usage":false,"b":"é"}}"#,
            Some(r#"{"stream_options":{"include_usage":true,"b":"é"}}"#),
        ),
        (r#"{"stream_options":"odd"}"#, Some(r#"{"stream_options":{"include_usage":true}}"#)),
        (r#"{"stream_options":{"include_usage":true}}"#, None),
        ("[]", None),
        ("{", None),
    ];
    for (body, expected) in cases {
        let asking = asking_for_usage(body.as_bytes()).map(|body| String::from_utf8(body).expect("UTF-8"));
        assert_eq!(asking.as_deref(), expected, "{body}");
    }
}

fn ended(events: &str) -> Option<Vec<Value>> {
    let mut ending = Ending::default();
    for event in sse(events.as_bytes()) {
        ending.see(&event);
    }
    let text = ending.at_bound(12)?;
    let events = sse(&text);
    let data = events.iter().filter_map(|event| match event {
        Event::Sse(event) => event.data.as_deref(),
        _ => None,
    });
    Some(data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data))).collect())
}

#[test]
fn streams_end_as_at_their_bound() {
    let chunk = |index: u64, finish: Value| {
        let choice = json!({ "index": index, "delta": { "content": "a" }, "finish_reason": finish });
        format!(
            "data: {}\n\n",
            json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [choice], "usage": null })
        )
    };
    let chat = chunk(0, Value::Null) + &chunk(1, Value::Null) + &chunk(0, json!("stop"));
    let end = ended(&chat).expect("an end");
    assert_eq!(
        end,
        [
            json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{ "index": 1, "delta": {}, "logprobs": null, "finish_reason": "length" }] }),
            json!("[DONE]"),
        ]
    );
    let anthropic = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n\
        event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0}\n\n\
        event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
        event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1}\n\n";
    let end = ended(anthropic).expect("an end");
    let kinds: Vec<&str> = end.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds, ["content_block_stop", "message_delta", "message_stop"]);
    assert_eq!((&end[0]["index"], &end[1]["delta"]["stop_reason"]), (&json!(1), &json!("max_tokens")));
    assert_eq!(end[1]["usage"]["output_tokens"], 12);
    let responses = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\
        \"response\":{\"id\":\"r\",\"status\":\"in_progress\"}}\n\n\
        event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":4}\n\n";
    let end = ended(responses).expect("an end");
    assert_eq!(
        end,
        [json!({ "type": "response.incomplete", "sequence_number": 5, "response": { "id": "r",
            "status": "incomplete", "incomplete_details": { "reason": "max_output_tokens" } } })]
    );
    assert_eq!(ended("data: {\"candidates\":[]}\n\n"), None);
}
