//! From a word to the classes it belongs to.

use super::rules::RULES;
use super::words::WORDS;
use super::words_more::MORE;

/// A set of word classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Classes(pub(super) u64);

impl Classes {
    /// Whether the two sets share a class.
    #[inline]
    pub(super) const fn meets(self, other: Classes) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets.
    pub(super) const fn or(self, other: Classes) -> Classes {
        Classes(self.0 | other.0)
    }
}

const SLOTS: usize = 8192;
/// Bits of the sieve.
const SIEVE: usize = 1 << 16;
/// The longest word of the lexicon in bytes; longer ones are not looked up.
pub(super) const LONGEST: usize = 40;

/// A hash of a word, built up byte by byte (FNV-1a, 64 bits).
#[derive(Debug, Clone, Copy)]
pub(super) struct WordHash(u64);

impl WordHash {
    pub(super) const START: WordHash = WordHash(0xcbf2_9ce4_8422_2325);

    /// Takes in one more byte.
    #[inline]
    pub(super) const fn with(self, byte: u8) -> WordHash {
        WordHash((self.0 ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3))
    }

    /// The number itself.
    pub(super) const fn get(self) -> u64 {
        self.0
    }

    /// The hash of a whole word.
    pub(super) fn of(word: &[u8]) -> WordHash {
        word.iter().fold(WordHash::START, |hash, b| hash.with(*b))
    }
}

/// The words of all rule families, by hash. Two words of 64-bit hashes that are alike do not occur among them (tested).
pub(crate) struct Lexicon {
    slots: Vec<(u64, Classes)>,
    /// One bit for each hash modulo [`SIEVE`]: most words of a text are turned away here, within the nearest cache.
    sieve: Vec<u64>,
    /// For each class, the rules whose last word is of it.
    ending: Vec<Vec<usize>>,
}

impl std::fmt::Debug for Lexicon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lexicon").field("slots", &self.slots.len()).finish()
    }
}

impl Lexicon {
    /// Builds the table.
    pub(crate) fn new() -> Lexicon {
        let ending = (0..u64::BITS).map(|bit| rules_ending(Classes(1 << bit))).collect();
        let mut lexicon = Lexicon { slots: vec![(0, Classes(0)); SLOTS], sieve: vec![0; SIEVE / 64], ending };
        for (classes, words) in WORDS.iter().chain(MORE) {
            for word in words.split_ascii_whitespace() {
                lexicon.insert(WordHash::of(word.as_bytes()), *classes);
            }
        }
        lexicon
    }

    /// The rules that a word of these classes may complete. One that several classes complete comes as often.
    pub(super) fn rules_ending(&self, classes: Classes) -> impl Iterator<Item = usize> {
        let mut rest = classes.0;
        let bits = std::iter::from_fn(move || {
            let bit = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            (bit < u64::BITS).then_some(bit as usize)
        });
        bits.filter_map(|bit| self.ending.get(bit)).flat_map(|rules| rules.iter().copied())
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

    /// The classes of a word given by its hash.
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

/// The sieve looks at other bits of the hash than the table.
fn sieve_word(hash: WordHash) -> usize {
    (hash.0 >> 40) as usize % SIEVE / 64
}

fn sieve_bit(hash: WordHash) -> u64 {
    1 << ((hash.0 >> 40) % 64)
}

fn rules_ending(class: Classes) -> Vec<usize> {
    let ends = |rule: &super::rules::Rule| rule.steps.last().is_some_and(|(last, _)| last.meets(class));
    RULES.iter().enumerate().filter(|(_, rule)| ends(rule)).map(|(number, _)| number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn no_two_words_share_a_hash_and_the_table_keeps_room() {
        let mut seen: HashMap<u64, &str> = HashMap::new();
        for word in WORDS.iter().chain(MORE).flat_map(|(_, words)| words.split_ascii_whitespace()) {
            assert!(word.len() <= LONGEST, "{word}");
            assert_eq!(*seen.entry(WordHash::of(word.as_bytes()).0).or_insert(word), word);
        }
        assert!(seen.len() * 2 < SLOTS, "{} words", seen.len());
    }
}
