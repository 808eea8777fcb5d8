//! Numbers in a running text that is JSON: what stands instead of one is a string.
use std::ops::Range;

use mesh_wire::Edit;

/// Where a running JSON text stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Inside {
    string: bool,
    escaped: bool,
}

impl Inside {
    pub(super) fn feed(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.string => self.escaped = true,
                b'"' => self.string = !self.string,
                _ => {}
            }
        }
    }
}

/// Makes strings of what stands instead of whole numbers. `inside` is where the text stands at `start`; up to `safe` it is decided.
pub(super) fn quoted(cuts: &mut [Edit], text: &str, (start, safe): (usize, usize), mut inside: Inside) {
    cuts.sort_by_key(|cut| cut.range.start);
    let mut read = start;
    for cut in cuts {
        inside.feed(text.get(read..cut.range.start).unwrap_or_default());
        read = read.max(cut.range.start);
        if !inside.string
            && let Some(number) = number(text, &cut.range, start, safe)
        {
            cut.range = number;
            cut.with = format!("\"{}\"", cut.with);
        }
    }
}

/// The number that a range lies in, where it is a value of its own.
fn number(text: &str, range: &Range<usize>, start: usize, safe: usize) -> Option<Range<usize>> {
    let part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    let bytes = text.as_bytes();
    let before = bytes.get(start..range.start)?.iter().rev().take_while(|byte| part(byte)).count();
    let after = bytes.get(range.end..safe)?.iter().take_while(|byte| part(byte)).count();
    let whole = range.start - before..range.end + after;
    let last = text.get(..whole.start)?.trim_end().bytes().last();
    let next = text.get(whole.end..)?.trim_start().bytes().next();
    let alone = matches!(last, Some(b':' | b',' | b'[')) && matches!(next, None | Some(b',' | b'}' | b']'));
    let is_number = serde_json::from_str::<serde_json::Number>(text.get(whole.clone())?).is_ok();
    (alone && is_number).then_some(whole)
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
