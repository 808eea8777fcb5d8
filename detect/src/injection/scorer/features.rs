//! What the scorer sees of a text: words and pairs and triples of them, how words begin and end, word classes that stand
//! near each other, marks, and the rules that fired. Each is a slot of a table, by hash.

use std::ops::Range;

use super::super::lexicon::Classes;
use super::classes::{self, CLASSES, ClassWeights, NOTHING, Row};
use super::weights::Table;

/// Slots of the table of one kind of speaker.
pub const SLOTS: usize = 1 << 17;
/// Words of a segment.
pub(crate) const SEGMENT: usize = 16;
/// A window with fewer features than this counts as if it had so many: a word or two prove little.
pub const LEAST: f32 = 60.0;
/// Letters at either edge of a word that are looked at.
const EDGE: usize = 4;
/// Words with classes remembered for pairs.
const NEAR: usize = 3;
/// Words between the two of a pair of classes, at most.
const REACH: usize = 8;

/// What the scorer has to go by: for training it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Features {
    /// For each segment the slots of the table, in the order of the text, as often as they occur.
    pub segments: Vec<Vec<u32>>,
    /// What the rules say, from 0 to 1.
    pub rules: f32,
}

/// Names of the kinds, in their order, for explanations.
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

/// Where a slot keeps its kind: above the bits that number it.
const KIND: u32 = 24;

/// Kinds of features, kept apart in the table.
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

