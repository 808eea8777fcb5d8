//! The policy's own phrases.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::canonical::{self, View};

/// The maximum number of phrases in a rule.
pub const MAX_PHRASES: usize = 512;

/// Literal phrases, matched in the canonical text: case, spacing, lookalike letters and invisible characters do not
/// matter.
#[derive(Debug, Clone, Default)]
pub struct Phrases {
    automaton: Option<AhoCorasick>,
}

impl Phrases {
    /// Compiles the phrases. Empty phrases are left out, and so are those beyond [`MAX_PHRASES`].
    pub fn compile<S: AsRef<str>>(phrases: &[S]) -> Phrases {
        let folded: Vec<String> = phrases
            .iter()
            .map(|phrase| canonical::folded(phrase.as_ref().trim()).text().to_owned())
            .filter(|phrase| !phrase.is_empty())
            .take(MAX_PHRASES)
            .collect();
        if folded.is_empty() {
            return Phrases::default();
        }
        let automaton = AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(&folded).ok();
        Phrases { automaton }
    }

    /// Whether there are no phrases.
    pub fn is_empty(&self) -> bool {
        self.automaton.is_none()
    }

    /// The first match of a phrase.
    pub(crate) fn find(&self, text: &str) -> Option<Range<usize>> {
        let automaton = self.automaton.as_ref()?;
        let view: View = canonical::folded(text);
        let hit = automaton.find(view.text())?;
        Some(view.original(hit.range()))
    }
}
