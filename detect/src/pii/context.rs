//! What the words before a value say about it.

use std::ops::Range;

use memchr::memmem::Finder;

use super::dictionary_against::NEGATIVE;
use super::dictionary_licences::LICENCE;
use super::dictionary_named::NAMED as NAMES;
use super::{dictionary, dictionary_licences, dictionary_states};
use crate::bytes::{at, before, slice, starts_with_fold};
use crate::{EntityType, TypeSet};

/// How many bytes before a value are searched for words. Callers keep at least 64 bytes of a stream's released text:
/// enough for this window and for the character that decides whether its first word is whole.
pub(super) const WINDOW: usize = 56;

/// Words against personal data only count nearby: an order mentioned in the sentence says nothing about the number at
/// its end.
const NEAR: usize = 24;

/// What the words in the window name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Context {
    types: TypeSet,
    /// The types that the last of them names.
    last: TypeSet,
    /// The end of the last word that names a type; 0 if there is none.
    pub(super) end: usize,
    /// Something is called a licence, without saying which kind.
    pub(super) licence: bool,
    /// A word counts against personal data: an order number, a version, a hash.
    pub(super) negative: bool,
    /// The ends of the last nearby name of an impersonal number (`policy`), and of the last word against.
    pub(super) name_end: usize,
    pub(super) negative_end: usize,
}

impl Context {
    /// Whether a word names this type.
    pub(super) fn names(self, kind: EntityType) -> bool {
        self.types.contains(kind)
    }

    /// Whether a word names one of these types.
    pub(super) fn names_any(self, kinds: TypeSet) -> bool {
        self.types.intersects(kinds)
    }

    /// Whether the last word that names a type names this one.
    pub(super) fn ends_with(self, kind: EntityType) -> bool {
        self.last.contains(kind)
    }
}

/// A dictionary word. Without types and part, it counts against all types.
#[derive(Debug, Clone, Copy)]
struct Word {
    text: &'static str,
    types: TypeSet,
    /// Its role in naming a licence, as a bit.
    part: u8,
}

/// The roles of words that together name a driver's licence, in the order of [`LICENCE`].
const NAMED: u8 = 1;
const DRIVER: u8 = 2;
const STATE: u8 = 4;
const OTHERS: u8 = 8;
/// Marks the name of an impersonal number in the same field.
const NAME: u8 = 16;

/// Buckets of the index, which is keyed by the first three bytes of a word.
const PLACES: usize = 4096;

/// The dictionary of context words, indexed: words are looked up only where one begins, so a window needs a handful of
/// look-ups and no automaton.
#[derive(Debug)]
pub(crate) struct ContextWords {
    words: Vec<Word>,
    /// Where the words of each bucket begin in `words`; one more entry than buckets.
    starts: Vec<u16>,
    /// The beginning of a key block.
    pub(super) key: Finder<'static>,
}

/// The bucket of words that begin with these bytes; for a word of two bytes, the third is 0.
#[inline]
fn place(bytes: [u8; 3]) -> usize {
    let [a, b, c] = bytes.map(|byte| u32::from(byte.to_ascii_lowercase()));
    let mixed = (a | b << 8 | c << 16).wrapping_mul(0x9E37_79B1);
    (mixed >> (u32::BITS - PLACES.trailing_zeros())) as usize
}

fn place_of(word: &str) -> usize {
    place([0, 1, 2].map(|i| at(word.as_bytes(), i)))
}

impl ContextWords {
    /// Indexes the dictionary.
    pub(crate) fn new() -> ContextWords {
        let mut words: Vec<Word> =
            [dictionary::POSITIVE, dictionary_licences::POSITIVE, dictionary_states::POSITIVE]
                .concat()
                .into_iter()
                .map(|(text, kinds)| Word { text, types: TypeSet::of(kinds), part: 0 })
                .chain(NEGATIVE.iter().map(|text| Word { text, types: TypeSet::EMPTY, part: 0 }))
                .collect();
        for (words_of, part) in LICENCE.iter().zip([NAMED, DRIVER, STATE, OTHERS]) {
            words.extend(words_of.iter().map(|text| Word { text, types: TypeSet::EMPTY, part }));
        }
        words.extend(NAMES.iter().map(|text| Word { text, types: TypeSet::EMPTY, part: NAME }));
        words.sort_by_key(|word| place_of(word.text));
        let starts = (0..=PLACES)
            .map(|place| words.partition_point(|word| place_of(word.text) < place))
            .map(|start| u16::try_from(start).unwrap_or(u16::MAX))
            .collect();
        ContextWords { words, starts, key: Finder::new("-----BEGIN ") }
    }

