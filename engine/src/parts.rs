//! Text that a message has in several adjacent parts: a model reads it as one text, so it is searched as one too.
//!
//! Only the text near a boundary is searched again, and only matches across a boundary count: all others were found
//! in the parts themselves.
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

/// Bytes searched on either side of a boundary: longer than any value.
const REACH: usize = 512;

/// Separators that people write between the groups of a number.
const JOINTS: [char; 2] = [' ', '-'];

/// Which segments of a message are judged elsewhere: those of an event that are pieces of running texts.
#[derive(Clone, Copy)]
pub(crate) struct Pieces<'e>(Option<&'e StreamItem>);

impl<'e> Pieces<'e> {
    /// For a complete message: none.
    pub(crate) const NONE: Pieces<'static> = Pieces(None);

    pub(crate) fn of(event: &'e StreamItem) -> Self {
        Pieces(Some(event))
    }

    pub(crate) fn has(self, segment: usize) -> bool {
        self.0.is_some_and(|event| event.is_piece(segment))
    }

    /// Whether the stream judges this segment together with its neighbours. Texts of an unknown protocol run
    /// separately, so that the parts of one message are joined here.
    fn joins(self, segment: usize) -> bool {
        self.0.is_some_and(|event| event.runs_on(segment))
    }
}

/// Consecutive parts that form one text.
pub(crate) struct Chain {
    /// All parts, concatenated.
    pub(crate) text: String,
    /// Each part's segment, and its range in the text.
    pub(crate) parts: Vec<(usize, Range<usize>)>,
}

/// The chains of a message; empty if nothing is written in parts. Thoughts are judged both together with their
/// neighbours and separately.
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
    // Indices of chains, by the segment that each ends with.
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
    /// Identifies it among the chains of a message.
    fn ends(&self) -> (Option<usize>, Option<usize>, usize) {
        let segment = |part: Option<&(usize, Range<usize>)>| part.map(|(segment, _)| *segment);
        (segment(self.parts.first()), segment(self.parts.last()), self.parts.len())
    }

    /// The windows around the boundaries.
    fn windows(&self) -> Vec<Range<usize>> {
        self.around(self.parts.iter().skip(1).map(|(_, part)| part.start))
    }

    /// The windows around these offsets, which are sorted.
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

    /// Where two parts meet like the groups of a number.
    fn cuts(&self) -> Vec<usize> {
        let meet = |start: &usize| {
            let bytes = start.checked_sub(1).and_then(|end| self.text.as_bytes().get(end..=*start));
            matches!(bytes, Some([end, start]) if is_cut(*end, *start))
        };
        let parts = self.parts.iter().filter(|(_, part)| !part.is_empty());
        parts.map(|(_, part)| part.start).filter(meet).collect()
    }

    /// The same chain with a separator inserted at each of these offsets.
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

    /// The parts joined with spaces.
    fn spaced(&self) -> String {
        let parts = self.parts.iter().map(|(_, part)| self.text.get(part.clone()).unwrap_or_default());
        parts.collect::<Vec<_>>().join(" ")
    }

    /// The parts from the one that contains this byte on.
    fn from(&self, at: usize) -> &[(usize, Range<usize>)] {
        let before = self.parts.partition_point(|(_, part)| part.end <= at);
        self.parts.get(before..).unwrap_or_default()
    }

    pub(crate) fn crosses(&self, span: &Range<usize>) -> bool {
        self.from(span.start).first().is_some_and(|(_, part)| part.end < span.end)
    }

    /// Adds the edits that replace a span of the text.
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
    /// Looks for an attack that spans parts, with no part an attack by itself. A model reads parts with nothing or a
    /// space between them.
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

    /// Finds personal data that spans the boundaries of parts.
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

    /// The same in these windows of one text; of the matches across a boundary, only those that satisfy `counts`.
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

/// Whether a number may be split between two bytes: both are digits, or one is a digit and the other a capital letter
/// (of an IBAN).
fn is_cut(end: u8, start: u8) -> bool {
    let of_number = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase();
    of_number(end) && of_number(start) && (end.is_ascii_digit() || start.is_ascii_digit())
}

/// Whether a match of this rule is confirmed by its checksum, or by its format with this separator, so that it is not
/// made up of two numbers.
fn is_right(rule: &str, joint: char) -> bool {
    matches!(rule, "card/luhn" | "iban/mod97") || rule == "ssn/format" && joint == '-'
}

/// Whether a span contains an inserted separator, and also the same separator from the author: numbers of a list that
/// pass a checksum by chance have none.
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
