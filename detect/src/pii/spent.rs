//! A word that announced one value announces no other with a name of its own: `ssn=536221234 file=692188535`.

use super::context::Context;
use crate::bytes::{at, before, run_end, run_start, slice};

/// So many digits between a word and a value are a value of the word's own.
const OWN: usize = 5;

/// Words for a number, which say nothing of what it counts.
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

/// Words that stand before another value of the same kind: whose it is, where it rings, that it is one more.
const NEUTRAL: &[&str] = &[
    "alt",
    "and",
    "another",
    "arbeit",
    "backup",
    "bureau",
    "büro",
    "kantoor",
    "praca",
    "arbeid",
    "hjemme",
    "trabalho",
    "fijo",
    "自宅",
    "勤務先",
    "会社",
    "公司",
    "회사",
    "business",
    "casa",
    "child",
    "content",
    "corrected",
    "current",
    "dad",
    "data",
    "daughter",
    "day",
    "daytime",
    "direct",
    "domicile",
    "emergency",
    "evening",
    "father",
    "fixe",
    "from",
    "hers",
    "his",
    "home",
    "husband",
    "international",
    "lavoro",
    "line",
    "main",
    "maison",
    "mine",
    "mom",
    "mother",
    "mum",
    "new",
    "night",
    "now",
    "oder",
    "office",
    "oficina",
    "old",
    "other",
    "kin",
    "correction",
    "wrong",
    "last",
    "first",
    "next",
    "additional",
    "joint",
    "updated",
    "latest",
    "real",
    "actual",
    "correct",
    "verified",
    "checking",
    "savings",
    "alternative",
    "alternate",
    "one",
    "parent",
    "partner",
    "personal",
    "previous",
    "primary",
    "privat",
    "private",
    "second",
    "secondary",
    "sister",
    "son",
    "spouse",
    "text",
    "theirs",
    "third",
    "to",
    "trabajo",
    "type",
    "ufficio",
    "value",
    "was",
    "wife",
    "with",
    "work",
    "домашний",
    "или",
    "рабочий",
    "также",
];

/// People whose value it may be; but `customer no.` counts something else.
const PEOPLE: &[&str] = &[
    "employee",
    "employer",
    "owner",
    "holder",
    "applicant",
    "borrower",
    "patient",
    "dependent",
    "beneficiary",
    "student",
    "user",
    "member",
    "customer",
    "client",
    "driver",
    "tenant",
    "guest",
    "caller",
    "contact",
];

/// Whether the last word that speaks for a type has had its value before `start`, where one with a name of its own begins, or a
/// number that is nobody's: at once where that is `bare`.
#[inline(never)]
pub(super) fn is_spent(text: &[u8], context: Context, start: usize, bare: bool) -> bool {
    let Context { end, name_end, negative_end, .. } = context;
    if bare && name_end > end && is_name_of(text, name_end, start) {
        return true;
    }
    if is_open(slice(text, end, start)) {
        return false;
    }
    let digits = slice(text, end, start).iter().filter(|b| b.is_ascii_digit()).count();
    let other = name_end.max(negative_end);
    digits >= OWN && (has_name(text, end, start) || other > end && is_name_of(text, other, start))
}

/// Whether the word names a whole that is not over, of which each value has a name: `"phones":{"ann":"…","bob":"…"`.
fn is_open(between: &[u8]) -> bool {
    let head = run_end(between, 0, |b| {
        b.is_ascii_alphabetic() || matches!(b, b' ' | b'"' | b'\'' | b':' | b'=' | b'\r')
    });
    match at(between, head) {
        b'{' => !between.contains(&b'}'),
        b'[' => !between.contains(&b']'),
        b'\n' => before(between, head) == b':',
        _ => false,
    }
}

