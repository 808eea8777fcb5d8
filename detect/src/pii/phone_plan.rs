//! Which groups of digits are telephone numbers: the North American plan, international numbers by country code, and
//! other national numbers by trunk zero, grouping and context.

use super::phone::{DASH, DOT, Dialled, SLASH, SPACE};

/// Dashes and spaces between groups.
const DASH_SPACE: u8 = DASH | SPACE;

/// The score alone, the score after a word that names a telephone, and the rule that matched.
pub(super) fn judge(dialled: &Dialled) -> Option<(f32, f32, &'static str)> {
    let digits = dialled.digits();
    if digits.iter().all(|d| Some(d) == digits.first()) {
        return None;
    }
    // 2^31 and 2^32, and the numbers right before them: limits of integers.
    if matches!(digits, [2, 1, 4, 7, 4, 8, 3, 6, 4, 7 | 8] | [4, 2, 9, 4, 9, 6, 7, 2, 9, 5 | 6]) {
        return None;
    }
    if dialled.plus {
        return international(digits).then_some((0.75, 0.95, "phone/international"));
    }
    let layout = dialled.layout();
    // `0123456789`: digits in sequence.
    if layout.len() == 1 && counts_up(digits) {
        return Some((0.1, 0.65, "phone/bare"));
    }
    // `0399 0308 0301`: character codes.
    if matches!(layout, [4, 4, 4]) && digits.iter().step_by(4).all(|d| *d == 0) {
        return None;
    }
    // `2.75 8.6 14.2`: decimals.
    if dialled.separators & (DOT | SPACE) == DOT | SPACE && !dialled.bracket {
        return None;
    }
    // `0.3.5 (2018-01-14)`: a release and its date.
    let century = digits.len().checked_sub(8).map(|at| (digits.get(at), digits.get(at + 1)));
    let dated = matches!(layout, [.., 4, 2, 2] | [1 | 2, 8]);
    if dated && matches!(century, Some((Some(1), Some(9)) | (Some(2), Some(0)))) {
        return None;
    }
    // `17.03.2032`: a date.
    if dialled.separators == DOT && matches!(layout, [2, 2, 4]) && day_of(digits) {
        return None;
    }
    // `05-17-23-38-44-59`: lottery numbers.
    if matches!(layout, [2, 2, 2, 2, 2, 2]) && dialled.separators == DASH {
        return None;
    }
    // The groupings of a social security number and of a ZIP+4 postal code.
    if matches!(layout, [3, 2, 4]) || (matches!(layout, [5, 4]) && dialled.separators == DASH) {
        return Some((0.1, 0.7, "phone/groups"));
    }
    let (digits, layout, one) = match (digits, layout) {
        ([1, rest @ ..], [1, groups @ ..]) if rest.len() == 10 => (rest, groups, true),
        ([1, rest @ ..], [11]) if rest.len() == 10 => (rest, &[10_usize] as &[usize], true),
        _ => (digits, layout, false),
    };
    let trunk = digits.first() == Some(&0) && digits.get(1).is_some_and(|d| *d != 0);
    if digits.len() == 10 && matches!(layout, [3, 3, 4]) && (!trunk || dialled.separators != SPACE) {
        return Some(north_american(dialled, digits, one));
    }
    // `08-331/2023`, `030/5157/24`: a file number with its year.
    if is_file(dialled, digits, layout) {
        return Some((0.2, 0.65, "phone/groups"));
    }
    // The two zeros are in one group: `0.035662483` is a fraction.
    let abroad = starts_double_zero(digits) && layout.len() > 1 && layout.first() != Some(&1);
    if abroad && digits.len() >= 10 && international(digits.get(2..)?) {
        return Some((0.55, 0.9, "phone/international"));
    }
    national(dialled, digits, layout, one)
}

