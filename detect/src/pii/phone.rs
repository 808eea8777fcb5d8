//! Telephone numbers as they are dialled: their start and end, groups, brackets and extensions.

use super::context::WINDOW;
use super::iban;
use super::number::{self, MAX_DIGITS};
use super::phone_plan;
use super::scan::{self, Scan};
use crate::EntityType::{DeTaxId, EsCif, ItVatCode, PhoneNumber};
use crate::bytes::{at, before, run_start, slice, starts_with_fold};
use crate::{EntityType, TypeSet};

const MAX_GROUPS: usize = 8;
/// From this score on, the form alone makes it a telephone number, whatever the words before it say.
const SURE: f32 = 0.75;
/// Tax numbers that may look like one.
const TAX: &[EntityType] = &[DeTaxId, EsCif, ItVatCode];
/// E.164 allows fifteen digits; a trunk zero in brackets is extra.
const MOST: usize = 16;

/// A number as dialled: groups of digits with brackets and separators between them.
#[derive(Debug)]
pub(super) struct Dialled {
    start: usize,
    end: usize,
    pub(super) plus: bool,
    pub(super) bracket: bool,
    digits: [u8; MAX_DIGITS],
    count: usize,
    lengths: [usize; MAX_GROUPS],
    groups: usize,
    /// All separators between groups, as a bit set.
    pub(super) separators: u8,
    /// The number of slashes, and whether the last group follows one.
    pub(super) slashes: usize,
    pub(super) slash_last: bool,
    extension: bool,
}

pub(super) const SPACE: u8 = 1;
pub(super) const DASH: u8 = 2;
pub(super) const DOT: u8 = 4;
pub(super) const SLASH: u8 = 8;

impl Dialled {
    pub(super) fn digits(&self) -> &[u8] {
        self.digits.get(..self.count).unwrap_or(&[])
    }

    pub(super) fn layout(&self) -> &[usize] {
        self.lengths.get(..self.groups).unwrap_or(&[])
    }

    /// Adds the group of digits that begins at `i`; returns where it ends. `None` if there are too many.
    fn group(&mut self, text: &[u8], mut i: usize) -> Option<usize> {
        let mut length = 0;
        while at(text, i).is_ascii_digit() {
            if self.count == MOST {
                return None;
            }
            *self.digits.get_mut(self.count)? = at(text, i) - b'0';
            self.count += 1;
            length += 1;
            i += 1;
        }
        *self.lengths.get_mut(self.groups)? = length;
        self.groups += 1;
        Some(i)
    }
}

/// Whether the word that ends there is `call`, as in the name of a tool call.
fn is_call(text: &[u8], end: usize) -> bool {
    let start = run_start(text, end, |b| b.is_ascii_alphabetic());
    slice(text, start, end).eq_ignore_ascii_case(b"call")
}

/// Whether the word that ends there is `cell` and a modem's signal values come before the number at `start`.
#[inline(never)]
fn is_radio_cell(text: &[u8], end: usize, start: usize) -> bool {
    const MEASURES: [&[u8]; 4] = [b"rsrp", b"rsrq", b"sinr", b"rssi"];
    slice(text, end.saturating_sub(4), end).eq_ignore_ascii_case(b"cell") && at(text, end) == b'=' && {
        let window = slice(text, start.saturating_sub(WINDOW), start);
        MEASURES.iter().any(|name| window.windows(4).any(|word| word.eq_ignore_ascii_case(name)))
    }
}

/// Checks the number whose first digit is at `first`; its plus or bracket is before that.
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
    // After digits and a comma it is the rest of an amount, unless it is grouped like a telephone number.
    let amount = before(text, start) == b',' && start >= 2 && before(text, start - 1).is_ascii_digit();
    let amount = amount && !dialled.plus;
    if amount && (dialled.groups < 3 || dialled.count < 10) {
        return;
    }
    unwrap_brackets(text, &mut dialled);
    read_extension(text, &mut dialled);
    // `200-301 (2021)`: the brackets hold a remark.
    if dialled.groups > 1 && before(text, dialled.end) == b')' && at(text, dialled.start) != b'(' {
        return;
    }
    let labelled = labelled(text, dialled.end);
    // In a file name: `voicemail_+12063476130_52151601.wav`.
    let named_file = dialled.plus && at(text, dialled.end) == b'_';
    if !(scan::closes(text, dialled.end) || named_file) || (!labelled && continues(text, dialled.end)) {
        return;
    }
    let Some((plain, named, rule)) = phone_plan::judge(&dialled) else { return };
    let bonus = if dialled.extension || labelled { 0.25 } else { 0.0 };
    let plain = (plain + bonus).min(named);
    // If the form proves next to nothing, the word must refer to this number: "call me at", not "the call took".
    let weak = plain <= 0.2 || dialled.separators & DOT != 0;
    let context = scan.context(dialled.start);
    let told = context.end > 0 && connected(text, context.end, dialled.start);
    // `fp_0392822090`, `call_24148162`: an id made by a program, unless its name is a word for a telephone.
    let glued = before(text, dialled.start) == b'_' && dialled.groups == 1 && !dialled.plus;
    let own = || slice(text, context.end, dialled.start).iter().filter(|b| b.is_ascii_digit()).count() >= 5;
    if glued && (!context.ends_with(PhoneNumber) || is_call(text, dialled.start - 1) || own()) {
        return;
    }
    if weak && plain < 0.5 && context.end > 0 && !told {
        return;
    }
    // The word right before it names a tax number.
    if told && !context.names(PhoneNumber) && context.names_any(TypeSet::of(TAX)) && plain < SURE {
        return;
    }
    // A radio cell in a modem's log.
    if plain < 0.5 && context.ends_with(PhoneNumber) && is_radio_cell(text, context.end, dialled.start) {
        return;
    }
    // Another number next to a telephone: `"created_at":1625997881`.
    let named = if context.negative && dialled.groups == 1 { plain } else { named };
    scan.weigh(PhoneNumber, (dialled.start, dialled.end), (plain, named), rule);
}

