//! Personal data in requests and whole responses: found, then redacted, masked, refused or recorded.
use std::rc::Rc;

use mesh_detect::{Detector, Finding};
use mesh_policy::{Enforcement, PiiAction, PiiRule};
use mesh_wire::{Edit, Message, RefusalKind};

use crate::decision::{GuardState, Severity};
use crate::evidence::{Effect, Evidence, Violation, span};
use crate::guards::{Way, without_overlaps};
use crate::index::Attached;
use crate::parts::{Pieces, chains};
use crate::program::PiiGuard;
use crate::seen::{Digest, GuardPlace};
use crate::session::Session;

/// Longer values are judged without their names, in bytes.
const NAMED: usize = 256;

impl Session {
    pub(crate) fn judge_pii(&mut self, digests: &[Option<Digest>]) -> Vec<Edit> {
        let Some(message) = self.message.take() else {
            self.ran_on_nothing(|policy| policy.pii.iter().any(|guard| guard.request), "pii");
            return Vec::new();
        };
        let edits = self.pii_in(&message, digests, Way::Request, Pieces::NONE);
        self.message = Some(message);
        edits
    }

    /// Finds personal data in every segment that is not a piece of a running text; returns the redactions as edits
    /// that do not overlap.
    pub(crate) fn pii_in(
        &mut self,
        message: &Message,
        digests: &[Option<Digest>],
        way: Way,
        pieces: Pieces<'_>,
    ) -> Vec<Edit> {
        let program = Rc::clone(&self.program);
        let applies = Rc::clone(&self.applies);
        let mut edits = Vec::new();
        let mut found = Vec::new();
        let chains = chains(message, pieces);
        for policy in applies.iter() {
            for (place, guard) in policy.pii.iter().enumerate().filter(|(_, guard)| guard.looks(way)) {
                self.decision.guard("pii", GuardState::Ran);
                let place = GuardPlace { policy: policy.index, guard: place };
                for (index, segment) in
                    message.segments.iter().enumerate().filter(|(index, _)| !pieces.has(*index))
                {
                    let digest = digests.get(index).copied().flatten();
                    match message.name_of(index).filter(|_| !segment.is_key()) {
                        Some(name) if segment.text.len() <= NAMED => {
                            guard.find_named(&program.detector, name, &segment.text, &mut found);
                        }
                        _ => program.pii((place, guard), digest, &segment.text, &mut found),
                    }
                    if found.is_empty() {
                        continue;
                    }
                    let place = format!("{}:{}", way.name(), message.path(index));
                    for finding in &found {
                        if way == Way::Response && self.masked.touches(&segment.text, &finding.span) {
                            continue;
                        }
                        let value = segment.text.get(finding.span.clone()).unwrap_or_default();
                        if let Some(with) = self.personal((policy, guard), finding, value, &place, way) {
                            edits.push(Edit { segment: index, range: finding.span.clone(), with });
                        }
                    }
                }
                self.pii_across((policy, guard), (message, &chains), way, &mut edits);
            }
        }
        without_overlaps(edits)
    }

    /// Records a finding; returns its replacement, if there is one.
    pub(crate) fn personal(
        &mut self,
        (policy, guard): (&Attached, &PiiGuard),
        finding: &Finding,
        value: &str,
        place: &str,
        way: Way,
    ) -> Option<String> {
        let kind = finding.kind.as_str();
        self.decision.finding(kind, place, finding.score);
        let said = |severity, what: &str| {
            let message = format!("{kind} detected{what}");
            Violation::new("pii", severity, message).by(guard.rule).because(guard.evidence(finding, place))
        };
        match guard.action {
            PiiAction::Block => {
                if self.raise(policy, said(Severity::High, "")) {
                    self.deny(RefusalKind::Policy, &format!("{kind} detected"));
                }
                None
            }
            PiiAction::Log => {
                self.warn(policy, said(Severity::Medium, ""), Effect::Recorded);
                None
            }
            PiiAction::Redact if policy.enforcement == Enforcement::Blocking => {
                self.warn(policy, said(Severity::Medium, " and redacted"), Effect::Modified);
                Some(guard.replacement(kind))
            }
            PiiAction::Tokenize if policy.enforcement == Enforcement::Blocking => {
                let said = said(Severity::Medium, " and tokenized");
                self.tokenized(policy, (kind, value), way, said)
            }
            PiiAction::Redact | PiiAction::Tokenize => {
                self.raise(policy, said(Severity::Medium, ""));
                None
            }
        }
    }

    /// The placeholder of a value. For a value from the request, it is kept to be restored in the response.
    fn tokenized(
        &mut self,
        policy: &Attached,
        (kind, value): (&str, &str),
        way: Way,
        said: Violation,
    ) -> Option<String> {
        let tenant = self.caller.team.as_deref().unwrap_or_default();
        let Some(placeholder) = self.program.placeholder(tenant, kind, value) else {
            self.guard_failed(policy, "pii", "masking-key");
            return None;
        };
        self.warn(policy, said, Effect::Modified);
        if way == Way::Request && !self.masked.keep(&placeholder, value) {
            return Some(PiiRule::DEFAULT_REPLACEMENT.to_owned());
        }
        Some(placeholder)
    }
}

impl PiiGuard {
    pub(crate) fn looks(&self, way: Way) -> bool {
        match way {
            Way::Request => self.request,
            Way::Response => self.response,
        }
    }

    pub(crate) fn evidence(&self, found: &Finding, place: &str) -> Evidence {
        Evidence {
            kind: found.kind.as_str().to_owned(),
            place: place.to_owned(),
            span: span(&found.span),
            score: Some(found.score),
            threshold: Some(self.threshold),
            ..Evidence::default()
        }
    }

    /// Clears `found` first.
    pub(crate) fn find(&self, detector: &Detector, text: &str, found: &mut Vec<Finding>) {
        found.clear();
        detector.pii(text, &self.types, self.threshold, self.custom.as_ref(), found);
        if !self.ignore.is_empty() {
            let value = |finding: &Finding| text.get(finding.span.clone()).unwrap_or_default().to_lowercase();
            found.retain(|finding| !self.ignore.matches(&value(finding)));
        }
    }

    /// The same, plus hidden values in a text that is complete. Clears `found` first.
    pub(crate) fn find_whole(&self, detector: &Detector, text: &str, found: &mut Vec<Finding>) {
        self.find(detector, text, found);
        detector.pii_hidden(text, &self.types, self.threshold, self.custom.as_ref(), found);
    }

    /// The same for a value whose name says what it is: `"ssn": "536221234"`.
    pub(crate) fn find_named(&self, detector: &Detector, name: &str, value: &str, found: &mut Vec<Finding>) {
        // A name may reveal what a value is, but must not hide a value that is found without it.
        let mut plain = Vec::new();
        self.find_whole(detector, value, &mut plain);
        let named = format!("\"{name}\": \"{value}");
        let start = named.len() - value.len();
        self.find(detector, &named, found);
        // The name is searched separately. A finding that includes part of it is not a finding in the value.
        found.retain(|finding| finding.span.start >= start);
        for finding in found.iter_mut() {
            finding.span = finding.span.start - start..finding.span.end - start;
        }
        let apart = |one: &Finding, other: &Finding| {
            one.span.end <= other.span.start || other.span.end <= one.span.start
        };
        plain.retain(|finding| found.iter().all(|known| apart(known, finding)));
        found.extend(plain);
    }
}
