//! The second opinion of an `injection` rule: a classifier outside the proxy.
use serde::{Deserialize, Serialize};

use crate::FailureMode;

/// Asks a classifier about texts that score below the rule's sensitivity and yet not low.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JudgeRule {
    /// The lowest score of the filter's own, from 0 to 1, at which the judge is asked; at 0.5 medium sensitivity finds by itself.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub from: f64,
    /// The judge's score, from 0 to 1, from which a text is an attack.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub threshold: f64,
    /// The judge's labels that stand for an attack, without regard to case; of several the highest score counts.
    #[serde(skip_serializing_if = "is_default_labels")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub labels: Vec<String>,
    /// Whether the upstream is asked meanwhile.
    pub mode: JudgeMode,
    /// How long the judge may take, in milliseconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10000)))]
    pub deadline_ms: u32,
    /// What happens when the judge does not answer; left out, what the policy says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_mode: Option<FailureMode>,
}

/// When the upstream is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum JudgeMode {
    /// After the verdict.
    #[default]
    Wait,
    /// At once; its answer is held back until the verdict.
    Parallel,
}

impl JudgeRule {
    /// Labels for an attack of the classifiers that are in use.
    pub const DEFAULT_LABELS: [&'static str; 5] =
        ["INJECTION", "JAILBREAK", "MALICIOUS", "UNSAFE", "LABEL_1"];
}

impl Default for JudgeRule {
    fn default() -> Self {
        JudgeRule {
            from: 0.3,
            threshold: 0.5,
            labels: Self::DEFAULT_LABELS.map(str::to_owned).to_vec(),
            mode: JudgeMode::default(),
            deadline_ms: 500,
            failure_mode: None,
        }
    }
}

fn is_default_labels(labels: &[String]) -> bool {
    labels == JudgeRule::DEFAULT_LABELS
}
