//! The undecided end of a running text, and the origin of its pieces.
use std::collections::VecDeque;
use std::ops::Range;

use mesh_detect::Finding;
use mesh_wire::{Channel, Edit};

use super::Waiting;
use super::cumulative::Said;
use super::number::Inside;
use super::repeats::Repeats;
use crate::address::Readings;
use crate::output::OutputStates;

/// The undecided end of one running text.
#[derive(Clone, Default)]
pub(super) struct Window {
    pub(super) context: String,
    pub(super) text: String,
    /// The reading state for addresses, after the text that has left.
    pub(super) addresses: Option<Readings>,
    pub(super) place: String,
    /// The last event with this text, as a number among the events with text.
    pub(super) touched: u64,
    pub(super) parts: VecDeque<Part>,
    /// Findings in pieces that may be separate texts, by the index of the guard; spans in `text`.
    pub(super) apart: Vec<(usize, Finding)>,
    /// One of several texts at the same place that may or may not be separate: only findings across another one's
    /// turn count here.
    pub(super) turns: Option<Turns>,
    /// Of the texts at this place that may be separate, the one that had the last turn.
    pub(super) last_turn: Option<Channel>,
    /// The text of its events, as long as each repeated all of the text before it.
    pub(super) said: Said,
    /// It only waits for the next event, in case that continues it.
    pub(super) whole: bool,
    /// Texts in events that repeat it.
    pub(super) repeats: Repeats,
    /// Whether the running text began like JSON; unknown while it is blank.
    pub(super) json: Option<bool>,
    /// The latest third-party text, and how many of its bytes have not been searched for attacks.
    pub(super) heard: String,
    pub(super) unsearched: usize,
    /// The position in it, if it is JSON.
    pub(super) inside: Inside,
    /// The states of the searches for addresses and active HTML.
    pub(super) output: OutputStates,
}

/// Offsets in a window's text at which another text had a turn.
pub(super) type Turns = Vec<usize>;

/// The origin of a part of a window's text.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) event: u64,
    pub(super) segment: usize,
    /// The offset in the segment at which the part begins.
    pub(super) offset: usize,
    pub(super) len: usize,
}

impl Window {
    /// Notes that an event continues the text, the `spoken`th event with text. `place` is its position in the
    /// message.
    pub(super) fn touch(&mut self, spoken: u64, place: impl FnOnce() -> String) {
        self.touched = spoken;
        if self.place.is_empty() {
            self.place = place();
        }
    }

    /// Adds a piece of the text.
    pub(super) fn add(&mut self, text: &str) {
        let first = text.trim_start().chars().next();
        self.json = self.json.or(first.map(|first| matches!(first, '{' | '[' | '"')));
        self.text.push_str(text);
    }

    /// The same for a text that may be separate from others at the same place; `between` if another one had a turn
    /// before it.
    pub(super) fn takes_turn(&mut self, text: &str, part: Part, between: bool) {
        let turns = self.turns.get_or_insert_default();
        if between {
            turns.push(self.text.len());
        }
        self.add(text);
        self.parts.push_back(part);
    }

    /// Removes the first `bytes` of the window, up to `safe` in `text`, and sets the `context`.
    pub(super) fn release(
        &mut self,
        bytes: usize,
        text: &str,
        safe: usize,
        context: String,
        queue: &mut VecDeque<Waiting>,
        first: u64,
    ) {
        if bytes == 0 {
            return;
        }
        let mut rest = bytes;
        while let Some(part) = self.parts.front_mut() {
            if part.len > rest {
                part.offset += rest;
                part.len -= rest;
                break;
            }
            rest -= part.len;
            let at = usize::try_from(part.event.saturating_sub(first)).ok();
            if let Some(held) = at.and_then(|at| queue.get_mut(at)) {
                held.open = held.open.saturating_sub(1);
            }
            self.parts.pop_front();
        }
        self.apart.retain_mut(|(_, finding)| {
            let stays = finding.span.end > bytes;
            finding.span = finding.span.start.saturating_sub(bytes)..finding.span.end.saturating_sub(bytes);
            stays
        });
        self.repeats.release(bytes);
        if let Some(turns) = &mut self.turns {
            *turns = turns.iter().filter_map(|at| at.checked_sub(bytes)).collect();
        }
        self.context = context;
        self.text = text.get(safe..).unwrap_or_default().to_owned();
    }
}

/// Replaces ranges of the window's text, which are sorted: the replacement goes into the first piece that a range
/// touches, the rest of the range is deleted.
pub(super) fn cut_parts(
    queue: &mut VecDeque<Waiting>,
    first: u64,
    parts: &VecDeque<Part>,
    cuts: impl Iterator<Item = (Range<usize>, String)>,
) {
    let mut cuts = cuts.map(|(range, with)| (range, Some(with))).peekable();
    let mut begin = 0;
    for part in parts {
        let end = begin + part.len;
        while let Some((range, with)) = cuts.peek_mut().filter(|(range, _)| range.start < end) {
            let (from, to) = (range.start.max(begin), range.end.min(end));
            let held =
                usize::try_from(part.event.saturating_sub(first)).ok().and_then(|at| queue.get_mut(at));
            if let Some(held) = held.filter(|_| from < to) {
                let range = part.offset + from - begin..part.offset + to - begin;
                held.edits.push(Edit { segment: part.segment, range, with: with.take().unwrap_or_default() });
            }
            if range.end > end {
                break;
            }
            cuts.next();
        }
        begin = end;
    }
}
