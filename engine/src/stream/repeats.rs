//! Events that repeat a block's whole text. A value that spans several blocks is found in none of these texts alone:
//! what is cut from the running text is cut from them too.
use std::collections::VecDeque;
use std::ops::Range;

use mesh_wire::Edit;

use super::Waiting;
use super::window::{Part, Window};

/// What a window knows about repeated texts.
#[derive(Clone, Default)]
pub(super) struct Repeats {
    /// Where the block's own text begins in the window's text; before it is the end of the previous block.
    own: usize,
    /// The beginning of the block, if it belongs to a value that began in the previous block.
    head: String,
    /// The ends of texts that repeat a part of the window, each with the offset of that part.
    ends: Vec<(usize, Part)>,
}

impl Repeats {
    /// Another block continues a text of this length.
    pub(super) fn of_next_block(&mut self, len: usize) {
        self.own = len;
        self.head.clear();
    }

    /// The first `bytes` of the window's text have left.
    pub(super) fn release(&mut self, bytes: usize) {
        self.own = self.own.saturating_sub(bytes);
        self.ends.retain_mut(|(at, part)| {
            let gone = bytes.saturating_sub(*at).min(part.len);
            *at = at.saturating_sub(bytes);
            part.offset += gone;
            part.len -= gone;
            part.len > 0
        });
    }

    /// Applies cuts of the window's text (`text`): repeated texts in the queue get the same cuts, later ones lose
    /// their beginning.
    pub(super) fn cut(
        &mut self,
        queue: &mut VecDeque<Waiting>,
        first: u64,
        text: &str,
        cuts: &[(Range<usize>, String)],
    ) {
        for (range, with) in cuts {
            if range.start < self.own && self.own < range.end {
                text.get(self.own..range.end).unwrap_or_default().clone_into(&mut self.head);
            }
            for (at, part) in &self.ends {
                let (start, end) = (range.start.max(*at), range.end.min(at + part.len));
                let held =
                    usize::try_from(part.event.saturating_sub(first)).ok().and_then(|at| queue.get_mut(at));
                if let Some(held) = held.filter(|_| start < end) {
                    let with = if start == range.start { with.clone() } else { String::new() };
                    let range = part.offset + start - at..part.offset + end - at;
                    held.edits.push(Edit { segment: part.segment, range, with });
                }
            }
        }
    }
}

impl Window {
    /// An event repeats the block's text: the part that was already cut is cut here; the part that waits is cut with
    /// the window.
    pub(super) fn repeated(&mut self, event: u64, segment: usize, said: &str) -> Option<Edit> {
        let Repeats { own, head, ends } = &mut self.repeats;
        let waits = self.text.get(*own..).unwrap_or_default();
        if !waits.is_empty() && said.ends_with(waits) {
            let (offset, len) = (said.len() - waits.len(), waits.len());
            ends.push((*own, Part { event, segment, offset, len }));
        }
        let cut = !head.is_empty() && said.starts_with(&**head);
        cut.then(|| Edit { segment, range: 0..head.len(), with: String::new() })
    }
}
