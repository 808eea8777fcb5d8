//! Network addresses.

use std::net::Ipv6Addr;
use std::str::FromStr;

use super::number::{Number, labelled};
use super::scan::{self, Scan};
use crate::EntityType::{IpAddress, MacAddress};
use crate::bytes::{at, before, run_end, run_start, slice};

/// An IPv4 address: four groups with dots.
pub(super) fn quad(scan: &mut Scan<'_>, number: &Number) {
    if !scan.wants(IpAddress) || number.separator != b'.' || number.layout().len() != 4 {
        return;
    }
    let text = scan.text;
    // A port or a prefix length may follow; another part may not.
    let next = at(text, number.end);
    let more = at(text, number.end + 1);
    let goes_on = matches!(next, b'.' | b'-' | b'_') && more.is_ascii_alphanumeric();
    if goes_on || glued_left(scan, number.start) {
        return;
    }
    let (mut position, mut greatest) = (0, 0);
    for length in number.layout() {
        let length = usize::from(*length);
        let group = number.digits().get(position..position + length).unwrap_or(&[]);
        let value = group.iter().take(4).fold(0_u32, |acc, d| acc * 10 + u32::from(*d));
        if length > 3 || value > 255 || (length > 1 && group.first() == Some(&0)) {
            return;
        }
        position += length;
        greatest = greatest.max(value);
    }
    let low = greatest <= FEW && !is_reached(text, number);
    let plain = if low || is_heading(text, number) { 0.4 } else { 0.65 };
    scan.weigh(IpAddress, (number.start, number.end), (plain, 0.95), "ip/v4");
}

/// Versions, sections and standards have no part greater than this; one address in four thousand has none either.
const FEW: u32 = 31;

/// Whether an address with only such parts is probably one after all: it is private or a public resolver, or follows a
/// slash, or a port or a prefix length follows it.
fn is_reached(text: &[u8], number: &Number) -> bool {
    let known = matches!(
        number.digits(),
        [8, 8, 8, 8] | [8, 8, 4, 4] | [1, 1, 1, 1] | [1, 0, 0, 1] | [9, 9, 9, 9] | [0, 0, 0, 0]
    );
    let private = slice(text, number.start, number.start + 3) == b"10.";
    let follows = matches!(at(text, number.end), b':' | b'/') && at(text, number.end + 1).is_ascii_digit();
    let host = match before(text, number.start) {
        b'@' => true,
        b'/' => !is_product(text, number.start),
        _ => false,
    };
    // The first field in a web server's log.
    let follows = follows || slice(text, number.end, number.end + 5) == b" - - ";
    known || private || follows || host
}

/// Whether this is rather the number of a section, a revision or a product: `6.1.2.1 Class-specific descriptor`,
/// `types.h,v 1.10.6.1`, `Chrome/9.13.15.28`.
fn is_heading(text: &[u8], number: &Number) -> bool {
    let private = matches!(
        slice(text, number.start, number.start + 4),
        [b'1', b'0', b'.', _] | b"127." | b"172." | b"192."
    );
    let revision = slice(text, number.start.saturating_sub(3), number.start) == b",v ";
    if revision || is_browser(text, number.start) || (!private && is_product(text, number.start)) {
        return true;
    }
    // Section numbers start at one and stay small.
    let digits = number.digits();
    let short = number.layout().iter().all(|length| *length <= 2) && digits.len() <= 6;
    let repeats = digits.iter().all(|digit| Some(digit) == digits.first());
    if !short || repeats || digits.contains(&0) || matches!(digits, [8, 8, 4, 4]) {
        return false;
    }
    let leads = matches!(before(text, number.start), 0 | b'\n' | b'>')
        || matches!(
            slice(text, number.start.saturating_sub(3), number.start),
            b"// " | b"/* " | b"\n# " | b"## "
        );
    let title = number.end + usize::from(at(text, number.end) == b'.');
    let title = run_end(slice(text, 0, title + 4), title, |b| b == b' ');
    leads && title > number.end && at(text, title).is_ascii_alphabetic()
}

/// Whether a browser's name and a space come before it: browser versions have four parts.
fn is_browser(text: &[u8], start: usize) -> bool {
    const BROWSERS: [&[u8]; 6] =
        [b"chrome", b"chromium", b"electron", b"webview2", b"vivaldi", b"chromedriver"];
    before(text, start) == b' ' && {
        let end = start - 1;
        let from = end.saturating_sub(16);
        let word = from + run_start(slice(text, from, end), end - from, |b| b.is_ascii_alphanumeric());
        BROWSERS.iter().any(|name| slice(text, word, end).eq_ignore_ascii_case(name))
    }
}

/// Whether a capitalised product name and a slash come before it. Host names are written in lower case.
fn is_product(text: &[u8], start: usize) -> bool {
    if before(text, start) != b'/' {
        return false;
    }
    let name = run_start(text, start - 1, |b| b.is_ascii_alphabetic());
    let name = slice(text, name, start - 1);
    at(name, 0).is_ascii_uppercase() && name.len() > 2 && name.iter().skip(1).any(u8::is_ascii_lowercase)
}

/// A version has the form of an address: only a word for addresses may be attached to one.
fn glued_left(scan: &mut Scan<'_>, start: usize) -> bool {
    let text = scan.text;
    match before(text, start) {
        b'.' | b'-' | b'_' => {
            start >= 2 && before(text, start - 1).is_ascii_alphanumeric() && !labelled(scan, start)
        }
        // `::ffff:10.0.0.1` is read as one address.
        b':' => start >= 2 && before(text, start - 1) == b':' || hex_before(text, start),
        _ => false,
    }
}

fn hex_before(text: &[u8], start: usize) -> bool {
    start >= 6 && slice(text, start - 5, start - 1).eq_ignore_ascii_case(b"ffff")
}

