//! Detection: text in, findings out.
//!
//! A [`Detector`] looks for personal data and secrets ([`Detector::pii`]) and for attempts to steer a model
//! ([`Detector::injection`]). It does no IO, reads no clock, keeps no state between calls and never panics: the same
//! code runs natively and in the wasm module, once for every text of every request.
//!
//! A finding says what was found, where (bytes of the text that was given) and how sure the detector is. It never
//! holds the text itself.
#![deny(clippy::disallowed_methods)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

use std::ops::Range;

mod bytes;
pub mod canonical;
mod custom;
mod entity;
mod finding;
mod injection;
mod output;
mod pii;

pub use custom::{CustomPatterns, MAX_PATTERN_BYTES, PatternError};
pub use entity::{EntityType, TypeSet, type_group};
pub use finding::{Finding, Kind};
pub use injection::scorer::{Features, LEAST, SLOTS};
pub use injection::{Family, InjectionFinding, MAX_PHRASES, Phrases, Sensitivity, Source};
pub use output::{Hosts, OutputFinding, OutputKind, OutputRules, OutputState};
pub use pii::{MAX_BLOCK_HOLDBACK, MAX_HOLDBACK};

/// The score from which a finding counts when the policy names no threshold.
pub const DEFAULT_THRESHOLD: f32 = 0.5;

/// The score from which a text of that source counts at that sensitivity; none for a source that is not judged.
pub fn injection_threshold(source: Source, sensitivity: Sensitivity) -> Option<f32> {
    injection::threshold_score(source, sensitivity)
}

/// At most `bytes` of a text, with the middle of those `at` it in the middle, cut at character boundaries: what is shown of a
/// long text to somebody who reads only so much.
pub fn window<'a>(text: &'a str, at: &Range<usize>, bytes: usize) -> &'a str {
    if text.len() <= bytes {
        return text;
    }
    let middle = at.start.midpoint(at.end);
    let start = middle.saturating_sub(bytes / 2).min(text.len() - bytes);
    let start = text.ceil_char_boundary(start);
    let end = text.floor_char_boundary((start + bytes).min(text.len()));
    text.get(start..end).unwrap_or_default()
}

/// The compiled rule set. Build it once per VM; it is immutable and cheap to share.
#[derive(Debug)]
pub struct Detector {
    context: pii::ContextWords,
    lexicon: injection::Lexicon,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// Builds the shipped rule set (well under a millisecond of work).
    pub fn new() -> Detector {
        Detector { context: pii::ContextWords::new(), lexicon: injection::Lexicon::new() }
    }

    /// Finds personal data and secrets of the wanted `types`, and matches of the `custom` patterns, that reach
    /// `min_score`.
    ///
    /// Findings are appended to `out` sorted by position and never overlap: where two readings compete, the
    /// surer one wins, then the longer one. Spans are byte ranges of `text` and lie on character boundaries even where
    /// the value was written in another form (full-width digits, invisible characters, percent or HTML encoding).
    pub fn pii(
        &self,
        text: &str,
        types: &TypeSet,
        min_score: f32,
        custom: Option<&CustomPatterns>,
        out: &mut Vec<Finding>,
    ) {
        pii::find(&self.context, text, *types, min_score, custom, out);
    }

    /// Finds what [`Detector::pii`] would find if it were not written in Base64, or digit by digit with something in between.
    ///
    /// Appends findings of the whole stretch that is written so, with the type of the surest value in it. They may overlap with
    /// what is found in the text as it stands.
    pub fn pii_hidden(
        &self,
        text: &str,
        types: &TypeSet,
        min_score: f32,
        custom: Option<&CustomPatterns>,
        out: &mut Vec<Finding>,
    ) {
        pii::hidden(&self.context, text, *types, min_score, custom, out);
    }

    /// For text that arrives in pieces: the byte offset from which the tail may still become (part of) a finding once
    /// more text comes. Everything before it is final.
    ///
    /// The caller keeps the tail, and what it has already released as [`context`](Self::context), and
    /// passes both again with the next piece. The offset is never more than [`MAX_HOLDBACK`] bytes behind the end, or
    /// [`MAX_BLOCK_HOLDBACK`] while a private key block or a signed token is open, or characters are among them that nobody sees.
    pub fn holdback(&self, text: &str, types: &TypeSet) -> usize {
        pii::holdback(text, *types)
    }

    /// Of text that was released up to `end`, what still says what a value after it is: the last 64 bytes, more where
    /// characters are written as escapes or between invisible ones or in a table, and a table's head before it. At most
    /// 8 KiB.
    pub fn context(&self, text: &str, end: usize) -> String {
        pii::context(text, end)
    }

    /// Judges whether `text`, coming from `source`, tries to steer the model. Returns the strongest evidence, or
    /// nothing when it stays below the operating point of that source at that `sensitivity`.
    pub fn injection(
        &self,
        text: &str,
        source: Source,
        sensitivity: Sensitivity,
        phrases: Option<&Phrases>,
    ) -> Option<InjectionFinding> {
        injection::judge(&self.lexicon, text, source, sensitivity, phrases)
    }

    /// The same from a score on: what reaches [`injection_threshold`] is found, the rest is doubtful.
    pub fn injection_from(
        &self,
        text: &str,
        source: Source,
        from: f32,
        phrases: Option<&Phrases>,
    ) -> Option<InjectionFinding> {
        injection::judge_from(&self.lexicon, text, source, from, phrases)
    }

    /// All evidence in `text` taken together, whatever its score: for measuring and for calibrating thresholds.
    pub fn injection_score(&self, text: &str, source: Source) -> Option<InjectionFinding> {
        injection::score(&self.lexicon, text, source)
    }

    /// Every single piece of evidence in `text`, each with its own weight: for explaining a verdict.
    pub fn injection_evidence(&self, text: &str, source: Source) -> Vec<InjectionFinding> {
        injection::explain(&self.lexicon, text, source)
    }

    /// What makes up the verdict on `text`: amounts that add up to its distance from the operating point, above zero
    /// when it is found. The scorer is linear, so the amounts are exact, not estimated; they are named by the kind of
    /// feature, never by the words. Empty for a source that is not judged.
    pub fn injection_parts(
        &self,
        text: &str,
        source: Source,
        sensitivity: Sensitivity,
    ) -> Vec<(&'static str, f32)> {
        injection::parts(&self.lexicon, text, source, sensitivity)
    }

    /// What the trained scorer sees of `text`: for training it.
    pub fn injection_features(&self, text: &str, source: Source) -> Features {
        injection::features(&self.lexicon, text, source)
    }
}
