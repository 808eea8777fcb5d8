//! Identifiers of letters and digits.

use super::scan::{self, Scan};
use super::word_forms::{Dashed, WORDS, dashed_by};
use super::{document, iban, wallet};
use crate::bytes::{at, before, slice};

/// Checks a word that contains a digit.
pub(super) fn word(scan: &mut Scan<'_>, start: usize, end: usize) {
    let text = scan.text;
    let length = end - start;
    if !scan::closes(text, end) {
        return;
    }
    let next = at(text, end + 1);
    let (grouped, spaced) = match at(text, end) {
        b'-' | b'.' | b'+' => (next.is_ascii_alphanumeric(), false),
        b'(' => (length <= 8 && at(text, end + 2) == b')', false),
        b' ' => (next.is_ascii_digit(), length >= 6),
        _ => (false, false),
    };
    // `QQ 123456C` ends with its first word that contains a digit.
    let last = length == 7 && before(text, start) == b' ';
    // So does `B-58378431`.
    let lettered = before(text, start) == b'-'
        && before(text, start.saturating_sub(1)).is_ascii_alphabetic()
        && matches!(length, 8 | 9);
    if grouped || spaced || last || lettered {
        dashed(scan, start, end);
    }
    if length >= 5 || grouped {
        document::word(scan, start, end);
    }
    if length < 3 {
        return;
    }
    iban::word(scan, start);
    if length >= 26 {
        wallet::word(scan, start, end);
    }
    if (6..=20).contains(&length) {
        fixed(scan, start, end);
    }
}

pub(super) fn hangs(b: u8) -> bool {
    matches!(b, b'-' | b'_' | b'/' | b'.' | b'+')
}

/// Whether a word matches a form, ignoring case.
pub(super) fn is_form(word: &[u8], form: &[u8]) -> bool {
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
            // Identifiers are written in capitals; in lower case they need a word that names them.
            let plain = if lower { rule.plain - 0.15 } else { rule.plain };
            scan.weigh(rule.kind, (start, end), (plain, rule.named), rule.name);
        }
    }
}

/// The start of a form whose first digit is in the word at `start`: there, or one word earlier if the form begins with
/// a word of letters only.
pub(super) fn form_start(form: &[u8], start: usize) -> Option<usize> {
    let lead = form.iter().take_while(|class| **class == b'A').count();
    if lead > 0 && matches!(at(form, lead), b' ' | b'-') { start.checked_sub(lead + 1) } else { Some(start) }
}

/// Identifiers written with dashes or spaces, found at their first word with a digit.
fn dashed(scan: &mut Scan<'_>, start: usize, end: usize) {
    let text = scan.text;
    let after = at(text, end);
    let hanging = hangs(before(text, start));
    for Dashed { rule, form, lead, sign, .. } in dashed_by(end - start) {
        // The first word with a digit must end at the form's own separator, or at the end of the form.
        let fits = (*sign == 0 || *sign == after) && !(hanging && *lead == 0);
        let Some(from) = start.checked_sub(*lead).filter(|_| fits) else { continue };
        let written = slice(text, from, from + form.len());
        if !is_form(written, form) || !scan.wants(rule.kind) || hangs(before(text, from)) {
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
