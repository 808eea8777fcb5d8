//! The view that is searched for numbers, addresses and tokens.

use super::chars::{self, Reading, is_control};
use super::escape;
use super::view::View;
use crate::bytes::at;

/// The text with escapes decoded (`\u0034`, `&#64;`, `%40`), digits and signs of other scripts and styles as ASCII, and
/// invisible characters removed. `None` if that is the text itself.
pub fn plain(text: &str) -> Option<View> {
    read(text, false).map(|(view, _)| view)
}

/// Like [`plain`], with those characters also removed that a reader may or may not skip. `None` if there are none.
pub fn stripped(text: &str) -> Option<View> {
    // Tag characters begin with this byte; escapes of control characters with one of these.
    let may = |b: &u8| *b == 0xF3 || is_control(*b) || matches!(b, b'%' | b'&' | b'\\');
    let any = text.as_bytes().iter().fold(false, |any, b| any | may(b));
    any.then(|| read(text, true)).flatten().filter(|(_, vanished)| *vanished).map(|(view, _)| view)
}

/// Tag characters: ASCII that is not displayed, so a person sees nothing, while a model may read it. And control
/// characters, which may or may not separate the text around them.
pub(crate) fn may_vanish(c: char) -> bool {
    matches!(c, '\u{E0000}'..='\u{E007F}') || u8::try_from(c).is_ok_and(is_control)
}

/// The view, and whether a character that [`may_vanish`] was removed; such characters are kept unless `stripped`.
fn read(text: &str, stripped: bool) -> Option<(View, bool)> {
    let mut position = change(text, 0, stripped)?;
    let mut vanished = false;
    let mut view = View::with_capacity(text.len());
    view.keep(text.get(..position)?, 0);
    while let Some(c) = text.get(position..).and_then(|rest| rest.chars().next()) {
        let escape = escape::character(text.as_bytes(), position);
        let (c, next) = escape.unwrap_or((c, position + c.len_utf8()));
        match chars::plain(c) {
            _ if stripped && may_vanish(c) => vanished = true,
            // The character comes from an escape; otherwise there would be no change here.
            Reading::Same => push(&mut view, c, position, next),
            Reading::As(ascii) => push(&mut view, char::from(ascii), position, next),
            Reading::Invisible => {}
        }
        position = change(text, next, stripped).unwrap_or(text.len());
        view.keep(text.get(next..position).unwrap_or_default(), next);
    }
    Some((view, vanished))
}

fn push(view: &mut View, c: char, start: usize, end: usize) {
    let mut buffer = [0; 4];
    view.replace(c.encode_utf8(&mut buffer), start..end);
}

/// Bytes examined together.
const BLOCK: usize = 64;

/// Whether a byte may begin something that differs in canonical form. All other bytes are ASCII, lie inside a
/// character, or begin one that always reads as itself: Latin letters, Cyrillic, most ideographs and syllables.
#[inline]
const fn may_change(b: u8, stripped: bool) -> bool {
    (stripped & is_control(b))
        || matches!(b, b'%' | b'&' | b'\\' | 0x7F)
        || (b >= 0xC0 && !matches!(b, 0xC3..=0xCB | 0xD0 | 0xD1 | 0xD3 | 0xD4 | 0xE4..=0xE9 | 0xEB..=0xEC))
}

/// The first position from `from` on where the canonical form differs.
fn change(text: &str, from: usize, stripped: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut i = from;
    while i < bytes.len() {
        // No branch inside a block depends on the text: this compiles to vector instructions, also in wasm.
        while let Some(block) = bytes.get(i..).and_then(|rest| rest.first_chunk::<BLOCK>())
            && !block.iter().fold(false, |any, b| any | may_change(*b, stripped))
        {
            i += BLOCK;
        }
        let end = bytes.len().min(i + BLOCK);
        while i < end {
            let b = at(bytes, i);
            if may_change(b, stripped) {
                if is_control(b) {
                    return Some(i);
                } else if b < 0x7F {
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

    #[test]
    fn what_may_vanish_is_read_both_ways() {
        for (text, reads, stripped_of_it) in [
            ("41\u{0}11", None, Some("4111")),
            ("41\u{1b}1\u{8}1\u{7f}1", Some("41\u{1b}1\u{8}11"), Some("41111")),
            (r"41\u000011%001", Some("41\u{0}11\u{0}1"), Some("41111")),
            ("4\u{e0031}1", Some("411"), Some("41")),
            ("4１\t1%0A", Some("41\t1%0A"), None),
            ("4111", None, None),
        ] {
            assert_eq!(plain(text).as_ref().map(View::text), reads);
            assert_eq!(stripped(text).as_ref().map(View::text), stripped_of_it);
        }
    }
}
