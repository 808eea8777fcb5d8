//! Numbers: the grammar of RFC 8259 § 6, restricted to values that every parser preserves.

use std::borrow::Cow;

use crate::error::{DECIMALS, OVERFLOW, WireError, malformed};

/// The number of integer digits from which a number may identify a person (an SSN or phone number has nine or ten,
/// and a policy's own patterns are of similar length), so that it is listed as a text.
const LARGE: usize = 7;

/// Whether a number is listed as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Fewer than seven digits before the point.
    Small,
    /// Seven or more.
    Large,
}

/// The parts of a number token.
struct Parts {
    len: usize,
    /// Digits before the point.
    integer: usize,
    /// Digits after the point.
    fraction: usize,
    /// Length of the exponent with its `e`; 0 without one.
    exponent: usize,
}

fn parts(text: &str) -> Result<Parts, &'static str> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
    let minus = usize::from(bytes.first() == Some(&b'-'));
    let integer = digits(minus);
    if integer == 0 {
        return Err("expected a digit");
    }
    if integer > 1 && bytes.get(minus) == Some(&b'0') {
        return Err("number with a leading zero");
    }
    let mut len = minus + integer;
    let mut fraction = 0;
    if bytes.get(len) == Some(&b'.') {
        fraction = digits(len + 1);
        if fraction == 0 {
            return Err("expected a digit after the decimal point");
        }
        len += 1 + fraction;
    }
    let mut exponent = 0;
    if let Some(b'e' | b'E') = bytes.get(len) {
        let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
        let count = digits(len + 1 + sign);
        if count == 0 {
            return Err("expected a digit in the exponent");
        }
        exponent = 1 + sign + count;
        len += exponent;
    }
    Ok(Parts { len, integer, fraction, exponent })
}

/// Reads the number at the start of `text`, which is at `offset` in the document; returns its length and size.
///
/// Besides bad grammar, this refuses values that overflow or vanish in a double (`1e400`, `1e-400`), and integers
/// beyond 64 bits, which parsers round, wrap or reject, each in its own way.
pub(crate) fn read(text: &str, offset: usize) -> Result<(usize, Size), WireError> {
    let parts = parts(text).or_else(|reason| malformed(offset, reason))?;
    let token = text.get(..parts.len).unwrap_or_default();
    let whole = parts.fraction == 0 && parts.exponent == 0;
    if whole && parts.integer >= 19 && token.parse::<i64>().is_err() && token.parse::<u64>().is_err() {
        return malformed(offset, "integer beyond 64 bits");
    }
    if parts.exponent > 0 || parts.integer > 300 {
        let significant =
            token.bytes().take_while(|b| !matches!(b, b'e' | b'E')).any(|b| (b'1'..=b'9').contains(&b));
        match token.parse::<f64>() {
            Ok(value) if value.is_finite() && (value != 0.0 || !significant) => {}
            _ => return malformed(offset, OVERFLOW),
        }
    }
    if parts.fraction > 1000 {
        return malformed(offset, DECIMALS);
    }
    let large = parts.integer >= LARGE || (parts.exponent > 0 && integer_digits(token) >= LARGE);
    Ok((parts.len, if large { Size::Large } else { Size::Small }))
}

fn integer_digits(token: &str) -> usize {
    plain_digits(token).bytes().take_while(|b| *b != b'.').filter(u8::is_ascii_digit).count()
}

/// The maximum number of zeros written out when an exponent is resolved.
const MAX_ZEROS: u64 = 40;

/// The number as people write it: with the exponent resolved and a zero fraction removed, so that `4.1e15` and
/// `4100000000000000.0` become the digits they stand for. Numbers too long to write out stay as they are.
pub(crate) fn plain_digits(token: &str) -> Cow<'_, str> {
    if token.contains(['e', 'E']) {
        return written_out(token).map_or(Cow::Borrowed(token), Cow::Owned);
    }
    match token.split_once('.') {
        Some((integer, fraction)) if fraction.bytes().all(|b| b == b'0') => Cow::Borrowed(integer),
        _ => Cow::Borrowed(token),
    }
}

