//! Payment cards (ISO/IEC 7812).

use super::checks::{all_same, luhn};
use super::iban::follows_head;
use super::number::{BROKEN, Number, UNUSUAL, WIDE, WRAPPED};
use super::scan::Scan;
use crate::EntityType::CreditCard;
use crate::bytes::{at, before, slice};

/// Issuer ranges: first and last prefix (as numbers of equal length), the card lengths, and the score of a number with
/// a valid check digit when nothing else supports it.
const ISSUERS: &[(u32, u32, &[usize], f32)] = &[
    (34, 34, &[15], 0.9),                                 // American Express
    (37, 37, &[15], 0.9),                                 // American Express
    (300, 305, &[14], 0.7),                               // Diners Club
    (36, 36, &[14], 0.6),                                 // Diners Club International
    (38, 39, &[14, 16], 0.6),                             // Diners Club International
    (6011, 6011, &[16, 19], 0.95),                        // Discover
    (644, 649, &[16, 19], 0.9),                           // Discover
    (65, 65, &[16, 19], 0.9),                             // Discover
    (3528, 3589, &[16, 17, 18, 19], 0.95),                // JCB
    (2131, 2131, &[15], 0.7),                             // JCB, old
    (1800, 1800, &[15], 0.6),                             // JCB, old
    (51, 55, &[16], 0.95),                                // Mastercard
    (2221, 2720, &[16], 0.95),                            // Mastercard
    (4, 4, &[16], 0.95),                                  // Visa
    (4, 4, &[19], 0.6),                                   // Visa
    (4, 4, &[13], 0.4), // Visa, old; every fifth German article number looks like this
    (5018, 5018, &[12, 13, 14, 15, 16, 17, 18, 19], 0.6), // Maestro
    (5020, 5020, &[12, 13, 14, 15, 16, 17, 18, 19], 0.6),
    (5038, 5038, &[12, 13, 14, 15, 16, 17, 18, 19], 0.6),
    (5019, 5019, &[16], 0.8), // Dankort
    (5893, 5893, &[16], 0.6),
    (6304, 6304, &[12, 13, 14, 15, 16, 17, 18, 19], 0.5),
    (6759, 6763, &[12, 13, 14, 15, 16, 17, 18, 19], 0.5),
    (62, 62, &[16, 17, 18, 19], 0.8),                 // UnionPay
    (81, 81, &[16], 0.6),                             // UnionPay
    (60, 60, &[16], 0.6),                             // RuPay
    (508, 508, &[16], 0.6),                           // RuPay
    (2200, 2204, &[16], 0.8),                         // Mir
    (637, 639, &[16], 0.5),                           // InstaPayment
    (5066, 5067, &[16], 0.7),                         // Elo
    (5090, 5092, &[16], 0.6),                         // Elo
    (6362, 6363, &[16], 0.6),                         // Elo
    (5060, 5061, &[16, 18, 19], 0.6),                 // Verve
    (5078, 5078, &[16], 0.6),                         // Meeza
    (2205, 2205, &[16], 0.6),                         // Borica
    (8600, 8600, &[16], 0.5),                         // Uzcard
    (9860, 9860, &[16], 0.5),                         // Humo
    (9792, 9792, &[16], 0.6),                         // Troy
    (1, 1, &[15], 0.3),                               // UATP
    (56, 69, &[12, 13, 14, 15, 16, 17, 18, 19], 0.3), // Maestro's wide range
];

/// The groupings in which cards are printed and typed.
const LAYOUTS: &[&[u8]] = &[
    &[4, 4, 4, 4],
    &[4, 6, 5],
    &[4, 6, 4],
    &[4, 4, 4, 4, 3],
    &[4, 4, 4, 3],
    &[4, 4, 4, 1],
    &[4, 3, 3, 3],
    &[6, 13],
    &[4, 4, 5],
    &[8, 8],
    &[3, 4, 4, 4],
    &[4, 4, 4],
    &[4, 4, 4, 2],
    &[6, 10],
];

/// Judges a number of 12 to 19 digits.
pub(super) fn number(scan: &mut Scan<'_>, number: &Number) {
    let digits = number.digits();
    let grouped = number.layout().len() > 1;
    if digits.len() < 12 || number.glued || !scan.wants(CreditCard) {
        return;
    }
    // Table columns, lines or lists are a card only if a word names one.
    let far = matches!(number.separator, WIDE | BROKEN | WRAPPED);
    let columns = far && matches!(number.layout(), [4, 4, 4, 4] | [4, 6, 4 | 5]);
    let unusual = UNUSUAL.contains(&number.separator);
    let printed =
        (unusual || matches!(number.separator, b' ' | b'-' | b'.')) && LAYOUTS.contains(&number.layout());
    if grouped && !printed && !columns {
        return;
    }
    // Sixteen digits may be followed by a date or a security code; a shorter number, or the last piece of one, is no
    // card.
    if grouped && !columns && !unusual && number.chained && (number.separator != b' ' || digits.len() < 15) {
        return;
    }
    if all_same(digits) || !luhn(digits) || follows_head(scan.text, number.start) {
        return;
    }
    // Outside the known ranges a check digit is proof only if a word names a card.
    let Some(base) = issuer(digits) else {
        scan.weigh(CreditCard, (number.start, number.end), (0.0, 0.75), "card/luhn");
        return;
    };
    // When the number is grouped like a printed card, the score rises.
    let listed = b",;|:=+*";
    let plain = if columns || is_row(scan.text, number) || listed.contains(&number.separator) {
        0.0
    } else if unusual {
        base.min(0.6)
    } else if grouped {
        (base + 0.15).min(1.0)
    } else {
        base
    };
    scan.weigh(CreditCard, (number.start, number.end), (plain, 1.0), "card/luhn");
}

/// How many groups of four digits before a number are examined: as many as fit in the context window.
const ROW: usize = 11;

/// Whether a number in groups of four is a part of a longer row of them (`3658 4130 8338 4452 …`): two or more groups
/// precede it, one follows it, and no card is among those before it. A date or a phone number before a card is shorter.
fn is_row(text: &[u8], number: &Number) -> bool {
    if number.separator != b' ' || !number.layout().starts_with(&[4, 4]) {
        return false;
    }
    let group = |start: usize| {
        let group = slice(text, start, start + 5);
        let digits = group.len() == 5 && group.iter().take(4).all(u8::is_ascii_digit) && at(group, 4) == b' ';
        digits && !before(text, start).is_ascii_digit()
    };
    let groups = (1..=ROW).take_while(|n| number.start.checked_sub(5 * n).is_some_and(group)).count();
    let behind = slice(text, number.end, number.end + 5);
    let goes_on = behind.len() == 5 && at(behind, 0) == b' ' && behind.iter().skip(1).all(u8::is_ascii_digit);
    let card = |first: usize| {
        let start = number.start - 5 * first;
        let digits: Vec<u8> =
            slice(text, start, start + 19).iter().filter(|b| b.is_ascii_digit()).map(|b| b - b'0').collect();
        luhn(&digits) && issuer(&digits).is_some()
    };
    goes_on && groups >= 2 && !(4..=groups).any(card)
}

fn issuer(digits: &[u8]) -> Option<f32> {
    let prefix = |length: u32| digits.iter().take(length as usize).fold(0, |acc, d| acc * 10 + u32::from(*d));
    ISSUERS
        .iter()
        .find(|(first, last, lengths, _)| {
            let value = prefix(first.checked_ilog10().unwrap_or(0) + 1);
            (*first..=*last).contains(&value) && lengths.contains(&digits.len())
        })
        .map(|(.., score)| *score)
}
