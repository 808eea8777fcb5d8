//! The properties of each byte, as a lookup table for the pass over a text.

use super::structure;

/// A byte: its lower case in the low half, or 0 if it continues no word; its properties in the high half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Byte(u16);

const DIGIT: u16 = 1 << 8;
const UNDERSCORE: u16 = 1 << 9;
/// `'` and non-ASCII bytes: may be part of a word, never of an encoding.
const FOREIGN: u16 = 1 << 10;
/// The first byte of an ideograph, or of a kana or Hangul syllable.
const WIDE: u16 = 1 << 11;
/// A sign between words that the scorer sees: the end of a sentence or a line, a quote, a bracket and the like.
const SIGN: u16 = 1 << 12;
/// May begin a mark that is not tied to the start of a line.
const MARK: u16 = 1 << 13;
/// Joins words into a run that may be an encoding.
const JOINS: u16 = 1 << 14;
/// Begins a line.
const LINE: u16 = 1 << 15;

static BYTES: [Byte; 256] = bytes();

#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled; a byte is below 256")]
const fn bytes() -> [Byte; 256] {
    let mut table = [Byte(0); 256];
    let mut b = 0;
    while b < 256 {
        table[b] = Byte(entry(b as u8));
        b += 1;
    }
    table
}

const fn entry(b: u8) -> u16 {
    match b {
        b'0'..=b'9' => b as u16 | DIGIT,
        b'_' => b as u16 | UNDERSCORE,
        b'\'' => b as u16 | FOREIGN,
        0xE3..=0xED => WIDE,
        0x80.. => b as u16 | FOREIGN,
        _ if b.is_ascii_alphabetic() => b.to_ascii_lowercase() as u16,
        _ => {
            let sign = matches!(b, b'.' | b'!' | b'?' | b'\n' | b':' | b'"' | b'(' | b'<' | b'[' | b'{')
                || matches!(b, b'#' | b'=' | b'`');
            let sign = if sign { SIGN } else { 0 };
            let mark = if structure::may_begin(b) { MARK } else { 0 };
            let joins = if matches!(b, b'+' | b'/' | b'=' | b'-') { JOINS } else { 0 };
            let line = if matches!(b, b'\n' | b'\r') { LINE } else { 0 };
            sign | mark | joins | line
        }
    }
}

impl Byte {
    #[inline(always)]
    pub(super) fn of(b: u8) -> Byte {
        BYTES.get(usize::from(b)).copied().unwrap_or(Byte(0))
    }

    /// Whether it belongs to a word in a script that puts spaces between words.
    #[inline(always)]
    pub(super) fn is_letter(self) -> bool {
        self.0 & 0xFF != 0
    }

    /// An apostrophe or an underscore: part of a word only between its letters.
    #[inline(always)]
    pub(super) fn joins_letters(self) -> bool {
        self.0 & UNDERSCORE != 0 || self.small() == b'\''
    }

    #[inline(always)]
    pub(super) fn is_wide(self) -> bool {
        self.0 & WIDE != 0
    }

    #[inline(always)]
    pub(super) fn begins_word(self) -> bool {
        self.0 & (0xFF | WIDE) != 0
    }

    /// Whether it has any meaning between words.
    #[inline(always)]
    pub(super) fn speaks(self) -> bool {
        self.0 & (SIGN | MARK | LINE) != 0
    }

    #[inline(always)]
    pub(super) fn begins_line(self) -> bool {
        self.0 & LINE != 0
    }

    #[inline(always)]
    pub(super) fn is_sign(self) -> bool {
        self.0 & SIGN != 0
    }

    #[inline(always)]
    pub(super) fn begins_mark(self) -> bool {
        self.0 & MARK != 0
    }

    #[inline(always)]
    pub(super) fn joins(self) -> bool {
        self.0 & JOINS != 0
    }

    /// The byte in lower case.
    #[inline(always)]
    pub(super) fn small(self) -> u8 {
        self.0 as u8
    }
}

/// The properties of the bytes in a word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kinds(u16);

impl Kinds {
    pub(super) const NONE: Kinds = Kinds(0);

    #[inline(always)]
    pub(super) fn with(self, byte: Byte) -> Kinds {
        Kinds(self.0 | byte.0)
    }

    /// Whether there are only ASCII letters.
    #[inline(always)]
    pub(super) fn plain(self) -> bool {
        self.0 & (DIGIT | UNDERSCORE | FOREIGN) == 0
    }

    pub(super) fn digits(self) -> bool {
        self.0 & DIGIT != 0
    }

    pub(super) fn underscores(self) -> bool {
        self.0 & UNDERSCORE != 0
    }

    pub(super) fn foreign(self) -> bool {
        self.0 & FOREIGN != 0
    }
}
