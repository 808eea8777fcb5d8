//! How one text is encoded inside another, and the way back: decoding, mapping a decoded range to its source, and
//! encoding its replacement.

use std::borrow::Cow;
use std::ops::Range;

use crate::base64;
use crate::multipart::is_token;

/// How an inner text is encoded in the text around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// The inside of a JSON string.
    Json,
    /// Text that has JSON escapes without being JSON: valid escapes are resolved, the rest stays.
    Loose,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// The `Q` encoding of an encoded word (RFC 2047 § 4.2).
    Q,
    /// Base64, standard or URL alphabet.
    Base64,
    /// The data of a server-sent event.
    Sse,
    /// Unencoded: a part of a form, a line of a file.
    Plain,
    /// Unencoded, in quotes in a header.
    Quoted,
    /// Unencoded, in a header without quotes.
    Token,
}

/// A range of a text and its replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) range: Range<usize>,
    pub(crate) with: String,
}

/// Sorts patches and joins those that overlap; the first one's replacement is used for all of them, so that no byte
/// that was to be removed stays.
pub(crate) fn settle(patches: &mut Vec<Patch>) {
    patches.sort_by_key(|patch| (patch.range.start, patch.range.end));
    patches.dedup_by(|next, kept| {
        let overlaps = next.range.start < kept.range.end;
        if overlaps {
            kept.range.end = kept.range.end.max(next.range.end);
        }
        overlaps
    });
}

/// The text with its (settled) patches applied. Ranges that split a character are widened to whole ones.
pub(crate) fn patched(text: &str, patches: &[Patch]) -> String {
    let mut out =
        String::with_capacity(text.len() + patches.iter().map(|patch| patch.with.len()).sum::<usize>());
    let mut at = 0;
    for patch in patches {
        let range = whole_characters(text, patch.range.clone());
        out.push_str(text.get(at..range.start).unwrap_or_default());
        out.push_str(&patch.with);
        at = at.max(range.end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// The smallest range of whole characters around a range, within the text.
pub(crate) fn whole_characters(text: &str, range: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(range.start);
    let end = text.ceil_char_boundary(range.end.max(start));
    start..end
}

/// A range of the inner text whose source is searched for.
struct Search {
    range: Range<usize>,
    with: String,
    start: Option<usize>,
    end: Option<usize>,
}

impl Search {
    /// Updates the search with the range `from` of the source, which encodes `span` of the inner text: byte by byte
    /// if `linear`, as one character otherwise.
    fn meet(&mut self, span: &Range<usize>, from: &Range<usize>, linear: bool) {
        if self.start.is_none() && self.range.start >= span.start {
            self.start = Some(if linear { from.start + self.range.start - span.start } else { from.start });
        }
        if self.range.is_empty() {
            self.end = self.start;
        } else if self.end.is_none() && self.range.end <= span.end {
            self.end = Some(if linear { from.start + self.range.end - span.start } else { from.end });
        }
    }
}

/// What a range of the source encodes.
pub(crate) enum Out<'a> {
    Run(&'a str),
    Char(char),
}

impl Coding {
    /// The inner text of `source`.
    pub(crate) fn decode(self, source: &str) -> Cow<'_, str> {
        if self == Self::Base64 {
            return Cow::Owned(base64::decode_text(source).unwrap_or_default());
        }
        let mut borrowed: Option<&str> = None;
        let mut out = String::new();
        let mut first = true;
        self.each_step(source, |_, step| match (step, first) {
            (Out::Run(run), true) => {
                borrowed = Some(run);
                first = false;
            }
            (step, _) => {
                first = false;
                if let Some(run) = borrowed.take() {
                    out.reserve(source.len());
                    out.push_str(run);
                }
                match step {
                    Out::Run(run) => out.push_str(run),
                    Out::Char(char) => out.push(char),
                }
            }
        });
        borrowed.map_or(Cow::Owned(out), Cow::Borrowed)
    }

    /// Turns settled patches of the inner text into encoded patches of its source.
    pub(crate) fn to_source(self, source: &str, inner: &str, patches: Vec<Patch>) -> Vec<Patch> {
        if self == Self::Base64 {
            let with = base64::encode_like(source, patched(inner, &patches).as_bytes());
            return vec![Patch { range: 0..source.len(), with }];
        }
        let mut todo: Vec<Search> = patches
            .into_iter()
            .map(|patch| Search {
                range: whole_characters(inner, patch.range),
                with: self.encode(&patch.with),
                start: None,
                end: None,
            })
            .collect();
        todo.sort_by_key(|search| search.range.start);
        let (mut position, mut current, mut last_source) = (0, 0, 0);
        self.each_step(source, |from, step| {
            let (len, linear) = match step {
                Out::Run(run) => (run.len(), true),
                Out::Char(char) => (char.len_utf8(), false),
            };
            let span = position..position + len;
            for search in todo.get_mut(current..).unwrap_or_default() {
                if search.range.start >= span.end {
                    break;
                }
                search.meet(&span, &from, linear);
                if search.end.is_some() {
                    current += 1;
                }
            }
            position = span.end;
            last_source = from.end;
        });
        let end_of = |found: Option<usize>| found.unwrap_or(last_source);
        todo.into_iter()
            .map(|search| Patch { range: end_of(search.start)..end_of(search.end), with: search.with })
            .collect()
    }

    fn encode(self, text: &str) -> String {
        match self {
            Self::Base64 => text.to_owned(),
            Self::Json | Self::Loose => escape(text),
            Self::Form => encode_bytes(text, '%', '+'),
            Self::Q => encode_bytes(text, '=', '_'),
            Self::Sse => text.replace("\r\n", "\n").replace(['\n', '\r'], "\ndata: "),
            Self::Plain => text.to_owned(),
            Self::Quoted => encode_quoted(text),
            Self::Token => encode_token(text),
        }
    }

    /// Calls `step` with each range of the source and what it encodes, in order and without gaps in the output.
    pub(crate) fn each_step<'a>(self, source: &'a str, mut step: impl FnMut(Range<usize>, Out<'a>)) {
        match self {
            Self::Base64 => {}
            Self::Plain | Self::Quoted | Self::Token => step(0..source.len(), Out::Run(source)),
            Self::Json | Self::Loose => json_steps(source, step),
            Self::Form => byte_steps(source, (b'%', b'+'), step),
            Self::Q => byte_steps(source, (b'=', b'_'), step),
            Self::Sse => sse_steps(source, step),
        }
    }
}

/// JSON's escapes (RFC 8259 § 7). Invalid ones stay as they are: a scanned string contains none.
fn json_steps<'a>(source: &'a str, mut step: impl FnMut(Range<usize>, Out<'a>)) {
    let mut at = 0;
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let plain = memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
        if plain > 0 {
            step(at..at + plain, Out::Run(rest.get(..plain).unwrap_or_default()));
            at += plain;
            continue;
        }
        match escape_at(rest) {
            Some((char, len)) => {
                step(at..at + len, Out::Char(char));
                at += len;
            }
            None => {
                step(at..at + 1, Out::Char('\\'));
                at += 1;
            }
        }
    }
}

/// The escape at the start of `rest`: its character and length. A lone surrogate becomes U+FFFD.
fn escape_at(rest: &str) -> Option<(char, usize)> {
    let simple = match rest.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{C}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = hex4(rest.get(2..6)?)?;
            let second = rest.get(6..12).and_then(|next| next.strip_prefix("\\u")).and_then(hex4);
            if let (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) = (first, second) {
                let code = 0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00);
                return Some((char::from_u32(code)?, 12));
            }
            return Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6));
        }
        _ => return None,
    };
    Some((simple, 2))
}

