//! Identifiers of letters and digits.

use super::scan::{self, Scan};
use super::word_forms::{DASHED, WORDS};
use super::{iban, wallet};
use crate::EntityType::*;
use crate::bytes::{at, before, run_end, slice};

/// Looks at a word that holds a digit.
pub(super) fn word(scan: &mut Scan<'_>, start: usize, end: usize) {
    let text = scan.text;
    let length = end - start;
    if !scan::closes(text, end) {
        return;
    }
    dashed(scan, start);
    if length < 3 {
        return;
    }
    if at(text, start).is_ascii_alphabetic()
        && at(text, start + 1).is_ascii_alphabetic()
        && !hangs(before(text, start))
    {
        iban::word(scan, start);
    }
    if length >= 26 {
        wallet::word(scan, start, end);
    }
    if (6..=20).contains(&length) {
        fixed(scan, start, end);
    }
    document(scan, start, end);
}

fn hangs(b: u8) -> bool {
    matches!(b, b'-' | b'_' | b'/' | b'.' | b'+')
}

/// Whether a word, small letters read as capitals, has a form.
fn is_form(word: &[u8], form: &[u8]) -> bool {
    word.len() == form.len()
        && word.iter().zip(form).all(|(b, class)| match class {
            b'A' => b.is_ascii_alphabetic(),
            b'9' => b.is_ascii_digit(),
            b'X' => b.is_ascii_alphanumeric(),
            other => b.eq_ignore_ascii_case(other),
        })
}

fn fixed(scan: &mut Scan<'_>, start: usize, end: usize) {
    let text = scan.text;
    if hangs(before(text, start)) && before(text, start.saturating_sub(1)).is_ascii_alphanumeric() {
        return;
    }
    if hangs(at(text, end)) && at(text, end + 1).is_ascii_alphanumeric() {
        return;
    }
    let mut buffer = [0_u8; 20];
    let written = slice(text, start, end);
    let lower = written.iter().any(u8::is_ascii_lowercase);
    for (slot, b) in buffer.iter_mut().zip(written) {
        *slot = b.to_ascii_uppercase();
    }
    let word = buffer.get(..written.len()).unwrap_or(&[]);
    for rule in WORDS {
        if scan.wants(rule.kind) && rule.forms.iter().any(|form| is_form(word, form)) && (rule.valid)(word) {
            // Identifiers are written in capitals; in small letters they need a word that names them.
            let plain = if lower { rule.plain - 0.15 } else { rule.plain };
            scan.weigh(rule.kind, (start, end), (plain, rule.named), rule.name);
        }
    }
}

/// Passports, licences and accounts whose form says nothing: letters and digits after a word that names the document.
fn document(scan: &mut Scan<'_>, start: usize, end: usize) {
    let text = scan.text;
    if hangs(before(text, start)) {
        return;
    }
    let stop = run_end(slice(text, 0, start + 22), end, |b| b.is_ascii_alphanumeric() || b == b'-');
    let stop = if before(text, stop) == b'-' { stop - 1 } else { stop };
    let token = slice(text, start, stop);
    let word = slice(text, start, end);
    let digits = |part: &[u8]| part.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = |part: &[u8]| part.iter().filter(|b| b.is_ascii_alphabetic()).count();
    if !scan::closes(text, stop) || !one_case(token) {
        return;
    }
    if stop == end
        && (7..=9).contains(&word.len())
        && digits(word) >= 2
        && !(letters(word) == 0 && word.len() == 9)
    {
        scan.weigh(Passport, (start, end), (0.05, 0.75), "passport/context");
    }
    let size = digits(token) + letters(token);
    if (6..=16).contains(&size) && digits(token) >= 4 {
        scan.weigh(UsDriverLicense, (start, stop), (0.05, 0.65), "licence/context");
    }
    if (8..=20).contains(&size) && digits(token) >= 6 && letters(token) > 0 {
        scan.weigh(BankAccount, (start, stop), (0.05, 0.6), "account/context");
    }
}

/// Letters of one case, or a mixture right before a row of digits (`AaA123456`).
fn one_case(token: &[u8]) -> bool {
    let small = token.iter().any(u8::is_ascii_lowercase);
    let capital = token.iter().any(u8::is_ascii_uppercase);
    let lead = token.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    !(small && capital) || (lead <= 3 && token.iter().skip(lead).all(u8::is_ascii_digit))
}

/// Where a form starts whose first digit is in the word at `start`: there, or one word earlier if the form begins with a
/// word of letters alone.
fn form_start(form: &[u8], start: usize) -> Option<usize> {
    let lead = form.iter().take_while(|class| **class == b'A').count();
    if lead > 0 && matches!(at(form, lead), b' ' | b'-') { start.checked_sub(lead + 1) } else { Some(start) }
}

/// Identifiers written with dashes or spaces, seen from their first word with a digit.
fn dashed(scan: &mut Scan<'_>, start: usize) {
    let text = scan.text;
    if hangs(before(text, start)) {
        return;
    }
    for (rule, form) in DASHED.iter().flat_map(|rule| rule.forms.iter().map(move |form| (rule, *form))) {
        let Some(from) = form_start(form, start) else { continue };
        let written = slice(text, from, from + form.len());
        if !is_form(written, form) || !scan.wants(rule.kind) {
            continue;
        }
        if !scan::opens(text, from) || !scan::closes(text, from + form.len()) {
            continue;
        }
        let mut compact = [0_u8; 18];
        let mut n = 0;
        for b in written.iter().filter(|b| b.is_ascii_alphanumeric()) {
            if let Some(slot) = compact.get_mut(n) {
                *slot = b.to_ascii_uppercase();
                n += 1;
            }
        }
        if (rule.valid)(slice(&compact, 0, n))
            && !(hangs(at(text, from + form.len()))
                && at(text, from + form.len() + 1).is_ascii_alphanumeric())
        {
            let lower = written.iter().any(u8::is_ascii_lowercase);
            let plain = if lower { rule.plain - 0.1 } else { rule.plain };
            scan.weigh(rule.kind, (from, from + form.len()), (plain, rule.named), rule.name);
        }
    }
}
