//! The weights of word classes and of pairs of them: few enough to stand in a table of their own, so that nothing is hashed
//! for them while a text is read.

use super::features::{Of, slot};
use super::weights::Table;

/// Classes are the bits of a word.
pub(super) const CLASSES: usize = u64::BITS as usize;

/// What the scorer's table says of classes.
#[derive(Debug)]
pub(in crate::injection) struct ClassWeights {
    single: [i8; CLASSES],
    /// Of each class before each other one.
    before: Vec<Row>,
}

/// A weight for each class; of one pair a byte, but sums need more.
pub(super) type Row = [i16; CLASSES];

/// The slot of a class.
pub(super) fn single(class: usize) -> u32 {
    slot(Of::Class, (class as u64) << 16)
}

/// The slot of two classes, one after the other.
pub(super) fn pair(first: usize, second: usize) -> u32 {
    slot(Of::ClassPair, (first as u64) << 22 | (second as u64) << 16)
}

impl ClassWeights {
    pub(in crate::injection) fn of(table: Table) -> ClassWeights {
        ClassWeights {
            single: std::array::from_fn(|class| table.weight(single(class))),
            before: (0..CLASSES)
                .map(|first| std::array::from_fn(|second| i16::from(table.weight(pair(first, second)))))
                .collect(),
        }
    }

    #[inline]
    pub(super) fn single(&self, class: usize) -> i32 {
        self.single.get(class).map_or(0, |weight| i32::from(*weight))
    }

    /// Adds what the class weighs before each other one.
    #[inline]
    pub(super) fn add_before(&self, class: usize, sum: &mut Row) {
        if let Some(row) = self.before.get(class) {
            sum.iter_mut().zip(row).for_each(|(sum, weight)| *sum += weight);
        }
    }
}
