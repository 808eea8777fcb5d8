//! `policy convert`: documents of earlier versions in today's schema.

use serde_json::Value;

use crate::{
    commands::printed,
    documents::Documents,
    failure::{Failure, Outcome},
    output::{Output, say},
};

/// Prints the documents as they are enforced, and warns of the fields that are not enforced.
pub(crate) fn run(output: Output, files: &[std::path::PathBuf]) -> Outcome {
    let read = Documents::read(files)?;
    read.refuse_errors()?;
    let documents = read.all();
    if output.for_programs() {
        let values: Vec<Value> = documents.iter().filter_map(|one| serde_json::to_value(one).ok()).collect();
        return printed(output.text(&format!("{:#}", Value::Array(values))));
    }
    let mut parts = Vec::new();
    for document in &documents {
        let yaml = serde_saphyr::to_string(document);
        parts.push(yaml.map_err(|error| Failure::failed(format!("can't write it as YAML: {error}")))?);
    }
    if parts.is_empty() {
        say("there is no policy in it");
    }
    printed(output.text(parts.join("---\n").trim_end()))
}
