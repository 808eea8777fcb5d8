//! What is decided of a running text leaves its window; what could still become part of a finding stays.
//!
//! ```text
//! window ─▶ decided up to here ─▶ found ─▶ nothing cut in two ─▶ edits ─▶ released
//! ```
use std::rc::Rc;

use mesh_detect::{Finding, Source};
use mesh_wire::{Channel, ChannelKind, Edit, resolve_escapes};

use super::Stream;
use super::number::quoted;
use super::tail::Tail;
use super::window::cut_parts;
use crate::address::Readings;
use crate::guards::{Way, without_overlaps};
use crate::index::Attached;
use crate::mask::is_place_of_address;
use crate::output::GONE;
use crate::program::PiiGuard;
use crate::session::Session;
use crate::taken::Taken;

/// Third-party text is searched for attacks whenever this many more bytes of it have arrived.
const HEARING: usize = 64;
/// How many bytes of it are searched at once: the last ones.
const HEARD: usize = 4096;

impl Stream {
    pub(super) fn settle_all(&mut self, session: &mut Session) {
        let channels: Vec<Channel> = self.windows.keys().copied().collect();
        for channel in channels {
            self.let_go(session, channel);
        }
    }

    /// Nothing more of the stream leaves: the undecided rest of its texts is cut from the queued events, since it may
    /// be the beginning of a value.
    pub(super) fn drop_undecided(&mut self, session: &mut Session) {
        let channels: Vec<Channel> = self.windows.keys().copied().collect();
        channels.iter().for_each(|channel| self.hear(session, channel, true));
        for window in self.windows.values_mut() {
            let rest = [(0..window.text.len(), String::new())];
            window.repeats.cut(&mut self.queue, self.first, &window.text, &rest);
            cut_parts(&mut self.queue, self.first, &window.parts, rest.into_iter());
        }
        self.queue.iter_mut().for_each(|held| held.open = 0);
    }

    /// Searches third-party text for attacks, across its pieces. `last` if no more can come.
    pub(super) fn hear(&mut self, session: &mut Session, channel: &Channel, last: bool) {
        let Some(window) = self.windows.get_mut(channel) else { return };
        if window.unsearched < if last { 1 } else { HEARING } {
            return;
        }
        window.unsearched = 0;
        if session.injection_in_text(&window.heard, Source::ToolResult, &window.place) {
            window.heard.clear();
        }
        let from = window.heard.floor_char_boundary(window.heard.len().saturating_sub(HEARD / 2));
        if window.heard.len() > HEARD {
            window.heard.drain(..from);
        }
    }

    /// Judges a window and releases what is decided. `last` if no more text can come.
    pub(super) fn settle(&mut self, session: &mut Session, channel: &Channel, last: bool) {
        let applies = Rc::clone(&session.applies);
        let Some(window) = self.windows.get_mut(channel).filter(|window| !window.text.is_empty()) else {
            return;
        };
        let text = format!("{}{}", window.context, window.text);
        let tail = Tail::new(&text, window, channel.kind, last);
        let guards: Vec<_> = guards(&applies).collect();

        // The offset up to which every search has decided.
        let mut safe = tail.decided(session, &guards);
        let whole = window.turns.is_none();
        let heard = (tail.shown && whole)
            .then(|| session.output_heard(&mut window.output, &window.text, tail.began, last));
        let heard = heard.flatten();
        if let Some((_, decided)) = &heard {
            safe = safe.min(tail.start + decided);
        }
        let (marks, decided) =
            if whole { tail.marks(session) } else { (Vec::new(), tail.start + window.text.len()) };
        let safe = tail.before_placeholder(session, safe.min(decided)).max(tail.start);
        let (found, safe) = tail.personal(session, &guards, window, safe);
        let safe =
            tail.uncut(session, window, (&found, &marks, heard.as_ref().map(|(heard, _)| heard)), safe);

        // The replacements.
        let place = window.place.clone();
        let mut cuts = tail.unmarked(session, marks, &place, safe);
        let mut own = tail.replaced(session, found, &place, safe);
        if tail.json {
            quoted(&mut own, &text, (tail.start, safe), window.inside);
            window.inside.feed(text.get(tail.start..safe).unwrap_or_default());
        }
        cuts.append(&mut own);
        if whole && !is_place_of_address(&place) {
            let begun = || readings_of(channel.kind);
            cuts.extend(tail.restored(session, window.addresses.get_or_insert_with(begun), safe));
        }
        if let Some((heard, _)) = heard {
            session.output_pass(&mut window.output, &window.text, &heard, safe - tail.start, last);
            let taken = Taken::new(cuts.iter().map(|cut| (0, cut.range.clone())));
            for edit in session.output_edits(&window.text, heard, safe - tail.start, &place) {
                let range = edit.range.start + tail.start..edit.range.end + tail.start;
                let with = if taken.meets(0, &range) { GONE.to_owned() } else { edit.with };
                cuts.push(Edit { range, with, ..edit });
            }
        }
        let from = |at: usize| at - tail.start;
        let cuts = without_overlaps(cuts).into_iter();
        let cuts: Vec<_> = cuts.map(|cut| (from(cut.range.start)..from(cut.range.end), cut.with)).collect();
        window.repeats.cut(&mut self.queue, self.first, &window.text, &cuts);
        cut_parts(&mut self.queue, self.first, &window.parts, cuts.into_iter());
        let context = session.program.detector.context(&text, safe);
        window.release(from(safe), &text, safe, context, &mut self.queue, self.first);
    }
}

/// How a text of this kind is read for addresses at its beginning. Other texts may be arguments, as Vertex streams
/// them.
fn readings_of(kind: ChannelKind) -> Readings {
    match kind {
        ChannelKind::ToolArguments => Readings::of_json(),
        ChannelKind::ToolInput | ChannelKind::Other => Readings::of_arguments(),
        _ => Readings::default(),
    }
}

/// The guards for personal data that inspect responses.
fn guards(applies: &[Rc<Attached>]) -> impl Iterator<Item = (&Attached, &PiiGuard)> {
    applies
        .iter()
        .flat_map(|policy| policy.pii.iter().map(move |guard| (policy.as_ref(), guard)))
        .filter(|(_, guard)| guard.looks(Way::Response))
}

/// The findings in a piece as a separate text, by the index of the guard; the piece will begin at `at` in its window.
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
