//! What the name of an assigned value says about it: `api_key`, `csrf-token`, `credentialId`.

use crate::bytes::{at, before, slice};

/// The maximum length of a name in bytes.
const MAX: usize = 40;

/// The name before the value at `i`, past quotes, spaces and the assignment, in lower case; empty if there is none.
fn name_before(text: &[u8], i: usize) -> ([u8; MAX], usize) {
    let mut end = i;
    while end > 0
        && i - end < 8
        && matches!(before(text, end), b' ' | b'"' | b'\'' | b'`' | b'\\' | b':' | b'=' | b'>')
    {
        end -= 1;
    }
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let mut start = end;
    while start > 0 && end - start < MAX && is_name(before(text, start)) {
        start -= 1;
    }
    let mut name = [0; MAX];
    for (slot, b) in name.iter_mut().zip(slice(text, start, end)) {
        *slot = b.to_ascii_lowercase();
    }
    (name, end - start)
}

fn holds(name: &[u8], part: &str) -> bool {
    memchr::memmem::find(name, part.as_bytes()).is_some()
}

/// Whether the name is that of something public or useless to a thief.
pub(super) fn names_no_key(text: &[u8], i: usize) -> bool {
    const PARTS: &[&str] = &[
        "public",
        "csrf",
        "xsrf",
        "vault",
        "checksum",
        "digest",
        "integrity",
        "nonce",
        "pagetoken",
        "page_token",
        "nexttoken",
        "next_token",
        "continuation",
        "cursor",
        "fingerprint",
        "thumbprint",
        "etag",
        "sha1",
        "sha256",
        "version",
        "hash",
    ];
    const ENDS: &[&[u8]] =
        &[b"id", b"name", b"url", b"uri", b"path", b"file", b"type", b"field", b"label", b"arn"];
    let (name, length) = name_before(text, i);
    let name = slice(&name, 0, length);
    PARTS.iter().any(|part| holds(name, part)) || ENDS.iter().any(|end| name.ends_with(end))
}

/// Whether the name ends in a word for a key: `SNYK_TOKEN`, `apiKey`, `client-secret`. A bare `token` may be a cursor.
pub(super) fn names_a_key(text: &[u8], i: usize) -> bool {
    const ENDS: &[&[u8]] = &[b"_token", b"apikey", b"api_key", b"api-key", b"secret", b"_key", b"secretkey"];
    let (name, length) = name_before(text, i);
    let name = slice(&name, 0, length);
    ENDS.iter().any(|end| name.ends_with(end)) && !names_no_key(text, i)
}

/// Whether a value is a sample from documentation: it says so, or its characters are in alphabetical order.
pub(super) fn is_sample(value: &[u8]) -> bool {
    const PARTS: &[&str] = &[
        "example",
        "sample",
        "dummy",
        "fake",
        "placeholder",
        "changeme",
        "your",
        "xxxx",
        "1234567890",
        "0123456789",
        "abcdefghij",
    ];
    let mut folded = [0_u8; 128];
    for (slot, b) in folded.iter_mut().zip(value) {
        *slot = b.to_ascii_lowercase();
    }
    let folded = slice(&folded, 0, value.len().min(128));
    value.ends_with(b"..") || at(value, 0) == b'<' || PARTS.iter().any(|part| holds(folded, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_speak_for_and_against() {
        for (text, key, none) in [
            ("SNYK_TOKEN=", true, false),
            ("\"apiKey\": \"", true, false),
            ("csrf-token=", false, true),
            ("\"credentialId\": \"", false, true),
            ("publicToken = \"", false, true),
            ("order: ", false, false),
        ] {
            assert_eq!(names_a_key(text.as_bytes(), text.len()), key, "{text}");
            assert_eq!(names_no_key(text.as_bytes(), text.len()), none, "{text}");
        }
        assert!(is_sample(b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEYa"));
        assert!(!is_sample(b"9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit"));
    }
}
