//! `policy apply`, `delete` and `rollback`: the verbs that change what is enforced.

use serde_json::{Value, json};

use super::path;
use super::sidecar_answers::{self, SidecarAnswers};
use crate::{
    args::policy::{Apply, Wait},
    commands::printed,
    documents::Documents,
    failure::{Failure, Outcome},
    http::{Client, segment},
    output::{GOOD, Output, STRONG, WARN, field, say, styled},
};

/// Applies policies: all are checked before the first one is sent.
pub(crate) fn apply(client: &Client, output: Output, args: &Apply) -> Outcome {
    let documents = Documents::read(&args.files)?;
    documents.refuse_errors()?;
    let mut changes = Vec::new();
    for document in &documents.documents {
        let name = &document.policy.metadata.name;
        let body = serde_json::to_value(&document.policy)
            .map_err(|error| Failure::failed(format!("can't write {name} as JSON: {error}")))?;
        let changed = client.ask("PUT", &path(name), Some(&body))?.map_err(|refused| {
            let failure = client.failure(refused);
            Failure {
                message: format!("policy {name} ({}): {}", document.source, failure.message),
                ..failure
            }
        });
        match changed {
            Ok(changed) => changes.push(said(output, name, &changed)?),
            Err(failure) => return half_way(output, changes, failure),
        }
    }
    // Agents come last: by then the policies that are attached to them exist.
    for document in &documents.agents {
        let id = &document.agent.metadata.name;
        let body = serde_json::to_value(&document.agent)
            .map_err(|error| Failure::failed(format!("can't write {id} as JSON: {error}")))?;
        let path = format!("/api/v1/agents/{}", segment(id));
        let changed = client.ask("PUT", &path, Some(&body))?.map_err(|refused| {
            let failure = client.failure(refused);
            Failure { message: format!("agent {id} ({}): {}", document.source, failure.message), ..failure }
        });
        match changed {
            Ok(changed) => changes.push(said_of(output, "agent", id, &changed)?),
            Err(failure) => return half_way(output, changes, failure),
        }
    }
    finish(client, output, changes, args.wait)
}

/// The failure of a command whose changes were refused part way: it says what was done before, which stays.
fn half_way(output: Output, changes: Vec<Value>, failure: Failure) -> Outcome {
    if changes.is_empty() {
        return Err(failure);
    }
    let done = changes.len();
    if output.for_programs() {
        printed(output.text(&format!("{:#}", json!({ "policies": changes, "sidecars": null }))))?;
    }
    Err(failure.hint(format!("{done} before it were applied, and stay so")))
}

/// Takes a policy out of force.
pub(crate) fn delete(client: &Client, output: Output, name: &str, wait: Wait) -> Outcome {
    let changed = client.send("DELETE", &path(name), None)?;
    let change = said(output, name, &changed)?;
    // The policy is deleted, whether or not this question is answered.
    let left = client.get("/api/v1/policies").unwrap_or_default();
    if left["policies"].as_array().is_some_and(Vec::is_empty) {
        let warning = styled(WARN, "warning");
        say(format_args!(
            "{warning}: no policy is in force any more: nothing is inspected, and everything passes"
        ));
    }
    finish(client, output, vec![change], wait)
}

/// Puts an earlier document in force.
pub(crate) fn rollback(client: &Client, output: Output, name: &str, to: Option<u64>, wait: Wait) -> Outcome {
    let body = to.map_or_else(|| json!({}), |version| json!({ "version": version }));
    let changed = client.send("POST", &format!("{}/rollback", path(name)), Some(&body))?;
    // Where a rollout was under way it has ended, and the version in force is what it was.
    let ended = changed["changed"] == true && changed["policy"]["change"] != "rolled_back";
    let word = if ended { "stays as it was; its rollout has ended" } else { word(&changed, "policy") };
    let change = said_as(output, "policy", name, &changed, word)?;
    finish(client, output, vec![change], wait)
}

/// Says what became of a policy, and keeps it for the end.
fn said(output: Output, name: &str, changed: &Value) -> Outcome<Value> {
    said_of(output, "policy", name, changed)
}

/// Says what became of a document of this kind, and keeps it for the end.
fn said_of(output: Output, kind: &str, name: &str, changed: &Value) -> Outcome<Value> {
    said_as(output, kind, name, changed, word(changed, kind))
}

/// The same, where `word` is what became of it.
pub(crate) fn said_as(output: Output, kind: &str, name: &str, changed: &Value, word: &str) -> Outcome<Value> {
    if let Some(warnings) = changed["warnings"].as_array() {
        for warning in warnings {
            if let Ok(diagnostic) = serde_json::from_value::<mesh_policy::Diagnostic>(warning.clone()) {
                say(format_args!("{kind} {name}: {diagnostic}"));
            }
        }
    }
    if !output.for_programs() {
        let style = if word == "unchanged" { WARN } else { GOOD };
        let line = format!(
            "{kind} {} {} (version {})",
            styled(STRONG, name),
            styled(style, word),
            field(&changed[kind], "version")
        );
        printed(output.text(&line))?;
    }
    Ok(json!({ "kind": kind, "name": name, "result": word, "version": changed[kind]["version"] }))
}

/// The word people know for a change.
pub(crate) fn word(changed: &Value, kind: &str) -> &'static str {
    if changed["changed"] == false {
        return "unchanged";
    }
    match changed[kind]["change"].as_str() {
        Some("created") => "created",
        Some("deleted") => "deleted",
        Some("rolled_back") => "rolled back",
        _ => "configured",
    }
}

/// Waits for the sidecars, and prints everything for programs.
pub(crate) fn finish(client: &Client, output: Output, changes: Vec<Value>, wait: Wait) -> Outcome {
    let answers = if wait.no_wait { None } else { Some(sidecar_answers::wait(client, wait.timeout)?) };
    if output.for_programs() {
        let sidecars = answers.as_ref().map(SidecarAnswers::json);
        printed(output.text(&format!("{:#}", json!({ "policies": changes, "sidecars": sidecars }))))?;
    }
    let Some(answers) = answers else { return Ok(()) };
    if !output.for_programs() {
        say(answers.sentence());
    }
    answers.ended()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_in_words_people_know() {
        let table = [
            (json!({ "changed": true, "policy": { "change": "created" } }), "created"),
            (json!({ "changed": true, "policy": { "change": "updated" } }), "configured"),
            (json!({ "changed": false, "policy": { "change": "updated" } }), "unchanged"),
            (json!({ "changed": true, "policy": { "change": "rolled_back" } }), "rolled back"),
        ];
        for (changed, expected) in table {
            assert_eq!(word(&changed, "policy"), expected, "{changed}");
        }
    }
}
