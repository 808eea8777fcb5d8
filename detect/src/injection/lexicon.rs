//! Maps words to their classes.

use super::rules::RULES;
use super::scorer::{ClassWeights, Table};
use super::structure::Marks;
use super::tokens::{CHARACTER, is_wide};
use super::told::Forms;
use super::words::WORDS;
use super::words_more::MORE;
use super::words_other::OTHER;
use crate::bytes::slice;

/// A set of word classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Classes(pub(super) u64);

impl Classes {
    /// Whether the two sets share a class.
    #[inline]
    pub(super) const fn meets(self, other: Classes) -> bool {
        self.0 & other.0 != 0
    }

    /// The classes that are not in another set.
    pub(super) const fn without(self, other: Classes) -> Classes {
        Classes(self.0 & !other.0)
    }

    /// The classes that are in both.
    pub(super) const fn and(self, other: Classes) -> Classes {
        Classes(self.0 & other.0)
    }

    /// The indices of the classes.
    #[inline]
    pub(super) fn bits(self) -> impl Iterator<Item = usize> {
        let mut set = self.0;
        std::iter::from_fn(move || {
            if set == 0 {
                return None;
            }
            let bit = set.trailing_zeros();
            set &= set.wrapping_sub(1);
            // Always less than the number of bits: written so that the compiler drops later checks.
            Some((bit % u64::BITS) as usize)
        })
    }

    /// The union of both sets.
    pub(super) const fn or(self, other: Classes) -> Classes {
        Classes(self.0 | other.0)
    }
}

const SLOTS: usize = 8192;
/// Size of the sieve in bits.
const SIEVE: usize = 1 << 16;
/// Size in bits of the sieve for the first characters of words without spaces.
const WIDE: usize = 1 << 11;
/// The maximum length of a word in the lexicon, in bytes; longer words are not looked up.
pub(super) const LONGEST: usize = 40;

/// A hash of a word, computed byte by byte (FNV-1a, 64 bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WordHash(u64);

impl WordHash {
    pub(super) const START: WordHash = WordHash(0xcbf2_9ce4_8422_2325);

    /// Adds one more byte.
    #[inline]
    pub(super) const fn with(self, byte: u8) -> WordHash {
        WordHash((self.0 ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3))
    }

    /// The hash as a number.
    pub(super) const fn get(self) -> u64 {
        self.0
    }

    /// The hash of a whole word.
    pub(super) fn of(word: &[u8]) -> WordHash {
        word.iter().fold(WordHash::START, |hash, b| hash.with(*b))
    }
}

/// The words of all rule families, by their 64-bit hash. No two of them have the same hash (tested).
pub(crate) struct Lexicon {
    slots: Box<[(u64, Classes); SLOTS]>,
    /// One bit for each hash modulo [`SIEVE`]: most words of a text are rejected here, within the first-level cache.
    sieve: Box<[u64; SIEVE / 64]>,
    /// One bit for each hash of a first character of words without spaces around them.
    wide: [u64; WIDE / 64],
    /// The rules by the classes of their last word; and where each class begins, plus the end.
    ending: Vec<Ending>,
    ending_of: [usize; 65],
    /// All classes that a rule can end with.
    pub(super) ends: Classes,
    /// Marks by their first bytes.
    pub(super) marks: Marks,
    /// Verbs that report something rather than order it.
    pub(super) forms: Forms,
    /// The scorer's weights, for sources that speak and sources that inform.
    pub(super) tables: [Table; 2],
    /// Its weights for classes, for sources that speak and sources that inform.
    pub(super) learned: [ClassWeights; 2],
}

/// A rule as the pass looks it up at the rule's last word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    /// Its index in the table.
    pub(super) rule: usize,
    /// The classes of the last step but one.
    pub(super) before: Classes,
    /// The maximum distance in words from that word to the last one.
    pub(super) reach: usize,
}

impl std::fmt::Debug for Lexicon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lexicon").field("slots", &self.slots.len()).finish()
    }
}

