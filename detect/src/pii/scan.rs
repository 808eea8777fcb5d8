//! The pass over the text that finds the places worth checking.

use super::context::{Context, ContextWords, Recent};
use super::table::Tables;
use super::{announced, email, iban, key_block, net, number, password, spent, token, word};
use crate::bytes::{at, before, run_end, run_start, slice};
use crate::{EntityType, Finding, Kind, TypeSet};

const DIGIT: u8 = 1;
const AT: u8 = 2;
const ESCAPE: u8 = 4;
const PASS: u8 = 8;
const HIGH: u8 = 0x80;

/// Bytes examined together.
const BLOCK: usize = 64;
/// The minimum length of a token with a distinctive prefix.
const TOKEN: usize = 16;
/// Longer words are not identifiers; this avoids walking through a megabyte of Base64.
const LONGEST_WORD: usize = 64;

/// What one block holds.
struct Seen {
    /// All kinds that occur.
    all: u8,
    /// The kinds of each byte: eight bytes per word, the first one lowest.
    kinds: [u64; BLOCK / 8],
    /// Which words of `kinds` consist of eight token characters, as bits.
    tokens: u8,
}

/// Examines a block together with the same block shifted by one byte. No branch depends on the text: this compiles to
/// vector instructions, also in wasm.
#[inline]
fn look(block: &[u8; BLOCK], shifted: &[u8; BLOCK]) -> Seen {
    let mut kinds = [0_u8; BLOCK];
    let mut tokens = [0_u8; BLOCK];
    let mut all = 0;
    for (((kind, token), b), next) in kinds.iter_mut().zip(&mut tokens).zip(block).zip(shifted) {
        let small = b | 0x20;
        let digit = u8::from(b.wrapping_sub(b'0') < 10);
        let letter = u8::from(small.wrapping_sub(b'a') < 26);
        // Control characters other than white space; DEL is rotated next to them. May include non-ASCII bytes.
        let control = u8::from(b.wrapping_add(1) & 0x7F < 0x0A) | u8::from(b.wrapping_sub(0x0E) < 0x12);
        let escape = u8::from((*b == b'%') | (*b == b'&') | (*b == b'\\')) | control;
        // "pass", "passwd", "password", "Passwort", "mot de passe"; "pwd".
        let next = next | 0x20;
        let pass = u8::from(((small == b's') & (next == b's')) | ((small == b'w') & (next == b'd')));
        *kind =
            (b & HIGH) | (digit * DIGIT) | (u8::from(*b == b'@') * AT) | (escape * ESCAPE) | (pass * PASS);
        *token = digit | letter | u8::from((*b == b'_') | (*b == b'-'));
        all |= *kind;
    }
    let mut seen = Seen { all, kinds: [0; BLOCK / 8], tokens: 0 };
    for (word, bytes) in seen.kinds.iter_mut().zip(kinds.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    for (k, bytes) in tokens.as_chunks::<8>().0.iter().enumerate() {
        seen.tokens |= u8::from(u64::from_le_bytes(*bytes) == 0x0101_0101_0101_0101) << k;
    }
    seen
}

/// The block of `text` at `start` and the one a byte later, padded with spaces at the end of the text.
#[inline]
fn look_at(text: &[u8], start: usize) -> Seen {
    if let Some((block, shifted)) =
        text.get(start..).and_then(|rest| Some((rest.first_chunk()?, rest.get(1..)?.first_chunk()?)))
    {
        return look(block, shifted);
    }
    let mut block = [b' '; BLOCK];
    let mut shifted = [b' '; BLOCK];
    for (slot, b) in block.iter_mut().zip(slice(text, start, start + BLOCK)) {
        *slot = *b;
    }
    for (slot, b) in shifted.iter_mut().zip(slice(text, start + 1, start + 1 + BLOCK)) {
        *slot = *b;
    }
    look(&block, &shifted)
}

/// The positions in a block of the bytes of one kind.
fn places(kinds: [u64; BLOCK / 8], kind: u8) -> impl Iterator<Item = usize> {
    let mask = u64::from(kind) * 0x0101_0101_0101_0101;
    kinds.into_iter().enumerate().flat_map(move |(k, word)| {
        let mut rest = word & mask;
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros())?;
            rest &= rest - 1;
            Some(k * 8 + (bit / 8) as usize)
        })
    })
}

/// Characters that tokens consist of.
#[inline]
pub(super) fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
}

