//! The features that the scorer extracts from a text: words, pairs and triples of them, how words begin and end, word
//! classes near each other, marks, and the rules that matched. Each is a slot of a table, by hash.

use std::ops::Range;

use super::super::lexicon::Classes;
use super::super::together::{self, Heard, NO_WORDS, RULES_WEIGH, Together, Worst};
use super::classes::{self, CLASSES, ClassWeights, NOTHING, Row};
use super::weights::Table;

/// Slots in the table of one kind of source.
pub const SLOTS: usize = 1 << 17;
/// Words per segment.
pub(crate) const SEGMENT: usize = 16;
/// A window with fewer features counts as if it had this many: a word or two prove little.
pub const LEAST: f32 = 60.0;
/// How many letters at either end of a word are used.
const EDGE: usize = 4;
/// How many words with classes are remembered for pairs.
const NEAR: usize = 3;
/// The maximum distance in words between the two of a pair of classes.
const REACH: usize = 8;

/// The scorer's input: for training it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Features {
    /// For each segment, its slots of the table in text order, with repetitions.
    pub segments: Vec<Vec<u32>>,
    /// The rules' score near the window that ends with each segment, from 0 to 1; there may be one more entry.
    pub rules: Vec<f32>,
}

/// Names of the kinds, in order, for explanations.
const NAMES: [&str; 10] = [
    "words",
    "word pairs",
    "word triples",
    "beginnings",
    "endings",
    "word classes",
    "class pairs",
    "marks",
    "shape",
    "skipped pairs",
];

/// The position of the kind in a slot value: above the slot's number.
const KIND: u32 = 24;

/// Kinds of features; each kind is hashed differently.
#[derive(Clone, Copy)]
pub(super) enum Of {
    Word = 1,
    Pair,
    Triple,
    Begins,
    Ends,
    Class,
    ClassPair,
    Mark,
    Shape,
    Skip,
}

/// The slot of a feature: the upper bits of one multiplication, with its kind above them.
#[inline(always)]
pub(super) fn slot(of: Of, hash: u64) -> u32 {
    const BITS: u32 = SLOTS.trailing_zeros();
    let salted = hash ^ (of as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
    ((salted ^ (salted >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - BITS)) as u32
        | (of as u32) << KIND
}

/// A recorded segment: its features, and the highest score of the rules in it.
#[derive(Debug, Default)]
struct Segment {
    slots: Vec<u32>,
    heard: f32,
}

/// The sums for one segment.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    weight: i32,
    count: u32,
    start: usize,
    end: usize,
}

/// A word with classes, and, if it has several, their total weight before each other class; for a single class the
/// table is used.
#[derive(Debug, Clone, Copy)]
struct Near {
    classes: Classes,
    number: u32,
    index: usize,
    several: Row,
}

impl Default for Near {
    fn default() -> Near {
        Near { classes: Classes(0), number: 0, index: 0, several: [0; CLASSES] }
    }
}

/// Scores a text word by word.
#[derive(Debug)]
pub(in crate::injection) struct Scorer<'a> {
    table: &'a Table,
    learned: &'a ClassWeights,
    words: usize,
    last: u64,
    last_but_one: u64,
    near: [Near; NEAR],
    near_next: usize,
    now: Sum,
    before: Option<Sum>,
    together: Together,
    trace: Option<Vec<Segment>>,
}

