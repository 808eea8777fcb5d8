//! The facts behind a violation, so that a decision can be explained later: types, scores, places and limits, never
//! text.
use mesh_limits::Measure;

use crate::decision::{Severity, bounded_place};

/// The effect of a violation on the exchange, from mild to strict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It was recorded.
    #[default]
    Recorded,
    /// Something was rewritten or hidden.
    Modified,
    /// The request was refused for now.
    Throttled,
    /// The exchange was refused.
    Denied,
}

impl Effect {
    /// `recorded`, `modified`, `throttled` or `denied`.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Recorded => "recorded",
            Effect::Modified => "modified",
            Effect::Throttled => "throttled",
            Effect::Denied => "denied",
        }
    }
}

/// A violation of a rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Violation {
    /// The rule's policy.
    pub policy_id: String,
    /// The kind of rule.
    pub guard: &'static str,
    /// Its severity.
    pub severity: Severity,
    /// A sentence for people, without content.
    pub message: String,
    /// The rule's index in the policy's list, counted from 0; `None` if no single rule caused it.
    pub rule: Option<usize>,
    /// Its effect.
    pub effect: Effect,
    /// The facts behind it, if there is more to say than the message does.
    pub evidence: Option<Box<Evidence>>,
}

impl Violation {
    /// A violation that refuses, if the policy's enforcement lets it.
    pub(crate) fn new(guard: &'static str, severity: Severity, message: String) -> Self {
        Violation { guard, severity, message, effect: Effect::Denied, ..Violation::default() }
    }

    pub(crate) fn by(self, rule: usize) -> Self {
        Violation { rule: Some(rule), ..self }
    }

    pub(crate) fn with(self, effect: Effect) -> Self {
        Violation { effect, ..self }
    }

    /// For a guard that could not run; `kind` is one of the constants below.
    pub(crate) fn failing(self, kind: &str) -> Self {
        self.because(Evidence { kind: kind.to_owned(), ..Evidence::default() })
    }

    pub(crate) fn because(self, evidence: Evidence) -> Self {
        let place = bounded_place(&evidence.place).into_owned();
        let evidence = Evidence { place, ..evidence };
        Violation { evidence: Some(Box::new(evidence)), ..self }
    }

    /// Whether the other one reports the same in another place.
    pub(crate) fn repeats(&self, other: &Violation) -> bool {
        self.policy_id == other.policy_id
            && self.guard == other.guard
            && self.rule == other.rule
            && self.message == other.message
    }
}

/// The evidence's `kind` if a guard could not run: such a violation is recognised by this, never by its message.
pub const COULD_NOT_RUN: &str = "could-not-run";
/// The same for a judge that could not be asked or gave no verdict.
pub const JUDGE_COULD_NOT_RUN: &str = "judge/could-not-run";

/// The facts behind a violation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// The type found, the detector's rule, the requested action, who was counted, or that the guard could not run:
    /// `could-not-run`, `judge/could-not-run`.
    pub kind: String,
    /// Where: `request:messages[0].content`, or which tool: `tools[2]`, `tool_calls[0]`, `server_tools[0]`.
    pub place: String,
    /// The span in the text at that place, in bytes.
    pub span: Option<(u32, u32)>,
    /// The detector's score, from 0 to 1.
    pub score: Option<f32>,
    /// The minimum score that counts.
    pub threshold: Option<f32>,
    /// The limit that was reached.
    pub limit: Option<u64>,
    /// What that limit counts; `cost` is in millionths. `None` for a size limit.
    pub measure: Option<Measure>,
    /// Seconds until the limit lets the next request pass.
    pub retry_after_s: Option<u64>,
    /// The matching entry of a deny list; empty if the name is missing from the allow list.
    pub listed: String,
    /// The terms that add up to the distance of a scored finding from the operating point, by kind of feature.
    pub parts: Vec<(&'static str, f32)>,
    /// Access rules that concern the resource, and their unmet conditions; the nearest first.
    pub near: Vec<Near>,
}

/// An access rule that did not grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// The rule's index in the policy's list, counted from 0.
    pub rule: usize,
    /// The conditions that were not met: `action`, `role`, `time`, `network`.
    pub missing: Vec<&'static str>,
}

/// A span as records store it.
pub(crate) fn span(span: &std::ops::Range<usize>) -> Option<(u32, u32)> {
    Some((u32::try_from(span.start).ok()?, u32::try_from(span.end).ok()?))
}
