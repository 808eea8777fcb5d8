//! The trained weights: `weights.bin`, written by `mesh-detect-train`. For each kind of speaker the scale and the bias (f32, little
//! endian), then one signed byte a slot.

use super::features::{LEAST, SLOTS};
use crate::injection::Source;

const HEAD: usize = 8;
const FILE: &[u8; 2 * (HEAD + SLOTS)] = include_bytes!("weights.bin");

/// The weights for one kind of speaker.
#[derive(Debug, Clone, Copy)]
pub(in crate::injection) struct Table {
    weights: &'static [u8; SLOTS],
    scale: f32,
    bias: f32,
}

impl Table {
    /// The weights for texts of that source.
    pub(in crate::injection) fn of(source: Source) -> Table {
        Table::for_those_who(source.informs())
    }

    /// The weights for texts that should only inform, or for those that speak.
    pub(in crate::injection) fn for_those_who(inform: bool) -> Table {
        let (speaks, informs) = FILE.split_at(HEAD + SLOTS);
        let part = if inform { informs } else { speaks };
        let (scale, rest) = number(part);
        let (bias, weights) = number(rest);
        Table { weights: weights.first_chunk().unwrap_or(&[0; SLOTS]), scale, bias }
    }

    /// The weight of a slot, whatever kind it says it is of.
    #[inline]
    pub(super) fn weight(&self, slot: u32) -> i8 {
        self.weights.get(slot as usize & (SLOTS - 1)).map_or(0, |b| b.cast_signed())
    }

    /// What a window is worth: the sum of its weights over the root of their number.
    pub(super) fn margin(&self, sum: f32, count: f32) -> f32 {
        self.scale * sum / count.max(LEAST).sqrt() + self.bias
    }

    /// The margin taken apart: what one unit of weight adds in a window of `count` features, and where it starts.
    pub(super) fn share(&self, count: f32) -> (f32, f32) {
        (self.scale / count.max(LEAST).sqrt(), self.bias)
    }
}

fn number(bytes: &'static [u8]) -> (f32, &'static [u8]) {
    bytes.split_first_chunk().map_or((0.0, bytes), |(head, rest)| (f32::from_le_bytes(*head), rest))
}
