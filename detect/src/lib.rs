//! Detection: text in, findings out.
//!
//! A [`Detector`] looks for personal data and secrets ([`Detector::pii`]) and for attempts to steer a model
//! ([`Detector::injection`]). It does no IO, reads no clock, keeps no state between calls and never panics. The same
//! code runs natively and in the wasm module, once for every text of every request.
//!
//! A finding says what was found, where (a byte range of the given text) and how sure the detector is. It never
//! contains the text itself.
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

/// The minimum score of a finding when the policy sets no threshold.
pub const DEFAULT_THRESHOLD: f32 = 0.5;

/// The score at which a text from this source counts at this sensitivity; `None` for a source that is not judged.
pub fn injection_threshold(source: Source, sensitivity: Sensitivity) -> Option<f32> {
    injection::threshold_score(source, sensitivity)
}

/// At most `bytes` of a text, centred on the span `at` and cut at character boundaries: an excerpt of a long text for a
/// reader with limited input.
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
    /// Builds the shipped rule set (a few milliseconds of work).
    pub fn new() -> Detector {
        Detector { context: pii::ContextWords::new(), lexicon: injection::Lexicon::new() }
    }

    /// Finds personal data and secrets of the given `types`, and matches of the `custom` patterns, with a score of at
    /// least `min_score`.
    ///
    /// Findings are appended to `out`, sorted by position, and never overlap: of competing readings the one with the
    /// higher score wins, then the longer one. Spans are byte ranges of `text` on character boundaries, even where the
    /// value was written in another form (full-width digits, invisible characters, percent or HTML encoding).
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

    /// Finds what [`Detector::pii`] misses because it is written in Base64 or hex, as digits with separators between
    /// them, or as an address in quotes.
    ///
    /// Appends one finding for the whole encoded run, with the type of the highest-scoring value in it. These findings
    /// may overlap with those in the plain text.
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

    /// For text that arrives in pieces: the byte offset from which the tail may still become (part of) a finding when
    /// more text arrives. Everything before it is final.
    ///
    /// The caller keeps the tail, and the [`context`](Self::context) of what it has already released, and passes both
    /// again with the next piece. The offset is at most [`MAX_HOLDBACK`] bytes before the end, or
    /// [`MAX_BLOCK_HOLDBACK`] while a private key block or a signed token is open, or if the tail contains invisible
    /// characters.
    pub fn holdback(&self, text: &str, types: &TypeSet) -> usize {
        pii::holdback(text, *types)
    }

    /// The part of a text released up to `end` that still affects how a value after it is judged: the last 64
    /// characters, more where escapes, invisible characters or a table are involved, preceded by the table's header. At
    /// most 8 KiB.
    pub fn context(&self, text: &str, end: usize) -> String {
        pii::context(text, end)
    }

    /// Judges whether `text`, coming from `source`, tries to steer the model. Returns the strongest evidence, or `None`
    /// if the text stays below the operating point of that source at that `sensitivity`.
    pub fn injection(
        &self,
        text: &str,
        source: Source,
        sensitivity: Sensitivity,
        phrases: Option<&Phrases>,
    ) -> Option<InjectionFinding> {
        injection::judge(&self.lexicon, text, source, sensitivity, phrases)
    }

    /// Like [`injection`](Self::injection), but returns everything with a score of at least `from`. Scores that reach
    /// [`injection_threshold`] are detections; the rest are doubtful.
    pub fn injection_from(
        &self,
        text: &str,
        source: Source,
        from: f32,
        phrases: Option<&Phrases>,
    ) -> Option<InjectionFinding> {
        injection::judge_from(&self.lexicon, text, source, from, phrases)
    }

    /// All evidence in `text` combined, whatever its score: for measuring and for calibrating thresholds.
    pub fn injection_score(&self, text: &str, source: Source) -> Option<InjectionFinding> {
        injection::score(&self.lexicon, text, source)
    }

    /// Every single piece of evidence in `text`, each with its own weight: for explaining a verdict.
    pub fn injection_evidence(&self, text: &str, source: Source) -> Vec<InjectionFinding> {
        injection::explain(&self.lexicon, text, source)
    }

    /// The terms that make up the verdict on `text`: they add up to its distance from the operating point, which is
    /// positive when the text is detected. The scorer is linear, so the terms are exact, not estimated; they are named
    /// by the kind of feature, never by the words. Empty for a source that is not judged.
    pub fn injection_parts(
        &self,
        text: &str,
        source: Source,
        sensitivity: Sensitivity,
    ) -> Vec<(&'static str, f32)> {
        injection::parts(&self.lexicon, text, source, sensitivity)
    }

    /// The features that the trained scorer extracts from `text`: for training it.
    pub fn injection_features(&self, text: &str, source: Source) -> Features {
        injection::features(&self.lexicon, text, source)
    }
}
