//! `policy …`: the verbs that read; those that change, check and try are in files of their own.

pub(crate) mod change;
mod check;
mod conflicts;
mod convert;
mod diff;
mod impact;
mod rego_tests;
mod rollout;
mod sidecar_answers;
mod test;
mod trial;
mod validate;

use serde_json::Value;

use super::printed;
use crate::{
    args::{Global, policy::Verb},
    failure::{Failure, Outcome},
    http::{Client, segment},
    output::{Output, Rows, field},
};

/// Carries out a verb.
pub(crate) fn run(global: &Global, output: Output, verb: Verb) -> Outcome {
    match verb {
        Verb::Validate(args) => validate::run(output, &args),
        Verb::Check(args) => check::run(output, &args),
        Verb::Convert { files } => convert::run(output, &files),
        Verb::Impact(args) => impact::run(&Client::new(global)?, output, &args),
        Verb::Diff(args) => diff::run(&Client::new(global)?, output, &args),
        Verb::Test(args) => test::run(global, output, &args),
        Verb::Apply(args) => change::apply(&Client::new(global)?, output, &args),
        Verb::Delete { name, wait } => change::delete(&Client::new(global)?, output, &name, wait),
        Verb::Rollback { name, to, wait } => change::rollback(&Client::new(global)?, output, &name, to, wait),
        Verb::Rollout(args) => rollout::run(&Client::new(global)?, output, args.verb),
        Verb::Draft { files } => rollout::draft(&Client::new(global)?, output, &files),
        Verb::Drafts => rollout::drafts(&Client::new(global)?, output),
        Verb::Freeze(args) => rollout::freeze(&Client::new(global)?, output, &args),
        Verb::Unfreeze => rollout::unfreeze(&Client::new(global)?, output),
        Verb::List => list(&Client::new(global)?, output),
        Verb::Get { name, version } => get(&Client::new(global)?, output, &name, version),
        Verb::Versions { name } => {
            let versions = versions(&Client::new(global)?, &name)?;
            printed(output.show(&Value::Array(versions), |versions| {
                let mut rows = Rows::new(&["VERSION", "CHANGE", "AT"], "no version");
                for version in versions.as_array().into_iter().flatten() {
                    rows.push(["version", "change", "created_at"].map(|name| field(version, name)));
                }
                rows.to_string()
            }))
        }
    }
}

/// Path of a policy.
fn path(name: &str) -> String {
    format!("/api/v1/policies/{}", segment(name))
}

/// The versions of a policy, newest first.
fn versions(client: &Client, name: &str) -> Outcome<Vec<Value>> {
    Ok(items(client.get(&format!("{}/versions", path(name)))?, "versions"))
}

fn list(client: &Client, output: Output) -> Outcome {
    let policies = items(client.get("/api/v1/policies")?, "policies");
    printed(output.show(&Value::Array(policies), |policies| {
        let mut rows = Rows::new(
            &["NAME", "VERSION", "ENFORCEMENT", "RULES", "CHANGED AT", "DESCRIPTION"],
            "no policy is in force; `ai-mesh policy apply -f FILE` makes one",
        );
        for policy in policies.as_array().into_iter().flatten() {
            let rules = policy["rules"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let rules = rules.map(crate::output::printable).collect::<Vec<_>>().join(", ");
            let [name, version, enforcement, at, description] =
                ["name", "version", "enforcement", "created_at", "description"]
                    .map(|name| field(policy, name));
            rows.push([name, version, enforcement, rules, at, description]);
        }
        rows.to_string()
    }))
}

/// Prints a policy: its document as YAML for people, all that is known of it as JSON for programs.
fn get(client: &Client, output: Output, name: &str, version: Option<u64>) -> Outcome {
    let policy = match version {
        None => client.get(&path(name))?,
        Some(version) => client.get(&format!("{}/versions/{version}", path(name)))?,
    };
    if policy["document"].is_null() && !output.for_programs() {
        return Err(Failure::failed(format!(
            "version {} of {name} is its deletion: it has no document",
            field(&policy, "version")
        )));
    }
    let yaml = serde_saphyr::to_string(&policy["document"]);
    let yaml = yaml.map_err(|error| Failure::failed(format!("can't write {name} as YAML: {error}")))?;
    printed(output.show(&policy, |policy| {
        format!(
            "# version {}, {} {}\n{yaml}",
            field(policy, "version"),
            field(policy, "change"),
            field(policy, "created_at")
        )
    }))
}

/// The list of that name in an answer.
fn items(mut answer: Value, name: &str) -> Vec<Value> {
    match answer[name].take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}
