//! Numbers: digits in groups, as people write them.

use super::scan::{self, Scan};
use super::{card, date, iban, national, net, phone};
use crate::bytes::{at, before, run_end, slice};

/// The maximum number of digits; more than any supported number has.
pub(super) const MAX_DIGITS: usize = 24;
const MAX_GROUPS: usize = 8;

/// A number of one or more groups, read from its first digit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    /// Its bytes in the text.
    pub(super) start: usize,
    pub(super) end: usize,
    digits: [u8; MAX_DIGITS],
    count: usize,
    lengths: [u8; MAX_GROUPS],
    groups: usize,
    /// The separator between all groups; 0 for a single group, `?` if they differ.
    pub(super) separator: u8,
    /// Whether it is attached to digits or letters on either side, as a piece of something longer.
    pub(super) glued: bool,
    /// Whether groups of digits come before or after it, separated by a space.
    pub(super) chained: bool,
}

impl Number {
    /// Its digits as values.
    pub(super) fn digits(&self) -> &[u8] {
        self.digits.get(..self.count).unwrap_or(&[])
    }

    /// Whether the form alone shows that this is not a piece of a path (with `paths`) or of a time: it has as many
    /// digits as a card or, for a time, three groups with dashes or spaces.
    fn is_whole(&self, paths: bool) -> bool {
        let grouped = self.groups >= 3 && matches!(self.separator, b'-' | b' ');
        (grouped || self.groups == 1) && self.count >= 13 || !paths && grouped && self.count >= 9
    }

    /// The length of each group.
    pub(super) fn layout(&self) -> &[u8] {
        self.lengths.get(..self.groups).unwrap_or(&[])
    }
}

/// Characters that may stand alone between two groups.
fn is_separator(b: u8) -> bool {
    matches!(b, b' ' | b'-' | b'.' | b'/')
}

/// HTML tags that only change how text looks.
const TAGS: [&[u8]; 12] =
    [b"b", b"i", b"u", b"s", b"em", b"strong", b"code", b"mark", b"span", b"small", b"kbd", b"wbr"];
/// The maximum number of markup signs on either side of a group.
const MARKUP: usize = 2;

/// The end of markup that shows a group in bold or as code, in Markdown or HTML.
#[inline]
fn markup_end(text: &[u8], start: usize) -> usize {
    (0..MARKUP).fold(start, |end, _| end + sign_of_markup(text, end))
}

/// The length of one markup sign.
#[inline]
fn sign_of_markup(text: &[u8], i: usize) -> usize {
    match at(text, i) {
        b'*' | b'`' => 1,
        b'<' => tag(text, i),
        _ => 0,
    }
}

/// The length of a tag that begins at `i`.
fn tag(text: &[u8], i: usize) -> usize {
    let name = i + 1 + usize::from(at(text, i + 1) == b'/');
    let end = run_end(slice(text, 0, name + 7), name, |b| b.is_ascii_alphabetic());
    let known = TAGS.iter().any(|tag| slice(text, name, end).eq_ignore_ascii_case(tag));
    if known && at(text, end) == b'>' { end + 1 - i } else { 0 }
}

/// The start of markup that shows a group in bold or as code.
fn markup_start(text: &[u8], end: usize) -> usize {
    (0..MARKUP).fold(end, |start, _| {
        let sign = match before(text, start) {
            b'*' | b'`' => 1,
            b'>' => (3..=9).find(|length| tag(text, start.saturating_sub(*length)) == *length).unwrap_or(0),
            _ => 0,
        };
        start - sign
    })
}

/// The separator between two groups and its length, if more digits follow: one character, or a dash between spaces,
/// with or without markup around it (`**536**-**90**`, `<b>536</b>-90`).
#[inline]
fn separator(text: &[u8], i: usize) -> Option<(u8, usize)> {
    let sign = markup_end(text, i);
    let length = match slice(text, sign, sign + 3) {
        b" - " => 3,
        [b' ', b' ', b' '] => return wide(text, i, sign + 3),
        [b' ', b' ', _] | [b'-', b'-', _] => return wide(text, i, sign + 2),
        [b'_', ..] => return wide(text, i, sign + 1),
        _ if is_separator(at(text, sign)) => 1,
        _ => return None,
    };
    let end = markup_end(text, sign + length);
    at(text, end).is_ascii_digit().then_some((at(text, sign), end - i))
}

/// The separator of groups that are further apart than people write numbers: in columns or in names.
pub(super) const WIDE: u8 = b'w';

