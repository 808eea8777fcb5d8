//! Counting, and how far a count can be trusted.

use std::ops::Range;

/// Hits and misses of one type or source.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Score {
    pub(crate) true_positive: usize,
    pub(crate) false_positive: usize,
    pub(crate) false_negative: usize,
    /// Hits whose bounds are those of the label to the byte.
    pub(crate) exact: usize,
}

impl Score {
    pub(crate) fn precision(self) -> Share {
        Share::of(self.true_positive, self.true_positive + self.false_positive)
    }

    pub(crate) fn recall(self) -> Share {
        Share::of(self.true_positive, self.true_positive + self.false_negative)
    }

    /// F1 is the share of 2 TP in 2 TP + FP + FN; its interval is that of a share of as many trials, halved.
    pub(crate) fn f1(self) -> Share {
        let whole = 2 * self.true_positive + self.false_positive + self.false_negative;
        let value = ratio(2 * self.true_positive, whole);
        Share { value, interval: wilson(value, whole as f64 / 2.0) }
    }

    pub(crate) fn add(&mut self, other: Score) {
        self.true_positive += other.true_positive;
        self.false_positive += other.false_positive;
        self.false_negative += other.false_negative;
        self.exact += other.exact;
    }
}

/// A share with its 95 % interval.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    pub(crate) value: f64,
    pub(crate) interval: Range<f64>,
}

impl Share {
    pub(crate) fn of(part: usize, whole: usize) -> Share {
        let value = ratio(part, whole);
        Share { value, interval: wilson(value, whole as f64) }
    }
}

/// Wilson's score interval at 95 % for a share seen in `trials`. Of no trials, anything is possible.
fn wilson(share: f64, trials: f64) -> Range<f64> {
    const Z: f64 = 1.959_964;
    if trials <= 0.0 {
        return 0.0..1.0;
    }
    let z2 = Z * Z / trials;
    let centre = share + z2 / 2.0;
    let spread = Z * (share * (1.0 - share) / trials + z2 / (4.0 * trials)).sqrt();
    ((centre - spread) / (1.0 + z2)).max(0.0)..((centre + spread) / (1.0 + z2)).min(1.0)
}

/// A share; of nothing, it is nothing.
pub(crate) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
