//! The view in which numbers, addresses and tokens are looked for.

use super::chars::{self, Reading};
use super::escape;
use super::view::View;
use crate::bytes::at;

/// The text as it reads: escapes undone (`\u0034`, `&#64;`, `%40`), digits and signs of other
/// scripts and styles as ASCII, invisible characters gone. Nothing when that is the text itself.
pub fn plain(text: &str) -> Option<View> {
    let first = first_change(text)?;
    let mut view = View::with_capacity(text.len());
    view.keep(text.get(..first)?, 0);
    let mut position = first;
    while let Some(c) = text.get(position..).and_then(|rest| rest.chars().next()) {
        let escape = escape::character(text.as_bytes(), position);
        let (c, next) = escape.unwrap_or((c, position + c.len_utf8()));
        match chars::plain(c) {
            Reading::Same if escape.is_none() => {
                view.keep(text.get(position..next).unwrap_or_default(), position)
            }
            Reading::Same => push(&mut view, c, position, next),
            Reading::As(ascii) => push(&mut view, char::from(ascii), position, next),
            Reading::Invisible => {}
        }
        position = next;
    }
    Some(view)
}

fn push(view: &mut View, c: char, start: usize, end: usize) {
    let mut buffer = [0; 4];
    view.replace(c.encode_utf8(&mut buffer), start..end);
}

/// The first byte that reads otherwise than it is written.
fn first_change(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let b = at(bytes, i);
        if b < 0x80 {
            if matches!(b, b'%' | b'&' | b'\\') && escape::character(bytes, i).is_some() {
                return Some(i);
            }
            i += 1;
            continue;
        }
        // Lead bytes of characters that always read as themselves: Latin letters, Cyrillic, most ideographs.
        if matches!(b, 0xC3..=0xCB | 0xD0..=0xD4 | 0xE4..=0xE9 | 0xEB..=0xEC) {
            i += 1;
            continue;
        }
        match text.get(i..).and_then(|rest| rest.chars().next()) {
            Some(c) => {
                if chars::plain(c) != Reading::Same {
                    return Some(i);
                }
                i += c.len_utf8();
            }
            None => i += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_the_same_needs_no_view() {
        for text in
            ["", "plain ASCII, 100% sure & \\n", "Grüße aus Köln", "今天天气很好。", "Привет", "안녕하세요"]
        {
            assert!(plain(text).is_none(), "{text}");
        }
    }

    #[test]
    fn hidden_and_styled_digits_read_as_digits() {
        for (text, reads) in [
            ("４１１１", "4111"),
            ("41\u{200b}1\u{2060}1", "4111"),
            ("41\u{202e}11", "4111"),
            ("078–05‑1120", "078-05-1120"),
            ("a&#64;b.com a&#x40;b", "a@b.com a@b"),
            ("a%40b.com", "a@b.com"),
            (r"\u0034\u0031", "41"),
            (r"driver\u2019s", "driver’s"),
            ("50% off &amp; more", "50% off & more"),
        ] {
            let view = plain(text).unwrap();
            assert_eq!(view.text(), reads);
            assert_eq!(view.original(0..view.text().len()).end, text.len());
        }
    }
}
