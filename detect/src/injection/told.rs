//! What is told is no order: "ignore the rules" is one, "the driver ignored the rules" is news.
//!
//! Mostly English: it tells most of its tenses and persons from an order, and other languages of the lists have only orders
//! in them.

use super::lexicon::{Classes, WordHash};
use super::words::{INSTRUCTION, TEXT};

/// Verbs in the past.
const PAST: [&str; 5] = ["ignored", "disregarded", "overlooked", "dismissed", "bypassed"];
/// Verbs of a third person.
const THIRD: [&str; 5] = ["ignores", "disregards", "overrides", "supersedes", "bypasses"];
/// What was done by who is spoken to is an order to go on: "you ignored your rules".
const YOU: [&str; 7] = ["you", "u", "ya", "you've", "youve", "you'd", "thou"];
/// "Have ignored", where "you" stands before.
const HAVE: [&str; 3] = ["have", "had", "already"];
/// What is to be done: "must be ignored", "are ignored".
const IS: [&str; 4] = ["be", "is", "are", "get"];

/// What is not to be ignored stays in force: "do not forget the earlier instructions".
const NEGATED: [&str; 6] = ["not", "don't", "dont", "never", "didn't", "cannot"];
/// German says so afterwards: "vergiss nicht".
const NEGATES: [&str; 1] = ["nicht"];

/// Who speaks of the own words may take them back: "disregard my last message".
const OWN: [&str; 2] = ["my", "our"];

/// One of a kind that does not exist yet is nobody's secret: "write a system prompt for our shop".
const ANY: [&str; 14] = [
    "a", "an", "another", "good", "better", "great", "custom", "ein", "eine", "einen", "un", "une", "uma",
    "una",
];

/// Forms of words, by hash.
#[derive(Debug)]
pub(super) struct Forms {
    past: [WordHash; 5],
    third: [WordHash; 5],
    you: [WordHash; 7],
    have: [WordHash; 3],
    is: [WordHash; 4],
    negated: [WordHash; 6],
    negates: [WordHash; 1],
    own: [WordHash; 2],
    any: [WordHash; 14],
}

impl Forms {
    pub(super) fn new() -> Forms {
        let of = |word: &str| WordHash::of(word.as_bytes());
        Forms {
            past: PAST.map(of),
            third: THIRD.map(of),
            you: YOU.map(of),
            have: HAVE.map(of),
            is: IS.map(of),
            negated: NEGATED.map(of),
            negates: NEGATES.map(of),
            own: OWN.map(of),
            any: ANY.map(of),
        }
    }

    /// Whether a verb only tells of something. `before` are the two words before it, the nearer first; `subject` the classes
    /// of the nearer one.
    pub(super) fn told(&self, verb: WordHash, before: [WordHash; 2], subject: Classes) -> bool {
        let [near, far] = before;
        if self.past.contains(&verb) {
            let you = self.you.contains(&near) || self.have.contains(&near) && self.you.contains(&far);
            return !you && !self.is.contains(&near);
        }
        // "This message supersedes …" speaks of itself.
        self.third.contains(&verb) && !subject.meets(INSTRUCTION.or(TEXT))
    }

    /// Whether a verb after these words is not to be done.
    pub(super) fn negated(&self, before: [WordHash; 2]) -> bool {
        before.first().is_some_and(|word| self.negated.contains(word))
    }

    /// Whether this word says so of the verb before it.
    pub(super) fn negates(&self, word: WordHash) -> bool {
        self.negates.contains(&word)
    }

    /// Whether what comes after these words is the speaker's own.
    pub(super) fn own(&self, before: [WordHash; 2]) -> bool {
        before.iter().any(|word| self.own.contains(word))
    }

    /// Whether what comes after these words is one of a kind, not the one that is in force.
    pub(super) fn any(&self, before: [WordHash; 2]) -> bool {
        before.first().is_some_and(|word| self.any.contains(word))
    }
}
