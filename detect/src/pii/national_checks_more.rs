//! Validity checks for national numbers, continued: Central and Eastern Europe, Latin America, Asia.

use super::checks::{all_same, is_day, luhn, remainder, two, weighted};

fn digit(digits: &[u8], i: usize) -> u32 {
    digits.get(i).copied().map_or(0, u32::from)
}

/// Day and month, in this order, from position `i`.
fn day_month(digits: &[u8], i: usize) -> bool {
    is_day(two(digits, i + 2), two(digits, i))
}

/// Dachverband der Sozialversicherungsträger: the fourth digit is the check digit, the last six are a date.
pub(super) fn at_svnr(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
    digit(digits, 0) != 0 && sum % 11 == digit(digits, 3) && is_day(two(digits, 6).min(12), two(digits, 4))
}

/// IDIKA: a date and Luhn.
pub(super) fn gr_amka(digits: &[u8]) -> bool {
    day_month(digits, 0) && luhn(digits)
}

/// AADE: powers of two, modulus 11.
pub(super) fn gr_afm(digits: &[u8]) -> bool {
    let sum = (digits.iter().take(8)).fold(0, |sum, d| (sum + u32::from(*d)) * 2);
    sum % 11 % 10 == digit(digits, 8) && !all_same(digits)
}

/// DEPABD: sex and century, a date, modulus 11.
pub(super) fn ro_cnp(digits: &[u8]) -> bool {
    let rest = weighted(digits, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    let check = if rest == 10 { 1 } else { rest };
    digit(digits, 0) != 0 && is_day(two(digits, 3), two(digits, 5)) && check == digit(digits, 12)
}

/// GRAO: a date whose month carries the century, modulus 11.
pub(super) fn bg_egn(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[2, 4, 8, 5, 10, 9, 7, 3, 6]);
    is_day(two(digits, 2) % 20, two(digits, 4)) && sum % 11 % 10 == digit(digits, 9)
}