    /// The bucket of these first bytes: the words that begin with them, and possibly others.
    #[inline]
    fn candidates(&self, begins: [u8; 3]) -> &[Word] {
        let place = place(begins);
        let edge = |place: usize| self.starts.get(place).map_or(0, |start| usize::from(*start));
        self.words.get(edge(place)..edge(place + 1)).unwrap_or(&[])
    }

    /// Calls `found` for every word that begins in `from..to`.
    fn each(&self, text: &[u8], from: usize, to: usize, mut found: impl FnMut(Hit)) {
        let mut previous = ending(text, from);
        for (i, b) in slice(text, from, to).iter().enumerate() {
            let begins = may_begin(previous, *b);
            // The second byte of an accented letter: the word goes on (`préproduction`).
            previous = if matches!(previous, 0xC3..=0xC9) && *b >= 0x80 { ACCENTED } else { *b };
            if !begins {
                continue;
            }
            let begin = from + i;
            let [first, second, third] = [0, 1, 2].map(|i| at(text, begin + i));
            // Two letters occur by chance in any random name.
            let short = !third.is_ascii_lowercase() && !before(text, begin).is_ascii_alphanumeric();
            let short = if short { self.candidates([first, second, 0]) } else { &[] };
            let longer = if third == 0 { &[] } else { self.candidates([first, second, third]) };
            for word in longer.iter().chain(short) {
                let end = begin + word.text.len();
                // Most candidates with the same beginning differ in their last letter.
                let alike =
                    before(text, end).to_ascii_lowercase() == before(word.text.as_bytes(), word.text.len());
                if alike
                    && starts_with_fold(text, begin, word.text.as_bytes())
                    && ends(text, begin, end)
                    && !is_within(text, begin, word.text)
                {
                    found(Hit { begin, end, types: word.types, part: word.part });
                }
            }
        }
    }

    /// The context of a value in a table column: that of the column's header if it names a type, otherwise that of the
    /// words before the value in its line.
    pub(super) fn column(&self, context: Context, text: &[u8], head: Range<usize>, value: usize) -> Context {
        let (mut column, mut against) = (Context::default(), false);
        self.each(text, head.start, head.end, |hit| match hit {
            Hit { part: 1.., .. } => {}
            hit if hit.types.is_empty() => against = true,
            hit => column.speaks(hit.types, hit.end),
        });
        if column.end == 0 {
            // A word against in a line above belongs to another column.
            let beside = !slice(text, context.negative_end, value).contains(&b'\n');
            let negative = context.negative && beside || against;
            return Context { negative, ..context };
        }
        Context { types: context.types.union(column.types), end: value, ..column }
    }

    /// Reads the window that ends at `start`.
    #[cfg(test)]
    fn before(&self, text: &[u8], start: usize) -> Context {
        Recent::default().context(self, text, start)
    }
}

/// A dictionary word found in the text.
#[derive(Debug, Clone, Copy)]
struct Hit {
    begin: usize,
    end: usize,
    types: TypeSet,
    part: u8,
}

/// More words than fit in a window, except in a text crafted for it.
const RECENT: usize = 32;

/// The most recent words: the windows of neighbouring values overlap, and no byte is searched twice.
#[derive(Debug)]
pub(super) struct Recent {
    hits: [Hit; RECENT],
    count: usize,
    /// The position up to which words have been searched.
    read: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Recent { hits: [Hit { begin: 0, end: 0, types: TypeSet::EMPTY, part: 0 }; RECENT], count: 0, read: 0 }
    }
}

impl Recent {
    /// What the words in the window that ends at `start` name.
    pub(super) fn context(&mut self, words: &ContextWords, text: &[u8], start: usize) -> Context {
        let from = start.saturating_sub(WINDOW);
        // When going back, words after `start` must not take the room of those before it.
        if start < self.read || from > self.read {
            self.read = from;
            self.count = 0;
        }
        words.each(text, self.read, start, |hit| {
            if let Some(slot) = self.hits.get_mut(self.count % RECENT) {
                *slot = hit;
            }
            self.count += 1;
        });
        self.read = start;
        let hits = self.hits.iter().take(self.count).filter(|hit| hit.begin >= from && hit.end <= start);
        Context::of(hits, start)
    }
}

