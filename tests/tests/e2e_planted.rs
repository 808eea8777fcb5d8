//! Invariant 6: after every planted value of the corpus has gone through the mesh, nothing that the mesh wrote down holds one:
//! no log, no metric, no record, no file, no error to the caller.
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use mesh_tests::{Mesh, Request, chat, exchange};
use serde_json::Value;

/// The values, and the texts that they are planted in.
fn planted() -> Vec<(String, BTreeSet<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/pii");
    let mut rows = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a corpus file");
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).expect("a row of JSON");
            let found = row["find"].as_array().expect("what is found");
            let values = found.iter().filter_map(|one| one[1].as_str()).filter(|value| telling(value));
            rows.push((
                row["text"].as_str().expect("a text").to_owned(),
                values.map(str::to_owned).collect(),
            ));
        }
    }
    rows
}

/// Whether a value stands for itself wherever it is found: not a short number that a counter may reach, nor an address of
/// this machine, on which the mesh listens.
fn telling(value: &str) -> bool {
    let number = value.bytes().all(|b| b.is_ascii_digit());
    value.len() >= if number { 10 } else { 7 } && !value.contains("127.0.0.1")
}

/// Everything under a folder, byte for byte.
fn read_all(folder: &Path, into: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("the data directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_all(&path, into);
        } else if let Ok(bytes) = std::fs::read(&path) {
            into.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

/// Which of the values stand in a text, in one pass: by their first four bytes.
fn standing<'a>(values: &BTreeSet<&'a str>, text: &str) -> BTreeSet<&'a str> {
    let mut by_head: HashMap<&[u8], Vec<&'a str>> = HashMap::new();
    for value in values {
        by_head.entry(&value.as_bytes()[..4]).or_default().push(value);
    }
    let text = text.as_bytes();
    let at = |i: usize| {
        by_head
            .get(&text[i..i + 4])
            .into_iter()
            .flatten()
            .filter(move |v| text[i..].starts_with(v.as_bytes()))
    };
    (0..text.len().saturating_sub(3)).flat_map(at).copied().collect()
}

#[test]
fn nothing_that_the_mesh_writes_holds_a_planted_value() {
    let rows = planted();
    // Of the address only this is planted: what else looks like a value in it depends on words around it.
    let paths = ["536-90-4399", "ada.lovelace@path.example"];
    let values: BTreeSet<&str> =
        rows.iter().flat_map(|(_, values)| values.iter().map(String::as_str)).chain(paths).collect();
    assert!(values.len() > 400, "the corpus is not where it should be");
    let policy = |action: &str| {
        format!(
            "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: planted }}\nspec:\n  rules:\n  \
             - pii: {{ action: {action} }}\n  - injection: {{ action: log }}\n"
        )
    };
    let mesh = Mesh::up(&policy("redact"), &[]);
    // The filter says all that it can say.
    let louder = exchange(mesh.admin, &Request::post("/logging?wasm=trace", &Value::Null));
    assert_eq!(louder.status, 200, "{}", louder.text());
    let mut wrong = Vec::new();
    for (round, action) in ["redact", "tokenize", "block", "log"].into_iter().enumerate() {
        if round > 0 {
            let applied = mesh.apply(&policy(action));
            assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        }
        let mut last = String::new();
        let mut refused = 0;
        for (text, values) in &rows {
            let answer = mesh.send(&Request::post("/v1/chat/completions", &chat(text)));
            // What the caller is told, apart from what the upstream said.
            if answer.status >= 400 {
                refused += 1;
                let told = format!("{:?}\n{}", answer.headers, answer.text());
                wrong.extend(values.iter().filter(|v| told.contains(*v)).map(|v| format!("a refusal: {v}")));
            }
            answer.header("x-ai-mesh-decision-id").clone_into(&mut last);
        }
        for value in paths {
            let answer = mesh.send(&Request::post(&format!("/v1/files/{value}"), &chat("hello")));
            assert_eq!(answer.status == 403, action != "log", "{action}: {}", answer.text());
            answer.header("x-ai-mesh-decision-id").clone_into(&mut last);
        }
        assert_eq!(refused > rows.len() / 2, action == "block", "{action}: {refused} are refused");
        let _ = mesh.decision(&last);
    }
    let mut written = Vec::new();
    read_all(mesh.data(), &mut written);
    for (name, part) in mesh.parts.iter().enumerate() {
        written.push((format!("the output of part {name}"), part.said()));
    }
    for path in ["/stats", "/stats/prometheus", "/config_dump", "/clusters"] {
        written.push((format!("Envoy's {path}"), exchange(mesh.admin, &Request::get(path)).text()));
    }
    for path in ["/metrics", "/api/v1/decisions?limit=1000", "/api/v1/agents"] {
        written.push((path.to_owned(), mesh.api("GET", path, None).text()));
    }
    assert!(
        written.iter().any(|(name, text)| name.ends_with("envoy.log") && !text.is_empty()),
        "the log is silent"
    );
    assert!(written.iter().any(|(_, text)| text.contains("CREDIT_CARD")), "the records name types");
    for (place, text) in &written {
        wrong.extend(standing(&values, text).iter().map(|v| format!("{place}: {v}")));
    }
    assert!(wrong.is_empty(), "{} planted values were written down:\n{}", wrong.len(), wrong.join("\n"));
}
