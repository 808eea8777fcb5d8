//! Chooses between competing readings of the same bytes.

use std::cmp::Ordering;

use crate::Finding;

/// Of overlapping findings from index `first` on, keeps the one with the highest score, then the longest, then the
/// leftmost; leaves them sorted by position.
pub(super) fn keep_strongest(out: &mut Vec<Finding>, first: usize) {
    if out.len() <= first + 1 {
        return;
    }
    let mut candidates = out.split_off(first);
    candidates.sort_by(|a, b| {
        (b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal))
            .then_with(|| b.span.len().cmp(&a.span.len()))
            .then_with(|| a.span.start.cmp(&b.span.start))
    });
    // Kept spans by start. They are disjoint, so checking the neighbours of a new span shows whether its place is free.
    let mut kept: std::collections::BTreeMap<usize, Finding> = std::collections::BTreeMap::new();
    for candidate in candidates {
        let span = &candidate.span;
        let left = kept.range(..span.end).next_back().is_none_or(|(_, other)| other.span.end <= span.start);
        if left {
            kept.insert(span.start, candidate);
        }
    }
    out.extend(kept.into_values());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EntityType, Kind};

    #[test]
    fn the_strongest_reading_wins_and_order_is_by_position() {
        let finding = |start, end, score| Finding {
            kind: Kind::Entity(EntityType::PhoneNumber),
            span: start..end,
            score,
            rule: "test",
        };
        let mut out = vec![
            finding(0, 1, 0.1),
            finding(30, 40, 0.6),
            finding(10, 20, 0.5),
            finding(12, 25, 0.9),
            finding(24, 31, 0.7),
            finding(25, 30, 0.6),
        ];
        keep_strongest(&mut out, 1);
        let spans: Vec<_> = out.iter().map(|f| (f.span.start, f.span.end)).collect();
        assert_eq!(spans, [(0, 1), (12, 25), (25, 30), (30, 40)]);
    }
}
