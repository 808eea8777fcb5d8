//! A word that announced one value does not announce another that has its own name: `ssn=536221234 file=692188535`.

use super::context::Context;
use crate::bytes::{before, run_start, slice};

/// From this many digits on, the text between a word and a value is a value of that word.
const OWN: usize = 5;

/// Words for "number", which do not say what is counted.
const NUMBER: &[&str] = &[
    "no",
    "nr",
    "num",
    "number",
    "nummer",
    "numero",
    "número",
    "numéro",
    "numer",
    "nro",
    "n°",
    "nº",
    "номер",
    "číslo",
    "id",
];

/// Record keys, and words before a number that is not a personal one.
const KEYS: &[&str] = &[
    "file",
    "ref",
    "reference",
    "order",
    "ticket",
    "case",
    "invoice",
    "txn",
    "transaction",
    "policy",
    "loyalty",
    "contract",
    "receipt",
    "voucher",
    "reservation",
    "booking",
    "tracking",
    "odometer",
    "seq",
    "badge",
    "claim",
    "session",
    "request",
    "event",
    "batch",
    "record",
    "score",
    "amount",
    "total",
    "balance",
];

/// Whether the last word that names a type already has its value before `start`, and the number that begins there has
/// another name. Just any name is not enough: it may be that of the person whose value comes next.
#[inline(never)]
pub(super) fn is_spent(text: &[u8], context: Context, start: usize) -> bool {
    let Context { end, name_end, negative_end, .. } = context;
    let digits = slice(text, end, start).iter().filter(|b| b.is_ascii_digit()).count();
    let other = name_end.max(negative_end);
    digits >= OWN && (has_key(text, end, start) || other > end && is_name_of(text, other, start))
}

/// Whether a row of digits has another name in a later part of the sentence: `she phoned, order 4402718`.
#[inline(never)]
pub(super) fn is_called_otherwise(text: &[u8], context: Context, start: usize) -> bool {
    const COMMAS: [&[u8]; 3] = [b",", "、".as_bytes(), "，".as_bytes()];
    let Context { end, name_end, .. } = context;
    let between = slice(text, end, name_end);
    let parted = COMMAS.iter().any(|comma| between.windows(comma.len()).any(|part| part == *comma));
    parted && is_name_of(text, name_end, start)
}

/// Whether one of the [`KEYS`] comes right before `start`, with or without a word for "number", or the key `id`.
fn has_key(text: &[u8], floor: usize, start: usize) -> bool {
    let signs = signs_start(text, floor, start);
    let word = word_before(text, floor, signs);
    if !is_one(word, NUMBER) {
        return is_one(word, KEYS);
    }
    let number = signs - word.len();
    let joined = number > floor && matches!(before(text, number), b' ' | b'_' | b'-' | b'.');
    let name = if joined { word_before(text, floor, number - 1) } else { &[] };
    is_one(name, KEYS) || word.eq_ignore_ascii_case(b"id")
}

/// The maximum number of bytes that may follow a name in its word: `Auftragsnummer`, `订单号是`.
const ENDING: usize = 12;

/// Whether the word that contains `end`, or ends there, is right before `start`, not counting a word for "number".
pub(super) fn is_name_of(text: &[u8], end: usize, start: usize) -> bool {
    let floor = end.saturating_sub(2);
    let signs = signs_start(text, floor, start);
    let word = word_before(text, floor, signs);
    let number = signs - word.len();
    let last = if number >= end && is_one(word, NUMBER) { signs_start(text, floor, number) } else { signs };
    let tail = slice(text, end, last);
    last - word_before(text, floor, last).len() < end && tail.len() <= ENDING && !is_person(tail)
}

/// Whether the ending of a word makes it a person: `contractor`, `policyholder`, `Auftraggeber`.
fn is_person(tail: &[u8]) -> bool {
    let person = [&b"or"[..], b"ors", b"er", b"ers"].iter().any(|ending| tail.ends_with(ending));
    person && !NUMBER.iter().any(|number| tail.ends_with(number.as_bytes()))
}

/// The sign for "number": `№`.
const SIGN: [u8; 3] = [0xE2, 0x84, 0x96];

/// The start of the signs between a name and its value.
fn signs_start(text: &[u8], floor: usize, end: usize) -> usize {
    let mut start = end;
    while start > floor {
        start -= match before(text, start) {
            b' ' | b':' | b'=' | b'"' | b'\'' | b'#' | b'.' | b'\\' | b'(' | b'[' | b'*' | b'`' => 1,
            b if b == SIGN[2] && slice(text, start.saturating_sub(3), start) == SIGN => 3,
            _ => break,
        };
    }
    start.max(floor)
}

/// The letters right before `end`.
fn word_before(text: &[u8], floor: usize, end: usize) -> &[u8] {
    let letters = slice(text, floor, end);
    slice(letters, run_start(letters, letters.len(), |b| b.is_ascii_alphabetic() || b >= 0x80), letters.len())
}

fn is_one(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_a_name_of_its_own_is_told_from_a_second_one() {
        for (between, want) in [
            (" 536221234; file=", true),
            ("\":\"536221234\",\"file\":\"", true),
            (" Z47192374 (exp 06/18/2024), loyalty no. ", true),
            (" 536221234 | id ", true),
            (" 536221234, file_number=", true),
            (" 536221234, customer_id=", true),
            // Too few digits, names of people, the same value again, lists of people, no name at all.
            (" 12 file=", false),
            (" 536221234, Alice: ", false),
            (" 536221234, bob=", false),
            (" 536221234, spouse: ", false),
            (" 536221234&confirm=", false),
            ("s\":{\"ann\":\"536221234\",\"bob\":\"", false),
            ("s:\r\n  ann: 536221234\r\n  bob: ", false),
            (" 13812345678 李四:", false),
            (" 536221234 / ", false),
        ] {
            assert_eq!(is_spent(between.as_bytes(), Context::default(), between.len()), want, "{between}");
        }
        for (text, negative_end, want) in
            [(" 536221234, order ", 17, true), (" 536221234, order of Bob ", 17, false)]
        {
            let mut context = Context::default();
            context.negative_end = negative_end;
            assert_eq!(is_spent(text.as_bytes(), context, text.len()), want, "{text}");
        }
    }

    #[test]
    fn a_name_stands_right_before_its_value() {
        for (text, want) in [
            ("dossier ", true),
            ("dossiers: ", true),
            ("dossier no. ", true),
            ("dossier de Marie ", false),
            ("dossier 12, ", false),
            ("dossiernummer ", true),
            ("dossierholder ", false),
        ] {
            assert_eq!(is_name_of(text.as_bytes(), 7, text.len()), want, "{text}");
        }
    }
}
