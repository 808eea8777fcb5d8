//! Why a decision was what it was, asked for with the command line tool of a running mesh: for every guard and every outcome
//! the policy, its version, the rule, the facts, and what would have changed the outcome. Never a word of the content.
mod rows;

use std::collections::BTreeSet;

use mesh_tests::{Judge, Mesh, Says};
use serde_json::{Value, json};

use rows::{CONTENT, POLICIES, Row, answered, post, rows};

#[test]
fn every_guard_and_every_outcome_is_explained_without_content() {
    let judge = Judge::start(Says::Score(0.9));
    let mesh = Mesh::up(POLICIES, &["--judge", &judge.url(), "--max-body", "200000", "--concurrency", "1"]);
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut check = |row: &Row| {
        let answer = mesh.send(&row.request.clone().header("x-ai-mesh-agent", row.agent));
        let id = answer.header("x-ai-mesh-decision-id").to_owned();
        let what = format!("{} {}", row.agent, row.summary);
        assert!(!id.is_empty(), "{what}: {} {}", answer.status, answer.text());
        let told = explained(&mesh, &id);
        assert_eq!(told["decision"], row.outcome.0, "{what}: {told:#}");
        assert_eq!(told["status"], row.outcome.1, "{what}: {told:#}");
        let summary = told["summary"].as_str().expect("a summary");
        assert!(summary.contains(row.summary), "{what}: {summary}");
        let reason = &told["reasons"][0];
        let Some((guard, effect, field)) = row.reason else {
            assert!(reason.is_null(), "{what}: {told:#}");
            return;
        };
        seen.insert(guard.to_owned());
        assert_eq!(
            (reason["guard"].as_str(), reason["effect"].as_str()),
            (Some(guard), Some(effect)),
            "{what}: {told:#}"
        );
        assert_eq!(reason["field"].as_str().unwrap_or_default(), field, "{what}: {told:#}");
        assert_eq!(reason["decisive"], effect != "recorded", "{what}: {told:#}");
        // Whose rule it is, in which version, is told wherever a policy is to blame.
        if ["agent", "size"].contains(&guard) {
            assert_eq!(reason["policy_id"], "", "{what}: {told:#}");
        } else {
            assert_eq!(reason["policy_id"], row.agent, "{what}: {told:#}");
            assert_eq!(reason["version"], 1, "{what}: {told:#}");
        }
        assert_eq!(reason["rule_document"].is_null(), field.is_empty(), "{what}: {told:#}");
        for fact in row.facts {
            assert!(reason["evidence"].pointer(fact).is_some(), "{what}: {fact} is not told: {told:#}");
        }
        let would = reason["would_pass_if"].as_array().expect("a list");
        for wanted in row.would {
            let said = would.iter().filter_map(Value::as_str).any(|said| said.contains(wanted));
            assert!(said, "{what}: {wanted:?} is not said: {told:#}");
        }
        assert_eq!(would.is_empty(), row.would.is_empty(), "{what}: {told:#}");
        let shown = mesh.cli(&["explain", &id]);
        let all = format!("{told} {}", String::from_utf8_lossy(&shown.stdout));
        // The rule is quoted as the author wrote it; all else is free of content.
        for content in CONTENT.iter().filter(|content| !(row.agent == "attacks" && **content == "pod bay")) {
            assert!(!all.contains(content), "{what}: {content:?} in {all}");
        }
    };
    rows().iter().for_each(&mut check);
    judge.says(Says::Body(500, "down"));
    check(&Row {
        agent: "judged",
        request: post("What did the other document tell you to do?"),
        outcome: ("deny", 503),
        reason: Some(("injection", "denied", "")),
        facts: &[],
        would: &["the judge had answered", "the rule's `judge.failureMode`"],
        summary: "refused, because of judged (version 1): the judge of injection could not run: answer",
    });
    // The mark stands in the prompt that reached the upstream; an answer that repeats it is refused.
    mesh.send(&answered("hello").header("x-ai-mesh-agent", "marked"));
    let prompt: Value = serde_json::from_str(&mesh.upstream.last_body()).expect("JSON");
    let prompt = prompt["messages"][0]["content"].as_str().expect("a system prompt").to_owned();
    let mark = prompt.trim_start_matches("You are Ada.").trim().to_owned();
    assert!(!mark.is_empty(), "{prompt}");
    check(&Row {
        agent: "marked",
        request: answered(&mark),
        outcome: ("deny", 403),
        reason: Some(("canary", "denied", "spec.rules[0].content")),
        facts: &["/type", "/place"],
        would: &[
            "the answer did not repeat the system prompt's mark",
            "the rule's `canary.action` were `log`",
        ],
        summary: "refused, because of marked (version 1)",
    });
    let missing: Vec<_> = guards().difference(&seen).cloned().collect();
    assert!(missing.is_empty(), "guards that no row explains: {missing:?}");
}

/// What a version that is on its way says is explained by its own document, while it only monitors and after it was aborted;
/// the number it had is nobody else's.
#[test]
fn a_version_on_its_way_is_explained_by_its_own_document() {
    let words = |word: &str| {
        format!(
            "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: words }}\nspec: {{ rules: [ {{ injection: {{ patterns: [{word}] }} }} ] }}\n"
        )
    };
    let mesh = Mesh::up(&words("alpha"), &[]);
    let file = mesh.data().join("next.yaml");
    std::fs::write(&file, words("bravo").replace("rules: [", "rules: [ { models: { deny: [x] } },"))
        .expect("a file");
    let ran = |arguments: &[&str]| {
        let output = mesh.cli(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    ran(&["policy", "rollout", "start", "words", "-f", &file.to_string_lossy()]);
    let answer = mesh.send(&post("say bravo"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let check = || {
        let told = explained(&mesh, answer.header("x-ai-mesh-decision-id"));
        let reason = &told["reasons"][0];
        assert_eq!((&reason["policy_id"], &reason["version"]), (&json!("words@2"), &json!(2)), "{told:#}");
        assert_eq!(
            (&reason["field"], &reason["effect"]),
            (&json!("spec.rules[1].injection"), &json!("recorded")),
            "{told:#}"
        );
        assert_eq!(reason["rule_document"]["injection"]["patterns"][0], "bravo", "{told:#}");
    };
    check();
    ran(&["policy", "rollout", "abort", "words"]);
    let applied = mesh.apply(&words("charlie"));
    assert!(String::from_utf8_lossy(&applied.stdout).contains("version 3"), "{applied:?}");
    check();
    assert_eq!(mesh.send(&post("say charlie")).status, 403);
}

/// The explanation, once the record has arrived.
fn explained(mesh: &Mesh, id: &str) -> Value {
    mesh.decision(id);
    let output = mesh.cli(&["explain", id, "-o", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The names of the guards that object, as the engine's sources give them to violations.
fn guards() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source file");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for before in ["Violation::new(", "guard_failed(policy, ", "object(policy, "] {
                for rest in code.split(before).skip(1) {
                    found.extend(
                        rest.trim_start()
                            .strip_prefix('"')
                            .and_then(|rest| rest.split('"').next())
                            .map(str::to_owned),
                    );
                }
            }
        }
    }
    assert!(found.len() > 8, "{found:?}");
    found
}
