//! The guards for requests and whole response bodies, one function each.
use std::borrow::Cow;
use std::rc::Rc;

use mesh_detect::{Detector, Family, InjectionFinding, Source, injection_threshold};
use mesh_policy::{Enforcement, InjectionAction, policy_of};
use mesh_wire::{Definitions, Edit, Message, Place, RefusalKind};

use crate::Timestamp;
use crate::access::AccessGuard;
use crate::decision::{GuardState, Severity};
use crate::evidence::{Effect, Evidence, Violation, span};
use crate::index::Attached;
use crate::parts::{Pieces, chains};
use crate::program::{InjectionGuard, LimitGuard, Program, Rules};
use crate::seen::{Digest, GuardPlace};
use crate::session::Session;

/// The direction of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Request,
    Response,
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Way::Request => "request",
            Way::Response => "response",
        }
    }
}

impl Rules {
    /// Whether the policy inspects requests or responses at all.
    pub(crate) fn inspects(&self) -> bool {
        self.access.is_some() || !self.limits.is_empty() || self.body_guards().next().is_some()
    }

    /// The guards that need the body.
    pub(crate) fn body_guards(&self) -> impl Iterator<Item = &'static str> + use<> {
        let guards = [
            ("access", self.access.is_some()),
            ("models", !self.models.is_empty()),
            ("tools", !self.tools.is_empty()),
            ("rego", !self.rego.is_empty()),
            ("injection", !self.injection.is_empty()),
            ("pii", !self.pii.is_empty()),
            ("canary", !self.canary.is_empty()),
            // The tokens it may take, or the model or tool it asks, are in the body.
            ("rateLimit", self.limits.iter().any(LimitGuard::needs_body)),
        ];
        guards.into_iter().filter(|(_, there)| *there).map(|(name, _)| name)
    }
}

impl Session {
    /// Every requested resource must be granted by some rule of a policy that applies to the caller and that
    /// [counts](counts_for).
    pub(crate) fn judge_access(&mut self, now: Timestamp) {
        let applies = Rc::clone(&self.applies);
        let guards: Vec<(&Rc<Attached>, &AccessGuard)> =
            applies.iter().filter_map(|policy| Some((policy, policy.access.as_ref()?))).collect();
        if guards.is_empty() {
            return;
        }
        let asks = self.asks();
        if asks.is_empty() {
            return self.decision.guard("access", GuardState::Skipped("no-resource".into()));
        }
        self.decision.guard("access", GuardState::Ran);
        // A request may ask for thousands of things: one reason per policy is enough.
        let mut objected = vec![false; guards.len()];
        for ask in &asks {
            let ip = self.head.source_ip;
            let grants: Vec<&Attached> = guards
                .iter()
                .filter(|(_, guard)| guard.grants(ask, &self.caller, ip, now))
                .map(|(policy, _)| policy.as_ref())
                .collect();
            for ((policy, guard), objected) in guards.iter().zip(&mut objected) {
                if *objected || grants.iter().any(|grant| counts_for(policy, grant)) {
                    continue;
                }
                let Ok(refused) = guard.judge(ask, &self.caller, ip, now) else {
                    *objected = true;
                    self.guard_failed(policy, "access", "rego");
                    continue;
                };
                let Some(why) = refused else { continue };
                *objected = true;
                let near = guard.near(ask, &self.caller, ip, now);
                let evidence = Evidence { kind: ask.action.clone(), near, ..Evidence::default() };
                let violation = Violation::new("access", Severity::High, why.clone()).because(evidence);
                if self.raise(policy, violation) {
                    self.deny(RefusalKind::Policy, &why);
                }
            }
            if self.denied() || objected.iter().all(|objected| *objected) {
                break;
            }
        }
    }

    pub(crate) fn judge_models(&mut self) {
        let applies = Rc::clone(&self.applies);
        let mut models: Vec<String> =
            self.message.iter().flat_map(Message::models).map(str::to_owned).collect();
        // If the body is not text, or could not be read under policies that fail open, the path names the model.
        let unread = self.message.is_none() && (self.route.opens || self.head.method == "POST");
        // In other protocols, such a word may mean anything.
        if unread && (self.route.model.is_some() || self.protocol.names_a_model()) {
            models.extend(self.route.model.iter().chain(&self.route.other_models).cloned());
        }
        if models.is_empty() && self.message.as_ref().is_some_and(|message| message.protocol.names_a_model())
        {
            // A request without a model gets the provider's default, which no list allows.
            models.push(String::new());
        }
        for policy in applies.iter().filter(|policy| !policy.models.is_empty()) {
            if models.is_empty() {
                self.decision.guard("models", GuardState::Skipped("no-model".into()));
                continue;
            }
            self.decision.guard("models", GuardState::Ran);
            for guard in &policy.models {
                let Some(listed) = models.iter().find_map(|model| guard.refuses(model)) else { continue };
                let message = "this model is not allowed".to_owned();
                let violation = Violation::new("models", Severity::Medium, message.clone()).by(guard.rule);
                if self.raise(policy, violation.because(Evidence { listed, ..Evidence::default() })) {
                    self.deny(RefusalKind::Policy, &message);
                }
            }
        }
    }

