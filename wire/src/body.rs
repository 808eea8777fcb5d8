//! The kind of body that a content type declares, and the kind that the bytes suggest.

/// The kind of a body, with regard to reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyKind {
    /// No content type, or no bytes: call [`sniff`] once the body has arrived.
    Empty,
    /// `application/json`, `*+json`, `text/json`.
    Json,
    /// `text/event-stream`: server-sent events.
    EventStream,
    /// Newline-delimited JSON (`application/x-ndjson`, `application/jsonl`, …).
    Lines,
    /// `application/vnd.amazon.eventstream`: Amazon's binary events.
    AmazonEvents,
    /// Other text, and textual application types (XML, YAML, JavaScript, GraphQL, SDP, …).
    Text,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/*`.
    Multipart,
    /// Image, audio, video, font, PDF, archive or octet-stream: not text.
    Media,
    /// Anything else, by name (`charset` for a character set other than UTF-8).
    Unknown(String),
}

/// The kind that a content type declares. A `charset` parameter other than UTF-8 or US-ASCII makes any of them
/// `Unknown("charset")`: text in it would be inspected as something other than what is read downstream.
pub fn body_kind(content_type: Option<&str>) -> BodyKind {
    let Some(value) = content_type.map(str::trim).filter(|value| !value.is_empty()) else {
        return BodyKind::Empty;
    };
    let mut parts = value.split(';');
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    if !character_sets(parts).all(|charset| is_one_of(charset, UTF_8)) {
        return BodyKind::Unknown("charset".to_owned());
    }
    let Some((kind, subtype)) = essence.split_once('/') else { return BodyKind::Unknown(name_of(&essence)) };
    match (kind, subtype) {
        ("text", "event-stream") => BodyKind::EventStream,
        // Cohere's; other `+json` types are a single value.
        ("application", "stream+json") => BodyKind::Lines,
        ("application" | "text", "json" | "json-rpc" | "jsonrequest" | "x-json") => BodyKind::Json,
        (_, subtype) if subtype.ends_with("+json") => BodyKind::Json,
        ("application", "x-www-form-urlencoded") => BodyKind::Form,
        (
            "application" | "text",
            "x-ndjson" | "ndjson" | "jsonl" | "x-jsonl" | "jsonlines" | "x-jsonlines",
        ) => BodyKind::Lines,
        (_, subtype) if subtype.ends_with("+x-ndjson") || subtype.ends_with("+ndjson") => BodyKind::Lines,
        ("application", "vnd.amazon.eventstream") => BodyKind::AmazonEvents,
        ("multipart", _) => BodyKind::Multipart,
        ("text", _) => BodyKind::Text,
        (
            "application",
            "xml" | "javascript" | "ecmascript" | "yaml" | "x-yaml" | "toml" | "graphql" | "sql" | "markdown"
            | "xhtml+xml" | "sdp",
        ) => BodyKind::Text,
        (_, subtype) if subtype.ends_with("+xml") && kind != "image" => BodyKind::Text,
        ("image" | "audio" | "video" | "font", _) => BodyKind::Media,
        ("binary", "octet-stream") => BodyKind::Media,
        ("application", "octet-stream" | "binary" | "pdf" | "zip" | "gzip" | "x-tar" | "wasm" | "msword") => {
            BodyKind::Media
        }
        // Documents of office programs are archives.
        ("application", subtype)
            if ["vnd.openxmlformats-", "vnd.ms-", "vnd.oasis.opendocument."]
                .iter()
                .any(|of| subtype.starts_with(of)) =>
        {
            BodyKind::Media
        }
        _ => BodyKind::Unknown(name_of(&essence)),
    }
}

const UTF_8: &[&str] = &["utf-8", "utf8", "us-ascii", "ascii"];
/// Single-byte character sets that agree with UTF-8 in ASCII.
const LATIN: &[&str] = &["iso-8859-1", "iso-8859-15", "latin1", "windows-1252"];

/// The character sets that parameters name. A parameter whose name is `charset` and a sign (`charset*`, as in RFC 2231,
/// or a comment) is returned as its own name, which is not a character set: some servers (aiohttp) accept it.
fn character_sets<'v>(parameters: impl Iterator<Item = &'v str>) -> impl Iterator<Item = &'v str> {
    parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let name = name.trim();
        if name.eq_ignore_ascii_case(CHARSET) {
            return Some(value.trim().trim_matches('"'));
        }
        let (begin, more) = name.split_at_checked(CHARSET.len())?;
        let of_a_name = more.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        (begin.eq_ignore_ascii_case(CHARSET) && !of_a_name).then_some(name)
    })
}

const CHARSET: &str = "charset";

fn is_one_of(charset: &str, known: &[&str]) -> bool {
    known.iter().any(|known| charset.eq_ignore_ascii_case(known))
}

/// Whether a content type names Latin-1 or a close variant, as many Java clients do by default: a body of only ASCII
/// is the same text in it and in UTF-8.
pub(crate) fn is_latin(content_type: &str) -> bool {
    let mut charsets = character_sets(content_type.split(';').skip(1)).peekable();
    charsets.peek().is_some() && charsets.all(|charset| is_one_of(charset, LATIN))
}

/// Whether a content type names a character set.
pub(crate) fn names_character_set(content_type: &str) -> bool {
    character_sets(content_type.split(';').skip(1)).next().is_some()
}

/// The kind of this body: as its content type declares, but ignoring a Latin-1 character set if the body is ASCII, or
/// if its parts may be. This does not apply to a form, because of its escapes.
pub fn kind_of_body(content_type: Option<&str>, body: &[u8]) -> BodyKind {
    let kind = body_kind(content_type);
    let Some(value) = content_type.filter(|value| is_latin(value)) else { return kind };
    match body_kind(value.split(';').next()) {
        BodyKind::Form => kind,
        BodyKind::Multipart => BodyKind::Multipart,
        plain if body.is_ascii() => plain,
        _ => kind,
    }
}

/// A media type, reduced to what may be shown in a header or record: it must not carry a sender's free text.
fn name_of(essence: &str) -> String {
    let plain = essence.len() <= 64
        && essence.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'/' | b'-' | b'+' | b'.'));
    if plain { essence.to_owned() } else { "other".to_owned() }
}

/// The kind that the bytes themselves suggest: for a missing content type, or one that may be wrong (many servers
/// parse JSON whatever the type says). Returns [`BodyKind::Json`] for anything that starts like a JSON object or
/// array, also in UTF-16 and UTF-32: some parsers (Python's) recognise these by their NULs.
pub fn sniff(body: &[u8]) -> BodyKind {
    let start = body.iter().position(|b| !b.is_ascii_whitespace());
    let Some(first) = start.and_then(|at| body.get(at)) else { return BodyKind::Empty };
    let unicode_mark = body.starts_with(&[0xEF, 0xBB, 0xBF]);
    if matches!(first, b'{' | b'[') || unicode_mark || is_wide_json(body) {
        return BodyKind::Json;
    }
    let head = body.get(..body.len().min(1024)).unwrap_or_default();
    let binary = head.iter().any(|b| *b < 0x20 && !b.is_ascii_whitespace());
    // A multi-byte character may be cut at the end of the head.
    let valid = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && body.len() > head.len(),
    };
    if binary || !valid { BodyKind::Unknown("binary".to_owned()) } else { BodyKind::Text }
}

/// Whether a body begins like a JSON object or array in characters of two or four bytes, of which only one is not
/// NUL.
fn is_wide_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(&[0, 0, 0xFE, 0xFF]).unwrap_or(body);
    [(2, 0), (2, 1), (4, 0), (4, 3)].into_iter().any(|(width, place)| {
        let narrow = |unit: &[u8]| {
            let only = unit.iter().enumerate().all(|(at, byte)| at == place || *byte == 0);
            unit.get(place).copied().filter(|byte| only && *byte != 0)
        };
        let mut signs = body.chunks_exact(width).map(narrow).filter(|sign| !sign.is_some_and(is_blank));
        matches!(signs.next(), Some(Some(b'{' | b'[')))
            && matches!(
                signs.next(),
                Some(Some(b'"' | b'{' | b'[' | b'}' | b']' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'))
            )
    })
}

fn is_blank(sign: u8) -> bool {
    sign.is_ascii_whitespace()
}

/// Whether bytes of this kind that are not UTF-8 are not text in any other character set either.
pub fn is_binary(kind: &BodyKind, content: &[u8]) -> bool {
    if content.starts_with(&[0xFE, 0xFF]) || content.starts_with(&[0xFF, 0xFE]) {
        return false;
    }
    // Everything except this signature may look like text (as in ReportLab's files).
    if content.starts_with(b"%PDF-") {
        return true;
    }
    let controls = content.iter().filter(|b| **b < 0x20 && !b.is_ascii_whitespace()).count();
    *kind == BodyKind::Media && controls > 0 || controls * 64 > content.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_name_the_kind() {
        let unknown = |name: &str| BodyKind::Unknown(name.to_owned());
        for (content_type, want) in [
            ("", BodyKind::Empty),
            ("application/json", BodyKind::Json),
            ("Application/JSON; Charset=\"UTF-8\"", BodyKind::Json),
            ("application/problem+json", BodyKind::Json),
            ("text/event-stream; charset=utf-8", BodyKind::EventStream),
            ("text/plain", BodyKind::Text),
            ("application/xml", BodyKind::Text),
            ("application/sdp", BodyKind::Text),
            ("application/x-ndjson", BodyKind::Lines),
            ("application/stream+json", BodyKind::Lines),
            ("application/vnd.elasticsearch+x-ndjson; compatible-with=9", BodyKind::Lines),
            ("application/vnd.amazon.eventstream", BodyKind::AmazonEvents),
            ("application/x-www-form-urlencoded", BodyKind::Form),
            ("multipart/form-data; boundary=x", BodyKind::Multipart),
            ("image/png", BodyKind::Media),
            ("application/octet-stream", BodyKind::Media),
            ("application/binary", BodyKind::Media),
            ("binary/octet-stream", BodyKind::Media),
            ("application/json; charset=utf-16", unknown("charset")),
            ("text/plain; charset=iso-8859-1", unknown("charset")),
            ("application/json; charset=utf-8; charset=utf-7", unknown("charset")),
            // As aiohttp reads it, by Python's rules for mail.
            ("application/json; charset*=us-ascii''utf-7", unknown("charset")),
            ("application/json; Charset*0=ut; charset*1=f-7", unknown("charset")),
            ("application/json; charset(x)=utf-7", unknown("charset")),
            ("multipart/form-data; charset*=utf-7; boundary=x", unknown("charset")),
            ("application/x-protobuf", unknown("application/x-protobuf")),
            ("application/123-45-6789", unknown("other")),
        ] {
            assert_eq!(body_kind(Some(content_type)), want, "{content_type}");
        }
        assert_eq!(body_kind(None), BodyKind::Empty);
    }

    #[test]
    fn ascii_is_read_in_any_character_set_that_has_it() {
        let charset = BodyKind::Unknown("charset".to_owned());
        for (content_type, body, want) in [
            ("application/json; charset=ISO-8859-1", "{}", BodyKind::Json),
            ("application/json; charset=ISO-8859-1", "{\"a\":\"\u{e9}\"}", charset.clone()),
            ("text/plain;charset=\"windows-1252\"", "hi", BodyKind::Text),
            ("text/plain; charset=utf-8; charset=iso-8859-1", "hi", charset.clone()),
            ("text/plain; charset=utf-16", "hi", charset.clone()),
            ("text/plain; charset=utf-7", "hi", charset.clone()),
            ("text/plain; charset=shift_jis", "hi", charset.clone()),
            ("application/x-www-form-urlencoded; charset=ISO-8859-1", "a=%E9", charset.clone()),
            ("multipart/form-data; charset=ISO-8859-1; boundary=x", "\u{e9}", BodyKind::Multipart),
            ("text/plain", "\u{e9}", BodyKind::Text),
        ] {
            assert_eq!(kind_of_body(Some(content_type), body.as_bytes()), want, "{content_type} {body}");
        }
    }

    #[test]
    fn bytes_name_the_kind() {
        for (body, want) in [
            (&b""[..], BodyKind::Empty),
            (b" \n", BodyKind::Empty),
            (b" {\"a\":1}", BodyKind::Json),
            (b"\xEF\xBB\xBF{}", BodyKind::Json),
            (b"hello", BodyKind::Text),
            (b"\x89PNG\r\n\x1a\n\0", BodyKind::Unknown("binary".to_owned())),
            (b"\0{\0\"\0a", BodyKind::Json),
            (b" \0\n\0[\0 \0{\0", BodyKind::Json),
            (b"\0\0\0{\0\0\0\n\0\0\0\"", BodyKind::Json),
            (b"\0\0\xFE\xFF\0\0\0[\0\0\0]", BodyKind::Json),
            (b"\0{\0\xE9", BodyKind::Unknown("binary".to_owned())),
            (b"\0\0\0 ftypisom", BodyKind::Unknown("binary".to_owned())),
        ] {
            assert_eq!(sniff(body), want, "{body:?}");
        }
    }
}
