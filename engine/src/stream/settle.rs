//! What is decided of a running text leaves its window; what could still become part of a finding stays.
use std::ops::Range;
use std::rc::Rc;

use mesh_detect::{Finding, TypeSet};
use mesh_wire::{Channel, ChannelKind, Edit, cut_escape, escape_json, resolve_escapes};

use super::Stream;
use super::number::quoted;
use super::window::{cut_parts, floor_boundary};
use crate::guards::{Way, without_overlaps};
use crate::index::Attached;
use crate::output::{GONE, raw_end};
use crate::program::PiiGuard;
use crate::session::Session;
use crate::taken::Taken;

/// The author's own patterns have no known reach: this much of the tail waits for them, in bytes.
const CUSTOM_REACH: usize = 256;
/// A third party's words are searched for attacks each time this many more of them are there, in bytes.
const HEARING: usize = 64;
/// So much of them is searched at once, in bytes: the last.
const HEARD: usize = 4096;

impl Stream {
    pub(super) fn settle_all(&mut self, session: &mut Session) {
        let channels: Vec<Channel> = self.windows.keys().copied().collect();
        for channel in channels {
            self.hear(session, &channel, true);
            self.settle(session, &channel, true);
        }
    }

    /// Searches a third party's words for attacks, across the pieces they come in. `last` when no more can come.
    pub(super) fn hear(&mut self, session: &mut Session, channel: &Channel, last: bool) {
        let Some(window) = self.windows.get_mut(channel) else { return };
        if window.unsearched < if last { 1 } else { HEARING } {
            return;
        }
        window.unsearched = 0;
        if session.injection_heard(&window.heard, &window.place) {
            window.heard.clear();
        }
        let from = floor_boundary(&window.heard, window.heard.len().saturating_sub(HEARD / 2));
        if window.heard.len() > HEARD {
            window.heard.drain(..from);
        }
    }

    /// Judges a window; what is decided leaves it. `last` when no more text can come.
    pub(super) fn settle(&mut self, session: &mut Session, channel: &Channel, last: bool) {
        let program = Rc::clone(&session.program);
        let applies = Rc::clone(&session.applies);
        let Some(window) = self.windows.get_mut(channel) else { return };
        if window.text.is_empty() {
            return;
        }
        let start = window.context.len();
        let text = format!("{}{}", window.context, window.text);
        let place = window.place.clone();
        // Arguments are JSON: what their escapes spell is what the tool reads, and nothing else. An answer's words may be
        // JSON for some program, or be shown as they stand: there both readings count.
        let arguments = channel.kind == ChannelKind::ToolArguments;
        let called = arguments || channel.kind == ChannelKind::ToolInput;
        let began = window.json.unwrap_or_default();
        let escapes = arguments || text.contains("\\u") || began && text.contains('\\');
        let json = arguments || began;
        // An escape that is cut off spells nothing yet.
        let spelled = text.get(..if last { text.len() } else { cut_escape(&text) }).unwrap_or_default();
        let resolved = escapes.then(|| resolve_escapes(spelled));
        let guards: Vec<_> = guards(&applies).collect();
        let mut safe = if last { text.len() } else { holdback(session, &text, &guards) };
        if let Some(resolved) = resolved.as_ref().filter(|_| !last) {
            let spelled = resolved.raw_range(0..holdback(session, resolved.text(), &guards)).end;
            safe = safe.min(spelled);
        }
        if !last {
            safe = safe.min(cut_escape(&text));
        }
        if !last {
            safe = safe.min(session.masked.holdback(&text));
        }
        // Nobody shows what a tool is called with, nor an answer's tokens.
        let heard = if !called && channel.kind != ChannelKind::Tokens {
            session.output_heard(&mut window.output, &window.text, began, last)
        } else {
            None
        };
        if let Some((_, decided)) = &heard {
            safe = safe.min(start + decided);
        }
        let marks = session.canary_heard(resolved.as_ref().map_or(&text, |resolved| resolved.text()));
        let raw = |range: Range<usize>| {
            resolved.as_ref().map_or(range.clone(), |resolved| resolved.raw_range(range))
        };
        let marks = marks.map(|(found, tail)| {
            safe = if last {
                safe
            } else {
                safe.min(resolved.as_ref().map_or(tail, |resolved| raw_end(resolved, tail)))
            };
            found.into_iter().map(raw).filter(|range| range.end > start).collect::<Vec<_>>()
        });
        let marks = marks.unwrap_or_default();
        if let Some((cut, _)) = session.masked.find(&text).find(|(at, _)| at.start < safe && safe < at.end) {
            safe = cut.start;
        }
        safe = safe.max(start);
        let (mut found, mut spelled) = (Vec::new(), Vec::new());
        let mut edits = Vec::new();
        for (number, (policy, guard)) in guards.into_iter().enumerate() {
            if !arguments {
                guard.find(&program.detector, &text, &mut found);
            }
            if let Some(resolved) = &resolved {
                guard.find(&program.detector, resolved.text(), &mut spelled);
                let span = |finding: &Finding| resolved.raw_range(finding.span.clone());
                add(&mut found, spelled.drain(..).map(|finding| Finding { span: span(&finding), ..finding }));
            }
            let apart = window.apart.iter().filter(|(of, _)| *of == number);
            let span = |finding: &Finding| finding.span.start + start..finding.span.end + start;
            add(&mut found, apart.map(|(_, finding)| Finding { span: span(finding), ..finding.clone() }));
            for finding in found.drain(..) {
                if finding.span.end <= start || session.masked.touches(&text, &finding.span) {
                    continue;
                }
                if finding.span.end > safe {
                    safe = safe.min(finding.span.start.max(start));
                    continue;
                }
                edits.push((policy, guard, finding));
            }
        }
        // Nothing that was found, or is searched as one, is cut in two.
        loop {
            let before = safe;
            let found = edits.iter().map(|(_, _, finding)| &finding.span).chain(&marks);
            for span in found {
                if span.start < safe && safe < span.end {
                    safe = span.start.max(start);
                }
            }
            if let Some((heard, _)) = &heard {
                safe = start + session.output_stop(&window.output, &window.text, heard, safe - start, last);
            }
            if safe == before {
                break;
            }
        }
        let mut cuts = Vec::new();
        for range in marks.into_iter().filter(|range| range.end <= safe) {
            let with = session.canary_found(&range, &place);
            cuts.extend(with.map(|with| Edit { segment: 0, range: range.start.max(start)..range.end, with }));
        }
        let mut own = Vec::new();
        for (policy, guard, finding) in edits {
            // A longer finding of another guard may have pulled the boundary back over this one: it comes again.
            if finding.span.end > safe {
                continue;
            }
            let value = text.get(finding.span.clone()).unwrap_or_default();
            if let Some(with) = session.personal((policy, guard), &finding, value, &place, Way::Response) {
                let range = finding.span.start.max(start)..finding.span.end;
                let with = if json { escape_json(&with) } else { with };
                own.push(Edit { segment: 0, range, with });
            }
        }
        if json {
            quoted(&mut own, &text, (start, safe), window.inside);
            window.inside.feed(text.get(start..safe).unwrap_or_default());
        }
        cuts.append(&mut own);
        let (mut addresses, mut read) = (window.addresses, start);
        for (range, value) in session.masked.find(&text) {
            if range.start < start || range.end > safe {
                continue;
            }
            addresses.feed(text.get(read..range.start).unwrap_or_default());
            read = range.start;
            if addresses.inside() {
                continue;
            }
            let with = if json { escape_json(value) } else { value.to_owned() };
            cuts.push(Edit { segment: 0, range, with });
        }
        if let Some((heard, _)) = heard {
            session.output_pass(&mut window.output, &window.text, &heard, safe - start, last);
            let taken = Taken::new(cuts.iter().map(|cut| (0, cut.range.clone())));
            for edit in session.output_edits(&window.text, heard, safe - start, &place) {
                let range = edit.range.start + start..edit.range.end + start;
                let with = if taken.meets(0, &range) { GONE.to_owned() } else { edit.with };
                cuts.push(Edit { range, with, ..edit });
            }
        }
        window.addresses.feed(text.get(start..safe).unwrap_or_default());
        let cuts = without_overlaps(cuts);
        let cuts = cuts.into_iter().map(|cut| (cut.range.start - start..cut.range.end - start, cut.with));
        cut_parts(&mut self.queue, self.first, &window.parts, cuts);
        let context = program.detector.context_start(&text, safe);
        window.release(safe - start, &text, safe, context, &mut self.queue, self.first);
    }
}

