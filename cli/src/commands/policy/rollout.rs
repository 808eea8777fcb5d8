//! `policy rollout`, `draft`, `drafts`, `freeze` and `unfreeze`.

use serde_json::{Value, json};

use super::{items, path, sidecar_answers};
use crate::{
    args::{
        policy::Wait,
        rollout::{Freeze, Start, Verb},
    },
    commands::printed,
    documents::Documents,
    failure::{Failure, Outcome},
    http::{Client, segment},
    output::{Output, Rows, STRONG, field, say, styled},
};

/// Carries out a verb of `policy rollout`.
pub(crate) fn run(client: &Client, output: Output, verb: Verb) -> Outcome {
    match verb {
        Verb::Start(args) => start(client, output, &args),
        Verb::Status { name: Some(name) } => {
            printed(output.show(&client.get(&format!("{}/rollout", path(&name)))?, shown))
        }
        Verb::Status { name: None } => {
            let rollouts = items(client.get("/api/v1/rollouts")?, "rollouts");
            printed(output.show(&Value::Array(rollouts), |rollouts| {
                let mut rows = Rows::new(
                    &["POLICY", "VERSION", "PRESENT", "STATE", "STAGE", "NOTE"],
                    "nothing was rolled out in stages; `ai-mesh policy rollout start NAME -f FILE` does",
                );
                for rollout in rollouts.as_array().into_iter().flatten() {
                    rows.push(
                        ["policy", "version", "present", "state", "stage", "note"]
                            .map(|name| field(rollout, name)),
                    );
                }
                rows.to_string()
            }))
        }
        Verb::Promote { name, wait } => turn(client, output, &name, "promote", Some(wait)),
        Verb::Pause { name } => turn(client, output, &name, "pause", None),
        Verb::Resume { name } => turn(client, output, &name, "resume", None),
        Verb::Abort { name, wait } => turn(client, output, &name, "abort", Some(wait)),
    }
}

fn start(client: &Client, output: Output, args: &Start) -> Outcome {
    if !args.steps.is_sorted_by(|one, next| one < next) {
        let found: Vec<String> = args.steps.iter().map(ToString::to_string).collect();
        let message = format!("--steps: found {}, expected ascending shares such as 10,50", found.join(","));
        return Err(Failure::environment(message));
    }
    let mut body = json!({
        "steps": args.steps,
        "bounds": { "refusals": args.max_refusals, "errors": args.max_errors, "sample": args.sample },
    });
    if let Some(file) = &args.file {
        let documents = Documents::read(std::slice::from_ref(file))?;
        documents.refuse_errors()?;
        let [document] = &documents.documents[..] else {
            return Err(Failure::environment(format!("{} has to hold one policy", file.display())));
        };
        body["document"] = serde_json::to_value(&document.policy)
            .map_err(|error| Failure::failed(format!("can't write the policy as JSON: {error}")))?;
    }
    let rollout = client.send("POST", &format!("{}/rollout", path(&args.name)), Some(&body))?;
    finish(client, output, &rollout, Some(args.wait))
}

fn turn(client: &Client, output: Output, name: &str, verb: &str, wait: Option<Wait>) -> Outcome {
    let rollout = client.send("POST", &format!("{}/rollout/{verb}", path(name)), None)?;
    finish(client, output, &rollout, wait)
}

fn finish(client: &Client, output: Output, rollout: &Value, wait: Option<Wait>) -> Outcome {
    printed(output.show(rollout, shown))?;
    if let Some(wait) = wait.filter(|wait| !wait.no_wait) {
        let reached = sidecar_answers::wait(client, wait.timeout)?;
        say(reached.sentence());
        return reached.ended();
    }
    Ok(())
}

/// For people: where it stands, and what both versions did.
fn shown(rollout: &Value) -> String {
    let [policy, version, present, state, stage] =
        ["policy", "version", "present", "state", "stage"].map(|name| field(rollout, name));
    let mut text = format!("policy {} version {version}: {state}, {stage}", styled(STRONG, policy));
    let steps: Vec<String> =
        rollout["steps"].as_array().into_iter().flatten().map(|step| format!("{step}%")).collect();
    if !steps.is_empty() {
        text += &format!(" (then {}, everywhere)", steps.join(", "));
    }
    let note = field(rollout, "note");
    if !note.is_empty() {
        text += &format!("\n  {note}");
    }
    for (name, number) in [("next", &version), ("present", &present)] {
        let tried = &rollout["tallies"][name];
        if !tried.is_null() {
            let [decisions, refused, failed] =
                ["decisions", "refused", "failed"].map(|name| field(tried, name));
            text +=
                &format!("\n  version {number}: {decisions} decisions, {refused} refused, {failed} failed");
        }
    }
    text
}

/// Keeps policies as drafts.
pub(crate) fn draft(client: &Client, output: Output, files: &[std::path::PathBuf]) -> Outcome {
    let documents = Documents::read(files)?;
    documents.refuse_errors()?;
    let mut drafts = Vec::new();
    for document in &documents.documents {
        let name = &document.policy.metadata.name;
        let body = serde_json::to_value(&document.policy)
            .map_err(|error| Failure::failed(format!("can't write {name} as JSON: {error}")))?;
        let kept = client.send("PUT", &format!("/api/v1/drafts/{}", segment(name)), Some(&body))?;
        if !output.for_programs() {
            printed(output.text(&format!("draft {} kept; it is not in force", styled(STRONG, name))))?;
        }
        drafts.push(kept);
    }
    // One document, however many were given; of one alone it is the draft's.
    match drafts.len() {
        _ if !output.for_programs() => Ok(()),
        1 => printed(output.show(&drafts.remove(0), |_| String::new())),
        _ => printed(output.show(&Value::Array(drafts), |_| String::new())),
    }
}

/// Lists the drafts.
pub(crate) fn drafts(client: &Client, output: Output) -> Outcome {
    let drafts = items(client.get("/api/v1/drafts")?, "drafts");
    printed(output.show(&Value::Array(drafts), |drafts| {
        let mut rows = Rows::new(&["NAME", "DESCRIPTION"], "there is no draft");
        for draft in drafts.as_array().into_iter().flatten() {
            rows.push([field(&draft["metadata"], "name"), field(&draft["spec"], "description")]);
        }
        rows.to_string()
    }))
}

/// Freezes all policies.
pub(crate) fn freeze(client: &Client, output: Output, args: &Freeze) -> Outcome {
    let body = json!({ "by": args.by, "reason": args.reason });
    let frozen = client.send("PUT", "/api/v1/freeze", Some(&body))?;
    printed(output.show(&frozen, |frozen| {
        format!("policies are frozen by {}: {}", field(frozen, "by"), field(frozen, "reason"))
    }))
}

/// Gives them free.
pub(crate) fn unfreeze(client: &Client, output: Output) -> Outcome {
    let free = client.send("DELETE", "/api/v1/freeze", None)?;
    printed(output.show(&free, |_| "policies may be changed again".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_for_people() {
        let rollout = json!({
            "policy": "p", "version": 3, "present": 2, "state": "running", "stage": "10%", "steps": [50],
            "tallies": { "next": { "decisions": 20, "refused": 1, "failed": 0 },
                         "present": { "decisions": 180, "refused": 9, "failed": 2 } },
        });
        let text = anstream::adapter::strip_str(&shown(&rollout)).to_string();
        let expected = "policy p version 3: running, 10% (then 50%, everywhere)\n  version 3: 20 decisions, 1 refused, 0 failed\n  \
                        version 2: 180 decisions, 9 refused, 2 failed";
        assert_eq!(text, expected);
    }
}
