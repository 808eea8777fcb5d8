//! Every way known to us of showing an inspector something else than the reader behind it sees (`tests/corpus/evasion`),
//! judged against those readers: Python's `json`, `JSON.parse`, `serde_json`, and the SDKs. In each case either the filter
//! refuses, or every reader sees just what was inspected, and the planted value reaches nobody.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mesh_tests::{Mesh, Request, tool};
use serde_json::{Value, json};

const POLICY: &str = r#"
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: protect }
spec:
  rules: [ { pii: { action: redact } } ]
"#;

const PLANTED: &str = "536-90-4399";
const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/evasion");

fn cases(name: &str) -> Vec<Value> {
    let path = format!("{}/corpus/evasion/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the corpus");
    text.lines().map(|line| serde_json::from_str(line).expect("a case")).collect()
}

fn word<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_default()
}

/// A case's body: as text, as Base64, or as texts to be repeated.
fn body(case: &Value) -> Vec<u8> {
    if let Some(text) = case["text"].as_str() {
        return text.as_bytes().to_vec();
    }
    if let Some(encoded) = case["base64"].as_str() {
        return STANDARD.decode(encoded).expect("Base64");
    }
    let parts = case["repeat"].as_array().expect("a case has a body");
    let part = |part: &Value| {
        word_of(part).repeat(part[1].as_u64().and_then(|times| usize::try_from(times).ok()).expect("times"))
    };
    parts.iter().map(part).collect::<String>().into_bytes()
}

fn word_of(part: &Value) -> &str {
    part[0].as_str().expect("a text to repeat")
}

/// Sends lines to a program, and gives what it answers to each.
fn ask(command: &mut Command, lines: &[Value]) -> Vec<Value> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the reader's language is there");
    let mut stdin = child.stdin.take().expect("a pipe");
    let sent: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let writer = std::thread::spawn(move || stdin.write_all(sent.as_bytes()).expect("the reader reads"));
    let answers = BufReader::new(child.stdout.take().expect("a pipe"))
        .lines()
        .map(|line| serde_json::from_str(&line.expect("UTF-8")).expect("an answer"))
        .collect::<Vec<Value>>();
    writer.join().expect("all lines were sent");
    assert!(child.wait().expect("an end").success());
    assert_eq!(answers.len(), lines.len());
    answers
}

/// What each reader makes of these bodies, by the reader's name.
fn readers(bodies: &[Vec<u8>]) -> Vec<(&'static str, Vec<Value>)> {
    let lines: Vec<Value> = bodies.iter().map(|body| json!({ "body": STANDARD.encode(body) })).collect();
    let mut python = Command::new(tool("AI_MESH_PYTHON"));
    let mut node = Command::new(tool("AI_MESH_NODE"));
    vec![
        ("Python", ask(python.args([&format!("{CLIENTS}/read.py"), PLANTED]), &lines)),
        ("Node", ask(node.args([&format!("{CLIENTS}/read.mjs"), PLANTED]), &lines)),
    ]
}

