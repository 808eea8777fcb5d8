//! Characters as a reader of Markdown or HTML sees them, with character references and backslash escapes resolved.

/// The kind of place in which a text stands: it decides what is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In running text.
    Bare,
    /// The target of a Markdown link.
    Target,
    /// The value of an HTML attribute.
    Attribute,
}

/// The maximum length of a character reference in bytes: `&#x0010FFFF;` and some zeros.
const MAX_REFERENCE: usize = 16;

/// A character, with the number of bytes that spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    Char(char, usize),
    /// The text ends here.
    End,
    /// What is there may still become something else.
    Cut,
}

/// The first character of `text`.
pub(crate) fn first(text: &str, place: Place, last: bool) -> Decoded {
    let Some(c) = text.chars().next() else { return Decoded::End };
    match c {
        '&' => reference(text, last),
        '\\' if place != Place::Attribute => match text.get(1..).and_then(|rest| rest.chars().next()) {
            Some(next) if next.is_ascii_punctuation() => Decoded::Char(next, 2),
            None if !last => Decoded::Cut,
            _ => Decoded::Char('\\', 1),
        },
        _ => Decoded::Char(c, c.len_utf8()),
    }
}

/// A character reference (HTML, section 13.5; CommonMark, section 2.5); of the named ones, those that occur in
/// addresses.
fn reference(text: &str, last: bool) -> Decoded {
    const NAMES: &[(&str, char)] = &[
        ("amp", '&'),
        ("colon", ':'),
        ("sol", '/'),
        ("bsol", '\\'),
        ("period", '.'),
        ("commat", '@'),
        ("Tab", '\t'),
        ("NewLine", '\n'),
        ("lpar", '('),
        ("rpar", ')'),
        ("quest", '?'),
        ("num", '#'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
    ];
    let body = text.get(1..).unwrap_or_default();
    let word =
        body.bytes().take(MAX_REFERENCE).take_while(|b| b.is_ascii_alphanumeric() || *b == b'#').count();
    let open = word == body.len() && word < MAX_REFERENCE;
    if open && !last {
        return Decoded::Cut;
    }
    let name = body.get(..word).unwrap_or_default();
    let closed = body.as_bytes().get(word) == Some(&b';');
    let number = name.strip_prefix('#').and_then(|digits| match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    });
    let spelled = match number {
        Some(number) => char::from_u32(number),
        None => NAMES.iter().find(|(known, _)| closed && *known == name).map(|(_, c)| *c),
    };
    match spelled {
        Some(c) => Decoded::Char(c, 1 + word + usize::from(closed)),
        None => Decoded::Char('&', 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_escapes() {
        use Decoded::{Char, Cut};
        for (text, place, last, expected) in [
            ("&#104;t", Place::Bare, false, Char('h', 6)),
            ("&#x68;t", Place::Bare, false, Char('h', 6)),
            ("&colon;", Place::Attribute, false, Char(':', 7)),
            ("&colon", Place::Attribute, true, Char('&', 1)),
            ("&#x2", Place::Bare, false, Cut),
            ("&", Place::Bare, false, Cut),
            ("& b", Place::Bare, false, Char('&', 1)),
            ("&nonsense;", Place::Bare, false, Char('&', 1)),
            ("\\/x", Place::Target, false, Char('/', 2)),
            ("\\/x", Place::Attribute, false, Char('\\', 1)),
            ("\\a", Place::Target, false, Char('\\', 1)),
            ("\\", Place::Target, false, Cut),
            ("é", Place::Bare, false, Char('é', 2)),
            ("", Place::Bare, true, Decoded::End),
        ] {
            assert_eq!(first(text, place, last), expected, "{text} {place:?} {last}");
        }
    }
}
