//! A running text as it is judged: the released text kept as context, then the text of its window.
use std::ops::Range;

use mesh_detect::{Finding, TypeSet};
use mesh_wire::{ChannelKind, Edit, Resolved, cut_escape, escape_json, resolve_escapes};

use super::window::Window;
use crate::address::Readings;
use crate::guards::Way;
use crate::index::Attached;
use crate::mask::{Placeholder, outside};
use crate::output::{Heard, raw_end};
use crate::program::PiiGuard;
use crate::session::Session;
use crate::taken::Taken;

/// The reach of the author's own patterns is unknown: this much of the tail waits for them, in bytes.
const CUSTOM_REACH: usize = 256;

/// A rule for personal data, and the policy that it belongs to.
pub(super) type Guard<'g> = (&'g Attached, &'g PiiGuard);

/// The findings of the rules for personal data.
type Found<'g> = Vec<(Guard<'g>, Finding)>;

/// The text of a window after its context. All offsets are offsets in `text`.
pub(super) struct Tail<'t> {
    text: &'t str,
    /// Where the window's own text begins.
    pub(super) start: usize,
    /// No more text can come.
    last: bool,
    /// The text with its escapes resolved, if that matters.
    spelled: Option<Resolved<'t>>,
    /// It is the arguments of a tool call. They are JSON: the tool reads only the text with its escapes resolved. A
    /// response's text may be JSON for some program, or be displayed as it is: there both readings count.
    arguments: bool,
    /// It began like JSON.
    pub(super) began: bool,
    /// Text inserted into it must be escaped as JSON.
    pub(super) json: bool,
    /// It may be displayed: a tool's arguments and a response's tokens are not.
    pub(super) shown: bool,
}

