//! What of a long text a small model is shown.
use mesh_detect::{Detector, Source, window};

/// At most `bytes` of a text: its whole, or what surrounds the words that the first tier finds most telling.
pub(crate) fn focus<'a>(detector: &Detector, text: &'a str, bytes: usize) -> &'a str {
    if text.len() <= bytes {
        return text;
    }
    let span = detector.injection_score(text, Source::User).map_or(0..0, |finding| finding.span);
    window(text, &span, bytes)
}
