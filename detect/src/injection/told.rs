//! Reports are not orders: "ignore the rules" is one, "the driver ignored the rules" is news.
//!
//! Mostly English: its forms of a verb mostly distinguish a report from an order; for other languages the lists contain
//! only orders.

use super::lexicon::{Classes, WordHash};
use super::words::{INSTRUCTION, TEXT};
use crate::bytes::{at, before, slice, starts_with_fold};

/// Past tense verbs.
const PAST: [&str; 5] = ["ignored", "disregarded", "overlooked", "dismissed", "bypassed"];
/// Third person verbs.
const THIRD: [&str; 6] = ["ignores", "disregards", "overrides", "supersedes", "supercedes", "bypasses"];
/// A constraint that takes precedence over all other instructions lifts none of them.
const LIMITS: [&str; 5] = ["constraint", "restriction", "limit", "limitation", "prohibition"];
/// If the addressee did it, it is an order to go on: "you ignored your rules".
const YOU: [&str; 7] = ["you", "u", "ya", "you've", "youve", "you'd", "thou"];
/// "Have ignored", after "you".
const HAVE: [&str; 3] = ["have", "had", "already"];
/// Something to be done: "must be ignored", "are ignored".
const IS: [&str; 4] = ["be", "is", "are", "get"];

/// What must not be ignored stays in force: "do not forget the earlier instructions".
const NEGATED: [&str; 6] = ["not", "don't", "dont", "never", "didn't", "cannot"];
/// What does not apply is void: "your guidelines do not apply".
const APPLY: &str = "apply";
/// What somebody will not do is not requested: "declines to show the prompt".
const DECLINES: [&str; 4] = ["refuses", "refused", "declines", "declined"];
/// German negates afterwards: "vergiss nicht".
const NEGATES: [&str; 1] = ["nicht"];

/// A double negation is an instruction: "never transfer a call without telling the customer".
const WITHOUT: [&str; 9] = ["without", "ohne", "sans", "sin", "senza", "sem", "без", "zonder", "bez"];
/// What ends a negation between the two, besides the end of its clause: "don't wait and transfer it without telling".
const MORE: [&[u8]; 4] = [b" and ", b" but ", b" or ", b" then "];
/// The maximum distance in words between the two negations.
pub(super) const WITHIN: usize = 10;

/// Limits on measured quantities do not restrict a model: "rate limits".
const MEASURED: [&str; 10] =
    ["rate", "token", "size", "time", "memory", "spending", "length", "line", "row", "cookie"];

/// Speakers may withdraw their own words: "disregard my last message".
const OWN: [&str; 2] = ["my", "our"];

/// What somebody may do from now on is a permission and assigns no role: "you may now proceed".
const PERMITS: [&str; 2] = ["can", "may"];

/// A thing that does not exist yet is not secret: "write a system prompt for our shop".
const ANY: [&str; 14] = [
    "a", "an", "another", "good", "better", "great", "custom", "ein", "eine", "einen", "un", "une", "uma",
    "una",
];

/// How many bytes between two words are examined.
const BETWEEN: usize = 64;

/// Whether a negation that ends at `from` still applies at `to`: one sign between them ends its clause ("not installed,
/// tell the user"), two enclose an aside ("do not, for any reason, tell").
pub(super) fn holds(text: &[u8], from: usize, to: usize) -> bool {
    let ends = |i: &usize| match at(text, *i) {
        b',' | b';' | b':' | b'(' | b')' => true,
        b'-' => before(text, *i) == b' ',
        _ => false,
    };
    (from..to.min(from + BETWEEN)).filter(ends).count() % 2 == 0
}

/// Whether a negation that ends at `from` reaches a second one at `to`: in the same sentence and for the same verb.
pub(super) fn reaches(text: &[u8], from: usize, to: usize) -> bool {
    let between = slice(text, from, to);
    let ends = between.iter().any(|b| matches!(b, b'.' | b'!' | b'?' | b'\n' | b'\r'));
    let other = |word: &[u8]| between.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    between.len() <= BETWEEN && holds(text, from, to) && !ends && !MORE.into_iter().any(other)
}

/// Within how many bytes after a name a phrase must say whom it refers to: "any model reading this page".
const MEANT_BY: usize = 40;

