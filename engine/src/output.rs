//! Content in responses that makes a reader's program do something: the `content` rule for responses, whole or
//! streamed.
//!
//! Only a model's own words are searched: responses of MCP servers and other agents go to models, and are searched
//! for attacks instead. Tool arguments are not displayed as text.
use std::rc::Rc;

use mesh_detect::{Hosts, OutputFinding, OutputKind, OutputRules, OutputState};
use mesh_policy::{CodeText, ContentRule, OutputAction};
use mesh_wire::{
    Edit, Message, Place, Protocol, RefusalKind, Resolved, Segment, cut_escape, escape_json, resolve_escapes,
};

use crate::decision::{GuardState, Severity};
use crate::evidence::{Effect, Evidence, Violation, span};
use crate::guards::Way;
use crate::index::Attached;
use crate::parts::{Chain, Pieces, chains};
use crate::session::Session;
use crate::taken::Taken;

/// A `content` rule that applies to responses.
pub(crate) struct OutputGuard {
    /// Index in the document's rule list.
    rule: usize,
    search: OutputRules,
    links: OutputAction,
    html: OutputAction,
}

impl OutputGuard {
    /// The guard of a rule, if the rule applies to responses.
    pub(crate) fn of(rule: usize, content: &ContentRule) -> Option<Self> {
        let links = content.links.as_ref();
        let html = content.html.as_ref();
        if links.is_none() && html.is_none() {
            return None;
        }
        let (on_links, on_html) = (links.map(|links| links.action), html.map(|html| html.action));
        Some(OutputGuard {
            rule,
            search: OutputRules {
                links: links.map(|links| Hosts::new(&links.allow)),
                html: html.is_some(),
                code: content.code == CodeText::Inspect,
                remove_links: on_links == Some(OutputAction::Remove),
                remove_html: on_html == Some(OutputAction::Remove),
            },
            links: on_links.unwrap_or_default(),
            html: on_html.unwrap_or_default(),
        })
    }
}

/// The state of the search in one running text, for each guard.
pub(crate) type OutputStates = Vec<OutputState>;

/// What the guards found in the undecided end of a running text.
pub(crate) struct Heard {
    /// The findings of each guard, with offsets in the text as its reader sees it.
    found: Vec<Vec<OutputFinding>>,
    /// Whether the reader sees the text with its JSON escapes resolved.
    spelled: bool,
}

/// Replaces an address in which personal data was found.
pub(crate) const GONE: &str = "#removed";

impl Session {
    /// Searches the texts of a response that are not pieces of a stream. `taken` are the edits made so far.
    pub(crate) fn output_in(&mut self, message: &Message, pieces: Pieces<'_>, taken: &[Edit]) -> Vec<Edit> {
        let applies = Rc::clone(&self.applies);
        if output_guards(&applies).next().is_none() {
            return Vec::new();
        }
        if message.protocol.answers_from_outside() {
            self.decision.guard("content", GuardState::Skipped("protocol".into()));
            return Vec::new();
        }
        self.decision.guard("content", GuardState::Ran);
        let taken = Taken::new(taken.iter().map(|edit| (edit.segment, edit.range.clone())));
        let mut edits: Vec<Edit> = Vec::new();
        let mut found = Vec::new();
        let segments = message.segments.iter().enumerate();
        for (index, segment) in
            segments.filter(|(index, segment)| !pieces.has(*index) && is_said(message, segment))
        {
            for (policy, guard) in output_guards(&applies) {
                found.clear();
                let text = &segment.text;
                guard.search.search(&OutputState::default(), text, text.len(), true, &mut found);
                if found.is_empty() {
                    continue;
                }
                let place = format!("{}:{}", Way::Response.name(), message.path(index));
                for finding in &found {
                    let Some(with) = self.acted_on((policy, guard), finding, &place) else { continue };
                    let with = if taken.meets(index, &finding.span) { GONE.to_owned() } else { with };
                    edits.push(Edit { segment: index, range: finding.span.clone(), with });
                }
            }
        }
        self.output_across(message, &chains(message, pieces), &taken, &mut edits);
        edits
    }

