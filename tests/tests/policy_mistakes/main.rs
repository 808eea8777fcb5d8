//! What authors get wrong, in every field there is: what the validator says, where, and that an editor with the JSON Schema
//! says the same. The lists are made from the schema, so that a field that is added is in them.
mod values;

use std::collections::BTreeSet;
use std::path::Path;

use mesh_policy::{Diagnostic, Document, Severity};
use mesh_tests::ask_python;
use serde_json::{Map, Value, json};

/// Documents that have every field.
const WHOLE: &str = r#"
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: customer-facing, labels: { owner: support } }
spec:
  description: What support agents may do
  target: { agents: ["support-*"], types: [chatbot], complianceTiers: [high, critical], labels: { team: support } }
  enforcement: blocking
  failureMode: closed
  media: refuse
  recordOverflow: drop
  rules:
    - pii: { types: [ssn, email], action: redact, directions: [request, response], replacement: "[REDACTED]", threshold: 0.5,
             patterns: [{ name: ticket, regex: 'T-\d+' }], headers: [x-user-note], ignore: [127.0.0.1] }
    - injection: { action: block, sensitivity: medium, patterns: [ignore previous instructions],
             ignore: [this is not for the user],
                   judge: { from: 0.3, threshold: 0.5, labels: [INJECTION], mode: wait, deadlineMs: 500, failureMode: open } }
    - rateLimit: { key: rego, expression: input.team, requestsPerSecond: 5, requestsPerMinute: 60, requestsPerHour: 1000,
                   requestsPerDay: 9000, burst: 10, tokensPerMinute: 5000, tokensPerDay: 100000, costPerDay: 2.5,
                   costPerMonth: 49.5, currency: USD, maxConcurrent: 4, mode: strict, action: throttle }
    - access: { resource: "finance_reports/*", allowedRoles: [cfo], allowedActions: [read, query],
                conditions: { timeOfDay: "09:00-17:00 America/New_York", ipAllowList: ["10.0.0.0/8"] } }
    - tools: { allow: [search], deny: ["calendar.delete"], pin: true }
    - models: { allow: ["gpt-4*"], deny: [gpt-4-32k] }
    - rego: { module: "package mesh\ndeny if false\n", modules: { more.rego: "package more\nx := 1\n" }, package: mesh, data: { most: 3 } }
    - normalize: { tone: professional, maxLength: 2000, language: en-US, systemPromptPrefix: Be kind., tokenBudget: 8000 }
    - content: { links: { allow: [docs.example.com], action: defang }, html: { action: remove }, code: inspect, canary: { action: block },
                 categories: [violence], threshold: 0.7, action: block }
---
apiVersion: ai-mesh.dev/v1alpha1
kind: Agent
metadata: { name: support-1, labels: { team: support } }
spec:
  displayName: Support bot
  type: chatbot
  vendor: openai
  model: gpt-4o
  owners: [care@example.com]
  complianceTier: high
  status: suspended
  reason: leaked a key
  policies: [{ policy: customer-facing, version: 1, enforcement: logging }]
"#;

fn schema(kind: &str) -> Value {
    let name = format!("../api/{}.schema.json", kind.to_lowercase());
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("the schema");
    serde_json::from_str(&text).expect("JSON")
}

/// The documents above, as the values that their schemas judge.
fn whole() -> Vec<(&'static str, Value)> {
    let read = mesh_policy::documents_from_yaml(WHOLE).unwrap_or_else(|found| panic!("{found:#?}"));
    let values = read.into_iter().map(|read| match read.document {
        Document::Policy(policy) => {
            mesh_engine::check(&policy).unwrap_or_else(|found| panic!("{found:#?}"));
            ("Policy", serde_json::to_value(policy).expect("JSON"))
        }
        other => ("Agent", serde_json::to_value(other).expect("JSON")),
    });
    let mut values: Vec<_> = values.collect();
    // Written back, a default is left out.
    values[0].1["spec"]["rules"][2]["rateLimit"]["currency"] = json!("USD");
    values
}

/// A field or item: its path, and the names and numbers to it.
type Place = (String, Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(String),
    Item(usize),
}

fn places(value: &Value, at: &mut Vec<Step>, found: &mut Vec<Place>) {
    if !at.is_empty() {
        found.push((path(at), at.clone()));
    }
    let mut inner = |step: Step, value: &Value| {
        at.push(step);
        places(value, at, found);
        at.pop();
    };
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| inner(Step::Name(name.clone()), value))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| inner(Step::Item(index), value))
        }
        _ => {}
    }
}

fn path(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        path += &match step {
            Step::Name(name) => mesh_policy::step(name),
            Step::Item(index) => format!("[{index}]"),
        };
    }
    path.trim_start_matches('.').to_owned()
}