impl<'a> Scorer<'a> {
    pub(in crate::injection) fn new(table: &'a Table, learned: &'a ClassWeights) -> Scorer<'a> {
        Scorer {
            table,
            learned,
            words: 0,
            last: 0,
            last_but_one: 0,
            near: [Near::default(); NEAR],
            near_next: 0,
            now: Sum::default(),
            before: None,
            together: Together::default(),
            trace: None,
        }
    }

    /// A scorer that also records the features.
    pub(in crate::injection) fn traced(self) -> Scorer<'a> {
        Scorer { trace: Some(vec![Segment::default()]), ..self }
    }

    /// Adds the feature with this slot.
    fn add(&mut self, slot: u32) {
        self.now.weight += self.weight([slot]);
        self.now.count += 1;
        if let Some(segment) = self.trace.as_mut().and_then(|trace| trace.last_mut()) {
            segment.slots.push(slot);
        }
    }

    /// Adds an ordinary word with this hash.
    #[inline(always)]
    pub(in crate::injection) fn plain(&mut self, text: &[u8], word: Range<usize>, hash: u64) {
        self.any(text, word, hash, 1, true);
    }

    /// Adds a word with this hash, which counts for `counts` words. In a script without spaces, the beginning and end
    /// of a word say nothing.
    #[inline(never)]
    pub(in crate::injection) fn word(
        &mut self,
        text: &[u8],
        word: Range<usize>,
        hash: u64,
        counts: usize,
        edges: bool,
    ) {
        self.any(text, word, hash, counts, edges);
    }

    #[inline(always)]
    fn any(&mut self, text: &[u8], word: Range<usize>, hash: u64, counts: usize, edges: bool) {
        if self.words == 0 {
            self.now.start = word.start;
        }
        self.now.end = word.end;
        let edges = edges && word.end - word.start > EDGE;
        if self.trace.is_some() {
            self.trace_word(text, &word, hash, edges);
        }
        let mut weight = self.weight(self.of_word(hash));
        let mut count = 4;
        if edges {
            weight += self.weight(of_edges(text, &word));
            count += 2;
        }
        self.now.weight += weight;
        self.now.count += count;
        self.step(hash);
        self.words += counts;
        if self.words >= SEGMENT {
            self.cut();
        }
    }

    /// The slots of a word together with those before it.
    #[inline(always)]
    fn of_word(&self, hash: u64) -> [u32; 4] {
        let (last, last_but_one) = (self.last, self.last_but_one);
        [
            slot(Of::Word, hash),
            slot(Of::Pair, hash.rotate_left(17) ^ last),
            slot(Of::Triple, hash.rotate_left(34) ^ last.rotate_left(17) ^ last_but_one),
            slot(Of::Skip, hash.rotate_left(17) ^ last_but_one),
        ]
    }

    #[inline(always)]
    fn weight<const N: usize>(&self, slots: [u32; N]) -> i32 {
        slots.iter().map(|slot| i32::from(self.table.weight(*slot))).sum()
    }

    /// Records the features of a word.
    #[cold]
    #[inline(never)]
    fn trace_word(&mut self, text: &[u8], word: &Range<usize>, hash: u64, edges: bool) {
        let of_word = self.of_word(hash);
        let Some(segment) = self.trace.as_mut().and_then(|trace| trace.last_mut()) else { return };
        segment.slots.extend(of_word);
        if edges {
            segment.slots.extend(of_edges(text, word));
        }
    }

    fn step(&mut self, hash: u64) {
        self.last_but_one = self.last;
        self.last = hash;
    }

    /// Adds a sign between words: the end of a sentence, a line, a quote.
    #[inline]
    pub(in crate::injection) fn sign(&mut self, sign: u8) {
        let hash = u64::from(sign).wrapping_mul(0xd6e8_feb8_6659_fd93);
        if self.last != hash {
            self.add(slot(Of::Shape, hash));
            self.step(hash);
        }
    }

    /// Adds the classes of a word, and the word's number in the text.
    #[inline]
    pub(in crate::injection) fn classes(&mut self, classes: Classes, index: usize) {
        if self.trace.is_some() {
            self.trace_classes(classes, index);
        }
        let learned = self.learned;
        let number = classes.0.count_ones();
        let [a, b, c] = self.near.each_ref().map(|other| match index.saturating_sub(other.index) <= REACH {
            true if other.number == 1 => (learned.before(other.classes), 1),
            true => (&other.several, other.number),
            false => (&NOTHING, 0),
        });
        let mut weight = 0;
        for class in classes.bits() {
            let of = |row: &Row| row.get(class).map_or(0, |weight| i32::from(*weight));
            weight += learned.single(class) + of(a.0) + of(b.0) + of(c.0);
        }
        let sets = 1 + a.1 + b.1 + c.1;
        self.now.weight += weight;
        self.now.count += number * sets;
        if let Some(slot) = self.near.get_mut(self.near_next) {
            (slot.classes, slot.number, slot.index) = (classes, number, index);
            if number > 1 {
                slot.several = [0; CLASSES];
                for class in classes.bits() {
                    let row = learned.before(Classes(1 << class));
                    slot.several.iter_mut().zip(row).for_each(|(sum, weight)| *sum += weight);
                }
            }
        }
        self.near_next = if self.near_next + 1 == NEAR { 0 } else { self.near_next + 1 };
    }

    /// Records the features of a word's classes.
    #[cold]
    #[inline(never)]
    fn trace_classes(&mut self, classes: Classes, index: usize) {
        let Some(segment) = self.trace.as_mut().and_then(|trace| trace.last_mut()) else { return };
        segment.slots.extend(classes.bits().map(classes::single));
        for other in self.near.iter().filter(|other| index.saturating_sub(other.index) <= REACH) {
            for first in other.classes.bits() {
                segment.slots.extend(classes.bits().map(|second| classes::pair(first, second)));
            }
        }
    }

    /// Adds a mark by its number.
    pub(in crate::injection) fn mark(&mut self, number: usize) {
        self.add(slot(Of::Mark, number as u64 + 1));
    }

    /// Ends a segment and scores the window that it completes.
    #[inline(never)]
    fn cut(&mut self) {
        let now = std::mem::take(&mut self.now);
        self.words = 0;
        self.window(self.before, now);
        self.before = Some(now);
        if let Some(trace) = self.trace.as_mut() {
            trace.push(Segment::default());
        }
    }

    fn window(&mut self, before: Option<Sum>, now: Sum) {
        let before = before.unwrap_or(Sum { start: now.start, ..Sum::default() });
        let count = (before.count + now.count) as f32;
        let margin = self.table.margin((before.weight + now.weight) as f32, count);
        // A segment that has only signs has no span of its own.
        self.together.window(margin, before.start, now.end.max(before.end));
    }

    /// Records evidence of the rules.
    pub(in crate::injection) fn hear(&mut self, heard: Heard) {
        if let Some(segment) = self.trace.as_mut().and_then(|trace| trace.last_mut()) {
            segment.heard = segment.heard.max(heard.0);
        }
        self.together.hear(heard);
    }

    /// Ends the text: returns its worst place.
    pub(in crate::injection) fn finish(&mut self, everywhere: Option<Heard>) -> Option<Worst> {
        if self.now.count > 0 {
            let now = std::mem::take(&mut self.now);
            self.window(self.before, now);
        }
        self.together.finish(everywhere)
    }

    /// The recorded features, without their kinds.
    pub(in crate::injection) fn into_features(mut self, everywhere: Option<Heard>) -> Features {
        self.finish(everywhere);
        let everywhere = everywhere.map_or(0.0, |(score, _)| score);
        let mut trace = self.trace.unwrap_or_default();
        let near = |at: usize| {
            let from = at.saturating_sub(together::REACH + 1);
            let heard = trace.iter().skip(from).take(at + together::REACH + 1 - from);
            heard.map(|segment| segment.heard).fold(everywhere, f32::max)
        };
        let rules = (0..trace.len()).map(near).collect();
        // The last segment is empty if nothing followed a cut.
        trace.retain(|segment| !segment.slots.is_empty());
        let segments = trace.into_iter().map(|segment| segment.slots);
        let plain = |slots: Vec<u32>| slots.into_iter().map(|slot| slot & ((1 << KIND) - 1)).collect();
        Features { segments: segments.map(plain).collect(), rules }
    }

    /// What each kind of feature adds to the margin of the worst place, plus the bias and the rules: the terms add up
    /// to that margin. Only useful if the features were recorded.
    pub(in crate::injection) fn parts(&mut self, everywhere: Option<Heard>) -> Vec<(&'static str, f32)> {
        let Some(worst) = self.finish(everywhere) else { return vec![("start", NO_WORDS)] };
        let mut parts = match worst.span {
            Some(_) => self.parts_of(worst.segment),
            None => vec![("start", NO_WORDS)],
        };
        parts.extend(worst.heard.map(|(score, _)| ("rules", RULES_WEIGH * score)));
        parts
    }

    fn parts_of(&self, segment: usize) -> Vec<(&'static str, f32)> {
        let (mut sums, mut count) = ([0; NAMES.len()], 0.0);
        let window = self.trace.iter().flatten().skip(segment.saturating_sub(1)).take(1 + segment.min(1));
        for traced in window.flat_map(|segment| &segment.slots) {
            let kind = (traced >> KIND) as usize;
            if let Some(sum) = sums.get_mut(kind.wrapping_sub(1)) {
                *sum += i32::from(self.table.weight(*traced));
            }
            count += 1.0;
        }
        let (per_weight, bias) = self.table.share(count);
        let parts = NAMES.iter().zip(sums).filter(|(_, sum)| *sum != 0);
        let parts = parts.map(|(name, sum)| (*name, sum as f32 * per_weight));
        std::iter::once(("start", bias)).chain(parts).collect()
    }
}