fn hex4(digits: &str) -> Option<u32> {
    let all = digits.bytes().all(|b| b.is_ascii_hexdigit());
    if all { u32::from_str_radix(digits, 16).ok() } else { None }
}

/// `space` encodes a space, `sign` and two hexadecimal digits a byte; bytes that are not UTF-8 stay as they are
/// written.
fn byte_steps<'a>(source: &'a str, (sign, space): (u8, u8), mut step: impl FnMut(Range<usize>, Out<'a>)) {
    let bytes = source.as_bytes();
    let byte_at = |at: usize| {
        let digits = source.get(at..at + 3)?.strip_prefix(char::from(sign))?;
        let all = digits.bytes().all(|b| b.is_ascii_hexdigit());
        if all { u8::from_str_radix(digits, 16).ok() } else { None }
    };
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let plain = memchr::memchr2(sign, space, rest).unwrap_or(rest.len());
        if plain > 0 {
            step(at..at + plain, Out::Run(source.get(at..at + plain).unwrap_or_default()));
            at += plain;
        } else if rest.first() == Some(&space) {
            step(at..at + 1, Out::Char(' '));
            at += 1;
        } else {
            let mut encoded = Vec::with_capacity(4);
            // The escapes of one character are adjacent: the first byte that is not an escape ends it.
            let char = (0..4).map_while(|index| byte_at(at + index * 3)).find_map(|byte| {
                encoded.push(byte);
                std::str::from_utf8(&encoded).ok().and_then(|text| text.chars().next())
            });
            let len = char.map_or(1, |_| encoded.len() * 3);
            step(at..at + len, Out::Char(char.unwrap_or(char::from(sign))));
            at += len;
        }
    }
}

/// The offset at which a form's bytes, with escapes resolved, are not UTF-8: some parsers insert U+FFFD there, some
/// keep the escape, some read Latin-1.
pub(crate) fn form_error(source: &str) -> Option<usize> {
    let mut bytes = Vec::with_capacity(source.len());
    let mut places = Vec::with_capacity(source.len());
    let mut rest = source.as_bytes();
    while let [first, tail @ ..] = rest {
        places.push(source.len() - rest.len());
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let escaped = match rest {
            [b'%', high, low, after @ ..] => {
                digit(high).zip(digit(low)).map(|(high, low)| ((high * 16 + low) as u8, after))
            }
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((*first, tail));
        bytes.push(byte);
        rest = after;
    }
    let valid = std::str::from_utf8(&bytes).err()?.valid_up_to();
    places.get(valid).copied().or(Some(source.len()))
}

/// Encodes so that [`byte_steps`] reads `text`.
fn encode_bytes(text: &str, sign: char, space: char) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'*' => out.push(char::from(byte)),
            b'_' if space != '_' => out.push('_'),
            b' ' => out.push(space),
            _ => {
                const HEX: [char; 16] =
                    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
                out.push(sign);
                out.extend(HEX.get(usize::from(byte >> 4)));
                out.extend(HEX.get(usize::from(byte & 15)));
            }
        }
    }
    out
}

