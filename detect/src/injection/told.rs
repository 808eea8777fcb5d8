//! What is told is no order: "ignore the rules" is one, "the driver ignored the rules" is news.
//!
//! Mostly English: it tells most of its tenses and persons from an order, and other languages of the lists have only orders
//! in them.

use super::lexicon::{Classes, WordHash};
use super::words::{INSTRUCTION, TEXT};
use crate::bytes::{at, before, slice, starts_with_fold};

/// Verbs in the past.
const PAST: [&str; 5] = ["ignored", "disregarded", "overlooked", "dismissed", "bypassed"];
/// Verbs of a third person.
const THIRD: [&str; 6] = ["ignores", "disregards", "overrides", "supersedes", "supercedes", "bypasses"];
/// A limit that goes before all other instructions lifts none of them.
const LIMITS: [&str; 5] = ["constraint", "restriction", "limit", "limitation", "prohibition"];
/// What was done by who is spoken to is an order to go on: "you ignored your rules".
const YOU: [&str; 7] = ["you", "u", "ya", "you've", "youve", "you'd", "thou"];
/// "Have ignored", where "you" stands before.
const HAVE: [&str; 3] = ["have", "had", "already"];
/// What is to be done: "must be ignored", "are ignored".
const IS: [&str; 4] = ["be", "is", "are", "get"];

/// What is not to be ignored stays in force: "do not forget the earlier instructions".
const NEGATED: [&str; 6] = ["not", "don't", "dont", "never", "didn't", "cannot"];
/// What does not apply is void: "your guidelines do not apply".
const APPLY: &str = "apply";
/// What somebody will not do is not asked for: "declines to show the prompt".
const DECLINES: [&str; 4] = ["refuses", "refused", "declines", "declined"];
/// German says so afterwards: "vergiss nicht".
const NEGATES: [&str; 1] = ["nicht"];

/// What is not to be done without something is to be done with it: "never transfer a call without telling the customer".
const WITHOUT: [&str; 9] = ["without", "ohne", "sans", "sin", "senza", "sem", "без", "zonder", "bez"];
/// What ends a negation between the two, beside what ends its part of the sentence: "don't wait and transfer it without telling".
const MORE: [&[u8]; 4] = [b" and ", b" but ", b" or ", b" then "];
/// Words between the two negations, at most.
pub(super) const WITHIN: usize = 10;

/// Limits of what is measured bind no model: "rate limits".
const MEASURED: [&str; 10] =
    ["rate", "token", "size", "time", "memory", "spending", "length", "line", "row", "cookie"];

/// Who speaks of the own words may take them back: "disregard my last message".
const OWN: [&str; 2] = ["my", "our"];

/// What somebody may do from now on is a permission, and makes nobody of them: "you may now proceed".
const PERMITS: [&str; 2] = ["can", "may"];

/// One of a kind that does not exist yet is nobody's secret: "write a system prompt for our shop".
const ANY: [&str; 14] = [
    "a", "an", "another", "good", "better", "great", "custom", "ein", "eine", "einen", "un", "une", "uma",
    "una",
];

/// Bytes between two words that are looked at.
const BETWEEN: usize = 64;

/// Whether a negation that ends at `from` still holds at `to`: a sign between them ends its part of the sentence ("not
/// installed, tell the user"), two of them enclose an aside ("do not, for any reason, tell").
pub(super) fn holds(text: &[u8], from: usize, to: usize) -> bool {
    let ends = |i: &usize| match at(text, *i) {
        b',' | b';' | b':' | b'(' | b')' => true,
        b'-' => before(text, *i) == b' ',
        _ => false,
    };
    (from..to.min(from + BETWEEN)).filter(ends).count() % 2 == 0
}

/// Whether a negation that ends at `from` reaches a second one at `to`: both in one sentence, of one verb.
pub(super) fn reaches(text: &[u8], from: usize, to: usize) -> bool {
    let between = slice(text, from, to);
    let ends = between.iter().any(|b| matches!(b, b'.' | b'!' | b'?' | b'\n' | b'\r'));
    let other = |word: &[u8]| between.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    between.len() <= BETWEEN && holds(text, from, to) && !ends && !MORE.into_iter().any(other)
}

/// Bytes behind a name within which it is said who is meant by it: "any model reading this page".
const MEANT_BY: usize = 40;

/// Whether the word that ends there is one that somebody is called by: a sign ends the call, or it is said who is meant, or
/// what they are to do.
pub(super) fn addressed(text: &[u8], end: usize) -> bool {
    const MEANS: &[u8] = b"ing this ";
    const GOES_ON: [&[u8]; 8] =
        [b" must", b" should", b" you", b" please", b" read", b" proc", b" that ", b" -"];
    matches!(at(text, end), 0 | b':' | b',' | b'!' | b'.' | b'*' | b']' | b'\n' | b'\r')
        || GOES_ON.iter().any(|word| starts_with_fold(text, end, word))
        || slice(text, end, end + MEANT_BY).windows(MEANS.len()).any(|part| part == MEANS)
}

