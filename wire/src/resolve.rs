//! Resolves escapes in running texts (a stream's tool arguments), with a mapping back.

use std::borrow::Cow;
use std::ops::Range;

use crate::coding::{Coding, Out, whole_characters};

/// A text with its JSON escapes resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved<'t> {
    text: Cow<'t, str>,
    /// The end of each escape: of its character in `text`, and of the escape in the original text.
    ends: Vec<(usize, usize)>,
}

impl Resolved<'_> {
    /// The text with its escapes resolved.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The range in the original text of a range in [`Resolved::text`].
    pub fn raw_range(&self, range: Range<usize>) -> Range<usize> {
        let range = whole_characters(&self.text, range);
        self.raw(range.start)..self.raw(range.end)
    }

    /// After an escape, the two texts correspond byte by byte.
    fn raw(&self, at: usize) -> usize {
        let before = self.ends.partition_point(|(end, _)| *end <= at);
        let last = before.checked_sub(1).and_then(|last| self.ends.get(last));
        last.map_or(at, |(end, raw)| raw + (at - end))
    }
}

/// Resolves the JSON escapes in a text that need not be JSON: invalid escapes stay as they are. An incomplete escape
/// at the end (`\u00`) stays as written: hold it back until it is complete ([`cut_escape`]).
pub fn resolve_escapes(text: &str) -> Resolved<'_> {
    if !text.contains('\\') {
        return Resolved { text: Cow::Borrowed(text), ends: Vec::new() };
    }
    let mut resolved = String::with_capacity(text.len());
    let mut ends = Vec::new();
    Coding::Loose.each_step(text, |from, step| match step {
        Out::Run(run) => resolved.push_str(run),
        Out::Char(char) => {
            resolved.push(char);
            ends.push((resolved.len(), from.end));
        }
    });
    Resolved { text: Cow::Owned(resolved), ends }
}

/// Stands for an escaped quotation mark: unlike an apostrophe, no text has it.
pub const QUOTE_INSIDE: u8 = 1;

/// The same for finding the ends of strings in the text: an escaped quotation mark ends no string, so it becomes
/// [`QUOTE_INSIDE`] here.
pub fn resolve_inside(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut resolved = String::with_capacity(text.len());
    Coding::Loose.each_step(text, |_, step| match step {
        Out::Run(run) => resolved.push_str(run),
        Out::Char('"') => resolved.push(char::from(QUOTE_INSIDE)),
        Out::Char(char) if char == char::from(QUOTE_INSIDE) => resolved.push('\u{2}'),
        Out::Char(char) => resolved.push(char),
    });
    Cow::Owned(resolved)
}

/// Where an incomplete escape at the end of the text begins, including those right before it (they may be halves of
/// one character); the text's length if there is none.
pub fn cut_escape(text: &str) -> usize {
    let bytes = text.as_bytes();
    // A pair of `\uXXXX` has twelve bytes: no incomplete escape begins further back.
    let from = bytes.len().saturating_sub(12);
    let start = (from..bytes.len()).find(|at| {
        let rest = bytes.get(*at..).unwrap_or_default();
        rest.first() == Some(&b'\\') && backslashes_before(bytes, *at).is_multiple_of(2) && is_cut(rest)
    });
    start.unwrap_or(bytes.len())
}

fn backslashes_before(bytes: &[u8], at: usize) -> usize {
    bytes.get(..at).unwrap_or_default().iter().rev().take_while(|b| **b == b'\\').count()
}

/// Whether these bytes, from a backslash to the end of the text, are the beginning of an escape or of a pair.
fn is_cut(rest: &[u8]) -> bool {
    match rest {
        [_] => true,
        [_, b'u', digits @ ..] if digits.len() < 4 => digits.iter().all(u8::is_ascii_hexdigit),
        // The first half of a pair: its second half is missing or incomplete.
        [_, b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', _, _, second @ ..] => {
            second.is_empty() || second.first() == Some(&b'\\') && second.len() < 6
        }
        _ => false,
    }
}

/// A text escaped for the inside of a JSON string: for replacements in running tool arguments.
pub fn escape_json(text: &str) -> String {
    crate::coding::escape(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_resolve_and_lead_back() {
        let original = r#"{"card":"4111\u0031111","#;
        let resolved = resolve_escapes(original);
        assert_eq!(resolved.text(), r#"{"card":"41111111","#);
        assert_eq!(&original[resolved.raw_range(9..17)], r"4111\u0031111");
        // A character is not split, and a backslash that begins no escape stands for itself.
        let marks = resolve_escapes(r"a\qb\ud83d\ude00c");
        assert_eq!((marks.text(), marks.raw_range(5..6)), ("a\\qb😀c", 4..16));
        assert_eq!(
            (marks.raw_range(1..3), marks.raw_range(8..9), marks.raw_range(0..0)),
            (1..3, 16..17, 0..0)
        );
        let plain = resolve_escapes("plain");
        assert_eq!((plain.text(), plain.raw_range(1..3)), ("plain", 1..3));
    }

    #[test]
    fn a_cut_escape_is_found() {
        for (text, want) in [
            ("plain", 5),
            (r"a\", 1),
            (r"a\\", 3),
            (r"a\\\", 3),
            (r"a\u", 1),
            (r"a\u003", 1),
            (r"a\u0031", 7),
            (r"a\ud83d", 1),
            (r"a\ud83d\u", 1),
            (r"a\ud83d\ude0", 1),
            (r"a\ud83d\ude00", 13),
            (r"a\n", 3),
        ] {
            assert_eq!(cut_escape(text), want, "{text}");
        }
    }
}
