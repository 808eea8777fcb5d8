//! Personal data and secrets: candidate → validation → context → score.
//!
//! A cheap pass over blocks of 64 bytes finds the places where a value is possible at all (a digit, an `@`, a long run
//! of token characters, the double `s` of *pass…*). The recognisers check only these. Each of them judges one place by
//! the text there and its context to the left ([`context::WINDOW`] bytes and a table header), never by what another
//! recogniser found: so detection over a stream finds the same as detection over the whole text.

mod announced;
mod card;
mod checks;
mod context;
mod date;
mod dictionary;
mod dictionary_against;
mod dictionary_licences;
mod dictionary_named;
mod dictionary_states;
mod document;
mod email;
mod hidden;
mod holdback;
mod iban;
mod key_block;
mod key_name;
mod national;
mod national_checks;
mod national_checks_more;
mod net;
mod number;
mod password;
mod phone;
mod phone_plan;
mod resolve;
mod scan;
mod sha256;
mod spent;
mod table;
mod token;
mod token_prefix;
mod token_table;
mod wallet;
mod word;
mod word_checks;
mod word_checks_more;
mod word_forms;

pub(crate) use context::ContextWords;
pub(crate) use hidden::hidden;
pub use holdback::{MAX_BLOCK_HOLDBACK, MAX_HOLDBACK};
pub(crate) use holdback::{context, holdback};

use std::sync::Arc;

use crate::canonical::{self, View};
use crate::{CustomPatterns, Finding, Kind, TypeSet};
use scan::Scan;

/// See [`crate::Detector::pii`].
pub(crate) fn find(
    words: &ContextWords,
    text: &str,
    types: TypeSet,
    min_score: f32,
    custom: Option<&CustomPatterns>,
    out: &mut Vec<Finding>,
) {
    let first = out.len();
    if !types.is_empty() {
        let mut scan = Scan::new(words, text.as_bytes(), types, min_score, out);
        // Clean text is read once. The view is built only if something may differ in canonical form; mostly nothing
        // does.
        let stopped = scan.run(0, true);
        match stopped.and_then(|_| canonical::plain(text)) {
            None => {
                if let Some(stopped) = stopped {
                    scan.run(stopped, false);
                }
                scan.private_keys();
                whole_characters(text, out, first);
            }
            Some(view) => {
                out.truncate(first);
                in_view(words, text, &view, types, min_score, out);
            }
        }
        if let Some(view) = stopped.and_then(|_| canonical::stripped(text)) {
            in_view(words, text, &view, types, min_score, out);
        }
    }
    if let Some(custom) = custom {
        let found = |name: &Arc<str>, span| Finding {
            kind: Kind::Custom(name.clone()),
            span,
            score: 1.0,
            rule: "custom",
        };
        custom.each(text, |name, span| out.push(found(name, span)));
        for view in canonical::plain(text).into_iter().chain(canonical::stripped(text)) {
            custom.each(view.text(), |name, span| out.push(found(name, view.original(span))));
        }
    }
    resolve::keep_strongest(out, first);
}

/// Searches the view; maps findings to the bytes of the text that they stand for.
fn in_view(
    words: &ContextWords,
    text: &str,
    view: &View,
    types: TypeSet,
    min_score: f32,
    out: &mut Vec<Finding>,
) {
    let first = out.len();
    let mut scan = Scan::new(words, view.text().as_bytes(), types, min_score, out);
    scan.run(0, false);
    scan.private_keys();
    for finding in out.iter_mut().skip(first) {
        finding.span = view.original(finding.span.clone());
    }
    whole_characters(text, out, first);
}

/// Widens spans to whole characters: a recogniser counts bytes and may stop inside one.
fn whole_characters(text: &str, out: &mut [Finding], first: usize) {
    for finding in out.iter_mut().skip(first) {
        let span = &mut finding.span;
        while !text.is_char_boundary(span.start) {
            span.start -= 1;
        }
        while span.end < text.len() && !text.is_char_boundary(span.end) {
            span.end += 1;
        }
    }
}
