//! The undecided end of a running text, and where its pieces came from.
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
    /// What has left, as addresses go.
    pub(super) addresses: Option<Readings>,
    pub(super) place: String,
    /// The last event that went on with it, of those that went on with a text.
    pub(super) touched: u64,
    pub(super) parts: VecDeque<Part>,
    /// What pieces held that may be texts by themselves, by the number of the guard: places in `text`.
    pub(super) apart: Vec<(usize, Finding)>,
    /// It is told from others in the same place, which nobody says is right: only what goes on over one of the others is found here.
    pub(super) turns: Option<Turns>,
    /// The text, of those in this place that may be told apart, that said something last.
    pub(super) last_turn: Option<Channel>,
    /// What its events said so far, as long as each said all of it once more.
    pub(super) said: Said,
    /// It waits for the next event only, if that is not more of it.
    pub(super) whole: bool,
    /// What events repeat of it.
    pub(super) repeats: Repeats,
    /// Whether the running text began like JSON; unknown while it is blank.
    pub(super) json: Option<bool>,
    /// What a third party said last in this text, and how much of that has not been searched for attacks.
    pub(super) heard: String,
    pub(super) unsearched: usize,
    /// Where it stands, if it is JSON.
    pub(super) inside: Inside,
    /// Where the searches of this text for addresses and active HTML stand.
    pub(super) output: OutputStates,
}

/// Where in a window's text another one said something in between.
pub(super) type Turns = Vec<usize>;

/// Where a stretch of a window's text came from.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) event: u64,
    pub(super) segment: usize,
    /// Where in the segment the stretch begins.
    pub(super) offset: usize,
    pub(super) len: usize,
}

impl Window {
    /// An event goes on with the text, the `spoken`th that does with any. `place` is where it stands.
    pub(super) fn touch(&mut self, spoken: u64, place: impl FnOnce() -> String) {
        self.touched = spoken;
        if self.place.is_empty() {
            self.place = place();
        }
    }

    /// Takes a piece of the text.
    pub(super) fn add(&mut self, text: &str) {
        let first = text.trim_start().chars().next();
        self.json = self.json.or(first.map(|first| matches!(first, '{' | '[' | '"')));
        self.text.push_str(text);
    }

    /// The same of a text that may be told from others in the same place; after one of them (`between`).
    pub(super) fn takes_turn(&mut self, text: &str, part: Part, between: bool) {
        let turns = self.turns.get_or_insert_default();
        if between {
            turns.push(self.text.len());
        }
        self.add(text);
        self.parts.push_back(part);
    }

    /// Lets the first `bytes` of the text go, to `safe` in `text`, of which `context` is kept.
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

/// Puts something in place of stretches of the window's text, which follow each other: into the first piece that each touches;
/// the rest of it goes.
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
