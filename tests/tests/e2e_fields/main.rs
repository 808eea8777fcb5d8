//! Every field of the policy document changes a real response: a closed list, held against the schema. A field that is
//! added without a row here fails this test.
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_STANDARD};
use mesh_detect::{Detector, Sensitivity, Source};
use mesh_tests::{Answer, Judge, Mesh, Request, Says, chat};
use serde_json::{Value, json};

mod rows;

use rows::{Ask, ROWS, Row, WITHOUT};

/// Every field of the schema, by the kind of rule it stands in.
fn fields() -> BTreeSet<String> {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/policy.schema.json");
    let text = std::fs::read_to_string(schema).expect("the schema is there");
    let schema: Value = serde_json::from_str(&text).expect("the schema is JSON");
    let mut found = BTreeSet::new();
    let mut add = |prefix: &str, definition: &str| {
        let properties = schema["$defs"][definition]["properties"].as_object();
        let properties = properties.unwrap_or_else(|| panic!("{definition} has fields"));
        found.extend(properties.keys().map(|name| format!("{prefix}.{name}")));
    };
    add("spec", "Spec");
    add("target", "Target");
    add("access.conditions", "Conditions");
    add("pii.patterns", "CustomPattern");
    add("injection.judge", "JudgeRule");
    add("content.links", "LinksRule");
    add("content.html", "HtmlRule");
    add("content.canary", "CanaryRule");
    for rule in schema["$defs"]["Rule"]["oneOf"].as_array().expect("kinds of rules") {
        let (kind, body) = rule["properties"].as_object().unwrap().iter().next().expect("a kind");
        let definition = body["$ref"].as_str().and_then(|path| path.rsplit('/').next()).expect("a reference");
        add(kind, definition);
    }
    found
}

#[test]
fn every_field_has_a_row() {
    let listed: BTreeSet<String> = ROWS.iter().map(|row| row.0.to_owned()).collect();
    let without: BTreeSet<String> = WITHOUT.iter().map(|(field, _)| (*field).to_owned()).collect();
    let known: BTreeSet<String> = listed.union(&without).cloned().collect();
    let missing: Vec<_> = fields().difference(&known).cloned().collect();
    assert!(missing.is_empty(), "fields without a row that shows what they do: {missing:?}");
    let gone: Vec<_> = known.difference(&fields()).cloned().collect();
    assert!(gone.is_empty(), "rows of fields that are no more: {gone:?}");
    assert!(listed.is_disjoint(&without), "a field has a row and an excuse");
}

/// A range of hours that begins in two hours and ends in three.
fn later() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs() / 3600;
    format!("{:02}:00-{:02}:00 UTC", (now + 2) % 24, (now + 3) % 24)
}

/// A policy for one agent; a target that asks for attributes asks for the id too.
fn policy(name: &str, spec: &str) -> String {
    let spec = spec.replace("LATER", &later()).replace("judge: {", "judge: { deadlineMs: 10000,");
    let spec = match spec.strip_prefix("{ target: {") {
        Some(rest) => format!("{{ target: {{ agents: [{name}], {rest}"),
        None => spec.replacen('{', &format!("{{ target: {{ agents: [{name}] }}, "), 1),
    };
    format!(
        "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: {name} }}\nspec: {spec}\n---\n"
    )
}

/// A chat request that the upstream answers with this text.
fn answered(body: &Value, text: &str) -> Request {
    Request::post("/v1/chat/completions", body).header("x-mock-reply", &BASE64_STANDARD.encode(text))
}

/// A request whose answer repeats the system prompt as it reached the upstream.
fn repeating(mesh: &Mesh, agent: &str) -> Request {
    let mut body = chat("hello");
    let system = json!({ "role": "system", "content": "You are Ada." });
    body["messages"].as_array_mut().unwrap().insert(0, system);
    let asked = answered(&body, "hello").header("x-ai-mesh-agent", agent);
    mesh.upstream.forget();
    mesh.send(&asked);
    let reached: Value =
        serde_json::from_str(&mesh.upstream.last_body()).expect("the request reached the upstream");
    answered(&body, reached["messages"][0]["content"].as_str().unwrap())
}

