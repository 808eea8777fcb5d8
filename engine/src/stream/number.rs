//! Numbers in a running JSON text: a number is replaced by a string.
use std::ops::Range;

use mesh_wire::{Edit, escape_json};

/// The position in a running JSON text, and in the JSON that one of its strings may contain.
#[derive(Clone, Copy, Default)]
pub(super) struct Inside {
    outer: Strings,
    inner: Strings,
    /// Whether the open string begins like JSON; unknown while it is blank.
    nested: Option<bool>,
}

/// Whether a string is open, and an escape in it.
#[derive(Clone, Copy, Default)]
struct Strings {
    open: bool,
    escaped: bool,
}

impl Strings {
    fn feed(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.open => self.escaped = true,
            b'"' => self.open = !self.open,
            _ => {}
        }
    }
}

impl Inside {
    pub(super) fn feed(&mut self, text: &str) {
        for byte in text.bytes() {
            let before = self.outer;
            self.outer.feed(byte);
            match byte {
                _ if !before.open || !self.outer.open => {
                    self.inner = Strings::default();
                    self.nested = None;
                }
                b'n' | b'r' | b't' if before.escaped => self.spelled(b' '),
                _ if !self.outer.escaped => self.spelled(byte),
                _ => {}
            }
        }
    }

    /// Takes a resolved character of a string.
    fn spelled(&mut self, byte: u8) {
        if self.nested.is_none() && !byte.is_ascii_whitespace() {
            self.nested = Some(matches!(byte, b'{' | b'['));
        }
        self.inner.feed(byte);
    }

    /// The text as a complete JSON string, escaped for the current position; `None` within a string.
    fn string(&self, text: &str) -> Option<String> {
        match self.nested {
            _ if !self.outer.open => Some(format!("\"{text}\"")),
            Some(true) if !self.inner.open => Some(format!("\\\"{}\\\"", escape_json(text))),
            _ => None,
        }
    }
}

/// Turns replacements of whole numbers into strings. `inside` is the position at `start`; up to `safe` the text is
/// decided.
pub(super) fn quoted(cuts: &mut [Edit], text: &str, (start, safe): (usize, usize), mut inside: Inside) {
    cuts.sort_by_key(|cut| cut.range.start);
    let mut read = start;
    for cut in cuts {
        inside.feed(text.get(read..cut.range.start).unwrap_or_default());
        read = read.max(cut.range.start);
        if let Some(string) = inside.string(&cut.with)
            && let Some(number) = number(text, &cut.range, start, safe)
        {
            cut.range = number;
            cut.with = string;
        }
    }
}

/// The number that a range lies in, if the number is a value of its own.
fn number(text: &str, range: &Range<usize>, start: usize, safe: usize) -> Option<Range<usize>> {
    let part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    let bytes = text.as_bytes();
    let before = bytes.get(start..range.start)?.iter().rev().take_while(|byte| part(byte)).count();
    let after = bytes.get(range.end..safe)?.iter().take_while(|byte| part(byte)).count();
    let whole = range.start - before..range.end + after;
    let last = without_blanks(text.get(..whole.start)?).bytes().last();
    // In JSON inside a string, white space is escaped.
    let blank = ["\\n", "\\r", "\\t"]
        .iter()
        .any(|blank| text.get(whole.end..).is_some_and(|rest| rest.starts_with(blank)));
    let next = text.get(whole.end..)?.trim_start().bytes().next().filter(|_| !blank);
    let alone = matches!(last, Some(b':' | b',' | b'[')) && matches!(next, None | Some(b',' | b'}' | b']'));
    let is_number = serde_json::from_str::<serde_json::Number>(text.get(whole.clone())?).is_ok();
    (alone && is_number).then_some(whole)
}

/// The text without the white space at its end, including escaped white space.
fn without_blanks(text: &str) -> &str {
    let mut rest = text.trim_end();
    while let Some(before) = ["\\n", "\\r", "\\t"].iter().find_map(|blank| rest.strip_suffix(blank)) {
        rest = before.trim_end();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_what_looks_like_them() {
        for (text, want) in [
            (r#"{"a":5369,"b":1}"#, r#"{"a":"X","b":1}"#),
            (r#"{"a": -5369.0 }"#, r#"{"a": "X" }"#),
            ("[1,5369]", r#"[1,"X"]"#),
            (r#"{"a":"b:5369,"}"#, r#"{"a":"b:X,"}"#),
            (r#"{"a":"\":5369,"}"#, r#"{"a":"\":X,"}"#),
            ("[1] it is 5369, they say", "[1] it is X, they say"),
            (r#"{"a":53-5369,"b":1}"#, r#"{"a":53-X,"b":1}"#),
            // JSON in a string.
            (r#"{"a":"{\"n\": 5369}"}"#, r#"{"a":"{\"n\": \"X\"}"}"#),
            (r#"{"a":"[\n  1,\n  5369\n]"}"#, r#"{"a":"[\n  1,\n  \"X\"\n]"}"#),
            (r#"{"a":"\n{\"q\":\"\\\":\",\"n\":5369}"}"#, r#"{"a":"\n{\"q\":\"\\\":\",\"n\":\"X\"}"}"#),
            (r#"{"a":"{\"n\":\"b:5369,\"}"}"#, r#"{"a":"{\"n\":\"b:X,\"}"}"#),
            (r#"{"a":"{\"n\":\"\\\":5369,\"}"}"#, r#"{"a":"{\"n\":\"\\\":X,\"}"}"#),
        ] {
            let at = text.find("5369").unwrap();
            let mut cuts = [Edit { segment: 0, range: at..at + 4, with: "X".to_owned() }];
            quoted(&mut cuts, text, (0, text.len()), Inside::default());
            let [cut] = cuts;
            let got = format!("{}{}{}", &text[..cut.range.start], cut.with, &text[cut.range.end..]);
            assert_eq!(got, want, "{text}");
        }
    }
}
