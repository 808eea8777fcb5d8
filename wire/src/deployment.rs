//! Models in OpenAI's paths: Azure's deployments, and engines.

use std::borrow::Cow;

use crate::route::{after, matches};

/// Operations of OpenAI's that stand behind a deployment or an engine, longer ones first.
const OPERATIONS: &[&[&str]] = &[
    &["extensions", "chat", "completions"],
    &["chat", "completions"],
    &["images", "generations"],
    &["images", "variations"],
    &["images", "edits"],
    &["audio", "transcriptions"],
    &["audio", "translations"],
    &["audio", "speech"],
    &["completions"],
    &["embeddings"],
    &["responses"],
    &["moderations"],
];

/// What stands between these words and an operation.
fn before_operation<'s>(segments: &'s [Cow<'_, str>], these: &[&str]) -> Option<&'s [Cow<'s, str>]> {
    let at = segments.windows(these.len()).position(|window| matches(window, these))?;
    let rest = segments.get(at + these.len()..)?;
    OPERATIONS.iter().find_map(|operation| {
        let (model, tail) = rest.split_at_checked(rest.len().checked_sub(operation.len())?)?;
        matches(tail, operation).then_some(model)
    })
}

/// The model that stands before an operation of OpenAI's in a path.
pub(crate) fn model(segments: &[Cow<'_, str>]) -> Option<String> {
    deployment(segments).or_else(|| engine(segments))
}

/// Azure's deployment; in proxies it has slashes, as a provider's name before a model's.
fn deployment(segments: &[Cow<'_, str>]) -> Option<String> {
    match before_operation(segments, &["openai", "deployments"]) {
        Some(model) => Some(model.join("/")).filter(|model| !model.is_empty()),
        None => after(segments, &["openai", "deployments"]).map(str::to_owned),
    }
}

/// The model of the older `/engines/{model}/completions`. A version there is no model's end: `/engines/llama.cpp/v1/…` names a server.
fn engine(segments: &[Cow<'_, str>]) -> Option<String> {
    let model = before_operation(segments, &["engines"])?;
    model.last().filter(|last| !is_version(last)).map(|_| model.join("/"))
}

/// `v1`, `v1beta`.
pub(crate) fn is_version(segment: &str) -> bool {
    let rest = segment.strip_prefix(['v', 'V']);
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