/// Whether a value may begin at `i`: no word character comes right before it. In JSON inside a string, the escapes
/// `\n`, `\r`, `\t` end in a letter that is not part of a word.
#[inline]
pub(super) fn opens(text: &[u8], i: usize) -> bool {
    let b = before(text, i);
    !(b.is_ascii_alphanumeric() || b == b'_') || is_escape_letter(text, i)
}

fn is_escape_letter(text: &[u8], i: usize) -> bool {
    matches!(before(text, i), b'n' | b'r' | b't') && i >= 2 && before(text, i - 1) == b'\\'
}

/// Whether the word right before `i` is a label for a number: `ssn536904399`, `cell2068333821`.
pub(super) fn is_label(text: &[u8], i: usize) -> bool {
    const LABELS: [&[u8]; 6] = [b"ssn", b"tel", b"cell", b"phone", b"fax", b"mob"];
    before(text, i).is_ascii_alphabetic() && {
        let nearest = i.saturating_sub(6);
        let start = nearest + run_start(slice(text, nearest, i), i - nearest, |b| b.is_ascii_alphabetic());
        let word = slice(text, start, i);
        LABELS.iter().any(|label| word.eq_ignore_ascii_case(label)) && opens(text, start)
    }
}

/// Whether a value may end before `i`.
#[inline]
pub(super) fn closes(text: &[u8], i: usize) -> bool {
    let b = at(text, i);
    !(b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether the name of an impersonal number comes right before one whose form proves little: `Dossier 997 144 860`.
#[inline(never)]
fn is_bookkeeping(
    text: &[u8],
    kind: EntityType,
    context: Context,
    (start, end): (usize, usize),
    plain: f32,
) -> bool {
    (0.5..0.6).contains(&plain)
        && !matches!(kind, EntityType::PhoneNumber | EntityType::UsSsn)
        && context.name_end > 0
        && !slice(text, start, end).iter().any(u8::is_ascii_alphabetic)
        && spent::is_name_of(text, context.name_end, start)
}

/// What a word's score loses if a word for something else is nearer, and the maximum that remains: mostly the word has
/// a value of its own between the two.
const FARTHER: f32 = 0.12;
const FARTHEST: f32 = 0.6;

/// One search through one text.
pub(super) struct Scan<'a> {
    pub(super) text: &'a [u8],
    types: TypeSet,
    min_score: f32,
    words: &'a ContextWords,
    out: &'a mut Vec<Finding>,
    context: Option<(usize, Context)>,
    /// Created when the words before a value are first needed: in most texts they never are.
    recent: Option<Recent>,
    tables: Tables,
    /// The ends of the last word with a digit and of the last run of token characters.
    word_seen: usize,
    token_seen: usize,
    /// The end of the last value that a word may announce.
    value_seen: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(
        words: &'a ContextWords,
        text: &'a [u8],
        types: TypeSet,
        min_score: f32,
        out: &'a mut Vec<Finding>,
    ) -> Scan<'a> {
        Scan {
            text,
            types,
            min_score,
            words,
            out,
            context: None,
            recent: None,
            tables: Tables::default(),
            word_seen: 0,
            token_seen: 0,
            value_seen: 0,
        }
    }

    /// Whether this type is wanted.
    #[inline]
    pub(super) fn wants(&self, kind: EntityType) -> bool {
        self.types.contains(kind)
    }

    /// What the words before `start` name.
    pub(super) fn context(&mut self, start: usize) -> Context {
        match self.context {
            Some((place, context)) if place == start => context,
            _ => {
                let recent = self.recent.get_or_insert_default();
                let mut context = recent.context(self.words, self.text, start);
                if let Some(head) = self.tables.head_of(self.text, start) {
                    context = self.words.column(context, self.text, head, start);
                }
                self.context = Some((start, context));
                context
            }
        }
    }

    /// Reports a finding if its type is wanted and its score is high enough.
    pub(super) fn report(
        &mut self,
        kind: EntityType,
        start: usize,
        end: usize,
        score: f32,
        rule: &'static str,
    ) {
        if score >= self.min_score && self.wants(kind) && start < end {
            self.out.push(Finding { kind: Kind::Entity(kind), span: start..end, score, rule });
        }
    }

    /// Reports a finding whose score depends on whether the words before it name its type.
    pub(super) fn weigh(
        &mut self,
        kind: EntityType,
        (start, end): (usize, usize),
        (plain, named): (f32, f32),
        rule: &'static str,
    ) {
        if !self.wants(kind) || plain.max(named) < self.min_score {
            return;
        }
        let context = self.context(start);
        let score = if self.is_spent(kind, context, (start, end), plain) {
            plain
        } else if context.ends_with(kind) {
            named
        } else if context.names(kind) {
            // A word for something else is nearer.
            plain.max((named - FARTHER).min(FARTHEST).max(named.min(0.5)))
        } else if context.negative || is_bookkeeping(self.text, kind, context, (start, end), plain) {
            // An order number, a version, a hash: only a form that is proof by itself keeps its score.
            if plain >= 0.75 { plain } else { plain - 0.3 }
        } else {
            plain
        };
        self.report(kind, start, end, score, rule);
    }

    /// Whether the word that names this type before `start` already has its value, and this is another number that only
    /// that word supports. A valid check digit is proof enough.
    fn is_spent(&self, kind: EntityType, context: Context, (start, end): (usize, usize), plain: f32) -> bool {
        use EntityType::{BankAccount, Passport, PhoneNumber, UsDriverLicense, UsPassport, UsSsn};
        plain < 0.5
            && context.names(kind)
            && matches!(kind, UsSsn | PhoneNumber | Passport | UsPassport | UsDriverLicense | BankAccount)
            && (spent::is_spent(self.text, context, start)
                || kind == PhoneNumber
                    && slice(self.text, start, end).iter().all(u8::is_ascii_digit)
                    && spent::is_called_otherwise(self.text, context, start))
    }

    /// Checks every candidate position. With `other`, stops at the first block that may differ in canonical form and
    /// returns its position.
    pub(super) fn run(&mut self, from: usize, other: bool) -> Option<usize> {
        let text = self.text;
        let mut start = from;
        while start < text.len() {
            let seen = look_at(text, start);
            if other && seen.all & (ESCAPE | HIGH) != 0 {
                return Some(start);
            }
            if seen.all & DIGIT != 0 {
                for i in places(seen.kinds, DIGIT) {
                    self.digit(start + i);
                }
            }
            if seen.all & AT != 0 {
                for i in places(seen.kinds, AT) {
                    email::at_sign(self, start + i);
                }
            }
            if seen.all & PASS != 0 {
                for i in places(seen.kinds, PASS) {
                    password::double_letter(self, start + i);
                }
            }
            // Every run of at least TOKEN token characters contains one of these groups of eight.
            let mut eights = seen.tokens;
            while eights != 0 {
                let i = start + 8 * eights.trailing_zeros() as usize;
                eights &= eights - 1;
                if i >= self.token_seen {
                    self.token_seen = self.token(i, self.token_seen);
                }
            }
            start += BLOCK;
        }
        None
    }

    /// Private key blocks, found by their header.
    pub(super) fn private_keys(&mut self) {
        if self.wants(EntityType::PrivateKey) {
            for begin in self.words.key.find_iter(self.text) {
                key_block::at_header(self, begin);
            }
        }
    }

    fn digit(&mut self, i: usize) {
        let text = self.text;
        let previous = before(text, i);
        if !previous.is_ascii_digit() && (opens(text, i) || previous == b'_' || is_label(text, i)) {
            number::group(self, i);
        }
        if i < self.word_seen {
            return;
        }
        let mut start = run_start(slice(text, 0, i), i, |b| b.is_ascii_alphanumeric());
        self.word_seen = run_end(text, i, |b| b.is_ascii_alphanumeric());
        if is_escape_letter(text, start + 1) {
            start += 1;
        }
        if self.word_seen - start <= LONGEST_WORD {
            if before(text, start) == b'_' {
                iban::word(self, start);
            } else {
                word::word(self, start, self.word_seen);
            }
        }
        if i >= self.value_seen {
            self.value_seen = announced::value(self, start, self.word_seen);
        }
        if matches!(before(text, start), b':') || matches!(at(text, self.word_seen), b':' | b'-' | b'.') {
            net::address(self, start, self.word_seen);
        }
    }

    fn token(&mut self, i: usize, seen: usize) -> usize {
        let text = self.text;
        let mut start = i;
        while start > seen && is_token(before(text, start)) {
            start -= 1;
        }
        let end = run_end(text, i, is_token);
        if end - start >= TOKEN {
            if is_escape_letter(text, start + 1) {
                start += 1;
            }
            token::run(self, start, end);
        }
        end
    }
}