fn request(mesh: &Mesh, agent: &str, ask: Ask) -> Request {
    let mut body = chat("hello");
    match ask {
        Ask::Hears(text) => return answered(&body, text),
        Ask::Repeats => return repeating(mesh, agent),
        Ask::Calls => {
            let call = json!({ "name": "echo", "arguments": { "text": "hello" } });
            return Request::post(
                "/mcp",
                &json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call }),
            );
        }
        Ask::Notes => {
            let asked = Request::post("/v1/chat/completions", &body);
            return asked.header("x-user-note", "of jane.roe@example.org");
        }
        Ask::Says(text) => body = chat(text),
        Ask::Doubtful => body = chat(&doubtful()),
        Ask::Tool => {
            body["tools"] =
                json!([{ "type": "function", "function": { "name": "transfer", "parameters": {} } }])
        }
        Ask::Sound => {
            let data = "//uQZAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAWGluZwAAAA8AAAACAAACcQ==";
            let sound = json!({ "type": "input_audio", "input_audio": { "data": data, "format": "mp3" } });
            body["messages"][0]["content"] = json!([sound]);
        }
        Ask::Parts => {
            let text = b"--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n";
            return Request::bytes("/v1/files", "multipart/mixed; boundary=x", text);
        }
    }
    Request::post("/v1/chat/completions", &body)
}

/// A text of the corpus that is an attack at the highest sensitivity alone.
fn doubtful() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/injection");
    let detector = Detector::new();
    let found = |text: &str, sensitivity| detector.injection(text, Source::User, sensitivity, None).is_some();
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the corpus").flatten().map(|file| file.path()).collect();
    files.sort();
    let lines = files.iter().flat_map(|file| {
        let text = std::fs::read_to_string(file).expect("a file of the corpus");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    let texts = lines.map(|line| {
        serde_json::from_str::<Value>(&line).expect("a row")["text"].as_str().unwrap_or_default().to_owned()
    });
    // A judge is asked from 0.3 on.
    let asked = |text: &str| {
        detector.injection_score(text, Source::User).is_some_and(|found| (0.32..0.48).contains(&found.score))
    };
    let mut texts =
        texts.filter(|text| asked(text) && found(text, Sensitivity::High) && !found(text, Sensitivity::Low));
    texts.next().expect("a text between the operating points")
}

#[test]
fn every_field_changes_a_response() {
    let mut documents = String::new();
    for (index, Row(_, _, (without, _), (with, _))) in ROWS.iter().enumerate() {
        documents += &policy(&format!("a{index}"), without);
        documents += &policy(&format!("b{index}"), with);
        documents += &format!(
            "apiVersion: ai-mesh.dev/v1alpha1\nkind: Agent\nmetadata: {{ name: b{index}, labels: {{ team: care }} }}\n\
             spec: {{ type: chatbot, complianceTier: high }}\n---\n"
        );
    }
    let judge = Judge::start(Says::Score(0.7));
    let mesh = Mesh::up(documents.trim_end_matches("---\n"), &["--judge", &judge.url()]);
    let mut wrong = Vec::new();
    for (index, Row(field, ask, (_, without), (_, with))) in ROWS.iter().enumerate() {
        for (agent, expected) in [(format!("a{index}"), without), (format!("b{index}"), with)] {
            let send = |user: &str| -> Answer {
                mesh.send(
                    &request(&mesh, &agent, *ask)
                        .header("x-ai-mesh-agent", &agent)
                        .header("x-ai-mesh-user", user),
                )
            };
            send("one");
            mesh.upstream.forget();
            let answer = send("two");
            let mut words = expected.splitn(3, ' ');
            let status = words.next().unwrap_or_default();
            let decision = words.next().unwrap_or_default();
            let text = words.next().unwrap_or_default();
            let (text, seen) = match text.strip_prefix("| ") {
                Some(text) => (text, answer.json()["choices"][0]["message"]["content"].to_string()),
                None if answer.status == 200 => (text, mesh.upstream.last_body()),
                None => (text, String::new()),
            };
            let found = (answer.status.to_string(), answer.header("x-ai-mesh-decision").to_owned());
            if found.0 != status || found.1 != decision || !seen.contains(text) {
                wrong.push(format!("{field}, {agent}: expected {expected}, found {found:?} {seen}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
