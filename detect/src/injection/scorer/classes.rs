//! The weights of word classes and of pairs of them: few enough for a table of their own, so that nothing is hashed for
//! them while a text is read.

use super::super::lexicon::Classes;
use super::features::{Of, slot};
use super::weights::Table;

/// Classes are the bits of a word.
pub(super) const CLASSES: usize = u64::BITS as usize;

/// The scorer's weights for classes.
#[derive(Debug)]
pub(in crate::injection) struct ClassWeights {
    single: [i8; CLASSES],
    /// For each class, its weights before each other class.
    before: Box<[Row; CLASSES]>,
}

/// A weight for each class; the weight of a pair fits in a byte, but sums need more.
pub(super) type Row = [i16; CLASSES];

/// The weights before a class that is absent: all zero.
pub(super) const NOTHING: Row = [0; CLASSES];

/// The slot of a class.
pub(super) fn single(class: usize) -> u32 {
    slot(Of::Class, (class as u64) << 16)
}

/// The slot of two classes, one after the other.
pub(super) fn pair(first: usize, second: usize) -> u32 {
    slot(Of::ClassPair, (first as u64) << 22 | (second as u64) << 16)
}

impl ClassWeights {
    pub(in crate::injection) fn of(table: &Table) -> ClassWeights {
        ClassWeights {
            single: std::array::from_fn(|class| table.weight(single(class))),
            before: Box::new(std::array::from_fn(|first| {
                std::array::from_fn(|second| i16::from(table.weight(pair(first, second))))
            })),
        }
    }

    #[inline]
    pub(super) fn single(&self, class: usize) -> i32 {
        self.single.get(class).map_or(0, |weight| i32::from(*weight))
    }

    /// The weights of the first of these classes before each other class.
    #[inline]
    pub(super) fn before(&self, first: Classes) -> &Row {
        let first = first.0.trailing_zeros() as usize % CLASSES;
        self.before.get(first).unwrap_or(&NOTHING)
    }
}
