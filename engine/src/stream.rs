//! Streams of events, inspected and rewritten as they flow.
//!
//! Each running text of a stream (a choice, a content block, a tool call's arguments) has a [`Window`]: the text that
//! could still become part of a finding, and a little of what went before it as context. An event waits in the queue
//! until none of its text is in a window any more, and leaves in its turn, with only the edited bytes changed.
//!
//! Failure law: what a window holds is bounded by the detector's holdback, the queue by [`MAX_QUEUE`]; over it, all text
//! is judged as it stands. An event that cannot be read ends the stream with the provider's own error event when the
//! policy is closed. A stream that breaks off takes what was held back with it.
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use mesh_detect::TypeSet;
use mesh_wire::{
    Channel, ChannelKind, ContentDecoder, DecodeError, Edit, Event, EventStream, Framing, Limits, Protocol,
    StreamItem, cut_escape, escape_json, read_event, resolve_escapes,
};

use crate::decision::Outcome;
use crate::guards::{Way, without_overlaps};
use crate::mask::in_address;
use crate::output::{GONE, OutputStates, raw_end};
use crate::own_rules::{Answer, MAX_HELD};
use crate::program::PiiGuard;
use crate::response::names;
use crate::session::Session;

/// Bytes of raw events that may wait.
const MAX_QUEUE: usize = 256 * 1024;
/// Context kept of text that has left, in bytes.
const CONTEXT: usize = 64;
/// The author's own patterns have no known reach: this much of the tail waits for them, in bytes.
const CUSTOM_REACH: usize = 256;

/// A third party's words are searched for attacks each time this many more of them are there, in bytes.
const HEARING: usize = 64;
/// So much of them is searched at once, in bytes: the last.
const HEARD: usize = 4096;

pub(crate) struct Stream {
    /// Undoes the stream's `content-encoding`, when it has one.
    decoder: Option<ContentDecoder>,
    events: EventStream,
    framing: Framing,
    /// The last byte that was sent on, white space not counting.
    sent: Option<u8>,
    protocol: Protocol,
    operation: String,
    queue: VecDeque<Waiting>,
    /// Number of the queue's first event.
    first: u64,
    queued: usize,
    windows: Vec<(Channel, Window)>,
    ended: bool,
    /// It was ended, and what still comes is read for what it says of usage.
    drains: bool,
    /// Where the author's own rules look at answers.
    held: Option<Held>,
}

/// An answer that the author's own rules are still to see.
pub(crate) struct Held {
    seen: Answer,
    /// No event leaves before they have.
    back: bool,
    bytes: usize,
}

impl Held {
    pub(crate) fn new(back: bool) -> Self {
        Held { seen: Answer::default(), back, bytes: 0 }
    }
}

/// An event that waits.
struct Waiting {
    event: Event,
    item: StreamItem,
    edits: Vec<Edit>,
    /// Tools that a listing in this event must not show.
    hidden: Vec<String>,
    /// Pieces with text that is still in a window.
    open: usize,
    /// The client did not ask for it: it does not leave.
    dropped: bool,
}

/// The undecided end of one running text.
#[derive(Default)]
struct Window {
    context: String,
    text: String,
    /// What has left ended within an address.
    address: bool,
    place: String,
    parts: VecDeque<Part>,
    /// Whether the running text began like JSON; unknown while it is blank.
    json: Option<bool>,
    /// What a third party said last in this text, and how much of that has not been searched for attacks.
    heard: String,
    unsearched: usize,
    /// Where the searches of this text for addresses and active HTML stand.
    output: OutputStates,
}

/// Where a stretch of a window's text came from.
struct Part {
    event: u64,
    segment: usize,
    /// Where in the segment the stretch begins.
    offset: usize,
    len: usize,
}

impl Stream {
    pub(crate) fn new(
        protocol: Protocol,
        operation: &str,
        framing: Framing,
        decoder: Option<ContentDecoder>,
    ) -> Self {
        Stream {
            decoder,
            events: EventStream::new(framing, &Limits::default()),
            framing,
            sent: None,
            protocol,
            operation: operation.to_owned(),
            queue: VecDeque::new(),
            first: 0,
            queued: 0,
            windows: Vec::new(),
            ended: false,
            drains: false,
            held: None,
        }
    }

    pub(crate) fn held(self, held: Option<Held>) -> Self {
        Stream { held, ..self }
    }

