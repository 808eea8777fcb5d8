//! From bytes to classes of words: plain ones, ones written with digits for letters, spaced out, run together, or in
//! scripts without spaces.

use unicode_normalization::char::{decompose_canonical, is_combining_mark};

use super::lexicon::{Classes, LONGEST, Lexicon, WordHash};
use super::words::{ADDRESS, IDENTIFIER, PLACE};
use crate::bytes::{at, run_end, slice};

/// Letters collected of a spaced-out text.
const LETTERS: usize = 128;
/// A spaced-out text has at least so many letters in a row.
const MIN_LETTERS: usize = 6;
/// A longer word may be several without spaces.
const RUN_TOGETHER: usize = 14;

/// A word with at least one class.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Word {
    pub(super) classes: Classes,
    /// The number of the word in the text; the end of a sentence counts as two.
    pub(super) index: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

pub(super) fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'\'' | b'_') || b >= 0x80
}

/// The first byte of an ideograph, a syllable of kana or Hangul.
pub(super) fn is_wide(b: u8) -> bool {
    (0xE3..=0xED).contains(&b)
}

/// Single letters in a row.
#[derive(Debug)]
pub(super) struct Spaced {
    letters: [u8; LETTERS],
    places: [usize; LETTERS],
    count: usize,
}

impl Spaced {
    pub(super) fn new() -> Spaced {
        Spaced { letters: [0; LETTERS], places: [0; LETTERS], count: 0 }
    }

    /// Takes in a single letter.
    pub(super) fn push(&mut self, letter: u8, place: usize) {
        if let (Some(l), Some(p)) = (self.letters.get_mut(self.count), self.places.get_mut(self.count)) {
            *l = letter.to_ascii_lowercase();
            *p = place;
            self.count += 1;
        }
    }

    /// Ends the row: the words in it, if it is one.
    pub(super) fn take(&mut self, lexicon: &Lexicon, index: usize, mut word: impl FnMut(Word)) {
        let count = std::mem::take(&mut self.count);
        if count < MIN_LETTERS {
            return;
        }
        let place = |i: usize| self.places.get(i).copied().unwrap_or(0);
        let mut number = index.saturating_sub(count);
        split(lexicon, slice(&self.letters, 0, count), |classes, from, to| {
            number += 1;
            word(Word { classes, index: number, start: place(from), end: place(to - 1) + 1 });
        });
    }
}

/// Splits letters into known words, longest first; letters that begin none are passed over.
fn split(lexicon: &Lexicon, letters: &[u8], mut found: impl FnMut(Classes, usize, usize)) {
    let mut i = 0;
    while i < letters.len() {
        let longest = (3..=16.min(letters.len() - i))
            .rev()
            .map(|length| (length, lexicon.get(WordHash::of(slice(letters, i, i + length)))))
            .find(|(_, classes)| classes.0 != 0);
        match longest {
            Some((length, classes)) => {
                found(classes, i, i + length);
                i += length;
            }
            None => i += 1,
        }
    }
}

/// Reads the word at `start`, calls `word` for each word with classes in it, and returns its end, the number of words
/// it counts for, and its hash.
pub(super) fn read(
    lexicon: &Lexicon,
    text: &[u8],
    start: usize,
    index: usize,
    mut word: impl FnMut(Word),
) -> (usize, usize, WordHash) {
    if is_wide(at(text, start)) {
        let (end, counts) = wide(lexicon, text, start, index, word);
        return (end, counts, WordHash::START);
    }
    let mut hash = WordHash::START;
    let mut i = start;
    let (mut digits, mut underscores) = (0, 0);
    while i < text.len() {
        let b = at(text, i);
        if !is_word(b) || is_wide(b) {
            break;
        }
        hash = hash.with(b.to_ascii_lowercase());
        digits += usize::from(b.is_ascii_digit());
        underscores += usize::from(b == b'_');
        i += 1;
    }
    let length = i - start;
    let index = index + 1;
    if length > LONGEST {
        return (i, 1, hash);
    }
    let mut classes = lexicon.get(hash);
    if classes.0 == 0 && digits > 0 && digits < length {
        classes = unleet(lexicon, slice(text, start, i));
    }
    if classes.0 == 0 && i > start && !slice(text, start, i).is_ascii() {
        classes = unaccent(lexicon, slice(text, start, i));
    }
    if underscores > 0 && underscores < length - 1 && length >= 5 {
        classes = classes.or(IDENTIFIER);
    }
    if at(text, i) == b':' && slice(text, i, i + 3) == b"://" {
        classes = classes.or(ADDRESS).or(PLACE);
    }
    if at(text, i) == b'@' && is_word(at(text, i + 1)) {
        classes = classes.or(ADDRESS);
    }
    if classes.0 != 0 {
        word(Word { classes, index, start, end: i });
    } else if length >= RUN_TOGETHER && digits == 0 {
        return (i, together(lexicon, text, start, i, index, word), hash);
    }
    (i, 1, hash)
}

