//! `mode: strict`: what a request may take is known before it is sent, and made true; or it is refused.
use mesh_tests::limits::{base64, metric, policy, settled};
use mesh_tests::{Mesh, Request, by, chat, chat_stream, eventually};
use serde_json::{Value, json};

const STRICT: &str = "rules: [ { rateLimit: { tokensPerDay: 1000000, mode: strict } } ]";

/// Where, what is sent without a bound, and where one is found by the provider.
fn unbounded() -> Vec<(&'static str, Value, &'static str)> {
    let hello = || chat("hello");
    let model = |model: &str| {
        let mut body = hello();
        body["model"] = model.into();
        body
    };
    let parts = json!({ "contents": [{ "role": "user", "parts": [{ "text": "hello" }] }] });
    let blocks = json!({ "messages": [{ "role": "user", "content": [{ "text": "hello" }] }] });
    let prompt = |name: &str| json!({ name: "hello" });
    vec![
        ("/v1/chat/completions", hello(), "/max_tokens"),
        ("/v1/chat/completions", chat_stream("hello"), "/max_tokens"),
        ("/v1/chat/completions", model("o3-mini"), "/max_completion_tokens"),
        ("/v1/chat/completions", model("gpt-5"), "/max_completion_tokens"),
        ("/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", hello(), "/max_tokens"),
        ("/v1/completions", json!({ "model": "gpt-3.5-turbo-instruct", "prompt": "hello" }), "/max_tokens"),
        ("/v1/responses", json!({ "model": "gpt-4o", "input": "hello" }), "/max_output_tokens"),
        (
            "/v1/responses",
            json!({ "model": "gpt-4o", "input": "hello", "stream": true }),
            "/max_output_tokens",
        ),
        ("/v1/messages", model("claude-sonnet-4-5"), "/max_tokens"),
        (
            "/v1beta/models/gemini-2.5-flash:generateContent",
            parts.clone(),
            "/generationConfig/maxOutputTokens",
        ),
        (
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
            parts,
            "/generationConfig/maxOutputTokens",
        ),
        ("/model/anthropic.claude-sonnet-4-5/converse", blocks.clone(), "/inferenceConfig/maxTokens"),
        ("/model/anthropic.claude-sonnet-4-5/converse-stream", blocks, "/inferenceConfig/maxTokens"),
        ("/model/meta.llama3-1-8b-instruct-v1:0/invoke", prompt("prompt"), "/max_gen_len"),
        (
            "/model/amazon.titan-text-express-v1/invoke",
            prompt("inputText"),
            "/textGenerationConfig/maxTokenCount",
        ),
        ("/api/chat", model("llama3"), "/options/num_predict"),
        ("/api/generate", json!({ "model": "llama3", "prompt": "hello" }), "/options/num_predict"),
    ]
}

#[test]
fn a_strict_limit_bounds_what_sets_no_bound() {
    let policies = policy("strict", STRICT)
        + &policy(
            "masked",
            "target: { agents: [masked] }, rules: [ { pii: { types: [email], action: redact } } ]",
        );
    let mesh = Mesh::up(&policies, &[]);
    for (number, (path, body, place)) in unbounded().into_iter().enumerate() {
        let agent = format!("one-{number}");
        let answer = mesh.send(&by(&agent, Request::post(path, &body)));
        // What the mock itself makes of it is not of interest, but for what is refused here.
        assert!(!answer.header("x-ai-mesh-guards").contains("failed"), "{path}: {answer:?}");
        assert_eq!(
            answer.header("x-ai-mesh-decision"),
            "allow_with_modifications",
            "{path}: {}",
            answer.text()
        );
        let mut sent: Value = serde_json::from_str(&mesh.upstream.last_body()).expect("JSON");
        assert_eq!(sent.pointer(place), Some(&json!(1024)), "{path}: {sent}");
        // Nothing else is there, but for the usage that is asked for on streams.
        let outer = place.split('/').nth(1).expect("a name");
        let object = sent.as_object_mut().expect("an object");
        object.remove(outer);
        object.remove("stream_options");
        assert_eq!(sent, body, "{path}");
        let record = mesh.decision(answer.header("x-ai-mesh-decision-id"));
        assert!(record["warnings"].to_string().contains("1024 tokens"), "{record}");
    }
    // What has a bound, and what writes nothing, goes on as it is.
    let mut bounded = chat("hello");
    bounded["max_tokens"] = 50.into();
    let embed = json!({ "model": "text-embedding-3-small", "input": "hello" });
    for (path, body) in [("/v1/chat/completions", bounded), ("/v1/embeddings", embed)] {
        let answer = mesh.send(&by("two", Request::post(path, &body)));
        assert_eq!((answer.status, answer.header("x-ai-mesh-decision")), (200, "allow"), "{path}");
        assert_eq!(mesh.upstream.last_body(), body.to_string(), "{path}: every byte");
    }
    // With another edit, both stand in what is sent.
    let answer =
        mesh.send(&by("masked", Request::post("/v1/chat/completions", &chat("write to ann@example.com"))));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = mesh.upstream.last_body();
    assert!(sent.contains("\"max_tokens\":1024") && !sent.contains("ann@example.com"), "{sent}");
}