    /// Searches texts written in several parts. What lies within one part was already found there, except for what
    /// belongs to a finding that spans several.
    fn output_across(&mut self, message: &Message, chains: &[Chain], taken: &Taken, edits: &mut Vec<Edit>) {
        let applies = Rc::clone(&self.applies);
        let mut found = Vec::new();
        for chain in chains {
            let first = chain.parts.first().map(|(first, _)| *first).unwrap_or_default();
            if !message.segments.get(first).is_some_and(|segment| is_said(message, segment)) {
                continue;
            }
            let place = format!("{}:{}", Way::Response.name(), message.path(first));
            for (policy, guard) in output_guards(&applies) {
                found.clear();
                guard.search.search(&OutputState::default(), &chain.text, chain.text.len(), true, &mut found);
                for finding in &found {
                    if finding.kind != OutputKind::Rest && !chain.crosses(&finding.span) {
                        continue;
                    }
                    let Some(with) = self.acted_on((policy, guard), finding, &place) else { continue };
                    let from = edits.len();
                    chain.edits(&finding.span, &with, edits);
                    let own = edits.get_mut(from..).unwrap_or_default();
                    if own.iter().any(|edit| taken.meets(edit.segment, &edit.range))
                        && let Some(edit) = own.first_mut()
                    {
                        GONE.clone_into(&mut edit.with);
                    }
                }
            }
        }
    }

    /// Records a finding; returns its replacement, if there is one.
    fn acted_on(
        &mut self,
        (policy, guard): (&Attached, &OutputGuard),
        finding: &OutputFinding,
        place: &str,
    ) -> Option<String> {
        let (kind, action, what) = match finding.kind {
            OutputKind::Link => ("FOREIGN_LINK", guard.links, "an address of a host that is not allowed"),
            OutputKind::Html => ("ACTIVE_HTML", guard.html, "active HTML"),
            // What belongs to a finding is not a finding itself.
            OutputKind::Rest => return Some(finding.with.clone()).filter(|_| rewrites(policy)),
        };
        self.decision.finding(kind, place, 1.0);
        let evidence = Evidence {
            kind: finding.rule.to_owned(),
            place: place.to_owned(),
            span: span(&finding.span),
            ..Evidence::default()
        };
        let said = |severity, more: &str| {
            let text = format!("{what} in the answer{more}");
            Violation::new("content", severity, text).by(guard.rule).because(evidence.clone())
        };
        match action {
            OutputAction::Block => {
                if self.raise(policy, said(Severity::High, "")) {
                    self.deny(RefusalKind::Policy, &format!("{what} in the answer"));
                }
                None
            }
            OutputAction::Log => {
                self.warn(policy, said(Severity::Medium, ""), Effect::Recorded);
                None
            }
            OutputAction::Defang | OutputAction::Remove if rewrites(policy) => {
                let done = if action == OutputAction::Remove { ", removed" } else { ", defanged" };
                self.warn(policy, said(Severity::Medium, done), Effect::Modified);
                Some(finding.with.clone())
            }
            OutputAction::Defang | OutputAction::Remove => {
                self.raise(policy, said(Severity::Medium, ""));
                None
            }
        }
    }

    /// Searches the undecided end of a running text, starting from the states. Returns the findings, and up to which
    /// byte of `text` everything is decided. `json` if the text's reader resolves its escapes.
    pub(crate) fn output_heard(
        &self,
        states: &mut OutputStates,
        text: &str,
        json: bool,
        last: bool,
    ) -> Option<(Heard, usize)> {
        let count = output_guards(&self.applies).count();
        if count == 0 || self.protocol.answers_from_outside() {
            return None;
        }
        states.resize_with(count, OutputState::default);
        let spelled = json.then(|| resolve_escapes(whole_escapes(text, last)));
        let reading = spelled.as_ref().map_or(text, |spelled| spelled.text());
        let mut safe = text.len();
        let mut all = Vec::with_capacity(count);
        for ((_, guard), state) in output_guards(&self.applies).zip(states.iter()) {
            let mut found = Vec::new();
            let (at, _) = guard.search.search(state, reading, reading.len(), last, &mut found);
            safe = safe.min(spelled.as_ref().map_or(at, |spelled| raw_end(spelled, at)));
            all.push(found);
        }
        Some((Heard { found: all, spelled: json }, safe))
    }

