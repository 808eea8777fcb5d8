//! Policies and agents from files, folders and standard input; what is wrong with them as FILE:LINE:COLUMN.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

use mesh_policy::{Agent, Diagnostic, Document as Any, ParsedDocument, Policy, Severity};
use serde_json::{Value, json};

use crate::{
    bundle,
    failure::{Failure, Outcome},
    output::{BAD, FAINT, STRONG, WARN, say, styled},
};

/// A policy that was read, and where from.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) source: String,
    pub(crate) policy: Policy,
}

/// An agent's document that was read, and where from.
#[derive(Debug)]
pub(crate) struct AgentDocument {
    pub(crate) source: String,
    pub(crate) agent: Agent,
}

/// A remark, and the file that it is about.
#[derive(Debug)]
pub(crate) struct Remark {
    pub(crate) source: String,
    /// The policy, when the remark is about one that could be read.
    pub(crate) policy: Option<String>,
    pub(crate) diagnostic: Diagnostic,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub(crate) documents: Vec<Document>,
    pub(crate) agents: Vec<AgentDocument>,
    pub(crate) remarks: Vec<Remark>,
    pub(crate) tests: Vec<RegoTest>,
}

/// A file of Rego tests that came with a policy.
#[derive(Debug)]
pub(crate) struct RegoTest {
    pub(crate) policy: String,
    pub(crate) file: String,
    pub(crate) text: String,
}

impl Documents {
    /// Reads and compiles files, folders (their `.yaml`, `.yml` and `.json` files in order of name), OPA's bundles (folders
    /// with a `.manifest`, and `.tar.gz` archives) and `-`.
    pub(crate) fn read(paths: &[PathBuf]) -> Outcome<Self> {
        let mut all = Self::default();
        for path in paths {
            if path == Path::new("-") {
                let mut text = String::new();
                let read = std::io::stdin().lock().read_to_string(&mut text);
                read.map_err(|error| Failure::environment(format!("can't read standard input: {error}")))?;
                all.add("standard input", &text);
                continue;
            }
            if bundle::is_bundle(path) {
                all.add_bundle(path)?;
                continue;
            }
            for file in files(path)? {
                match std::fs::read_to_string(&file) {
                    Ok(text) => all.add(&file.display().to_string(), &text),
                    Err(error) if file == *path => return Err(Failure::file("read", &file, &error)),
                    // A folder goes on after a bad file, so that the errors of all files are reported.
                    Err(error) => all.remarks.push(Remark {
                        source: file.display().to_string(),
                        policy: None,
                        diagnostic: Diagnostic::error("", format!("can't be read: {error}")),
                    }),
                }
            }
        }
        all.find_twins();
        Ok(all)
    }

    /// As [`Documents::read`] for one path; a folder that holds nothing yet holds no policies.
    pub(crate) fn read_base(path: &PathBuf) -> Outcome<Self> {
        let empty = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
        if empty { Ok(Self::default()) } else { Self::read(std::slice::from_ref(path)) }
    }

    /// A bundle is one policy; what is said of it names the file in it.
    fn add_bundle(&mut self, path: &Path) -> Outcome {
        let source = path.display().to_string();
        let remark = |policy: Option<&str>, diagnostic| Remark {
            source: source.clone(),
            policy: policy.map(str::to_owned),
            diagnostic,
        };
        match mesh_policy::from_opa_bundle(&bundle::name(path), &bundle::files(path)?) {
            Err(said) => self.remarks.extend(said.into_iter().map(|said| remark(None, said))),
            Ok(read) => {
                let name = read.policy.metadata.name.clone();
                let compiled = compiled(&read.policy);
                self.remarks.extend(read.warnings.into_iter().map(|said| remark(Some(&name), said)));
                self.remarks.extend(compiled.into_iter().map(|said| remark(Some(&name), said).in_file()));
                let tests = read.tests.into_iter();
                self.tests.extend(tests.map(|(file, text)| RegoTest {
                    policy: name.clone(),
                    file: format!("{source}/{file}"),
                    text,
                }));
                self.documents.push(Document { source: source.clone(), policy: read.policy });
            }
        }
        Ok(())
    }

    fn add(&mut self, source: &str, text: &str) {
        let remark = |policy: Option<&str>, diagnostic| Remark {
            source: source.to_owned(),
            policy: policy.map(str::to_owned),
            diagnostic,
        };
        match mesh_policy::documents_from_yaml(text) {
            Err(diagnostics) => self.remarks.extend(diagnostics.into_iter().map(|d| remark(None, d))),
            Ok(parsed) => {
                for (index, ParsedDocument { document, mut warnings }) in parsed.into_iter().enumerate() {
                    let policy = match document {
                        Any::Policy(policy) => policy,
                        Any::Agent(agent) => {
                            self.remarks.extend(warnings.into_iter().map(|said| remark(None, said)));
                            self.agents.push(AgentDocument { source: source.to_owned(), agent });
                            continue;
                        }
                        // These kinds are never written in files.
                        Any::Tool(_) | Any::State(_) | Any::Price(_) => continue,
                    };
                    let name = policy.metadata.name.clone();
                    let mut compiled = compiled(&policy);
                    mesh_policy::locate(text, index, &mut compiled);
                    warnings.append(&mut compiled);
                    self.remarks
                        .extend(warnings.into_iter().map(|diagnostic| remark(Some(&name), diagnostic)));
                    self.documents.push(Document { source: source.to_owned(), policy });
                }
            }
        }
    }