/// Whether the word that ends there addresses somebody: a sign follows, or a phrase that says who is meant or what they
/// are to do.
pub(super) fn addressed(text: &[u8], end: usize) -> bool {
    const MEANS: &[u8] = b"ing this ";
    const GOES_ON: [&[u8]; 8] =
        [b" must", b" should", b" you", b" please", b" read", b" proc", b" that ", b" -"];
    matches!(at(text, end), 0 | b':' | b',' | b'!' | b'.' | b'*' | b']' | b'\n' | b'\r')
        || GOES_ON.iter().any(|word| starts_with_fold(text, end, word))
        || slice(text, end, end + MEANT_BY).windows(MEANS.len()).any(|part| part == MEANS)
}

/// Whether the word is the tag name of an HTML element that only changes how text looks: `<code>`. It has no meaning.
pub(super) fn is_element(text: &[u8], start: usize, end: usize) -> bool {
    const ELEMENTS: [&[u8]; 6] = [b"code", b"text", b"output", b"input", b"data", b"address"];
    at(text, end) == b'>'
        && matches!(before(text, start), b'<' | b'/')
        && ELEMENTS.contains(&slice(text, start, end))
}

/// Whether a word is a return type: `Promise<void>`, `(): void {`, `() => void`.
pub(super) fn is_type(text: &[u8], start: usize, end: usize) -> bool {
    let before = slice(text, start.saturating_sub(3), start);
    slice(text, start, end) == b"void"
        && (before.ends_with(b"<") || before.ends_with(b"): ") || before.ends_with(b"=> "))
}

/// Whether there is program code between words: a call, a block, an assignment.
pub(super) fn is_code(between: &[u8]) -> bool {
    // `key=value` is not a program.
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

    /// Whether a verb only reports something. `before` has the two words before it, the nearer one first; `subject` has
    /// the classes of the nearer one.
    pub(super) fn told(&self, verb: WordHash, before: [WordHash; 2], subject: Classes) -> bool {
        let [near, far] = before;
        if self.past.contains(&verb) {
            let you = self.you.contains(&near) || self.have.contains(&near) && self.you.contains(&far);
            return !you && !self.is.contains(&near);
        }
        // "This message supersedes …" refers to itself.
        let speaks_of_itself = subject.meets(INSTRUCTION.or(TEXT)) && !self.limits.contains(&near);
        self.third.contains(&verb) && !speaks_of_itself
    }

    /// Whether these words before a verb negate it.
    pub(super) fn negated(&self, before: [WordHash; 2]) -> bool {
        before.first().is_some_and(|word| self.negated.contains(word))
    }

    /// Whether these words before a verb mean that it is not requested.
    pub(super) fn unasked(&self, before: [WordHash; 2]) -> bool {
        let [near, far] = before;
        self.negated(before) || near == self.to && self.declines.contains(&far)
    }

    /// Whether a verb says that something is in force.
    pub(super) fn applies(&self, verb: WordHash, before: [WordHash; 2]) -> bool {
        verb == self.apply && !self.negated(before)
    }

    /// Whether this word negates the verb before it.
    pub(super) fn negates(&self, word: WordHash) -> bool {
        self.negates.contains(&word)
    }

    /// Whether limits and policies after these words concern something other than what a model says.
    pub(super) fn measured(&self, before: [WordHash; 2]) -> bool {
        before.first().is_some_and(|word| self.measured.contains(word))
    }

    /// Whether this word cancels a negation before it.
    pub(super) fn takes_back(&self, word: WordHash) -> bool {
        self.without.contains(&word)
    }

    /// Whether "now" refers to a time, a reason or a place rather than a role: after "you may", before "that" and "in
    /// plan mode".
    pub(super) fn not_from_now_on(&self, before: [WordHash; 2], after: &[u8]) -> bool {
        let place = [&b" that "[..], b" in "].into_iter().any(|word| starts_with_fold(after, 0, word));
        place || before.first().is_some_and(|word| self.permits.contains(word))
    }

    /// Whether what follows these words belongs to the speaker.
    pub(super) fn own(&self, before: [WordHash; 2]) -> bool {
        before.iter().any(|word| self.own.contains(word))
    }

    /// Whether what follows these words is any one of a kind, not the one in force.
    pub(super) fn any(&self, before: [WordHash; 2]) -> bool {
        before.first().is_some_and(|word| self.any.contains(word))
    }
}