    /// Takes a piece of the stream; gives what may leave.
    pub(crate) fn push(&mut self, session: &mut Session, chunk: &[u8], end_of_stream: bool) -> Vec<u8> {
        match self.decoded(chunk, end_of_stream) {
            None => self.push_plain(session, chunk, end_of_stream),
            Some(Ok(plain)) => self.push_plain(session, &plain, end_of_stream),
            Some(Err(_)) => {
                let mut out = Vec::new();
                if !self.ended {
                    self.unreadable(session, &mut out);
                }
                out
            }
        }
    }

    fn decoded(&mut self, chunk: &[u8], end_of_stream: bool) -> Option<Result<Vec<u8>, DecodeError>> {
        let decoder = self.decoder.as_mut()?;
        let mut plain = decoder.push(chunk);
        if let Ok(plain) = &mut plain
            && end_of_stream
        {
            match decoder.end() {
                Ok(rest) => plain.extend(rest),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(plain)
    }

    fn push_plain(&mut self, session: &mut Session, chunk: &[u8], end_of_stream: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(chunk.len());
        if self.ended && !self.drains {
            return out;
        }
        match self.events.push(chunk) {
            Ok(events) => events.into_iter().for_each(|event| self.take(session, event, &mut out)),
            Err(_) if self.ended => self.drains = false,
            Err(_) => self.unreadable(session, &mut out),
        }
        if end_of_stream {
            session.answer_ended();
        }
        if end_of_stream && !self.ended {
            match self.events.finish() {
                Ok(Some(event)) => self.take(session, event, &mut out),
                Ok(None) => {}
                Err(_) => self.unreadable(session, &mut out),
            }
            self.settle_all(session);
            self.show(session);
        }
        if self.queued > MAX_QUEUE {
            self.settle_all(session);
        }
        self.leave(session, &mut out);
        self.sent = last_of(&out).or(self.sent);
        out
    }

    /// Of a stream that was ended, what its later events say of usage.
    fn only_usage(&mut self, session: &mut Session, event: &Event) {
        let read = read_event(self.protocol, &self.operation, event, &Limits::default());
        if let (true, Ok(item)) = (self.drains, read) {
            session.took_event(event, &item);
        }
    }

    fn take(&mut self, session: &mut Session, event: Event, out: &mut Vec<u8>) {
        if self.ended {
            return self.only_usage(session, &event);
        }
        let Ok(item) = read_event(self.protocol, &self.operation, &event, &Limits::default()) else {
            return self.unreadable(session, out);
        };
        let dropped = session.took_event(&event, &item);
        self.keep(session, &event, &item);
        let (edits, hidden) =
            session.judge_response(&item.message, event.read_from(), |segment| item.is_piece(segment));
        let number = self.first + self.queue.len() as u64;
        let mut open = 0;
        let outside = self.protocol.answers_from_outside();
        for piece in item.pieces.iter().filter(|piece| !item.text(piece).is_empty()) {
            let text = item.text(piece);
            let window = self.window(piece.channel);
            if window.place.is_empty() {
                window.place = format!("response:{}", item.message.path(piece.segment));
            }
            let first = text.trim_start().chars().next();
            window.json = window.json.or(first.map(|first| matches!(first, '{' | '[' | '"')));
            window.text.push_str(text);
            if outside {
                window.heard.push_str(text);
                window.unsearched += text.len();
            }
            window.parts.push_back(Part {
                event: number,
                segment: piece.segment,
                offset: 0,
                len: text.len(),
            });
            open += 1;
        }
        let touched: Vec<Channel> = item.pieces.iter().map(|piece| piece.channel).collect();
        let closes = item.closes.clone();
        self.queued += event.raw().len();
        self.queue.push_back(Waiting { event, item, edits, hidden, open, dropped });
        for channel in &touched {
            self.hear(session, channel, false);
            self.settle(session, channel, false);
        }
        let known: Vec<Channel> = self.windows.iter().map(|(channel, _)| *channel).collect();
        for channel in known.iter().filter(|channel| closes.iter().any(|close| close.covers(channel))) {
            self.hear(session, channel, true);
            self.settle(session, channel, true);
        }
        self.leave(session, out);
        if let Some(ending) = (!self.ended).then(|| session.cut()).flatten() {
            self.settle_all(session);
            self.show(session);
            self.leave(session, out);
            self.cut(session, ending, out);
        }
    }

    /// Keeps what the author's own rules will look at.
    fn keep(&mut self, session: &mut Session, event: &Event, item: &StreamItem) {
        let Some(held) = &mut self.held else { return };
        held.bytes = held.bytes.saturating_add(event.raw().len());
        if held.bytes > MAX_HELD {
            self.held = None;
            session.rego_misses_answer("response-size");
        } else {
            held.seen.add(item);
        }
    }

    /// The answer is there, or will not go on: the author's own rules see it, and what was held back for them may leave.
    fn show(&mut self, session: &mut Session) {
        if let Some(held) = self.held.take() {
            session.judge_answer(&held.seen);
        }
    }

    /// The budget is spent: the answer ends here as at its bound. What still comes is read for what it says of usage.
    fn cut(&mut self, session: &mut Session, ending: Vec<u8>, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        self.stop(session);
        if ending.is_empty() {
            let error = session.spent_error(self.framing);
            self.say_last(&error, out);
        } else {
            out.extend_from_slice(&ending);
        }
    }

    fn window(&mut self, channel: Channel) -> &mut Window {
        let at = match self.windows.iter().position(|(known, _)| *known == channel) {
            Some(at) => at,
            None => {
                self.windows.push((channel, Window::default()));
                self.windows.len() - 1
            }
        };
        #[expect(clippy::indexing_slicing, reason = "the position was found or pushed just above")]
        &mut self.windows[at].1
    }

    fn settle_all(&mut self, session: &mut Session) {
        let channels: Vec<Channel> = self.windows.iter().map(|(channel, _)| *channel).collect();
        for channel in channels {
            self.hear(session, &channel, true);
            self.settle(session, &channel, true);
        }
    }

    /// Searches a third party's words for attacks, across the pieces they come in. `last` when no more can come.
    fn hear(&mut self, session: &mut Session, channel: &Channel, last: bool) {
        let Some((_, window)) = self.windows.iter_mut().find(|(known, _)| known == channel) else { return };
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
    fn settle(&mut self, session: &mut Session, channel: &Channel, last: bool) {
        let program = Rc::clone(&session.program);
        let applies = Rc::clone(&session.applies);
        let Some((_, window)) = self.windows.iter_mut().find(|(known, _)| known == channel) else { return };
        if window.text.is_empty() {
            return;
        }
        let start = window.context.len();
        let text = format!("{}{}", window.context, window.text);
        let place = window.place.clone();
        // Arguments are JSON: what their escapes spell is what the tool reads, and nothing else. An answer's words may be
        // JSON for some program, or be shown as they stand: there both readings count.
        let arguments = channel.kind == ChannelKind::ToolArguments;
        let began = window.json.unwrap_or_default();
        let escapes = arguments || text.contains("\\u") || began && text.contains('\\');
        let json = arguments || began;
        // An escape that is cut off spells nothing yet.
        let spelled = text.get(..if last { text.len() } else { cut_escape(&text) }).unwrap_or_default();
        let resolved = escapes.then(|| resolve_escapes(spelled));
        let guards: Vec<_> = applies
            .iter()
            .flat_map(|policy| policy.pii.iter().map(move |guard| (policy.as_ref(), guard)))
            .filter(|(_, guard)| guard.looks(Way::Response))
            .collect();
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
        // Nobody shows a tool's arguments.
        let heard = if !arguments {
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
        for (policy, guard) in guards {
            if !arguments {
                guard.find(&program.detector, &text, &mut found);
            }
            if let Some(resolved) = &resolved {
                guard.find(&program.detector, resolved.text(), &mut spelled);
                for mut finding in spelled.drain(..) {
                    finding.span = resolved.raw_range(finding.span);
                    if !found.iter().any(|seen| overlap(&seen.span, &finding.span)) {
                        found.push(finding);
                    }
                }
            }
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
        for (policy, guard, finding) in edits {
            // A longer finding of another guard may have pulled the boundary back over this one: it comes again.
            if finding.span.end > safe {
                continue;
            }
            let value = text.get(finding.span.clone()).unwrap_or_default();
            if let Some(with) = session.personal((policy, guard), &finding, value, &place, Way::Response) {
                let range = finding.span.start.max(start)..finding.span.end;
                let with = if json { escape_json(&with) } else { with };
                cuts.push(Edit { segment: 0, range, with });
            }
        }
        for (range, value) in session.masked.find(&text) {
            let before = text.get(window.context.len()..range.start).unwrap_or_default();
            if range.start < start || range.end > safe || in_address(before, window.address) {
                continue;
            }
            let with = if json { escape_json(value) } else { value.to_owned() };
            cuts.push(Edit { segment: 0, range, with });
        }
        if let Some((heard, _)) = heard {
            session.output_pass(&mut window.output, &window.text, &heard, safe - start, last);
            for edit in session.output_edits(&window.text, heard, safe - start, &place) {
                let range = edit.range.start + start..edit.range.end + start;
                let taken = cuts.iter().any(|cut| overlap(&cut.range, &range));
                cuts.push(Edit { range, with: if taken { GONE.to_owned() } else { edit.with }, ..edit });
            }
        }
        let left = text.get(start..safe).unwrap_or_default();
        window.address = in_address(left, window.address);
        for cut in without_overlaps(cuts) {
            let range = cut.range.start - start..cut.range.end - start;
            cut_parts(&mut self.queue, self.first, &window.parts, range, cut.with);
        }
        window.release(safe - start, &text, safe, &mut self.queue, self.first);
    }

    /// Sends on, in order, every event that is decided.
    fn leave(&mut self, session: &mut Session, out: &mut Vec<u8>) {
        if session.denied() && !self.ended {
            return self.end(session, out);
        }
        if self.held.as_ref().is_some_and(|held| held.back) {
            return;
        }
        while self.queue.front().is_some_and(|held| held.open == 0) {
            let Some(held) = self.queue.pop_front() else { break };
            self.first += 1;
            self.queued = self.queued.saturating_sub(held.event.raw().len());
            if held.dropped {
                continue;
            }
            if held.edits.is_empty() && held.hidden.is_empty() {
                out.extend_from_slice(held.event.raw());
            } else {
                session.decision.outcome = session.decision.outcome.max(Outcome::AllowWithModifications);
                let edits = without_overlaps(held.edits);
                out.extend_from_slice(&held.event.rewritten(&held.item, &edits, &names(&held.hidden)));
            }
        }
    }

    fn unreadable(&mut self, session: &mut Session, out: &mut Vec<u8>) {
        session.uninspectable_back("response-malformed");
        // An open policy lets pass what it could not read; without the events' frame that is no longer possible here.
        if !session.denied() {
            session.deny(mesh_wire::RefusalKind::GuardFailed, "the stream could not be read");
        }
        self.leave(session, out);
    }

    fn stop(&mut self, session: &Session) {
        self.ended = true;
        self.drains = session.spends();
        self.queue.clear();
        self.windows.clear();
    }

    fn end(&mut self, session: &mut Session, out: &mut Vec<u8>) {
        self.stop(session);
        let error = session.stream_error(self.framing);
        self.say_last(&error, out);
    }

    /// The last words of the stream, framed as the rest of it.
    fn say_last(&self, error: &[u8], out: &mut Vec<u8>) {
        let sent = last_of(out).or(self.sent);
        out.extend_from_slice(&self.framing.ending(sent, error));
    }
}

fn holdback(session: &Session, text: &str, guards: &[(&crate::index::Attached, &PiiGuard)]) -> usize {
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

fn last_of(bytes: &[u8]) -> Option<u8> {
    bytes.iter().rev().find(|byte| !byte.is_ascii_whitespace()).copied()
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

/// Puts `with` in place of the window's bytes `range`: into the first piece they touch; the rest of them goes.
fn cut_parts(
    queue: &mut VecDeque<Waiting>,
    first: u64,
    parts: &VecDeque<Part>,
    range: Range<usize>,
    with: String,
) {
    let mut with = Some(with);
    let mut begin = 0;
    for part in parts {
        let end = begin + part.len;
        let from = range.start.max(begin);
        let to = range.end.min(end);
        if from < to {
            let held =
                usize::try_from(part.event.saturating_sub(first)).ok().and_then(|at| queue.get_mut(at));
            if let Some(held) = held {
                let range = part.offset + from - begin..part.offset + to - begin;
                held.edits.push(Edit { segment: part.segment, range, with: with.take().unwrap_or_default() });
            }
        }
        begin = end;
    }
}

impl Window {
    /// Lets the first `bytes` of the text go.
    fn release(&mut self, bytes: usize, text: &str, safe: usize, queue: &mut VecDeque<Waiting>, first: u64) {
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
        let from = floor_boundary(text, safe.saturating_sub(CONTEXT));
        self.context = text.get(from..safe).unwrap_or_default().to_owned();
        self.text = text.get(safe..).unwrap_or_default().to_owned();
    }
}
