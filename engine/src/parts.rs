//! Text that a message has in several parts, side by side: a model reads it as one, so it is searched as one too.
//!
//! Of each part only what lies near a boundary is searched again, and only what goes over one counts: the rest was found in the
//! parts themselves.
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use mesh_detect::Finding;
use mesh_wire::{Edit, Message, StreamItem};

use crate::guards::{Way, source_of};
use crate::index::Attached;
use crate::program::{InjectionGuard, PiiGuard};
use crate::seen::GuardPlace;
use crate::session::Session;

/// Bytes searched on either side of a boundary: more than any value has.
const REACH: usize = 512;

/// What people write between the groups of a number.
const JOINTS: [char; 2] = [' ', '-'];

/// Which segments of a message are judged elsewhere: those of an event that are pieces of running texts.
#[derive(Clone, Copy)]
pub(crate) struct Pieces<'e>(Option<&'e StreamItem>);

impl<'e> Pieces<'e> {
    /// Of a message that is there as a whole.
    pub(crate) const NONE: Pieces<'static> = Pieces(None);

    pub(crate) fn of(event: &'e StreamItem) -> Self {
        Pieces(Some(event))
    }

    pub(crate) fn has(self, segment: usize) -> bool {
        self.0.is_some_and(|event| event.is_piece(segment))
    }

    /// Whether what stands side by side with it in the event is judged with it there. Texts of no known protocol run each by
    /// itself, so that parts of one message are judged together here.
    fn joins(self, segment: usize) -> bool {
        self.0.is_some_and(|event| event.runs_on(segment))
    }
}

/// Parts that go on from one to the next.
pub(crate) struct Chain {
    /// All of them, one after the other.
    pub(crate) text: String,
    /// Each part's segment, and where it stands in the text.
    pub(crate) parts: Vec<(usize, Range<usize>)>,
}

/// The chains of a message; none where nothing is written in parts. Thoughts are judged with what they stand among, and apart from it.
pub(crate) fn chains(message: &Message, pieces: Pieces<'_>) -> Vec<Chain> {
    let mut chains = chains_of(message, false, pieces);
    if message.segments.iter().any(|segment| segment.thought) {
        let known: HashSet<_> = chains.iter().map(Chain::ends).collect();
        let apart = chains_of(message, true, pieces).into_iter();
        chains.extend(apart.filter(|chain| !known.contains(&chain.ends())));
    }
    chains
}

fn chains_of(message: &Message, apart: bool, pieces: Pieces<'_>) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    // By the segment that each ends with.
    let mut open: HashMap<usize, usize> = HashMap::new();
    let text = |segment: usize| message.segments.get(segment).map_or("", |segment| segment.text.as_str());
    let pairs = message
        .continuations(apart)
        .filter(|(before, index)| !pieces.joins(*before) && !pieces.joins(*index));
    for (before, index) in pairs {
        let at = open.remove(&before).unwrap_or_else(|| {
            let first = text(before).to_owned();
            let parts = vec![(before, 0..first.len())];
            chains.push(Chain { text: first, parts });
            chains.len() - 1
        });
        if let Some(chain) = chains.get_mut(at) {
            let start = chain.text.len();
            chain.text.push_str(text(index));
            chain.parts.push((index, start..chain.text.len()));
        }
        open.insert(index, at);
    }
    chains
}

impl Chain {
    /// What tells it from others of its list.
    fn ends(&self) -> (Option<usize>, Option<usize>, usize) {
        let segment = |part: Option<&(usize, Range<usize>)>| part.map(|(segment, _)| *segment);
        (segment(self.parts.first()), segment(self.parts.last()), self.parts.len())
    }

    /// Stretches around the boundaries.
    fn windows(&self) -> Vec<Range<usize>> {
        self.around(self.parts.iter().skip(1).map(|(_, part)| part.start))
    }

