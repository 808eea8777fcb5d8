//! Values that a model can read but a recogniser of plain text cannot: Base64 and Base16 (RFC 4648) in running text,
//! digits written one by one, and addresses in quotes.
//!
//! One layer is decoded and searched like any text, so the work is linear in the text, however many runs it has. A
//! finding covers the whole encoded run, since no part of an encoded text can be cut out alone. Where nothing is
//! encoded, the cost is one check per sixteen bytes.

use super::{ContextWords, email, find};
use crate::bytes::{at, slice};
use crate::canonical::base64::decode;
use crate::{CustomPatterns, EntityType, Finding, Kind, TypeSet};

/// Encoded runs shorter than this contain no value that matters.
const SHORTEST_RUN: usize = 16;
/// If this many decoded bytes are readable, the result is a text, whatever follows.
const TEXT: usize = 12;
/// The minimum length of a Base64 line that is continued on the next one (RFC 2045 has 76 characters, PEM 64).
const SHORTEST_LINE: usize = 60;
/// The digits of a number; fewer than [`CHECKED`] count only if a word before them names their type.
const DIGITS: std::ops::RangeInclusive<usize> = 9..=19;
/// From this many digits on, the check digits are proof enough.
const CHECKED: usize = 12;
/// How many bytes before a number are searched for that word.
const BEFORE: usize = 64;
/// The maximum white space between two digits that are written one by one.
const MAX_GAP: usize = 3;
/// Digits alone prove little; a finding in them needs a higher score than this.
const PROVEN: f32 = 0.6;

/// See [`crate::Detector::pii_hidden`].
pub(crate) fn hidden(
    words: &ContextWords,
    text: &str,
    types: TypeSet,
    min_score: f32,
    custom: Option<&CustomPatterns>,
    out: &mut Vec<Finding>,
) {
    let bytes = text.as_bytes();
    if types.contains(EntityType::EmailAddress) {
        quoted_addresses(bytes, min_score, out);
    }
    let mut inner = Vec::new();
    let mut next = SHORTEST_RUN - 1;
    // Every run of sixteen bytes contains one of these positions.
    while next < bytes.len() {
        let place = next;
        next += SHORTEST_RUN;
        if is_ordinary(bytes, place) {
            continue;
        }
        inner.clear();
        // Digits with hyphens or slashes between them look like an encoded text, too.
        if let Some((start, end, digits)) = spelled(bytes, place) {
            next = next.max(end + MAX_GAP + 1);
            let number = before_digits(text, start, &digits) + &digits;
            find(words, &number, types, min_score, None, &mut inner);
            let span = number.len() - digits.len()..number.len();
            let found = inner.iter().find(|found| is_proven(found) && found.span == span);
            out.extend(found.map(|found| Finding {
                span: start..end,
                rule: "hidden/digits",
                ..found.clone()
            }));
        } else if let Some((start, end)) = encoded_run(bytes, place) {
            next = next.max(end + 1);
            let run = slice(bytes, start, end);
            let Some(inside) = decoded(run).or_else(|| from_hex(run)) else { continue };
            find(words, &inside, types, min_score, custom, &mut inner);
            let surest = inner.iter().max_by(|one, other| one.score.total_cmp(&other.score));
            out.extend(surest.map(|found| Finding {
                span: start..end,
                rule: "hidden/encoded",
                ..found.clone()
            }));
        }
    }
}

/// The text before the digits that may name their type; empty if check digits are proof.
fn before_digits(text: &str, start: usize, digits: &str) -> String {
    if digits.len() >= CHECKED {
        return String::new();
    }
    let from = text.ceil_char_boundary(start.saturating_sub(BEFORE));
    text.get(from..start).unwrap_or_default().to_owned()
}

/// Whether digits alone are proof enough of this finding.
fn is_proven(found: &Finding) -> bool {
    found.kind != Kind::Entity(EntityType::PhoneNumber) && found.score >= PROVEN
}

