//! Combines the rules' evidence with the scorer's margin where both concern the same place.
//!
//! Long texts have many windows, and single words of a rule somewhere. Adding the worst of each, wherever they are,
//! would make any manual an attack.

use std::ops::Range;

use super::evidence::Piece;

/// Evidence of the rules counts for a window if it is at most this many segments away on either side.
pub(super) const REACH: usize = 4;
/// How many segments are remembered.
const RING: usize = 8;
/// The weight of the rules' evidence relative to the scorer's margin.
pub(super) const RULES_WEIGH: f32 = 3.0;
/// The margin of a text without words.
pub(super) const NO_WORDS: f32 = -0.5;

/// The rules' score, with the strongest piece of their evidence.
pub(super) type Heard = (f32, Piece);

/// A window as scored.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    margin: f32,
    start: usize,
    end: usize,
}

/// The worst place in a text.
#[derive(Debug, Clone)]
pub(super) struct Worst {
    /// The margin of rules and scorer together.
    pub(super) margin: f32,
    pub(super) heard: Option<Heard>,
    /// The window's bytes; `None` if the text has no words.
    pub(super) span: Option<Range<usize>>,
    /// The number of the window's last segment.
    pub(super) segment: usize,
}

/// Follows the scorer through a text.
#[derive(Debug, Default)]
pub(super) struct Together {
    windows: [Window; RING],
    heard: [Option<Heard>; RING],
    /// The current segment, and the last one in which the rules matched.
    segment: usize,
    last_heard: Option<usize>,
    worst: Option<Worst>,
}

impl Together {
    /// Records evidence of the rules in this segment.
    pub(super) fn hear(&mut self, heard: Heard) {
        self.last_heard = Some(self.segment);
        if let Some(slot) = self.heard.get_mut(self.segment % RING)
            && slot.is_none_or(|(score, _)| heard.0 > score)
        {
            *slot = Some(heard);
        }
    }

    /// Records the window that ends with this segment, and moves on to the next.
    #[inline]
    pub(super) fn window(&mut self, margin: f32, start: usize, end: usize) {
        let (window, now) = (Window { margin, start, end }, self.segment);
        let near = self.last_heard.is_some_and(|last| last + REACH + 1 >= now);
        let heard = if near { self.heard_near(now) } else { None };
        self.offer(window, now, heard);
        if near {
            self.offer_before(now);
        }
        if let Some(slot) = self.windows.get_mut(now % RING) {
            *slot = window;
        }
        self.segment += 1;
        if let Some(slot) = self.heard.get_mut(self.segment % RING) {
            *slot = None;
        }
    }

    /// Ends the text: returns its worst place. `everywhere` is evidence that counts regardless of its position.
    pub(super) fn finish(&mut self, everywhere: Option<Heard>) -> Option<Worst> {
        // Evidence after the last window.
        self.offer_before(self.segment);
        let here = self.heard.get(self.segment % RING).copied().flatten();
        let alone = self.worst.is_none();
        if let Some(heard) = everywhere.or(here.filter(|_| alone)) {
            let (margin, span, segment) = match &self.worst {
                Some(worst) => {
                    let rules = worst.heard.map_or(0.0, |(score, _)| RULES_WEIGH * score);
                    (worst.margin - rules, worst.span.clone(), worst.segment)
                }
                None => (NO_WORDS, None, 0),
            };
            let margin = margin + RULES_WEIGH * heard.0;
            if self.worst.as_ref().is_none_or(|worst| margin > worst.margin) {
                self.worst = Some(Worst { margin, heard: Some(heard), span, segment });
            }
        }
        self.worst.take()
    }

    /// The strongest evidence up to this segment, within reach of its window.
    fn heard_near(&self, now: usize) -> Option<Heard> {
        let segments = now.saturating_sub(REACH + 1)..=now;
        let heard = segments.filter_map(|segment| self.heard.get(segment % RING).copied().flatten());
        heard.reduce(|a, b| if b.0 > a.0 { b } else { a })
    }

    /// Combines the evidence in this segment with the windows before it.
    fn offer_before(&mut self, now: usize) {
        let Some(heard) = self.heard.get(now % RING).copied().flatten() else { return };
        for segment in now.saturating_sub(REACH)..now {
            if let Some(window) = self.windows.get(segment % RING).copied() {
                self.offer(window, segment, Some(heard));
            }
        }
    }

    fn offer(&mut self, window: Window, segment: usize, heard: Option<Heard>) {
        let margin = window.margin + heard.map_or(0.0, |(score, _)| RULES_WEIGH * score);
        if self.worst.as_ref().is_none_or(|worst| margin > worst.margin) {
            self.worst = Some(Worst { margin, heard, span: Some(window.start..window.end), segment });
        }
    }
}