impl Context {
    /// Combines the words before `start`.
    fn of<'h>(hits: impl Iterator<Item = &'h Hit>, start: usize) -> Context {
        let mut context = Context::default();
        let near = start.saturating_sub(NEAR);
        let (mut negative, mut name_end, mut parts, mut parts_end) = (0..0, 0, 0, 0);
        for hit in hits {
            if hit.part == NAME {
                if hit.end >= near {
                    name_end = name_end.max(hit.end);
                }
            } else if hit.part != 0 {
                parts |= hit.part;
                parts_end = parts_end.max(hit.end);
            } else if hit.types.is_empty() {
                if hit.end >= near && hit.end > negative.end {
                    negative = hit.begin..hit.end;
                }
            } else if hit.end != negative.end || hit.begin <= negative.start {
                // The last part of a word against names nothing: `load cell`.
                context.speaks(hit.types, hit.end);
            }
        }
        let others = parts & OTHERS != 0 && parts & DRIVER == 0;
        if others {
            context.types = context.types.without(EntityType::UsDriverLicense);
            context.last = context.last.without(EntityType::UsDriverLicense);
        } else if parts & NAMED != 0 && parts & (DRIVER | STATE) != 0 {
            context.speaks(TypeSet::EMPTY.with(EntityType::UsDriverLicense), parts_end);
        }
        context.licence = parts & NAMED != 0 && !others;
        // The nearer word decides: "SSN for order" is not "order for SSN".
        context.negative = negative.end > context.end;
        (context.name_end, context.negative_end) = (name_end, negative.end);
        context
    }

    /// Adds a word that names these types.
    fn speaks(&mut self, types: TypeSet, end: usize) {
        self.types = self.types.union(types);
        match end.cmp(&self.end) {
            std::cmp::Ordering::Greater => self.last = types,
            std::cmp::Ordering::Equal => self.last = self.last.union(types),
            std::cmp::Ordering::Less => {}
        }
        self.end = self.end.max(end);
    }
}

/// Stands for an accented Latin letter.
const ACCENTED: u8 = b'a';

/// The byte before a position, to decide whether a word begins there.
fn ending(text: &[u8], at: usize) -> u8 {
    let previous = before(text, at);
    let lead = at.checked_sub(1).map_or(0, |last| before(text, last));
    if previous >= 0x80 && matches!(lead, 0xC3..=0xC9) { ACCENTED } else { previous }
}

/// Whether a word may begin at a byte: a letter that follows no letter, the capital of a camelCase name
/// (`passportNumber`, `userSsn`), or any non-ASCII character.
fn may_begin(previous: u8, b: u8) -> bool {
    if b.is_ascii_alphabetic() {
        !previous.is_ascii_alphabetic() || (b.is_ascii_uppercase() && previous.is_ascii_lowercase())
    } else {
        b >= 0xC0
    }
}

/// Words that are also a part of other words: `справа` is not `права`, nor `товарителница` `тел`.
const WITHIN: [&str; 3] = ["права", "тел", "Тел"];

/// Whether a Cyrillic word is only a part of another.
fn is_within(text: &[u8], begin: usize, word: &str) -> bool {
    let letter = |two: &[u8]| matches!(two, [0xD0..=0xD4, _]);
    let end = begin + word.len();
    WITHIN.contains(&word)
        && (letter(slice(text, begin.saturating_sub(2), begin)) || letter(slice(text, end, end + 2)))
}

/// Whether a match is a whole word, or the beginning of a longer form of it, rather than a piece of another word.
fn ends(text: &[u8], begin: usize, end: usize) -> bool {
    let next = at(text, end);
    if !next.is_ascii_alphabetic() || !before(text, end).is_ascii_alphabetic() {
        return true;
    }
    // Longer words may have endings ("passports", "Telefonnummer"); short ones must stand alone ("tel", "pan", "sin")
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
            ("driver’s license ", EntityType::UsDriverLicense, true),
            ("the driver waits at ", EntityType::UsDriverLicense, false),
            ("мои права ", EntityType::UsDriverLicense, true),
            ("Справа № ", EntityType::UsDriverLicense, false),
            ("в автотелефон ", EntityType::PhoneNumber, true),
        ] {
            let context = words.before(text.as_bytes(), text.len());
            assert_eq!(context.names(kind), expected, "{text}");
        }
        assert!(words.before(b"order number ", 13).negative);
        assert!(!words.before(b"order: phone ", 13).negative);
    }

    #[test]
    fn the_last_word_is_known() {
        let words = ContextWords::new();
        let text = "Passport: X1, driver's license: ";
        let context = words.before(text.as_bytes(), text.len());
        assert!(context.names(EntityType::Passport) && !context.ends_with(EntityType::Passport));
        assert!(context.ends_with(EntityType::UsDriverLicense));
    }

    /// The index can only find a word whose first byte may begin one, in lower case.
    #[test]
    fn every_word_can_be_found() {
        let words = ContextWords::new();
        for word in &words.words {
            let text = word.text.as_bytes();
            assert!(text.len() >= 2 && may_begin(b' ', text[0]), "{}", word.text);
            assert!(!text.iter().any(u8::is_ascii_uppercase), "{}", word.text);
            let begins = [0, 1, 2].map(|i| at(text, i));
            assert!(words.candidates(begins).iter().any(|known| known.text == word.text), "{}", word.text);
        }
        assert!(words.words.len() < usize::from(u16::MAX));
    }
}
