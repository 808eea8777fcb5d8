//! Maps text to classes of words: plain words, words with digits for letters, spaced out, run together, or in scripts
//! without spaces.

use unicode_normalization::char::{decompose_canonical, is_combining_mark};

use super::alphabet::{Byte, Kinds};
use super::lexicon::{Classes, LONGEST, Lexicon, WordHash};
use super::words::{ADDRESS, IDENTIFIER, PLACE};
use crate::bytes::{at, run_end, slice, starts_with_fold};

/// How many letters of a spaced-out text are collected.
const LETTERS: usize = 128;
/// The minimum number of letters in a row in a spaced-out text.
const MIN_LETTERS: usize = 6;
/// Bytes of an ideograph or a syllable.
pub(super) const CHARACTER: usize = 3;
/// Length in characters of the longest word in a script without spaces.
pub(super) const LONGEST_WIDE: usize = 5;
/// A longer word may be several words without spaces.
pub(super) const RUN_TOGETHER: usize = 14;
/// A name may be an order if at least this many of its words are known.
const MEANT: usize = 3;
/// How many letters of words without spaces are read.
const MAX_TOGETHER: usize = 1024;

/// A word with at least one class.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Word {
    pub(super) classes: Classes,
    /// The number of the word in the text; the end of a sentence counts as two words.
    pub(super) index: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it ends a heading or a sentence, or is followed by an addressee ("for …").
    pub(super) heads: bool,
}

/// Whether this is the first byte of an ideograph, or of a kana or Hangul syllable.
pub(super) fn is_wide(b: u8) -> bool {
    Byte::of(b).is_wide()
}

/// A word as written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) hash: WordHash,
    pub(super) kinds: Kinds,
    /// The byte after it.
    pub(super) next: u8,
}

/// Reads the word that begins at `start`.
#[inline]
pub(super) fn written(text: &[u8], start: usize) -> Written {
    letters(text, start).unwrap_or_else(|| mixed(text, start))
}

/// Reads a word of ASCII letters, eight bytes at a time: most words are such. `None` if it has other bytes or the text
/// ends soon.
#[inline(always)]
pub(super) fn letters(text: &[u8], start: usize) -> Option<Written> {
    let (mut hash, mut end) = (WordHash::START, start);
    loop {
        let eight = text.get(end..)?.first_chunk()?;
        let (mut small, count) = in_front(u64::from_le_bytes(*eight));
        for _ in 0..count {
            hash = hash.with(small as u8);
            small >>= 8;
        }
        end += count as usize;
        if count < 8 {
            let next = at(text, end);
            let goes_on = Byte::of(next).is_letter();
            return (!goes_on).then_some(Written { start, end, hash, kinds: Kinds::NONE, next });
        }
    }
}

/// Reads a word of any bytes, one at a time.
#[inline(never)]
fn mixed(text: &[u8], start: usize) -> Written {
    let (mut hash, mut kinds, mut end) = (WordHash::START, Kinds::NONE, start);
    loop {
        let next = at(text, end);
        let byte = Byte::of(next);
        if !byte.is_letter() || byte.joins_letters() && !goes_on(text, end) {
            return Written { start, end, hash, kinds, next };
        }
        hash = hash.with(byte.small());
        kinds = kinds.with(byte);
        end += 1;
    }
}

/// Whether there is an escaped line break, as in a text printed by a program: `\nIgnore`.
pub(super) fn is_line_break(text: &[u8], start: usize) -> bool {
    matches!(at(text, start + 1), b'n' | b'r' | b't') && Byte::of(at(text, start + 2)).is_letter()
}

/// The maximum number of consecutive apostrophes and underscores inside a word.
const JOINED: usize = 4;

/// Whether letters follow after apostrophes and underscores.
fn goes_on(text: &[u8], start: usize) -> bool {
    let after = run_end(slice(text, 0, start + JOINED), start, |b| Byte::of(b).joins_letters());
    Byte::of(at(text, after)).is_letter()
}

/// How many of eight bytes, from the lowest on, are ASCII letters; and the bytes with these in lower case.
#[inline(always)]
const fn in_front(eight: u64) -> (u64, u32) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let small = eight | (0x20 * ONES);
    let low = small & !HIGH;
    let from_a = low + (0x80 - b'a' as u64) * ONES;
    let after_z = low + (0x7F - b'z' as u64) * ONES;
    let others = !(from_a & !after_z & !eight) & HIGH;
    (small, others.trailing_zeros() / 8)
}

impl Written {
    /// Whether it is an ordinary word, for which the lexicon entry is all that matters: not a single letter, not a part
    /// of an address or an encoding, and not several words in one.
    #[inline(always)]
    pub(super) fn is_plain(self, text: &[u8]) -> bool {
        let length = self.end - self.start;
        if length >= RUN_TOGETHER || !self.kinds.plain() {
            return false;
        }
        if self.next != b' ' && (Byte::of(self.next).joins() || matches!(self.next, b':' | b'@')) {
            return false;
        }
        // Two hexadecimal digits may be the first character of a text.
        let digit = |i| at(text, i).is_ascii_hexdigit();
        length > 2 || length == 2 && !(digit(self.start) && digit(self.start + 1))
    }

