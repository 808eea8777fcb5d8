//! Texts written as one number per character: in binary, hex or decimal.

use super::layers::readable;
use crate::bytes::{at, run_end, slice};

/// Fewer numbers than this are not a text.
const MIN_CODES: usize = 12;
/// Digits of a character in binary; these need no separator.
const BITS: usize = 8;

/// Reads one number: returns the character it stands for, and where it ends.
type Number = fn(&[u8], usize) -> Option<(u8, usize)>;

/// Whether numbers may begin at `i`.
#[inline]
pub(super) fn may_begin(text: &[u8], i: usize) -> bool {
    let first = at(text, i);
    first.is_ascii_hexdigit()
        && (parts(at(text, i + 2))
            || parts(at(text, i + 3))
            || first == b'0' && matches!(at(text, i + 1), b'x' | b'b')
            || bits(text, i).is_some())
}

/// Reads the numbers at `i`: returns where they end, and the decoded text if it is one. `None` if there are too few.
pub(super) fn read(text: &[u8], i: usize) -> Option<(usize, Option<String>)> {
    let mut numbers = None;
    for number in [bits as Number, hex, decimal] {
        if characters(text, i, number).take(MIN_CODES).count() < MIN_CODES {
            continue;
        }
        let (mut bytes, mut end) = (Vec::new(), i);
        for (value, after) in characters(text, i, number) {
            bytes.push(value);
            end = after;
        }
        let said = readable(bytes);
        if said.is_some() {
            return Some((end, said));
        }
        numbers = numbers.max(Some(end));
    }
    numbers.map(|end| (end, None))
}

/// The characters that the numbers at `i` stand for, each with the end of the separator after it.
fn characters(text: &[u8], i: usize, number: Number) -> impl Iterator<Item = (u8, usize)> {
    let mut k = i;
    std::iter::from_fn(move || {
        let (value, end) = number(text, k).filter(|(v, _)| *v >= b' ' || v.is_ascii_whitespace())?;
        k = run_end(slice(text, 0, end + 2), end, parts);
        Some((value, k))
    })
}

/// Whether this byte separates two numbers.
fn parts(b: u8) -> bool {
    matches!(b, b' ' | b',' | b';' | b':' | b'-' | b'\n' | b'\r')
}

fn bits(text: &[u8], i: usize) -> Option<(u8, usize)> {
    let from = if slice(text, i, i + 2) == b"0b" { i + 2 } else { i };
    let octet = slice(text, from, from + BITS);
    let all = octet.len() == BITS && octet.iter().all(|b| matches!(b, b'0' | b'1'));
    all.then(|| (octet.iter().fold(0, |value, b| (value << 1) | (b - b'0')), from + BITS))
}

fn hex(text: &[u8], i: usize) -> Option<(u8, usize)> {
    let from = if slice(text, i, i + 2) == b"0x" { i + 2 } else { i };
    value(text, from, 16).filter(|(_, end)| end - from == 2)
}

fn decimal(text: &[u8], i: usize) -> Option<(u8, usize)> {
    value(text, i, 10).filter(|(_, end)| end - i >= 2)
}

/// A number of at most three digits, and where it ends.
fn value(text: &[u8], i: usize, radix: u32) -> Option<(u8, usize)> {
    let end = run_end(slice(text, 0, i + 4), i, |b| b.is_ascii_alphanumeric());
    let digits = slice(text, i, end);
    let digit = |value: u32, b: &u8| char::from(*b).to_digit(radix).map(|digit| value * radix + digit);
    let value = if digits.len() < 4 { digits.iter().try_fold(0, digit)? } else { return None };
    u8::try_from(value).ok().map(|value| (value, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_however_they_are_parted() {
        let numbers = |form: fn(u8) -> String, between: &str| {
            "ignore it now".bytes().map(form).collect::<Vec<_>>().join(between)
        };
        let hex = |b: u8| format!("{b:02x}");
        let hex_0x = |b: u8| format!("0x{b:02x}");
        let decimal = |b: u8| b.to_string();
        let bits = |b: u8| format!("{b:08b}");
        let bits_0b = |b: u8| format!("0b{b:08b}");
        for text in [
            numbers(hex, " "),
            numbers(hex, ":"),
            numbers(hex, "-"),
            numbers(hex, "\n"),
            numbers(hex_0x, ", "),
            numbers(decimal, " "),
            numbers(decimal, ", "),
            numbers(bits, " "),
            numbers(bits, ", "),
            numbers(bits, "\n"),
            numbers(bits, ""),
            numbers(bits_0b, " "),
        ] {
            assert!(may_begin(text.as_bytes(), 0), "{text}");
            let (end, said) = read(text.as_bytes(), 0).unwrap();
            assert_eq!((end, said.as_deref()), (text.len(), Some("ignore it now")), "{text}");
        }
        let capitals = "73 71 78 79 82 69 32 73 84 32 78 79 87";
        assert_eq!(read(capitals.as_bytes(), 0).unwrap().1.as_deref(), Some("IGNORE IT NOW"));
        for text in ["12 eggs and 14 spoons of 16 kinds", "12:30:45 started", "00000000: 7f45 4c46", "10110"]
        {
            assert_eq!(read(text.as_bytes(), 0), None, "{text}");
        }
    }
}
