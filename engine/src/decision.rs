//! What was decided, and why. Contains no content, so that it can be logged, shown and stored.
use std::borrow::Cow;
use std::fmt::Write as _;

use crate::Timestamp;
use crate::budget::{Settlement, Spending};
use crate::evidence::{Effect, Violation};
use crate::pins::SeenTool;

/// The outcome of the exchange, from mild to strict; the strictest of several wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It passed unchanged.
    #[default]
    Allow,
    /// It passed with modifications.
    AllowWithModifications,
    /// It was refused for now: a limit is reached.
    Throttle,
    /// It was refused.
    Deny,
}

impl Outcome {
    /// `allow`, `allow_with_modifications`, `throttle` or `deny`.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Allow => "allow",
            Outcome::AllowWithModifications => "allow_with_modifications",
            Outcome::Throttle => "throttle",
            Outcome::Deny => "deny",
        }
    }
}

/// Whether a guard did its work. If a guard has several states, the last one in this order is shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GuardState {
    /// It inspected everything.
    Ran,
    /// It had no way to inspect this, and the policy lets it pass.
    Skipped(Cow<'static, str>),
    /// It should have run but could not.
    Failed(Cow<'static, str>),
}

impl std::fmt::Display for GuardState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            GuardState::Ran => f.write_str("ran"),
            GuardState::Skipped(why) => write!(f, "skipped:{why}"),
            GuardState::Failed(why) => write!(f, "failed:{why}"),
        }
    }
}

/// The severity of a violation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Severity {
    /// Worth knowing.
    #[default]
    Low,
    /// Worth a look.
    Medium,
    /// Worth an alarm.
    High,
}

impl Severity {
    /// `low`, `medium` or `high`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        }
    }
}

/// A policy that took part in the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRef {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u64,
}

/// Findings of one type in one place.
#[derive(Clone, Debug, PartialEq)]
pub struct FindingCount {
    /// Presidio's name of the type, or the author's own.
    pub kind: String,
    /// How many.
    pub count: u32,
    /// Direction and position in the structure: `request:messages[0].content`.
    pub place: String,
    /// The highest score among them, from 0 to 1.
    pub score: f32,
}

/// The whole decision, as records and APIs show it.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// Unique id, shown to the agent.
    pub id: String,
    /// When the request arrived.
    pub time: Timestamp,
    /// The strictest outcome.
    pub outcome: Outcome,
    /// Policies that apply to the caller.
    pub policies: Vec<PolicyRef>,
    /// Each guard that applies, and its state.
    pub guards: Vec<(&'static str, GuardState)>,
    /// What was found, by type, count and place.
    pub findings: Vec<FindingCount>,
    /// Violations of blocking and logging policies.
    pub violations: Vec<Violation>,
    /// Violations of advisory policies, and what was modified.
    pub warnings: Vec<Violation>,
    /// Wire protocol.
    pub protocol: &'static str,
    /// The requested operation.
    pub operation: String,
    /// The requested model, if any.
    pub model: String,
    /// Tools that the request offered or called, by name.
    pub tools: Vec<String>,
    /// Definitions of tools that are not approved, as the server offers them; each is reported once.
    pub definitions: Vec<SeenTool>,
    /// What the exchange consumed, if the response says so or a limit needs it.
    pub spending: Option<Spending>,
    /// How each reservation under a limit was settled.
    pub settlements: Vec<Settlement>,
}

/// The maximum number of entries in each list of a record: keeps its size bounded whatever a body contains.
const MAX_ENTRIES: usize = 64;
/// The maximum number of tool names in a record.
const MAX_TOOLS: usize = 32;
/// The maximum length of a model, tool or operation name: the agent chooses them.
const MAX_NAME: usize = 128;
/// The maximum length of a place in bytes: a path consists of the agent's own keys.
const MAX_PLACE: usize = 256;
/// Marks a place that was cut.
const MORE: char = '…';

impl Decision {
    pub(crate) fn guard(&mut self, guard: &'static str, state: GuardState) {
        match self.guards.iter_mut().find(|(name, _)| *name == guard) {
            Some((_, known)) if *known < state => *known = state,
            Some(_) => {}
            None => self.guards.push((guard, state)),
        }
    }

    pub(crate) fn finding(&mut self, kind: &str, place: &str, score: f32) {
        let full = self.findings.len() >= MAX_ENTRIES;
        let place = bounded_place(place);
        match self.findings.iter_mut().find(|found| found.kind == kind && found.place == place) {
            Some(found) => {
                found.count = found.count.saturating_add(1);
                found.score = found.score.max(score);
            }
            None if full => {}
            None => self.findings.push(FindingCount {
                kind: kind.to_owned(),
                count: 1,
                place: place.into_owned(),
                score,
            }),
        }
    }

    pub(crate) fn violation(&mut self, violation: Violation) {
        push_new(&mut self.violations, violation);
    }

    pub(crate) fn warning(&mut self, warning: Violation) {
        push_new(&mut self.warnings, warning);
    }

    /// Records a tool name, which lists of names are checked against.
    pub(crate) fn tool(&mut self, name: &str) {
        if self.tools.len() < MAX_TOOLS {
            let name = clip(name);
            if !self.tools.contains(&name) {
                self.tools.push(name);
            }
        }
    }

