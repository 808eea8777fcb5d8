//! Passports, driver's licences and bank accounts: their forms prove little, so a word before them must name the
//! document.

use super::checks::{is_day, two};
use super::scan::{self, Scan};
use super::word::{form_start, hangs, is_form};
use crate::EntityType::{self, *};
use crate::TypeSet;
use crate::bytes::{at, before, digits_into, run_end, slice};

const BY_CONTEXT: TypeSet = TypeSet::EMPTY.with(Passport).with(UsDriverLicense).with(BankAccount);

/// The score without a word that names this document: below any sensible threshold.
const PLAIN: f32 = 0.05;

/// Groupings of licences in US states, Canadian provinces, India and elsewhere. `-` stands for a dash or a space.
const LICENCES: &[&[u8]] = &[
    b"A99-99-9999",        // Virginia, Kansas
    b"A99-999-999",        // Kentucky
    b"AAA-99-9999",        // North Dakota
    b"999-99-9999",        // Mississippi, formerly others
    b"99-999-9999",        // Colorado
    b"9999-99-9999",       // Indiana
    b"999-AA-9999",        // Iowa
    b"999-999-999",        // New York
    b"99-999-999",         // Pennsylvania
    b"999999-999",         // Wyoming, Alberta
    b"AA99-99999999999",   // India
    b"AA-9999999999999",   // India
    b"AA-99-99999999999",  // India
    b"AA-99-9999-9999999", // India
    b"AAAAA-999999-AAXAA", // United Kingdom
    b"AA-99999999",        // Italy and others
    b"99999-99-99999",     // Philippines and others
    b"A99-99-999999",      // Philippines
    b"99999/99/9999",      // Poland
    b"99-99-999999",       // Russia
    b"9999-999999",        // Russia
];

/// The same, in forms that are telling: whose licence it is need not be said.
const LONG_LICENCES: &[&[u8]] = &[
    b"A999-9999-9999-99", // Wisconsin
    b"A999-9999-9999",    // Illinois
    b"A999-999-99-999-9", // Florida
    b"A999-999-999-999",  // Michigan
    b"A-999-999-999-999", // Maryland, Michigan, Minnesota
    b"A9999-99999-99999", // New Jersey, Ontario
    b"A9999-999999-99",   // Quebec
];

/// Passports written with a space or a dash.
const PASSPORTS: &[&[u8]] = &[
    b"AA-99999",
    b"AA-999999",
    b"AA-9999999",
    b"AA-99999999",
    b"A-9999999",
    b"A-99999999",
    b"AAA-999999",
    b"99-9999999", // Russia, abroad
    b"99-99-999999",
    b"9999-999999", // Russia, at home
    b"999-999-999",
];

/// Short words that may come between the name of a document and its number.
const NO_PREFIX: &[&[u8]] =
    &[b"NO", b"NR", b"ID", b"IS", b"DL", b"NUM", b"N", b"AND", b"THE", b"WAS", b"FOR", b"A"];

/// Checks a word that contains a digit.
pub(super) fn word(scan: &mut Scan<'_>, start: usize, end: usize) {
    let text = scan.text;
    if !(scan.wants(Passport) || scan.wants(UsDriverLicense) || scan.wants(BankAccount)) {
        return;
    }
    // A later group: the beginning of the value was already checked.
    if matches!(before(text, start), b'_' | b'/' | b'.' | b'+') || end - start > 18 {
        return;
    }
    let context = scan.context(start);
    let named = context.names_any(BY_CONTEXT);
    if !named && !context.licence {
        return;
    }
    let plain = if context.licence { 0.7 } else { PLAIN };
    let long = forms(scan, start, LONG_LICENCES, UsDriverLicense, (plain, 0.85), "licence/form");
    if !named {
        return;
    }
    let licence = long || forms(scan, start, LICENCES, UsDriverLicense, (PLAIN, 0.85), "licence/form");
    forms(scan, start, PASSPORTS, Passport, (PLAIN, 0.75), "passport/form");
    if !hangs(before(text, start)) {
        alone(scan, start, end, licence);
    }
}

/// Whether the characters match a form in which `-` also matches a space.
fn has_form(written: &[u8], form: &[u8]) -> bool {
    written.len() == form.len()
        && written.iter().zip(form).all(|(b, class)| match class {
            b'-' => matches!(b, b'-' | b' '),
            class => is_form(&[*b], &[*class]),
        })
}

