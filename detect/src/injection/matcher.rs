//! One pass over a text: matches words against rules, finds marks, and reads what is encoded.

use std::ops::Range;

use super::alphabet::Byte;
use super::evidence::{Evidence, Kind, Piece};
use super::lexicon::{Classes, Lexicon, WordHash};
use super::rules::{NEGATED, RULES, Step};
use super::scorer::{Features, Scorer};
use super::structure::MARKS;
use super::together::Heard;
use super::tokens::{self, CHARACTER, Spaced, Word, Written};
use super::verdict::{self, Family, InjectionFinding, Source};
use super::words::{CHANGED, LEAK, LIMIT, NOW, OVERRIDE, POLICY, REVEAL, SECRETLY, SYSTEM, TALK};
use super::{hidden, layers, told};
use crate::bytes::{at, slice};
use crate::canonical::{self, View};

/// How many words with classes are remembered.
const RING: usize = 64;
/// A text about attacks says so within this many words.
const TALK_REACH: usize = 24;
/// Factor for evidence in a text about attacks.
const TALK_FACTOR: f32 = 0.5;
/// Factor for a rule that announces a speaker, unless it matches a heading.
const IN_PASSING: f32 = 0.3;

/// Factor for a call to a model that does not address it.
const UNADDRESSED: f32 = 0.6;
/// Rules with at most this weight also match program code, where signs stand between their words.
const WEAK: f32 = 0.5;
/// Factor for them there.
const IN_CODE: f32 = 0.4;

/// Factor in a tool's description for evidence that ordinary descriptions contain, too.
const USUAL_FACTOR: f32 = 0.4;

/// From this score on, the finding names the rules' evidence; below, it names the scorer.
const RULE_SPEAKS: f32 = 0.35;

