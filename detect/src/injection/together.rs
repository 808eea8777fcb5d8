//! What the rules say and the scorer's margin, put together where they speak of the same place.
//!
//! Long texts have many windows, and single words of a rule somewhere: the worst of each, wherever they stand, would make an
//! attack of any manual.

use std::ops::Range;

use super::evidence::Piece;

/// Segments on either side of a window from which the rules' evidence counts with it.
pub(super) const REACH: usize = 4;
/// Segments that are remembered.
const RING: usize = 8;
/// What the rules' evidence weighs beside the margin of the scorer.
pub(super) const RULES_WEIGH: f32 = 3.0;
/// The margin of a text without words.
pub(super) const NO_WORDS: f32 = -0.5;

/// The rules' score, and the strongest piece of their evidence.
pub(super) type Heard = (f32, Piece);

/// A window of the scorer.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    margin: f32,
    start: usize,
    end: usize,
}

/// The worst place of a text.
#[derive(Debug, Clone)]
pub(super) struct Worst {
    /// Rules and scorer together.
    pub(super) margin: f32,
    pub(super) heard: Option<Heard>,
    /// The window's bytes; none where the text has no words.
    pub(super) span: Option<Range<usize>>,
    /// The number of the window's last segment.
    pub(super) segment: usize,
}

/// Goes through a text beside the scorer.
#[derive(Debug, Default)]
pub(super) struct Together {
    windows: [Window; RING],
    heard: [Option<Heard>; RING],
    /// The segment that is read, and the last one in which the rules were heard.
    segment: usize,
    last_heard: Option<usize>,
    worst: Option<Worst>,
}

impl Together {
    /// Takes in what the rules say in this segment.
    pub(super) fn hear(&mut self, heard: Heard) {
        self.last_heard = Some(self.segment);
        if let Some(slot) = self.heard.get_mut(self.segment % RING)
            && slot.is_none_or(|(score, _)| heard.0 > score)
        {
            *slot = Some(heard);
        }
    }

    /// Takes in the window that ends with this segment, and goes on to the next one.
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

    /// Ends the text: its worst place. `everywhere` is what counts wherever it stands.
    pub(super) fn finish(&mut self, everywhere: Option<Heard>) -> Option<Worst> {
        // What was heard behind the last window.
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

    /// The strongest of what was heard up to this segment, within reach of its window.
    fn heard_near(&self, now: usize) -> Option<Heard> {
        let segments = now.saturating_sub(REACH + 1)..=now;
        let heard = segments.filter_map(|segment| self.heard.get(segment % RING).copied().flatten());
        heard.reduce(|a, b| if b.0 > a.0 { b } else { a })
    }

    /// Weighs what is heard in this segment with the windows before it.
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