/// The slot of a feature: one multiplication, its upper bits; and above them its kind.
#[inline(always)]
pub(super) fn slot(of: Of, hash: u64) -> u32 {
    const BITS: u32 = SLOTS.trailing_zeros();
    let salted = hash ^ (of as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
    ((salted ^ (salted >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - BITS)) as u32
        | (of as u32) << KIND
}

/// Sums of one segment.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    weight: i32,
    count: u32,
    start: usize,
    end: usize,
}

/// The worst window so far.
#[derive(Debug, Clone, Copy)]
struct Worst {
    margin: f32,
    start: usize,
    end: usize,
}

/// A word with classes, and what several of them weigh before each other class; of one alone the table tells.
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

/// Scores a text while its words go by.
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
    worst: Option<Worst>,
    trace: Option<Vec<Vec<u32>>>,
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
            worst: None,
            trace: None,
        }
    }

    /// One that also writes down the features.
    pub(in crate::injection) fn traced(self) -> Scorer<'a> {
        Scorer { trace: Some(vec![Vec::new()]), ..self }
    }

    /// Adds the feature in that slot.
    fn add(&mut self, slot: u32) {
        self.now.weight += self.weight([slot]);
        self.now.count += 1;
        if let Some(segment) = self.trace.as_mut().and_then(|trace| trace.last_mut()) {
            segment.push(slot);
        }
    }

    /// Takes in an ordinary word, of that hash.
    #[inline(always)]
    pub(in crate::injection) fn plain(&mut self, text: &[u8], word: Range<usize>, hash: u64) {
        self.any(text, word, hash, 1, true);
    }

    /// Takes in the word at `start..end`, of that hash, counting for `counts` words. Of a word in a script without spaces
    /// how it begins and ends says nothing.
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

    /// The slots of a word and of the ones before it.
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

    /// Writes down the features of a word.
    #[cold]
    #[inline(never)]
    fn trace_word(&mut self, text: &[u8], word: &Range<usize>, hash: u64, edges: bool) {
        let of_word = self.of_word(hash);
        let Some(segment) = self.trace.as_mut().and_then(|trace| trace.last_mut()) else { return };
        segment.extend(of_word);
        if edges {
            segment.extend(of_edges(text, word));
        }
    }

    fn step(&mut self, hash: u64) {
        self.last_but_one = self.last;
        self.last = hash;
    }

    /// Takes in a sign between words: the end of a sentence, a line, a quote.
    #[inline]
    pub(in crate::injection) fn sign(&mut self, sign: u8) {
        let hash = u64::from(sign).wrapping_mul(0xd6e8_feb8_6659_fd93);
        if self.last != hash {
            self.add(slot(Of::Shape, hash));
            self.step(hash);
        }
    }

    /// Takes in the classes of a word and the number of that word in the text.
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

    /// Writes down the features of a word's classes.
    #[cold]
    #[inline(never)]
    fn trace_classes(&mut self, classes: Classes, index: usize) {
        let Some(segment) = self.trace.as_mut().and_then(|trace| trace.last_mut()) else { return };
        segment.extend(classes.bits().map(classes::single));
        for other in self.near.iter().filter(|other| index.saturating_sub(other.index) <= REACH) {
            for first in other.classes.bits() {
                segment.extend(classes.bits().map(|second| classes::pair(first, second)));
            }
        }
    }

    /// Takes in a mark by its number.
    pub(in crate::injection) fn mark(&mut self, number: usize) {
        self.add(slot(Of::Mark, number as u64 + 1));
    }

    /// Ends a segment: the window it completes is scored.
    #[inline(never)]
    fn cut(&mut self) {
        let now = std::mem::take(&mut self.now);
        self.words = 0;
        self.window(self.before, now);
        self.before = Some(now);
        if let Some(trace) = self.trace.as_mut() {
            trace.push(Vec::new());
        }
    }

    fn window(&mut self, before: Option<Sum>, now: Sum) {
        let before = before.unwrap_or(Sum { start: now.start, ..Sum::default() });
        let count = (before.count + now.count) as f32;
        let margin = self.table.margin((before.weight + now.weight) as f32, count);
        if self.worst.is_none_or(|worst| margin > worst.margin) {
            // A segment of signs alone has no place of its own.
            self.worst = Some(Worst { margin, start: before.start, end: now.end.max(before.end) });
        }
    }

    /// Ends the text: the margin of its worst window, and where that stands.
    pub(in crate::injection) fn finish(&mut self) -> Option<(f32, Range<usize>)> {
        if self.now.count > 0 {
            let now = std::mem::take(&mut self.now);
            self.window(self.before, now);
        }
        self.worst.map(|worst| (worst.margin, worst.start..worst.end))
    }

    /// The features written down, without their kinds.
    pub(in crate::injection) fn into_trace(self) -> Vec<Vec<u32>> {
        let mut trace = self.trace.unwrap_or_default();
        trace.retain(|segment| !segment.is_empty());
        trace.iter_mut().flatten().for_each(|slot| *slot &= (1 << KIND) - 1);
        trace
    }

    /// What each kind of feature adds to the margin of the worst window, and what the model starts from: together they
    /// are that margin. Empty unless the features were written down.
    pub(in crate::injection) fn parts(&self) -> Vec<(&'static str, f32)> {
        let trace: Vec<_> = self.trace.iter().flatten().filter(|segment| !segment.is_empty()).collect();
        let mut worst: Option<(f32, [i32; NAMES.len()], f32)> = None;
        for (index, now) in trace.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| trace.get(before));
            let (mut sums, mut count) = ([0; NAMES.len()], 0.0);
            for traced in before.into_iter().flat_map(|before| before.iter()).chain(now.iter()) {
                let kind = (traced >> KIND) as usize;
                if let Some(sum) = sums.get_mut(kind.wrapping_sub(1)) {
                    *sum += i32::from(self.table.weight(*traced));
                }
                count += 1.0;
            }
            let margin = self.table.margin(sums.iter().sum::<i32>() as f32, count);
            if worst.is_none_or(|(most, ..)| margin > most) {
                worst = Some((margin, sums, count));
            }
        }
        let Some((_, sums, count)) = worst else { return Vec::new() };
        let (per_weight, bias) = self.table.share(count);
        let parts = NAMES.iter().zip(sums).filter(|(_, sum)| *sum != 0);
        let parts = parts.map(|(name, sum)| (*name, sum as f32 * per_weight));
        std::iter::once(("start", bias)).chain(parts).collect()
    }
}

/// The slots of how a word begins and ends: its forms share one of the two.
#[inline(always)]
fn of_edges(text: &[u8], word: &Range<usize>) -> [u32; 2] {
    [slot(Of::Begins, four(text, word.start)), slot(Of::Ends, four(text, word.end - EDGE))]
}

/// Four bytes in small letters, as a hash.
#[inline]
fn four(text: &[u8], from: usize) -> u64 {
    let letters = text.get(from..).and_then(|rest| rest.first_chunk());
    let letters = letters.map_or(0, |four| u32::from_be_bytes(*four));
    u64::from(small(letters)) << 16
}

/// Four ASCII letters made small at once; other bytes stay.
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