    /// Stretches around these bytes of the text, which are in order.
    fn around(&self, places: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
        let mut windows: Vec<Range<usize>> = Vec::new();
        for place in places {
            let start = self.text.floor_char_boundary(place.saturating_sub(REACH));
            let end = self.text.ceil_char_boundary((place + REACH).min(self.text.len()));
            match windows.last_mut().filter(|last| start <= last.end) {
                Some(last) => last.end = end,
                None => windows.push(start..end),
            }
        }
        windows
    }

    /// Where two parts meet as groups of a number do.
    fn cuts(&self) -> Vec<usize> {
        let meet = |start: &usize| {
            let bytes = start.checked_sub(1).and_then(|end| self.text.as_bytes().get(end..=*start));
            matches!(bytes, Some([end, start]) if is_cut(*end, *start))
        };
        let parts = self.parts.iter().filter(|(_, part)| !part.is_empty());
        parts.map(|(_, part)| part.start).filter(meet).collect()
    }

    /// The same with a sign at each of these places.
    fn grouped(&self, cuts: &[usize], joint: char) -> Chain {
        let mut grouped = Chain { text: String::new(), parts: Vec::new() };
        for (segment, part) in &self.parts {
            if !part.is_empty() && cuts.binary_search(&part.start).is_ok() {
                grouped.text.push(joint);
            }
            let start = grouped.text.len();
            grouped.text.push_str(self.text.get(part.clone()).unwrap_or_default());
            grouped.parts.push((*segment, start..grouped.text.len()));
        }
        grouped
    }

    /// The parts with blanks between them.
    fn spaced(&self) -> String {
        let parts = self.parts.iter().map(|(_, part)| self.text.get(part.clone()).unwrap_or_default());
        parts.collect::<Vec<_>>().join(" ")
    }

    /// The parts from the one on in which that byte stands.
    fn from(&self, at: usize) -> &[(usize, Range<usize>)] {
        let before = self.parts.partition_point(|(_, part)| part.end <= at);
        self.parts.get(before..).unwrap_or_default()
    }

    pub(crate) fn crosses(&self, span: &Range<usize>) -> bool {
        self.from(span.start).first().is_some_and(|(_, part)| part.end < span.end)
    }

    /// Edits that put something in place of a stretch of the text.
    pub(crate) fn edits(&self, span: &Range<usize>, with: &str, edits: &mut Vec<Edit>) {
        let mut with = Some(with.to_owned());
        for (segment, part) in self.from(span.start).iter().take_while(|(_, part)| part.start < span.end) {
            let (start, end) = (span.start.max(part.start), span.end.min(part.end));
            if start < end {
                let range = start - part.start..end - part.start;
                edits.push(Edit { segment: *segment, range, with: with.take().unwrap_or_default() });
            }
        }
    }
}

impl Session {
    /// Looks for an attack that is no attack in any part alone. A model reads parts with nothing or a blank between them.
    pub(crate) fn injection_across(
        &mut self,
        (number, nth, policy, guard): (usize, usize, &Attached, &InjectionGuard),
        (message, chains): (&Message, &[Chain]),
        way: Way,
    ) {
        let program = Rc::clone(&self.program);
        let at = GuardPlace { policy: policy.index, guard: nth };
        for chain in chains {
            let Some((first, _)) = chain.parts.first() else { continue };
            let Some(source) = message.segments.get(*first).map(|segment| source_of(segment.place, way))
            else {
                continue;
            };
            for text in [chain.text.clone(), chain.spaced()] {
                let digest = program.digest_of(&text);
                let Some(finding) = program.injection((at, guard), digest, &text, source) else { continue };
                let place = format!("{}:{}", way.name(), message.path(*first));
                if !guard.doubts(&finding, source) {
                    return self.attacked((policy, guard), &finding, (&text, source), place);
                }
                self.doubt((number, nth), &text, &finding, || place.clone());
            }
        }
    }