impl Lexicon {
    /// Builds the table.
    pub(crate) fn new() -> Lexicon {
        let tables = [false, true].map(Table::for_those_who);
        let mut lexicon = Lexicon {
            slots: Box::new([(0, Classes(0)); SLOTS]),
            sieve: Box::new([0; SIEVE / 64]),
            wide: [0; WIDE / 64],
            ending: Vec::new(),
            ending_of: [0; 65],
            ends: Classes(0),
            marks: Marks::new(),
            forms: Forms::new(),
            learned: tables.each_ref().map(ClassWeights::of),
            tables,
        };
        for (bit, begin) in lexicon.ending_of.iter_mut().enumerate() {
            *begin = lexicon.ending.len();
            if bit < 64 {
                lexicon.ending.extend(rules_ending(Classes(1 << bit)));
            }
        }
        for last in RULES.iter().filter_map(|rule| rule.steps.last()) {
            lexicon.ends = lexicon.ends.or(last.0);
        }
        for (classes, words) in WORDS.iter().chain(MORE).chain(OTHER) {
            for word in words.split_ascii_whitespace() {
                lexicon.insert(WordHash::of(word.as_bytes()), *classes);
                if is_wide(word.as_bytes().first().copied().unwrap_or(0)) {
                    let first = WordHash::of(slice(word.as_bytes(), 0, CHARACTER)).0 as usize % WIDE;
                    if let Some(bits) = lexicon.wide.get_mut(first / 64) {
                        *bits |= 1 << (first % 64);
                    }
                }
            }
        }
        lexicon
    }

    /// The rules that a word of these classes may complete. A rule that several classes complete is repeated.
    #[inline]
    pub(super) fn rules_ending(&self, classes: Classes) -> impl Iterator<Item = Ending> {
        classes.and(self.ends).bits().flat_map(|bit| {
            let bounds = self.ending_of.get(bit).zip(self.ending_of.get(bit + 1));
            bounds.and_then(|(from, to)| self.ending.get(*from..*to)).unwrap_or_default().iter().copied()
        })
    }

    fn insert(&mut self, hash: WordHash, classes: Classes) {
        if let Some(bits) = self.sieve.get_mut(sieve_word(hash)) {
            *bits |= sieve_bit(hash);
        }
        for probe in 0..SLOTS {
            let index = (hash.0 as usize).wrapping_add(probe) % SLOTS;
            let Some(slot) = self.slots.get_mut(index) else { return };
            if slot.1.0 == 0 || slot.0 == hash.0 {
                *slot = (hash.0, slot.1.or(classes));
                return;
            }
        }
    }

    /// Whether a word without spaces around it may begin with the character that has this hash.
    #[inline]
    pub(super) fn may_begin_wide(&self, character: WordHash) -> bool {
        let first = character.0 as usize % WIDE;
        self.wide.get(first / 64).is_some_and(|bits| bits >> (first % 64) & 1 != 0)
    }

    /// The classes of a word, by its hash.
    #[inline]
    pub(super) fn get(&self, hash: WordHash) -> Classes {
        if self.sieve.get(sieve_word(hash)).is_none_or(|bits| bits & sieve_bit(hash) == 0) {
            return Classes(0);
        }
        let mut index = (hash.0 as usize) % SLOTS;
        while let Some((key, classes)) = self.slots.get(index) {
            if classes.0 == 0 || *key == hash.0 {
                return *classes;
            }
            index = (index + 1) % SLOTS;
        }
        Classes(0)
    }
}

/// The sieve uses other bits of the hash than the table.
fn sieve_word(hash: WordHash) -> usize {
    (hash.0 >> 40) as usize % SIEVE / 64
}

fn sieve_bit(hash: WordHash) -> u64 {
    1 << ((hash.0 >> 40) % 64)
}

fn rules_ending(class: Classes) -> impl Iterator<Item = Ending> {
    RULES.iter().enumerate().filter_map(move |(rule, one)| {
        let ((last, gap), steps) = one.steps.split_last()?;
        let before = steps.last().map_or(Classes(0), |step| step.0);
        last.meets(class).then(|| Ending { rule, before, reach: usize::from(*gap) + 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn no_two_words_share_a_hash_and_the_table_keeps_room() {
        let mut seen: HashMap<u64, &str> = HashMap::new();
        for word in
            WORDS.iter().chain(MORE).chain(OTHER).flat_map(|(_, words)| words.split_ascii_whitespace())
        {
            assert!(word.len() <= LONGEST, "{word}");
            assert_eq!(*seen.entry(WordHash::of(word.as_bytes()).0).or_insert(word), word);
        }
        assert!(seen.len() * 2 < SLOTS, "{} words", seen.len());
    }
}
