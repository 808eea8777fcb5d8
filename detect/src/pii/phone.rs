//! Telephone numbers: the North American plan, international numbers with their country code, and national numbers
//! elsewhere by their trunk zero, their grouping and context.

use super::iban;
use super::number::{self, MAX_DIGITS};
use super::scan::{self, Scan};
use crate::EntityType::PhoneNumber;
use crate::bytes::{at, before, slice, starts_with_fold};

const MAX_GROUPS: usize = 8;
/// E.164 allows fifteen digits; a trunk zero in brackets comes on top.
const MOST: usize = 16;

/// A number as it is dialled: groups of digits with brackets and separators between.
#[derive(Debug)]
struct Dialled {
    start: usize,
    end: usize,
    plus: bool,
    bracket: bool,
    digits: [u8; MAX_DIGITS],
    count: usize,
    lengths: [usize; MAX_GROUPS],
    groups: usize,
    /// All separators between groups, as a set of bits.
    separators: u8,
    extension: bool,
}

const SPACE: u8 = 1;
const DASH: u8 = 2;
const DOT: u8 = 4;
const SLASH: u8 = 8;

impl Dialled {
    fn digits(&self) -> &[u8] {
        self.digits.get(..self.count).unwrap_or(&[])
    }

    fn layout(&self) -> &[usize] {
        self.lengths.get(..self.groups).unwrap_or(&[])
    }
}

/// Looks at the number that begins with the digit at `first`: its sign or bracket stands before it.
pub(super) fn at_number(scan: &mut Scan<'_>, first: usize) {
    if !scan.wants(PhoneNumber) {
        return;
    }
    let text = scan.text;
    let start = opening(text, first);
    if !may_begin(text, start, first) {
        return;
    }
    if iban::follows_head(text, start) {
        return;
    }
    let Some(mut dialled) = read(text, start, first) else { return };
    unwrap_brackets(text, &mut dialled);
    read_extension(text, &mut dialled);
    let labelled = labelled(text, dialled.end);
    if !scan::closes(text, dialled.end) || (!labelled && continues(text, dialled.end)) {
        return;
    }
    let Some((plain, named, rule)) = judge(&dialled) else { return };
    let bonus = if dialled.extension || labelled { 0.25 } else { 0.0 };
    let plain = (plain + bonus).min(named);
    // Where the form says next to nothing, the word must speak of this number: "call me at", not "the call took".
    let weak = plain <= 0.2 || dialled.separators & DOT != 0;
    let told = scan.context(dialled.start).end;
    if weak && plain < 0.5 && told > 0 && !connected(text, told, dialled.start) {
        return;
    }
    scan.weigh(PhoneNumber, (dialled.start, dialled.end), (plain, named), rule);
}

/// Whether nothing but small words stands between a word for telephones and a number: "is", "at", "number".
fn connected(text: &[u8], from: usize, to: usize) -> bool {
    const SMALL: &[&[u8]] = &[
        b"number",
        b"numbers",
        b"phone",
        b"mobile",
        b"home",
        b"work",
        b"office",
        b"numero",
        b"nummer",
        b"unter",
        b"under",
        b"with",
        b"from",
        b"details",
        b"please",
        b"line",
        b"type",
        b"value",
        b"text",
        b"content",
        b"numeroon",
        b"numer",
        b"this",
        b"that",
        b"your",
        b"their",
        b"them",
        b"anytime",
        b"back",
        b"again",
    ];
    let between = slice(text, from, to);
    let mut words = between.split(|b| !(b.is_ascii_alphabetic() || *b >= 0x80)).filter(|word| word.len() > 3);
    words.all(|word| {
        word.iter().any(|b| *b >= 0x80) || SMALL.iter().any(|small| word.eq_ignore_ascii_case(small))
    })
}

/// Where a number starts that has its first digit at `first`: at a plus or an opening bracket before it.
fn opening(text: &[u8], first: usize) -> usize {
    let mut start = first;
    for _ in 0..3 {
        match before(text, start) {
            b'(' | b'+' => start -= 1,
            _ => break,
        }
    }
    start
}

