//! HTML tags: which elements are active, and which attributes.

/// Elements that run or load something just by being there, or change what the page's other addresses mean.
const ACTIVE: &[&str] = &[
    "script", "iframe", "frame", "frameset", "object", "embed", "applet", "portal", "meta", "base", "link",
    "style", "form",
];
/// A longer name is not a known one.
const MAX_NAME: usize = 32;

/// What follows a `<`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// An active element: its name, and the length of `<` and name.
    Active(&'static str, usize),
    /// Another element: the length of `<` and name.
    Plain(usize),
    /// A closing tag, a comment, an address in angle brackets.
    Other,
    /// Not markup.
    None,
    /// Cannot be decided until there is more text.
    Cut,
}

/// The kind of tag that `text`, which begins with `<`, is.
pub(crate) fn tag(text: &str, last: bool) -> Tag {
    let name = text.get(1..).unwrap_or_default();
    let word = name.bytes().take(MAX_NAME).take_while(u8::is_ascii_alphanumeric).count();
    match name.as_bytes().get(word) {
        None if !last && word < MAX_NAME => return Tag::Cut,
        Some(b'/' | b'!' | b'?') if word == 0 => return Tag::Other,
        // `<https://…>`
        Some(b':' | b'+' | b'.') if word > 0 => return Tag::Other,
        _ => {}
    }
    let name = name.get(..word).unwrap_or_default();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Tag::None;
    }
    match ACTIVE.iter().find(|active| active.eq_ignore_ascii_case(name)) {
        Some(active) => Tag::Active(active, 1 + word),
        None => Tag::Plain(1 + word),
    }
}

/// Bytes of the word that `text` begins with in an attribute's name, or of the sign between two; none where it may go on. Where
/// this is no tag to some reader, anything may begin behind each sign.
pub(crate) fn attribute(text: &str, last: bool) -> Option<usize> {
    let len = text.bytes().take(MAX_NAME).take_while(u8::is_ascii_alphanumeric).count();
    let whole = len < text.len() || last || len == MAX_NAME;
    whole.then(|| len.max(text.chars().next().map_or(0, char::len_utf8)))
}

/// Whether an attribute is an event handler (HTML, section 8.1.8).
pub(crate) fn is_handler(name: &str) -> bool {
    name.len() > 4
        && name.get(..2).is_some_and(|on| on.eq_ignore_ascii_case("on"))
        && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_an_angle_bracket() {
        for (text, last, expected) in [
            ("<script>", false, Tag::Active("script", 7)),
            ("<ScRiPt/", false, Tag::Active("script", 7)),
            ("<scr", false, Tag::Cut),
            ("<scr", true, Tag::Plain(4)),
            ("<scripts>", false, Tag::Plain(8)),
            ("<img ", false, Tag::Plain(4)),
            ("</p>", false, Tag::Other),
            ("<!--", false, Tag::Other),
            ("<https://", false, Tag::Other),
            ("< b", false, Tag::None),
            ("<3 ", false, Tag::None),
            ("<", false, Tag::Cut),
        ] {
            assert_eq!(tag(text, last), expected, "{text}");
        }
        for (name, handler) in
            [("onerror", true), ("ONLOAD", true), ("one", false), ("data-onx", false), ("on-x-y", false)]
        {
            assert_eq!(is_handler(name), handler, "{name}");
        }
    }
}