    /// The last offset up to `safe` at which every search can stop: none may stop inside something that is searched
    /// as a unit.
    pub(crate) fn output_stop(
        &self,
        states: &OutputStates,
        text: &str,
        heard: &Heard,
        safe: usize,
        last: bool,
    ) -> usize {
        self.output_states(states, text, heard, safe, last).0
    }

    /// Advances the states to `safe`, as returned by [`Session::output_stop`].
    pub(crate) fn output_pass(
        &self,
        states: &mut OutputStates,
        text: &str,
        heard: &Heard,
        safe: usize,
        last: bool,
    ) {
        *states = self.output_states(states, text, heard, safe, last).1;
    }

    fn output_states(
        &self,
        states: &OutputStates,
        text: &str,
        heard: &Heard,
        safe: usize,
        last: bool,
    ) -> (usize, OutputStates) {
        let spelled = heard.spelled.then(|| resolve_escapes(whole_escapes(text, last)));
        let reading = spelled.as_ref().map_or(text, |spelled| spelled.text());
        let mut stop = safe;
        let mut next = Vec::with_capacity(states.len());
        for ((_, guard), state) in output_guards(&self.applies).zip(states) {
            let limit = match heard.spelled {
                true => resolve_escapes(text.get(..safe).unwrap_or_default()).text().len(),
                false => safe,
            };
            let (at, after) = guard.search.search(state, reading, limit, last, &mut Vec::new());
            if at < limit {
                stop = stop.min(spelled.as_ref().map_or(at, |spelled| raw_end(spelled, at)));
            }
            next.push(after);
        }
        (stop, next)
    }

    /// Records what was found before `safe`, an offset in `text`; returns the edits.
    pub(crate) fn output_edits(&mut self, text: &str, heard: Heard, safe: usize, place: &str) -> Vec<Edit> {
        let spelled = heard.spelled.then(|| resolve_escapes(text));
        let mut edits = Vec::new();
        if heard.found.iter().any(|found| !found.is_empty()) {
            self.decision.guard("content", GuardState::Ran);
        }
        let applies = Rc::clone(&self.applies);
        for ((policy, guard), found) in output_guards(&applies).zip(heard.found) {
            for finding in found {
                let range = match &spelled {
                    Some(spelled) => spelled.raw_range(finding.span.clone()),
                    None => finding.span.clone(),
                };
                if range.end > safe {
                    continue;
                }
                if let Some(with) = self.acted_on((policy, guard), &finding, place) {
                    let with = if spelled.is_some() { escape_json(&with) } else { with };
                    edits.push(Edit { segment: 0, range, with });
                }
            }
        }
        edits
    }
}

fn output_guards(applies: &[Rc<Attached>]) -> impl Iterator<Item = (&Attached, &OutputGuard)> {
    applies.iter().flat_map(|policy| policy.output.iter().map(|guard| (&**policy, guard)))
}

/// The text without an incomplete escape at its end, which means nothing yet.
fn whole_escapes(text: &str, last: bool) -> &str {
    text.get(..if last { text.len() } else { cut_escape(text) }).unwrap_or_default()
}

/// Where the first `at` bytes of a resolved text end in the original text.
pub(crate) fn raw_end(spelled: &Resolved<'_>, at: usize) -> usize {
    if at == 0 { 0 } else { spelled.raw_range(0..at).end }
}

fn rewrites(policy: &Attached) -> bool {
    policy.enforcement == mesh_policy::Enforcement::Blocking
}

/// Whether a text is the model's own words to its reader. In an unknown protocol, any text may be.
fn is_said(message: &Message, segment: &Segment) -> bool {
    let unknown = matches!(message.protocol, Protocol::Json | Protocol::Text | Protocol::None);
    let said = segment.place == Place::Assistant || unknown && segment.place == Place::Other;
    said && !segment.derived && !segment.is_key() && !segment.is_number()
}
