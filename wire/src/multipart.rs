//! Splits `multipart/form-data` (RFC 7578 over RFC 2046 § 5.1) into parts, as bytes.
//!
//! The parsers of servers differ in leniency: bare line feeds as line ends, folded headers, text before the first and
//! after the last delimiter, a boundary inside a line. Whatever two of them could split differently is refused: what
//! is read here has only one reading.

use std::ops::Range;

use crate::base64;
use crate::coding::{Coding, percent_decode};
use crate::error::{WireError, malformed};

/// The maximum number of parts in a form.
const MAX_PARTS: usize = 256;
/// The maximum size of a part's headers, in bytes.
const MAX_HEADERS: usize = 8 << 10;

/// One field or file of a form. Ranges refer to the body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// The field's name, without quotes.
    pub(crate) name: Range<usize>,
    /// The file name, without quotes.
    pub(crate) filename: Option<Range<usize>>,
    /// The file name in RFC 8187 form, without its prefix (`utf-8''`).
    pub(crate) extended: Option<Range<usize>>,
    /// The encoded text of the file name and its coding, if it is an encoded word (RFC 2047).
    pub(crate) word: Option<(Range<usize>, Coding)>,
    pub(crate) content_type: Option<Range<usize>>,
    /// The line with the content's length, including its line end.
    pub(crate) length_line: Option<Range<usize>>,
    pub(crate) content: Range<usize>,
    /// All of its headers.
    head: Range<usize>,
}

impl Part {
    /// All of its headers, as written.
    pub(crate) fn headers<'b>(&self, body: &'b [u8]) -> &'b [u8] {
        body.get(self.head.clone()).unwrap_or_default()
    }
}

/// The boundary in a content type, if that is `multipart/form-data` with exactly one that all parsers read alike.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let (essence, parameters) = parameters(content_type)?;
    if !content_type.get(essence)?.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut found = None;
    for (name, value) in parameters {
        let name = content_type.get(name)?.to_ascii_lowercase();
        if name == "boundary" && found.is_none() {
            found = content_type.get(value);
        } else if name.starts_with("boundary") {
            return None;
        }
    }
    // RFC 2046 allows a space inside; parsers keep, cut or collapse it.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&b);
    found.filter(|boundary| (1..=70).contains(&boundary.len()) && boundary.bytes().all(plain))
}

/// Splits a body into its parts.
///
/// # Errors
/// [`WireError`]: it could be split in more than one way, or has too many parts.
pub(crate) fn parts(body: &[u8], boundary: &str) -> Result<Vec<Part>, WireError> {
    let delimiter = format!("--{boundary}");
    let size = delimiter.len();
    let mut found: Vec<Part> = Vec::new();
    let mut begins = None;
    let mut closed = None;
    for at in memchr::memmem::find_iter(body, delimiter.as_bytes()) {
        if closed.is_some() {
            return malformed(at, "a boundary after the last one");
        }
        let before = body.get(..at).unwrap_or_default();
        let after = body.get(at + size..).unwrap_or_default();
        match begins {
            None if !before.is_empty() => return malformed(0, "text before a form's first boundary"),
            Some(_) if !before.ends_with(b"\r\n") => return malformed(at, "a boundary inside a line"),
            None | Some(_) => {}
        }
        if let Some(start) = begins {
            if found.len() >= MAX_PARTS {
                return Err(WireError::TooLarge { what: "parts", limit: MAX_PARTS });
            }
            // The line break before a boundary belongs to the boundary; if it is the end of the previous boundary's
            // line, there is no part.
            let Some(end) = at.checked_sub(2).filter(|end| *end >= start) else {
                return malformed(at, "two boundaries with nothing between them");
            };
            found.push(part(body, start..end)?);
        }
        if after.starts_with(b"\r\n") {
            begins = Some(at + size + 2);
        } else if after == b"--" || after == b"--\r\n" {
            closed = Some(at);
        } else {
            return malformed(at, "a boundary's line goes on, or a form after its last boundary");
        }
    }
    if closed.is_some() { Ok(found) } else { malformed(body.len(), "a form without its last boundary") }
}

