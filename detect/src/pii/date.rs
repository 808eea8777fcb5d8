//! Dates of birth: a date after a word for birth.

use super::checks::is_day;
use super::number::Number;
use super::scan::{self, Scan};
use crate::EntityType::DateOfBirth;
use crate::bytes::{at, before, run_end, run_start, slice};

/// The score of a date without such a word.
const PLAIN: f32 = 0.1;
const NAMED: f32 = 0.8;

/// Dates of three groups: `1985-03-14`, `14.3.1985`, `03/14/85`.
pub(super) fn numeric(scan: &mut Scan<'_>, number: &Number) {
    if !scan.wants(DateOfBirth) || number.glued || !matches!(number.separator, b'-' | b'.' | b'/' | b' ') {
        return;
    }
    let [a, b, c] = number.layout() else { return };
    let digits = number.digits();
    let part = |from: u8, length: u8| {
        let from = usize::from(from);
        digits.iter().skip(from).take(usize::from(length)).fold(0_u32, |acc, d| acc * 10 + u32::from(*d))
    };
    let (first, second, third) = (part(0, *a), part(*a, *b), part(a + b, *c));
    let valid = match (a, b, c) {
        (4, 1..=2, 1..=2) => is_year(first) && is_day(second, third),
        (1..=2, 1..=2, 4) => is_year(third) && (is_day(first, second) || is_day(second, first)),
        (1..=2, 1..=2, 2) => is_day(first, second) || is_day(second, first),
        _ => false,
    };
    if valid {
        scan.weigh(DateOfBirth, (number.start, number.end), (PLAIN, NAMED), "dob/context");
    }
}

fn is_year(year: u32) -> bool {
    (1900..=2099).contains(&year)
}

/// The first three letters of month names in the Latin-script languages that are common in forms.
const MONTHS: &[&[u8; 3]] = &[
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
    b"dec", // English
    b"mai", b"okt", b"dez", // German
    b"ene", b"abr", b"ago", b"dic", // Spanish
    b"avr", b"jui", b"fev", // French, Portuguese
    b"gen", b"mag", b"giu", b"lug", b"set", b"ott", // Italian
    b"mei", // Dutch
    b"out", // Portuguese
];

/// Whether a word is a month name or its abbreviation.
pub(super) fn is_month(word: &[u8]) -> bool {
    let head = slice(word, 0, 3);
    word.len() <= 10
        && word.iter().all(u8::is_ascii_alphabetic)
        && MONTHS.iter().any(|month| head.eq_ignore_ascii_case(*month))
}

/// Dates with a month name, found at the year: `14 March 1985`, `March 14, 1985`, `14th of March, 1985`.
pub(super) fn written(scan: &mut Scan<'_>, year: usize, end: usize) {
    let text = scan.text;
    if !scan.wants(DateOfBirth) || !scan::closes(text, end) || end - year != 4 {
        return;
    }
    let value =
        slice(text, year, end).iter().fold(0_u32, |acc, d| acc * 10 + u32::from(d.wrapping_sub(b'0')));
    if !is_year(value) {
        return;
    }
    let Some(start) = before_year(text, year) else { return };
    scan.weigh(DateOfBirth, (start, end), (PLAIN, NAMED), "dob/context");
}

fn before_year(text: &[u8], year: usize) -> Option<usize> {
    let (word, word_end) = word_before(text, year)?;
    if is_month(slice(text, word, word_end)) {
        // Day, perhaps "of", month, year.
        let (mut day, mut day_end) = word_before(text, word)?;
        if slice(text, day, day_end).eq_ignore_ascii_case(b"of") {
            (day, day_end) = word_before(text, day)?;
        }
        return is_day_of_month(slice(text, day, day_end)).then_some(day);
    }
    let (month, month_end) = word_before(text, word)?;
    (is_day_of_month(slice(text, word, word_end)) && is_month(slice(text, month, month_end))).then_some(month)
}

/// The word that ends before `i`, skipping at most three characters of space and punctuation.
fn word_before(text: &[u8], i: usize) -> Option<(usize, usize)> {
    let mut end = i;
    while end > 0 && i - end < 3 && matches!(before(text, end), b' ' | b',' | b'.' | b'-') {
        end -= 1;
    }
    let floor = end.saturating_sub(12);
    let mut start = end;
    while start > floor && before(text, start).is_ascii_alphanumeric() {
        start -= 1;
    }
    (start < end && end < i && !before(text, start).is_ascii_alphanumeric()).then_some((start, end))
}

/// `14`, `3rd`, `1st`, `21st`.
fn is_day_of_month(word: &[u8]) -> bool {
    let digits = run_end(word, 0, |b| b.is_ascii_digit());
    let suffix = slice(word, digits, word.len());
    let value = slice(word, 0, digits.min(3)).iter().fold(0_u32, |acc, d| acc * 10 + u32::from(d - b'0'));
    let ends =
        suffix.is_empty() || [b"st", b"nd", b"rd", b"th"].iter().any(|s| suffix.eq_ignore_ascii_case(*s));
    (1..=2).contains(&digits) && (1..=31).contains(&value) && ends
}

/// `1985年3月14日`, found at the year.
pub(super) fn ideographic(scan: &mut Scan<'_>, year: usize, end: usize) {
    const YEAR: &[u8] = "年".as_bytes();
    const MONTH: &[u8] = "月".as_bytes();
    const DAY: &[u8] = "日".as_bytes();
    let text = scan.text;
    if end - year != 4 || slice(text, end, end + YEAR.len()) != YEAR || !scan.wants(DateOfBirth) {
        return;
    }
    let mut i = end + YEAR.len();
    for sign in [MONTH, DAY] {
        let digits = run_end(text, i, |b| b.is_ascii_digit());
        if digits == i || digits - i > 2 || slice(text, digits, digits + sign.len()) != sign {
            return;
        }
        i = digits + sign.len();
    }
    let start = run_start(text, year, |b| b.is_ascii_digit());
    if start == year && at(text, year).is_ascii_digit() {
        scan.weigh(DateOfBirth, (year, i), (PLAIN, NAMED), "dob/context");
    }
}