/// Separators that nobody writes between the groups of a number, except to hide it or in a list.
pub(super) const UNUSUAL: &[u8] = b"/|,:;*+~#=\\o";
/// Stands for a middle dot (`·`, `•`, `・`) in [`UNUSUAL`].
const DOT: u8 = b'o';
/// The groupings of cards and social security numbers, the only ones recognised with such separators.
const UNUSUAL_LAYOUTS: [&[u8]; 4] = [&[3, 2, 4], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];

/// An unusual separator at `i` that digits follow, with or without a space on either side, and its length.
fn unusual(text: &[u8], i: usize) -> Option<(u8, usize)> {
    let from = i + usize::from(at(text, i) == b' ');
    let (sign, length) = match slice(text, from, from + 3) {
        [0xC2, 0xB7, ..] => (DOT, 2),
        [0xE2, 0x80, 0xA2] | [0xE3, 0x83, 0xBB] => (DOT, 3),
        [b, ..] if *b != DOT && UNUSUAL.contains(b) => (*b, 1),
        _ => return None,
    };
    let end = from + length + usize::from(at(text, from + length) == b' ');
    at(text, end).is_ascii_digit().then_some((sign, end - i))
}

/// [`unusual`], if it may follow the groups of `number`.
#[inline(never)]
fn unusual_after(text: &[u8], number: &Number) -> Option<(u8, usize)> {
    let (sign, length) = unusual(text, number.end)?;
    let same = number.groups == 1 || number.separator == sign;
    (same && begins_card_or_ssn(number)).then_some((sign, length))
}

/// Whether more groups could complete a card or a social security number.
fn begins_card_or_ssn(number: &Number) -> bool {
    let begins = |layout: &&[u8]| layout.len() > number.groups && layout.starts_with(number.layout());
    UNUSUAL_LAYOUTS.iter().any(begins)
}

/// The separator if each group is on a line of its own, or behind a tab.
pub(super) const BROKEN: u8 = b'n';
/// The separator if groups are separated by spaces or dashes and some by a line end: wrapped text.
pub(super) const WRAPPED: u8 = b'm';
/// The maximum number of spaces, tabs and quotation signs at the beginning of a line.
const INDENT: usize = 4;

/// The length of a line end or a tab at `i`, after an optional space or dash, if more digits follow.
#[inline(never)]
fn line_end(text: &[u8], i: usize) -> Option<usize> {
    let from = i + usize::from(matches!(at(text, i), b' ' | b'-'));
    let line = match slice(text, from, from + 2) {
        [b'\r', b'\n'] => from + 2,
        [b'\n' | b'\t', ..] => from + 1,
        _ => return None,
    };
    let end = run_end(slice(text, 0, line + INDENT), line, |b| matches!(b, b' ' | b'\t' | b'>'));
    at(text, end).is_ascii_digit().then_some(end - i)
}

/// [`line_end`], if it may follow the groups of `number`.
#[inline]
fn line_end_after(text: &[u8], number: &Number) -> Option<(u8, usize)> {
    let blank = matches!(at(text, number.end), b'\n' | b'\r' | b'\t' | b' ' | b'-');
    let fits = blank && matches!(number.separator, 0 | b' ' | b'-' | BROKEN | WRAPPED);
    let length = if fits && begins_card_or_ssn(number) { line_end(text, number.end)? } else { return None };
    Some((BROKEN, length))
}

/// Whether a number with one group per line is a part of a longer list of lines.
fn is_column(text: &[u8], number: &Number) -> bool {
    let indent = slice(text, number.start.saturating_sub(INDENT + 2), number.start);
    let above =
        number.start - indent.iter().rev().take_while(|b| b.is_ascii_whitespace() || **b == b'>').count();
    number.separator == BROKEN
        && (line_end(text, number.end).is_some()
            || above < number.start && before(text, above).is_ascii_digit())
}

/// Whether a number with unusual separators is a part of a longer list.
fn is_listed(text: &[u8], number: &Number) -> bool {
    let sign = number.separator;
    let left = number.start - usize::from(before(text, number.start) == b' ');
    UNUSUAL.contains(&sign)
        && (unusual(text, number.end).is_some_and(|(next, _)| next == sign)
            || sign != DOT
                && before(text, left) == sign
                && before(text, left - 1 - usize::from(before(text, left - 1) == b' ')).is_ascii_digit())
}

/// A [`WIDE`] separator, if digits follow at `end`.
#[inline(never)]
fn wide(text: &[u8], start: usize, end: usize) -> Option<(u8, usize)> {
    at(text, end).is_ascii_digit().then_some((WIDE, end - start))
}