/// One part: its headers, an empty line, its content.
fn part(body: &[u8], range: Range<usize>) -> Result<Part, WireError> {
    let bytes = body.get(range.clone()).unwrap_or_default();
    let headed = bytes.starts_with(b"\r\n").then_some(0);
    let Some(end) = headed.or_else(|| memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 2)) else {
        return malformed(range.start, "a part without an end of its headers");
    };
    let head = bytes.get(..end).unwrap_or_default();
    if head.len() > MAX_HEADERS {
        return Err(WireError::TooLarge { what: "bytes of headers in a part", limit: MAX_HEADERS });
    }
    let Ok(head) = std::str::from_utf8(head) else {
        return malformed(range.start, "a part's headers are not UTF-8");
    };
    let (content, headers) = (range.start + end + 2..range.end, range.start..range.start + end);
    let mut part = Part { content, head: headers, ..Part::default() };
    let mut disposed = false;
    let mut at = range.start;
    for line in head.split_terminator("\r\n") {
        let place = at..at + line.len();
        at = place.end + 2;
        let control = |c: char| c.is_control() && c != '\t';
        let Some((name, value)) = line.split_once(':').filter(|_| !line.contains(control)) else {
            return malformed(place.start, "a part's header that is none");
        };
        let text = value.trim_matches([' ', '\t']);
        let start =
            place.start + name.len() + 1 + (value.len() - value.trim_start_matches([' ', '\t']).len());
        let value = start..start + text.len();
        let known = match name.to_ascii_lowercase().as_str() {
            "content-disposition" if !disposed => {
                disposed = true;
                disposition(&mut part, text, start)
            }
            "content-type" => part.content_type.replace(value).is_none(),
            "content-length" => {
                let says = text.parse() == Ok(part.content.len());
                part.length_line.replace(place.start..at).is_none() && says
            }
            // Other values of RFC 2045 are decoded by some servers and ignored by the rest (RFC 7578 § 4.7).
            "content-transfer-encoding" => {
                ["binary", "8bit", "7bit"].iter().any(|plain| text.eq_ignore_ascii_case(plain))
            }
            _ => false,
        };
        if !known {
            return malformed(place.start, "a part's header that is repeated, wrong or not of a form");
        }
    }
    if disposed { Ok(part) } else { malformed(range.start, "a part without content-disposition") }
}

/// Reads `form-data; name="…"; filename="…"`. False if it is anything else.
fn disposition(part: &mut Part, text: &str, start: usize) -> bool {
    let Some((essence, parameters)) = parameters(text) else { return false };
    if !text.get(essence).is_some_and(|essence| essence.eq_ignore_ascii_case("form-data")) {
        return false;
    }
    let mut named = None;
    let (mut filename, mut extended) = (None, None);
    for (name, value) in parameters {
        let name = text.get(name).unwrap_or_default();
        let known = [("name", &mut named), ("filename", &mut filename), ("filename*", &mut extended)];
        let new = known.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        if new.is_none_or(|(_, found)| found.replace(value).is_some()) {
            return false;
        }
    }
    let said = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
    // Only mail parsers decode RFC 2047's encoded words.
    let coded = |range: &Range<usize>| said(range).contains("=?");
    let Some(named) = named.filter(|range| !coded(range)) else { return false };
    let from_start = |range: Range<usize>| start + range.start..start + range.end;
    match (&filename, extended) {
        (filename, None) if !filename.as_ref().is_some_and(coded) => {}
        (Some(filename), Some(range)) => {
            let Some((again, word)) = said_again(said(filename), said(&range)) else { return false };
            part.extended = Some(from_start(range.start + again..range.end));
            part.word = word.map(|(word, coding)| {
                (from_start(filename.start + word.start..filename.start + word.end), coding)
            });
        }
        // `filename*` alone is a name for some parsers, and nothing for others (RFC 7578 § 4.2 forbids it).
        _ => return false,
    }
    part.name = from_start(named);
    part.filename = filename.map(from_start);
    true
}

/// The offset in `filename*` of the same name that `filename` has, as .NET writes both: `filename=a.pdf;
/// filename*=utf-8''a.pdf`, and `filename="=?utf-8?B?w7wucGRm?="; filename*=utf-8''%C3%BC.pdf` (Spring:
/// `=?UTF-8?Q?=C3=BC.pdf?=`); for these also the encoded text and its coding. `None` if some parser would get another
/// name.
fn said_again(filename: &str, extended: &str) -> Option<(usize, Option<Word>)> {
    const BEGIN: &str = "utf-8''";
    let (begin, again) = extended.split_at_checked(BEGIN.len())?;
    let again = percent_decode(again);
    if !begin.eq_ignore_ascii_case(BEGIN) || again.contains("=?") {
        return None;
    }
    if *again == *filename && filename.is_ascii() {
        return Some((BEGIN.len(), None));
    }
    let (word, coding) = encoded_word(filename)?;
    let encoded = filename.get(word.clone())?;
    let same = match coding {
        // Byte by byte: what is no UTF-8 would be read with other characters in it, or as nothing.
        Coding::Base64 => base64::decode(encoded)? == again.as_bytes(),
        // An equals sign may also be left over from an escape that is no UTF-8.
        _ => coding.decode(encoded) == *again && !again.contains('='),
    };
    same.then_some((BEGIN.len(), Some((word, coding))))
}

