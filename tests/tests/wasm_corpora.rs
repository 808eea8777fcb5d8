//! Invariant 5: the same corpus gives the same decisions natively and in the compiled module.
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use base64::{Engine, prelude::BASE64_STANDARD};
use mesh_detect::{Detector, EntityType};
use mesh_engine::{Program, RequestHead, SampleRequest, compile, dry_run};
use mesh_policy::{Bundle, BundlePolicy, Settings};
use mesh_tests::{Mesh, Request, chat, chat_stream};
use serde_json::{Value, json};

/// Every type is asked for, and shows in what replaces it.
fn policy() -> String {
    let types = EntityType::names().join(", ");
    format!(
        "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: corpora }}\nspec:\n  rules:\n  \
         - pii: {{ action: redact, types: [{types}], replacement: \"<{{type}}>\" }}\n  - injection: {{ action: block }}\n"
    )
}

fn program(policy: &str) -> Rc<Program> {
    let parsed = mesh_policy::from_yaml(policy).expect("the policy is valid");
    let policies = parsed
        .into_iter()
        .map(|one| BundlePolicy { id: "corpora".into(), version: 1, policy: one.policy })
        .collect();
    let bundle = Bundle { version: "1".into(), policies, settings: Settings::default(), ..Bundle::default() };
    Rc::new(compile(&bundle, Rc::new(Detector::new())).expect("the policy compiles"))
}

/// A chat request in which `text` stands where `source` says.
fn request(source: &str, text: &str) -> Value {
    let mut messages = vec![json!({ "role": "user", "content": "Go on." })];
    let mut tools = json!([]);
    match source {
        "system" => messages.insert(0, json!({ "role": "system", "content": text })),
        "assistant" => messages.insert(0, json!({ "role": "assistant", "content": text })),
        "tool_result" | "document" => {
            messages.push(json!({ "role": "tool", "tool_call_id": "c", "content": text }));
        }
        "tool_arguments" => {
            let function = json!({ "name": "f", "arguments": json!({ "a": text }).to_string() });
            messages.push(json!({ "role": "assistant", "tool_calls": [
                { "id": "c", "type": "function", "function": function }] }));
        }
        "tool_definition" => {
            tools = json!([{ "type": "function", "function": { "name": "f", "description": text } }]);
        }
        _ => messages = vec![json!({ "role": "user", "content": text })],
    }
    let mut body = json!({ "model": "gpt-4o", "messages": messages });
    if tools != json!([]) {
        body["tools"] = tools;
    }
    body
}

fn rows() -> Vec<(String, Value)> {
    let mut rows = Vec::new();
    for corpus in ["pii", "injection"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(corpus);
        for entry in std::fs::read_dir(folder).expect("the corpus") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a corpus file");
            for (number, line) in text.lines().enumerate() {
                let row: Value = serde_json::from_str(line).expect("a row of JSON");
                let source = row["source"].as_str().unwrap_or("user");
                let place = format!("{}:{}", path.display(), number + 1);
                rows.push((place, request(source, row["text"].as_str().expect("a text"))));
            }
        }
    }
    assert!(rows.len() > 400, "the corpora are not where they should be");
    rows
}

#[test]
fn the_module_decides_as_the_engine_does_natively() {
    let policy = policy();
    let program = program(&policy);
    let mesh = Mesh::up(&policy, &[]);
    let mut outcomes: HashMap<u16, usize> = HashMap::new();
    let mut wrong = Vec::new();
    for (place, body) in rows() {
        let bytes = body.to_string().into_bytes();
        let head = RequestHead {
            method: "POST".into(),
            path: "/v1/chat/completions".into(),
            headers: vec![("content-type".into(), "application/json".into())],
            ..RequestHead::default()
        };
        let native =
            dry_run(&program, &SampleRequest { head, body: bytes.clone() }, 1_795_521_600_000_000_000);
        mesh.upstream.forget();
        let answer = mesh.send(&Request::post("/v1/chat/completions", &body));
        assert!(answer.complete, "{place}: the answer ends: {answer:?}");
        *outcomes.entry(answer.status).or_default() += 1;
        match native.refusal {
            Some((status, refusal)) => {
                let expected: Value = serde_json::from_slice(&refusal).expect("a refusal is JSON");
                if answer.status != status
                    || answer.json()["error"]["message"] != expected["error"]["message"]
                {
                    wrong.push(format!(
                        "{place}: natively {status} {expected}, here {} {}",
                        answer.status,
                        answer.text()
                    ));
                }
            }
            None => {
                let expected = native.rewritten.unwrap_or(bytes);
                let reached = mesh.upstream.last_body();
                if reached.as_bytes() != expected {
                    let expected = String::from_utf8_lossy(&expected);
                    wrong.push(format!("{place}: natively {expected}, here {} {reached}", answer.status));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(outcomes.len() > 1, "both outcomes occur: {outcomes:?}");
}

/// Answers of the corpus, whole and streamed: the engine natively is held to the same rows (engine/tests/output.rs).
#[test]
fn the_module_answers_as_the_engine_does_natively() {
    let policy = "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: { name: answers }\nspec:\n  rules:\n  \
                  - content: { links: { allow: [example.com, '*.example.com'] }, html: {} }\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/output/answers.jsonl");
    let text = std::fs::read_to_string(path).expect("the corpus");
    let mesh = Mesh::up(policy, &[]);
    let mut wrong = Vec::new();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).expect("a row of JSON");
        let said = row["text"].as_str().expect("a text");
        let expected = row["out"].as_str().unwrap_or(said);
        let asked = |body: &Value, pieces: &str| {
            let request = Request::post("/v1/chat/completions", body)
                .header("x-mock-reply", &BASE64_STANDARD.encode(said))
                .header("x-mock-chunk-bytes", pieces);
            mesh.send(&request)
        };
        let whole = asked(&chat("hello"), "4096").json()["choices"][0]["message"]["content"].clone();
        let streams = ["7", "4096"].map(|pieces| streamed(&asked(&chat_stream("hello"), pieces).text()));
        for (how, seen) in
            [("whole", whole.as_str().unwrap_or_default()), ("7", &streams[0]), ("4096", &streams[1])]
        {
            if seen != expected {
                wrong.push(format!("{}, {how}: expected {expected:?}, found {seen:?}", row["id"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} answers differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn streamed(events: &str) -> String {
    let data = events.lines().filter_map(|line| line.strip_prefix("data:"));
    let events = data.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok());
    events.filter_map(|event| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned())).collect()
}