/// Whether digits and a space, or a dash between spaces, come before a number, with or without markup.
fn chained_before(text: &[u8], start: usize) -> bool {
    let sign = markup_start(text, start);
    let length = match slice(text, sign.saturating_sub(3), sign) {
        b" - " => 3,
        [.., b' '] => 1,
        _ => return false,
    };
    before(text, markup_start(text, sign - length)).is_ascii_digit()
}

/// Checks a group of digits that begins at `start`, alone and with the groups that follow it.
pub(super) fn group(scan: &mut Scan<'_>, start: usize) {
    let text = scan.text;
    if is_count(text, start) {
        return;
    }
    let (joined, amount) = (joins_left(scan, start), thousands_before(text, start));
    let part = |sign| part_before(text, start, sign);
    let mut number = Number {
        start,
        end: start,
        digits: [0; MAX_DIGITS],
        count: 0,
        lengths: [0; MAX_GROUPS],
        groups: 0,
        separator: 0,
        glued: false,
        chained: false,
    };
    let chained_left = chained_before(text, start);
    phone::at_number(scan, start);
    loop {
        if !read_group(text, &mut number) {
            return;
        }
        let next = at(text, number.end);
        let follows = separator(text, number.end)
            .or_else(|| unusual_after(text, &number))
            .or_else(|| line_end_after(text, &number));
        if scan::closes(text, number.end) || next == b'_' {
            // With three groups it is not an amount; if its form is whole, it is not a piece of a path or a time.
            let amount = amount || thousands(text, number.end);
            let part = |sign| part(sign) || part_after(text, number.end, sign);
            let zero = number.count >= 13 && zero_fraction(text, number.end);
            number.glued = joined && !(number.is_whole(false) && hangs_on(text, start))
                || joins_right(text, number.end, number.is_whole(false)) && !zero
                || amount && number.groups < 3
                || is_listed(text, &number)
                || is_column(text, &number)
                || part(b':') && !number.is_whole(false)
                || part(b'/') && !number.is_whole(true);
            number.chained = chained_left || matches!(follows, Some((b' ', _)));
            recognise(scan, &number);
        }
        let Some((sign, length)) = follows.filter(|_| number.groups < MAX_GROUPS) else { return };
        number.separator = between(number.separator, sign);
        number.end += length;
    }
}

/// The separator of the number when `sign` follows groups that `separator` stands between.
fn between(separator: u8, sign: u8) -> u8 {
    match (separator, sign) {
        (0, sign) => sign,
        (same, sign) if same == sign => same,
        (b' ' | b'-' | WRAPPED, BROKEN) | (BROKEN | WRAPPED, b' ' | b'-') => WRAPPED,
        _ => b'?',
    }
}

/// Whether up to three digits stand alone in a sentence: most numbers in prose do, and none of them is personal.
fn is_count(text: &[u8], start: usize) -> bool {
    let end = run_end(slice(text, 0, start + 4), start, |b| b.is_ascii_digit());
    let next = at(text, end);
    end - start <= 3
        && !matches!(before(text, start), b'(' | b'+')
        && match next {
            b' ' => at(text, end + 1).is_ascii_alphabetic(),
            _ => {
                let goes_on = is_separator(next) || matches!(next, b'(' | b')' | b'*' | b'`' | b'<' | b'_');
                !(goes_on
                    || next.is_ascii_digit()
                    || end - start == 3 && (unusual(text, end).is_some() || line_end(text, end).is_some()))
            }
        }
}

/// Whether a comma and exactly three digits follow at most three digits: `1,234,567` is an amount,
/// `4111111111111111,123` and `536-22-1234,4111…` are lists.
pub(super) fn thousands(text: &[u8], i: usize) -> bool {
    let long = i >= 4 && slice(text, i - 4, i).iter().all(u8::is_ascii_digit);
    at(text, i) == b',' && !long && run_end(text, i + 1, |b| b.is_ascii_digit()) == i + 4
}

fn thousands_before(text: &[u8], start: usize) -> bool {
    before(text, start) == b','
        && start >= 2
        && before(text, start - 1).is_ascii_digit()
        && thousands(text, start - 1)
}

/// Whether the text right before a number makes it a piece of something longer: `1.2`, `12:34`, `AB-12`. A name and its
/// value are separate: `SSN:536…`, `card_4111…`, `/users/536…`; before a dash or a dot the name must name a type.
fn joins_left(scan: &mut Scan<'_>, start: usize) -> bool {
    let text = scan.text;
    let further = if start >= 2 { before(text, start - 1) } else { 0 };
    match before(text, start) {
        b'_' => further.is_ascii_digit(),
        b'-' | b'.' => further.is_ascii_alphanumeric() && !labelled(scan, start),
        _ => false,
    }
}