    /// Whether it ends a heading or a sentence, or is followed by an addressee ("for …").
    #[inline(always)]
    pub(super) fn heads(self, text: &[u8]) -> bool {
        match self.next {
            b' ' => at(text, self.end + 1) | 0x20 == b'f' && starts_with_fold(text, self.end, b" for "),
            b',' | b'"' | b'\'' | b'`' | b'/' | b')' => false,
            _ => true,
        }
    }
}

/// Single letters in a row.
#[derive(Debug)]
pub(super) struct Spaced {
    letters: [u8; LETTERS],
    places: [usize; LETTERS],
    count: usize,
}

impl Spaced {
    #[inline]
    pub(super) fn new() -> Spaced {
        Spaced { letters: [0; LETTERS], places: [0; LETTERS], count: 0 }
    }

    /// Whether there are none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a single letter.
    pub(super) fn push(&mut self, letter: u8, place: usize) {
        if let (Some(l), Some(p)) = (self.letters.get_mut(self.count), self.places.get_mut(self.count)) {
            *l = letter.to_ascii_lowercase();
            *p = place;
            self.count += 1;
        }
    }

    /// Ends the row: reports the words in it, if it is long enough.
    #[inline(always)]
    pub(super) fn take(&mut self, lexicon: &Lexicon, index: usize, word: impl FnMut(Word)) {
        if self.count > 0 {
            let count = std::mem::take(&mut self.count);
            if count >= MIN_LETTERS {
                self.words(lexicon, count, index, word);
            }
        }
    }

    #[inline(never)]
    fn words(&self, lexicon: &Lexicon, count: usize, index: usize, mut word: impl FnMut(Word)) {
        let place = |i: usize| self.places.get(i).copied().unwrap_or(0);
        let mut number = index.saturating_sub(count);
        split(lexicon, slice(&self.letters, 0, count), |classes, from, to| {
            number += 1;
            let (start, end) = (place(from), place(to - 1) + 1);
            word(Word { classes, index: number, start, end, heads: false });
        });
    }
}

/// Splits letters into known words, longest first; letters that begin none are skipped.
fn split(lexicon: &Lexicon, letters: &[u8], mut found: impl FnMut(Classes, usize, usize)) {
    const SHORTEST: usize = 3;
    const LONGEST: usize = 16;
    let mut i = 0;
    while i < letters.len() {
        // No word begins inside a character.
        if at(letters, i) & 0xC0 == 0x80 {
            i += 1;
            continue;
        }
        let mut longest = None;
        let mut hash = WordHash::START;
        for (before, b) in slice(letters, i, i + LONGEST).iter().enumerate() {
            hash = hash.with(*b);
            let length = before + 1;
            let classes = if length >= SHORTEST { lexicon.get(hash) } else { Classes(0) };
            if classes.0 != 0 {
                longest = Some((length, classes));
            }
        }
        match longest {
            Some((length, classes)) => {
                found(classes, i, i + length);
                i += length;
            }
            None => i += 1,
        }
    }
}

/// Calls `word` for each word with classes in `written`, which has the number `index`; returns how many words it counts
/// for.
#[inline(never)]
pub(super) fn read(
    lexicon: &Lexicon,
    text: &[u8],
    written: Written,
    index: usize,
    mut word: impl FnMut(Word),
) -> usize {
    let Written { start, end, hash, kinds, next } = written;
    let length = end - start;
    if length > LONGEST {
        // Replacing each space with an invisible character produces such a word.
        let one = !kinds.plain() || is_name(slice(text, start, end));
        return if one { 1 } else { together(lexicon, text, start, end, index, word) };
    }
    let mut classes = lexicon.get(hash);
    if classes.0 == 0 && kinds.digits() {
        classes = unleet(lexicon, slice(text, start, end));
    }
    if classes.0 == 0 && kinds.foreign() {
        classes = unaccent(lexicon, slice(text, start, end));
    }
    if kinds.underscores() && length >= 5 {
        let underscores = slice(text, start, end).iter().filter(|b| **b == b'_').count();
        classes = if underscores < length - 1 { classes.or(IDENTIFIER) } else { classes };
    }
    match next {
        b':' if slice(text, end, end + 3) == b"://" => classes = classes.or(ADDRESS).or(PLACE),
        b'@' if Byte::of(at(text, end + 1)).begins_word() => classes = classes.or(ADDRESS),
        _ => {}
    }
    if classes.0 != 0 {
        word(Word { classes, index, start, end, heads: written.heads(text) });
    } else if length >= RUN_TOGETHER && !kinds.digits() && !is_name(slice(text, start, end)) {
        return together(lexicon, text, start, end, index, word);
    }
    1
}