/// Whether a key (`file=`, `"file":`) or a word with one for a number (`file no.`, `file #`) stands right before `start`.
fn has_name(text: &[u8], floor: usize, start: usize) -> bool {
    let signs = signs_start(text, floor, start);
    let between = slice(text, signs, start);
    let counted = between.contains(&b'#') || between.contains(&SIGN[2]);
    let keyed = between.iter().any(|b| matches!(b, b'=' | b':'));
    let word = word_before(text, floor, signs);
    if !is_one(word, NUMBER) {
        let neutral = is_one(word, NEUTRAL) || is_one(word, PEOPLE);
        return !neutral && is_word(word) && (counted || keyed && !is_capital(word));
    }
    let number = signs - word.len();
    let joined = matches!(before(text, number), b' ' | b'_' | b'-' | b'.');
    let name = if joined && number > floor { word_before(text, floor, number - 1) } else { &[] };
    (is_word(name) && !is_one(name, NEUTRAL)) || name.is_empty() && word.eq_ignore_ascii_case(b"id")
}

/// Bytes that may follow on a name in its word: `Auftragsnummer`, `订单号是`.
const ENDING: usize = 12;

/// Whether the word in which `end` is, or ends, stands right before `start`, but for a word for a number.
pub(super) fn is_name_of(text: &[u8], end: usize, start: usize) -> bool {
    let floor = end.saturating_sub(2);
    let signs = signs_start(text, floor, start);
    let word = word_before(text, floor, signs);
    let number = signs - word.len();
    let last = if number >= end && is_one(word, NUMBER) { signs_start(text, floor, number) } else { signs };
    let tail = slice(text, end, last);
    last - word_before(text, floor, last).len() < end && tail.len() <= ENDING && !is_person(tail)
}

/// Whether the end of a word makes it somebody's: `contractor`, `policyholder`, `Auftraggeber`.
fn is_person(tail: &[u8]) -> bool {
    let person = [&b"or"[..], b"ors", b"er", b"ers"].iter().any(|ending| tail.ends_with(ending));
    person && !NUMBER.iter().any(|number| tail.ends_with(number.as_bytes()))
}

/// The sign for a number: `№`.
const SIGN: [u8; 3] = [0xE2, 0x84, 0x96];

/// Where the signs between a name and its value begin.
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

/// The letters that end at `end`.
fn word_before(text: &[u8], floor: usize, end: usize) -> &[u8] {
    let letters = slice(text, floor, end);
    slice(letters, run_start(letters, letters.len(), |b| b.is_ascii_alphabetic() || b >= 0x80), letters.len())
}

/// Whether it has two letters or more.
fn is_word(word: &[u8]) -> bool {
    word.len() >= if at(word, 0) < 0x80 { 2 } else { 4 }
}

fn is_one(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether it begins as somebody's name does.
fn is_capital(word: &[u8]) -> bool {
    let first = std::str::from_utf8(word).ok().and_then(|word| word.chars().next());
    first.is_some_and(char::is_uppercase)
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
            (" 8 920 2521616, заказ №", true),
            (" 536221234 | id ", true),
            (" 536221234, file_number=", true),
            (" 536221234, customer_id=", true),
            (" 536221234, applicant: ", false),
            // Too few digits, a name, somebody else's, no name at all.
            (" 12 file=", false),
            (" 536221234, Alice: ", false),
            (" 536221234, alice ", false),
            (" 536221234, spouse: ", false),
            ("\":\"536221234\",\"other_number\":\"", false),
            (" 536221234, no ", false),
            ("s\":{\"ann\":\"536221234\",\"bob\":\"", false),
            ("s\":[\"536221234\"],\"file\":\"", true),
            ("s:\n  ann: 536221234\n  bob: ", false),
            (" 536221234 / ", false),
        ] {
            assert_eq!(
                is_spent(between.as_bytes(), Context::default(), between.len(), true),
                want,
                "{between}"
            );
        }
        for (text, negative_end, want) in
            [(" 536221234, order ", 17, true), (" 536221234, order of Bob ", 17, false)]
        {
            let mut context = Context::default();
            context.negative_end = negative_end;
            assert_eq!(is_spent(text.as_bytes(), context, text.len(), true), want, "{text}");
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
