//! What the scorer sees of a text: words and pairs and triples of them, how words begin and end, word classes that stand
//! near each other, marks, and the rules that fired. Each is a slot of a table, by hash.

use std::ops::Range;

use super::super::lexicon::Classes;
use super::super::tokens::is_wide;
use super::weights::Table;
use crate::bytes::{at, slice};

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

/// Where a traced slot keeps its kind: above the bits that number the slots.
const KIND: u32 = 24;

/// Kinds of features, kept apart in the table.
#[derive(Clone, Copy)]
enum Of {
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

/// The slot of a feature: one multiplication, its upper bits.
#[inline(always)]
fn slot(of: Of, hash: u64) -> u32 {
    const BITS: u32 = SLOTS.trailing_zeros();
    let salted = hash ^ (of as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
    ((salted ^ (salted >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - BITS)) as u32
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

/// Scores a text while its words go by.
#[derive(Debug)]
pub(in crate::injection) struct Scorer {
    table: Table,
    words: usize,
    last: u64,
    last_but_one: u64,
    near: [(u64, usize); NEAR],
    near_next: usize,
    now: Sum,
    before: Option<Sum>,
    worst: Option<Worst>,
    trace: Option<Vec<Vec<u32>>>,
}

impl Scorer {
    pub(in crate::injection) fn new(table: Table) -> Scorer {
        Scorer {
            table,
            words: 0,
            last: 0,
            last_but_one: 0,
            near: [(0, 0); NEAR],
            near_next: 0,
            now: Sum::default(),
            before: None,
            worst: None,
            trace: None,
        }
    }

    /// One that also writes down the features.
    pub(in crate::injection) fn tracing(table: Table) -> Scorer {
        Scorer { trace: Some(vec![Vec::new()]), ..Scorer::new(table) }
    }

    fn add(&mut self, of: Of, hash: u64) {
        self.add_all(std::iter::once((of, hash)));
    }

    #[inline(always)]
    fn add_all(&mut self, features: impl Iterator<Item = (Of, u64)>) {
        let table = self.table;
        let mut segment = self.trace.as_mut().and_then(|trace| trace.last_mut());
        let (mut weight, mut count) = (0, 0);
        for (of, hash) in features {
            let slot = slot(of, hash);
            weight += i32::from(table.weight(slot));
            count += 1;
            if let Some(segment) = &mut segment {
                segment.push(slot | (of as u32) << KIND);
            }
        }
        self.now.weight += weight;
        self.now.count += count;
    }

    /// Takes in the word at `start..end`, of that hash, counting for `counts` words.
    pub(in crate::injection) fn word(
        &mut self,
        text: &[u8],
        start: usize,
        end: usize,
        hash: u64,
        counts: usize,
    ) {
        if self.words == 0 {
            self.now.start = start;
        }
        self.now.end = end;
        let (last, last_but_one) = (self.last, self.last_but_one);
        let words = [
            (Of::Word, hash),
            (Of::Pair, hash.rotate_left(17) ^ last),
            (Of::Triple, hash.rotate_left(34) ^ last.rotate_left(17) ^ last_but_one),
            (Of::Skip, hash.rotate_left(17) ^ last_but_one),
        ];
        self.add_all(words.into_iter());
        if !is_wide(at(text, start)) {
            self.edges(text, start, end);
        }
        self.step(hash);
        self.words += counts;
        if self.words >= SEGMENT {
            self.cut();
        }
    }

    /// How the word begins and how it ends: the forms of a word share one of them.
    fn edges(&mut self, text: &[u8], start: usize, end: usize) {
        let four = |from: usize| {
            let letters = slice(text, from, from + EDGE).iter();
            letters.fold(0_u64, |all, b| (all << 8) | u64::from(b.to_ascii_lowercase())) << 16
        };
        if end - start > EDGE {
            self.add_all([(Of::Begins, four(start)), (Of::Ends, four(end - EDGE))].into_iter());
        }
    }

    fn step(&mut self, hash: u64) {
        self.last_but_one = self.last;
        self.last = hash;
    }

    /// Takes in a sign between words: the end of a sentence, a line, a quote.
    pub(in crate::injection) fn sign(&mut self, sign: u8) {
        let hash = u64::from(sign).wrapping_mul(0xd6e8_feb8_6659_fd93);
        if self.last != hash {
            self.add(Of::Shape, hash);
            self.step(hash);
        }
    }

    /// Takes in the classes of a word and the number of that word in the text.
    pub(in crate::injection) fn classes(&mut self, classes: Classes, index: usize) {
        let near = self.near;
        let others = near.iter().filter(|(other, at)| *other != 0 && index.saturating_sub(*at) <= REACH);
        let pairs = others.flat_map(|(other, _)| {
            bits(*other).flat_map(|first| {
                bits(classes.0).map(move |second| (Of::ClassPair, (first << 6 | second) << 16))
            })
        });
        self.add_all(bits(classes.0).map(|bit| (Of::Class, bit << 16)).chain(pairs));
        if let Some(slot) = self.near.get_mut(self.near_next % NEAR) {
            *slot = (classes.0, index);
        }
        self.near_next += 1;
    }

    /// Takes in a mark by its number.
    pub(in crate::injection) fn mark(&mut self, number: usize) {
        self.add(Of::Mark, number as u64 + 1);
    }

    /// Ends a segment: the window it completes is scored.
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
            self.worst = Some(Worst { margin, start: before.start, end: now.end });
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
                    *sum += i32::from(self.table.weight(traced & ((1 << KIND) - 1)));
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

fn bits(mut set: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let bit = set.trailing_zeros();
        set &= set.wrapping_sub(1);
        (bit < u64::BITS).then_some(u64::from(bit))
    })
}
