//! What a text hides: encoded orders, judged on their own, and invisible letters.

use std::ops::Range;

use super::alphabet::Byte;
use super::evidence::Kind;
use super::matcher::Matcher;
use super::tokens::Written;
use super::verdict;
use super::{codes, layers};

/// How many nested layers of encoding are decoded.
const MAX_DEPTH: u8 = 2;
/// From this many on, invisible letters are a text.
const UNSEEN: usize = 8;
/// The minimum weight of an encoded text to be an order.
const ORDER: f32 = 0.4;
/// The minimum weight of the words in a name to be an order.
const NAMED_ORDER: f32 = 0.6;
/// The weight of an encoded order that only the scorer finds.
const HIDDEN_ORDER: f32 = 0.6;

impl Matcher<'_> {
    /// Checks the run that begins with this word and may be an encoding; returns where it ends.
    #[inline]
    pub(super) fn layer(&mut self, text: &[u8], written: Written, index: usize) -> usize {
        let length = written.end - written.start;
        // A run is one word, or longer if a sign joins it to the next one. Words of two letters may be hex.
        let may_be_code = length >= layers::MIN_RUN || length == 2 || written.kinds.digits();
        if !may_be_code && !Byte::of(written.next).joins() {
            return written.end;
        }
        self.encoded(text, written.start, index)
    }

    #[inline(never)]
    fn encoded(&mut self, text: &[u8], i: usize, index: usize) -> usize {
        if self.depth >= MAX_DEPTH {
            return i + 1;
        }
        let numbers = codes::may_begin(text, i).then(|| codes::read(text, i)).flatten();
        let (end, said) = numbers.unwrap_or_else(|| layers::run(text, i));
        if let Some(said) = said {
            self.decoded(&said, index, i..end);
        }
        end
    }

    /// Judges the words of a name on their own.
    pub(super) fn named(&mut self, said: &str, index: usize, span: Range<usize>) {
        let mut inner = Matcher::new(self.lexicon, self.source);
        inner.depth = self.depth + 1;
        inner.read(said);
        if inner.evidence.best() >= NAMED_ORDER {
            for piece in inner.evidence.pieces() {
                self.add(piece.kind, piece.weight, index, span.clone());
            }
        }
    }

    /// Judges decoded text on its own; an order that was hidden weighs more.
    pub(super) fn decoded(&mut self, said: &str, index: usize, span: Range<usize>) {
        let mut inner = Matcher::new(self.lexicon, self.source);
        inner.depth = self.depth + 1;
        inner.read(said);
        let attack = inner
            .scorer
            .finish(None)
            .is_some_and(|worst| verdict::score_of(worst.margin, self.source) >= 0.5);
        let score = inner.evidence.best().max(if attack { HIDDEN_ORDER } else { 0.0 });
        if score >= ORDER {
            let weight = self.weigh(score, (score + 0.1).min(0.98));
            self.add(Kind::Decoded, weight, index, span);
        }
    }
}

/// The span of a text written in tag characters, which are invisible.
pub(super) fn unseen(text: &str) -> Option<Range<usize>> {
    if text.is_ascii() {
        return None;
    }
    let mut first = None;
    let mut count = 0;
    for (i, c) in text.char_indices() {
        if ('\u{e0020}'..='\u{e007e}').contains(&c) {
            count += 1;
            let start = *first.get_or_insert(i);
            if count >= UNSEEN {
                return Some(start..i + c.len_utf8());
            }
        }
    }
    None
}