/// The number without its exponent, however far the exponent and surrounding zeros move the point.
fn written_out(token: &str) -> Option<String> {
    let (negative, digits, exponent) = decimal(token);
    // The position of the point within the digits, or outside of them.
    let point = digits.len() as i64 + exponent;
    let zeros = |count: u64| (count <= MAX_ZEROS).then(|| "0".repeat(count as usize));
    let number = match usize::try_from(point) {
        _ if digits.is_empty() => "0".to_owned(),
        Ok(0) | Err(_) => format!("0.{}{digits}", zeros(point.unsigned_abs())?),
        Ok(at) => match digits.split_at_checked(at) {
            Some((integer, "")) => integer.to_owned(),
            Some((integer, fraction)) => format!("{integer}.{fraction}"),
            None => digits.clone() + &zeros(exponent.unsigned_abs())?,
        },
    };
    Some(if negative { format!("-{number}") } else { number })
}

/// Whether a double represents a number token exactly, so that all parsers get the same value. A token that is not a
/// number counts as exact.
pub(crate) fn is_exact(token: &str) -> bool {
    token.parse::<f64>().map_or(true, |value| decimal(token) == decimal(&format!("{value:e}")))
}

/// A number's sign, its digits without leading and trailing zeros, and its power of ten.
fn decimal(token: &str) -> (bool, String, i64) {
    let (negative, token) = token.strip_prefix('-').map_or((false, token), |rest| (true, rest));
    let (mantissa, exponent) = token.split_once(['e', 'E']).unwrap_or((token, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{integer}{fraction}");
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return (false, String::new(), 0);
    }
    let zeros = (digits.len() - significant.len()) as i64;
    let exponent = exponent.parse::<i64>().unwrap_or_default() - fraction.len() as i64 + zeros;
    (negative, significant.to_owned(), exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        for (token, want) in [
            ("4111111111111111", "4111111111111111"),
            ("4111111111111111.0", "4111111111111111"),
            ("4.111111111111111e15", "4111111111111111"),
            ("4111111111111111000e-3", "4111111111111111"),
            ("-12.5e1", "-125"),
            ("12.5", "12.5"),
            ("1.25E1", "12.5"),
            ("5e-3", "0.005"),
            ("0e5", "0"),
            ("1e300", "1e300"),
            ("1e-300", "1e-300"),
            ("1.5e-2", "0.015"),
            ("15e-2", "0.15"),
            ("-12e1", "-120"),
            (&format!("536904399{}e-45", "0".repeat(45)), "536904399"),
            (&format!("-536904399{}e-281", "0".repeat(281)), "-536904399"),
            (&format!("0.{}536904399e54", "0".repeat(45)), "536904399"),
            (&format!("0.{}4111111111111111e1015", "0".repeat(999)), "4111111111111111"),
            ("536904399e-00000000000000000000002", "5369043.99"),
        ] {
            assert_eq!(plain_digits(token), want, "{token}");
        }
    }

    #[test]
    fn a_double_keeps_what_most_numbers_say() {
        for exact in [
            "0",
            "-0",
            "0.0",
            "10",
            "10.0",
            "1e1",
            "0.1",
            "1.50",
            "-2.5E-3",
            "1e300",
            "9007199254740992",
            "null",
        ] {
            assert!(is_exact(exact), "{exact}");
        }
        for inexact in
            ["9007199254740992.4", "9007199254740993", "9223372036854775807", "0.10000000000000000001"]
        {
            assert!(!is_exact(inexact), "{inexact}");
        }
    }

    #[test]
    fn numbers_that_readers_disagree_on_are_refused() {
        let all = |text: &str| read(text, 0).map(|(len, _)| len == text.len());
        for good in
            ["0", "-0", "12", "1.5", "1e5", "18446744073709551615", "-9223372036854775808", "0e400", "1e-300"]
        {
            assert_eq!(all(good), Ok(true), "{good}");
        }
        for bad in
            ["-", "01", "1.", "1e", "1e+", "18446744073709551616", "-9223372036854775809", "1e400", "1e-400"]
        {
            assert!(all(bad).is_err(), "{bad}");
        }
        assert_eq!(read("123456,", 0), Ok((6, Size::Small)));
        assert_eq!(read("1234567", 0), Ok((7, Size::Large)));
        assert_eq!(read("1.2345678e7", 0), Ok((11, Size::Large)));
        assert_eq!(read("0.0023064255", 0), Ok((12, Size::Small)));
    }
}
