//! `policy check`: what a pull request with policies is judged by. Needs no control plane.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use mesh_policy::{Policy, Severity};
use serde_json::{Value, json};

use super::{conflicts::conflicts, diff::told, rego_tests};
use crate::{
    args::policy::{Check, Report},
    changes::{FieldChange, changes},
    commands::printed,
    documents::{Documents, Remark},
    failure::{Failure, Outcome},
    output::{Output, say},
};

/// Everything that is found.
struct Found {
    documents: Documents,
    /// Policies that differ from those of the base, and how; empty fields for a new one or one that is gone.
    changed: Vec<(String, Kind, Vec<FieldChange>)>,
    conflicts: Vec<String>,
    tests: Vec<rego_tests::Ran>,
}

/// What became of a policy.
#[derive(Clone, Copy)]
enum Kind {
    Added,
    Changed,
    Removed,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Added => "added",
            Kind::Changed => "changed",
            Kind::Removed => "removed",
        }
    }
}

/// Checks and reports; the exit code is 3 when something is wrong.
pub(crate) fn run(output: Output, args: &Check) -> Outcome {
    let documents = Documents::read(std::slice::from_ref(&args.folder))?;
    let base = args.base.as_ref().map(|base| Documents::read(std::slice::from_ref(base))).transpose()?;
    let policies: Vec<&Policy> = documents.documents.iter().map(|document| &document.policy).collect();
    let found = Found {
        changed: base.map(|base| changed(&base, &documents)).unwrap_or_default(),
        conflicts: conflicts(&policies),
        tests: rego_tests::run(&documents, &[PathBuf::clone(&args.folder)])?.tests,
        documents,
    };
    let errors = found.documents.errors();
    let warnings = found.documents.remarks.len() - errors;
    let failed = found.tests.iter().filter(|test| test.failure.is_some()).count();
    let report = if output.for_programs() { Report::Json } else { args.format };
    printed(output.text(&match report {
        Report::Json => format!("{:#}", for_programs(&found)),
        Report::Markdown => markdown(&found),
        Report::Text => text(&found),
    }))?;
    if errors + failed > 0 || (args.strict && warnings + found.conflicts.len() > 0) {
        say(format_args!("{errors} errors, {warnings} warnings, {failed} failed tests"));
        return Err(Failure::policy());
    }
    Ok(())
}

fn changed(base: &Documents, now: &Documents) -> Vec<(String, Kind, Vec<FieldChange>)> {
    let by_name = |documents: &Documents| -> BTreeMap<String, Value> {
        let documents = documents.documents.iter();
        let value = |policy: &Policy| serde_json::to_value(policy).unwrap_or(Value::Null);
        documents.map(|one| (one.policy.metadata.name.clone(), value(&one.policy))).collect()
    };
    let (old, new) = (by_name(base), by_name(now));
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let changed = names.into_iter().filter_map(|name| match (old.get(name), new.get(name)) {
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) => Some((name.clone(), Kind::Changed, changes(old, new))),
        (None, _) => Some((name.clone(), Kind::Added, Vec::new())),
        (_, None) => Some((name.clone(), Kind::Removed, Vec::new())),
    });
    changed.collect()
}

fn for_programs(found: &Found) -> Value {
    let remarks: Vec<Value> = found.documents.remarks.iter().map(Remark::json).collect();
    let changed = found.changed.iter();
    let changed: Vec<Value> = changed
        .map(|(name, kind, changes)| json!({ "name": name, "change": kind.word(), "fields": told(changes) }))
        .collect();
    let tests: Vec<Value> = found.tests.iter().map(rego_tests::Ran::json).collect();
    json!({
        "policies": found.documents.documents.len(), "agents": found.documents.agents.len(), "diagnostics": remarks,
        "changes": changed, "conflicts": found.conflicts, "tests": tests,
    })
}

fn text(found: &Found) -> String {
    let mut lines: Vec<String> = found.documents.remarks.iter().map(Remark::shown).collect();
    for (name, kind, changes) in &found.changed {
        lines.push(format!("{} {name}", kind.word()));
        lines.extend(changes.iter().map(|change| format!("  {}", change.shown())));
    }
    lines.extend(found.conflicts.iter().map(|conflict| format!("conflict: {conflict}")));
    lines.extend(found.tests.iter().map(rego_tests::Ran::shown));
    lines.push(format!(
        "{} policies, {} agents",
        found.documents.documents.len(),
        found.documents.agents.len()
    ));
    lines.join("\n")
}

/// For a comment on a pull request.
fn markdown(found: &Found) -> String {
    let documents = &found.documents;
    let errors = documents.errors();
    let failed = found.tests.iter().filter(|test| test.failure.is_some()).count();
    let verdict = if errors + failed == 0 {
        "✅ The policies are fine"
    } else {
        "❌ The policies can not be applied"
    };
    let mut text = format!("## {verdict}\n\n");
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{} policies, {} agents, {errors} errors, {} warnings, {} tests ({failed} failed).",
        documents.documents.len(),
        documents.agents.len(),
        documents.remarks.len() - errors,
        found.tests.len(),
    );
    if !documents.remarks.is_empty() {
        text += "\n| | where | what |\n|---|---|---|\n";
        for remark in &documents.remarks {
            let said = &remark.diagnostic;
            let sign = if said.severity == Severity::Error { "❌" } else { "⚠️" };
            let place = said.line.map(|line| format!(":{line}")).unwrap_or_default();
            let help = said.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            let within = said.within.map(|within| format!("{within}: ")).unwrap_or_default();
            let what = format!("`{}` {within}{}{help}", said.path, said.message);
            let _ = writeln!(text, "| {sign} | {}{place} | {} |", cell(&remark.source), cell(&what));
        }
    }
    if !found.changed.is_empty() {
        text += "\n### Changes\n\n";
        for (name, kind, changes) in &found.changed {
            let _ = writeln!(text, "- **{name}** {}", kind.word());
            for change in changes {
                let _ = writeln!(text, "  - `{}`", change.shown().replace('`', "'"));
            }
        }
    }
    if !found.conflicts.is_empty() {
        text += "\n### Conflicts\n\n";
        found.conflicts.iter().for_each(|conflict| text += &format!("- {conflict}\n"));
    }
    if !found.tests.is_empty() {
        text += "\n### Tests\n\n";
        found.tests.iter().for_each(|test| text += &format!("- {}\n", test.plain()));
    }
    text
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