fn may_begin(text: &[u8], start: usize, first: usize) -> bool {
    if !scan::opens(text, start) {
        return false;
    }
    let previous = before(text, start);
    if start < first {
        return !matches!(previous, b'+' | b')');
    }
    // A later group of a longer number, a piece of a version, a path or a decimal.
    let further = if start >= 2 { before(text, start - 1) } else { 0 };
    let digit_before = |b: u8| b.is_ascii_digit() || b == b')';
    match previous {
        b' ' => !digit_before(further),
        b'-' | b'.' | b'/' => !(further.is_ascii_alphanumeric() || further == b')'),
        b')' | b',' => !further.is_ascii_digit(),
        _ => true,
    }
}

/// Whether the word right after the number says what kind of telephone it is: `555 0100 office`, `…-Fax`.
fn labelled(text: &[u8], end: usize) -> bool {
    const LABELS: &[&[u8]] =
        &[b"office", b"fax", b"mobile", b"cell", b"home", b"work", b"phone", b"landline"];
    let word = end + 1;
    matches!(at(text, end), b' ' | b'-')
        && LABELS.iter().any(|label| {
            starts_with_fold(text, word, label) && !at(text, word + label.len()).is_ascii_alphanumeric()
        })
}

/// Whether digits go on after the end in a way that no telephone number does.
fn continues(text: &[u8], end: usize) -> bool {
    let next = at(text, end);
    let more = at(text, end + 1);
    match next {
        b',' => number::thousands(text, end),
        b'.' | b':' | b'/' | b'-' => more.is_ascii_digit() || (next == b'-' && more.is_ascii_alphabetic()),
        b' ' => more.is_ascii_digit(),
        b'%' => true,
        _ => false,
    }
}

fn read(text: &[u8], start: usize, first: usize) -> Option<Dialled> {
    let opened = slice(text, start, first);
    let mut dialled = Dialled {
        start,
        end: first,
        plus: opened.contains(&b'+'),
        bracket: false,
        digits: [0; MAX_DIGITS],
        count: 0,
        lengths: [0; MAX_GROUPS],
        groups: 0,
        separators: 0,
        extension: false,
    };
    let mut depth = opened.iter().filter(|b| **b == b'(').count();
    let mut i = first;
    loop {
        let mut length = 0;
        while at(text, i).is_ascii_digit() {
            if dialled.count == MOST {
                return None;
            }
            *dialled.digits.get_mut(dialled.count)? = at(text, i) - b'0';
            dialled.count += 1;
            length += 1;
            i += 1;
        }
        *dialled.lengths.get_mut(dialled.groups)? = length;
        dialled.groups += 1;
        if at(text, i) == b')' && depth > 0 {
            depth -= 1;
            dialled.bracket = true;
            i += 1;
        }
        if depth == 0 {
            dialled.end = i;
        }
        // To the next group: one separator, two of them around a bracket, or a bracket alone.
        let mut k = i;
        let mut separators = 0;
        let mut opened = false;
        while k < i + 3 {
            separators |= match at(text, k) {
                b' ' => SPACE,
                b'-' => DASH,
                b'.' => DOT,
                b'/' => SLASH,
                b'(' if !opened && depth == 0 => {
                    opened = true;
                    0
                }
                _ => break,
            };
            k += 1;
        }
        let bracket_closed = before(text, i) == b')';
        if !at(text, k).is_ascii_digit() || (k == i && !bracket_closed) || dialled.groups == MAX_GROUPS {
            break;
        }
        // Two separators only beside a bracket or as " - ".
        if k - i > 1 && !opened && !bracket_closed && slice(text, i, k) != b" - " {
            break;
        }
        dialled.separators |= separators;
        if opened {
            depth += 1;
        }
        i = k;
    }
    (dialled.count >= 5 && depth == 0).then_some(dialled)
}