/// Digits that stand for letters: `1gn0r3`.
fn unleet(lexicon: &Lexicon, written: &[u8]) -> Classes {
    let hash = |one: u8| {
        written.iter().fold(WordHash::START, |hash, b| {
            hash.with(match b {
                b'0' => b'o',
                b'1' => one,
                b'3' => b'e',
                b'4' => b'a',
                b'5' => b's',
                b'7' => b't',
                b'8' => b'b',
                other => other.to_ascii_lowercase(),
            })
        })
    };
    let classes = lexicon.get(hash(b'i'));
    if classes.0 != 0 || !written.contains(&b'1') { classes } else { lexicon.get(hash(b'l')) }
}

/// Accents that do not belong there: `ìgnorê`.
fn unaccent(lexicon: &Lexicon, written: &[u8]) -> Classes {
    let Ok(word) = std::str::from_utf8(written) else { return Classes(0) };
    let mut hash = WordHash::START;
    let mut accents = false;
    for c in word.chars() {
        let mut base = None;
        decompose_canonical(c, |part| base = base.or(Some(part)));
        match base.unwrap_or(c) {
            c if c.is_ascii() => hash = hash.with(c.to_ascii_lowercase() as u8),
            c if is_combining_mark(c) => {}
            _ => return Classes(0),
        }
        accents |= !c.is_ascii();
    }
    if accents { lexicon.get(hash) } else { Classes(0) }
}

/// Words without spaces between: `ignorepreviousinstructions`.
fn together(
    lexicon: &Lexicon,
    text: &[u8],
    start: usize,
    end: usize,
    index: usize,
    mut word: impl FnMut(Word),
) -> usize {
    let mut letters = [0_u8; LONGEST];
    for (slot, b) in letters.iter_mut().zip(slice(text, start, end)) {
        *slot = b.to_ascii_lowercase();
    }
    let mut count = 0;
    split(lexicon, slice(&letters, 0, end - start), |classes, from, to| {
        word(Word { classes, index: index + count, start: start + from, end: start + to });
        count += 1;
    });
    count.max(1)
}

/// A run of characters without spaces: at each one, the longest known word of two to five.
fn wide(
    lexicon: &Lexicon,
    text: &[u8],
    start: usize,
    index: usize,
    mut word: impl FnMut(Word),
) -> (usize, usize) {
    const CHARACTER: usize = 3;
    let mut i = start;
    let mut halves = 0;
    while is_wide(at(text, i)) {
        let longest = (2..=5)
            .rev()
            .map(|n| i + n * CHARACTER)
            .filter(|end| run_end(slice(text, 0, *end), i, |b| b >= 0x80) == *end)
            .map(|end| (end, lexicon.get(WordHash::of(slice(text, i, end)))))
            .find(|(_, classes)| classes.0 != 0);
        match longest {
            Some((end, classes)) => {
                halves += 2;
                word(Word { classes, index: index + halves / 2, start: i, end });
                i = end;
            }
            // Two characters without a meaning here count as a word.
            None => {
                halves += 1;
                i += CHARACTER;
            }
        }
    }
    (i.min(text.len()), halves.div_ceil(2))
}
