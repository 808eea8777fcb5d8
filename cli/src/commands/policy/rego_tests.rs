//! Authors' Rego tests: a file `NAME_test.rego` tests the Rego rules of the policy NAME, as they stand in its document; a
//! bundle brings its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mesh_policy::{Policy, Rule};
use mesh_rego::{Coverage, Module, run_tests};
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

/// What came of all tests.
pub(crate) struct Report {
    pub(crate) tests: Vec<Ran>,
    coverage: Vec<Covered>,
}

/// How much of a policy's module the tests have evaluated.
struct Covered {
    policy: String,
    coverage: Coverage,
}

impl Report {
    pub(crate) fn failed(&self) -> usize {
        self.tests.iter().filter(|test| test.failure.is_some()).count()
    }

    /// A line for each module, with the lines that no test evaluates.
    pub(crate) fn coverage_shown(&self) -> Vec<String> {
        let shown = |covered: &Covered| {
            let Covered { policy, coverage } = covered;
            let missed = match ranges(&coverage.missed) {
                none if none.is_empty() => String::new(),
                missed => format!(" (not evaluated: {missed})"),
            };
            format!("{:>4}% {policy} {}{missed}", percent(coverage), coverage.module)
        };
        self.coverage.iter().map(shown).collect()
    }

    pub(crate) fn coverage_json(&self) -> Value {
        let files = self.coverage.iter().map(|Covered { policy, coverage }| {
            json!({ "policy": policy, "module": coverage.module, "percent": percent(coverage),
                    "covered": coverage.covered, "missed": coverage.missed })
        });
        Value::Array(files.collect())
    }
}

/// Of the lines that could be evaluated, in whole percent; rounded down, so that 100 means all.
fn percent(coverage: &Coverage) -> usize {
    let (covered, missed) = (coverage.covered.len(), coverage.missed.len());
    (covered * 100).checked_div(covered + missed).unwrap_or(100)
}

/// `3, 7-9` of the lines.
fn ranges(lines: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *line => *last = *line,
            _ => ranges.push((*line, *line)),
        }
    }
    let shown = |(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// Runs the tests that stand beside the documents in these folders (a file's folder is not searched), and those that came
/// in bundles.
pub(crate) fn run(documents: &Documents, paths: &[PathBuf]) -> Outcome<Report> {
    let mut tests: BTreeMap<String, Vec<Module>> = BTreeMap::new();
    for test in &documents.tests {
        let module = Module { name: test.file.clone(), source: test.text.clone() };
        tests.entry(test.policy.clone()).or_default().push(module);
    }
    let plain = |path: &&PathBuf| path.is_dir() && !crate::bundle::is_bundle(path);
    for folder in paths.iter().filter(plain) {
        for file in test_files(folder)? {
            let text =
                std::fs::read_to_string(&file).map_err(|error| Failure::file("read", &file, &error))?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let policy = name.strip_suffix(ENDING).unwrap_or_default().to_owned();
            tests.entry(policy).or_default().push(Module { name: file.display().to_string(), source: text });
        }
    }
    let mut report = Report { tests: Vec::new(), coverage: Vec::new() };
    for (name, tests) in tests {
        let mut policies = documents.documents.iter().map(|document| &document.policy);
        let policy = policies.find(|policy| policy.metadata.name == name);
        run_policy(&name, policy, &tests, &mut report)?;
    }
    Ok(report)
}

fn test_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|error| Failure::file("read", folder, &error))?;
    let is_test = |file: &PathBuf| file.to_string_lossy().ends_with(ENDING);
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_test).collect();
    files.sort();
    Ok(files)
}

const ENDING: &str = "_test.rego";

fn run_policy(name: &str, policy: Option<&Policy>, tests: &[Module], report: &mut Report) -> Outcome {
    let shown = tests.first().map(|test| test.name.as_str()).unwrap_or_default();
    let Some(policy) = policy else {
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
    let tested = run_tests(&modules, &Value::Object(data), tests).map_err(|errors| {
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        Failure::failed(lines.join("\n")).exit(Exit::Policy)
    })?;
    let ran = |run: mesh_rego::TestRun| Ran { file: run.module, name: run.name, failure: run.failure };
    report.tests.extend(tested.runs.into_iter().map(ran));
    let covered = |coverage| Covered { policy: name.to_owned(), coverage };
    report.coverage.extend(tested.coverage.into_iter().map(covered));
    Ok(())
}

/// The modules of a policy's Rego rules, and their data documents together.
fn rules(policy: &Policy) -> (Vec<Module>, Map<String, Value>) {
    let (mut modules, mut data) = (Vec::new(), Map::new());
    for (index, rule) in policy.spec.rules.iter().enumerate() {
        if let Rule::Rego(rule) = rule {
            if !rule.module.is_empty() {
                let name = format!("{}: spec.rules[{index}].rego.module", policy.metadata.name);
                modules.push(Module { name, source: rule.module.clone() });
            }
            let others = rule.modules.iter();
            modules
                .extend(others.map(|(name, source)| Module { name: name.clone(), source: source.clone() }));
            data.extend(rule.data.clone());
        }
    }
    (modules, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_as_ranges() {
        for (lines, expected) in
            [(&[][..], ""), (&[3], "3"), (&[3, 7, 8, 9], "3, 7-9"), (&[1, 2, 4], "1-2, 4")]
        {
            assert_eq!(ranges(lines), expected);
        }
    }
}
