//! Authors' Rego tests: a file `NAME_test.rego` tests the Rego rules of the policy NAME, as they stand in its document.

use std::path::{Path, PathBuf};

use mesh_policy::{Policy, Rule};
use mesh_rego::{Module, run_tests};
use serde_json::{Map, Value, json};

use crate::{
    documents::Documents,
    failure::{Exit, Failure, Outcome},
    output::{BAD, GOOD, styled},
};

/// A test that was run.
pub(crate) struct Ran {
    file: String,
    name: String,
    /// Why it failed; none when it passed.
    pub(crate) failure: Option<String>,
}

impl Ran {
    /// One line for people.
    pub(crate) fn shown(&self) -> String {
        match &self.failure {
            None => format!("{} {} {}", styled(GOOD, "ok"), self.file, self.name),
            Some(why) => format!("{} {} {}: {why}", styled(BAD, "FAILED"), self.file, self.name),
        }
    }

    /// The same for Markdown.
    pub(crate) fn plain(&self) -> String {
        match &self.failure {
            None => format!("✅ `{}` {}", self.file, self.name),
            Some(why) => format!("❌ `{}` {}: {why}", self.file, self.name),
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        json!({ "file": self.file, "name": self.name, "passed": self.failure.is_none(), "failure": self.failure })
    }
}

/// Runs the tests that stand beside the documents in these folders (a file's folder is not searched).
pub(crate) fn run(documents: &Documents, paths: &[PathBuf]) -> Outcome<Vec<Ran>> {
    let mut ran = Vec::new();
    for folder in paths.iter().filter(|path| path.is_dir()) {
        for file in test_files(folder)? {
            let policies = documents.documents.iter().map(|document| &document.policy);
            ran.extend(run_file(&file, policies)?);
        }
    }
    Ok(ran)
}

fn test_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|error| Failure::file("read", folder, &error))?;
    let is_test = |file: &PathBuf| file.to_string_lossy().ends_with(ENDING);
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_test).collect();
    files.sort();
    Ok(files)
}

const ENDING: &str = "_test.rego";

fn run_file<'a>(file: &Path, mut policies: impl Iterator<Item = &'a Policy>) -> Outcome<Vec<Ran>> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::file("read", file, &error))?;
    let shown = file.display().to_string();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(ENDING).unwrap_or_default();
    let Some(policy) = policies.find(|policy| policy.metadata.name == name) else {
        return Err(Failure::failed(format!(
            "{shown}: there is no policy {name:?} whose rules it could test"
        ))
        .exit(Exit::Policy)
        .hint("the file's name is the policy's with _test.rego behind it"));
    };
    let (modules, data) = rules(policy);
    if modules.is_empty() {
        return Err(
            Failure::failed(format!("{shown}: the policy {name:?} has no Rego rule")).exit(Exit::Policy)
        );
    }
    let tests = [Module { name: shown.clone(), source: text }];
    let runs = run_tests(&modules, &Value::Object(data), &tests).map_err(|errors| {
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        Failure::failed(lines.join("\n")).exit(Exit::Policy)
    })?;
    let ran = |run: mesh_rego::TestRun| Ran { file: shown.clone(), name: run.name, failure: run.failure };
    Ok(runs.into_iter().map(ran).collect())
}

/// The modules of a policy's Rego rules, and their data documents together.
fn rules(policy: &Policy) -> (Vec<Module>, Map<String, Value>) {
    let (mut modules, mut data) = (Vec::new(), Map::new());
    for (index, rule) in policy.spec.rules.iter().enumerate() {
        if let Rule::Rego(rule) = rule {
            let name = format!("{}: spec.rules[{index}].rego.module", policy.metadata.name);
            modules.push(Module { name, source: rule.module.clone() });
            data.extend(rule.data.clone());
        }
    }
    (modules, data)
}
