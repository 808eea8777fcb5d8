//! OPA's bundles: a folder (or an archive of one) with `.manifest`, `data.json` and `data.yaml` at any depth, and `.rego`
//! files. A bundle becomes one policy with one `rego` rule.
//!
//! The bundle says what OPA has no word for under `metadata` in its manifest:
//! `"metadata": { "ai-mesh": { "name": …, "package": …, "target": …, "enforcement": …, "failureMode": …, "description": … } }`.
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::yaml::value_from_yaml;
use crate::{Diagnostic, Policy, from_value};

/// Most files in a bundle.
pub const MAX_BUNDLE_FILES: usize = 1_000;
/// Most bytes of all its files together.
pub const MAX_BUNDLE_BYTES: u64 = 1 << 20;
/// Most folders above a file.
const MAX_DEPTH: usize = 16;

/// A bundle that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct OpaBundle {
    /// What it says, as a policy.
    pub policy: Policy,
    /// Its tests (`…_test.rego`), by path: they take no part in decisions.
    pub tests: BTreeMap<String, String>,
    /// What its author should know.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a bundle's files, each with its path in the bundle. `name` is the policy's where the manifest gives none. The
/// paths in what is returned are those of files, not of fields.
///
/// # Errors
/// Everything that is wrong with it.
pub fn from_opa_bundle(name: &str, files: &[(String, Vec<u8>)]) -> Result<OpaBundle, Vec<Diagnostic>> {
    let mut read = Reader::default();
    let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    if files.len() > MAX_BUNDLE_FILES || bytes as u64 > MAX_BUNDLE_BYTES {
        let (count, most) = (files.len(), MAX_BUNDLE_FILES);
        let message = format!(
            "the bundle has {count} files and {bytes} bytes, expected at most {most} and {MAX_BUNDLE_BYTES}"
        );
        return Err(vec![Diagnostic::error("", message)]);
    }
    for (path, bytes) in files {
        read.file(path, bytes);
    }
    read.policy(name)
}

/// Whether a path stays in its bundle, on every system.
pub fn is_bundle_path(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let plain = |part: &&str| !part.is_empty() && !matches!(*part, "." | "..");
    parts.len() <= MAX_DEPTH
        && parts.iter().all(plain)
        && !path.chars().any(|c| c.is_control() || matches!(c, '\\' | ':'))
}

#[derive(Default)]
struct Reader {
    manifest: Value,
    modules: BTreeMap<String, String>,
    tests: BTreeMap<String, String>,
    data: Map<String, Value>,
    /// Where data stands, and which file it is from.
    places: Vec<(Vec<String>, String)>,
    found: Vec<Diagnostic>,
}