#[test]
fn a_reader_behind_the_filter_sees_what_was_inspected_or_nothing() {
    let mesh = Mesh::up(POLICY, &[]);
    let mut reached = Vec::new();
    let mut refused = 0;
    let cases = cases("requests");
    for case in &cases {
        for chunk in [None, Some(7)] {
            let body = body(case);
            if chunk.is_some() && body.len() > 10_000 {
                continue;
            }
            mesh.upstream.forget();
            let mut request = Request::bytes(word(case, "path"), word(case, "type"), &body);
            request.headers.retain(|(_, value)| !value.is_empty());
            request.chunk = chunk;
            if case["encoding"].is_string() {
                request = request.header("content-encoding", word(case, "encoding"));
            }
            let answer = mesh.send(&request);
            let name = format!("{} in pieces of {chunk:?}", word(case, "name"));
            assert_ne!(answer.status, 0, "{name}: no answer");
            match mesh.upstream.requests().pop() {
                None => {
                    assert!(answer.status >= 400 && !answer.body.is_empty(), "{name}: {answer:?}");
                    refused += 1;
                }
                Some(request) => {
                    let guards = answer.header("x-ai-mesh-guards").to_owned();
                    assert!(guards.contains("pii=ran"), "{name}: passed, and {guards}");
                    reached.push((name, word(&request, "body").as_bytes().to_vec()));
                }
            }
        }
    }
    assert!(refused > 40 && reached.len() > 40, "{refused} refused, {} passed", reached.len());
    let bodies: Vec<Vec<u8>> = reached.iter().map(|(_, body)| body.clone()).collect();
    let readers = readers(&bodies);
    for (index, (name, body)) in reached.iter().enumerate() {
        let ours: Option<Value> = serde_json::from_slice(body).ok();
        for (reader, answers) in &readers {
            let said = &answers[index];
            assert_eq!(said["holds"], json!(false), "{reader} reads the value in `{name}`");
            let theirs: Option<Value> =
                said["value"].as_str().map(|text| serde_json::from_str(text).unwrap());
            assert_eq!(theirs, ours, "{reader} and serde_json read `{name}` differently");
        }
    }
}

/// Answers each request with the case that its header `x-case` names.
fn answering(answers: Vec<Value>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let answers = answers.clone();
            std::thread::spawn(move || answer_one(connection, &answers));
        }
    });
    address
}

fn answer_one(mut connection: std::net::TcpStream, answers: &[Value]) {
    let mut reader = BufReader::new(connection.try_clone().expect("a connection"));
    let (mut number, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "x-case" => number = value.trim().parse::<usize>().ok(),
            "content-length" => length = value.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    let _ = reader.read_exact(&mut vec![0; length]);
    let Some(case) = number.and_then(|number| answers.get(number)) else { return };
    let body = body(case);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        word(case, "type"),
        body.len()
    );
    let _ = connection.write_all(head.as_bytes());
    // In small pieces, so that values come cut.
    for piece in body.chunks(5) {
        let _ = connection.write_all(piece);
    }
}

#[test]
fn a_client_is_never_handed_the_value() {
    let cases = cases("answers");
    let upstream = answering(cases.clone());
    let mesh = Mesh::up(
        POLICY,
        &[
            "--upstream",
            &format!("openai=http://{upstream}"),
            "--upstream",
            &format!("anthropic=http://{upstream}"),
        ],
    );
    let lines: Vec<Value> = cases
        .iter()
        .enumerate()
        .map(|(number, case)| json!({ "name": case["name"], "kind": case["kind"], "case": number }))
        .collect();
    let base = format!("http://{}", mesh.sidecar);
    let mut python = Command::new(tool("AI_MESH_PYTHON"));
    python.args([&format!("{CLIENTS}/sdk.py"), &base]).env("NO_PROXY", "127.0.0.1");
    let mut node = Command::new(tool("AI_MESH_NODE"));
    let modules = tool("AI_MESH_NODE_MODULES");
    node.args([&format!("{CLIENTS}/sdk.mjs"), &base]).arg(modules).env("NO_PROXY", "127.0.0.1");
    for (client, answers) in [("Python", ask(&mut python, &lines)), ("Node", ask(&mut node, &lines))] {
        let seen: Vec<Vec<u8>> = answers.iter().map(|answer| answer.to_string().into_bytes()).collect();
        let mut handed = 0;
        for (reader, found) in readers(&seen) {
            for (case, (found, answer)) in cases.iter().zip(found.iter().zip(&answers)) {
                let name = format!("{} ({})", word(case, "name"), word(case, "kind"));
                assert_eq!(found["holds"], json!(false), "{client} hands out `{name}` ({reader}): {answer}");
                handed += usize::from(answer["seen"].to_string().contains("[REDACTED]"));
            }
        }
        assert!(handed > 20, "{client}: redacted texts arrive, {handed}");
    }
}
