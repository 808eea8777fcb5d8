//! What the words before a value say about it.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};

use super::dictionary::{NEGATIVE, POSITIVE};
use crate::bytes::{at, before, slice};
use crate::{EntityType, TypeSet};

/// How far to the left words count. Callers of a stream keep 64 bytes of what they released: enough for this and the
/// character that decides whether the first word is whole.
pub(super) const WINDOW: usize = 56;

/// Words against personal data count only close by: an order mentioned in the sentence says nothing about the number
/// at its end.
const NEAR: usize = 24;

/// What the words in the window speak of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Context {
    types: TypeSet,
    /// A word that speaks against personal data: an order number, a version, a hash.
    pub(super) negative: bool,
}

impl Context {
    /// Whether a word names that type.
    pub(super) fn names(self, kind: EntityType) -> bool {
        self.types.contains(kind)
    }
}

/// The dictionary of context words, compiled.
#[derive(Debug)]
pub(crate) struct ContextWords {
    automaton: Option<AhoCorasick>,
}

impl ContextWords {
    /// Compiles the dictionary.
    pub(crate) fn new() -> ContextWords {
        let words = POSITIVE.iter().map(|(word, _)| *word).chain(NEGATIVE.iter().copied());
        // A few hundred constant words always build; were they not to, values would be judged by their form alone.
        let automaton = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(words)
            .ok();
        ContextWords { automaton }
    }

    /// Reads the window that ends at `start`.
    pub(super) fn before(&self, text: &[u8], start: usize) -> Context {
        let mut context = Context::default();
        let Some(automaton) = &self.automaton else { return context };
        let from = start.saturating_sub(WINDOW);
        let window = slice(text, from, start);
        let near = start.saturating_sub(NEAR);
        let mut negative_end = 0;
        let mut positive_end = 0;
        for hit in automaton.find_overlapping_iter(window) {
            let (begin, end) = (from + hit.start(), from + hit.end());
            if !is_word(text, begin, end) {
                continue;
            }
            match POSITIVE.get(hit.pattern().as_usize()) {
                Some((_, kinds)) => {
                    context.types = context.types.union(TypeSet::of(kinds));
                    positive_end = positive_end.max(end);
                }
                None if end >= near => negative_end = negative_end.max(end),
                None => {}
            }
        }
        // The nearer word speaks: "SSN for order" is not "order for SSN".
        context.negative = negative_end > positive_end;
        context
    }
}

/// Whether the hit is a word of its own (or the start of a longer form of it) and not a piece of another.
fn is_word(text: &[u8], begin: usize, end: usize) -> bool {
    let first = at(text, begin);
    let previous = before(text, begin);
    if first.is_ascii_alphabetic() && previous.is_ascii_alphabetic() {
        // camelCase names of fields: `passportNumber`, `userSsn`.
        let camel = first.is_ascii_uppercase() && previous.is_ascii_lowercase();
        if !camel {
            return false;
        }
    }
    let next = at(text, end);
    if !next.is_ascii_alphabetic() || !before(text, end).is_ascii_alphabetic() {
        return true;
    }
    // Endings of longer words ("passports", "Telefonnummer"); short ones must stand alone ("tel", "pan", "sin"),
    // or be followed by a capital ("dobValue").
    end - begin >= 5 || (next.is_ascii_uppercase() && before(text, end).is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_where_they_are_words() {
        let words = ContextWords::new();
        for (text, kind, expected) in [
            ("My SSN is ", EntityType::UsSsn, true),
            ("userSsn: ", EntityType::UsSsn, true),
            ("the_ssn=", EntityType::UsSsn, true),
            ("classnumber ", EntityType::UsSsn, false),
            ("passportNumber\": \"", EntityType::Passport, true),
            ("company ", EntityType::InPan, false),
            ("Telefonnummer: ", EntityType::PhoneNumber, true),
            ("手机号码", EntityType::PhoneNumber, true),
        ] {
            let context = words.before(text.as_bytes(), text.len());
            assert_eq!(context.names(kind), expected, "{text}");
        }
        assert!(words.before(b"order number ", 13).negative);
        assert!(!words.before(b"order: phone ", 13).negative);
    }
}