    pub(crate) fn named(&mut self, operation: &str, model: Option<&str>) {
        self.operation = clip(operation);
        self.model = model.map(clip).unwrap_or_default();
    }

    /// `pii=ran, injection=skipped:media`: the value of `x-ai-mesh-guards`.
    pub fn guards_header(&self) -> String {
        if self.guards.is_empty() {
            return "none".to_owned();
        }
        let mut value = String::with_capacity(24 * self.guards.len());
        for (name, state) in &self.guards {
            let comma = if value.is_empty() { "" } else { ", " };
            let _ = write!(value, "{comma}{name}={state}");
        }
        value
    }
}

/// If the list is full, a refusal replaces a milder entry: a refusal must never lack its reason.
fn push_new(list: &mut Vec<Violation>, entry: Violation) {
    if let Some(known) = list.iter_mut().find(|known| known.repeats(&entry)) {
        known.effect = known.effect.max(entry.effect);
    } else if list.len() < MAX_ENTRIES {
        list.push(entry);
    } else if entry.effect >= Effect::Throttled
        && let Some(milder) = list.iter_mut().find(|known| known.effect < entry.effect)
    {
        *milder = entry;
    }
}

/// A place, shortened for a record.
pub(crate) fn bounded_place(place: &str) -> Cow<'_, str> {
    if place.len() <= MAX_PLACE {
        return Cow::Borrowed(place);
    }
    let kept = place.get(..place.floor_char_boundary(MAX_PLACE)).unwrap_or_default();
    Cow::Owned(format!("{kept}{MORE}"))
}

fn clip(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_state_of_a_guard_is_shown() {
        let mut decision = Decision::default();
        decision.guard("pii", GuardState::Skipped("media".into()));
        decision.guard("pii", GuardState::Ran);
        decision.guard("injection", GuardState::Ran);
        decision.guard("injection", GuardState::Failed("encoding".into()));
        assert_eq!(decision.guards_header(), "pii=skipped:media, injection=failed:encoding");
    }

    /// A repeated violation is kept once, with its strictest effect.
    #[test]
    fn violations_are_told_once() {
        let mut decision = Decision::default();
        let said =
            |effect| Violation::new("pii", Severity::High, "US_SSN detected".into()).by(0).with(effect);
        decision.violation(said(Effect::Recorded));
        decision.violation(said(Effect::Denied));
        decision.violation(said(Effect::Denied).by(1));
        let told: Vec<_> = decision.violations.iter().map(|said| (said.rule, said.effect)).collect();
        assert_eq!(told, [(Some(0), Effect::Denied), (Some(1), Effect::Denied)]);
    }

    /// However many entries were only recorded before, the refusal is kept.
    #[test]
    fn a_refusal_keeps_its_reason() {
        let mut decision = Decision::default();
        let said = |rule, effect| Violation::new("rego", Severity::High, "no".into()).by(rule).with(effect);
        (0..2 * MAX_ENTRIES).for_each(|rule| decision.violation(said(rule, Effect::Recorded)));
        decision.violation(said(1000, Effect::Denied));
        assert_eq!(decision.violations.len(), MAX_ENTRIES);
        let told = decision.violations.iter().find(|said| said.rule == Some(1000)).map(|said| said.effect);
        assert_eq!(told, Some(Effect::Denied));
    }

    /// A path can be as long as the agent's keys. When cut, it still names the message, and findings whose paths
    /// differ only after the cut are counted together.
    #[test]
    fn places_are_bounded() {
        let mut decision = Decision::default();
        let place = |end| format!("request:messages[0].{}.{end}", "é".repeat(4_000));
        decision.finding("EMAIL_ADDRESS", &place("a"), 0.5);
        decision.finding("EMAIL_ADDRESS", &place("b"), 0.9);
        let evidence = crate::evidence::Evidence { place: place("a"), ..Default::default() };
        decision.violation(Violation::new("pii", Severity::High, "no".into()).because(evidence));
        let found = decision.findings.iter().map(|found| &found.place);
        let objected = decision.violations.iter().filter_map(|said| Some(&said.evidence.as_ref()?.place));
        let places: Vec<_> = found.chain(objected).collect();
        assert_eq!(places.len(), 2);
        for place in places {
            assert!(place.len() <= MAX_PLACE + MORE.len_utf8(), "{} bytes", place.len());
            assert!(place.starts_with("request:messages[0].é") && place.ends_with("é…"), "{place}");
        }
        assert_eq!(decision.findings[0].count, 2);
    }

    #[test]
    fn a_record_stays_small() {
        let mut decision = Decision::default();
        (0..3).for_each(|_| decision.tool(&"x".repeat(1000)));
        assert_eq!(decision.tools, ["x".repeat(MAX_NAME)]);
        for i in 0..10_000 {
            decision.finding("EMAIL_ADDRESS", &format!("request:messages[{i}].content"), 0.5);
            decision.finding("EMAIL_ADDRESS", "request:messages[0].content", 0.9);
        }
        assert_eq!(decision.findings.len(), MAX_ENTRIES);
        assert_eq!((decision.findings[0].count, decision.findings[0].score), (10_001, 0.9));
    }
}