/// Whether only short or filler words come between a word for telephones and a number: "is", "at", "number".
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
        b"para",
        b"lautet",
        b"pour",
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
        b"saya",
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

/// The start of a number whose first digit is at `first`: at a plus or an opening bracket before it.
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
    let previous = before(text, start);
    if !scan::opens(text, start) && previous != b'_' && !scan::is_label(text, start) {
        return false;
    }
    if start < first {
        return !matches!(previous, b'+' | b')');
    }
    // A later group of a longer number, or a piece of a version, a path or a decimal.
    let further = if start >= 2 { before(text, start - 1) } else { 0 };
    let digit_before = |b: u8| b.is_ascii_digit() || b == b')';
    match previous {
        b' ' => !digit_before(further),
        // `Tel.0171 1234567`: the word is abbreviated.
        b'.' if is_shortened(text, start - 1) => true,
        b'-' | b'.' | b'/' => !(further.is_ascii_alphanumeric() || further == b')'),
        b')' => !further.is_ascii_digit(),
        _ => true,
    }
}

/// Whether a word for telephones ends there and stands alone (`j.cell.2010` is a journal).
fn is_shortened(text: &[u8], end: usize) -> bool {
    let word = end
        - slice(text, end.saturating_sub(6), end)
            .iter()
            .rev()
            .take_while(|b| b.is_ascii_alphabetic())
            .count();
    scan::is_label(text, end) && !matches!(before(text, word), b'.' | b'/' | b'-')
}

/// Whether the word right after the number names the kind of telephone: `555 0100 office`, `…-Fax`.
fn labelled(text: &[u8], end: usize) -> bool {
    const LABELS: &[&[u8]] =
        &[b"office", b"fax", b"mobile", b"cell", b"home", b"work", b"phone", b"landline"];
    let word = end + 1;
    matches!(at(text, end), b' ' | b'-')
        && LABELS.iter().any(|label| {
            starts_with_fold(text, word, label) && !at(text, word + label.len()).is_ascii_alphanumeric()
        })
}

/// Whether the text goes on after the end as it does after no telephone number.
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

/// Reads groups of digits from the one that begins at `first`; `start` is the position of the plus or bracket before
/// it.
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
        slashes: 0,
        slash_last: false,
        extension: false,
    };
    let mut depth = opened.iter().filter(|b| **b == b'(').count();
    let mut i = first;
    loop {
        i = dialled.group(text, i)?;
        if at(text, i) == b')' && depth > 0 {
            depth -= 1;
            dialled.bracket = true;
            i += 1;
        }
        if depth == 0 {
            dialled.end = i;
        }
        let gap = gap(text, i, depth == 0);
        let bracket_closed = before(text, i) == b')';
        if !at(text, gap.end).is_ascii_digit()
            || (gap.end == i && !bracket_closed)
            || dialled.groups == MAX_GROUPS
        {
            break;
        }
        // Two separators only next to a bracket, or as " - ".
        if gap.end - i > 1 && !gap.opens && !bracket_closed && slice(text, i, gap.end) != b" - " {
            break;
        }
        dialled.separators |= gap.separators;
        dialled.slash_last = gap.separators & SLASH != 0;
        dialled.slashes += usize::from(dialled.slash_last);
        depth += usize::from(gap.opens);
        i = gap.end;
    }
    (dialled.count >= 5 && depth == 0).then_some(dialled)
}

/// The text between two groups of digits.
struct Gap {
    end: usize,
    separators: u8,
    /// It contains an opening bracket.
    opens: bool,
}

/// The gap from `start` to the next group: one separator, two of them around a bracket, or a bracket alone.
fn gap(text: &[u8], start: usize, may_open: bool) -> Gap {
    let mut gap = Gap { end: start, separators: 0, opens: false };
    while gap.end < start + 3 {
        gap.separators |= match at(text, gap.end) {
            b' ' => SPACE,
            b'-' => DASH,
            b'.' => DOT,
            b'/' => SLASH,
            b'(' if !gap.opens && may_open => {
                gap.opens = true;
                0
            }
            _ => break,
        };
        gap.end += 1;
    }
    gap
}

/// `(+44 20 7946 0958)`: brackets around the whole number belong to the sentence.
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
