//! HTML tags: which elements are active, and which attributes.

/// Elements that run or load something just by being there, or change what the page's other addresses mean.
const ACTIVE: &[&str] = &[
    "script", "iframe", "frame", "frameset", "object", "embed", "applet", "portal", "meta", "base", "link",
    "style", "form",
];
/// Those that are taken to act without any attribute, whatever follows their name.
const ALONE: &[&str] = &["script", "iframe", "embed"];
/// A longer name is not a known one.
const MAX_NAME: usize = 32;
/// The same for attributes: some readers' handlers have names of more than forty letters.
const MAX_ATTRIBUTE: usize = 64;
/// How many blanks before the `=` of an attribute are read; behind more, it may be there.
const MAX_BLANKS: usize = 512;
/// How far into a tag an attribute is looked for; further on, there may be one.
const MAX_AHEAD: usize = 128;

/// What follows a `<`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// An active element: its name, and the length of `<` and name.
    Active(&'static str, usize),
    /// Another element: the length of `<` and name.
    Plain(usize),
    /// An element whose name goes on with a sign (`<svg:svg …>`), or an address in angle brackets.
    Signed,
    /// A closing tag, a comment.
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
        _ => {}
    }
    let (name, next) = name.split_at_checked(word).unwrap_or_default();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Tag::None;
    }
    if next.starts_with([':', '+', '.']) {
        return Tag::Signed;
    }
    match ACTIVE.iter().find(|active| active.eq_ignore_ascii_case(name)) {
        Some(active) => Tag::Active(active, 1 + word),
        None => Tag::Plain(1 + word),
    }
}

/// Whether the tag that `text` begins with does anything: some elements do by themselves, all others by an attribute.
/// `None` if that cannot be decided until there is more text.
pub(crate) fn acts(text: &str, last: bool) -> Option<bool> {
    match tag(text, last) {
        Tag::Cut => None,
        Tag::None | Tag::Other => Some(false),
        Tag::Active(name, _) if ALONE.contains(&name) => Some(true),
        // It acts by what it contains; `<style guide.pdf>` contains nothing.
        Tag::Active("style", len)
            if text.get(len..).is_some_and(|next| next.trim_start_matches([' ', '/']).starts_with('>')) =>
        {
            Some(true)
        }
        _ => has_attribute(text, last),
    }
}

/// Whether a tag has an attribute with a value: a blank, a slash or a quotation mark, a name and `=`.
fn has_attribute(text: &str, last: bool) -> Option<bool> {
    #[derive(PartialEq)]
    enum At {
        Elsewhere,
        Begins,
        Name,
        Behind,
    }
    let mut at = At::Elsewhere;
    for (place, b) in text.bytes().enumerate() {
        at = match b {
            b'>' => return Some(false),
            _ if place >= MAX_AHEAD => return Some(true),
            b'=' if matches!(at, At::Name | At::Behind) => return Some(true),
            _ if b.is_ascii_whitespace() && matches!(at, At::Name | At::Behind) => At::Behind,
            b'/' | b'"' | b'\'' => At::Begins,
            _ if b.is_ascii_whitespace() => At::Begins,
            b'-' | b'_' | b':' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' if at != At::Elsewhere => At::Name,
            _ => At::Elsewhere,
        };
    }
    last.then_some(false)
}

/// Bytes of the word that `text` begins with in an attribute's name, or of the sign between two; none where it may go
/// on. Where this is no tag to some reader, anything may begin behind each sign.
pub(crate) fn attribute(text: &str, last: bool) -> Option<usize> {
    let len = text.bytes().take(MAX_ATTRIBUTE).take_while(u8::is_ascii_alphanumeric).count();
    let whole = len < text.len() || last || len == MAX_ATTRIBUTE;
    whole.then(|| len.max(text.chars().next().map_or(0, char::len_utf8)))
}

/// Whether a `=` follows an attribute's name: one without a value runs nothing. `None` if it may still come.
pub(crate) fn has_value(next: &str, last: bool) -> Option<bool> {
    let blanks = next.bytes().take(MAX_BLANKS).take_while(u8::is_ascii_whitespace).count();
    match next.as_bytes().get(blanks) {
        None if !last && blanks < MAX_BLANKS => None,
        other => Some(blanks == MAX_BLANKS || other == Some(&b'=')),
    }
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
            ("<https://", false, Tag::Signed),
            ("<svg:svg ", false, Tag::Signed),
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
