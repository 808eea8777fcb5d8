//! What a `content` rule says of answers: addresses, active HTML, the system prompt's mark.
use serde::{Deserialize, Serialize};

/// Addresses in answers: pages fetch pictures and offer links, and an address can carry away what the model knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinksRule {
    /// Hosts that answers may name: `docs.example.com`, `*.example.com` for all below it, `*` for any. Left out: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// What happens to the address of another host.
    #[serde(default)]
    pub action: OutputAction,
}

/// Active HTML in answers: scripts, frames, event handlers, `javascript:` addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HtmlRule {
    /// What happens to it.
    #[serde(default)]
    pub action: OutputAction,
}

/// What happens to a part of an answer that a reader's program would act on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum OutputAction {
    /// It is written so that a person still sees it and no program acts on it.
    #[default]
    Defang,
    /// It is taken out.
    Remove,
    /// The answer is refused.
    Block,
    /// It passes and is recorded.
    Log,
}

/// Whether the code in an answer's Markdown, which readers show as it stands, is inspected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum CodeText {
    /// It passes.
    #[default]
    Pass,
    /// It is inspected: for readers that take answers for HTML.
    Inspect,
}

/// A mark in the system prompt, by which an answer that repeats the prompt is recognised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CanaryRule {
    /// What happens to an answer that contains the mark.
    #[serde(default)]
    pub action: CanaryAction,
}

/// What happens to an answer that contains the mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum CanaryAction {
    /// The answer is refused.
    #[default]
    Block,
    /// The mark is taken out, and the answer passes.
    Redact,
    /// It passes and is recorded.
    Log,
}