/// `(+44 20 7946 0958)`: brackets around the whole belong to the sentence.
fn unwrap_brackets(text: &[u8], dialled: &mut Dialled) {
    if at(text, dialled.start) != b'(' || before(text, dialled.end) != b')' {
        return;
    }
    let inside = slice(text, dialled.start + 1, dialled.end - 1);
    let mut depth = 0_i32;
    for b in inside {
        depth += i32::from(*b == b'(') - i32::from(*b == b')');
        if depth < 0 {
            return;
        }
    }
    if inside.iter().any(|b| !b.is_ascii_digit()) {
        dialled.start += 1;
        dialled.end -= 1;
        dialled.bracket = inside.contains(&b'(');
    }
}

fn read_extension(text: &[u8], dialled: &mut Dialled) {
    let mut i = dialled.end;
    if at(text, i) == b',' {
        i += 1;
    }
    if at(text, i) == b' ' {
        i += 1;
    }
    let word: &[&[u8]] = &[b"extension", b"ext.", b"ext", b"x.", b"x", b"#"];
    let Some(word) = word.iter().find(|word| starts_with_fold(text, i, word)) else { return };
    i += word.len();
    if matches!(at(text, i), b' ' | b':') {
        i += 1;
    }
    let digits = slice(text, i, i + 7).iter().take_while(|b| b.is_ascii_digit()).count();
    if (1..=6).contains(&digits) && scan::closes(text, i + digits) {
        dialled.end = i + digits;
        dialled.extension = true;
    }
}

/// The score alone and after a word that names a telephone, and the rule that says so.
fn judge(dialled: &Dialled) -> Option<(f32, f32, &'static str)> {
    let digits = dialled.digits();
    if digits.iter().all(|d| Some(d) == digits.first()) {
        return None;
    }
    if dialled.plus {
        return international(digits).then_some((0.75, 0.95, "phone/international"));
    }
    let layout = dialled.layout();
    // `2.75 8.6 14.2`: decimals.
    if dialled.separators & (DOT | SPACE) == DOT | SPACE && !dialled.bracket {
        return None;
    }
    // `0.3.5 (2018-01-14)`: a release and its day.
    let century = digits.len().checked_sub(8).map(|at| (digits.get(at), digits.get(at + 1)));
    if matches!(layout, [.., 4, 2, 2]) && matches!(century, Some((Some(1), Some(9)) | (Some(2), Some(0)))) {
        return None;
    }
    // The shapes of a social security number and of a postal code with its route.
    if matches!(layout, [3, 2, 4]) || (matches!(layout, [5, 4]) && dialled.separators == DASH) {
        return Some((0.1, 0.7, "phone/groups"));
    }
    let (digits, layout, one) = match (digits, layout) {
        ([1, rest @ ..], [1, groups @ ..]) if rest.len() == 10 => (rest, groups, true),
        ([1, rest @ ..], [11]) if rest.len() == 10 => (rest, &[10_usize] as &[usize], true),
        _ => (digits, layout, false),
    };
    if digits.len() == 10 && matches!(layout, [3, 3, 4]) {
        return Some(north_american(dialled, digits, one));
    }
    if layout.len() > 1 && starts_double_zero(digits) && international(digits.get(2..)?) {
        return Some((0.55, 0.9, "phone/international"));
    }
    national(dialled, digits, layout, one)
}

fn starts_double_zero(digits: &[u8]) -> bool {
    matches!(digits, [0, 0, ..])
}

fn north_american(dialled: &Dialled, digits: &[u8], one: bool) -> (f32, f32, &'static str) {
    let plausible = |i: usize| digits.get(i).is_some_and(|d| *d >= 2);
    let valid = plausible(0) && plausible(3);
    let uniform = matches!(dialled.separators, SPACE | DASH | DOT | SLASH);
    let base: f32 = match (dialled.bracket, valid) {
        (true, true) => 0.8,
        (true, false) => 0.6,
        (false, true) if dialled.separators == DASH || !uniform => 0.7,
        (false, true) if dialled.separators == DOT => 0.65,
        (false, true) => 0.55,
        (false, false) if dialled.separators == DASH => 0.5,
        (false, false) => 0.4,
    };
    (if one { (base + 0.1).min(0.9) } else { base }, 0.9, "phone/north-american")
}