/// Who, where and with what; and what the guard says that it could not know.
#[test]
fn what_has_no_upper_bound_is_refused_unless_the_policy_is_open() {
    let rule =
        |agent: &str, more: &str| policy(agent, &format!("target: {{ agents: [{agent}] }}, {more} {STRICT}"));
    let policies =
        rule("closed", "") + &rule("open", "failureMode: open,") + &rule("seen", "enforcement: logging,");
    let mesh = Mesh::up(&policies, &[]);
    let image = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "https://x.example/a.png" } }] }] });
    let rows = [
        ("/v1/chat/completions", image, "media"),
        (
            "/v1/responses",
            json!({ "model": "gpt-4o", "input": "go on", "previous_response_id": "resp_1" }),
            "elsewhere",
        ),
        (
            "/v1/responses",
            json!({ "model": "gpt-4o", "input": "a", "tools": [{ "type": "web_search" }] }),
            "elsewhere",
        ),
        ("/v1/images/generations", json!({ "model": "gpt-image-1", "prompt": "a cat" }), "protocol"),
        ("/completion", json!({ "prompt": "hello" }), "protocol"),
        ("/model/somebody.elses-model/invoke", json!({ "prompt": "hello", "max_tokens": 1 }), "protocol"),
        ("/v1/threads/t/runs", json!({ "assistant_id": "a", "max_completion_tokens": 1 }), "batch"),
        ("/v1/batches", json!({ "input_file_id": "f", "messages": [] }), "batch"),
        (
            "/v1/messages/batches",
            json!({ "requests": [{ "custom_id": "a", "params": { "model": "claude-sonnet-4-5", "messages": [] } }] }),
            "protocol",
        ),
        // A question to a model that looks like a call of a tool.
        (
            "/v2/chat",
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "t" }, "model": "m", "messages": [] }),
            "protocol",
        ),
    ];
    for (path, body, why) in rows {
        let ask = |agent: &str| mesh.send(&by(agent, Request::post(path, &body)));
        let failed = format!("rateLimit=failed:{why}");
        let closed = ask("closed");
        // In the shape of its protocol: an error of JSON-RPC is an answer like any other to HTTP.
        let (status, code) = if body.get("jsonrpc").is_some() { (200, "\"code\":-32006") } else { (503, "") };
        assert_eq!(
            (closed.status, closed.header("x-ai-mesh-decision")),
            (status, "deny"),
            "{path}: {}",
            closed.text()
        );
        assert!(closed.text().contains(code), "{path}: {}", closed.text());
        for answer in [closed, ask("open"), ask("seen")] {
            assert!(answer.header("x-ai-mesh-guards").contains(&failed), "{path} {failed}: {answer:?}");
        }
        let sent: Value = serde_json::from_str(&mesh.upstream.last_body()).expect("JSON");
        assert_eq!(sent, body, "{path}: a policy that only records changes nothing");
    }
    // Calls of tools, and what asks no model, are no matter of tokens.
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "echo", "arguments": {} } });
    let request = Request::post("/mcp", &call).header("accept", "application/json, text/event-stream");
    assert_eq!(mesh.send(&by("closed", request)).status, 200);
    assert_ne!(mesh.send(&by("closed", Request::post("/v1/other", &json!({ "a": 1 })))).status, 503);
}

/// A model that writes as much as it may, asked without any bound, by twenty at once: not a token over.
#[test]
fn nothing_is_spent_beyond_a_strict_limit() {
    let mesh = Mesh::up(
        &policy("exact", "rules: [ { rateLimit: { tokensPerDay: 20000, costPerDay: 5, mode: strict } } ]"),
        &[],
    );
    let spent: u64 = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..20_usize)
            .map(|client| {
                let mesh = &mesh;
                scope.spawn(move || (0..3).map(|round| ask_for_the_most(mesh, client + round)).sum::<u64>())
            })
            .collect();
        clients.into_iter().map(|client| client.join().expect("a client")).sum()
    });
    assert!((10_000..=20_000).contains(&spent), "{spent} of 20000");
    assert_eq!(settled(&mesh, "greedy", "tokens"), spent);
    assert_eq!(metric(&mesh, "ai_mesh_limit_over_admission_total"), 0);
}

