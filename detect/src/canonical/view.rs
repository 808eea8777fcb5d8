//! A rewritten text with a map from its bytes to their origin.

use std::ops::Range;

/// A text in canonical form, with a map from its bytes back to the bytes of the original.
#[derive(Debug, Clone, Default)]
pub struct View {
    text: String,
    segments: Vec<Segment>,
}

/// A range of the view. `unit` is 0 if the original has the very same bytes; otherwise it is the length, in the
/// original, of what the whole range stands for.
#[derive(Debug, Clone, Copy)]
struct Segment {
    view: usize,
    original: usize,
    unit: usize,
}

impl View {
    /// An empty view that expects about `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> View {
        View { text: String::with_capacity(capacity), segments: Vec::new() }
    }

    /// The canonical text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Appends text that is the same in the original, where it begins at byte `original`.
    pub fn keep(&mut self, text: &str, original: usize) {
        if text.is_empty() {
            return;
        }
        let view = self.text.len();
        let joins =
            self.segments.last().is_some_and(|s| s.unit == 0 && s.original + (view - s.view) == original);
        if !joins {
            self.segments.push(Segment { view, original, unit: 0 });
        }
        self.text.push_str(text);
    }

    /// Like [`keep`](View::keep), with ASCII capitals in lower case.
    pub fn keep_small(&mut self, text: &str, original: usize) {
        let from = self.text.len();
        self.keep(text, original);
        if let Some(kept) = self.text.get_mut(from..) {
            kept.make_ascii_lowercase();
        }
    }

    /// Appends `text`, which stands for the `original` bytes as a whole.
    pub fn replace(&mut self, text: &str, original: Range<usize>) {
        if text.is_empty() {
            return;
        }
        self.segments.push(Segment {
            view: self.text.len(),
            original: original.start,
            unit: original.end.saturating_sub(original.start).max(1),
        });
        self.text.push_str(text);
    }

    /// The last character of the view, if there is one.
    pub fn last(&self) -> Option<char> {
        self.text.chars().next_back()
    }

    /// The bytes of the original that a range of the view stands for.
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        let start = self
            .locate(range.start)
            .map_or(0, |s| if s.unit == 0 { s.original + (range.start - s.view) } else { s.original });
        let Some(last) = range.end.checked_sub(1).filter(|last| *last >= range.start) else {
            return start..start;
        };
        let end = self.locate(last).map_or(start, |s| {
            if s.unit == 0 { s.original + (last + 1 - s.view) } else { s.original + s.unit }
        });
        start..end.max(start)
    }

    /// The position in the view of the original byte at `original`, or of what follows it if it was dropped.
    pub fn position(&self, original: usize) -> usize {
        let after = self.segments.partition_point(|s| s.original <= original);
        let next = self.segments.get(after).map_or(self.text.len(), |s| s.view);
        match after.checked_sub(1).and_then(|i| self.segments.get(i)) {
            Some(s) if s.unit == 0 => (s.view + (original - s.original)).min(next),
            Some(s) => s.view,
            None => 0,
        }
    }

    fn locate(&self, position: usize) -> Option<Segment> {
        let after = self.segments.partition_point(|s| s.view <= position);
        after.checked_sub(1).and_then(|i| self.segments.get(i)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_map_back_to_whole_units() {
        let mut view = View::default();
        view.keep("ab", 0);
        view.replace("@", 2..7);
        view.keep("cd", 7);
        view.keep("ef", 12);
        assert_eq!(view.text(), "ab@cdef");
        assert_eq!(view.original(0..7), 0..14);
        assert_eq!(view.original(2..3), 2..7);
        assert_eq!(view.original(1..4), 1..8);
        assert_eq!(view.original(5..6), 12..13);
        assert_eq!(view.original(3..3), 7..7);
        assert_eq!([6, 7, 10, 11, 13, 20].map(|at| view.position(at)), [2, 3, 5, 5, 6, 7]);
    }
}
