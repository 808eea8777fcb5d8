//! Validity checks for national numbers, from each state's published rules.

use super::checks::{all_same, is_day, luhn, mod11_10, remainder, two, verhoeff, weighted};

fn digit(digits: &[u8], i: usize) -> u32 {
    digits.get(i).copied().map_or(0, u32::from)
}

fn value(digits: &[u8], from: usize, to: usize) -> u32 {
    digits.get(from..to).unwrap_or(&[]).iter().fold(0, |acc, d| acc * 10 + u32::from(*d))
}

/// Anything but one repeated digit.
pub(super) fn any(digits: &[u8]) -> bool {
    !all_same(digits)
}

/// Social Security Administration: area never 000, 666 or 900 and up, group never 00, serial never 0000.
pub(super) fn ssn(digits: &[u8]) -> bool {
    let (area, group, serial) = (value(digits, 0, 3), value(digits, 3, 5), value(digits, 5, 9));
    area != 0 && area != 666 && area < 900 && group != 0 && serial != 0 && !all_same(digits)
}

/// IRS: area 9xx, fourth and fifth digit in the ranges assigned to ITINs.
pub(super) fn itin(digits: &[u8]) -> bool {
    digit(digits, 0) == 9
        && !all_same(digits)
        && matches!(two(digits, 3), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// IRS: prefixes that no campus assigns.
pub(super) fn ein(digits: &[u8]) -> bool {
    !matches!(two(digits, 0), 0 | 7..=9 | 17..=19 | 28 | 29 | 49 | 69 | 70 | 78 | 79 | 89 | 96 | 97)
}

/// American Bankers Association: Federal Reserve prefix and weights 3, 7, 1.
pub(super) fn aba(digits: &[u8]) -> bool {
    matches!(two(digits, 0), 1..=12 | 21..=32 | 61..=72 | 80)
        && weighted(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}

/// CMS: Luhn over 80840 and the number.
pub(super) fn npi(digits: &[u8]) -> bool {
    let mut full = [8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (slot, d) in full.iter_mut().skip(5).zip(digits) {
        *slot = *d;
    }
    matches!(digit(digits, 0), 1 | 2) && luhn(&full)
}

/// NHS data dictionary: modulus 11.
pub(super) fn nhs(digits: &[u8]) -> bool {
    let check = 11 - weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    check % 11 == digit(digits, 9) && check != 10 && !all_same(digits)
}

/// Canada: Luhn; 0 and 8 are not issued to people.
pub(super) fn sin(digits: &[u8]) -> bool {
    luhn(digits) && !matches!(digit(digits, 0), 0 | 8) && !all_same(digits)
}

/// Australian Taxation Office: weighted sum divisible by 11.
pub(super) fn tfn(digits: &[u8]) -> bool {
    weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && !all_same(digits)
}

/// Medicare Australia: first digit 2–6, ninth is a check digit.
pub(super) fn medicare(digits: &[u8]) -> bool {
    matches!(digit(digits, 0), 2..=6)
        && weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == digit(digits, 8)
        && digit(digits, 9) != 0
}

/// Australian Business Register: one taken from the first digit, weights, modulus 89.
pub(super) fn abn(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    digit(digits, 0) != 0 && (sum - 10).is_multiple_of(89)
}

/// Bundeszentralamt für Steuern: one digit repeats among the first ten, ISO 7064 mod 11,10.
pub(super) fn de_tax_id(digits: &[u8]) -> bool {
    let mut counts = [0_u8; 10];
    for d in digits.iter().take(10) {
        if let Some(count) = counts.get_mut(usize::from(*d)) {
            *count += 1;
        }
    }
    let repeated = counts.iter().filter(|c| **c > 1).count();
    digit(digits, 0) != 0 && repeated == 1 && counts.iter().all(|c| *c <= 3) && mod11_10(digits)
}

/// INSEE: sex, month, and key = 97 − number mod 97. Corsican departments are letters and handled as words.
pub(super) fn nir(digits: &[u8]) -> bool {
    let month = two(digits, 3);
    matches!(digit(digits, 0), 1..=4 | 7 | 8)
        && (matches!(month, 1..=12 | 20 | 30..=42 | 50..=99))
        && 97 - remainder(digits.get(..13).unwrap_or(&[]), 97) == two(digits, 13)
}

/// Agenzia delle Entrate: Luhn over eleven digits; the first seven are not all 0.
pub(super) fn it_vat(digits: &[u8]) -> bool {
    luhn(digits) && value(digits, 0, 7) != 0
}

/// Autoridade Tributária: modulus 11, assigned first digits.
pub(super) fn pt_nif(digits: &[u8]) -> bool {
    let check = 11 - weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    let check = if check >= 10 { 0 } else { check };
    matches!(digit(digits, 0), 1 | 2 | 3 | 5 | 6 | 8 | 9) && check == digit(digits, 8)
}

/// RvIG: the eleven test; the last weight is negative.
pub(super) fn bsn(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2]) + 11 - digit(digits, 8);
    sum.is_multiple_of(11) && !all_same(digits)
}

/// Rijksregister: key = 97 − number mod 97, with a 2 in front for births from 2000 on.
pub(super) fn be_national(digits: &[u8]) -> bool {
    let body = remainder(digits.get(..9).unwrap_or(&[]), 97);
    // 2,000,000,000 mod 97 is 13.
    let key = two(digits, 9);
    let month = two(digits, 2) % 20;
    (month <= 12)
        && two(digits, 4) <= 31
        && (97 - body == key || 97 - (body + 2_000_000_000 % 97) % 97 == key)
}

/// Zentrale Ausgleichsstelle: country 756 and the check digit of EAN-13.
pub(super) fn ahv(digits: &[u8]) -> bool {
    value(digits, 0, 3) == 756
        && weighted(digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

/// PESEL: a date whose month carries the century, weights 1, 3, 7, 9.
pub(super) fn pesel(digits: &[u8]) -> bool {
    let month = two(digits, 2);
    is_day(month % 20, two(digits, 4))
        && weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
}

/// Skatteverket: a date (day + 60 for coordination numbers) and Luhn.
pub(super) fn se_short(digits: &[u8]) -> bool {
    let day = two(digits, 4);
    is_day(two(digits, 2), if day > 60 { day - 60 } else { day }) && luhn(digits)
}

/// [`se_short`] with the century in front.
pub(super) fn se_long(digits: &[u8]) -> bool {
    matches!(two(digits, 0), 18..=20) && se_short(digits.get(2..).unwrap_or(&[]))
}

/// CPR: a date. Numbers issued since 2007 may have no valid check digit.
pub(super) fn dk_cpr(digits: &[u8]) -> bool {
    is_day(two(digits, 2), two(digits, 0))
}

/// Skatteetaten: a date (day + 40 for D-numbers) and two check digits.
pub(super) fn no_id(digits: &[u8]) -> bool {
    let day = two(digits, 0) % 40;
    is_day(two(digits, 2) % 40, day)
        && weighted(digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
        && weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// Nüfus: two check digits.
pub(super) fn tr_id(digits: &[u8]) -> bool {
    let odd: u32 = [0, 2, 4, 6, 8].iter().map(|i| digit(digits, *i)).sum();
    let even: u32 = [1, 3, 5, 7].iter().map(|i| digit(digits, *i)).sum();
    let ten: u32 = (0..10).map(|i| digit(digits, i)).sum();
    digit(digits, 0) != 0 && (odd * 7 + 100 - even) % 10 == digit(digits, 9) && ten % 10 == digit(digits, 10)
}

fn br_check(digits: &[u8], weights: &[u8], at: usize) -> bool {
    let rest = weighted(digits.get(..at).unwrap_or(&[]), weights) % 11;
    digit(digits, at) == if rest < 2 { 0 } else { 11 - rest }
}

/// Receita Federal: two check digits.
pub(super) fn cpf(digits: &[u8]) -> bool {
    !all_same(digits)
        && br_check(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2], 9)
        && br_check(digits, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2], 10)
}

/// Receita Federal: two check digits.
pub(super) fn cnpj(digits: &[u8]) -> bool {
    !all_same(digits)
        && br_check(digits, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], 12)
        && br_check(digits, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], 13)
}

/// UIDAI: Verhoeff; never starts with 0 or 1.
pub(super) fn aadhaar(digits: &[u8]) -> bool {
    digit(digits, 0) >= 2 && verhoeff(digits) && !all_same(digits)
}

/// GB 11643: region, date of birth, ISO 7064 mod 11,2.
pub(super) fn cn_id(digits: &[u8]) -> bool {
    cn_body(digits)
        && cn_sum(digits) % 11
            == [1, 0, 10, 9, 8, 7, 6, 5, 4, 3, 2]
                .iter()
                .position(|v| *v == digit(digits, 17))
                .map_or(11, |p| p as u32)
}

/// [`cn_id`] with X as the check character.
pub(super) fn cn_id_x(digits: &[u8]) -> bool {
    cn_body(digits) && cn_sum(digits) % 11 == 2
}

fn cn_body(digits: &[u8]) -> bool {
    matches!(two(digits, 0), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83)
        && matches!(value(digits, 6, 10), 1900..=2099)
        && is_day(two(digits, 10), two(digits, 12))
}

fn cn_sum(digits: &[u8]) -> u32 {
    weighted(digits, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
}

/// J-LIS: modulus 11.
pub(super) fn my_number(digits: &[u8]) -> bool {
    let rest = weighted(digits, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    digit(digits, 11) == if rest <= 1 { 0 } else { 11 - rest } && !all_same(digits)
}

/// A date, the digit for sex and century, and a serial. Numbers issued since October 2020 have no check digit.
pub(super) fn kr_rrn(digits: &[u8]) -> bool {
    is_day(two(digits, 2), two(digits, 4)) && matches!(digit(digits, 6), 0..=9) && value(digits, 7, 13) != 0
}

/// Region codes 11–28.
pub(super) fn kr_license(digits: &[u8]) -> bool {
    matches!(two(digits, 0), 11..=28)
}

/// Department of Provincial Administration: modulus 11; never starts with 0 or 9.
pub(super) fn thai(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    matches!(digit(digits, 0), 1..=8) && (11 - sum % 11) % 10 == digit(digits, 12) && !all_same(digits)
}

/// Home Affairs: a date, a citizenship digit up to 2, Luhn.
pub(super) fn za_id(digits: &[u8]) -> bool {
    is_day(two(digits, 2), two(digits, 4)) && digit(digits, 10) <= 2 && luhn(digits)
}

/// Population registry: Luhn.
pub(super) fn il_id(digits: &[u8]) -> bool {
    luhn(digits) && !all_same(digits)
}