    pub(crate) fn judge_tools(&mut self) {
        let Some(message) = self.message.take() else { return };
        self.tools_of(&message);
        self.pinned_calls(&message);
        self.message = Some(message);
    }

    /// Checks that all tools offered or called are allowed.
    pub(crate) fn tools_of(&mut self, message: &Message) {
        let applies = Rc::clone(&self.applies);
        for policy in applies.iter().filter(|policy| !policy.tools.is_empty()) {
            self.decision.guard("tools", GuardState::Ran);
            if let Some((place, (rule, listed))) = refused_tool(policy, message) {
                let text = "a tool that is offered or called here is not allowed".to_owned();
                let evidence = Evidence { place, listed, ..Evidence::default() };
                let violation = Violation::new("tools", Severity::Medium, text.clone()).by(rule);
                if self.raise(policy, violation.because(evidence)) {
                    self.deny(RefusalKind::Policy, &text);
                }
            }
        }
    }

    pub(crate) fn judge_injection(&mut self, digests: &[Option<Digest>]) {
        let Some(message) = self.message.take() else {
            return self.ran_on_nothing(|policy| !policy.injection.is_empty(), "injection");
        };
        self.injection_in(&message, digests, Way::Request, false);
        self.message = Some(message);
    }

    /// Searches every segment for injection; for each guard the first attack decides. `digests` are the program's
    /// digests of this message. In a `listing`, tools whose definitions contain an attack are hidden: returns their
    /// names.
    pub(crate) fn injection_in(
        &mut self,
        message: &Message,
        digests: &[Option<Digest>],
        way: Way,
        listing: bool,
    ) -> Vec<String> {
        let program = Rc::clone(&self.program);
        let applies = Rc::clone(&self.applies);
        let chains = chains(message, Pieces::NONE);
        let mut hidden = Vec::new();
        for (number, policy) in applies.iter().enumerate() {
            for (nth, guard) in policy.injection.iter().enumerate() {
                self.decision.guard("injection", GuardState::Ran);
                let at = GuardPlace { policy: policy.index, guard: nth };
                let place = |index: usize| format!("{}:{}", way.name(), message.path(index));
                let hides = listing && guard.action == InjectionAction::Block;
                let definitions = hides.then(|| message.definitions());
                let searched = search(&program, (at, guard), (message, digests), way, definitions.as_ref());
                for (index, tool, finding) in searched.poisoned {
                    let Some(segment) = message.segments.get(index) else { continue };
                    let text = (segment.text.as_str(), source_of(segment.place, way));
                    if self.found_attack((policy, guard), &finding, text, place(index), Effect::Modified) {
                        hidden.extend(message.tools_offered.get(tool).cloned());
                    }
                }
                if let Some((index, finding)) = searched.attack {
                    let Some(segment) = message.segments.get(index) else { continue };
                    let text = (segment.text.as_str(), source_of(segment.place, way));
                    self.attacked((policy, guard), &finding, text, place(index));
                    continue;
                }
                for (index, finding) in searched.doubts {
                    let text = message.segments.get(index).map_or("", |segment| segment.text.as_ref());
                    self.doubt((number, nth), text, &finding, || place(index));
                }
                self.injection_across((number, nth, policy, guard), (message, &chains), way);
            }
        }
        hidden
    }

    /// Searches a text outside of messages: third-party text of a stream so far, or a header. True if it contains an
    /// attack.
    pub(crate) fn injection_in_text(&mut self, text: &str, source: Source, place: &str) -> bool {
        let program = Rc::clone(&self.program);
        let applies = Rc::clone(&self.applies);
        let mut found = false;
        for policy in applies.iter() {
            for (index, guard) in policy.injection.iter().enumerate() {
                self.decision.guard("injection", GuardState::Ran);
                let at = GuardPlace { policy: policy.index, guard: index };
                let finding = program.injection((at, guard), None, text, source);
                if let Some(finding) = finding.filter(|finding| !guard.doubts(finding, source)) {
                    self.attacked((policy, guard), &finding, (text, source), place.to_owned());
                    found = true;
                }
            }
        }
        found
    }