/// The encoded text of an encoded word, and its coding.
type Word = (Range<usize>, Coding);

/// The encoded word in UTF-8, if the whole text is one.
fn encoded_word(text: &str) -> Option<Word> {
    let (begin, rest) = text.split_at_checked("=?utf-8?B?".len())?;
    let encoded = rest.strip_suffix("?=")?;
    let coding = match begin.to_ascii_lowercase().as_str() {
        "=?utf-8?b?" => Coding::Base64,
        "=?utf-8?q?" => Coding::Q,
        _ => return None,
    };
    let belongs = |b: u8| match coding {
        Coding::Base64 => b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='),
        _ => b.is_ascii_graphic() && b != b'?',
    };
    // A literal dot shows where the file name extension begins.
    let hidden = coding == Coding::Q && encoded.to_ascii_lowercase().contains("=2e");
    let fine = encoded.bytes().all(belongs) && !hidden;
    fine.then_some((begin.len()..begin.len() + encoded.len(), coding))
}

type Parameters = Vec<(Range<usize>, Range<usize>)>;

/// A value and its parameters: `value; name=token; name="text"`. `None` if parsers could differ: an escape in quotes
/// (kept by web servers, resolved by mail parsers), spaces around `=`, an empty parameter, anything after a closing
/// quote.
fn parameters(text: &str) -> Option<(Range<usize>, Parameters)> {
    let bytes = text.as_bytes();
    let blank = |at: &mut usize| {
        while bytes.get(*at).is_some_and(|b| matches!(b, b' ' | b'\t')) {
            *at += 1;
        }
    };
    let run = |from: usize, belongs: &dyn Fn(u8) -> bool| {
        let rest = bytes.get(from..).unwrap_or_default();
        from..from + rest.iter().position(|b| !belongs(*b)).unwrap_or(rest.len())
    };
    let mut at = 0;
    blank(&mut at);
    let essence = run(at, &|b| is_token(b) || b == b'/');
    at = essence.end;
    let mut found = Vec::new();
    loop {
        blank(&mut at);
        match bytes.get(at) {
            None => return Some((essence, found)),
            Some(b';') => at += 1,
            Some(_) => return None,
        }
        blank(&mut at);
        let name = run(at, &is_token);
        if name.is_empty() || bytes.get(name.end) != Some(&b'=') {
            return None;
        }
        let value = if bytes.get(name.end + 1) == Some(&b'"') {
            let value = run(name.end + 2, &|b| !matches!(b, b'"' | b'\\'));
            if bytes.get(value.end) != Some(&b'"') {
                return None;
            }
            at = value.end + 1;
            value
        } else {
            let value = run(name.end + 1, &is_token);
            if value.is_empty() {
                return None;
            }
            at = value.end;
            value
        };
        found.push((name, value));
    }
}

