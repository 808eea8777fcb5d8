//! International bank account numbers (ISO 13616) and account numbers by context.

use super::checks::mod97;
use super::number::Number;
use super::scan::{self, Scan};
use super::word::hangs;
use crate::EntityType::{BankAccount, IbanCode};
use crate::bytes::{at, before, slice, starts_with_fold};

/// Country and length, from the SWIFT IBAN registry or, for countries not in it yet, as their banks use them.
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AO", 25),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BF", 28),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BJ", 28),
    (b"BR", 29),
    (b"BY", 28),
    (b"CF", 27),
    (b"CG", 27),
    (b"CH", 21),
    (b"CI", 28),
    (b"CM", 27),
    (b"CR", 22),
    (b"CV", 25),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"DZ", 26),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GA", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GQ", 27),
    (b"GR", 27),
    (b"GT", 28),
    (b"GW", 25),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IR", 26),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KM", 27),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MA", 28),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MG", 27),
    (b"MK", 19),
    (b"ML", 28),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"MZ", 25),
    (b"NE", 28),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SN", 28),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TD", 27),
    (b"TG", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// The maximum length of a group that consists of letters only: a bank code.
const BANK: usize = 4;

/// Checks a word that begins with a country code and two digits, alone or attached to a word of letters (`iban-DE89…`).
pub(super) fn word(scan: &mut Scan<'_>, start: usize) {
    let text = scan.text;
    // `IBANDE89 3704 …`: the name without a space after it.
    let start = if starts_with_fold(text, start, b"iban") { start + 4 } else { start };
    let begins = match slice(text, start, start + 4) {
        [a, b, c, d] => {
            [a, b].iter().all(|b| b.is_ascii_alphabetic()) && [c, d].iter().all(|b| b.is_ascii_digit())
        }
        _ => false,
    };
    let piece = hangs(before(text, start)) && before(text, start.saturating_sub(1)).is_ascii_digit();
    if !begins || piece || !scan.wants(IbanCode) {
        return;
    }
    let country = [at(text, start).to_ascii_uppercase(), at(text, start + 1).to_ascii_uppercase()];
    let Some((_, length)) = LENGTHS.iter().find(|(code, _)| **code == country) else { return };
    let mut buffer = [0_u8; 34];
    let mut count = 0;
    let mut i = start;
    // The number of letters since the last separator; a longer group of letters is a word.
    let mut letters = Some(0);
    while count < *length {
        let b = at(text, i);
        if b.is_ascii_alphanumeric() {
            if let Some(slot) = buffer.get_mut(count) {
                *slot = b;
            }
            count += 1;
            letters = letters.filter(|_| b.is_ascii_alphabetic()).map(|letters| letters + 1);
        } else if matches!(b, b' ' | b'-') && at(text, i + 1).is_ascii_alphanumeric() {
            if letters.is_some_and(|letters| letters > BANK) {
                return;
            }
            letters = Some(0);
        } else {
            return;
        }
        i += 1;
    }
    if letters.is_some_and(|letters| letters > BANK) {
        return;
    }
    if !scan::closes(text, i) && at(text, i) != b'_' {
        return;
    }
    let Some(number) = buffer.get(..count) else { return };
    let upper = number.iter().take(2).all(u8::is_ascii_uppercase);
    let rearranged = number.iter().skip(4).chain(number.iter().take(4)).copied();
    if mod97(rearranged) == Some(1) {
        scan.report(IbanCode, start, i, if upper { 1.0 } else { 0.8 }, "iban/mod97");
    }
}

/// Whether the groups of four right before `start` lead back to a country code and two digits: this is then part of an
/// account number, valid or not.
pub(super) fn follows_head(text: &[u8], start: usize) -> bool {
    let mut end = start;
    for _ in 0..8 {
        let group = match end.checked_sub(5) {
            Some(from) if before(text, end) == b' ' => slice(text, from, from + 4),
            _ => return false,
        };
        match group {
            [a, b, c, d]
                if a.is_ascii_uppercase()
                    && b.is_ascii_uppercase()
                    && c.is_ascii_digit()
                    && d.is_ascii_digit() =>
            {
                return !before(text, end - 5).is_ascii_alphanumeric();
            }
            _ if group.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) => end -= 5,
            _ => return false,
        }
    }
    false
}

/// An account number: nothing but digits, so a word must name it.
pub(super) fn account(scan: &mut Scan<'_>, number: &Number) {
    if !scan.wants(BankAccount) || number.glued || number.separator != 0 {
        return;
    }
    if (6..=17).contains(&number.digits().len()) && before(scan.text, number.start) != b'*' {
        scan.weigh(BankAccount, (number.start, number.end), (0.05, 0.6), "account/context");
    }
}