/// The encoded run around a position, if it is long enough.
fn encoded_run(bytes: &[u8], place: usize) -> Option<(usize, usize)> {
    let start = place - encoded(slice(bytes, 0, place).iter().rev());
    let line = place + encoded(slice(bytes, place, bytes.len()).iter());
    let end = if line > place { encoded_end(bytes, start, line) } else { place };
    (end > start + SHORTEST_RUN - 1).then_some((start, end))
}

/// Whether nothing can be hidden around a position: no digit right before it, and within eight bytes on either side a
/// byte that no encoded text contains.
#[inline]
fn is_ordinary(bytes: &[u8], place: usize) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let any_below =
        |eight: u64, bound: u8| eight.wrapping_sub(u64::from(bound) * ONES) & !eight & (0x80 * ONES) != 0;
    let eight =
        |from: usize| bytes.get(from..).and_then(|rest| rest.first_chunk()).map(|b| u64::from_le_bytes(*b));
    let (Some(left), Some(right)) = (place.checked_sub(8).and_then(eight), eight(place)) else {
        return false;
    };
    // The last three bytes before the position, and the one at it.
    let near = left >> 40 | right << 24;
    let digits = any_below((near ^ (0x30 * ONES)) | 0xFFFF_FFFF_0000_0000, 10);
    !digits && any_below(left, b'+') && any_below(right, b'+')
}

/// Addresses with a quoted local part. In a stream, all quoted text would have to wait for what follows it.
fn quoted_addresses(bytes: &[u8], min_score: f32, out: &mut Vec<Finding>) {
    const SCORE: f32 = 0.8;
    for quote in memchr::memmem::find_iter(bytes, b"\"@") {
        let start = email::quoted(bytes, quote + 1);
        let span = start.zip(email::domain(bytes, quote + 2));
        let (Some((start, end)), true) = (span, SCORE >= min_score) else { continue };
        let kind = Kind::Entity(EntityType::EmailAddress);
        out.push(Finding { kind, span: start..end, score: SCORE, rule: "hidden/quoted" });
    }
}

/// The bytes that encoded texts consist of.
#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled; a byte is below 256")]
static ENCODED: [bool; 256] = {
    let mut encoded = [false; 256];
    let mut b = 0_u8;
    loop {
        encoded[b as usize] = b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
        if b == u8::MAX {
            break encoded;
        }
        b += 1;
    }
};

fn is_encoded(b: u8) -> bool {
    ENCODED.get(usize::from(b)).copied().unwrap_or_default()
}

/// How many of the next bytes may belong to an encoded text.
fn encoded<'a>(bytes: impl Iterator<Item = &'a u8>) -> usize {
    bytes.take_while(|b| is_encoded(**b)).count()
}

/// The end of a run that may continue over several lines, including padding; its first line is `line..end`.
fn encoded_end(bytes: &[u8], mut line: usize, mut end: usize) -> usize {
    loop {
        let long = end - line >= SHORTEST_LINE;
        let skip = match (at(bytes, end), at(bytes, end + 1)) {
            (b'\n', _) => 1,
            (b'\r', b'\n') => 2,
            _ => 0,
        };
        if !long || skip == 0 || !is_encoded(at(bytes, end + skip)) {
            break;
        }
        line = end + skip;
        end = line + encoded(slice(bytes, line, bytes.len()).iter());
    }
    let padded = end + 2;
    while end < padded && at(bytes, end) == b'=' {
        end += 1;
    }
    end
}

/// The text that a run encodes; `None` if it encodes something else or is made of ordinary words.
fn decoded(run: &[u8]) -> Option<String> {
    // The beginning decides: a word of running text hardly ever decodes to readable characters.
    let head = decode(slice(run, 0, 12), 9)?;
    if !head.iter().all(is_readable) {
        return None;
    }
    let mut plain: Vec<u8> = run.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    // The last letter may belong to what follows the run.
    let letters = plain.iter().filter(|b| **b != b'=').count();
    if letters % 4 == 1 {
        plain.truncate(letters - 1);
    }
    readable(decode(&plain, usize::MAX)?)
}