fn at<'v>(value: &'v mut Value, steps: &[Step]) -> &'v mut Value {
    steps.iter().fold(value, |value, step| match step {
        Step::Name(name) => &mut value[name.as_str()],
        Step::Item(index) => &mut value[*index],
    })
}

/// Maps whose keys are the author's own.
fn is_free(path: &str) -> bool {
    path.contains(".labels.")
        || path.contains(".labels[\"")
        || path.contains(".modules") && path.ends_with("\"]")
        || path.contains(".data.")
}

/// What is said of a document, as the command line and the API say it.
fn said(text: &str) -> Vec<Diagnostic> {
    match mesh_policy::documents_from_yaml(text) {
        Err(found) => found,
        Ok(read) => {
            let mut all = Vec::new();
            for (index, read) in read.into_iter().enumerate() {
                all.extend(read.warnings);
                if let Document::Policy(policy) = read.document {
                    let mut compiled = mesh_engine::check(&policy).err().unwrap_or_default();
                    mesh_policy::locate(text, index, &mut compiled);
                    all.extend(compiled);
                }
            }
            all
        }
    }
}

/// The document with each field there is: nothing of the schemas is missing.
#[test]
fn the_whole_documents_have_every_field() {
    for (kind, document) in whole() {
        let root = schema(kind);
        let mut missing = Vec::new();
        compare(&root, &root, &document, kind, &mut missing);
        assert!(missing.is_empty(), "not in the document: {missing:#?}");
    }
}

fn compare(root: &Value, schema: &Value, value: &Value, path: &str, missing: &mut Vec<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(name) => root.pointer(name.trim_start_matches('#')).expect("the reference exists"),
        None => schema,
    };
    if let Some(one) = schema["anyOf"].as_array().and_then(|any| any.first()) {
        return compare(root, one, value, path, missing);
    }
    if let (Some(kinds), Value::Object(fields)) = (schema["oneOf"].as_array(), value) {
        let is_it = |kind: &&Value| fields.keys().all(|name| kind["properties"].get(name).is_some());
        return kinds.iter().filter(is_it).for_each(|kind| compare(root, kind, value, path, missing));
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        match value.get(name) {
            Some(value) => compare(root, inner, value, &format!("{path}.{name}"), missing),
            None => missing.push(format!("{path}.{name}")),
        }
    }
    // Every kind of rule has to be among the items.
    let items = value.as_array().into_iter().flatten();
    let items: Vec<&Value> = items.collect();
    for (index, item) in items.iter().enumerate() {
        compare(root, &schema["items"], item, &format!("{path}[{index}]"), missing);
    }
    let of = schema["items"]["$ref"].as_str().and_then(|name| root.pointer(name.trim_start_matches('#')));
    for kind in of.and_then(|of| of["oneOf"].as_array()).into_iter().flatten() {
        for name in kind["properties"].as_object().into_iter().flat_map(Map::keys) {
            if !items.iter().any(|item| item.get(name).is_some()) {
                missing.push(format!("{path}: {name}"));
            }
        }
    }
}

/// The slip of a letter in every name: it is told on its line, with the name that was meant.
#[test]
fn a_slip_in_any_name_is_told_with_its_place_and_the_name_that_was_meant() {
    let mut tried = 0;
    for (kind, document) in whole() {
        let mut found = Vec::new();
        places(&document, &mut Vec::new(), &mut found);
        for (path, steps) in &found {
            let Some((Step::Name(name), above)) = steps.split_last() else { continue };
            if is_free(path) || name.len() < 3 {
                continue;
            }
            // Two letters swapped, and one lost.
            let mut letters: Vec<char> = name.chars().collect();
            letters.swap(1, 2);
            let swapped: String = letters.iter().collect();
            let lost = name[..name.len() - 1].to_owned();
            for slip in [swapped, lost].into_iter().filter(|slip| slip != name) {
                let mut document = document.clone();
                let map = at(&mut document, above).as_object_mut().expect("a map");
                if map.contains_key(&slip) {
                    continue;
                }
                let value = map.remove(name).expect("the field");
                map.insert(slip.clone(), value);
                let text = serde_json::to_string_pretty(&document).expect("JSON");
                let said = said(&text);
                let mut there = above.to_vec();
                there.push(Step::Name(slip.clone()));
                let wanted = self::path(&there);
                // A document without a kind it can be known by is read as a policy.
                let head = above.is_empty();
                let Some(unknown) = said.iter().find(|said| said.path == wanted) else {
                    assert!(head, "{kind} {path} as {slip}: {said:#?}");
                    continue;
                };
                assert!(unknown.message.starts_with("unknown "), "{kind} {path} as {slip}: {unknown}");
                let meant = format!("did you mean `{name}`?");
                assert!(
                    head || unknown.help.as_deref() == Some(meant.as_str()),
                    "{kind} {path} as {slip}: {unknown}"
                );
                let line = unknown.line.expect("a line") as usize;
                let column = unknown.column.expect("a column") as usize;
                let written = text.lines().nth(line - 1).expect("the line");
                assert!(written[column - 1..].starts_with(&format!("\"{slip}\"")), "{unknown}: {written}");
                tried += 1;
            }
        }
    }
    assert!(tried > 150, "{tried}");
}