impl Reader {
    fn file(&mut self, path: &str, bytes: &[u8]) {
        if !is_bundle_path(path) {
            let message = format!("the path {path:?} leads out of the bundle, or is no path on every system");
            return self.found.push(Diagnostic::error("", message));
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let wanted = matches!(name, ".manifest" | "data.json" | "data.yaml" | "data.yml");
        if !wanted && !name.ends_with(".rego") {
            if matches!(name, "policy.wasm" | "plan.json") {
                self.found.push(Diagnostic::warning(path, "compiled policies are not run: the sources are"));
            }
            return;
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return self.found.push(Diagnostic::error(path, "the file is not UTF-8"));
        };
        match name {
            ".manifest" if path == name => match serde_json::from_str(text) {
                Ok(manifest) => self.manifest = manifest,
                Err(error) => self.found.push(Diagnostic::error(path, format!("no JSON: {error}"))),
            },
            ".manifest" => {
                self.found.push(Diagnostic::error(path, "a manifest stands at the top of its bundle"))
            }
            _ if name.ends_with("_test.rego") => {
                self.tests.insert(path.to_owned(), text.to_owned());
            }
            _ if name.ends_with(".rego") => {
                self.modules.insert(path.to_owned(), text.to_owned());
            }
            _ => self.document(path, name, text),
        }
    }

    fn document(&mut self, path: &str, name: &str, text: &str) {
        let value = if name == "data.json" {
            serde_json::from_str(text).map_err(|error| Diagnostic::error(path, format!("no JSON: {error}")))
        } else {
            value_from_yaml(text).map_err(|said| Diagnostic { path: path.to_owned(), ..said })
        };
        let value: Value = match value {
            Ok(value) => value,
            Err(said) => return self.found.push(said),
        };
        let folders: Vec<String> = path.split('/').map(str::to_owned).collect();
        let folders = folders.get(..folders.len().saturating_sub(1)).unwrap_or_default();
        if !value.is_object() && folders.is_empty() {
            return self.found.push(Diagnostic::error(path, "found a single value, expected an object"));
        }
        self.places.extend(leaves(folders, &value).into_iter().map(|place| (place, path.to_owned())));
        let nested = folders.iter().rev().fold(value, |value, folder| json!({ folder: value }));
        if let Value::Object(fields) = nested
            && let Err(at) = merge(&mut self.data, fields)
        {
            let message = format!("`data.{at}` has a value in another file already");
            self.found.push(Diagnostic::error(path, message));
        }
    }

    fn policy(mut self, name: &str) -> Result<OpaBundle, Vec<Diagnostic>> {
        self.roots();
        if let Some(version) = self.manifest.get("rego_version").filter(|version| **version != json!(1)) {
            let message = format!("found `rego_version` {version}, expected 1");
            self.found.push(
                Diagnostic::error(".manifest", message)
                    .help("`opa fmt --rego-v1` brings modules to version 1"),
            );
        }
        if self.modules.is_empty() {
            self.found.push(Diagnostic::error("", "there is no .rego file in the bundle"));
        }
        let ours = self.manifest.pointer("/metadata/ai-mesh").cloned().unwrap_or_else(|| json!({}));
        let mut spec = ours.as_object().cloned().unwrap_or_default();
        let name = spec.remove("name").unwrap_or_else(|| json!(name));
        let mut rule = Map::new();
        rule.extend(spec.remove("package").map(|package| ("package".to_owned(), package)));
        rule.insert("modules".to_owned(), json!(self.modules));
        if !self.data.is_empty() {
            rule.insert("data".to_owned(), Value::Object(self.data));
        }
        spec.insert("rules".to_owned(), json!([{ "rego": rule }]));
        let revision = self.manifest.get("revision").and_then(Value::as_str).filter(|text| !text.is_empty());
        let labels = revision.map_or_else(|| json!({}), |revision| json!({ "opa-revision": revision }));
        let document = json!({
            "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy",
            "metadata": { "name": name, "labels": labels }, "spec": spec,
        });
        let errors = crate::read::has_errors(&self.found);
        match from_value(&document) {
            Ok(parsed) if !errors => {
                self.found.extend(parsed.warnings);
                Ok(OpaBundle { policy: parsed.policy, tests: self.tests, warnings: self.found })
            }
            Ok(_) => Err(self.found),
            Err(said) => {
                // What the manifest says stands there, whatever the field is called in a policy.
                let told = said
                    .into_iter()
                    .map(|said| Diagnostic { path: format!(".manifest: {}", said.path), ..said });
                self.found.extend(told);
                Err(self.found)
            }
        }
    }

    /// The manifest's roots own everything that is in the bundle, and do not overlap.
    fn roots(&mut self) {
        let Some(roots) = self.manifest.get("roots") else { return };
        let Ok(roots) = serde_json::from_value::<Vec<String>>(roots.clone()) else {
            return self.found.push(Diagnostic::error(".manifest", "`roots` has to be a list of paths"));
        };
        let roots: Vec<Vec<String>> = roots.iter().map(|root| parts(root.trim_matches('/'), '/')).collect();
        for (index, root) in roots.iter().enumerate() {
            let twice = roots.iter().enumerate().any(|(other, one)| other != index && root.starts_with(one));
            if twice {
                let message = format!("the root {:?} lies within another", root.join("/"));
                self.found.push(Diagnostic::error(".manifest", message));
            }
        }
        let owned = |place: &[String]| roots.iter().any(|root| place.starts_with(root));
        for (path, source) in &self.modules {
            if let Some(package) = package_of(source).filter(|package| !owned(&parts(package, '.'))) {
                let message = format!("`package {package}` lies outside of the manifest's roots");
                self.found.push(Diagnostic::error(path, message));
            }
        }
        for (place, path) in self.places.iter().filter(|(place, _)| !owned(place)) {
            let message = format!("`data.{}` lies outside of the manifest's roots", place.join("."));
            self.found.push(Diagnostic::error(path, message));
        }
    }
}

fn parts(path: &str, by: char) -> Vec<String> {
    path.split(by).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The package that a module names: its first statement.
fn package_of(source: &str) -> Option<&str> {
    let line = source.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    line.strip_prefix("package ")?.split_whitespace().next()
}

/// The paths of a document's values that are no objects.
fn leaves(folders: &[String], value: &Value) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut pending = vec![(folders.to_vec(), value)];
    while let Some((path, value)) = pending.pop() {
        match value {
            Value::Object(fields) if !fields.is_empty() => pending.extend(
                fields
                    .iter()
                    .map(|(name, value)| ([path.as_slice(), std::slice::from_ref(name)].concat(), value)),
            ),
            _ => found.push(path),
        }
    }
    found.sort();
    found
}

/// Puts fields into others; where both have a value, the path of it is the error. It recurses as deep as folders and
/// documents nest, which is bounded.
fn merge(into: &mut Map<String, Value>, fields: Map<String, Value>) -> Result<(), String> {
    for (name, value) in fields {
        match (into.get_mut(&name), value) {
            (None, value) => {
                into.insert(name, value);
            }
            (Some(Value::Object(known)), Value::Object(fields)) => {
                merge(known, fields).map_err(|at| format!("{name}.{at}"))?;
            }
            (Some(_), _) => return Err(name),
        }
    }
    Ok(())
}