impl<'t> Tail<'t> {
    pub(super) fn new(text: &'t str, window: &Window, kind: ChannelKind, last: bool) -> Tail<'t> {
        let arguments = kind == ChannelKind::ToolArguments;
        let began = window.json.unwrap_or_default();
        let escapes = arguments || text.contains("\\u") || began && text.contains('\\');
        // An incomplete escape means nothing yet.
        let whole = text.get(..if last { text.len() } else { cut_escape(text) }).unwrap_or_default();
        Tail {
            text,
            start: window.context.len(),
            last,
            spelled: escapes.then(|| resolve_escapes(whole)),
            arguments,
            began,
            json: arguments || began,
            shown: !arguments && !matches!(kind, ChannelKind::ToolInput | ChannelKind::Tokens),
        }
    }

    /// The range in the text of a range in the resolved text.
    fn raw(&self, range: Range<usize>) -> Range<usize> {
        self.spelled.as_ref().map_or(range.clone(), |spelled| spelled.raw_range(range))
    }

    /// The offset up to which nothing can still become part of a value, an escape or a placeholder.
    pub(super) fn decided(&self, session: &Session, guards: &[Guard<'_>]) -> usize {
        if self.last {
            return self.text.len();
        }
        let mut safe = holdback(session, self.text, guards);
        if let Some(spelled) = &self.spelled {
            safe = safe.min(spelled.raw_range(0..holdback(session, spelled.text(), guards)).end);
        }
        let masked = match &self.spelled {
            Some(spelled) if self.json => raw_end(spelled, session.masked.holdback(spelled.text())),
            _ => session.masked.holdback(self.text),
        };
        safe.min(cut_escape(self.text)).min(masked)
    }

    /// The placeholders in it, in order, each with its value.
    fn placeholders(&self, session: &Session) -> Vec<Placeholder<String>> {
        match &self.spelled {
            Some(spelled) if self.json => {
                let found = session.masked.placeholders(spelled.text());
                found
                    .map(|(range, value, as_label)| (spelled.raw_range(range), escape_json(value), as_label))
                    .collect()
            }
            _ => {
                let with = |value| if self.json { escape_json(value) } else { value.to_owned() };
                let found = session.masked.placeholders(self.text);
                found.map(|(range, value, as_label)| (range, with(value), as_label)).collect()
            }
        }
    }

    /// The nearest offset up to `at` that is not inside a placeholder.
    pub(super) fn before_placeholder(&self, session: &Session, at: usize) -> usize {
        let cut =
            self.placeholders(session).into_iter().find(|(range, ..)| range.start < at && at < range.end);
        cut.map_or(at, |(range, ..)| range.start)
    }

    /// The canaries that end in the window, and the offset before which no further one can begin.
    pub(super) fn marks(&self, session: &Session) -> (Vec<Range<usize>>, usize) {
        let heard = session.canary_heard(self.spelled.as_ref().map_or(self.text, |spelled| spelled.text()));
        let Some((found, open)) = heard else { return (Vec::new(), self.text.len()) };
        let marks = found.into_iter().map(|range| self.raw(range)).filter(|range| range.end > self.start);
        let decided = match &self.spelled {
            _ if self.last => self.text.len(),
            Some(spelled) => raw_end(spelled, open),
            None => open,
        };
        (marks.collect(), decided)
    }

    /// The findings of the rules for personal data up to `safe`, and the offset up to which they let the text be
    /// released.
    pub(super) fn personal<'g>(
        &self,
        session: &Session,
        guards: &[Guard<'g>],
        window: &Window,
        mut safe: usize,
    ) -> (Found<'g>, usize) {
        let detector = &session.program.detector;
        let (mut found, mut spelled, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for (number, (policy, guard)) in guards.iter().enumerate() {
            if !self.arguments {
                guard.find(detector, self.text, &mut found);
            }
            if let Some(resolved) = &self.spelled {
                guard.find(detector, resolved.text(), &mut spelled);
                let raw = |finding: Finding| Finding { span: self.raw(finding.span.clone()), ..finding };
                add(&mut found, spelled.drain(..).map(raw));
            }
            let apart = window.apart.iter().filter(|(of, _)| *of == number);
            let span = |finding: &Finding| finding.span.start + self.start..finding.span.end + self.start;
            add(&mut found, apart.map(|(_, finding)| Finding { span: span(finding), ..finding.clone() }));
            for finding in found.drain(..) {
                if finding.span.end <= self.start || session.masked.touches(self.text, &finding.span) {
                    continue;
                }
                if finding.span.end > safe {
                    safe = safe.min(finding.span.start.max(self.start));
                    continue;
                }
                let within =
                    |at: &usize| (finding.span.start + 1..finding.span.end).contains(&(at + self.start));
                if window.turns.as_ref().is_some_and(|turns| !turns.iter().any(within)) {
                    continue;
                }
                all.push(((*policy, *guard), finding));
            }
        }
        (all, safe)
    }

    /// The nearest offset up to `safe` that splits neither a finding nor anything that is searched as a unit.
    pub(super) fn uncut(
        &self,
        session: &Session,
        window: &Window,
        (found, marks, heard): (&Found<'_>, &[Range<usize>], Option<&Heard>),
        mut safe: usize,
    ) -> usize {
        loop {
            let before = safe;
            for span in found.iter().map(|(_, finding)| &finding.span).chain(marks) {
                if span.start < safe && safe < span.end {
                    safe = span.start.max(self.start);
                }
            }
            if let Some(heard) = heard {
                let own = safe - self.start;
                safe = self.start + session.output_stop(&window.output, &window.text, heard, own, self.last);
            }
            if safe == before {
                return safe;
            }
        }
    }

    /// The edits for the canaries up to `safe`.
    pub(super) fn unmarked(
        &self,
        session: &mut Session,
        marks: Vec<Range<usize>>,
        place: &str,
        safe: usize,
    ) -> Vec<Edit> {
        let marks = marks.into_iter().filter(|range| range.end <= safe);
        let edits = marks.filter_map(|range| {
            let with = session.canary_found(&range, place)?;
            Some(self.edit(range, with))
        });
        edits.collect()
    }

    /// The edits for personal data up to `safe`.
    pub(super) fn replaced(
        &self,
        session: &mut Session,
        found: Found<'_>,
        place: &str,
        safe: usize,
    ) -> Vec<Edit> {
        // A longer finding of another guard may have moved the boundary before this one: it will be found again.
        let found = found.into_iter().filter(|(_, finding)| finding.span.end <= safe);
        let edits = found.filter_map(|(guard, finding)| {
            let written = self.text.get(finding.span.clone()).unwrap_or_default();
            // The same value gets the same placeholder, however it is escaped.
            let spelled = self.spelled.as_ref().map(|_| resolve_escapes(written));
            let value = spelled.as_ref().map_or(written, |spelled| spelled.text());
            let with = session.personal(guard, &finding, value, place, Way::Response)?;
            Some(self.edit(finding.span, if self.json { escape_json(&with) } else { with }))
        });
        edits.collect()
    }

    /// The edits that restore values up to `safe`, except in addresses. Reads on over what is released.
    pub(super) fn restored(&self, session: &Session, readings: &mut Readings, safe: usize) -> Vec<Edit> {
        if session.masked.is_empty() {
            return Vec::new();
        }
        let found = self.placeholders(session).into_iter();
        let found = found.filter(|(range, ..)| range.start >= self.start && range.end <= safe);
        let outside = outside(self.text, self.start..safe, found, readings, self.arguments);
        if cut_escape(self.text) < safe {
            readings.cut_in_two();
        }
        outside.into_iter().map(|(range, with)| self.edit(range, with)).collect()
    }

    fn edit(&self, range: Range<usize>, with: String) -> Edit {
        Edit { segment: 0, range: range.start.max(self.start)..range.end, with }
    }
}

fn holdback(session: &Session, text: &str, guards: &[Guard<'_>]) -> usize {
    let mut safe = text.len();
    for (_, guard) in guards {
        let types: &TypeSet = &guard.types;
        safe = safe.min(session.program.detector.holdback(text, types));
        if guard.custom.is_some() {
            safe = safe.min(text.floor_char_boundary(text.len().saturating_sub(CUSTOM_REACH)));
        }
    }
    text.floor_char_boundary(safe)
}

/// Adds the findings that overlap none of those already found.
fn add(found: &mut Vec<Finding>, more: impl Iterator<Item = Finding>) {
    let mut more = more.peekable();
    if more.peek().is_some() {
        let taken = Taken::new(found.iter().map(|finding| (0, finding.span.clone())));
        found.extend(more.filter(|finding| !taken.meets(0, &finding.span)));
    }
}
