//! Limits counted by a rate limit service that is not the control plane, and knows nothing of it.
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use mesh_tests::limits::policy;
use mesh_tests::{Mesh, Request, by, chat, eventually, tool};
use serde_json::{Value, json};

/// The service, in Python and on Envoy's published messages: `tests/clients/python/rate_limits.py`.
struct Foreign {
    process: Child,
    url: String,
    asked: Receiver<Value>,
    _stays_open: ChildStdin,
}

impl Foreign {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/rate_limits.py");
        let mut process = Command::new(tool("AI_MESH_PYTHON"))
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tests' Python");
        let (stdin, stdout) = (process.stdin.take().expect("a pipe"), process.stdout.take().expect("a pipe"));
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let first = lines.next().and_then(|line| serde_json::from_str::<Value>(&line).ok());
        let port = first.and_then(|said| said["port"].as_u64()).expect("it says its port");
        let (tell, asked) = channel();
        std::thread::spawn(move || {
            for line in lines {
                let _ = tell.send(serde_json::from_str(&line).expect("JSON"));
            }
        });
        Foreign { process, url: format!("http://127.0.0.1:{port}"), asked, _stays_open: stdin }
    }

    /// What it is asked next.
    fn asked(&self) -> Value {
        self.asked.recv_timeout(Duration::from_secs(20)).expect("it is asked")
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.end();
    }
}

fn rule(agent: &str, spec: &str) -> String {
    policy(agent, &format!("target: {{ agents: [{agent}] }}, {spec}"))
}

#[test]
fn any_rate_limit_service_can_count() {
    let mut foreign = Foreign::start();
    let policies = rule("counted", "rules: [ { rateLimit: { requestsPerMinute: 40, requestsPerDay: 30 } } ]")
        + &rule("silent", "rules: [ { rateLimit: { requestsPerDay: 1 } } ]")
        + &rule("bounded", "rules: [ { rateLimit: { tokensPerDay: 3000, mode: strict } } ]")
        + &rule("estimated", "rules: [ { rateLimit: { tokensPerDay: 1000000 } } ]")
        + &rule("dear", "rules: [ { rateLimit: { costPerMonth: 50 } } ]")
        + &rule("many", "rules: [ { rateLimit: { maxConcurrent: 5 } } ]")
        + &rule("open", "failureMode: open, rules: [ { rateLimit: { requestsPerDay: 9 } } ]");
    let mesh = Mesh::up(&policies, &["--rate-limits", &foreign.url]);
    let ask = |agent: &str| mesh.send(&by(agent, Request::post("/v1/chat/completions", &chat("hello"))));

    // By entries that are the same each time, each limit in its own unit; the sidecars' token stays at home. A worker that asks so
    // often would be lent something by the control plane: this service it asks each time.
    let statuses: Vec<u16> = (0..30).map(|_| ask("counted").status).collect();
    assert_eq!(statuses, [200; 30]);
    for _ in 0..30 {
        let asked = foreign.asked();
        assert_eq!(asked["domain"], "ai-mesh");
        let each = |name: &str, limit: u64, unit: &str| {
            let entries = [["policy", "counted"], ["rule", "0"], ["limit", name], ["key", "agent:counted"]];
            json!({ "entries": entries, "limit": limit, "unit": unit, "hits": 1 })
        };
        let both = [each("requestsPerMinute", 40, "MINUTE"), each("requestsPerDay", 30, "DAY")];
        assert_eq!(asked["descriptors"], json!(both));
        let metadata = asked["metadata"].to_string();
        assert!(!metadata.contains("authorization") && !metadata.contains("ai-mesh"), "{metadata}");
    }
    let refused = ask("counted");
    assert_eq!(
        (refused.status, refused.header("x-ai-mesh-limit")),
        (429, "counted/requestsPerDay"),
        "{}",
        refused.text()
    );
    let wait: u64 = refused.header("retry-after").parse().expect("retry-after in seconds");
    assert!((1..=86_401).contains(&wait), "{wait}");
    foreign.asked();

    // One that says nothing but its verdict is believed.
    let answers = [ask("silent"), ask("silent")];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 429]);
    assert_eq!(
        (answers[1].header("x-ai-mesh-limit"), answers[1].header("retry-after")),
        ("silent/requestsPerDay", "60")
    );
    foreign.asked();
    foreign.asked();

    // Tokens are asked for before they are spent: at most so many, and that is made true.
    let answers = [ask("bounded"), ask("bounded"), ask("bounded")];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 200, 429]);
    let most = chat("hello").to_string().len() as u64 + 1024;
    for _ in 0..3 {
        let asked = foreign.asked();
        assert_eq!(
            (&asked["descriptors"][0]["hits"], &asked["descriptors"][0]["unit"]),
            (&json!(most), &json!("DAY"))
        );
    }
    // What an answer took beyond its reservation is told afterwards; what it did not take cannot be.
    let usage = json!({ "prompt_tokens": 3000, "completion_tokens": 4000 });
    let body = json!({ "object": "chat.completion", "choices": [{ "index": 0, "finish_reason": "stop",
        "message": { "role": "assistant", "content": "hi" } }], "usage": usage });
    let long = Request::post("/v1/chat/completions", &chat("hello"))
        .header("x-mock-content-type", "application/json")
        .header("x-mock-body", &mesh_tests::limits::base64(body.to_string().as_bytes()));
    assert_eq!(mesh.send(&by("estimated", long)).status, 200);
    let hits = |asked: &Value| asked["descriptors"][0]["hits"].as_u64().expect("hits");
    let (reserved, beyond) = (foreign.asked(), foreign.asked());
    assert_eq!(hits(&reserved) + hits(&beyond), 7000, "{reserved} {beyond}");
    assert_eq!(reserved["descriptors"][0]["entries"], beyond["descriptors"][0]["entries"]);
    assert_eq!(ask("dear").status, 200);
    assert_eq!(foreign.asked()["descriptors"][0]["unit"], "MONTH");

    // It hears of no end: what goes on at a time it cannot count.
    let answer = ask("many");
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("x-ai-mesh-guards").contains("rateLimit=failed:concurrent"), "{answer:?}");

    foreign.end();
    let (closed, open) = eventually("it is gone", || {
        let answers = (ask("counted"), ask("open"));
        (answers.0.status != 429).then_some(answers)
    });
    assert_eq!((closed.status, open.status), (503, 200), "{} {}", closed.text(), open.text());
    for answer in [&closed, &open] {
        let guards = answer.header("x-ai-mesh-guards");
        assert!(guards.contains("rateLimit=failed:unreachable"), "{guards}");
    }
}