    pub(crate) fn attacked(
        &mut self,
        (policy, guard): (&Attached, &InjectionGuard),
        finding: &InjectionFinding,
        text: (&str, Source),
        place: String,
    ) {
        let blocks = guard.action == InjectionAction::Block;
        let effect = if blocks { Effect::Denied } else { Effect::Recorded };
        if self.found_attack((policy, guard), finding, text, place, effect) && blocks {
            self.deny(RefusalKind::Policy, &attack(finding));
        }
    }

    /// Records an attack. True if the policy's enforcement lets it take effect.
    fn found_attack(
        &mut self,
        (policy, guard): (&Attached, &InjectionGuard),
        finding: &InjectionFinding,
        text: (&str, Source),
        place: String,
        effect: Effect,
    ) -> bool {
        self.decision.finding(finding.rule, &place, finding.score);
        let evidence = guard.evidence(&self.program.detector, text, finding, place);
        let violation = Violation::new("injection", Severity::High, attack(finding)).by(guard.rule);
        self.raise(policy, violation.with(effect).because(evidence))
    }

    pub(crate) fn ran_on_nothing(&mut self, there: impl Fn(&Attached) -> bool, guard: &'static str) {
        let applies = Rc::clone(&self.applies);
        if applies.iter().any(|policy| there(policy)) {
            self.decision.guard(guard, GuardState::Ran);
        }
    }
}

/// Whether a grant of the policy `grant` counts for `policy`. For policies in force, only grants of policies in force
/// count. A policy that does not enforce is judged as if it and all others like it did; the next version of a policy
/// is judged as if it were in force instead of the current one.
fn counts_for(policy: &Attached, grant: &Attached) -> bool {
    let in_force = |policy: &Attached| policy.enforcement == Enforcement::Blocking;
    let shadow = |policy: &Attached| policy_of(&policy.id) != policy.id;
    if shadow(policy) {
        return in_force(grant) && policy_of(&policy.id) != grant.id;
    }
    !shadow(grant) && (in_force(grant) || !in_force(policy))
}

/// What an injection guard finds in a message's segments, up to the first attack on the message as a whole.
#[derive(Default)]
struct Searched {
    /// The first attack, with the index of its segment.
    attack: Option<(usize, InjectionFinding)>,
    /// Findings that only a judge can decide, with their segments.
    doubts: Vec<(usize, InjectionFinding)>,
    /// Attacks in tool definitions, with the segment and the tool.
    poisoned: Vec<(usize, usize, InjectionFinding)>,
}

/// `definitions` are given if tools whose definitions contain an attack are hidden and the message passes without
/// them.
fn search(
    program: &Program,
    guard: (GuardPlace, &InjectionGuard),
    (message, digests): (&Message, &[Option<Digest>]),
    way: Way,
    definitions: Option<&Definitions<'_>>,
) -> Searched {
    let mut searched = Searched::default();
    for (index, segment) in message.segments.iter().enumerate() {
        let digest = digests.get(index).copied().flatten();
        let source = source_of(segment.place, way);
        let Some(finding) = program.injection(guard, digest, &segment.text, source) else { continue };
        if guard.1.doubts(&finding, source) {
            searched.doubts.push((index, finding));
        } else if let Some(tool) = definitions.and_then(|definitions| definitions.tool_of(index)) {
            searched.poisoned.push((index, tool, finding));
        } else {
            searched.attack = Some((index, finding));
            break;
        }
    }
    searched
}

fn attack(finding: &InjectionFinding) -> String {
    format!("prompt injection detected ({})", finding.rule)
}

impl Rules {
    /// The rule that refuses the tool, if any, and the entry of its deny list.
    pub(crate) fn refuses_tool(&self, name: &str) -> Option<(usize, String)> {
        self.tools.iter().find_map(|guard| Some((guard.rule, guard.refuses(name)?)))
    }

    /// The same for a call of a provider's own tool.
    fn refuses_own_tool(&self, name: &str) -> Option<(usize, String)> {
        self.tools.iter().find_map(|guard| Some((guard.rule, guard.refuses_own(name)?)))
    }

    /// The same by deny lists only: for tools of an allowed server, and for names joined from several parts, which
    /// cannot be listed.
    fn denies_tool(&self, name: &str) -> Option<(usize, String)> {
        self.tools.iter().find_map(|guard| Some((guard.rule, guard.denies(name)?)))
    }
}