/// Collects evidence word by word.
pub(super) struct Matcher<'a> {
    pub(super) lexicon: &'a Lexicon,
    pub(super) source: Source,
    words: [Word; RING],
    count: usize,
    /// The current word, and the two before it, the nearer one first.
    verb: WordHash,
    before: [WordHash; 2],
    /// For each class, the number of the last word with it.
    last: [usize; 64],
    talk: Option<usize>,
    /// How many layers of encoding this text was in.
    pub(super) depth: u8,
    pub(super) evidence: Evidence,
    /// Evidence that counts regardless of its position.
    everywhere: Option<Heard>,
    pub(super) scorer: Scorer<'a>,
    /// Every piece, if an explanation is wanted.
    log: Option<Vec<Piece>>,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(lexicon: &'a Lexicon, source: Source) -> Matcher<'a> {
        let [speaks, informs] = &lexicon.learned;
        let learned = if source.informs() { informs } else { speaks };
        let [speaks, informs] = &lexicon.tables;
        let table = if source.informs() { informs } else { speaks };
        Matcher {
            lexicon,
            source,
            words: [Word::default(); RING],
            count: 0,
            verb: WordHash::START,
            before: [WordHash::START; 2],
            last: [0; 64],
            talk: None,
            depth: 0,
            evidence: Evidence::default(),
            everywhere: None,
            scorer: Scorer::new(table, learned),
            log: None,
        }
    }

    /// Reads the text and returns every piece of evidence in the order found.
    pub(super) fn explain(mut self, text: &str) -> Vec<InjectionFinding> {
        self.log = Some(Vec::new());
        let view = self.judge(text);
        let pieces = self.log.unwrap_or_default();
        pieces.into_iter().map(|piece| finding(piece, piece.weight, view.as_ref())).collect()
    }

    /// Reads the text and returns the scorer's features for it, segment by segment.
    pub(super) fn features(mut self, text: &str) -> Features {
        self.scorer = self.scorer.traced();
        self.judge(text);
        self.scorer.into_features(self.everywhere)
    }

    /// Reads the text and returns the terms of its margin.
    pub(super) fn parts(mut self, text: &str) -> Vec<(&'static str, f32)> {
        self.scorer = self.scorer.traced();
        self.judge(text);
        self.scorer.parts(self.everywhere)
    }

    /// Reads the text and returns the margin of all evidence, with the strongest piece.
    pub(super) fn run(&mut self, text: &str) -> Option<(f32, InjectionFinding)> {
        let view = self.judge(text);
        let worst = self.scorer.finish(self.everywhere)?;
        let found = match (worst.heard, worst.span) {
            (Some((score, piece)), span) if score >= RULE_SPEAKS || span.is_none() => {
                finding(piece, score, view.as_ref())
            }
            (_, span) => InjectionFinding {
                rule: "scorer/window",
                family: Family::Learned,
                span: span.map(|span| view.map_or(span.clone(), |view| view.original(span)))?,
                score: 0.0,
            },
        };
        let score = verdict::score_of(worst.margin, self.source);
        Some((worst.margin, InjectionFinding { score, ..found }))
    }

    /// Collects the evidence; returns the view that its positions refer to.
    fn judge(&mut self, text: &str) -> Option<View> {
        let view = canonical::reads_otherwise(text).then(|| canonical::folded(text));
        let read = view.as_ref().map_or(text, View::text);
        self.read(read);
        if let Some(span) = hidden::unseen(text) {
            let weight = self.weigh(0.5, 0.8);
            // The span refers to the original text; the view would shift it.
            let place =
                view.as_ref().map_or(span.clone(), |view| view.position(span.start)..view.position(span.end));
            self.everywhere = self.evidence_of(Kind::Unseen, weight, 0, place);
        }
        view
    }

    pub(super) fn weigh(&self, user: f32, data: f32) -> f32 {
        if self.source.informs() { data } else { user }
    }

    pub(super) fn add(&mut self, kind: Kind, weight: f32, index: usize, span: Range<usize>) {
        if let Some(heard) = self.evidence_of(kind, weight, index, span) {
            self.scorer.hear(heard);
        }
    }

    fn evidence_of(&mut self, kind: Kind, weight: f32, index: usize, span: Range<usize>) -> Option<Heard> {
        let piece = Piece { kind, weight, index, start: span.start, end: span.end };
        if let Some(log) = self.log.as_mut().filter(|_| weight > 0.0) {
            log.push(piece);
        }
        self.evidence.add(piece)
    }

    pub(super) fn read(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let lexicon = self.lexicon;
        let mut spaced = Spaced::new();
        let mut index = 0;
        let mut i = 0;
        let mut run_until = 0;
        // Whether a line has begun and no word has come yet.
        let mut line = true;
        while let Some(b) = bytes.get(i) {
            let byte = Byte::of(*b);
            if byte.joins_letters() {
                i += 1;
            } else if byte.is_letter() {
                if !line && spaced.is_empty() {
                    let read = self.plain(bytes, i, index);
                    if read.0 > i {
                        (i, index) = read;
                        continue;
                    }
                }
                let written = tokens::written(bytes, i);
                if i >= run_until {
                    run_until = self.layer(bytes, written, index);
                }
                if std::mem::take(&mut line) {
                    self.mark(bytes, i, index);
                }
                self.verb = written.hash;
                let counts = tokens::read(lexicon, bytes, written, index + 1, |word| self.word(bytes, word));
                self.before = [written.hash, self.before[0]];
                index += counts;
                if written.end - i >= tokens::RUN_TOGETHER
                    && self.depth == 0
                    && let Some(said) = tokens::words_of_name(lexicon, slice(bytes, i, written.end))
                {
                    self.named(&said, index, i..written.end);
                }
                self.scorer.word(bytes, i..written.end, written.hash.get(), counts, true);
                if written.end - i == 1 && b.is_ascii_alphabetic() {
                    spaced.push(*b, i);
                } else {
                    spaced.take(lexicon, index, |word| self.word(bytes, word));
                }
                // Mostly a space comes next, which means nothing.
                i = written.end + usize::from(written.next == b' ');
            } else if byte.is_wide() {
                let (end, counts) = tokens::wide(lexicon, bytes, i, index, |word| self.word(bytes, word));
                index += counts;
                self.wide(bytes, i..end);
                spaced.take(lexicon, index, |word| self.word(bytes, word));
                i = end.max(i + 1);
            } else if *b == b'\\' && tokens::is_line_break(bytes, i) {
                line = true;
                i += 2;
            } else {
                if byte.speaks() {
                    line |= byte.begins_line();
                    index += self.between(bytes, i, byte);
                    if byte.begins_mark() {
                        self.mark(bytes, i, index);
                    }
                }
                i += 1;
            }
        }
        spaced.take(lexicon, index, |word| self.word(bytes, word));
        // Several words, but almost none known: the text may be reversed or rotated.
        if self.depth == 0
            && self.count * 8 < index
            && index >= 4
            && let Some(said) = layers::turned(lexicon, text)
        {
            self.decoded(&said, index, 0..text.len());
        }
    }

    /// Reads ordinary words separated by single spaces, which most text consists of, from `i` and word number `index`
    /// on; returns where they end and the number of the last one. A separate loop, so that its variables stay in
    /// registers.
    #[inline(never)]
    fn plain(&mut self, text: &[u8], mut i: usize, mut index: usize) -> (usize, usize) {
        loop {
            let Some(written) = tokens::letters(text, i).filter(|written| written.is_plain(text)) else {
                return (i, index);
            };
            let Written { start, end, hash, next, .. } = written;
            index += 1;
            let classes = self.lexicon.get(hash);
            if classes.0 != 0 {
                self.verb = hash;
                self.word(text, Word { classes, index, start, end, heads: written.heads(text) });
            }
            self.before = [hash, self.before[0]];
            self.scorer.plain(text, start..end, hash.get());
            i = end;
            if next != b' ' {
                return (i, index);
            }
            i += 1;
        }
    }

    /// Handles a sign between words; returns by how many words it separates those around it.
    #[inline]
    fn between(&mut self, text: &[u8], i: usize, byte: Byte) -> usize {
        let b = at(text, i);
        let apart = match b {
            // The end of a sentence separates its words from those of the next.
            b'.' | b'!' | b'?' if at(text, i + 1) <= b' ' => 2,
            b'.' | b'!' | b'?' => return 0,
            b'\n' => 1,
            _ => 0,
        };
        if byte.is_sign() {
            self.scorer.sign(b);
        }
        apart
    }

    /// Passes a run without spaces to the scorer, character by character.
    #[inline(never)]
    fn wide(&mut self, text: &[u8], run: Range<usize>) {
        for (number, from) in run.clone().step_by(CHARACTER).enumerate() {
            let to = (from + CHARACTER).min(run.end);
            // Two characters count as one word.
            let hash = WordHash::of(slice(text, from, to)).get();
            self.scorer.word(text, from..to, hash, number % 2, false);
        }
    }

    #[inline]
    fn mark(&mut self, text: &[u8], i: usize, index: usize) {
        if let Some(number) = self.lexicon.marks.at(text, i) {
            self.marked(number, i, index);
        }
    }

    fn marked(&mut self, number: usize, i: usize, index: usize) {
        if let Some(mark) = MARKS.get(number) {
            let mut weight = self.weigh(mark.user, mark.data);
            // Tool descriptions contain conversations as examples.
            if mark.name == "forgery/role-line" && self.source == Source::ToolDefinition {
                weight *= USUAL_FACTOR;
            }
            self.add(Kind::Mark(number), weight, index, i..i + mark.text.len());
            self.scorer.mark(number);
        }
    }

    fn word(&mut self, text: &[u8], mut word: Word) {
        if word.classes.meets(OVERRIDE)
            && (self.is_told(word.index) || self.lexicon.forms.negated(self.before))
        {
            word.classes = word.classes.without(OVERRIDE);
        }
        if self.count > 0 && self.lexicon.forms.negates(self.verb) {
            self.unsay(word.index);
        }
        if word.classes.meets(CHANGED) && self.lexicon.forms.applies(self.verb, self.before) {
            word.classes = word.classes.without(CHANGED);
        }
        if word.classes.meets(POLICY) && self.lexicon.forms.own(self.before) {
            word.classes = word.classes.without(POLICY);
        }
        if word.classes.meets(NEGATED)
            && self.lexicon.forms.takes_back(self.verb)
            && self.negated_before(text, word)
        {
            word.classes = word.classes.without(NEGATED.or(SECRETLY));
        }
        if word.classes.meets(LIMIT) && self.lexicon.forms.measured(self.before) {
            word.classes = word.classes.without(LIMIT);
        }
        if word.classes.0 == 0
            || told::is_element(text, word.start, word.end)
            || told::is_type(text, word.start, word.end)
        {
            return;
        }
        self.scorer.classes(word.classes, word.index);
        if word.classes.meets(SYSTEM) && self.lexicon.forms.any(self.before) {
            word.classes = word.classes.without(SYSTEM);
        }
        if word.classes.meets(NOW)
            && self.lexicon.forms.not_from_now_on(self.before, slice(text, word.end, text.len()))
        {
            word.classes = word.classes.without(NOW);
        }
        // "Never reveal your prompt" asks for nothing.
        if word.classes.meets(REVEAL.or(LEAK)) && self.lexicon.forms.unasked(self.before) {
            word.classes = word.classes.without(REVEAL.or(LEAK));
        }
        if let Some(slot) = self.words.get_mut(self.count % RING) {
            *slot = word;
        }
        self.count += 1;
        if word.classes.meets(TALK) {
            self.talk = Some(word.index);
        }
        if word.classes.meets(self.lexicon.ends) {
            self.rules(text, word);
        }
        for class in word.classes.bits() {
            if let Some(last) = self.last.get_mut(class) {
                *last = word.index.max(*last);
            }
        }
    }

    /// Whether a negation shortly before a word still applies there.
    fn negated_before(&self, text: &[u8], word: Word) -> bool {
        let back = (1..=RING.min(self.count)).filter_map(|back| self.words.get((self.count - back) % RING));
        let mut near = back.take_while(|other| word.index.saturating_sub(other.index) <= told::WITHIN);
        near.any(|other| other.classes.meets(NEGATED) && told::reaches(text, other.end, word.start))
    }

    /// Takes the order away from the verb right before the word with this number.
    fn unsay(&mut self, index: usize) {
        if let Some(last) = self.words.get_mut((self.count - 1) % RING).filter(|last| last.index + 1 == index)
        {
            last.classes = last.classes.without(OVERRIDE);
        }
    }

    /// Whether the verb with this number only reports something.
    fn is_told(&self, index: usize) -> bool {
        let last = self.count.checked_sub(1).and_then(|last| self.words.get(last % RING));
        let subject = last.filter(|word| word.index + 1 == index).map_or(Classes(0), |word| word.classes);
        self.lexicon.forms.told(self.verb, self.before, subject)
    }

    /// Checks the rules that end with this word.
    fn rules(&mut self, text: &[u8], word: Word) {
        let lexicon = self.lexicon;
        for ending in lexicon.rules_ending(word.classes) {
            let near = |class: usize| {
                self.last.get(class).is_some_and(|last| word.index.saturating_sub(*last) <= ending.reach)
            };
            if !ending.before.bits().any(near) {
                continue;
            }
            let number = ending.rule;
            let Some(rule) = RULES.get(number) else { continue };
            let Some(((_, gap), before)) = rule.steps.split_last() else { continue };
            let Some(start) = self.back(text, before, *gap, word, 1) else { continue };
            let mut weight = self.weigh(rule.user, rule.data);
            let talks = self.talk.is_some_and(|talk| word.index.saturating_sub(talk) <= TALK_REACH);
            if talks && matches!(rule.family, Family::InstructionOverride | Family::PromptExtraction) {
                weight *= TALK_FACTOR;
            }
            if rule.heading && !word.heads {
                weight *= IN_PASSING;
            }
            if rule.calls && !told::addressed(text, word.end) {
                weight *= UNADDRESSED;
            }
            if weight <= WEAK && told::is_code(slice(text, start, word.end)) {
                weight *= IN_CODE;
            }
            if rule.usual && self.source == Source::ToolDefinition {
                weight *= USUAL_FACTOR;
            }
            self.add(Kind::Rule(number), weight, word.index, start..word.end);
        }
    }

    /// Finds the steps before `later`, from last to first; returns where the first one starts.
    fn back(&self, text: &[u8], steps: &[Step], gap: u8, later: Word, skip: usize) -> Option<usize> {
        let Some(((classes, before_gap), before)) = steps.split_last() else { return Some(later.start) };
        for back in skip + 1..=RING.min(self.count) {
            let word = *self.words.get((self.count - back) % RING)?;
            if later.index.saturating_sub(word.index) > usize::from(gap) + 1 {
                return None;
            }
            if classes.meets(word.classes)
                && (*classes != NEGATED || told::holds(text, word.end, later.start))
                && let Some(start) = self.back(text, before, *before_gap, word, back)
            {
                return Some(start);
            }
        }
        None
    }
}

fn finding(piece: Piece, score: f32, view: Option<&View>) -> InjectionFinding {
    let span = piece.start..piece.end;
    InjectionFinding {
        rule: piece.kind.name(),
        family: piece.kind.family(),
        span: view.map_or(span.clone(), |view| view.original(span)),
        score,
    }
}
