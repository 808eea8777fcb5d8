//! Escapes that stand for one character: percent encoding (RFC 3986, ASCII only), HTML character references, JSON
//! `\uXXXX`.

use crate::bytes::{at, slice};

fn hex(b: u8) -> Option<u32> {
    char::from(b).to_digit(16)
}

/// Tabs and line ends separate the text around them, and so do their escapes: these are not decoded.
fn parts(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{85}')
}

/// The character that an escape at `i` stands for, and the position after the escape.
pub(crate) fn character(text: &[u8], i: usize) -> Option<(char, usize)> {
    let (value, end) = match at(text, i) {
        b'%' => {
            let value = hex(at(text, i + 1))? * 16 + hex(at(text, i + 2))?;
            if value >= 0x80 {
                return None;
            }
            (value, i + 3)
        }
        b'\\' if at(text, i + 1) == b'u' => {
            let mut value = 0;
            for k in 2..6 {
                value = value * 16 + hex(at(text, i + k))?;
            }
            (value, i + 6)
        }
        b'&' => reference(text, i)?,
        _ => return None,
    };
    let c = char::from_u32(value).filter(|c| !parts(*c))?;
    Some((c, end))
}

/// Like [`character`], plus what only a lenient reader decodes: `\xHH`, and an escaped escape (`%2541`, `&amp;#65;`).
pub(crate) fn lenient(text: &[u8], i: usize) -> Option<(char, usize)> {
    if at(text, i) == b'\\' && at(text, i + 1) == b'x' {
        let value = hex(at(text, i + 2))? * 16 + hex(at(text, i + 3))?;
        let c = char::from_u32(value).filter(|c| c.is_ascii() && !c.is_control())?;
        return Some((c, i + 4));
    }
    // Among words, an escape of a control character is text about bytes.
    let (c, end) = character(text, i).filter(|(c, _)| !c.is_control())?;
    let again = match (c, at(text, end)) {
        ('%', _) => {
            let value = hex(at(text, end)).zip(hex(at(text, end + 1))).map(|(high, low)| high * 16 + low);
            value.filter(|value| *value < 0x80).and_then(char::from_u32).map(|c| (c, end + 2))
        }
        // The `;` of `&amp;` is where the `&` of the inner reference would be.
        ('&', b'#') => reference(text, end - 1).and_then(|(u, end)| char::from_u32(u).map(|c| (c, end))),
        _ => None,
    };
    again.filter(|(c, _)| !c.is_control()).or(Some((c, end)))
}

fn reference(text: &[u8], i: usize) -> Option<(u32, usize)> {
    if at(text, i + 1) != b'#' {
        const NAMED: &[(&[u8], u8)] = &[
            (b"&amp;", b'&'),
            (b"&lt;", b'<'),
            (b"&gt;", b'>'),
            (b"&quot;", b'"'),
            (b"&apos;", b'\''),
            (b"&commat;", b'@'),
            (b"&nbsp;", b' '),
            (b"&period;", b'.'),
            (b"&hyphen;", b'-'),
        ];
        return NAMED
            .iter()
            .find(|(name, _)| slice(text, i, i + name.len()) == *name)
            .map(|(name, value)| (u32::from(*value), i + name.len()));
    }
    let (radix, mut k) = if matches!(at(text, i + 2), b'x' | b'X') { (16, i + 3) } else { (10, i + 2) };
    let start = k;
    let mut value = 0_u32;
    while let Some(digit) = char::from(at(text, k)).to_digit(radix) {
        // Leading zeros are the usual padding trick; a code point has at most seven digits.
        value = value.saturating_mul(radix).saturating_add(digit);
        k += 1;
        if k > start + 10 {
            return None;
        }
    }
    if k == start {
        return None;
    }
    Some((value, if at(text, k) == b';' { k + 1 } else { k }))
}