impl InjectionGuard {
    /// The text with spaces instead of what the rule ignores, so that all offsets stay the same.
    pub(crate) fn without_ignored<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for ignored in &self.ignore {
            if text.contains(ignored.as_str()) {
                text = Cow::Owned(text.replace(ignored.as_str(), &" ".repeat(ignored.len())));
            }
        }
        text
    }

    fn evidence(
        &self,
        detector: &Detector,
        (text, source): (&str, Source),
        found: &InjectionFinding,
        place: String,
    ) -> Evidence {
        let text = &*self.without_ignored(text);
        // An author's own phrase needs no score.
        let scored = found.family != Family::Phrase;
        Evidence {
            kind: found.rule.to_owned(),
            place,
            span: span(&found.span),
            score: Some(found.score),
            threshold: injection_threshold(source, self.sensitivity).filter(|_| scored),
            parts: if scored { detector.injection_parts(text, source, self.sensitivity) } else { Vec::new() },
            ..Evidence::default()
        }
    }
}

/// The source of the text in a place. A response that is searched comes from a third party, so its text is neither
/// the developer's prompt nor the model's own, whatever it is labelled as.
pub(crate) fn source_of(place: Place, way: Way) -> Source {
    match place {
        // A prompt that a server provides for the agent's model.
        Place::System if way == Way::Response => Source::User,
        Place::Assistant | Place::Other if way == Way::Response => Source::ToolResult,
        Place::System => Source::System,
        Place::User => Source::User,
        Place::Assistant => Source::Assistant,
        Place::ToolResult => Source::ToolResult,
        Place::ToolArguments => Source::ToolArguments,
        Place::ToolDefinition => Source::ToolDefinition,
        Place::Document => Source::Document,
        Place::Other => Source::Other,
    }
}

/// The first tool that a policy does not allow to be offered or called: its place, the rule, and the entry of the
/// deny list.
fn refused_tool(policy: &Attached, message: &Message) -> Option<(String, (usize, String))> {
    let called = message.tool_calls.iter().map(|call| match &call.server {
        _ if call.joined => policy.denies_tool(&call.name),
        None if call.own => policy.refuses_own_tool(&call.name),
        None => policy.refuses_tool(&call.name),
        // As where a request selects it: allowing a server allows its tools.
        Some(server) if policy.refuses_tool(server).is_none() => policy.denies_tool(&call.name),
        Some(server) => policy.denies_tool(server).or_else(|| policy.refuses_tool(&call.name)),
    });
    let offered = message.tools_offered.iter().map(|name| policy.refuses_tool(name));
    let within = message.server_tools.iter().map(|name| policy.denies_tool(name));
    let first = |list: &str, judged: &mut dyn Iterator<Item = Option<(usize, String)>>| {
        let mut judged = judged.enumerate();
        judged.find_map(|(index, refused)| Some((format!("{list}[{index}]"), refused?)))
    };
    // An additional name does not say which of the offered tools it belongs to.
    let known_as =
        || Some(("tools".to_owned(), message.other_tools.iter().find_map(|name| policy.refuses_tool(name))?));
    first("tool_calls", &mut { called })
        .or_else(|| first("tools", &mut { offered }))
        .or_else(known_as)
        .or_else(|| first("server_tools", &mut { within }))
}

/// If two rules redact overlapping text, all of it gets the replacement of the first.
pub(crate) fn without_overlaps(mut edits: Vec<Edit>) -> Vec<Edit> {
    edits.sort_by_key(|edit| (edit.segment, edit.range.start));
    let mut merged: Vec<Edit> = Vec::with_capacity(edits.len());
    for edit in edits {
        match merged.last_mut() {
            Some(last) if last.segment == edit.segment && edit.range.start < last.range.end => {
                last.range.end = last.range.end.max(edit.range.end);
            }
            _ => merged.push(edit),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    #[test]
    fn overlapping_edits_become_one() {
        let edit = |segment, range: Range<usize>, with: &str| Edit { segment, range, with: with.into() };
        let merged = without_overlaps(vec![
            edit(1, 5..9, "c"),
            edit(0, 10..20, "a"),
            edit(0, 15..25, "b"),
            edit(0, 25..26, "d"),
        ]);
        let seen: Vec<_> = merged.iter().map(|e| (e.segment, e.range.clone(), e.with.as_str())).collect();
        assert_eq!(seen, [(0, 10..25, "a"), (0, 25..26, "d"), (1, 5..9, "c")]);
    }
}
