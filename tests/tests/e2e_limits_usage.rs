//! What every protocol's usage is counted as, whole and streamed, with cached tokens and reasoning: to the token. And what is made of
//! providers that report nothing, or nonsense.
use mesh_tests::limits::{base64, policy, settled};
use mesh_tests::{Mesh, Request, amazon_frame, by, chat};
use serde_json::{Value, json};

const JSON: &str = "application/json";
const SSE: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";
const FRAMES: &str = "application/vnd.amazon.eventstream";

/// Read, of that from a cache, of that to a cache, written, of that reasoning.
type Counts = (u64, u64, u64, u64, u64);

/// Under which name, where it is asked, with what; the answer's type and bytes; what it took.
struct Row(&'static str, String, Value, &'static str, Vec<u8>, Counts);

/// Events of a stream, each under the name that its `type` says.
fn sse(events: &[Value]) -> Vec<u8> {
    let event = |event: &Value| match event["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {event}\n\n"),
        None => format!("data: {event}\n\n"),
    };
    events.iter().map(event).collect::<String>().into_bytes()
}

fn done(mut stream: Vec<u8>) -> Vec<u8> {
    stream.extend(b"data: [DONE]\n\n");
    stream
}

fn lines(events: &[Value]) -> Vec<u8> {
    events.iter().map(|event| format!("{event}\n")).collect::<String>().into_bytes()
}

