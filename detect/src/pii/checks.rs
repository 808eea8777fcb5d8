//! Check digit algorithms over digits given as values 0–9.

/// ISO/IEC 7812-1 annex B ("Luhn").
pub(super) fn luhn(digits: &[u8]) -> bool {
    let mut sum = 0_u32;
    for (i, digit) in digits.iter().rev().enumerate() {
        let mut value = u32::from(*digit);
        if i % 2 == 1 {
            value *= 2;
            if value > 9 {
                value -= 9;
            }
        }
        sum += value;
    }
    !digits.is_empty() && sum.is_multiple_of(10)
}

/// The sum of each digit times its weight.
pub(super) fn weighted(digits: &[u8], weights: &[u8]) -> u32 {
    digits.iter().zip(weights).map(|(d, w)| u32::from(*d) * u32::from(*w)).sum()
}

/// ISO 7064 mod 11,10 over all digits, the last one being the check digit.
pub(super) fn mod11_10(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let mut product = 10;
    for digit in body {
        let mut sum = (u32::from(*digit) + product) % 10;
        if sum == 0 {
            sum = 10;
        }
        product = (sum * 2) % 11;
    }
    (11 - product) % 10 == u32::from(*check)
}

/// ISO 7064 mod 97,10 over letters (A = 10 … Z = 35) and digits: the remainder.
pub(super) fn mod97(characters: impl Iterator<Item = u8>) -> Option<u32> {
    let mut remainder = 0_u32;
    for c in characters {
        let value = char::from(c).to_digit(36)?;
        remainder = if value < 10 { remainder * 10 + value } else { remainder * 100 + value } % 97;
    }
    Some(remainder)
}

/// The number that the digits form, modulo `modulus`.
pub(super) fn remainder(digits: &[u8], modulus: u32) -> u32 {
    digits.iter().fold(0, |acc, d| (acc * 10 + u32::from(*d)) % modulus)
}

/// Verhoeff's dihedral check.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    // The dihedral group D5: rotations 0–4, reflections 5–9.
    fn multiply(a: u8, b: u8) -> u8 {
        match (a < 5, b < 5) {
            (true, true) => (a + b) % 5,
            (true, false) => (a + b - 5) % 5 + 5,
            (false, true) => (a - 5 + 5 - b) % 5 + 5,
            (false, false) => (a + 5 - b) % 5,
        }
    }
    fn permute(mut digit: u8, times: usize) -> u8 {
        const P: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
        for _ in 0..times % 8 {
            digit = P.get(usize::from(digit)).copied().unwrap_or(0);
        }
        digit
    }
    let check = digits.iter().rev().enumerate().fold(0, |acc, (i, d)| multiply(acc, permute(*d, i)));
    !digits.is_empty() && check == 0
}

/// Whether all digits are the same: a placeholder, not a number.
pub(super) fn all_same(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair.first() == pair.last())
}

/// Two digits from position `i` as a number.
pub(super) fn two(digits: &[u8], i: usize) -> u32 {
    let digit = |k: usize| digits.get(k).copied().map_or(0, u32::from);
    digit(i) * 10 + digit(i + 1)
}

/// Whether month and day form a possible date.
pub(super) fn is_day(month: u32, day: u32) -> bool {
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 0,
    };
    day >= 1 && day <= last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Vec<u8> {
        text.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect()
    }

    #[test]
    fn published_examples_pass_and_a_changed_digit_fails() {
        type Check = fn(&[u8]) -> bool;
        let cases: &[(&str, Check, &str)] = &[
            ("luhn", luhn, "4111 1111 1111 1111"),
            ("mod 11,10", mod11_10, "86095742719"),
            ("verhoeff", verhoeff, "2363"),
            ("verhoeff", verhoeff, "123451"),
        ];
        for (name, check, number) in cases {
            let mut digits = d(number);
            assert!(check(&digits), "{name} {number}");
            digits[1] = (digits[1] + 1) % 10;
            assert!(!check(&digits), "{name} {number} changed");
        }
        assert_eq!(mod97("3214282912345698765432161182".bytes()), Some(1));
    }

    /// Verhoeff's check detects every single error and every swap of neighbours.
    #[test]
    fn verhoeff_finds_swaps() {
        let digits = d("123451");
        for i in 0..digits.len() - 1 {
            let mut swapped = digits.clone();
            swapped.swap(i, i + 1);
            assert!(swapped == digits || !verhoeff(&swapped), "{i}");
        }
    }
}
