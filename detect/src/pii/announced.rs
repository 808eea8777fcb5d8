//! Passwords in any language, and keys split into short runs: values that contain a digit, found by the words before
//! them.

use super::scan::Scan;
use super::{email, password, token};
use crate::EntityType::{AwsAccessKey, Password};
use crate::bytes::{at, before, run_end, run_start, slice};

/// How far before its first word with a digit such a value may begin, and its maximum length, in bytes.
const REACH: usize = 64;
const LONGEST: usize = 128;
/// The maximum distance between the word and its value in bytes.
const GAP: usize = 40;
/// How many bytes of a name may follow the word: `SENHA_BANCO`.
const MORE: usize = 6;
/// The length of an AWS secret key: 30 bytes in Base64.
const AWS_SECRET: usize = 40;

/// Checks the value around a word that contains a digit. Returns where it ends.
pub(super) fn value(scan: &mut Scan<'_>, start: usize, end: usize) -> usize {
    let text = scan.text;
    // A number or a date on its own.
    if !is_part(before(text, start))
        && !is_part(at(text, end))
        && !slice(text, start, end).iter().any(u8::is_ascii_alphabetic)
    {
        return end;
    }
    let floor = start.saturating_sub(REACH);
    let from = floor + run_start(slice(text, floor, start), start - floor, is_part);
    let limit = slice(text, 0, from + LONGEST);
    let stop = run_end(limit, end, |b| is_part(b) || b == b'=');
    // Longer than any such value: an image, a program.
    if is_part(at(text, stop)) || from == floor && is_part(before(text, from)) {
        return stop;
    }
    let trimmed = password::trim(text, from, stop);
    let value = slice(text, from, trimmed);
    if value.len() >= 6 && value.iter().any(u8::is_ascii_alphabetic) {
        password_of(scan, from, trimmed);
        aws_secret(scan, from, stop);
    }
    stop
}

/// Whether a byte can occur in such a value: none that quotes, separates or assigns it.
#[inline]
fn is_part(b: u8) -> bool {
    PARTS.get(usize::from(b)).is_some_and(|part| *part)
}

/// [`is_part`] for each byte.
#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
static PARTS: [bool; 256] = {
    const NONE: &[u8] = b"\"'`<>\\=:,;|()[]{}";
    let mut parts = [false; 256];
    let mut b = b'!';
    while b <= b'~' {
        parts[b as usize] = true;
        b += 1;
    }
    let mut i = 0;
    while i < NONE.len() {
        parts[NONE[i] as usize] = false;
        i += 1;
    }
    parts
};

fn password_of(scan: &mut Scan<'_>, from: usize, stop: usize) {
    if !scan.wants(Password) {
        return;
    }
    let text = scan.text;
    let opens = matches!(before(text, from), b' ' | b'"' | b'\'' | b'`' | b':' | b'=' | b'>' | 0x80..);
    if !opens {
        return;
    }
    let context = scan.context(from);
    if !context.ends_with(Password) || from - context.end > GAP {
        return;
    }
    let (gap, value) = (slice(text, context.end, from), slice(text, from, stop));
    // `HAS_PSK_TLSv1_3`: the name of something else.
    let named = run_end(gap, 0, |b| b.is_ascii_alphanumeric() || b == b'_');
    if named > MORE && named < gap.len() {
        return;
    }
    // `get_password2()`, `words[3]`: program code.
    let code = matches!(at(text, stop), b'(' | b'[') || password::is_code(value);
    let sentence_ends = gap.iter().any(|b| matches!(b, b'.' | b'!' | b'?' | b'\n'));
    if sentence_ends || code || email::placeholder(value) {
        return;
    }
    let quoted = matches!(gap.last(), Some(b'"' | b'\'' | b'`'));
    let assigned = quoted || gap.iter().any(|b| matches!(b, b':' | b'=')) || has_wide_colon(gap);
    if assigned || is_strong(value) {
        scan.report(Password, from, stop, if assigned { 0.75 } else { 0.6 }, "password/word");
    }
}

/// The full-width colon of Chinese and Japanese.
fn has_wide_colon(gap: &[u8]) -> bool {
    gap.windows(3).any(|bytes| bytes == "：".as_bytes())
}

/// No word of a sentence looks like this: both cases, and a symbol among letters and digits or frequent changes between
/// letters and digits.
fn is_strong(value: &[u8]) -> bool {
    let any = |class: fn(&u8) -> bool| value.iter().any(class);
    let cases = any(u8::is_ascii_lowercase) && any(u8::is_ascii_uppercase);
    let sign = password::has_symbol(value) || value.contains(&b'_');
    value.len() >= 8 && cases && (sign || value.len() >= 10 && token::turns(value, u8::is_ascii_digit) >= 3)
}

/// The secret of an AWS access key, where slashes split it into runs that are too short for a token.
fn aws_secret(scan: &mut Scan<'_>, from: usize, stop: usize) {
    let value = slice(scan.text, from, stop);
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'+');
    if value.len() != AWS_SECRET || !scan.wants(AwsAccessKey) || !value.iter().all(base64) {
        return;
    }
    let cut = value.iter().any(|b| !b.is_ascii_alphanumeric()) && token::mixed_case(value);
    if cut && token::assigned(scan.text, from) && scan.context(from).names(AwsAccessKey) {
        scan.report(AwsAccessKey, from, stop, 0.85, "key/context");
    }
}