/// Documents that are refused for what a schema of JSON cannot say, and why.
const BEYOND: &[(&str, &str)] = &[
    ("found an empty string", "text of blanks alone is no text"),
    ("expected a name of at most", "where an attachment names a policy"),
    ("expected a network", "addresses have many forms"),
    ("expected a host", "hosts have many forms"),
    ("expected a package", "names of Rego have rules of their own"),
    ("there is no module", "one of two fields has to be there"),
];

/// Every value of every other type in every place, and every field left out: refused by the validator with the place and what
/// was expected, and the schema agrees. What the schema accepts none the less is one of the reasons above.
#[test]
fn a_value_of_a_wrong_type_is_told_and_the_schema_agrees() {
    let mut documents: Vec<(String, &str, Value, Vec<Diagnostic>)> = Vec::new();
    let mut add = |what: String, kind: &'static str, document: Value| {
        let said = match mesh_policy::document_from_value(&document) {
            Ok(_) => Vec::new(),
            Err(said) => said.into_iter().filter(|said| said.severity == Severity::Error).collect(),
        };
        documents.push((what, kind, document, said));
    };
    let others = [
        json!(null),
        json!(true),
        json!(7),
        json!(1.5),
        json!(-3),
        json!("zzz"),
        json!(""),
        json!([]),
        json!({}),
        json!(["zzz"]),
        json!({"zzz": 1}),
    ];
    for (kind, document) in whole() {
        add(format!("{kind} whole"), kind, document.clone());
        let mut found = Vec::new();
        places(&document, &mut Vec::new(), &mut found);
        for (path, steps) in found.iter().filter(|(path, _)| path != "kind" && !path.contains(".data")) {
            for other in &others {
                let mut document = document.clone();
                *at(&mut document, steps) = other.clone();
                add(format!("{kind} {path} = {other}"), kind, document);
            }
            if let Some((Step::Name(name), above)) = steps.split_last() {
                let mut document = document.clone();
                at(&mut document, above).as_object_mut().expect("a map").remove(name);
                add(format!("{kind} without {path}"), kind, document);
            }
        }
    }
    // The documents of the tests that are of today.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/policies");
    for entry in std::fs::read_dir(folder).expect("the corpus").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a document");
        for read in mesh_policy::from_yaml(&text).unwrap_or_default() {
            let translated = serde_json::to_value(read.policy).expect("JSON");
            add(format!("{} translated", entry.path().display()), "Policy", translated);
        }
    }
    let accepted = schema_accepts(&documents);
    let (mut refused, mut reasons, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for ((what, _, _, said), accepted) in documents.iter().zip(accepted) {
        for said in said {
            let names = said.message.contains("expected")
                || said.message.contains("found")
                || said.message.starts_with("unknown");
            assert!(
                names
                    || said.message.contains("needs")
                    || said.message.contains("taken")
                    || said.help.is_some(),
                "{what}: {said}"
            );
        }
        refused += usize::from(!said.is_empty());
        match (said.is_empty(), accepted) {
            (true, true) | (false, false) => {}
            (true, false) => wrong.push(format!("{what}: the schema refuses what is accepted")),
            (false, true) => {
                // What fields say together is no matter of a schema either.
                let together = |said: &Diagnostic| {
                    !said.message.starts_with("found") && !said.message.contains("expected")
                };
                let reason =
                    |said: &Diagnostic| BEYOND.iter().position(|(message, _)| said.message.contains(message));
                for said in said.iter().filter(|said| !together(said)) {
                    match reason(said) {
                        Some(reason) => drop(reasons.insert(reason)),
                        None => wrong.push(format!("{what}: the schema accepts it; {said}")),
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} disagree:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(documents.len() > 1500 && refused > 1000, "{} documents, {refused} refused", documents.len());
    let gone: Vec<_> = (0..BEYOND.len()).filter(|at| !reasons.contains(at)).map(|at| BEYOND[at].0).collect();
    assert!(gone.is_empty(), "no longer beyond the schema: {gone:?}");
}

fn schema_accepts(documents: &[(String, &str, Value, Vec<Diagnostic>)]) -> Vec<bool> {
    let rows: Vec<Value> = documents
        .iter()
        .map(|(_, kind, document, _)| json!({ "kind": kind, "document": document }))
        .collect();
    let asked =
        json!({ "schemas": { "Policy": schema("Policy"), "Agent": schema("Agent") }, "documents": rows });
    serde_json::from_value(ask_python("schema_accepts.py", asked)).expect("an answer for each document")
}