/// Digits that stand for letters: `1gn0r3`.
fn unleet(lexicon: &Lexicon, written: &[u8]) -> Classes {
    if written.iter().all(u8::is_ascii_digit) {
        return Classes(0);
    }
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

/// Spurious accents: `ìgnorê`.
fn unaccent(lexicon: &Lexicon, written: &[u8]) -> Classes {
    // Removing marks from a Cyrillic letter never leaves a Latin one.
    let own = matches!(written.first(), Some(0xD0 | 0xD1));
    if own || written.is_ascii() {
        return Classes(0);
    }
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

/// Whether it looks like a name in a program, with inner capitals: `newInstructions`. The words of a name are not
/// combined with those around it.
fn is_name(written: &[u8]) -> bool {
    written.windows(2).any(|pair| at(pair, 0).is_ascii_lowercase() && at(pair, 1).is_ascii_uppercase())
}

/// The words of a name, separated by spaces, if enough of them are known to be an order on their own:
/// `ignoreAllPreviousInstructions`.
pub(super) fn words_of_name(lexicon: &Lexicon, written: &[u8]) -> Option<String> {
    let written = slice(written, 0, MAX_TOGETHER);
    if !is_name(written) {
        return None;
    }
    let mut said = String::with_capacity(written.len() * 2);
    let (mut meant, mut hash, mut before) = (0, WordHash::START, b' ');
    for b in written.iter().copied().chain([b'A']) {
        if b.is_ascii_uppercase() && before.is_ascii_lowercase() {
            meant += usize::from(lexicon.get(hash).0 != 0);
            hash = WordHash::START;
            said.push(' ');
        }
        hash = hash.with(b.to_ascii_lowercase());
        said.push(char::from(b));
        before = b;
    }
    said.pop();
    (meant >= MEANT).then_some(said)
}

/// Words without spaces between them: `ignorepreviousinstructions`.
fn together(
    lexicon: &Lexicon,
    text: &[u8],
    start: usize,
    end: usize,
    index: usize,
    mut word: impl FnMut(Word),
) -> usize {
    let letters = slice(text, start, end.min(start + MAX_TOGETHER)).to_ascii_lowercase();
    let mut known = 0;
    split(lexicon, &letters, |_, from, to| known += to - from);
    // A name contains a known word; words run together consist of little else.
    if known * 2 < letters.len() {
        return 1;
    }
    let mut count = 0;
    split(lexicon, &letters, |classes, from, to| {
        let (start, end) = (start + from, start + to);
        word(Word { classes, index: index + count, start, end, heads: false });
        count += 1;
    });
    count.max(1)
}

/// Reads a run of characters without spaces: at each one, the longest known word of two to five. Returns its end and
/// the number of words it counts for.
pub(super) fn wide(
    lexicon: &Lexicon,
    text: &[u8],
    start: usize,
    index: usize,
    mut word: impl FnMut(Word),
) -> (usize, usize) {
    let mut i = start;
    let mut halves = 0_usize;
    while is_wide(at(text, i)) {
        let mut hash = WordHash::START;
        let mut longest = None;
        for n in 1..=LONGEST_WIDE {
            let end = i + n * CHARACTER;
            let character = slice(text, end - CHARACTER, end);
            if character.len() < CHARACTER || character.iter().any(|b| *b < 0x80) {
                break;
            }
            hash = character.iter().fold(hash, |hash, b| hash.with(*b));
            if n == 1 && !lexicon.may_begin_wide(hash) {
                break;
            }
            let classes = if n > 1 { lexicon.get(hash) } else { Classes(0) };
            if classes.0 != 0 {
                longest = Some((end, classes));
            }
        }
        match longest {
            Some((end, classes)) => {
                halves += 2;
                word(Word { classes, index: index + halves / 2, start: i, end, heads: false });
                i = end;
            }
            // Two characters without a known word count as one word.
            None => {
                halves += 1;
                i += CHARACTER;
            }
        }
    }
    (i.min(text.len()), halves.div_ceil(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever occurs in a word and after it, and wherever the text ends: the result equals that of reading byte by
    /// byte.
    #[test]
    fn words_read_eight_at_a_time_are_those_read_one_by_one() {
        for length in 0..20 {
            for place in 0..length {
                for b in 0..=u8::MAX {
                    let mut text = vec![b'Q'; length];
                    text[place] = b;
                    let (fast, slow) = (written(&text, 0), mixed(&text, 0));
                    assert_eq!(
                        (fast.end, fast.next, fast.hash, fast.kinds.plain()),
                        (slow.end, slow.next, slow.hash, slow.kinds.plain()),
                        "{text:?}"
                    );
                }
            }
        }
    }
}