/// The maximum length of a name examined before a number.
const NAME: usize = 32;

/// Whether the number follows a word that ends in a dot (`no.4111…`) or a name with an underscore (`W2_536-22-1234`):
/// neither belongs to a number that is whole by its form.
#[inline(never)]
fn hangs_on(text: &[u8], start: usize) -> bool {
    let Some(sign) = start.checked_sub(1) else { return false };
    match before(text, start) {
        b'.' => before(text, sign).is_ascii_alphabetic(),
        b'_' => {
            let name = slice(text, sign.saturating_sub(NAME), sign);
            let name = name.iter().rev().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_');
            name.into_iter().any(u8::is_ascii_alphabetic)
        }
        _ => false,
    }
}

/// Whether digits and this sign come right before it: `12:34`, `2024/05`.
fn part_before(text: &[u8], start: usize, sign: u8) -> bool {
    before(text, start) == sign && start >= 2 && before(text, start - 1).is_ascii_digit()
}

/// Whether this sign and digits come right after it.
fn part_after(text: &[u8], end: usize, sign: u8) -> bool {
    at(text, end) == sign && at(text, end + 1).is_ascii_digit()
}

/// Whether the word attached to `start` by one sign names a type: `ssn-536…`.
pub(super) fn labelled(scan: &mut Scan<'_>, start: usize) -> bool {
    let context = scan.context(start);
    start >= 2 && context.end == start - 1 && !context.negative
}

/// The maximum length of a file extension.
const ENDING: usize = 5;
/// The maximum length of a label in a host name.
const LABEL: usize = 63;

/// Whether the text right after a number makes it a piece of something longer: `1.2`, `12-A`, `536.example`. A file
/// extension, the next part of a path and another word do not; nor, after a number that is `whole` by its form, does a
/// word after a colon or at the beginning of a sentence (`536-22-1234.Please`).
fn joins_right(text: &[u8], end: usize, whole: bool) -> bool {
    let more = at(text, end + 1);
    match at(text, end) {
        b'-' => more.is_ascii_alphanumeric(),
        b':' => more.is_ascii_alphabetic() && !whole,
        b'_' => more.is_ascii_digit() && !whole,
        b'.' if more.is_ascii_alphabetic() && whole => {
            let word = run_end(slice(text, 0, end + 2 + LABEL), end + 1, |b| b.is_ascii_alphanumeric());
            matches!(at(text, word), b'-' | b'.') && at(text, word + 1).is_ascii_alphanumeric()
        }
        b'.' if more.is_ascii_alphabetic() => {
            let ending = slice(text, 0, end + 2 + ENDING);
            let ending = run_end(ending, end + 1, |b| b.is_ascii_alphanumeric());
            ending - end - 1 > ENDING || matches!(at(text, ending), b'-' | b'.')
        }
        b'.' => more.is_ascii_digit(),
        _ => false,
    }
}

/// Whether a zero fraction follows: `4111111111111111.0`, as programs print an identifier read as a number.
fn zero_fraction(text: &[u8], end: usize) -> bool {
    let zeros = run_end(slice(text, 0, end + 4), end + 1, |b| b == b'0');
    at(text, end) == b'.' && zeros > end + 1 && !at(text, zeros).is_ascii_alphanumeric()
}

/// Appends the digits at `number.end`. False if there are too many.
fn read_group(text: &[u8], number: &mut Number) -> bool {
    let mut length = 0;
    while at(text, number.end).is_ascii_digit() {
        let Some(slot) = number.digits.get_mut(number.count) else { return false };
        *slot = at(text, number.end) - b'0';
        number.count += 1;
        number.end += 1;
        length += 1;
    }
    if let Some(slot) = number.lengths.get_mut(number.groups) {
        *slot = length;
        number.groups += 1;
    }
    true
}

fn recognise(scan: &mut Scan<'_>, number: &Number) {
    match number.count {
        4..=8 => {
            if number.groups == 1 {
                date::written(scan, number.start, number.end);
                date::ideographic(scan, number.start, number.end);
            }
            date::numeric(scan, number);
            if number.count == 8 {
                national::number(scan, number);
            }
            net::quad(scan, number);
            iban::account(scan, number);
        }
        9..=19 => {
            net::quad(scan, number);
            national::number(scan, number);
            card::number(scan, number);
            iban::account(scan, number);
        }
        _ => {}
    }
}
