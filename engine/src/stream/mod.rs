//! Event streams, inspected and rewritten as they flow.
//!
//! Each running text of a stream (a choice, a content block, a tool call's arguments) has a [`Window`]: the text that
//! could still become part of a finding, and a little of the text before it as context. An event waits in the queue
//! until none of its text is in a window, and leaves in order, with only the edited bytes changed.
//!
//! Failure law: the detector's holdback bounds a window, and [`MAX_QUEUE`] bounds the queue; beyond that, all text is
//! judged as it is. If there are more running texts than [`MAX_WINDOWS`], or an event cannot be read or contradicts
//! those before it ([`Order`]), the stream ends with the provider's own error event. If a stream breaks off, what was
//! held back is lost.
mod blocks;
mod cumulative;
mod number;
mod opening;
mod order;
mod repeats;
mod settle;
mod tail;
mod window;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mesh_wire::{
    Channel, ChannelKind, Close, ContentDecoder, DecodeError, Edit, Event, EventStream, Framing, Limits,
    Opening, Protocol, StreamItem, read_event,
};

use crate::answer::Answer;
use crate::decision::Outcome;
use crate::guards::without_overlaps;
use crate::own_rules::MAX_HELD;
use crate::parts::Pieces;
use crate::response::names;
use crate::session::Session;
use crate::stream::order::Order;
use crate::stream::window::{Part, Window};

/// Maximum bytes of raw events in the queue.
const MAX_QUEUE: usize = 256 * 1024;
/// The end of a text leaves after this many events of other texts, plus two for each open text (choices take turns):
/// it has most likely ended, as thoughts do before an answer, and the answer would wait for it.
const PATIENCE: u64 = 16;
/// How many events a text waits for its turn, if no protocol defines that it takes turns with others.
const TURN: u64 = 8;
/// After this many keep-alive events in a row, a text of an unknown protocol leaves: it may be the last.
const SILENCE: u32 = 2;
/// The maximum number of texts that take turns, unless they are numbered.
const MAX_TURNS: usize = 128;
/// Running texts of one stream that are open at once: choices, content blocks, tool calls.
const MAX_WINDOWS: usize = 1024;

pub(crate) struct Stream {
    /// Decodes the stream's `content-encoding`, if it has one.
    decoder: Option<ContentDecoder>,
    /// Until the first bytes show what the stream is.
    opening: Option<Opening>,
    /// It is a file by its content type: after its opening, it is known not to be text.
    is_file: bool,
    events: EventStream,
    framing: Framing,
    /// The last byte sent that is not white space.
    sent: Option<u8>,
    protocol: Protocol,
    operation: String,
    queue: VecDeque<Waiting>,
    /// The number of the queue's first event.
    first: u64,
    queued: usize,
    windows: BTreeMap<Channel, Window>,
    /// The block that ended last, until another continues from it.
    ended_block: Option<Channel>,
    /// The number of events with text.
    spoken: u64,
    /// The number of keep-alive events since the last other event.
    silent: u32,
    order: Order,
    ended: bool,
    /// The stream was ended; later events are read only for their usage.
    drains: bool,
    /// The response for the author's rules, if they inspect responses.
    held: Option<Held>,
}

/// A response that the author's rules are still to see.
pub(crate) struct Held {
    seen: Answer,
    /// No event leaves before they have seen it.
    back: bool,
    bytes: usize,
}

impl Held {
    pub(crate) fn new(back: bool) -> Self {
        Held { seen: Answer::default(), back, bytes: 0 }
    }
}

