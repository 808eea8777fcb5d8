//! Sends labelled rows through a real mesh, each as a chat message, as a tool's result in a chat, and as the result of an
//! MCP call, and writes what was found on the way: one line a row, in the order of all rows of all files.
//!
//! ```text
//! cargo xtask eval --through-envoy
//! eval_envoy OUT.jsonl FILE.jsonl...
//! ```
//!
//! Of a row of personal data, the bytes that were replaced and the names they were replaced by: `{"chat": [[0, 4, "US_SSN"]],
//! "tool": …, "mcp": …}`. Of a row of injection, at how many sensitivities it was refused: 3 at all, 1 at high alone. A row
//! that does not fit the way it would be sent is `null` there.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::Write;

use base64::{Engine, prelude::BASE64_STANDARD};
use mesh_detect::{DEFAULT_THRESHOLD, Detector, Finding, Kind, TypeSet};
use mesh_tests::{Mesh, Request};
use serde_json::{Value, json};

/// From the least sensitive: what is found at one is found at the next.
const SENSITIVITIES: [&str; 3] = ["high", "medium", "low"];
/// Around the name of what was replaced: characters that stand in no row.
const MARKS: [char; 2] = ['\u{e000}', '\u{e001}'];
/// The mock's answer travels in a header; Envoy takes 60 KiB of them.
const MAX_ANSWER: usize = 40 * 1024;

#[derive(Clone, Copy)]
enum Way {
    Chat,
    Tool,
    Mcp,
}

const WAYS: [(Way, &str); 3] = [(Way::Chat, "chat"), (Way::Tool, "tool"), (Way::Mcp, "mcp")];

/// One policy for each agent: the sensitivities, and one that replaces.
fn policies() -> String {
    let policy = |agent: &str, rule: String| {
        format!(
            "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: {agent} }}\nspec:\n  target: {{ agents: \
             [{agent}] }}\n  rules:\n  - {rule}\n"
        )
    };
    let [open, close] = MARKS;
    let mut all: Vec<String> = SENSITIVITIES
        .iter()
        .map(|name| policy(name, format!("injection: {{ action: block, sensitivity: {name} }}")))
        .collect();
    let replacement =
        format!("pii: {{ action: redact, types: [all], replacement: \"{open}{{type}}{close}\" }}");
    all.push(policy("replace", replacement));
    all.join("---\n")
}

fn request(way: Way, agent: &str, text: &str) -> Request {
    let user = |text: &str| json!({ "role": "user", "content": text });
    let request = match way {
        Way::Chat => {
            Request::post("/v1/chat/completions", &json!({ "model": "gpt-4o", "messages": [user(text)] }))
        }
        Way::Tool => {
            let result = json!({ "role": "tool", "tool_call_id": "c", "content": text });
            let messages = json!([user("Go on."), result]);
            Request::post("/v1/chat/completions", &json!({ "model": "gpt-4o", "messages": messages }))
        }
        Way::Mcp => {
            let params = json!({ "name": "search", "arguments": { "query": "it" } });
            let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
            Request::post("/mcp", &call)
                .header("accept", "application/json, text/event-stream")
                .header("x-mock-reply", &BASE64_STANDARD.encode(text))
        }
    };
    request.header("x-ai-mesh-agent", agent)
}

/// The JSON of an MCP answer, which may come as one event of a stream.
fn rpc(text: &str) -> Value {
    let json = text.lines().find_map(|line| line.strip_prefix("data:")).unwrap_or(text);
    serde_json::from_str(json.trim()).unwrap_or_default()
}

/// At how many sensitivities the text is refused.
fn refused(mesh: &Mesh, session: &str, way: Way, text: &str) -> usize {
    let is_refused = |agent: &&str| {
        let answer = mesh.send(&request(way, agent, text).header("mcp-session-id", session));
        // The head of a stream is sent before its text is seen: the refusal is an error in the stream.
        let in_stream = matches!(way, Way::Mcp) && rpc(&answer.text())["error"].is_object();
        let blocked = in_stream || answer.header("x-ai-mesh-decision") == "deny";
        assert!(
            blocked || answer.status == 200,
            "neither passed nor refused: {} {}",
            answer.status,
            answer.text()
        );
        blocked
    };
    SENSITIVITIES.iter().take_while(|agent| is_refused(agent)).count()
}

/// The text as it arrived, with what was found in it replaced.
fn arrived(mesh: &Mesh, session: &str, way: Way, text: &str) -> String {
    mesh.upstream.forget();
    let answer = mesh.send(&request(way, "replace", text).header("mcp-session-id", session));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Way::Mcp = way {
        return string(&rpc(&answer.text())["result"]["content"][0]["text"]);
    }
    let body: Value = serde_json::from_str(&mesh.upstream.last_body()).unwrap_or_default();
    string(&body["messages"].as_array().and_then(|all| all.last()).unwrap_or(&Value::Null)["content"])
}

/// Which bytes of `text` were replaced, and by which names. Where several readings are possible, the one that the detector
/// alone would give, if it is one of them, else the shortest.
fn replaced(detector: &Detector, text: &str, arrived: &str) -> Value {
    let [open, close] = MARKS;
    let mut native: Vec<Finding> = Vec::new();
    detector.pii(text, &TypeSet::all(), DEFAULT_THRESHOLD, None, &mut native);
    let mut rewritten = String::new();
    let mut last = 0;
    let mut spans = Vec::new();
    for finding in &native {
        let Kind::Entity(kind) = finding.kind else { continue };
        rewritten += &format!("{}{open}{}{close}", &text[last..finding.span.start], kind.as_str());
        last = finding.span.end;
        spans.push(json!([finding.span.start, finding.span.end, kind.as_str()]));
    }
    rewritten += &text[last..];
    if rewritten == arrived {
        return spans.into();
    }
    let mut pieces = arrived.split(open);
    let mut position = pieces.next().map_or(0, str::len);
    let mut spans = Vec::new();
    for piece in pieces {
        let (name, kept) = piece.split_once(close).unwrap_or((piece, ""));
        let rest = text.get(position..).unwrap_or_default();
        let length = if kept.is_empty() { rest.len() } else { rest.find(kept).unwrap_or(rest.len()) };
        spans.push(json!([position, position + length, name]));
        position += length + kept.len();
    }
    spans.into()
}

fn session(mesh: &Mesh) -> String {
    let client = json!({ "name": "eval", "version": "1" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
    let request = Request::post("/mcp", &hello).header("accept", "application/json, text/event-stream");
    mesh.send(&request).header("mcp-session-id").to_owned()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().expect("the file to write");
    let mut out = std::io::BufWriter::new(std::fs::File::create(out).unwrap());
    let mesh = Mesh::up(&policies(), &[]);
    let session = session(&mesh);
    let detector = Detector::new();
    for file in arguments {
        let lines = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        for (number, line) in lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let row: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{file}:{}: {error}", number + 1));
            let text = row["text"].as_str().unwrap_or_default();
            let mut said = json!({});
            for (way, name) in WAYS {
                said[name] = match (way, row.get("spans")) {
                    (Way::Mcp, _) if text.len() > MAX_ANSWER => Value::Null,
                    (_, Some(_)) => replaced(&detector, text, &arrived(&mesh, &session, way, text)),
                    (_, None) => refused(&mesh, &session, way, text).into(),
                };
            }
            writeln!(out, "{said}").unwrap();
            if number % 500 == 499 {
                eprintln!("{file}: {} rows", number + 1);
            }
        }
    }
    out.flush().unwrap();
}
