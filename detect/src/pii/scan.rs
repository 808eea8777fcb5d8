//! The pass over the text: where is anything worth a closer look?

use memchr::memmem;

use super::context::{Context, ContextWords};
use super::{email, net, number, password, token, word};
use crate::bytes::{at, before, run_end, run_start, slice};
use crate::{EntityType, Finding, Kind, TypeSet};

const DIGIT: u8 = 1;
const AT: u8 = 2;
const ESCAPE: u8 = 4;
const PASS: u8 = 8;
const HIGH: u8 = 0x80;

/// Bytes looked at together. The loop over a block has no branch, so it compiles to vector instructions, also in wasm.
const BLOCK: usize = 64;
/// No token with a telling prefix is shorter than this.
const TOKEN: usize = 16;
/// Words longer than this are no identifiers; nobody walks through a megabyte of base64.
const LONGEST_WORD: usize = 64;

/// What occurs in `text` at all.
pub(super) fn flags(text: &[u8]) -> u8 {
    let mut all = 0;
    let mut start = 0;
    while start < text.len() {
        all |= block_flags(slice(text, start, start + BLOCK), slice(text, start + 1, start + 1 + BLOCK));
        start += BLOCK;
    }
    all
}

/// Whether a text with these flags may need the canonical view.
pub(super) fn may_read_otherwise(flags: u8) -> bool {
    flags & (ESCAPE | HIGH) != 0
}

#[inline]
fn block_flags(block: &[u8], shifted: &[u8]) -> u8 {
    let mut flags = 0;
    for b in block {
        flags |= b & HIGH;
        flags |= u8::from(b.wrapping_sub(b'0') < 10) * DIGIT;
        flags |= u8::from(*b == b'@') * AT;
        flags |= u8::from((*b == b'%') | (*b == b'&') | (*b == b'\\')) * ESCAPE;
    }
    // "pass", "passwd", "password", "Passwort", "mot de passe"; "pwd".
    for (a, b) in block.iter().zip(shifted) {
        let (a, b) = (a | 0x20, b | 0x20);
        flags |= u8::from(((a == b's') & (b == b's')) | ((a == b'w') & (b == b'd'))) * PASS;
    }
    flags
}

/// Characters of which tokens are made.
#[inline]
pub(super) fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
}

/// Whether a value may begin at `i`: nothing word-like stands right before it. In JSON text inside a string the
/// escapes `\n`, `\r`, `\t` end in a letter that belongs to no word.
#[inline]
pub(super) fn opens(text: &[u8], i: usize) -> bool {
    let b = before(text, i);
    !(b.is_ascii_alphanumeric() || b == b'_') || is_escape_letter(text, i)
}

fn is_escape_letter(text: &[u8], i: usize) -> bool {
    matches!(before(text, i), b'n' | b'r' | b't') && i >= 2 && before(text, i - 1) == b'\\'
}

/// Whether a value may end before `i`.
#[inline]
pub(super) fn closes(text: &[u8], i: usize) -> bool {
    let b = at(text, i);
    !(b.is_ascii_alphanumeric() || b == b'_')
}

/// What a word loses as a witness when one that speaks of something else stands nearer.
const FARTHER: f32 = 0.08;

/// One search through one text.
pub(super) struct Scan<'a> {
    pub(super) text: &'a [u8],
    types: TypeSet,
    min_score: f32,
    words: &'a ContextWords,
    out: &'a mut Vec<Finding>,
    context: Option<(usize, Context)>,
}

impl<'a> Scan<'a> {
    pub(super) fn new(
        words: &'a ContextWords,
        text: &'a [u8],
        types: TypeSet,
        min_score: f32,
        out: &'a mut Vec<Finding>,
    ) -> Scan<'a> {
        Scan { text, types, min_score, words, out, context: None }
    }

    /// Whether anybody asked for that type.
    #[inline]
    pub(super) fn wants(&self, kind: EntityType) -> bool {
        self.types.contains(kind)
    }

    /// What the words before `start` speak of.
    pub(super) fn context(&mut self, start: usize) -> Context {
        match self.context {
            Some((place, context)) if place == start => context,
            _ => {
                let context = self.words.before(self.text, start);
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
        if !self.wants(kind) {
            return;
        }
        let context = self.context(start);
        let score = if context.ends_with(kind) {
            named
        } else if context.names(kind) {
            // Another word stands nearer.
            plain.max(named - FARTHER)
        } else if context.negative {
            // An order number, a version, a hash: only a form that is its own proof stands.
            if plain >= 0.75 { plain } else { plain - 0.3 }
        } else {
            plain
        };
        self.report(kind, start, end, score, rule);
    }

    /// Looks at every place that the block flags point to.
    pub(super) fn run(mut self) {
        let text = self.text;
        let mut word_seen = 0;
        let mut token_seen = 0;
        let mut start = 0;
        while start < text.len() {
            let end = (start + BLOCK).min(text.len());
            let flags = block_flags(slice(text, start, end), slice(text, start + 1, end + 1));
            if flags & DIGIT != 0 {
                for i in start..end {
                    if at(text, i).is_ascii_digit() {
                        self.digit(i, &mut word_seen);
                    }
                }
            }
            if flags & AT != 0 {
                for i in start..end {
                    if at(text, i) == b'@' {
                        email::at_sign(&mut self, i);
                    }
                }
            }
            if flags & PASS != 0 {
                for i in start..end {
                    password::double_letter(&mut self, i);
                }
            }
            // Every run of TOKEN or more token characters covers one of these positions.
            let mut i = start.next_multiple_of(TOKEN);
            while i < end {
                if i >= token_seen && is_token(at(text, i)) {
                    token_seen = self.token(i, token_seen);
                }
                i += TOKEN;
            }
            start = end;
        }
        if self.wants(EntityType::PrivateKey) {
            for begin in memmem::find_iter(text, b"-----BEGIN ") {
                token::private_key(&mut self, begin);
            }
        }
    }

    fn digit(&mut self, i: usize, word_seen: &mut usize) {
        let text = self.text;
        let previous = before(text, i);
        if !previous.is_ascii_digit() && opens(text, i) {
            number::group(self, i);
        }
        if i < *word_seen {
            return;
        }
        let mut start = run_start(slice(text, 0, i), i, |b| b.is_ascii_alphanumeric());
        *word_seen = run_end(text, i, |b| b.is_ascii_alphanumeric());
        if is_escape_letter(text, start + 1) {
            start += 1;
        }
        if *word_seen - start <= LONGEST_WORD && before(text, start) != b'_' {
            word::word(self, start, *word_seen);
        }
        if matches!(before(text, start), b':') || matches!(at(text, *word_seen), b':' | b'-' | b'.') {
            net::address(self, start);
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