/// Whether a year follows a slash, or at most two digits the second one: nobody writes a telephone number like that.
fn is_file(dialled: &Dialled, digits: &[u8], layout: &[usize]) -> bool {
    let year = matches!((layout, digits), ([.., 4], [.., 1, 9, _, _] | [.., 2, 0, _, _]));
    let short = matches!(layout, [_, _, 1 | 2]);
    !dialled.bracket && (dialled.slash_last && year || dialled.slashes == 2 && short)
}

/// Whether eight digits are a day and a month, in either order, and a year from 1900 to 2099.
fn day_of(digits: &[u8]) -> bool {
    let [a, b, c, d, century @ .., _, _] = digits else { return false };
    let (first, second) = (a * 10 + b, c * 10 + d);
    let (small, large) = (first.min(second), first.max(second));
    matches!(century, [1, 9] | [2, 0]) && (1..=12).contains(&small) && (1..=31).contains(&large)
}

fn starts_double_zero(digits: &[u8]) -> bool {
    matches!(digits, [0, 0, ..])
}

/// Whether each digit is one more than the one before it, with 0 after 9.
fn counts_up(digits: &[u8]) -> bool {
    digits.len() >= 8 && digits.windows(2).all(|pair| matches!(pair, [a, b] if (*a + 1) % 10 == *b))
}

fn north_american(dialled: &Dialled, digits: &[u8], one: bool) -> (f32, f32, &'static str) {
    let plausible = |i: usize| digits.get(i).is_some_and(|d| *d >= 2);
    let valid = plausible(0) && plausible(3);
    let uniform = matches!(dialled.separators, SPACE | DASH | DOT | SLASH);
    let base: f32 = match (dialled.bracket, valid) {
        (true, true) => 0.8,
        (true, false) => 0.6,
        // `252.227-7013`: a clause of the US procurement rules.
        (false, true) if dialled.separators == DOT | DASH => 0.45,
        (false, true) if dialled.separators == DASH || !uniform => 0.7,
        (false, true) if dialled.separators == DOT => 0.65,
        (false, true) => 0.55,
        (false, false) if dialled.separators == DASH => 0.5,
        (false, false) => 0.4,
    };
    (if one { (base + 0.1).min(0.9) } else { base }, 0.9, "phone/north-american")
}