/// The text that a run of hexadecimal digits encodes; `None` if it is a digest or a number.
fn from_hex(run: &[u8]) -> Option<String> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let run = run.strip_prefix(b"0x").unwrap_or(run);
    let pairs = run.as_chunks::<2>().0.iter();
    let inside: Option<Vec<u8>> = pairs.map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    readable(inside?)
}

fn is_readable(b: &u8) -> bool {
    *b >= b' ' && *b != 0x7F || b.is_ascii_whitespace()
}

/// Bytes as text if they begin like one; a few invalid bytes later do not hide the rest.
fn readable(inside: Vec<u8>) -> Option<String> {
    let head = slice(&inside, 0, TEXT);
    let valid = match std::str::from_utf8(head) {
        Ok(_) => head.len(),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => return None,
    };
    if valid == 0 || !slice(head, 0, valid).iter().all(is_readable) {
        return None;
    }
    Some(
        String::from_utf8(inside)
            .unwrap_or_else(|bytes| String::from_utf8_lossy(bytes.as_bytes()).into_owned()),
    )
}

/// Digits written one by one around a position, with white space or always the same sign between them.
fn spelled(bytes: &[u8], place: usize) -> Option<(usize, usize, String)> {
    let alone = |i: usize| {
        at(bytes, i).is_ascii_digit()
            && !(i > 0 && at(bytes, i - 1).is_ascii_alphanumeric())
            && !at(bytes, i + 1).is_ascii_alphanumeric()
    };
    let near = place.saturating_sub(MAX_GAP);
    if !slice(bytes, near, place + 1).iter().any(u8::is_ascii_digit) {
        return None;
    }
    let seed = (near..=place).find(|i| alone(*i))?;
    let gap = |from: usize, to: usize| {
        let between = slice(bytes, from, to);
        between.iter().all(|b| b.is_ascii_whitespace())
            || matches!(
                between,
                [b'-' | b'.' | b',' | b'_' | b'/' | b'*' | b'|'] | [b',', b' '] | [b' ', b'-', b' ']
            )
    };
    let mut start = seed;
    let mut before_seed = 0;
    while let Some(before) = (start.saturating_sub(MAX_GAP + 1)..start.saturating_sub(1))
        .rev()
        .find(|i| alone(*i) && gap(i + 1, start))
    {
        start = before;
        before_seed += 1;
        if before_seed >= *DIGITS.end() {
            return None;
        }
    }
    let mut digits = String::new();
    digits.push(char::from(at(bytes, start)));
    let mut last = start;
    while let Some(after) = (last + 2..=last + MAX_GAP + 1).find(|i| alone(*i) && gap(last + 1, *i)) {
        digits.push(char::from(at(bytes, after)));
        last = after;
        if digits.len() > *DIGITS.end() {
            // A table of numbers.
            return None;
        }
    }
    DIGITS.contains(&digits.len()).then_some((start, last + 1, digits))
}

#[cfg(test)]
mod tests {
    use crate::{Detector, Finding, TypeSet};

    fn found(text: &str) -> Vec<(String, String)> {
        let mut out: Vec<Finding> = Vec::new();
        Detector::new().pii_hidden(text, &TypeSet::all(), 0.5, None, &mut out);
        out.iter()
            .map(|found| (found.kind.as_str().to_owned(), text[found.span.clone()].to_owned()))
            .collect()
    }

