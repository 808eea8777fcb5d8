//! Validity checks for identifiers of letters and digits, from each state's published rules. Words are in capitals.

use super::checks::{is_day, mod11_10, two, weighted};
use super::national_checks::cn_id_x;
use crate::bytes::{at, digits_into, slice};

/// Anything.
pub(super) fn any(_word: &[u8]) -> bool {
    true
}

/// The position of a capital letter in the alphabet, from 0.
fn letter(b: u8) -> u32 {
    u32::from(b.wrapping_sub(b'A'))
}

fn value(word: &[u8]) -> u32 {
    word.iter()
        .filter(|b| b.is_ascii_digit())
        .fold(0_u32, |acc, b| acc.wrapping_mul(10).wrapping_add(u32::from(b - b'0')))
}

/// HMRC: letters never used, prefixes never allocated, suffix A–D.
pub(super) fn nino(word: &[u8]) -> bool {
    let (first, second) = (at(word, 0), at(word, 1));
    let never = |b: u8| matches!(b, b'D' | b'F' | b'I' | b'Q' | b'U' | b'V');
    let unallocated = [b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"];
    !never(first)
        && !never(second)
        && second != b'O'
        && !unallocated.iter().any(|p| word.starts_with(*p))
        && matches!(at(word, 8), b'A'..=b'D')
}

const DNI_LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

fn dni_letter(number: u32) -> u8 {
    at(DNI_LETTERS, (number % 23) as usize)
}

/// Ministerio del Interior: check letter by modulus 23.
pub(super) fn es_nif(word: &[u8]) -> bool {
    word.last() == Some(&dni_letter(value(word))) && value(word) > 0
}

/// [`es_nif`] with X, Y, Z for 0, 1, 2.
pub(super) fn es_nie(word: &[u8]) -> bool {
    let lead = match at(word, 0) {
        b'X' => 0,
        b'Y' => 1,
        b'Z' => 2,
        _ => return false,
    };
    let digits = value(slice(word, 1, word.len() - 1));
    let width = word.len() as u32 - 2;
    word.last() == Some(&dni_letter(lead * 10_u32.pow(width.min(8)) + digits))
}

/// Agenzia delle Entrate: digits in the numeric places, a month letter, and a check letter from odd and even places.
pub(super) fn fiscal_code(word: &[u8]) -> bool {
    const ODD: [u8; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    // Homonyms get letters for digits ("omocodia"): L M N P Q R S T U V.
    let digit = |b: u8| b.is_ascii_digit() || b"LMNPQRSTUV".contains(&b);
    let places = [6, 7, 9, 10, 12, 13, 14];
    if !places.iter().all(|i| digit(at(word, *i))) || !b"ABCDEHLMPRST".contains(&at(word, 8)) {
        return false;
    }
    let mut sum = 0;
    for i in 0..15 {
        let b = at(word, i);
        let index = if b.is_ascii_digit() { u32::from(b - b'0') } else { letter(b) };
        sum += if i % 2 == 0 { u32::from(at(&ODD, index as usize)) } else { index };
    }
    letter(at(word, 15)) == sum % 26
}

/// [`fiscal_code`] with a wrong check letter: mistyped, or made up for a test.
pub(super) fn fiscal_form(word: &[u8]) -> bool {
    b"ABCDEHLMPRST".contains(&at(word, 8))
}

/// Income Tax Department: the fourth letter is the type of holder.
pub(super) fn in_pan(word: &[u8]) -> bool {
    b"ABCFGHJLPTK".contains(&at(word, 3)) && slice(word, 5, 9) != b"0000"
}

/// RENAPO: a date and a sex.
pub(super) fn curp(word: &[u8]) -> bool {
    let mut digits = [0; 6];
    digits_into(slice(word, 4, 10), &mut digits);
    is_day(two(&digits, 2), two(&digits, 4)) && matches!(at(word, 10), b'H' | b'M' | b'X')
}

/// ICA: weights, and letter tables for each prefix.
pub(super) fn nric(word: &[u8]) -> bool {
    let mut digits = [0; 7];
    digits_into(slice(word, 1, 8), &mut digits);
    let sum = weighted(&digits, &[2, 7, 6, 5, 4, 3, 2]);
    let (offset, table): (u32, &[u8; 11]) = match at(word, 0) {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"KLJNPQRTUWX"),
        _ => return false,
    };
    let index = (sum + offset) % 11;
    let index = if at(word, 0) == b'M' { 10 - index } else { index };
    at(table, index as usize) == at(word, 8)
}

/// DVLA: surname padded with 9, month (+50 for women), day, initials, check letters.
pub(super) fn uk_licence(word: &[u8]) -> bool {
    let surname = slice(word, 0, 5);
    let letters = surname.iter().take_while(|b| b.is_ascii_uppercase()).count();
    let padded = surname.iter().skip(letters).all(|b| *b == b'9');
    let mut digits = [0; 6];
    digits_into(slice(word, 5, 11), &mut digits);
    let month = two(&digits, 1) % 50;
    let initials = slice(word, 11, 13).iter().all(|b| b.is_ascii_uppercase() || *b == b'9');
    letters >= 1
        && padded
        && is_day(month, two(&digits, 3))
        && initials
        && at(word, 11).is_ascii_uppercase()
        && slice(word, 14, 16).iter().all(u8::is_ascii_uppercase)
}

/// CMS: no letters S, L, O, I, B, Z; the first digit is not 0.
pub(super) fn mbi(word: &[u8]) -> bool {
    at(word, 0) != b'0' && !word.iter().any(|b| b"SLOIBZ".contains(b))
}

/// DEA: a registrant code and a check digit.
pub(super) fn dea(word: &[u8]) -> bool {
    let mut d = [0; 7];
    digits_into(slice(word, 2, 9), &mut d);
    let odd: u32 = d.iter().step_by(2).take(3).map(|v| u32::from(*v)).sum();
    let even: u32 = d.iter().skip(1).step_by(2).map(|v| u32::from(*v)).sum();
    b"ABCDEFGHJKLMPRSTUX".contains(&at(word, 0))
        && d.last().is_some_and(|c| (odd + 2 * even) % 10 == u32::from(*c))
}

/// Deutsche Rentenversicherung: a date, the letter as two digits, weights with digit sums.
pub(super) fn de_social(word: &[u8]) -> bool {
    let mut digits = [0_u8; 12];
    let n = letter(at(word, 8)) + 1;
    let row = word.iter().take(8).map(|b| b.wrapping_sub(b'0')).chain([(n / 10) as u8, (n % 10) as u8]);
    let tail = word.iter().skip(9).take(2).map(|b| b.wrapping_sub(b'0'));
    for (slot, d) in digits.iter_mut().zip(row.chain(tail)) {
        *slot = d;
    }
    let sum: u32 = digits
        .iter()
        .zip([2_u32, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
        .map(|(d, w)| {
            let product = u32::from(*d) * w;
            product / 10 + product % 10
        })
        .sum();
    is_day(two(&digits, 4), two(&digits, 2)) && sum % 10 == u32::from(at(word, 11).wrapping_sub(b'0'))
}

pub(super) fn cn_x(word: &[u8]) -> bool {
    let mut digits = [0; 17];
    digits_into(word, &mut digits) == 17 && at(word, 17) == b'X' && cn_id_x(&digits)
}

/// INSEE: Corsican departments 2A and 2B count as 19 and 18.
pub(super) fn corsican(word: &[u8]) -> bool {
    let department = match at(word, 6) {
        b'A' => 19,
        b'B' => 18,
        _ => return false,
    };
    let mut number = 0_u64;
    for (i, b) in word.iter().take(13).enumerate() {
        let digit = match i {
            5 => department / 10,
            6 => department % 10,
            _ => u64::from(b.wrapping_sub(b'0')),
        };
        number = number.wrapping_mul(10).wrapping_add(digit);
    }
    97 - number % 97 == u64::from(value(slice(word, 13, 15)))
}

/// Digital and population data services agency: date, century sign, modulus 31.
pub(super) fn hetu(word: &[u8]) -> bool {
    const CHECK: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let sign = word.len() == 11;
    let mut digits = [0; 9];
    if digits_into(word.get(..word.len().saturating_sub(1)).unwrap_or(&[]), &mut digits) != 9 {
        return false;
    }
    let number = digits.iter().fold(0_u32, |acc, d| acc * 10 + u32::from(*d));
    is_day(two(&digits, 2), two(&digits, 0))
        && (!sign || b"ABCDEFUVWXY".contains(&at(word, 6)))
        && word.last() == Some(&at(CHECK, (number % 31) as usize))
}

/// Department of Social Protection: weights 8 to 2, a second letter weighs nine, modulus 23.
pub(super) fn pps(word: &[u8]) -> bool {
    let mut digits = [0; 7];
    digits_into(word, &mut digits);
    let second = word.get(8).map_or(0, |b| if *b == b'W' { 0 } else { letter(*b) + 1 });
    let sum = weighted(&digits, &[8, 7, 6, 5, 4, 3, 2]) + second * 9;
    at(b"WABCDEFGHIJKLMNOPQRSTUV", (sum % 23) as usize) == at(word, 7)
}

/// SAT: a date after the letters.
pub(super) fn rfc(word: &[u8]) -> bool {
    let mut digits = [0; 6];
    digits_into(word, &mut digits);
    is_day(two(&digits, 2), two(&digits, 4))
}

/// GSTN: a check character by Luhn's method in base 36.
pub(super) fn gstin(word: &[u8]) -> bool {
    let value = |b: u8| char::from(b).to_digit(36).unwrap_or(0);
    let sum: u32 = (word.iter().take(14).enumerate())
        .map(|(i, b)| {
            let product = value(*b) * if i % 2 == 0 { 1 } else { 2 };
            product / 36 + product % 36
        })
        .sum();
    (36 - sum % 36) % 36 == value(at(word, 14))
}

/// Household registration: the place letter as a number, sex, modulus 10.
pub(super) fn tw_id(word: &[u8]) -> bool {
    const PLACES: &[u8; 26] = b"\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x22\x12\x13\x14\x15\x16\x23\x17\x18\x19\x1a\x1b\x1c\x1d\x20\x1e\x1f\x21";
    let place = u32::from(at(PLACES, letter(at(word, 0)) as usize));
    let mut digits = [0; 9];
    digits_into(word, &mut digits);
    let sum = place / 10 + place % 10 * 9 + weighted(&digits, &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    matches!(at(&digits, 0), 1 | 2 | 8 | 9) && sum.is_multiple_of(10)
}

/// Bundeszentralamt für Steuern: ISO 7064 mod 11,10.
pub(super) fn de_vat(word: &[u8]) -> bool {
    let mut digits = [0; 9];
    digits_into(word, &mut digits) == 9 && mod11_10(&digits)
}

pub(super) fn it_licence(word: &[u8]) -> bool {
    let least = if word.starts_with(b"U1") { 2 } else { 4 };
    word.iter().filter(|b| b.is_ascii_digit()).count() >= least
}

/// ICAO 9303: weights 7, 3, 1 over letters and digits; German passports use no vowels.
pub(super) fn de_passport(word: &[u8]) -> bool {
    let sum: u32 = word
        .iter()
        .take(8)
        .zip([7, 3, 1, 7, 3, 1, 7, 3])
        .map(|(b, w)| char::from(*b).to_digit(36).unwrap_or(0) * w)
        .sum();
    b"CFGHJKLMNPRTVWXYZ".contains(&at(word, 0)) && sum % 10 == u32::from(at(word, 8).wrapping_sub(b'0'))
}

pub(super) fn us_passport(word: &[u8]) -> bool {
    slice(word, 1, 9).iter().any(|b| *b != b'0')
}

/// Registro Civil: modulus 11 with weights 2–7.
pub(super) fn rut(word: &[u8]) -> bool {
    let Some((check, body)) = word.split_last() else { return false };
    let sum: u32 = body
        .iter()
        .rev()
        .zip([2_u32, 3, 4, 5, 6, 7, 2, 3])
        .map(|(b, w)| u32::from(b.wrapping_sub(b'0')) * w)
        .sum();
    match 11 - sum % 11 {
        11 => *check == b'0',
        10 => *check == b'K',
        d => u32::from(check.wrapping_sub(b'0')) == d,
    }
}