/// Whether a byte may occur in a token (RFC 9110 § 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_is_read_in_one_way_or_not_at_all() {
        for (content_type, want) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("Multipart/Form-Data;boundary=\"a:b/c=d\"", Some("a:b/c=d")),
            (
                "multipart/form-data; charset=utf-8; boundary=----WebKitFormBoundary7MA4YWxk",
                Some("----WebKitFormBoundary7MA4YWxk"),
            ),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=\"\"", None),
            ("multipart/form-data; boundary=a; boundary=b", None),
            ("multipart/form-data; boundary=a; BOUNDARY=a", None),
            ("multipart/form-data; boundary*=utf-8''a", None),
            ("multipart/form-data; boundary*0=a; boundary*1=b", None),
            ("multipart/form-data; boundary=a; boundary*=b", None),
            ("multipart/form-data; boundary=\"a\\b\"", None),
            ("multipart/form-data; boundary=\"a b\"", None),
            ("multipart/form-data; boundary=\"a\"b", None),
            ("multipart/form-data; boundary = a", None),
            ("multipart/form-data; boundary=a,b", None),
            ("multipart/form-data; boundary=a;", None),
            ("multipart/form-data boundary=a", None),
            ("multipart/mixed; boundary=a", None),
            ("multipart/form-data, multipart/form-data; boundary=a", None),
        ] {
            assert_eq!(boundary(content_type), want, "{content_type}");
        }
        let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
        assert_eq!(boundary(&long), None);
    }

    /// Name, file name, type and content of each part; or the error.
    fn read(body: &str) -> Result<Vec<String>, WireError> {
        let show = |range: Option<Range<usize>>| range.map_or("-", |range| &body[range]);
        let shown = |part: Part| {
            let Part { name, filename, content_type, content, .. } = part;
            format!(
                "{}|{}|{}|{}",
                &body[name],
                show(filename),
                show(content_type),
                &body[content].escape_debug()
            )
        };
        Ok(parts(body.as_bytes(), "X")?.into_iter().map(shown).collect())
    }

    #[test]
    fn parts_are_cut_where_every_parser_cuts_them() {
        let head = "Content-Disposition: form-data; name=\"a\"";
        for (body, want) in [
            (format!("--X\r\n{head}\r\n\r\nhello\r\n--X--\r\n"), vec!["a|-|-|hello"]),
            (format!("--X\r\n{head}\r\n\r\n\r\n--X--"), vec!["a|-|-|"]),
            (format!("--X\r\n{head}\r\n\r\na\nb\r\n\r\nc\r\n--X--"), vec!["a|-|-|a\\nb\\r\\n\\r\\nc"]),
            (
                format!(
                    "--X\r\n{head}\r\n\r\n1\r\n--X\r\ncontent-type:text/plain\r\ncontent-disposition: form-data;name=b; filename=\"é; x.txt\"\r\ncontent-length: 3\r\n\r\nabc\r\n--X--"
                ),
                vec!["a|-|-|1", "b|é; x.txt|text/plain|abc"],
            ),
            (
                format!("--X\r\n{head}; filename=x.txt; filename*=utf-8''x%2Etxt\r\n\r\nhi\r\n--X--"),
                vec!["a|x.txt|-|hi"],
            ),
            (
                format!(
                    "--X\r\n{head}; filename=\"=?utf-8?B?w7w=?=\"; filename*=UTF-8''%C3%BC\r\n\r\nhi\r\n--X--"
                ),
                vec!["a|=?utf-8?B?w7w=?=|-|hi"],
            ),
            ("--X--\r\n".to_owned(), vec![]),
        ] {
            assert_eq!(read(&body).unwrap(), want, "{body:?}");
        }
    }

    #[test]
    fn what_could_be_cut_in_two_ways_is_refused() {
        let head = "Content-Disposition: form-data; name=\"a\"";
        for (what, body) in [
            ("nothing", String::new()),
            ("no last boundary", format!("--X\r\n{head}\r\n\r\nhello\r\n")),
            ("text before", format!("hi\r\n--X\r\n{head}\r\n\r\nhello\r\n--X--")),
            ("a line break before", format!("\r\n--X\r\n{head}\r\n\r\nhello\r\n--X--")),
            ("text after", format!("--X\r\n{head}\r\n\r\nhello\r\n--X--\r\nmore")),
            (
                "a part after the last",
                format!("--X\r\n{head}\r\n\r\nhi\r\n--X--\r\n--X\r\n{head}\r\n\r\nno\r\n--X--"),
            ),
            ("a boundary by line feeds", format!("--X\r\n{head}\r\n\r\nhi\n--X\n{head}\n\nno\r\n--X--")),
            ("a boundary inside a line", format!("--X\r\n{head}\r\n\r\nhi --X\r\n{head}\r\n\r\nno\r\n--X--")),
            ("a longer boundary", format!("--X\r\n{head}\r\n\r\nhi\r\n--XY\r\n\r\nno\r\n--X--")),
            ("blanks after a boundary", format!("--X \r\n{head}\r\n\r\nhi\r\n--X--")),
            ("blanks after the last", format!("--X\r\n{head}\r\n\r\nhi\r\n--X-- ")),
            ("nothing between", "--X\r\n--X--".to_owned()),
            ("no headers", "--X\r\n\r\nhi\r\n--X--".to_owned()),
            ("headers alone", format!("--X\r\n{head}\r\n--X--")),
            ("line feeds in headers", format!("--X\r\n{head}\n\nhi\r\n--X--")),
            (
                "a folded header",
                "--X\r\nContent-Disposition: form-data;\r\n name=\"a\"\r\n\r\nhi\r\n--X--".to_owned(),
            ),
            ("two names", format!("--X\r\n{head}; name=\"b\"\r\n\r\nhi\r\n--X--")),
            ("two dispositions", format!("--X\r\n{head}\r\n{head}\r\n\r\nhi\r\n--X--")),
            (
                "two types",
                format!("--X\r\n{head}\r\ncontent-type: a/b\r\ncontent-type: a/b\r\n\r\nhi\r\n--X--"),
            ),
            ("no name", "--X\r\ncontent-disposition: form-data\r\n\r\nhi\r\n--X--".to_owned()),
            (
                "an attachment",
                "--X\r\ncontent-disposition: attachment; name=\"a\"\r\n\r\nhi\r\n--X--".to_owned(),
            ),
            ("an extended file's name", format!("--X\r\n{head}; filename*=utf-8''x\r\n\r\nhi\r\n--X--")),
            ("another name", format!("--X\r\n{head}; filename=\"a\"; filename*=utf-8''b\r\n\r\nhi\r\n--X--")),
            (
                "another name in an encoded word",
                format!(
                    "--X\r\n{head}; filename=\"=?utf-8?B?eA==?=\"; filename*=utf-8''b\r\n\r\nhi\r\n--X--"
                ),
            ),
            // `\x01\x01\x01536-90-4399`, which is no text.
            (
                "an encoded word that is no text",
                format!(
                    "--X\r\n{head}; filename=\"=?utf-8?B?AQEBNTM2LTkwLTQzOTk=?=\"; filename*=utf-8''\r\n\r\nhi\r\n--X--"
                ),
            ),
            // `\xFF536-90-4399`.
            (
                "an encoded word that is no UTF-8",
                format!(
                    "--X\r\n{head}; filename=\"=?utf-8?B?/zUzNi05MC00Mzk5?=\"; filename*=utf-8''%EF%BF%BD536-90-4399\r\n\r\nhi\r\n--X--"
                ),
            ),
            (
                "quoted-printable that is no UTF-8",
                format!(
                    "--X\r\n{head}; filename=\"=?utf-8?Q?=FF536-90-4399?=\"; filename*=utf-8''%3DFF536-90-4399\r\n\r\nhi\r\n--X--"
                ),
            ),
            (
                "another name in quoted-printable",
                format!(
                    "--X\r\n{head}; filename=\"=?utf-8?Q?a_b?=\"; filename*=utf-8''a_b\r\n\r\nhi\r\n--X--"
                ),
            ),
            (
                "a dot in quoted-printable",
                format!(
                    "--X\r\n{head}; filename=\"=?utf-8?Q?a=2Eb?=\"; filename*=utf-8''a.b\r\n\r\nhi\r\n--X--"
                ),
            ),
            (
                "a name in another character set",
                format!("--X\r\n{head}; filename=\"x\"; filename*=iso-8859-1''x\r\n\r\nhi\r\n--X--"),
            ),
            (
                "a name in two ways of writing it",
                format!("--X\r\n{head}; filename=\"é\"; filename*=utf-8''%C3%A9\r\n\r\nhi\r\n--X--"),
            ),
            ("an encoded word", format!("--X\r\n{head}; filename=\"=?utf-8?q?=35?=\"\r\n\r\nhi\r\n--X--")),
            ("an escaped quote", format!("--X\r\n{head}; filename=\"a\\\"b\"\r\n\r\nhi\r\n--X--")),
            (
                "blanks before the colon",
                "--X\r\ncontent-disposition : form-data; name=\"a\"\r\n\r\nhi\r\n--X--".to_owned(),
            ),
            (
                "quoted-printable",
                format!("--X\r\n{head}\r\ncontent-transfer-encoding: quoted-printable\r\n\r\nhi\r\n--X--"),
            ),
            ("Base64", format!("--X\r\n{head}\r\ncontent-transfer-encoding: base64\r\n\r\naGk=\r\n--X--")),
            ("an encoding", format!("--X\r\n{head}\r\ncontent-encoding: gzip\r\n\r\nhi\r\n--X--")),
            ("another header", format!("--X\r\n{head}\r\nx-note: hi\r\n\r\nhi\r\n--X--")),
            ("a length that lies", format!("--X\r\n{head}\r\ncontent-length: 1\r\n\r\nhi\r\n--X--")),
            (
                "a NUL in a name",
                "--X\r\ncontent-disposition: form-data; name=\"a\0b\"\r\n\r\nhi\r\n--X--".to_owned(),
            ),
        ] {
            let read = read(&body);
            assert!(matches!(read, Err(WireError::Malformed { .. })), "{what}: {read:?}");
        }
        let many = format!("{}--X--", format!("--X\r\n{head}\r\n\r\n\r\n").repeat(MAX_PARTS + 1));
        assert!(matches!(read(&many), Err(WireError::TooLarge { .. })));
        let long = format!("--X\r\n{head}; filename=\"{}\"\r\n\r\nhi\r\n--X--", "a".repeat(MAX_HEADERS));
        assert!(matches!(read(&long), Err(WireError::TooLarge { .. })));
    }
}
