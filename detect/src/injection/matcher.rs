//! One pass over the words of a text.

use super::lexicon::{Classes, LONGEST, Lexicon, WordHash};
use super::rules::{RULES, Rule};
use super::verdict::{InjectionFinding, Source};
use crate::bytes::at;
use crate::canonical;

/// Words with classes that are remembered.
const RING: usize = 64;
/// Evidence adds up over this many words.
const REACH: usize = 160;
/// Matches remembered for adding up.
const MATCHES: usize = 24;

#[derive(Debug, Clone, Copy, Default)]
struct Word {
    classes: Classes,
    index: usize,
    start: usize,
    end: usize,
}

#[derive(Debug, Clone, Copy)]
struct Match {
    rule: usize,
    weight: f32,
    index: usize,
    start: usize,
    end: usize,
}

/// Collects evidence while words go by.
pub(super) struct Matcher<'a> {
    lexicon: &'a Lexicon,
    words: [Word; RING],
    count: usize,
    matches: [Option<Match>; MATCHES],
    next_match: usize,
    best: Option<(f32, Match)>,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(lexicon: &'a Lexicon, _source: Source) -> Matcher<'a> {
        Matcher {
            lexicon,
            words: [Word::default(); RING],
            count: 0,
            matches: [None; MATCHES],
            next_match: 0,
            best: None,
        }
    }

    /// Reads the text and returns the strongest evidence.
    pub(super) fn run(mut self, text: &str) -> Option<InjectionFinding> {
        if text.is_ascii() {
            self.words_of(text.as_bytes());
            self.finding(|range| range)
        } else {
            let view = canonical::folded(text);
            self.words_of(view.text().as_bytes());
            self.finding(|range| view.original(range))
        }
    }

    fn finding(
        &self,
        original: impl Fn(std::ops::Range<usize>) -> std::ops::Range<usize>,
    ) -> Option<InjectionFinding> {
        let (score, found) = self.best?;
        let rule = RULES.get(found.rule)?;
        Some(InjectionFinding {
            rule: rule.name,
            family: rule.family,
            span: original(found.start..found.end),
            score,
        })
    }

    fn words_of(&mut self, text: &[u8]) {
        let mut index = 0;
        let mut i = 0;
        while i < text.len() {
            let b = at(text, i);
            if !is_word(b) {
                // The end of a sentence keeps its words a little apart from the next one's.
                if matches!(b, b'.' | b'!' | b'?') && at(text, i + 1) <= b' ' {
                    index += 2;
                }
                i += 1;
                continue;
            }
            let start = i;
            let mut hash = WordHash::START;
            while i < text.len() && is_word(at(text, i)) {
                hash = hash.with(at(text, i).to_ascii_lowercase());
                i += 1;
            }
            index += 1;
            if i - start > LONGEST {
                continue;
            }
            let classes = self.lexicon.get(hash);
            if classes.0 != 0 {
                self.word(Word { classes, index, start, end: i });
            }
        }
    }

    fn word(&mut self, word: Word) {
        if let Some(slot) = self.words.get_mut(self.count % RING) {
            *slot = word;
        }
        self.count += 1;
        for (number, rule) in RULES.iter().enumerate() {
            let Some(((last, gap), before)) = rule.steps.split_last() else { continue };
            if last.meets(word.classes)
                && let Some(start) = self.back(before, *gap, word.index, 1)
            {
                self.matched(
                    number,
                    rule,
                    Match { rule: number, weight: rule.weight, index: word.index, start, end: word.end },
                );
            }
        }
    }

    /// Finds the steps before, from the last to the first; returns where the first one starts.
    fn back(&self, steps: &[(Classes, u8)], gap: u8, index: usize, skip: usize) -> Option<usize> {
        let Some(((classes, before_gap), before)) = steps.split_last() else {
            return self.words.get((self.count - skip) % RING).map(|word| word.start);
        };
        for back in skip + 1..=RING.min(self.count) {
            let word = self.words.get((self.count - back) % RING)?;
            if index - word.index > usize::from(gap) + 1 {
                return None;
            }
            if classes.meets(word.classes)
                && let Some(start) = self.back(before, *before_gap, word.index, back)
            {
                return Some(start);
            }
        }
        None
    }

    fn matched(&mut self, number: usize, rule: &Rule, found: Match) {
        let _ = rule;
        if let Some(slot) = self.matches.get_mut(self.next_match % MATCHES) {
            *slot = Some(found);
            self.next_match += 1;
        }
        // Different rules within reach add up; the same rule again does not.
        let mut rest = 1.0 - found.weight;
        let mut strongest = found;
        for (i, other) in self.matches.iter().enumerate() {
            let Some(other) = other else { continue };
            let again = other.rule == number
                || self.matches.iter().take(i).flatten().any(|earlier| earlier.rule == other.rule);
            if again || found.index.saturating_sub(other.index) > REACH {
                continue;
            }
            rest *= 1.0 - other.weight;
            if other.weight > strongest.weight {
                strongest = *other;
            }
        }
        let score = 1.0 - rest;
        if self.best.is_none_or(|(best, _)| score > best) {
            self.best = Some((score, strongest));
        }
    }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'\'' | b'_') || b >= 0x80
}
