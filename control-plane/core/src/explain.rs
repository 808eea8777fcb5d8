//! Why a decision was what it was, and what would have changed it: made of the record and of the very policy versions that
//! applied. No content is needed, since none was kept.
use jiff::Timestamp;
use mesh_policy::{Policy, Rule};
use serde::Serialize;
use utoipa::ToSchema;

use crate::counterfactual::would_pass_if;
use crate::decision::{Decision, GuardOutcomes, Violation};

/// A decision, explained.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Explanation {
    /// The decision.
    pub decision_id: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// Who asked.
    pub agent_id: String,
    /// `allow`, `allow_with_modifications`, `deny` or `throttle`.
    pub decision: String,
    /// HTTP status the agent saw.
    pub status: u32,
    /// The outcome and what brought it about, in a sentence.
    pub summary: String,
    /// Everything a rule objected to; what decided comes first.
    pub reasons: Vec<Reason>,
    /// What each guard that applied did.
    pub guards: GuardOutcomes,
}

/// One rule's objection.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Reason {
    /// Whether the outcome is this objection's work (perhaps with others').
    pub decisive: bool,
    /// The version of the policy that applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The field of the document that holds the rule, such as `spec.rules[1].pii`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// The rule itself, as that version of the document has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub rule_document: Option<serde_json::Value>,
    /// The objection and its facts.
    #[serde(flatten)]
    pub violation: Violation,
    /// What would have made this objection go away; each is enough alone.
    pub would_pass_if: Vec<String>,
}

/// Explains a decision. `document` gives the policy of that name and version, if it is still known.
pub fn explain(decision: &Decision, document: impl Fn(&str, u64) -> Option<Policy>) -> Explanation {
    let said = decision.policy_violations.iter().chain(&decision.warnings);
    let mut reasons: Vec<Reason> =
        said.map(|violation| reason(decision, violation.clone(), &document)).collect();
    reasons.sort_by_key(|reason| !reason.decisive);
    Explanation {
        decision_id: decision.decision_id.clone(),
        time: decision.time,
        agent_id: decision.agent_id.clone(),
        decision: decision.decision.clone(),
        status: decision.status,
        summary: summary(decision, &reasons),
        reasons,
        guards: decision.guards.clone(),
    }
}

fn reason(
    decision: &Decision,
    violation: Violation,
    document: impl Fn(&str, u64) -> Option<Policy>,
) -> Reason {
    let applied = decision.policies.iter().find(|policy| policy.id == violation.policy_id);
    let version = applied.map(|policy| policy.version);
    let policy = version.and_then(|version| document(&violation.policy_id, version));
    let rule: Option<&Rule> =
        violation.rule.and_then(|index| policy.as_ref()?.spec.rules.get(index as usize));
    let field = match (violation.rule, rule) {
        (Some(index), Some(rule)) => format!("spec.rules[{index}].{}", rule.kind()),
        _ => String::new(),
    };
    Reason {
        decisive: decides(decision, &violation),
        version,
        field,
        rule_document: rule.and_then(|rule| serde_json::to_value(rule).ok()),
        would_pass_if: would_pass_if(&violation, policy.as_ref(), rule),
        violation,
    }
}

/// Whether the effect of a violation is the decision's outcome.
fn decides(decision: &Decision, violation: &Violation) -> bool {
    match decision.decision.as_str() {
        "deny" => violation.effect == "denied",
        "throttle" => violation.effect == "throttled",
        "allow_with_modifications" => violation.effect == "modified",
        _ => false,
    }
}

fn summary(decision: &Decision, reasons: &[Reason]) -> String {
    let outcome = match decision.decision.as_str() {
        "deny" => "refused",
        "throttle" => "throttled",
        "allow_with_modifications" => "passed, rewritten",
        _ => "passed as it was",
    };
    let decisive: Vec<&Reason> = reasons.iter().filter(|reason| reason.decisive).collect();
    let because: Vec<String> = decisive
        .iter()
        .take(3)
        .map(|reason| {
            let Violation { policy_id, guard, message, .. } = &reason.violation;
            // What no policy objected to, the agent's own document did, or the sidecar itself.
            let policy_id = match (policy_id.as_str(), guard.as_str()) {
                ("", "size") => "the sidecar",
                ("", _) => "the agent's document",
                (policy_id, _) => policy_id,
            };
            let version = reason.version.map(|version| format!(" (version {version})")).unwrap_or_default();
            let field = if reason.field.is_empty() { String::new() } else { format!(", {}", reason.field) };
            format!("{policy_id}{version}{field}: {message}")
        })
        .collect();
    let rest = match decisive.len().saturating_sub(because.len()) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    match (because.is_empty(), decision.decision.as_str()) {
        (false, _) => format!("{outcome}, because of {}{rest}", because.join("; ")),
        (true, "deny") => format!("{outcome}; no rule objected: {}", refused_by(decision.status)),
        (true, _) if reasons.is_empty() => format!("{outcome}: nothing was objected to"),
        (true, _) => format!("{outcome}: what was objected to was only recorded"),
    }
}

/// Why the sidecar refuses what no rule objects to.
fn refused_by(status: u32) -> &'static str {
    match status {
        413 => "the body was larger than the sidecar takes (`--max-body`)",
        400 => "the body was not what every parser would read alike",
        503 => "the record of the decision could not be kept, and `recordOverflow` is `refuse`",
        _ => "the sidecar could not go on",
    }
}