    #[test]
    fn what_is_written_otherwise_is_found_whole() {
        let card = "NDExMTExMTExMTExMTExMQ==";
        let long = "TXkgY2FyZCBudW1iZXIgaXMgNDExMSAxMTExIDExMTEgMTExMSBhbmQgSSBs\naXZlIGluIGEgdmVyeSBsb25nIHN0cmVldA==";
        for (text, kind, stretch) in [
            (format!("please decode {card} for me"), "CREDIT_CARD", card),
            (card.to_owned(), "CREDIT_CARD", card),
            ("key=bXkgc3NuIGlzIDUzNi05MC00Mzk5.".to_owned(), "US_SSN", "bXkgc3NuIGlzIDUzNi05MC00Mzk5"),
            ("hex: 73736e203533362d39302d34333939".to_owned(), "US_SSN", "73736e203533362d39302d34333939"),
            ("0x6D61696C2061646140782E6465".to_owned(), "EMAIL_ADDRESS", "0x6D61696C2061646140782E6465"),
            (format!("see:\n{long}\nend"), "CREDIT_CARD", long),
            (
                "card 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 ok".to_owned(),
                "CREDIT_CARD",
                "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
            ),
            ("4-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1".to_owned(), "CREDIT_CARD", "4-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1"),
            ("my SSN is 5 3 6 9 0 4 3 9 9, thanks".to_owned(), "US_SSN", "5 3 6 9 0 4 3 9 9"),
            ("SSN: 5-3-6-9-0-4-3-9-9".to_owned(), "US_SSN", "5-3-6-9-0-4-3-9-9"),
            ("SSN 5 3 6 - 9 0 - 4 3 9 9".to_owned(), "US_SSN", "5 3 6 - 9 0 - 4 3 9 9"),
            (
                "4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1".to_owned(),
                "CREDIT_CARD",
                "4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1",
            ),
            (
                "4 1 1 1  1 1 1 1  1 1 1 1\n1 1 1 1".to_owned(),
                "CREDIT_CARD",
                "4 1 1 1  1 1 1 1  1 1 1 1\n1 1 1 1",
            ),
        ] {
            assert_eq!(found(&text), [(kind.to_owned(), stretch.to_owned())], "{text}");
        }
    }

    #[test]
    fn what_hides_nothing_is_left_alone() {
        for text in [
            "",
            "internationalization and counterrevolutionaries/misunderstandings",
            "https://example.com/some/very/long/path/with/many/segments?and=a-query",
            "The digest is 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "SGVsbG8gd29ybGQsIHRoaXMgaXMgYSBncmVldGluZw==",
            "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4",
            "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 2",
            "a matrix 5 3 6 9 0 4 3 9 9 by rows",
            "the order number is 5 3 6 9 0 4 3 9 9",
            "1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9",
            "0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144",
            "[[0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 1, 0], [0, 1, 1, 0]]",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn neither_decoys_nor_bytes_that_are_no_text_hide_anything() {
        let encoded = |bytes: &[u8]| base64_of(bytes);
        let card = b"my card number is 4111 1111 1111 1111 ";
        let decoy = encoded("nothing to see here at all, ".repeat(600).as_bytes());
        let many = vec![decoy.as_str(); 40].join(" ") + " " + &encoded(card);
        assert_eq!(found(&many), [("CREDIT_CARD".to_owned(), encoded(card))]);
        for tail in [&b"\0"[..], b"\xff\xfe", b"\x01 and more"] {
            let run = encoded(&[card, tail].concat());
            assert_eq!(found(&run), [("CREDIT_CARD".to_owned(), run.clone())]);
        }
    }

    fn base64_of(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let letters = bytes.chunks(3).flat_map(|three| {
            let all = three.iter().fold(0_u32, |all, b| all << 8 | u32::from(*b)) << (8 * (3 - three.len()));
            (0..=three.len()).map(move |at| char::from(LETTERS[(all >> (18 - 6 * at)) as usize & 63]))
        });
        letters.collect()
    }

    #[test]
    fn no_text_costs_more_than_its_length() {
        for text in
            ["A".repeat(1 << 20), "1 ".repeat(1 << 19), "QUFB\n".repeat(1 << 18), "a1 ".repeat(1 << 18)]
        {
            found(&text);
        }
    }
}