fn whole(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn streaming(mut body: Value) -> Value {
    body["stream"] = true.into();
    body
}

fn openai() -> Vec<Row> {
    let usage = json!({ "prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140,
        "prompt_tokens_details": { "cached_tokens": 60 }, "completion_tokens_details": { "reasoning_tokens": 25 } });
    let counts = (100, 60, 0, 40, 25);
    let text = json!({ "role": "assistant", "content": "two words" });
    let answer = json!({ "id": "c", "object": "chat.completion", "model": "gpt-4o", "usage": usage,
        "choices": [{ "index": 0, "message": text, "finish_reason": "stop" }] });
    let chunk = |choices: Value, usage: &Value| json!({ "id": "c", "object": "chat.completion.chunk", "choices": choices, "usage": usage });
    let delta = json!([{ "index": 0, "delta": { "content": "two words" }, "finish_reason": null }]);
    let end = json!([{ "index": 0, "delta": {}, "finish_reason": "stop" }]);
    let stream = done(sse(&[chunk(delta, &Value::Null), chunk(end, &Value::Null), chunk(json!([]), &usage)]));
    let mut rows = Vec::new();
    let azure = "/openai/deployments/gpt-4o";
    for (name, path) in [
        ("chat", "/v1/chat/completions".to_owned()),
        ("azure", format!("{azure}/chat/completions?api-version=2024-10-21")),
        ("azure-v1", "/openai/v1/chat/completions".to_owned()),
        ("grok", "/xai/v1/chat/completions".to_owned()),
    ] {
        rows.push(Row(name, path.clone(), chat("hello"), JSON, whole(&answer), counts));
        rows.push(Row(name, path, streaming(chat("hello")), SSE, stream.clone(), counts));
    }
    let completion = json!({ "object": "text_completion", "choices": [{ "index": 0, "text": "two words", "finish_reason": "stop" }],
        "usage": usage });
    let ask = json!({ "model": "gpt-3.5-turbo-instruct", "prompt": "hello" });
    let path = "/v1/completions".to_owned();
    rows.push(Row("completions", path.clone(), ask.clone(), JSON, whole(&completion), counts));
    let stream = done(sse(&[
        json!({ "object": "text_completion", "choices": [{ "index": 0, "text": "two words", "finish_reason": "stop" }], "usage": null }),
        json!({ "object": "text_completion", "choices": [], "usage": usage }),
    ]));
    rows.push(Row("completions", path, streaming(ask), SSE, stream, counts));

    let usage = json!({ "input_tokens": 100, "output_tokens": 40, "total_tokens": 140,
        "input_tokens_details": { "cached_tokens": 60 }, "output_tokens_details": { "reasoning_tokens": 25 } });
    let item = json!({ "type": "message", "id": "m", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": "two words", "annotations": [] }] });
    let response = |status: &str, output: Value, usage: &Value| json!({ "id": "r", "object": "response", "model": "gpt-4o", "status": status, "output": output, "usage": usage });
    let stream = sse(&[
        json!({ "type": "response.created", "response": response("in_progress", json!([]), &Value::Null) }),
        json!({ "type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0, "delta": "two words" }),
        json!({ "type": "response.completed", "response": response("completed", json!([item]), &usage) }),
    ]);
    let ask = json!({ "model": "gpt-4o", "input": "hello" });
    for (name, path) in [("responses", "/v1/responses"), ("azure-responses", "/openai/v1/responses")] {
        let answer = whole(&response("completed", json!([item]), &usage));
        rows.push(Row(name, path.into(), ask.clone(), JSON, answer, counts));
        rows.push(Row(name, path.into(), streaming(ask.clone()), SSE, stream.clone(), counts));
    }
    let vectors = json!({ "object": "list", "data": [{ "object": "embedding", "index": 0, "embedding": [0.5] }],
        "usage": { "prompt_tokens": 8, "total_tokens": 8 } });
    for (name, path) in [
        ("embeddings", "/v1/embeddings".to_owned()),
        ("azure-embeddings", format!("{azure}/embeddings?api-version=2024-10-21")),
    ] {
        let ask = json!({ "model": "text-embedding-3-small", "input": "hello" });
        rows.push(Row(name, path, ask, JSON, whole(&vectors), (8, 0, 0, 0, 0)));
    }
    rows
}

fn anthropic_answer() -> Value {
    json!({ "id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "stop_reason": "end_turn",
        "content": [{ "type": "text", "text": "two words" }], "usage": { "input_tokens": 30, "cache_read_input_tokens": 60,
        "cache_creation_input_tokens": 10, "output_tokens": 40 } })
}

fn anthropic_events() -> Vec<Value> {
    let begun = json!({ "input_tokens": 30, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 10, "output_tokens": 1 });
    vec![
        json!({ "type": "message_start", "message": { "id": "m", "type": "message", "role": "assistant", "content": [], "usage": begun } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "two words" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 40 } }),
        json!({ "type": "message_stop" }),
    ]
}

fn anthropic() -> Vec<Row> {
    let counts = (100, 60, 10, 40, 0);
    let ask = json!({ "model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{ "role": "user", "content": "hello" }] });
    let vertex = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5";
    let (answer, stream) = (whole(&anthropic_answer()), sse(&anthropic_events()));
    vec![
        Row("anthropic", "/v1/messages".into(), ask.clone(), JSON, answer.clone(), counts),
        Row("anthropic", "/v1/messages".into(), streaming(ask.clone()), SSE, stream.clone(), counts),
        Row("vertex-claude", format!("{vertex}:rawPredict"), ask.clone(), JSON, answer, counts),
        Row("vertex-claude", format!("{vertex}:streamRawPredict"), streaming(ask), SSE, stream, counts),
    ]
}

fn gemini() -> Vec<Row> {
    let ask = json!({ "contents": [{ "role": "user", "parts": [{ "text": "hello" }] }] });
    let part = |read: u64, written: u64, thoughts: u64| {
        json!({ "candidates": [{ "index": 0, "content": { "role": "model", "parts": [{ "text": "two words" }] } }],
            "usageMetadata": { "promptTokenCount": read, "candidatesTokenCount": written, "thoughtsTokenCount": thoughts,
            "cachedContentTokenCount": 60, "toolUsePromptTokenCount": 10, "totalTokenCount": read + 10 + written + thoughts } })
    };
    // Counts of a stream grow.
    let (first, last) = (part(90, 5, 25), part(90, 15, 25));
    let counts = (100, 60, 0, 40, 25);
    let mut rows = Vec::new();
    let vertex = "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash";
    for (name, path) in [("gemini", "/v1beta/models/gemini-2.5-flash"), ("vertex-gemini", vertex)] {
        let array = whole(&json!([first, last]));
        let events = sse(&[first.clone(), last.clone()]);
        rows.push(Row(name, format!("{path}:generateContent"), ask.clone(), JSON, whole(&last), counts));
        rows.push(Row(
            name,
            format!("{path}:streamGenerateContent?alt=sse"),
            ask.clone(),
            SSE,
            events,
            counts,
        ));
        rows.push(Row(name, format!("{path}:streamGenerateContent"), ask.clone(), JSON, array, counts));
    }
    rows
}

fn bedrock() -> Vec<Row> {
    let usage = json!({ "inputTokens": 30, "outputTokens": 40, "totalTokens": 140, "cacheReadInputTokens": 60, "cacheWriteInputTokens": 10 });
    let counts = (100, 60, 10, 40, 0);
    let ask = json!({ "messages": [{ "role": "user", "content": [{ "text": "hello" }] }] });
    let answer = json!({ "output": { "message": { "role": "assistant", "content": [{ "text": "two words" }] } },
        "stopReason": "end_turn", "usage": usage });
    let stream: Vec<u8> = [
        amazon_frame("messageStart", &json!({ "role": "assistant" })),
        amazon_frame(
            "contentBlockDelta",
            &json!({ "contentBlockIndex": 0, "delta": { "text": "two words" } }),
        ),
        amazon_frame("contentBlockStop", &json!({ "contentBlockIndex": 0 })),
        amazon_frame("messageStop", &json!({ "stopReason": "end_turn" })),
        amazon_frame("metadata", &json!({ "usage": usage, "metrics": { "latencyMs": 1 } })),
    ]
    .concat();
    let converse = "/model/anthropic.claude-sonnet-4-5/converse";
    let mut rows = vec![
        Row("converse", converse.into(), ask.clone(), JSON, whole(&answer), counts),
        Row("converse", format!("{converse}-stream"), ask, FRAMES, stream, counts),
    ];
    let chunk =
        |event: &Value| amazon_frame("chunk", &json!({ "bytes": base64(event.to_string().as_bytes()) }));
    let claude = json!({ "anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": [{ "role": "user", "content": "hello" }] });
    let invoke = "/model/anthropic.claude-sonnet-4-5/invoke";
    let stream = anthropic_events().iter().flat_map(chunk).collect();
    rows.push(Row("invoke-claude", invoke.into(), claude.clone(), JSON, whole(&anthropic_answer()), counts));
    rows.push(Row("invoke-claude", format!("{invoke}-with-response-stream"), claude, FRAMES, stream, counts));
    let invoke = "/model/meta.llama3-1-8b-instruct-v1:0/invoke";
    let (ask, counts) = (json!({ "prompt": "hello", "max_gen_len": 100 }), (7, 0, 0, 9, 0));
    let answer = json!({ "generation": "two words", "prompt_token_count": 7, "generation_token_count": 9, "stop_reason": "stop" });
    let metrics = json!({ "inputTokenCount": 7, "outputTokenCount": 9 });
    let stream = [
        chunk(&json!({ "generation": "two words", "stop_reason": null })),
        chunk(
            &json!({ "generation": "", "stop_reason": "stop", "amazon-bedrock-invocationMetrics": metrics }),
        ),
    ];
    rows.push(Row("invoke-llama", invoke.into(), ask.clone(), JSON, whole(&answer), counts));
    rows.push(Row(
        "invoke-llama",
        format!("{invoke}-with-response-stream"),
        ask,
        FRAMES,
        stream.concat(),
        counts,
    ));
    let titan = json!({ "inputTextTokenCount": 7, "results": [{ "tokenCount": 9, "outputText": "two words", "completionReason": "FINISH" }] });
    let ask = json!({ "inputText": "hello", "textGenerationConfig": { "maxTokenCount": 100 } });
    rows.push(Row(
        "invoke-titan",
        "/model/amazon.titan-text-express-v1/invoke".into(),
        ask,
        JSON,
        whole(&titan),
        counts,
    ));
    rows
}

fn ollama() -> Vec<Row> {
    let counts = (7, 0, 0, 9, 0);
    let said = |text: &str| json!({ "model": "llama3", "message": { "role": "assistant", "content": text }, "done": false });
    let mut last = said("");
    last["done"] = true.into();
    (last["prompt_eval_count"], last["eval_count"]) = (7.into(), 9.into());
    let mut answer = last.clone();
    answer["message"]["content"] = "two words".into();
    let mut ask = chat("hello");
    ask["model"] = "llama3".into();
    let quiet = |mut body: Value| {
        body["stream"] = false.into();
        body
    };
    let generated = |text: &str, last: bool| match last {
        false => json!({ "model": "llama3", "response": text, "done": false }),
        true => {
            json!({ "model": "llama3", "response": text, "done": true, "prompt_eval_count": 7, "eval_count": 9 })
        }
    };
    let prompt = json!({ "model": "llama3", "prompt": "hello" });
    let stream = lines(&[generated("two words", false), generated("", true)]);
    let vectors = json!({ "model": "llama3", "embeddings": [[0.5]], "prompt_eval_count": 8 });
    let embed = json!({ "model": "llama3", "input": "hello" });
    vec![
        Row("ollama", "/api/chat".into(), quiet(ask.clone()), JSON, whole(&answer), counts),
        Row("ollama", "/api/chat".into(), ask, LINES, lines(&[said("two words"), last]), counts),
        Row(
            "generate",
            "/api/generate".into(),
            quiet(prompt.clone()),
            JSON,
            whole(&generated("two words", true)),
            counts,
        ),
        Row("generate", "/api/generate".into(), prompt, LINES, stream, counts),
        Row("embed", "/api/embed".into(), embed, JSON, whole(&vectors), (8, 0, 0, 0, 0)),
    ]
}

fn answered(request: Request, content_type: &str, body: &[u8]) -> Request {
    request.header("x-mock-content-type", content_type).header("x-mock-body", &base64(body))
}

#[test]
fn what_providers_report_is_what_counts_to_the_token() {
    let mesh = Mesh::up(&policy("budgets", "rules: [ { rateLimit: { tokensPerDay: 100000 } } ]"), &[]);
    let rows: Vec<Row> =
        [openai(), anthropic(), gemini(), bedrock(), ollama()].into_iter().flatten().collect();
    assert!(rows.len() > 35, "{}", rows.len());
    let mut used = std::collections::BTreeMap::<&str, u64>::new();
    for Row(name, path, ask, content_type, body, expected) in rows {
        // In pieces as small as they come, too.
        for pieces in ["", "7"] {
            let request = answered(Request::post(&path, &ask), content_type, &body);
            let answer = mesh.send(&by(name, request.header("x-mock-chunk-bytes", pieces)));
            assert_eq!(answer.status, 200, "{name} {path}: {}", answer.text());
            let total = used.entry(name).or_default();
            *total += expected.0 + expected.3;
            assert_eq!(settled(&mesh, name, "tokens"), *total, "{name} {path}");
            let usage = &mesh.decision(answer.header("x-ai-mesh-decision-id"))["usage"];
            let count = |field: &str| usage[field].as_u64().unwrap_or(u64::MAX);
            let found = (
                count("input_tokens"),
                count("cached_tokens"),
                count("cache_write_tokens"),
                count("output_tokens"),
                count("reasoning_tokens"),
            );
            assert_eq!((found, &usage["estimated"]), (expected, &json!(false)), "{name} {path}: {usage}");
        }
    }
    who_reports_nothing_is_estimated(&mesh);
    nonsense_loses_nothing(&mesh);
}

/// Protocols and answers without usage.
fn who_reports_nothing_is_estimated(mesh: &Mesh) {
    let words = "alpha beta gamma delta epsilon zeta eta theta";
    let chat_answer = |usage: Value| {
        json!({ "id": "c", "object": "chat.completion", "usage": usage, "choices": [{ "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": words } }] })
    };
    let gemini = json!({ "content": { "parts": [{ "text": words }] } });
    let rows = [
        ("none", "/v1/chat/completions", chat("hello"), chat_answer(Value::Null), 8),
        (
            "zero",
            "/v1/chat/completions",
            chat("hello"),
            chat_answer(json!({ "prompt_tokens": 0, "completion_tokens": 0 })),
            8,
        ),
        (
            "negative",
            "/v1/chat/completions",
            chat("hello"),
            chat_answer(json!({ "prompt_tokens": -50, "completion_tokens": -50 })),
            8,
        ),
        (
            "words",
            "/v1/chat/completions",
            chat("hello"),
            chat_answer(json!({ "prompt_tokens": "many", "completion_tokens": [1] })),
            8,
        ),
        (
            "endless",
            "/v1/chat/completions",
            chat("hello"),
            chat_answer(json!({ "prompt_tokens": 1e300, "completion_tokens": 0.5 })),
            8,
        ),
        (
            "ollama-old",
            "/api/embeddings",
            json!({ "model": "llama3", "prompt": words }),
            json!({ "embedding": [0.5] }),
            8,
        ),
        (
            "gemini-embed",
            "/v1beta/models/text-embedding-004:embedContent",
            gemini,
            json!({ "embedding": { "values": [0.5] } }),
            8,
        ),
    ];
    for (name, path, ask, answer, least) in rows {
        let answer = mesh.send(&by(name, answered(Request::post(path, &ask), JSON, &whole(&answer))));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let used = settled(mesh, name, "tokens");
        assert!((least..least + 30).contains(&used), "{name}: {used}");
        let usage = &mesh.decision(answer.header("x-ai-mesh-decision-id"))["usage"];
        assert_eq!(usage["estimated"], true, "{name}: {usage}");
    }
}

/// Counts that no answer has: they count as they are said, within what an account can hold, and no sum turns over.
fn nonsense_loses_nothing(mesh: &Mesh) {
    let usage = json!({ "prompt_tokens": u64::MAX, "completion_tokens": u64::MAX, "completion_tokens_details": { "reasoning_tokens": u64::MAX },
        "prompt_tokens_details": { "cached_tokens": u64::MAX } });
    let body = whole(&json!({ "object": "chat.completion", "choices": [], "usage": usage }));
    let ask = || by("huge", answered(Request::post("/v1/chat/completions", &chat("hello")), JSON, &body));
    assert_eq!(mesh.send(&ask()).status, 200);
    assert!(settled(mesh, "huge", "tokens") >= 100_000);
    let refused = mesh.send(&ask());
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert_eq!(refused.header("x-ai-mesh-limit"), "budgets/tokensPerDay");
    // More read from a cache than was read at all, more reasoning than was written.
    let usage = json!({ "prompt_tokens": 5, "completion_tokens": 5, "completion_tokens_details": { "reasoning_tokens": 900 },
        "prompt_tokens_details": { "cached_tokens": 900 } });
    let body = whole(&json!({ "object": "chat.completion", "choices": [], "usage": usage }));
    let request = answered(Request::post("/v1/chat/completions", &chat("hello")), JSON, &body);
    assert_eq!(mesh.send(&by("parts", request)).status, 200);
    assert_eq!(settled(mesh, "parts", "tokens"), 10);
}