/// Asks for several answers, none of which has a bound; each is as long as the bound that is written lets it be.
fn ask_for_the_most(mesh: &Mesh, number: usize) -> u64 {
    let count = [1, 2, 4][number % 3];
    let mut body = chat("tell me all");
    body["n"] = count.into();
    let written = 1024 * count;
    let answer = json!({ "object": "chat.completion", "choices": [{ "index": 0, "finish_reason": "length",
        "message": { "role": "assistant", "content": "on and on" } }],
        "usage": { "prompt_tokens": 10, "completion_tokens": written } });
    let request = Request::post("/v1/chat/completions", &body)
        .header("x-mock-content-type", "application/json")
        .header("x-mock-body", &base64(answer.to_string().as_bytes()));
    match mesh.send(&by("greedy", request)).status {
        200 => 10 + written,
        429 => 0,
        status => panic!("{status}"),
    }
}

/// Answers that are fetched later: what was reserved counts, and without a bound they are refused.
#[test]
fn answers_in_the_background_count_as_what_they_may_take() {
    let mesh = Mesh::up(
        &(policy(
            "estimated",
            "target: { agents: [estimated] }, rules: [ { rateLimit: { tokensPerDay: 100000 } } ]",
        ) + &policy("strict", &format!("target: {{ agents: [strict] }}, {STRICT}"))),
        &[],
    );
    let ask = |agent: &str, bound: Option<u64>| {
        let mut body = json!({ "model": "gpt-4o", "input": "think", "background": true });
        if let Some(bound) = bound {
            body["max_output_tokens"] = bound.into();
        }
        let queued = json!({ "id": "resp_1", "object": "response", "status": "queued", "background": true, "output": [], "usage": null });
        let request = Request::post("/v1/responses", &body)
            .header("x-mock-content-type", "application/json")
            .header("x-mock-body", &base64(queued.to_string().as_bytes()));
        mesh.send(&by(agent, request))
    };
    let refused = ask("estimated", None);
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("x-ai-mesh-guards").contains("rateLimit=failed:background"), "{refused:?}");
    assert_eq!(ask("estimated", Some(5000)).status, 200);
    let used = settled(&mesh, "estimated", "tokens");
    assert!((5001..5100).contains(&used), "{used}");
    assert_eq!(ask("strict", None).status, 200);
    let used = settled(&mesh, "strict", "tokens");
    assert!((1025..1300).contains(&used), "{used}");
}

/// What is not told to the end counts as all that was reserved: leaving early is no way to pay less.
#[test]
fn what_is_not_reported_counts_as_reserved_under_a_strict_limit() {
    let mesh = Mesh::up(&policy("strict", STRICT), &[]);
    let reply = base64("word ".repeat(300).as_bytes());
    let ask = |body: Value| Request::post("/v1/chat/completions", &body).header("x-mock-reply", &reply);
    let reserved = |body: &Value| body.to_string().len() as u64 + 1024;
    let (whole, stream) = (chat("hello"), chat_stream("hello"));

    // A stream that breaks off, and one whose client leaves.
    let broken = ask(stream.clone()).header("x-mock-abort-after", "900");
    assert!(!mesh.send(&by("broken", broken)).complete);
    assert_eq!(settled(&mesh, "broken", "tokens"), reserved(&stream));
    let slow = ask(stream.clone()).header("x-mock-delay-ms", "30").header("x-mock-chunk-bytes", "400");
    mesh_tests::send_and_leave(mesh.sidecar, &by("leaving", slow));
    let used = eventually("it is counted", || Some(settled(&mesh, "leaving", "tokens")).filter(|n| *n > 0));
    assert_eq!(used, reserved(&stream));
    // A whole answer that breaks off, and one without usage.
    mesh.send(&by("cut", ask(whole.clone()).header("x-mock-abort-after", "20")));
    assert_eq!(settled(&mesh, "cut", "tokens"), reserved(&whole));
    let silent = json!({ "object": "chat.completion", "choices": [] }).to_string();
    let request = ask(whole.clone()).header("x-mock-content-type", "application/json");
    mesh.send(&by("silent", request.header("x-mock-body", &base64(silent.as_bytes()))));
    assert_eq!(settled(&mesh, "silent", "tokens"), reserved(&whole));
    // The provider's own refusal costs nothing.
    mesh.send(&by("failing", ask(whole).header("x-mock-status", "500")));
    assert_eq!(settled(&mesh, "failing", "tokens"), 0);
}