    /// Finds personal data that goes over the boundaries of parts.
    pub(crate) fn pii_across(
        &mut self,
        (policy, guard): (&Attached, &PiiGuard),
        (message, chains): (&Message, &[Chain]),
        way: Way,
        edits: &mut Vec<Edit>,
    ) {
        for chain in chains {
            self.pii_in_chain((policy, guard), (message, chain), way, (&chain.windows(), |_, _| true), edits);
            let cuts = chain.cuts();
            let joints: Vec<usize> = cuts.iter().enumerate().map(|(before, cut)| cut + before).collect();
            for joint in JOINTS.into_iter().filter(|_| !cuts.is_empty()) {
                let grouped = chain.grouped(&cuts, joint);
                let windows = grouped.around(joints.iter().copied());
                let counts = |finding: &Finding, span: &Range<usize>| {
                    is_right(finding.rule, joint) && is_grouped(&grouped.text, span, &joints, joint)
                };
                self.pii_in_chain((policy, guard), (message, &grouped), way, (&windows, counts), edits);
            }
        }
    }

    /// The same in these stretches of one text; of what goes over a boundary there, only what `counts`.
    fn pii_in_chain(
        &mut self,
        (policy, guard): (&Attached, &PiiGuard),
        (message, chain): (&Message, &Chain),
        way: Way,
        (windows, counts): (&[Range<usize>], impl Fn(&Finding, &Range<usize>) -> bool),
        edits: &mut Vec<Edit>,
    ) {
        let mut found = Vec::new();
        for window in windows {
            let text = chain.text.get(window.clone()).unwrap_or_default();
            guard.find(&self.program.detector, text, &mut found);
            for finding in &found {
                let span = finding.span.start + window.start..finding.span.end + window.start;
                let touched = way == Way::Response && self.masked.touches(&chain.text, &span);
                if touched || !chain.crosses(&span) || !counts(finding, &span) {
                    continue;
                }
                let first = chain.from(span.start).first();
                let place = first.map_or_else(String::new, |(segment, _)| message.path(*segment));
                let place = format!("{}:{place}", way.name());
                let value = text.get(finding.span.clone()).unwrap_or_default();
                if let Some(with) = self.personal((policy, guard), finding, value, &place, way) {
                    chain.edits(&span, &with, edits);
                }
            }
        }
    }
}

/// Whether a number may be cut between two bytes: digits on both sides, or on one of them a bank's letters.
fn is_cut(end: u8, start: u8) -> bool {
    let of_number = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase();
    of_number(end) && of_number(start) && (end.is_ascii_digit() || start.is_ascii_digit())
}

/// Whether what this rule finds is right by its check, or by its form with this joint, so that none of it is made of two numbers.
fn is_right(rule: &str, joint: char) -> bool {
    matches!(rule, "card/luhn" | "iban/mod97") || rule == "ssn/format" && joint == '-'
}

/// Whether a stretch has one of the joints in it, and the same sign once more that its writer put there: numbers of a list that
/// happen to pass a check have none.
fn is_grouped(text: &str, span: &Range<usize>, joints: &[usize], joint: char) -> bool {
    let before = |end: usize| joints.partition_point(|at| *at < end);
    let put = before(span.end) - before(span.start);
    let all = text.get(span.clone()).unwrap_or_default().matches(joint).count();
    put > 0 && all > put
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_over_parts_is_replaced_once() {
        let text = "card 4111 1111 1111 1111 ok".to_owned();
        let chain = Chain { text, parts: vec![(3, 0..10), (4, 10..12), (5, 12..27)] };
        assert_eq!(chain.windows().first(), Some(&(0..27)));
        assert!(chain.crosses(&(5..24)) && !chain.crosses(&(12..20)) && !chain.crosses(&(5..10)));
        let mut edits = Vec::new();
        chain.edits(&(5..24), "[X]", &mut edits);
        let seen: Vec<_> = edits.iter().map(|e| (e.segment, e.range.clone(), e.with.as_str())).collect();
        assert_eq!(seen, [(3, 5..10, "[X]"), (4, 0..2, ""), (5, 0..12, "")]);
    }
}