/// The guards of personal data that look at answers.
fn guards(applies: &[Rc<Attached>]) -> impl Iterator<Item = (&Attached, &PiiGuard)> {
    applies
        .iter()
        .flat_map(|policy| policy.pii.iter().map(move |guard| (policy.as_ref(), guard)))
        .filter(|(_, guard)| guard.looks(Way::Response))
}

/// What a piece holds as a text by itself, by the number of the guard; it will stand at `at` in its window.
pub(super) fn by_itself(session: &Session, text: &str, at: usize) -> Vec<(usize, Finding)> {
    let detector = &session.program.detector;
    let resolved = text.contains('\\').then(|| resolve_escapes(text));
    let (mut apart, mut found) = (Vec::new(), Vec::new());
    for (number, (_, guard)) in guards(&session.applies).enumerate() {
        guard.find_whole(detector, text, &mut found);
        apart.extend(found.drain(..).map(|finding| (number, finding)));
        if let Some(resolved) = &resolved {
            guard.find_whole(detector, resolved.text(), &mut found);
            let spelled = found.drain(..).map(|f| Finding { span: resolved.raw_range(f.span.clone()), ..f });
            apart.extend(spelled.map(|finding| (number, finding)));
        }
    }
    for (_, finding) in &mut apart {
        finding.span = finding.span.start + at..finding.span.end + at;
    }
    apart
}

fn holdback(session: &Session, text: &str, guards: &[(&Attached, &PiiGuard)]) -> usize {
    let mut safe = text.len();
    for (_, guard) in guards {
        let types: &TypeSet = &guard.types;
        safe = safe.min(session.program.detector.holdback(text, types));
        if guard.custom.is_some() {
            safe = safe.min(floor_boundary(text, text.len().saturating_sub(CUSTOM_REACH)));
        }
    }
    floor_boundary(text, safe)
}

/// Adds what lies over nothing that was found.
fn add(found: &mut Vec<Finding>, more: impl Iterator<Item = Finding>) {
    let mut more = more.peekable();
    if more.peek().is_some() {
        let taken = Taken::new(found.iter().map(|finding| (0, finding.span.clone())));
        found.extend(more.filter(|finding| !taken.meets(0, &finding.span)));
    }
}