    /// Two documents of one name: the second would silently replace the first.
    fn find_twins(&mut self) {
        let named = |name: &str, source: &str| (name.to_owned(), source.to_owned());
        let agents = self.agents.iter().map(|it| named(&it.agent.metadata.name, &it.source)).collect();
        let policies = self.documents.iter().map(|it| named(&it.policy.metadata.name, &it.source)).collect();
        self.find_twins_of(agents, ("id", "two agents", "each agent"), |_| None);
        self.find_twins_of(policies, ("name", "two policies", "each policy"), Some);
    }

    /// `policy` is the policy that a remark on a name is about.
    fn find_twins_of(
        &mut self,
        named: Vec<(String, String)>,
        (what, two, each): (&str, &str, &str),
        policy: fn(String) -> Option<String>,
    ) {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for (name, source) in named {
            if let Some(first) = seen.insert(name.clone(), source.clone()) {
                let message = format!("{name:?} is the {what} of {two}; the other is in {first}");
                let help = format!("give {each} its own {what}");
                let diagnostic = Diagnostic::error("metadata.name", message).help(help);
                self.remarks.push(Remark { source, policy: policy(name), diagnostic });
            }
        }
    }

    /// Everything, policies first.
    pub(crate) fn all(&self) -> Vec<Any> {
        let policies = self.documents.iter().map(|document| Any::Policy(document.policy.clone()));
        policies.chain(self.agents.iter().map(|document| Any::Agent(document.agent.clone()))).collect()
    }

    /// How many remarks are errors.
    pub(crate) fn errors(&self) -> usize {
        self.remarks.iter().filter(|remark| remark.diagnostic.severity == Severity::Error).count()
    }

    /// Says the remarks on standard error; an error ends the command.
    pub(crate) fn refuse_errors(&self) -> Outcome {
        self.remarks.iter().for_each(|remark| say(remark.shown()));
        if self.errors() > 0 { Err(Failure::policy()) } else { Ok(()) }
    }
}

/// What the compiler says of a policy.
fn compiled(policy: &Policy) -> Vec<Diagnostic> {
    mesh_engine::check(policy).err().unwrap_or_else(|| mesh_engine::remarks(policy))
}

impl Remark {
    /// Of a bundle's module: its file, and the line in it.
    fn in_file(mut self) -> Self {
        let module = self.diagnostic.path.strip_prefix("spec.rules[0].rego.modules[\"");
        if let Some(file) = module.and_then(|rest| rest.strip_suffix("\"]")) {
            self.source = format!("{}/{file}", self.source);
            self.diagnostic.path = String::new();
            if let Some(within) = self.diagnostic.within.take() {
                self.diagnostic = self.diagnostic.at(within.line, within.column);
            }
        }
        self
    }

    /// `FILE:LINE:COLUMN: error: FIELD: what was found`, and on a line of its own what to do.
    pub(crate) fn shown(&self) -> String {
        let Diagnostic { severity, path, line, column, within, message, help } = &self.diagnostic;
        let mut place = self.source.clone();
        if let Some(line) = line {
            place += &format!(":{line}:{}", column.unwrap_or(1));
        }
        let severity = match severity {
            Severity::Error => styled(BAD, "error"),
            Severity::Warning => styled(WARN, "warning"),
        };
        let mut text = format!("{}: {severity}: ", styled(STRONG, place));
        if let Some(policy) = &self.policy {
            text += &format!("policy {policy}: ");
        }
        if !path.is_empty() {
            text += &format!("{path}: ");
        }
        if let Some(within) = within {
            text += &format!("{within}: ");
        }
        text += message;
        if let Some(help) = help {
            text += &format!("\n  {}", styled(FAINT, help));
        }
        text
    }

    /// The remark for programs.
    pub(crate) fn json(&self) -> Value {
        let mut value = serde_json::to_value(&self.diagnostic).unwrap_or_else(|_| json!({}));
        value["source"] = self.source.clone().into();
        value["policy"] = self.policy.clone().into();
        value
    }
}

/// The file itself, or the policy files in a folder.
fn files(path: &Path) -> Outcome<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(|error| Failure::file("read", path, &error))?;
    let wanted = |file: &PathBuf| {
        file.is_file() && file.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json")
    };
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(wanted).collect();
    files.sort();
    if files.is_empty() {
        return Err(Failure::environment(format!(
            "there is no .yaml, .yml or .json file in {}",
            path.display()
        )));
    }
    Ok(files)
}
