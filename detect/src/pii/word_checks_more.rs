//! Validity checks for identifiers of letters and digits, continued. Words are in capitals.

use super::checks::weighted;
use crate::bytes::{at, digits_into, slice};

/// The digits of a word, at most `N`.
fn digits<const N: usize>(word: &[u8]) -> [u8; N] {
    let mut digits = [0; N];
    digits_into(word, &mut digits);
    digits
}

/// Agencia Tributaria: a letter for the kind of company, seven digits, and a check digit or letter.
pub(super) fn es_cif(word: &[u8]) -> bool {
    let d: [u8; 7] = digits(slice(word, 1, 8));
    let sum: u32 = (d.iter().enumerate())
        .map(|(i, d)| {
            let product = u32::from(*d) * if i % 2 == 0 { 2 } else { 1 };
            product / 10 + product % 10
        })
        .sum();
    let check = ((10 - sum % 10) % 10) as u8;
    let (digit, letter) = (b'0' + check, at(b"JABCDEFGHI", usize::from(check)));
    match at(word, 0) {
        b'A' | b'B' | b'E' | b'H' => at(word, 8) == digit,
        b'N' | b'P' | b'Q' | b'R' | b'S' | b'W' => at(word, 8) == letter,
        b'C' | b'D' | b'F' | b'G' | b'J' | b'U' | b'V' => at(word, 8) == digit || at(word, 8) == letter,
        _ => false,
    }
}

/// ACRA: a business: eight digits and a check letter.
pub(super) fn uen_business(word: &[u8]) -> bool {
    let sum = weighted(&digits::<8>(word), &[10, 4, 9, 3, 8, 2, 7, 1]);
    at(b"XMKECAWLJDB", (sum % 11) as usize) == at(word, 8)
}

/// ACRA: a company: begins with the year.
pub(super) fn uen_company(word: &[u8]) -> bool {
    let sum = weighted(&digits::<9>(word), &[10, 8, 6, 4, 9, 7, 5, 3, 1]);
    let year = slice(word, 0, 2);
    (year == b"19" || year == b"20") && at(b"ZKCMDNERGWH", (sum % 11) as usize) == at(word, 9)
}

/// ACRA: any other entity: century, year, kind of entity.
pub(super) fn uen_other(word: &[u8]) -> bool {
    const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWX0123456789";
    let value = |b: u8| LETTERS.iter().position(|letter| *letter == b).map_or(0, |place| place as u32);
    let weights = [4, 3, 5, 3, 10, 2, 2, 5, 7];
    let sum: u32 = word.iter().zip(weights).map(|(b, weight)| value(*b) * weight).sum();
    matches!(at(word, 0), b'R' | b'S' | b'T') && at(LETTERS, ((sum + 6) % 11) as usize) == at(word, 9)
}

/// KRA: persons begin with A, companies with P; how the last letter is computed is not published.
pub(super) fn kra_pin(word: &[u8]) -> bool {
    matches!(at(word, 0), b'A' | b'P') && slice(word, 1, 10).iter().any(|b| *b != b'0')
}

/// SENIAT: the kind of holder is part of the sum, modulus 11.
pub(super) fn ve_rif(word: &[u8]) -> bool {
    let kind = match at(word, 0) {
        b'V' => 4,
        b'E' => 8,
        b'J' | b'C' => 12,
        b'P' => 16,
        b'G' => 20,
        _ => return false,
    };
    let sum = kind + weighted(&digits::<8>(slice(word, 1, 9)), &[3, 2, 7, 6, 5, 4, 3, 2]);
    at(b"00987654321", (sum % 11) as usize) == at(word, 9)
}

/// SAT: weights from 2 up, from the right, modulus 11; K stands for ten.
pub(super) fn gt_nit(word: &[u8]) -> bool {
    let Some((check, body)) = word.split_last() else { return false };
    if !body.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let sum: u32 = body.iter().rev().zip(2..).map(|(b, weight)| u32::from(b - b'0') * weight).sum();
    at(b"0123456789K", ((11 - sum % 11) % 11) as usize) == *check
}

/// Immigration Department: letters from A = 10, a missing first letter counts 36, weights from 9 down, modulus 11; A
/// stands for ten.
pub(super) fn hkid(word: &[u8]) -> bool {
    let value = |b: u8| char::from(b).to_digit(36).unwrap_or(0);
    let lead = if word.len() == 8 { 36 * 9 } else { 0 };
    let sum: u32 = word.iter().rev().zip(1..).map(|(b, weight)| value(*b) * weight).sum();
    matches!(word.last(), Some(b'0'..=b'9' | b'A')) && (lead + sum).is_multiple_of(11)
}

/// GKV-Spitzenverband: the letter as two digits, alternating weights 1 and 2, digit sums, modulus 10.
pub(super) fn kvnr(word: &[u8]) -> bool {
    let letter = at(word, 0).wrapping_sub(b'A') + 1;
    let row = [letter / 10, letter % 10].into_iter().chain(digits::<8>(slice(word, 1, 9)));
    let sum: u32 = row
        .zip([1, 2].into_iter().cycle())
        .map(|(d, weight)| {
            let product = u32::from(d) * weight;
            product / 10 + product % 10
        })
        .sum();
    sum % 10 == u32::from(at(word, 9).wrapping_sub(b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of public bodies and examples from issuers; with one digit changed, none is valid.
    #[test]
    fn published_examples_pass_and_a_changed_digit_fails() {
        type Check = fn(&[u8]) -> bool;
        let cases: [(Check, &[&str]); 8] = [
            (es_cif, &["A58818501", "Q2826000H", "B58378431"]),
            (uen_business, &["00192200M"]),
            (uen_company, &["197401143C"]),
            (uen_other, &["T01FC6132D"]),
            (ve_rif, &["V114702834"]),
            (gt_nit, &["576937K", "71080"]),
            (hkid, &["A1234563", "C1234569", "AB9876543"]),
            (kvnr, &["A123456780"]),
        ];
        for (valid, words) in cases {
            for word in words {
                assert!(valid(word.as_bytes()), "{word}");
                let mut other = word.as_bytes().to_vec();
                let place = other.len() - 3;
                other[place] = b'0' + (other[place] - b'0' + 1) % 10;
                assert!(!valid(&other), "{other:?}");
            }
        }
        assert!(kra_pin(b"P051365947M") && !kra_pin(b"B051365947M"));
    }
}