fn national(
    dialled: &Dialled,
    digits: &[u8],
    layout: &[usize],
    one: bool,
) -> Option<(f32, f32, &'static str)> {
    let trunk = digits.first() == Some(&0) && digits.get(1).is_some_and(|d| *d != 0);
    let count = digits.len();
    let grouped = layout.len() > 1;
    let short_groups = layout.iter().skip(1).all(|l| (2..=8).contains(l)) || layout.iter().all(|l| *l <= 5);
    // `0034603798153`: an international number without spaces.
    if !grouped && count >= 11 && starts_double_zero(digits) && digits.get(2..).is_some_and(international) {
        return Some((0.2, 0.85, "phone/international"));
    }
    Some(match (grouped, count) {
        // More likely a part number than a telephone number: it ends in two digits.
        (true, _) if dialled.separators == DASH && matches!(layout, [3, 4, 2] | [3, 5, 2] | [5, 4, 2]) => {
            (0.3, 0.75, "phone/groups")
        }
        // Indian mobile numbers. Ranges of numbers have rounder ends.
        (true, 10)
            if dialled.separators == DASH
                && matches!((layout, digits), ([5, 5], [6..=9, ..]))
                && !matches!(digits, [.., 0, 0] | [.., 9, 9] | [_, _, _, 0, 0, ..]) =>
        {
            (0.5, 0.85, "phone/groups")
        }
        // Russian numbers, with the trunk prefix 8.
        (true, 11)
            if matches!((layout, digits), ([1, 3, 3, 2, 2], [8, 3 | 4 | 8 | 9, ..]))
                && matches!(dialled.separators, DASH | DASH_SPACE) =>
        {
            (0.6, 0.9, "phone/trunk")
        }
        // A range, from one number to another.
        (true, 10..=12)
            if dialled.separators == DASH && layout.len() == 2 && layout.iter().all(|l| *l >= 5) =>
        {
            (0.3, 0.75, "phone/groups")
        }
        // A decimal, as in the time stamps of a kernel log.
        (true, 9..=12) if trunk && dialled.separators == DOT && layout.len() == 2 => {
            (0.3, 0.85, "phone/trunk")
        }
        (true, 9..=12) if trunk && short_groups && layout.first().is_some_and(|l| *l > 1) => {
            // A zero, an area code, groups: the form of most of the world's numbers.
            let base = if dialled.bracket || layout.len() >= 3 { 0.6 } else { 0.5 };
            (base, 0.9, "phone/trunk")
        }
        (true, 8..=12) if dialled.bracket => (0.55, 0.85, "phone/bracket"),
        // Mobile numbers of Brazil and Spain.
        (true, 11) if matches!((layout, digits), ([2, 5, 4], [_, _, 9, ..])) => (0.6, 0.9, "phone/groups"),
        (true, 9) if matches!((layout, digits), ([3, 2, 2, 2], [6 | 7 | 9, ..])) => {
            (0.5, 0.85, "phone/groups")
        }
        (true, 7..=12) if layout.len() >= 3 && short_groups && !date_like(layout) => {
            (0.3, 0.75, "phone/groups")
        }
        (true, 7) if matches!(layout, [3, 4]) => (0.35, 0.8, "phone/local"),
        (true, 6..=12) => (0.2, 0.65, "phone/groups"),
        (false, 10..=11) if trunk => (0.5, 0.85, "phone/trunk"),
        (false, 12) if trunk => (0.2, 0.8, "phone/trunk"),
        (false, 10) => (if one { 0.35 } else { 0.25 }, 0.8, "phone/bare"),
        (false, 11) if matches!(digits, [1, 3..=9, ..]) => (0.35, 0.85, "phone/mobile-cn"),
        (false, 7..=12) => (0.1, 0.65, "phone/bare"),
        _ => return None,
    })
}

fn date_like(layout: &[usize]) -> bool {
    matches!(
        layout,
        [4, 2, 2] | [2, 2, 4] | [1, 2, 4] | [2, 1, 4] | [1, 1, 4] | [4, 1, 1] | [4, 1, 2] | [4, 2, 1]
    )
}

/// Whether digits are a country code (ITU-T E.164) and a national number of a plausible length.
fn international(digits: &[u8]) -> bool {
    let Some(code) = country_code(digits) else { return false };
    let rest = digits.len().saturating_sub(code);
    match digits {
        [1, ..] => rest == 10 || (rest == 11 && digits.get(1) == Some(&0)),
        _ => (5..=13).contains(&rest),
    }
}

/// The length of the country code: one digit for 1 and 7, two for the codes listed here, three for all others.
fn country_code(digits: &[u8]) -> Option<usize> {
    let (first, second) = (*digits.first()?, *digits.get(1)?);
    match (first, second) {
        (0, _) => None,
        (1 | 7, _) => Some(1),
        (2, 0 | 7)
        | (3, 0 | 1 | 2 | 3 | 4 | 6 | 9)
        | (4, 0 | 1 | 3..=9)
        | (5, 1..=8)
        | (6, 0..=6)
        | (8, 1 | 2 | 4 | 6)
        | (9, 0..=5 | 8) => Some(2),
        _ => Some(3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn country_codes_have_their_lengths() {
        for (digits, length) in [
            (&[1, 2, 1][..], Some(1)),
            (&[4, 4, 2], Some(2)),
            (&[3, 5, 3], Some(3)),
            (&[9, 7, 2], Some(3)),
            (&[0, 4, 4], None),
        ] {
            assert_eq!(country_code(digits), length);
        }
    }
}
