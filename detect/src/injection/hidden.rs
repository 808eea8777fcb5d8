//! What a text hides: orders in an encoding, judged by themselves, and letters that nobody sees.

use std::ops::Range;

use super::alphabet::Byte;
use super::evidence::Kind;
use super::matcher::Matcher;
use super::tokens::Written;
use super::verdict;
use super::{codes, layers};

/// Layers of encoding that are undone, one inside the other.
const MAX_DEPTH: u8 = 2;
/// So many invisible letters are a text.
const UNSEEN: usize = 8;
/// The least that a text in an encoding has to be worth to be an order.
const ORDER: f32 = 0.4;
/// The least that the words of a name have to be worth.
const NAMED_ORDER: f32 = 0.6;
/// What an order is worth that only the scorer finds in an encoding.
const HIDDEN_ORDER: f32 = 0.6;

impl Matcher<'_> {
    /// Looks at the run that begins with that word and may be an encoding; returns where it ends.
    #[inline]
    pub(super) fn layer(&mut self, text: &[u8], written: Written, index: usize) -> usize {
        let length = written.end - written.start;
        // A run is a word, and longer only where a sign joins it to the next one. Words of two letters may be hex.
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

    /// Judges the words of a name by themselves.
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

    /// Judges decoded text by itself; an order that had to be hidden weighs more.
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

/// Where text is written in tag characters, which nobody sees.
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