fn national(
    dialled: &Dialled,
    digits: &[u8],
    layout: &[usize],
    one: bool,
) -> Option<(f32, f32, &'static str)> {
    let trunk = digits.first() == Some(&0) && digits.get(1).is_some_and(|d| *d != 0);
    let count = digits.len();
    let grouped = layout.len() > 1;
    let short_groups = layout.iter().skip(1).all(|l| (2..=8).contains(l)) || layout.iter().all(|l| *l <= 5);
    Some(match (grouped, count) {
        // A part number rather than a number anybody dials: nine digits that end in two.
        (true, 9) if dialled.separators == DASH && matches!(layout, [3, 4, 2]) => (0.3, 0.75, "phone/groups"),
        (true, 9..=12) if trunk && short_groups && layout.first().is_some_and(|l| *l > 1) => {
            // A zero, an area, groups: the shape of most of the world's numbers.
            let base = if dialled.bracket || layout.len() >= 3 { 0.6 } else { 0.5 };
            (base, 0.9, "phone/trunk")
        }
        (true, 8..=12) if dialled.bracket => (0.55, 0.85, "phone/bracket"),
        (true, 7..=12) if layout.len() >= 3 && short_groups && !date_like(layout) => {
            (0.3, 0.75, "phone/groups")
        }
        (true, 7) if matches!(layout, [3, 4]) => (0.35, 0.8, "phone/local"),
        (true, 6..=12) => (0.2, 0.65, "phone/groups"),
        (false, 10..=11) if trunk => (0.5, 0.85, "phone/trunk"),
        (false, 10) => (if one { 0.35 } else { 0.25 }, 0.8, "phone/bare"),
        (false, 11) if matches!(digits, [1, 3..=9, ..]) => (0.35, 0.85, "phone/mobile-cn"),
        (false, 7..=12) => (0.1, 0.65, "phone/bare"),
        _ => return None,
    })
}

fn date_like(layout: &[usize]) -> bool {
    matches!(
        layout,
        [4, 2, 2] | [2, 2, 4] | [1, 2, 4] | [2, 1, 4] | [1, 1, 4] | [4, 1, 1] | [4, 1, 2] | [4, 2, 1]
    )
}

/// Whether digits are a country code (ITU-T E.164) and a national number of a plausible length.
fn international(digits: &[u8]) -> bool {
    let Some(code) = country_code(digits) else { return false };
    let rest = digits.len().saturating_sub(code);
    match digits {
        [1, ..] => rest == 10 || (rest == 11 && digits.get(1) == Some(&0)),
        _ => (5..=13).contains(&rest),
    }
}

/// The length of the country code: 1 and 7 alone, the two-digit codes by list, all others three.
fn country_code(digits: &[u8]) -> Option<usize> {
    let (first, second) = (*digits.first()?, *digits.get(1)?);
    match (first, second) {
        (0, _) => None,
        (1 | 7, _) => Some(1),
        (2, 0 | 7)
        | (3, 0 | 1 | 2 | 3 | 4 | 6 | 9)
        | (4, 0 | 1 | 3..=9)
        | (5, 1..=8)
        | (6, 0..=6)
        | (8, 1 | 2 | 4 | 6)
        | (9, 0..=5 | 8) => Some(2),
        _ => Some(3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn country_codes_have_their_lengths() {
        for (digits, length) in [
            (&[1, 2, 1][..], Some(1)),
            (&[4, 4, 2], Some(2)),
            (&[3, 5, 3], Some(3)),
            (&[9, 7, 2], Some(3)),
            (&[0, 4, 4], None),
        ] {
            assert_eq!(country_code(digits), length);
        }
    }
}