/// JMBG of the former Yugoslavia: a date, modulus 11.
pub(super) fn emso(digits: &[u8]) -> bool {
    let check = 11 - weighted(digits, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    day_month(digits, 0)
        && matches!(digit(digits, 4), 0 | 9)
        && check != 10
        && check % 11 == digit(digits, 12)
}

/// Ministries of the Interior: a date (month + 50 for women, + 20 where numbers ran out), modulus 11 of the first nine.
pub(super) fn birth_number(digits: &[u8]) -> bool {
    let month = two(digits, 2) % 50;
    let month = if month > 20 { month - 20 } else { month };
    let rest = remainder(digits.get(..9).unwrap_or(&[]), 11);
    is_day(month, two(digits, 4)) && rest % 10 == digit(digits, 9)
}

/// Estonia and Lithuania: sex and century, a date, two passes of weights.
pub(super) fn baltic(digits: &[u8]) -> bool {
    let first = weighted(digits, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let second = weighted(digits, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
    let check = if first < 10 { first } else { second % 10 };
    matches!(digit(digits, 0), 1..=6) && is_day(two(digits, 3), two(digits, 5)) && check == digit(digits, 10)
}

/// PMLP: a date and a check digit, or, since 2017, a number that begins with 32 and has neither.
pub(super) fn lv_code(digits: &[u8]) -> bool {
    let check = (1 + weighted(digits, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9])) % 11 % 10;
    two(digits, 0) == 32 || (day_month(digits, 0) && check == digit(digits, 10))
}

/// Registers Iceland: a date, modulus 11, the century.
pub(super) fn kennitala(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[3, 2, 7, 6, 5, 4, 3, 2, 1]);
    let day = two(digits, 0) % 40;
    is_day(two(digits, 2), day) && sum.is_multiple_of(11) && matches!(digit(digits, 9), 0 | 8 | 9)
}

/// Federal Tax Service: numbers of companies, one check digit.
pub(super) fn ru_inn(digits: &[u8]) -> bool {
    weighted(digits, &[2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == digit(digits, 9) && !all_same(digits)
}

/// Federal Tax Service: numbers of persons, two check digits.
pub(super) fn ru_inn_person(digits: &[u8]) -> bool {
    weighted(digits, &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == digit(digits, 10)
        && weighted(digits, &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == digit(digits, 11)
        && !all_same(digits)
}

/// Social Fund of Russia: weights 9 to 1, modulus 101.
pub(super) fn snils(digits: &[u8]) -> bool {
    weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100 == two(digits, 9) && !all_same(digits)
}

/// State Tax Service: the first weight is negative.
pub(super) fn ua_rntrc(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[0, 5, 7, 9, 4, 6, 10, 5, 7]) + 11 - digit(digits, 0);
    sum % 11 % 10 == digit(digits, 9) && !all_same(digits)
}

/// ARCA: prefixes of persons and companies, modulus 11.
pub(super) fn cuit(digits: &[u8]) -> bool {
    let check = (11 - weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    matches!(two(digits, 0), 20 | 23..=27 | 30 | 33 | 34 | 50 | 51 | 55) && check == digit(digits, 10)
}

/// DIAN: prime weights, modulus 11.
pub(super) fn co_nit(digits: &[u8]) -> bool {
    let rest = weighted(digits, &[41, 37, 29, 23, 19, 17, 13, 7, 3]) % 11;
    digit(digits, 9) == if rest < 2 { rest } else { 11 - rest } && !all_same(digits)
}

/// Registro Civil: province, Luhn.
pub(super) fn ec_cedula(digits: &[u8]) -> bool {
    matches!(two(digits, 0), 1..=24 | 30) && digit(digits, 2) < 7 && luhn(digits)
}

/// SUNAT: kind of taxpayer, modulus 11.
pub(super) fn pe_ruc(digits: &[u8]) -> bool {
    let check = (11 - weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 10;
    matches!(two(digits, 0), 10 | 15 | 17 | 20) && check == digit(digits, 10)
}

/// Dukcapil: province, a date (day + 40 for women), a serial number.
pub(super) fn nik(digits: &[u8]) -> bool {
    let serial = digits.get(12..).unwrap_or(&[]).iter().any(|d| *d != 0);
    matches!(two(digits, 0), 11..=97) && is_day(two(digits, 8), two(digits, 6) % 40) && serial
}

/// JPN: a date and a place of birth.
pub(super) fn my_nric(digits: &[u8]) -> bool {
    is_day(two(digits, 2), two(digits, 4)) && !matches!(two(digits, 6), 0 | 17..=20 | 69 | 70 | 73 | 80 | 81)
}

/// NADRA: begins with a province. (The last digit, the sex, proves nothing.)
pub(super) fn pk_cnic(digits: &[u8]) -> bool {
    matches!(digit(digits, 0), 1..=7) && !all_same(digits)
}

/// National Tax Service: weights; the tens of the ninth product are added too.
pub(super) fn kr_brn(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + digit(digits, 8) * 5 / 10;
    (10 - sum % 10) % 10 == digit(digits, 9) && !all_same(digits)
}

/// Inland Revenue: two sets of weights, modulus 11.
pub(super) fn nz_ird(digits: &[u8]) -> bool {
    let mut padded = [0_u8; 9];
    for (slot, d) in padded.iter_mut().rev().zip(digits.iter().rev()) {
        *slot = *d;
    }
    let of = |weights: &[u8]| (11 - weighted(&padded, weights) % 11) % 11;
    let first = of(&[3, 2, 7, 6, 5, 4, 3, 2]);
    let check = if first == 10 { of(&[7, 4, 3, 2, 5, 2, 7, 6]) } else { first };
    let whole = padded.iter().fold(0_u32, |acc, d| acc * 10 + u32::from(*d));
    check == digit(&padded, 8) && (10_000_000..=150_000_000).contains(&whole)
}

/// ICP: country code 784, a year of birth, Luhn.
pub(super) fn emirates(digits: &[u8]) -> bool {
    digits.starts_with(&[7, 8, 4]) && matches!(two(digits, 3), 19 | 20) && luhn(digits)
}

/// ASIC: weights 8 to 1, modulus 10.
pub(super) fn acn(digits: &[u8]) -> bool {
    (10 - weighted(digits, &[8, 7, 6, 5, 4, 3, 2, 1]) % 10) % 10 == digit(digits, 8) && !all_same(digits)
}

/// RENAPER: numbers are assigned in order of birth; current ones have eight digits, and few begin above 60.
pub(super) fn ar_dni(digits: &[u8]) -> bool {
    matches!(two(digits, 0), 4..=60 | 90..=96) && !all_same(digits)
}

/// DNIC: weights, modulus 10.
pub(super) fn uy_ci(digits: &[u8]) -> bool {
    (10 - weighted(digits, &[2, 9, 8, 7, 6, 3, 4]) % 10) % 10 == digit(digits, 7) && !all_same(digits)
}

/// Bolagsverket: Luhn, and no date where personal numbers have one: the third digit is at least 2.
pub(super) fn se_organisation(digits: &[u8]) -> bool {
    digit(digits, 2) >= 2 && digit(digits, 0) != 0 && luhn(digits)
}