fn is_address(b: u8) -> bool {
    b.is_ascii_hexdigit() || b == b':' || b == b'.' || b == b'-'
}

/// An IPv6 or hardware address around a word.
pub(super) fn address(scan: &mut Scan<'_>, word: usize, word_end: usize) {
    let text = scan.text;
    hardware(scan, word, word_end);
    if before(text, word) != b':' && at(text, word_end) != b':' {
        return;
    }
    let floor = word.saturating_sub(48);
    let mut start = word;
    while start > floor && is_address(before(text, start)) {
        start -= 1;
    }
    let end = run_end(slice(text, 0, word + 48), word, is_address);
    if start == floor && floor > 0 {
        return;
    }
    // A label whose last letters could begin an address: `ip6:fd12::1`.
    if !scan::opens(text, start) {
        start = run_end(slice(text, 0, start + 4), start, |b| b != b':');
    }
    // Surrounding punctuation or a label: `at fe80::1.`, `ip:2001:db8::1`, `- ::1`.
    while start < end && matches!(at(text, start), b'.' | b'-') {
        start += 1;
    }
    if at(text, start) == b':' && at(text, start + 1) != b':' {
        start += 1;
    }
    let mut end = end;
    while end > start && matches!(before(text, end), b'.' | b'-') {
        end -= 1;
    }
    if before(text, end) == b':' && before(text, end - 1) != b':' {
        end -= 1;
    }
    v6(scan, start, end);
}

fn v6(scan: &mut Scan<'_>, start: usize, end: usize) {
    let text = scan.text;
    let written = slice(text, start, end);
    let (mut colons, mut doubled, mut dots, mut last) = (0, false, false, 0);
    for b in written {
        colons += usize::from(*b == b':');
        doubled |= *b == b':' && last == b':';
        dots |= *b == b'.';
        last = *b;
    }
    // Eight groups, unless some are omitted or the last two are written as a dotted quad: not a time of day.
    if !doubled && colons != 7 && !(colons == 6 && dots) {
        return;
    }
    if !scan.wants(IpAddress) || colons < 2 || !scan::opens(text, start) || !scan::closes(text, end) {
        return;
    }
    let valid = std::str::from_utf8(written).ok().is_some_and(|s| Ipv6Addr::from_str(s).is_ok());
    if valid {
        // Eight pairs identify a disk or a port in a storage network.
        let pairs =
            !doubled && written.len() == 23 && written.split(|b| *b == b':').all(|group| group.len() == 2);
        let plain = if pairs {
            0.4
        } else if colons >= 3 || is_plausible(text, start, written) {
            0.8
        } else {
            0.4
        };
        scan.weigh(IpAddress, (start, end), (plain, 0.95), "ip/v6");
    }
}

/// Whether two groups around `::` are an address rather than a path in code (`a1::b2`) or a slice (`x[::2]`): the
/// loopback, or a first group from the assigned ranges (RFC 4291, RFC 4193).
fn is_plausible(text: &[u8], start: usize, written: &[u8]) -> bool {
    let first = slice(written, 0, run_end(written, 0, |b| b.is_ascii_hexdigit()));
    if first.is_empty() {
        let indexed = before(text, start) == b'[' && {
            let b = before(text, start - 1);
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b')' | b']')
        };
        return written.contains(&b'.') || written.len() >= 6 || (written == b"::1" && !indexed);
    }
    first.len() == 4
        && match (at(first, 0).to_ascii_lowercase(), at(first, 1).to_ascii_lowercase()) {
            (b'2' | b'3', _) => true,
            (b'f', second) => matches!(second, b'c' | b'd' | b'e' | b'f'),
            _ => false,
        }
}

/// A MAC address: six pairs with colons or dashes, or three groups of four with dots (IEEE 802).
fn hardware(scan: &mut Scan<'_>, word: usize, word_end: usize) {
    if !scan.wants(MacAddress) {
        return;
    }
    let text = scan.text;
    // The first word with a digit may be any of the groups.
    for (size, groups, separators) in [(2, 6, &b":-"[..]), (4, 3, b".")] {
        if word_end - word != size {
            continue;
        }
        for back in 0..groups {
            let Some(start) = word.checked_sub(back * (size + 1)) else { break };
            if let Some(end) = grouped(text, start, size, groups, separators) {
                let filler = {
                    let written = slice(text, start, end);
                    written.iter().all(|b| matches!(b, b'0' | b':' | b'-' | b'.'))
                };
                let hangs = matches!(before(text, start), b':' | b'-' | b'.' | b'*');
                if scan::opens(text, start) && !filler && !hangs {
                    // `2025.1319.2631` is a file number, `04-11-19-23-38-42` are lottery numbers: hardly any real
                    // address has no letter.
                    let numbers = !slice(text, start, end).iter().any(u8::is_ascii_alphabetic);
                    let plain = if numbers && at(text, start + 2) != b':' { 0.4 } else { 0.75 };
                    scan.weigh(MacAddress, (start, end), (plain, 0.95), "mac/form");
                }
                return;
            }
        }
    }
}

fn grouped(text: &[u8], start: usize, size: usize, groups: usize, separators: &[u8]) -> Option<usize> {
    let separator = at(text, start + size);
    if !separators.contains(&separator) {
        return None;
    }
    let end = start + groups * (size + 1) - 1;
    let right = slice(text, start, end)
        .iter()
        .enumerate()
        .all(|(i, b)| if i % (size + 1) == size { *b == separator } else { b.is_ascii_hexdigit() });
    let next = at(text, end);
    let goes_on = next == separator && at(text, end + 1).is_ascii_hexdigit();
    (right && end <= text.len() && scan::closes(text, end) && !goes_on).then_some(end)
}
