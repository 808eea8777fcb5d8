//! `policy diff`: what a change would change, before it is made.

use mesh_policy::{Agent, AgentSpec};
use serde_json::{Value, json};

use super::path;
use crate::{
    args::policy::Diff,
    changes::{FieldChange, changes},
    commands::printed,
    documents::Documents,
    failure::{Exit, Failure, Outcome},
    http::{Client, segment},
    output::{BAD, GOOD, Output, STRONG, WARN, styled},
};

/// Compares files with what is in force, or two versions of a policy.
pub(crate) fn run(client: &Client, output: Output, args: &Diff) -> Outcome {
    let mut found = Vec::new();
    let mut agents = Vec::new();
    match &args.name {
        Some(name) => {
            let version = |version: u64| client.get(&format!("{}/versions/{version}", path(name)));
            let before = version(args.from.unwrap_or(1))?;
            let after = match args.to {
                Some(to) => version(to)?,
                None => client.get(&path(name))?,
            };
            found.push((name.clone(), changes(&before["document"], &after["document"])));
        }
        None => {
            let documents = Documents::read(&args.files)?;
            documents.refuse_errors()?;
            for document in &documents.documents {
                let name = &document.policy.metadata.name;
                let after = serde_json::to_value(&document.policy)
                    .map_err(|error| Failure::failed(format!("can't write {name} as JSON: {error}")))?;
                found.push((name.clone(), changes(&in_force(client, &path(name))?, &after)));
            }
            for document in &documents.agents {
                let id = &document.agent.metadata.name;
                let before = in_force(client, &format!("/api/v1/agents/{}", segment(id)))?;
                let after = serde_json::to_value(applied(&document.agent, &before))
                    .map_err(|error| Failure::failed(format!("can't write {id} as JSON: {error}")))?;
                agents.push((id.clone(), changes(&before, &after)));
            }
        }
    }
    let differ = found.iter().chain(&agents).any(|(_, changes)| !changes.is_empty());
    if output.for_programs() {
        let told = |found: &[(String, Vec<FieldChange>)]| -> Vec<Value> {
            found.iter().map(|(name, changes)| json!({ "name": name, "changes": told(changes) })).collect()
        };
        let both = json!({ "policies": told(&found), "agents": told(&agents) });
        printed(output.text(&format!("{both:#}")))?;
    } else {
        let policies = found.iter().map(|(name, changes)| shown("", name, changes));
        let agents = agents.iter().map(|(id, changes)| shown("agent ", id, changes));
        printed(output.text(&policies.chain(agents).collect::<Vec<_>>().join("\n")))?;
    }
    if differ && args.exit_code {
        return Err(Failure { exit: Exit::Failed, ..Failure::policy() });
    }
    Ok(())
}

/// The document that is in force at this path; null if there is none.
fn in_force(client: &Client, path: &str) -> Outcome<Value> {
    match client.ask("GET", path, None)? {
        Ok(held) => Ok(held["document"].clone()),
        Err(refused) if refused.status == 404 => Ok(Value::Null),
        Err(refused) => Err(client.failure(refused)),
    }
}

/// The agent's document as applying it would leave it: without a status it keeps that of the one in force.
fn applied(agent: &Agent, in_force: &Value) -> Agent {
    let mut agent = agent.clone();
    let registered: Option<AgentSpec> = serde_json::from_value(in_force["spec"].clone()).ok();
    agent.spec.keep_status_of(registered.as_ref());
    agent
}

pub(crate) fn told(changes: &[FieldChange]) -> Vec<Value> {
    let told =
        |change: &FieldChange| json!({ "path": change.path, "before": change.before, "after": change.after });
    changes.iter().map(told).collect()
}

fn shown(kind: &str, name: &str, changes: &[FieldChange]) -> String {
    let head = format!("{kind}{}", styled(STRONG, name));
    match changes {
        [] => format!("{head}: no difference"),
        [one] if one.path.is_empty() => format!("{head}: new"),
        changes => {
            let line = |change: &FieldChange| {
                let style = match (&change.before, &change.after) {
                    (None, _) => GOOD,
                    (_, None) => BAD,
                    _ => WARN,
                };
                format!("\n  {}", styled(style, change.shown()))
            };
            format!("{head}:{}", changes.iter().map(line).collect::<String>())
        }
    }
}
