//! `policy check`: what a pull request with policies is judged by. Needs no control plane.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::PathBuf,
};

use mesh_policy::{Policy, Severity};
use serde_json::{Value, json};

use super::{conflicts::conflicts, diff::told, rego_tests};
use crate::{
    args::policy::{Check, Report},
    changes::{FieldChange, changes},
    commands::printed,
    documents::{Documents, Remark},
    failure::{Failure, Outcome},
    output::{Output, counted, say},
};

/// Everything that is found.
struct Found {
    documents: Documents,
    /// Documents that differ from those of the base, policies first.
    changed: Vec<Changed>,
    conflicts: Vec<String>,
    tests: Vec<rego_tests::Ran>,
}

/// What became of a document.
struct Changed {
    kind: Kind,
    name: String,
    /// `added`, `changed` or `removed`.
    word: &'static str,
    /// Its fields that changed; none for a document that was added or removed.
    fields: Vec<FieldChange>,
}

/// What a document describes; policies come before the agents that they are attached to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Policy,
    Agent,
}

impl Changed {
    /// `policy`, or `agent`.
    fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Policy => "policy",
            Kind::Agent => "agent",
        }
    }

    /// The word before the name in reports: none for policies, which most documents are.
    fn before_name(&self) -> &'static str {
        if self.kind == Kind::Agent { "agent " } else { "" }
    }
}

/// Checks and reports; the exit code is 3 when something is wrong.
pub(crate) fn run(output: Output, args: &Check) -> Outcome {
    let documents = Documents::read(std::slice::from_ref(&args.folder))?;
    let base = args.base.as_ref().map(Documents::read_base).transpose()?;
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
        let [errors, warnings, failed] = [(errors, "error"), (warnings, "warning"), (failed, "failed test")]
            .map(|(count, what)| counted(count, what));
        say(format_args!("{errors}, {warnings}, {failed}"));
        return Err(Failure::policy());
    }
    Ok(())
}

fn changed(base: &Documents, now: &Documents) -> Vec<Changed> {
    let (old, new) = (by_name(base), by_name(now));
    let names: BTreeSet<&(Kind, String)> = old.keys().chain(new.keys()).collect();
    let changed = names.into_iter().filter_map(|key| {
        let (word, fields) = match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) if old == new => return None,
            (Some(old), Some(new)) => ("changed", changes(old, new)),
            (None, _) => ("added", Vec::new()),
            (_, None) => ("removed", Vec::new()),
        };
        Some(Changed { kind: key.0, name: key.1.clone(), word, fields })
    });
    changed.collect()
}

fn by_name(documents: &Documents) -> BTreeMap<(Kind, String), Value> {
    let policies = documents.documents.iter().map(|one| &one.policy);
    let policies = policies.map(|policy| {
        ((Kind::Policy, policy.metadata.name.clone()), serde_json::to_value(policy).unwrap_or_default())
    });
    let agents = documents.agents.iter().map(|one| &one.agent);
    let agents = agents.map(|agent| {
        ((Kind::Agent, agent.metadata.name.clone()), serde_json::to_value(agent).unwrap_or_default())
    });
    policies.chain(agents).collect()
}

fn for_programs(found: &Found) -> Value {
    let remarks: Vec<Value> = found.documents.remarks.iter().map(Remark::json).collect();
    let changed = found.changed.iter();
    let changed: Vec<Value> = changed
        .map(|one| {
            let fields = told(&one.fields);
            json!({ "kind": one.kind(), "name": one.name, "change": one.word, "fields": fields })
        })
        .collect();
    let tests: Vec<Value> = found.tests.iter().map(rego_tests::Ran::json).collect();
    json!({
        "policies": found.documents.documents.len(), "agents": found.documents.agents.len(), "diagnostics": remarks,
        "changes": changed, "conflicts": found.conflicts, "tests": tests,
    })
}

fn text(found: &Found) -> String {
    let mut lines: Vec<String> = found.documents.remarks.iter().map(Remark::shown).collect();
    for one in &found.changed {
        lines.push(format!("{} {}{}", one.word, one.before_name(), one.name));
        lines.extend(one.fields.iter().map(|change| format!("  {}", change.shown())));
    }
    lines.extend(found.conflicts.iter().map(|conflict| format!("conflict: {conflict}")));
    lines.extend(found.tests.iter().map(rego_tests::Ran::shown));
    lines.push(format!(
        "{}, {}",
        counted(found.documents.documents.len(), "policy"),
        counted(found.documents.agents.len(), "agent")
    ));
    lines.join("\n")
}

/// For a comment on a pull request.
fn markdown(found: &Found) -> String {
    let documents = &found.documents;
    let errors = documents.errors();
    let failed = found.tests.iter().filter(|test| test.failure.is_some()).count();
    let verdict =
        if errors + failed == 0 { "✅ The policies are fine" } else { "❌ The policies cannot be applied" };
    let mut text = format!("## {verdict}\n\n");
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{}, {}, {}, {}, {} ({failed} failed).",
        counted(documents.documents.len(), "policy"),
        counted(documents.agents.len(), "agent"),
        counted(errors, "error"),
        counted(documents.remarks.len() - errors, "warning"),
        counted(found.tests.len(), "test"),
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
        for one in &found.changed {
            let _ = writeln!(text, "- {}**{}** {}", one.before_name(), one.name, one.word);
            for change in &one.fields {
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