/// An event in the queue.
struct Waiting {
    event: Event,
    item: StreamItem,
    edits: Vec<Edit>,
    /// Tools to remove from a listing in this event.
    hidden: Vec<String>,
    /// The number of pieces with text that is still in a window.
    open: usize,
    /// The client did not ask for it: it is not sent.
    dropped: bool,
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
            opening: None,
            is_file: false,
            events: EventStream::new(framing, &Limits::default()),
            framing,
            sent: None,
            protocol,
            operation: operation.to_owned(),
            queue: VecDeque::new(),
            first: 0,
            queued: 0,
            windows: BTreeMap::new(),
            ended_block: None,
            spoken: 0,
            silent: 0,
            order: Order::default(),
            ended: false,
            drains: false,
            held: None,
        }
    }

    pub(crate) fn held(self, held: Option<Held>) -> Self {
        Stream { held, ..self }
    }

    /// Takes a chunk of the stream; returns the bytes that may leave.
    pub(crate) fn push(&mut self, session: &mut Session, chunk: &[u8], end_of_stream: bool) -> Vec<u8> {
        match self.decoded(chunk, end_of_stream) {
            None => self.open(session, chunk, end_of_stream),
            Some(Ok(plain)) => self.open(session, &plain, end_of_stream),
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
        self.leave(session, &mut out);
        // Nothing is dropped silently, whatever it still waits for.
        if end_of_stream && !self.queue.is_empty() {
            self.unreadable(session, &mut out);
        }
        self.sent = last_of(&out).or(self.sent);
        out
    }

    /// After the stream was ended: takes the usage from a later event, and counts its text.
    fn only_usage(&mut self, session: &mut Session, event: &Event) {
        let read = read_event(self.protocol, &self.operation, event, &Limits::default());
        if let (true, Ok(item)) = (self.drains, read) {
            session.took_event(event, &item);
            let new = item.pieces.iter().filter(|piece| !piece.apart);
            new.for_each(|piece| session.wrote(item.text(piece)));
        }
    }

    fn take(&mut self, session: &mut Session, event: Event, out: &mut Vec<u8>) {
        if self.ended {
            return self.only_usage(session, &event);
        }
        let Ok(mut item) = read_event(self.protocol, &self.operation, &event, &Limits::default()) else {
            return self.unreadable(session, out);
        };
        if item.idle {
            return self.alive(session, &event, out);
        }
        self.silent = 0;
        let touched = item.pieces.iter().flat_map(|piece| [Some(piece.channel), piece.turn]);
        let mut touched: BTreeSet<Channel> = touched.flatten().collect();
        if !self.order.follows(&mut item) || !self.admits(&touched) {
            return self.unreadable(session, out);
        }
        self.follow(session, &item, &touched);
        self.go_on(&touched);
        let dropped = session.took_event(&event, &item);
        self.keep(session, &event, &item);
        let (mut edits, hidden) = session.judge_response(&item.message, event.read_from(), Pieces::of(&item));
        let open = self.add_pieces(session, &item, &mut touched);
        edits.extend(self.repeated(&item));
        let over = self.order.ends(&item, self.windows.keys());
        let closes = item.closes.clone();
        self.queued += event.raw().len();
        self.queue.push_back(Waiting { event, item, edits, hidden, open, dropped });
        self.settle_touched(session, &touched);
        self.settle_ended(session, over, &closes);
        self.make_room(session);
        // A response held back as a whole has its own bound.
        if self.queued > MAX_QUEUE && !self.holds_back() {
            self.settle_all(session);
        }
        self.leave(session, out);
        self.spend(session, out);
    }

    /// A keep-alive event. It overtakes the queue; otherwise the connection would seem dead.
    fn alive(&mut self, session: &mut Session, event: &Event, out: &mut Vec<u8>) {
        out.extend_from_slice(event.raw());
        self.silent += 1;
        if self.silent == SILENCE {
            let outside: Vec<_> =
                self.windows.keys().copied().filter(|channel| channel.is_outside()).collect();
            outside.into_iter().for_each(|channel| self.let_go(session, channel));
            self.leave(session, out);
        }
    }

    /// Adds the event's pieces to their running texts, and these to `touched`. Returns how many pieces wait.
    fn add_pieces(
        &mut self,
        session: &mut Session,
        item: &StreamItem,
        touched: &mut BTreeSet<Channel>,
    ) -> usize {
        let number = self.first + self.queue.len() as u64;
        let mut open = 0;
        self.spoken += u64::from(!touched.is_empty());
        let outside = self.protocol.answers_from_outside();
        for piece in item.pieces.iter().filter(|piece| !item.text(piece).is_empty()) {
            let text = item.text(piece);
            let place = || format!("response:{}", item.message.path(piece.segment));
            let mut new = text;
            if piece.apart {
                let (channel, more) = self.cumulative(session, piece, text, number);
                if let Some(window) = self.windows.get_mut(&channel) {
                    window.touch(self.spoken, place);
                }
                open += usize::from(more.is_some_and(|more| !more.is_empty()));
                new = more.unwrap_or(text);
                touched.insert(channel);
            }
            session.wrote(new);
            let window = self.windows.entry(piece.channel).or_default();
            window.touch(self.spoken, place);
            window.whole = piece.whole;
            if piece.apart {
                window.apart.extend(settle::by_itself(session, text, window.text.len()));
            }
            window.add(text);
            if outside {
                window.heard.push_str(text);
                window.unsearched += text.len();
            }
            let part = Part { event: number, segment: piece.segment, offset: 0, len: text.len() };
            window.parts.push_back(part);
            open += 1;
            let before = std::mem::replace(&mut window.last_turn, piece.turn);
            if let Some(turn) = piece.turn {
                let window = self.windows.entry(turn).or_default();
                window.takes_turn(text, part, before != piece.turn);
                window.touch(self.spoken, place);
                open += 1;
            }
        }
        open
    }

    /// The edits of texts that the event repeats.
    fn repeated(&mut self, item: &StreamItem) -> Vec<Edit> {
        let number = self.first + self.queue.len() as u64;
        let repeats = item.repeats.iter().filter_map(|(channel, segment)| {
            let said = item.message.segments.get(*segment).map_or("", |segment| segment.text.as_str());
            self.windows.get_mut(channel)?.repeated(number, *segment, said)
        });
        repeats.collect()
    }

    /// Judges the running texts that got more text.
    fn settle_touched(&mut self, session: &mut Session, touched: &BTreeSet<Channel>) {
        for channel in touched {
            let last = channel.kind == ChannelKind::Messages;
            self.hear(session, channel, last);
            self.settle(session, channel, last);
        }
    }

    /// Lets go of the running texts that have ended (with each, whether more of it may still come).
    fn settle_ended(&mut self, session: &mut Session, over: Vec<(Channel, bool)>, closes: &[Close]) {
        let goes_on = !closes.contains(&Close::All);
        for (channel, more) in over {
            if goes_on && self.waits_for_another(session, channel) {
                continue;
            }
            self.let_go(session, channel);
            if !more && self.windows.get(&channel).is_some_and(|window| window.text.is_empty()) {
                self.windows.remove(&channel);
            }
        }
        for channel in self.left_alone(closes) {
            self.let_go(session, channel);
        }
    }

    /// Ends the response if its budget is used up.
    fn spend(&mut self, session: &mut Session, out: &mut Vec<u8>) {
        if !self.ended && session.is_cut() {
            self.drop_undecided(session);
            self.show(session);
            self.leave(session, out);
            self.cut(session, out);
        }
    }

    /// Keeps what the author's rules will inspect.
    fn keep(&mut self, session: &mut Session, event: &Event, item: &StreamItem) {
        let Some(held) = &mut self.held else { return };
        held.bytes = held.bytes.saturating_add(event.raw().len());
        if held.bytes > MAX_HELD {
            self.held = None;
            session.rego_misses_answer("response-size");
        } else {
            held.seen.add(item, event.read_from());
        }
    }

    /// Whether no event leaves before the author's rules have seen the whole response.
    fn holds_back(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.back)
    }

    /// The response is complete, or will not continue: the author's rules see it, and what was held back for them may
    /// leave.
    fn show(&mut self, session: &mut Session) {
        if let Some(held) = self.held.take() {
            session.judge_answer(&held.seen);
        }
    }

    /// The budget is used up: the response ends here as if it had reached its token limit. Later events are read only
    /// for their usage.
    fn cut(&mut self, session: &mut Session, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        self.stop(session);
        match session.ending() {
            Some(ending) => out.extend_from_slice(&ending),
            None => self.say_last(&session.spent_error(self.framing), out),
        }
    }

    /// Whether there is room for these running texts. Open texts do not make room, except those of an unknown
    /// protocol: they are the context of what comes next.
    fn admits(&self, touched: &BTreeSet<Channel>) -> bool {
        if self.windows.len() + touched.len() <= MAX_WINDOWS {
            return true;
        }
        let open =
            |channel: &Channel| self.windows.get(channel).is_some_and(|window| !window.text.is_empty());
        let counts = |channel: &&Channel| !channel.is_outside();
        let held = self.windows.keys().filter(counts).filter(|channel| open(channel)).count();
        held + touched.iter().filter(counts).filter(|channel| !open(channel)).count() <= MAX_WINDOWS
    }

    /// Running texts that wait, but that other texts have replaced, or that an event releases. If one of them
    /// continues after all, its earlier text is the context.
    fn left_alone(&self, closes: &[Close]) -> Vec<Channel> {
        let open = self.windows.values().filter(|window| !window.text.is_empty()).count();
        let patience = |channel: &Channel, window: &Window| {
            let turns = if channel.is_numbered() { open } else { open.min(MAX_TURNS) };
            if window.turns.is_some() { TURN } else { PATIENCE + 2 * turns as u64 }
        };
        let waits = self.windows.iter().filter(|(channel, window)| {
            !window.text.is_empty()
                && (self.spoken.saturating_sub(window.touched) > patience(channel, window)
                    || window.whole && window.touched < self.spoken
                    || closes.contains(&Close::Rests(channel.group))
                    || closes.contains(&Close::AllRest))
        });
        waits.map(|(channel, _)| *channel).collect()
    }

    /// Removes windows beyond the maximum: those of the texts that have been silent for the longest time.
    fn make_room(&mut self, session: &mut Session) {
        let Some(over) = self.windows.len().checked_sub(MAX_WINDOWS).filter(|over| *over > 0) else { return };
        let oldest =
            self.windows.iter().filter(|(channel, window)| channel.is_outside() || window.text.is_empty());
        let mut oldest: Vec<_> = oldest.map(|(channel, window)| (window.touched, *channel)).collect();
        oldest.sort_unstable();
        for (_, channel) in oldest.into_iter().take(over) {
            self.let_go(session, channel);
            self.windows.remove(&channel);
        }
    }

    /// Judges all of a running text, so that none of it waits.
    fn let_go(&mut self, session: &mut Session, channel: Channel) {
        self.hear(session, &channel, true);
        self.settle(session, &channel, true);
    }

    /// Sends every decided event, in order.
    fn leave(&mut self, session: &mut Session, out: &mut Vec<u8>) {
        if session.denied() && !self.ended {
            return self.end(session, out);
        }
        if self.holds_back() {
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
                session.sent_event(&held.event);
                out.extend_from_slice(held.event.raw());
            } else {
                session.decision.outcome = session.decision.outcome.max(Outcome::AllowWithModifications);
                let edits = without_overlaps(held.edits);
                let event = held.event.rewritten(&held.item, &edits, &names(&held.hidden));
                let again = EventStream::new(self.framing, &Limits::default()).push(&event);
                again.iter().flatten().for_each(|event| session.sent_event(event));
                out.extend_from_slice(&event);
            }
        }
    }

    fn unreadable(&mut self, session: &mut Session, out: &mut Vec<u8>) {
        session.uninspectable_back("response-malformed");
        // A policy that fails open lets pass what it could not read; without the events' framing that is impossible
        // here.
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

    /// The last message of the stream, framed like the rest.
    fn say_last(&self, error: &[u8], out: &mut Vec<u8>) {
        let sent = last_of(out).or(self.sent);
        out.extend_from_slice(&self.framing.ending(sent, error));
    }
}

fn last_of(bytes: &[u8]) -> Option<u8> {
    bytes.iter().rev().find(|byte| !byte.is_ascii_whitespace()).copied()
}
