//! The trained weights: `weights.bin`, written by `mesh-detect-train`. For each kind of source, the scale and the bias
//! (f32, little endian), then one signed byte per slot. More than a third of the slots are zero: only the others are
//! compiled in, to keep the filter's module small.

use super::features::{LEAST, SLOTS};

const HEAD: usize = 8;
/// Read only at compile time.
const FILE: &[u8; 2 * (HEAD + SLOTS)] = include_bytes!("weights.bin");

static SPEAKS: Packed<{ filled(0) }> = Packed::of(0);
static INFORMS: Packed<{ filled(HEAD + SLOTS) }> = Packed::of(HEAD + SLOTS);

/// The weights for one kind of source, without the zero slots.
struct Packed<const N: usize> {
    scale: f32,
    bias: f32,
    /// One bit per slot: whether its weight is not zero.
    filled: [u8; SLOTS / 8],
    weights: [i8; N],
}

#[allow(clippy::indexing_slicing, long_running_const_eval, reason = "evaluated when it is compiled")]
impl<const N: usize> Packed<N> {
    /// Packs the table that begins at offset `at` of the file.
    const fn of(at: usize) -> Packed<N> {
        let mut packed =
            Packed { scale: number(at), bias: number(at + 4), filled: [0; SLOTS / 8], weights: [0; N] };
        let (mut slot, mut next) = (0, 0);
        while slot < SLOTS {
            let weight = FILE[at + HEAD + slot];
            if weight != 0 {
                packed.filled[slot / 8] |= 1 << (slot % 8);
                packed.weights[next] = weight.cast_signed();
                next += 1;
            }
            slot += 1;
        }
        packed
    }
}

/// The number of non-zero slots in the table that begins there.
#[allow(clippy::indexing_slicing, long_running_const_eval, reason = "evaluated when it is compiled")]
const fn filled(at: usize) -> usize {
    let (mut slot, mut count) = (0, 0);
    while slot < SLOTS {
        count += (FILE[at + HEAD + slot] != 0) as usize;
        slot += 1;
    }
    count
}

#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn number(at: usize) -> f32 {
    f32::from_le_bytes([FILE[at], FILE[at + 1], FILE[at + 2], FILE[at + 3]])
}

/// The weights for one kind of source.
#[derive(Debug)]
pub(in crate::injection) struct Table {
    weights: Box<[i8; SLOTS]>,
    scale: f32,
    bias: f32,
}

impl Table {
    /// The weights for texts that should only inform, or for those that speak.
    pub(in crate::injection) fn for_those_who(inform: bool) -> Table {
        if inform { Table::unpacked(&INFORMS) } else { Table::unpacked(&SPEAKS) }
    }

    fn unpacked<const N: usize>(packed: &'static Packed<N>) -> Table {
        let mut weights = Box::new([0; SLOTS]);
        let mut next = packed.weights.iter();
        for (slot, weight) in weights.iter_mut().enumerate() {
            let filled = packed.filled.get(slot / 8).is_some_and(|bits| bits >> (slot % 8) & 1 != 0);
            if filled {
                *weight = next.next().copied().unwrap_or_default();
            }
        }
        Table { weights, scale: packed.scale, bias: packed.bias }
    }

    /// The weight of a slot; its kind is ignored.
    #[inline]
    pub(super) fn weight(&self, slot: u32) -> i8 {
        self.weights.get(slot as usize & (SLOTS - 1)).copied().unwrap_or_default()
    }

    /// The margin of a window: the sum of its weights over the square root of their number.
    pub(super) fn margin(&self, sum: f32, count: f32) -> f32 {
        self.scale * sum / count.max(LEAST).sqrt() + self.bias
    }

    /// The parts of the margin: what one unit of weight adds in a window of `count` features, and the bias.
    pub(super) fn share(&self, count: f32) -> (f32, f32) {
        (self.scale / count.max(LEAST).sqrt(), self.bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_in_is_the_file() {
        for (inform, at) in [(false, 0), (true, HEAD + SLOTS)] {
            let table = Table::for_those_who(inform);
            let weights = FILE[at + HEAD..][..SLOTS].iter().map(|b| b.cast_signed());
            assert!(table.weights.iter().copied().eq(weights));
            assert_eq!((table.scale, table.bias), (number(at), number(at + 4)));
        }
    }
}
