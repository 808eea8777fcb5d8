//! Ranges of texts that are already taken; checking for an overlap takes one lookup, however many there are.
use std::ops::Range;

/// Ranges of texts, to check whether another one overlaps any of them.
pub(crate) struct Taken {
    /// Sorted by text and start.
    stretches: Vec<(usize, Range<usize>)>,
}

impl Taken {
    /// Each range with the index of its text.
    pub(crate) fn new(stretches: impl Iterator<Item = (usize, Range<usize>)>) -> Self {
        let mut stretches: Vec<_> = stretches.collect();
        stretches.sort_by_key(|(text, range)| (*text, range.start));
        // Each range is extended to the furthest end before it, so that one lookup is enough.
        let mut last: Option<(usize, usize)> = None;
        for (text, range) in &mut stretches {
            range.end = last.filter(|(of, _)| of == text).map_or(range.end, |(_, end)| range.end.max(end));
            last = Some((*text, range.end));
        }
        Taken { stretches }
    }

    /// Whether a range of this text overlaps one of them.
    pub(crate) fn meets(&self, text: usize, range: &Range<usize>) -> bool {
        let before = self.stretches.partition_point(|(of, one)| (*of, one.start) < (text, range.end));
        let last = before.checked_sub(1).and_then(|last| self.stretches.get(last));
        last.is_some_and(|(of, one)| *of == text && range.start < one.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_over_something_taken_is_told() {
        let taken = Taken::new([(1, 5..9), (0, 10..20), (0, 12..14), (2, 0..1)].into_iter());
        for (text, range, meets) in [
            (0, 0..10, false),
            (0, 9..11, true),
            (0, 15..16, true),
            (0, 20..30, false),
            (1, 0..5, false),
            (1, 8..20, true),
            (1, 15..16, false),
            (3, 0..100, false),
        ] {
            assert_eq!(taken.meets(text, &range), meets, "{text} {range:?}");
        }
    }
}