/// Replaces what would end a header's quotes, or be read as an escape in them.
fn encode_quoted(text: &str) -> String {
    let plain = |c: char| !c.is_control() && !matches!(c, '"' | '\\');
    text.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

/// Replaces what would end a token.
fn encode_token(text: &str) -> String {
    let belongs = |c: char| u8::try_from(c).is_ok_and(is_token);
    text.chars().map(|c| if belongs(c) { c } else { '_' }).collect()
}

/// The data lines of an event, joined by line feeds (WHATWG HTML § 9.2.6).
fn sse_steps<'a>(source: &'a str, mut step: impl FnMut(Range<usize>, Out<'a>)) {
    let mut last_end = None;
    let bare = crate::sse::is_bare(source);
    for line in crate::sse::lines(source) {
        let (name, value) = crate::sse::field(source, line, bare);
        if name != "data" {
            continue;
        }
        if let Some(end) = last_end {
            step(end..value.start, Out::Char('\n'));
        }
        last_end = Some(value.end);
        if let Some(run) = source.get(value.clone()).filter(|run| !run.is_empty()) {
            step(value, Out::Run(run));
        }
    }
}

/// A path segment with its escapes resolved; invalid escapes stay as they are.
pub(crate) fn percent_decode(segment: &str) -> Cow<'_, str> {
    if segment.contains('%') {
        // In a path, a plus is a plus.
        Cow::Owned(Coding::Form.decode(&segment.replace('+', "%2B")).into_owned())
    } else {
        Cow::Borrowed(segment)
    }
}

/// The inside of a JSON string or key, with escapes resolved.
pub(crate) fn unescape(source: &str) -> Cow<'_, str> {
    Coding::Json.decode(source)
}

/// A text as the inside of a JSON string: only what must be escaped is escaped.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                out.push_str(if control < '\u{10}' { "\\u000" } else { "\\u001" });
                out.extend(char::from_digit(u32::from(control) & 15, 16));
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_the_inner_text_are_found_in_its_source() {
        for (coding, source, inner, range, want) in [
            (Coding::Json, r"a\u0041b", "aAb", 1..2, r"a#b"),
            (Coding::Json, r"x\uD83D\uDE00y", "x😀y", 1..5, "x#y"),
            (Coding::Json, r"x\uD83D\uDE00y", "x😀y", 2..3, "x#y"),
            (Coding::Json, r#"\"\\\n"#, "\"\\\n", 1..3, "\\\"#"),
            (Coding::Json, "ab", "ab", 2..2, "ab#"),
            (Coding::Json, "ab", "ab", 0..0, "#ab"),
            (Coding::Json, "", "", 0..0, "#"),
            (Coding::Loose, r"C:\dir\u0031", r"C:\dir1", 6..7, r"C:\dir#"),
            (Coding::Loose, r"\ud800x", "\u{FFFD}x", 0..3, "#x"),
            (Coding::Form, "a%40b+c", "a@b c", 0..3, "#+c"),
            (Coding::Form, "%z536-90-%30", "%z536-90-0", 0..0, "*%z536-90-%30"),
            (Coding::Form, "%F0%9F%98%80%zz", "😀%zz", 0..4, "#%zz"),
            (Coding::Q, "=C3=BC_a+b", "ü a+b", 0..2, "#_a+b"),
            (Coding::Q, "a=5Fb=zz_", "a_b=zz ", 1..2, "a#b=zz_"),
            (
                Coding::Sse,
                "data: ab\r\nid: 1\r\ndata:cd\r\n\r\n",
                "ab\ncd",
                0..2,
                "data: #\r\nid: 1\r\ndata:cd\r\n\r\n",
            ),
            (Coding::Sse, "data: ab\ndata: cd\n\n", "ab\ncd", 1..4, "data: a#d\n\n"),
            (Coding::Base64, "YWJj", "abc", 0..1, "I2Jj"),
        ] {
            assert_eq!(coding.decode(source), inner, "{source}");
            let with = if matches!(coding, Coding::Form | Coding::Q) { "*" } else { "#" };
            let want = want.replace('#', with);
            let patches = coding.to_source(source, inner, vec![Patch { range, with: with.to_owned() }]);
            assert_eq!(patched(source, &patches), want, "{source}");
        }
    }

    #[test]
    fn overlapping_patches_leave_nothing_of_what_they_cover() {
        let patch = |range: Range<usize>, with: &str| Patch { range, with: with.to_owned() };
        let mut patches = vec![patch(4..8, "B"), patch(0..5, "A"), patch(8..9, "C")];
        settle(&mut patches);
        assert_eq!(patched("0123456789", &patches), "AC9");
    }
}
