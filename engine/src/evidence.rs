//! What a rule went by, so that a decision can be explained later: types, scores, places and limits, never text.
use mesh_limits::Measure;

use crate::decision::{Severity, bounded_place};

/// What an objection did to the exchange, from mild to strict.
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

/// One thing a rule objected to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Violation {
    /// The policy whose rule it was.
    pub policy_id: String,
    /// The kind of rule.
    pub guard: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// A sentence for people, without content.
    pub message: String,
    /// The rule's place in the policy's list, counted from 0; none where no single rule is to blame.
    pub rule: Option<usize>,
    /// What came of it.
    pub effect: Effect,
    /// What the rule went by, where there is more to say than the message does.
    pub evidence: Option<Box<Evidence>>,
}

impl Violation {
    /// An objection that refuses, if the policy's enforcement lets it.
    pub(crate) fn new(guard: &'static str, severity: Severity, message: String) -> Self {
        Violation { guard, severity, message, effect: Effect::Denied, ..Violation::default() }
    }

    pub(crate) fn by(self, rule: usize) -> Self {
        Violation { rule: Some(rule), ..self }
    }

    pub(crate) fn with(self, effect: Effect) -> Self {
        Violation { effect, ..self }
    }

    /// Of a guard that could not run: `kind` says which sort.
    pub(crate) fn failing(self, kind: &str) -> Self {
        self.because(Evidence { kind: kind.to_owned(), ..Evidence::default() })
    }

    pub(crate) fn because(self, evidence: Evidence) -> Self {
        let place = bounded_place(&evidence.place).into_owned();
        let evidence = Evidence { place, ..evidence };
        Violation { evidence: Some(Box::new(evidence)), ..self }
    }

    /// Whether the other one says the same of another place.
    pub(crate) fn repeats(&self, other: &Violation) -> bool {
        self.policy_id == other.policy_id
            && self.guard == other.guard
            && self.rule == other.rule
            && self.message == other.message
    }
}

/// What the evidence says of a guard that could not run, in place of a type: a violation is told by it, never by its words.
pub const COULD_NOT_RUN: &str = "could-not-run";
/// What it says of a judge that could not be asked or gave no verdict.
pub const JUDGE_COULD_NOT_RUN: &str = "judge/could-not-run";

/// The facts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Type of what was found, the detector's rule, the action asked for, who was counted, or that the guard could not run:
    /// `could-not-run`, `judge/could-not-run`.
    pub kind: String,
    /// Where: `request:messages[0].content`, or which tool: `tools[2]`, `tool_calls[0]`, `server_tools[0]`.
    pub place: String,
    /// Bytes of the text at that place.
    pub span: Option<(u32, u32)>,
    /// How sure the detector was, from 0 to 1.
    pub score: Option<f32>,
    /// The score from which it counts.
    pub threshold: Option<f32>,
    /// A limit that was reached.
    pub limit: Option<u64>,
    /// What that limit counts; `cost` is in millionths. None for a limit of size.
    pub measure: Option<Measure>,
    /// Seconds until the limit lets the next request pass.
    pub retry_after_s: Option<u64>,
    /// The entry of a deny list that names what was asked for; empty when it is missing from the allow list.
    pub listed: String,
    /// Amounts that add up to the distance of a scored finding from the operating point, named by kind of feature.
    pub parts: Vec<(&'static str, f32)>,
    /// Access rules that speak of the resource, and what they miss; the nearest first.
    pub near: Vec<Near>,
}

/// An access rule that did not grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// The rule's place in the policy's list, counted from 0.
    pub rule: usize,
    /// What of it did not hold: `action`, `role`, `time`, `network`.
    pub missing: Vec<&'static str>,
}

/// A span as records carry it.
pub(crate) fn span(span: &std::ops::Range<usize>) -> Option<(u32, u32)> {
    Some((u32::try_from(span.start).ok()?, u32::try_from(span.end).ok()?))
}