/// Whether the word is the name of an element of HTML that shows text in another way, in its tag: `<code>`. It says nothing.
pub(super) fn is_element(text: &[u8], start: usize, end: usize) -> bool {
    const ELEMENTS: [&[u8]; 6] = [b"code", b"text", b"output", b"input", b"data", b"address"];
    at(text, end) == b'>'
        && matches!(before(text, start), b'<' | b'/')
        && ELEMENTS.contains(&slice(text, start, end))
}

/// Whether a word is the type of what returns nothing: `Promise<void>`, `(): void {`, `() => void`.
pub(super) fn is_type(text: &[u8], start: usize, end: usize) -> bool {
    let before = slice(text, start.saturating_sub(3), start);
    slice(text, start, end) == b"void"
        && (before.ends_with(b"<") || before.ends_with(b"): ") || before.ends_with(b"=> "))
}

/// Whether signs of a program stand between words: a call, a block, an assignment.
pub(super) fn is_code(between: &[u8]) -> bool {
    // `key=value` is no program.
    let assigns = |three: &[u8]| {
        at(three, 1) == b'=' && matches!((at(three, 0), at(three, 2)), (b' ', _) | (_, b'=' | b'>'))
    };
    let calls = |pair: &[u8]| at(pair, 0).is_ascii_alphanumeric() && matches!(at(pair, 1), b'(' | b'[');
    between.iter().any(|b| matches!(b, b'{' | b'}' | b';' | b'<' | b'>' | b'|'))
        || between.windows(2).any(calls)
        || between.windows(3).any(assigns)
}

/// Forms of words, by hash.
#[derive(Debug)]
pub(super) struct Forms {
    past: [WordHash; 5],
    third: [WordHash; 6],
    limits: [WordHash; 5],
    you: [WordHash; 7],
    have: [WordHash; 3],
    is: [WordHash; 4],
    negated: [WordHash; 6],
    apply: WordHash,
    declines: [WordHash; 4],
    to: WordHash,
    negates: [WordHash; 1],
    without: [WordHash; 9],
    measured: [WordHash; 10],
    own: [WordHash; 2],
    permits: [WordHash; 2],
    any: [WordHash; 14],
}

impl Forms {
    pub(super) fn new() -> Forms {
        let of = |word: &str| WordHash::of(word.as_bytes());
        Forms {
            past: PAST.map(of),
            third: THIRD.map(of),
            limits: LIMITS.map(of),
            you: YOU.map(of),
            have: HAVE.map(of),
            is: IS.map(of),
            negated: NEGATED.map(of),
            apply: of(APPLY),
            declines: DECLINES.map(of),
            to: of("to"),
            negates: NEGATES.map(of),
            without: WITHOUT.map(of),
            measured: MEASURED.map(of),
            own: OWN.map(of),
            permits: PERMITS.map(of),
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
        let speaks_of_itself = subject.meets(INSTRUCTION.or(TEXT)) && !self.limits.contains(&near);
        self.third.contains(&verb) && !speaks_of_itself
    }

    /// Whether a verb after these words is not to be done.
    pub(super) fn negated(&self, before: [WordHash; 2]) -> bool {
        before.first().is_some_and(|word| self.negated.contains(word))
    }

    /// Whether a verb after these words is not asked for.
    pub(super) fn unasked(&self, before: [WordHash; 2]) -> bool {
        let [near, far] = before;
        self.negated(before) || near == self.to && self.declines.contains(&far)
    }

    /// Whether a verb says that something is in force.
    pub(super) fn applies(&self, verb: WordHash, before: [WordHash; 2]) -> bool {
        verb == self.apply && !self.negated(before)
    }

    /// Whether this word says so of the verb before it.
    pub(super) fn negates(&self, word: WordHash) -> bool {
        self.negates.contains(&word)
    }

    /// Whether limits and policies after these words are of something else than what a model says.
    pub(super) fn measured(&self, before: [WordHash; 2]) -> bool {
        before.first().is_some_and(|word| self.measured.contains(word))
    }

    /// Whether this word takes a negation before it back.
    pub(super) fn takes_back(&self, word: WordHash) -> bool {
        self.without.contains(&word)
    }

    /// Whether "now" says when something is allowed, why, or where somebody is, and not who: after "you may", before "that" and
    /// "in plan mode".
    pub(super) fn not_from_now_on(&self, before: [WordHash; 2], after: &[u8]) -> bool {
        let place = [&b" that "[..], b" in "].into_iter().any(|word| starts_with_fold(after, 0, word));
        place || before.first().is_some_and(|word| self.permits.contains(word))
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