/// Reports the first form that matches at the word; true if one did.
fn forms(
    scan: &mut Scan<'_>,
    start: usize,
    forms: &[&[u8]],
    kind: EntityType,
    scores: (f32, f32),
    rule: &'static str,
) -> bool {
    let text = scan.text;
    for form in forms {
        let Some(from) = form_start(form, start) else { continue };
        let end = from + form.len();
        let written = slice(text, from, end);
        if !has_form(written, form) || !scan::opens(text, from) || !scan::closes(text, end) {
            continue;
        }
        if hangs(before(text, from)) || (hangs(at(text, end)) && at(text, end + 1).is_ascii_alphanumeric()) {
            continue;
        }
        // A space between letters and digits separates words, unless the letters are capitals and no label.
        let lead = slice(written, 0, run_end(written, 0, |b| b.is_ascii_alphabetic()));
        let spaced = at(written, lead.len()) == b' ';
        if spaced && (lead.iter().any(u8::is_ascii_lowercase) || NO_PREFIX.contains(&lead)) {
            continue;
        }
        // Another group of digits follows: this is part of something longer.
        if at(text, end) == b' ' && at(text, end + 1).is_ascii_digit() {
            continue;
        }
        scan.weigh(kind, (from, end), scores, rule);
        return true;
    }
    false
}

/// The start of a word that may be preceded by up to three Cyrillic capitals (`ВХК676992`).
fn cyrillic_start(text: &[u8], word: usize) -> usize {
    let mut start = word;
    while word - start < 6 && matches!(slice(text, start.saturating_sub(2), start), [0xD0, 0x84..=0xAF]) {
        start -= 2;
    }
    start
}

/// A word on its own, or with more parts after dashes.
fn alone(scan: &mut Scan<'_>, start: usize, end: usize, licence: bool) {
    let text = scan.text;
    let from = cyrillic_start(text, start);
    let stop = run_end(slice(text, 0, start + 22), end, |b| b.is_ascii_alphanumeric() || b == b'-');
    let stop = if before(text, stop) == b'-' { stop - 1 } else { stop };
    let token = slice(text, start, stop);
    let word = slice(text, start, end);
    let digits = |part: &[u8]| part.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = |part: &[u8]| part.iter().filter(|b| b.is_ascii_alphabetic()).count();
    if !scan::closes(text, stop) || !one_case(token) || is_date(token) {
        return;
    }
    if stop == end && (7..=10).contains(&word.len()) {
        let capitals = word.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let named = match (digits(word), letters(word)) {
            (10, 0) => 0.55,
            // Nine digits are more likely a US passport.
            (9, 0) => 0.69,
            (2.., _) if word.len() < 10 => 0.75,
            (1, 8) if capitals => 0.7,
            _ => 0.0,
        };
        scan.weigh(Passport, (from, end), (PLAIN.min(named), named), "passport/context");
    }
    let size = digits(token) + letters(token);
    let capitals = !token.iter().any(u8::is_ascii_lowercase);
    if !licence
        && (6..=18).contains(&size)
        && (digits(token) >= 4 || (digits(token) >= 2 && size == 12 && capitals))
    {
        scan.weigh(UsDriverLicense, (from, stop), (PLAIN, 0.65), "licence/context");
    }
    if (8..=20).contains(&size) && digits(token) >= 6 && letters(token) > 0 {
        scan.weigh(BankAccount, (start, stop), (PLAIN, 0.6), "account/context");
    }
}

/// `20240115`, `2003-2004`, `2024-01-15`.
fn is_date(token: &[u8]) -> bool {
    let mut digits = [0; 8];
    let dashed = token.len() == 10 && at(token, 4) == b'-' && at(token, 7) == b'-';
    if dashed && digits_into(token, &mut digits) == 8 {
        return is_day(two(&digits, 4), two(&digits, 6));
    }
    if token.len() == 9 && at(token, 4) == b'-' && digits_into(token, &mut digits) == 8 {
        return matches!(two(&digits, 0), 19 | 20) && matches!(two(&digits, 4), 19 | 20);
    }
    token.len() == 8
        && digits_into(token, &mut digits) == 8
        && matches!(two(&digits, 0), 19 | 20)
        && is_day(two(&digits, 4), two(&digits, 6))
}

/// Letters of one case, or mixed case only right before a row of digits (`AaA123456`).
fn one_case(token: &[u8]) -> bool {
    let small = token.iter().any(u8::is_ascii_lowercase);
    let capital = token.iter().any(u8::is_ascii_uppercase);
    let lead = token.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    !(small && capital) || (lead <= 3 && token.iter().skip(lead).all(u8::is_ascii_digit))
}