/// The slots for the beginning and end of a word: its forms share one of the two.
#[inline(always)]
fn of_edges(text: &[u8], word: &Range<usize>) -> [u32; 2] {
    [slot(Of::Begins, four(text, word.start)), slot(Of::Ends, four(text, word.end - EDGE))]
}

/// Four bytes in lower case, as a hash.
#[inline]
fn four(text: &[u8], from: usize) -> u64 {
    let letters = text.get(from..).and_then(|rest| rest.first_chunk());
    let letters = letters.map_or(0, |four| u32::from_be_bytes(*four));
    u64::from(small(letters)) << 16
}

/// Four ASCII letters converted to lower case at once; other bytes stay.
#[inline]
const fn small(letters: u32) -> u32 {
    const ONES: u32 = 0x0101_0101;
    let low = letters & (0x7F * ONES);
    let from_a = low + (0x80 - b'A' as u32) * ONES;
    let after_z = low + (0x7F - b'Z' as u32) * ONES;
    let capitals = (from_a ^ after_z) & !letters & (0x80 * ONES);
    letters | (capitals >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_letters_become_small_at_once() {
        for b in 0..=u8::MAX {
            let letters = [b, b'Q', b, b'_'];
            assert_eq!(
                small(u32::from_be_bytes(letters)).to_be_bytes(),
                letters.map(|b| b.to_ascii_lowercase())
            );
        }
    }
}
