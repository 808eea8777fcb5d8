//! The view in which numbers, addresses and tokens are looked for.

use super::chars::{self, Reading};
use super::escape;
use super::view::View;
use crate::bytes::at;

/// The text as it reads: escapes undone (`\u0034`, `&#64;`, `%40`), digits and signs of other
/// scripts and styles as ASCII, invisible characters gone. Nothing when that is the text itself.
pub fn plain(text: &str) -> Option<View> {
    read(text, false)
}

/// The same with tag characters gone instead of read as the ASCII characters that they stand for: a person sees nothing
/// of them, a model may read them either way. Nothing when there are none.
pub fn untagged(text: &str) -> Option<View> {
    text.chars().any(is_tag).then(|| read(text, true)).flatten()
}

/// Tag characters: ASCII that is not shown.
pub(crate) fn is_tag(c: char) -> bool {
    matches!(c, '\u{E0000}'..='\u{E007F}')
}

fn read(text: &str, untagged: bool) -> Option<View> {
    let mut position = change(text, 0)?;
    let mut view = View::with_capacity(text.len());
    view.keep(text.get(..position)?, 0);
    while let Some(c) = text.get(position..).and_then(|rest| rest.chars().next()) {
        let escape = escape::character(text.as_bytes(), position);
        let (c, next) = escape.unwrap_or((c, position + c.len_utf8()));
        match chars::plain(c) {
            // Of an escape, else there would be no change here.
            Reading::Same => push(&mut view, c, position, next),
            Reading::As(_) if untagged && is_tag(c) => {}
            Reading::As(ascii) => push(&mut view, char::from(ascii), position, next),
            Reading::Invisible => {}
        }
        position = change(text, next).unwrap_or(text.len());
        view.keep(text.get(next..position).unwrap_or_default(), next);
    }
    Some(view)
}

fn push(view: &mut View, c: char, start: usize, end: usize) {
    let mut buffer = [0; 4];
    view.replace(c.encode_utf8(&mut buffer), start..end);
}

/// Bytes looked at together.
const BLOCK: usize = 64;

/// Whether a byte may begin what reads otherwise than it is written. All others are ASCII, stand within a character, or
/// begin one that always reads as itself: Latin letters, Cyrillic, most ideographs and syllables.
#[inline]
const fn may_change(b: u8) -> bool {
    matches!(b, b'%' | b'&' | b'\\' | 0x7F)
        || (b >= 0xC0 && !matches!(b, 0xC3..=0xCB | 0xD0 | 0xD1 | 0xD3 | 0xD4 | 0xE4..=0xE9 | 0xEB..=0xEC))
}

/// The first byte from `from` on that reads otherwise than it is written.
fn change(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut i = from;
    while i < bytes.len() {
        // No branch within a block depends on the text: this compiles to vector instructions, also in wasm.
        while let Some(block) = bytes.get(i..).and_then(|rest| rest.first_chunk::<BLOCK>())
            && !block.iter().fold(false, |any, b| any | may_change(*b))
        {
            i += BLOCK;
        }
        let end = bytes.len().min(i + BLOCK);
        while i < end {
            let b = at(bytes, i);
            if may_change(b) {
                if b < 0x7F {
                    if escape::character(bytes, i).is_some() {
                        return Some(i);
                    }
                } else if let Some(c) = text.get(i..).and_then(|rest| rest.chars().next())
                    && chars::plain(c) != Reading::Same
                {
                    return Some(i);
                }
            }
            i += 1;
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
            ("4\u{335}1\u{335}\u{301}1\u{489}\u{7f}1", "4111"),
            ("4\u{fff9}1\u{1d173}1\u{e0080}\u{84}1", "4111"),
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
