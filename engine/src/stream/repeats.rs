//! Events that say a block's text once more, whole. A value that goes over several blocks is found in none of these texts alone:
//! what is cut from the running text goes from them too.
use std::collections::VecDeque;
use std::ops::Range;

use mesh_wire::Edit;

use super::Waiting;
use super::window::{Part, Window};

/// What a window knows of them.
#[derive(Clone, Default)]
pub(super) struct Repeats {
    /// Where the block's own text begins in that of the window; before that stands the end of the last one.
    own: usize,
    /// What a value took of the block's beginning that began in another.
    head: String,
    /// The end of a text that repeats a stretch of the window's, and where that begins.
    ends: Vec<(usize, Part)>,
}

impl Repeats {
    /// Another block goes on with a text of this length.
    pub(super) fn of_next_block(&mut self, len: usize) {
        self.own = len;
        self.head.clear();
    }

    /// The first `bytes` of the window's text left.
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

    /// Cuts of the window's text, which is `text`: the repeated ones that wait lose the same, those to come its beginning.
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
    /// An event says the block's text once more: what of it is gone already is cut there, what waits is cut with it.
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
