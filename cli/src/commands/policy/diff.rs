//! `policy diff`: what a change would change, before it is made.

use serde_json::{Value, json};

use super::path;
use crate::{
    args::policy::Diff,
    changes::{FieldChange, changes},
    commands::printed,
    documents::Documents,
    failure::{Exit, Failure, Outcome},
    http::Client,
    output::{BAD, GOOD, Output, STRONG, WARN, styled},
};

/// Compares files with what is in force, or two versions of a policy.
pub(crate) fn run(client: &Client, output: Output, args: &Diff) -> Outcome {
    let mut found = Vec::new();
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
                let before = match client.ask("GET", &path(name), None)? {
                    Ok(policy) => policy["document"].clone(),
                    Err(refused) if refused.status == 404 => Value::Null,
                    Err(refused) => return Err(client.failure(refused)),
                };
                found.push((name.clone(), changes(&before, &after)));
            }
        }
    }
    let differ = found.iter().any(|(_, changes)| !changes.is_empty());
    if output.for_programs() {
        let policies = found.iter().map(|(name, changes)| json!({ "name": name, "changes": told(changes) }));
        printed(output.text(&format!("{:#}", json!({ "policies": policies.collect::<Vec<_>>() }))))?;
    } else {
        let lines: Vec<String> = found.iter().map(|(name, changes)| shown(name, changes)).collect();
        printed(output.text(&lines.join("\n")))?;
    }
    if differ && args.exit_code {
        return Err(Failure { exit: Exit::Failed, ..Failure::policy() });
    }
    Ok(())
}

pub(crate) fn told(changes: &[FieldChange]) -> Vec<Value> {
    let told =
        |change: &FieldChange| json!({ "path": change.path, "before": change.before, "after": change.after });
    changes.iter().map(told).collect()
}

fn shown(name: &str, changes: &[FieldChange]) -> String {
    let head = styled(STRONG, name);
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
