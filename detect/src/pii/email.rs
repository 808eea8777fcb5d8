//! E-mail addresses and user information in URLs, found at the `@`.

use super::scan::Scan;
use super::token_prefix;
use crate::EntityType::{ConnectionString, EmailAddress, UrlCredentials};
use crate::bytes::{at, before, run_end, slice};

/// RFC 5321 allows 64 bytes before the `@` and 255 after it.
const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 255;
/// How much of a connection string after the `@` is reported with it, in bytes: host, database name and options. The
/// secret is before the `@`.
const MAX_OPTIONS: usize = 1024;

/// Last labels that are file types, not top-level domains: `icon@2x.png`.
const FILE_TYPES: &[&[u8]] = &[
    b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"css", b"js", b"ts", b"tsx", b"jsx", b"json", b"html",
    b"mjs",
];

/// Checks an `@`.
pub(super) fn at_sign(scan: &mut Scan<'_>, i: usize) {
    let text = scan.text;
    if user_information(scan, i) {
        return;
    }
    if !scan.wants(EmailAddress) {
        return;
    }
    let Some(end) = domain(text, i + 1) else { return };
    let Some(mut start) = local(text, i) else { return };
    // `ada@example.com@relay.example`: the name before the name is included.
    if before(text, start) == b'@' {
        start = local(text, start - 1).unwrap_or(start);
    }
    // The login in a repository's SSH address is not personal.
    if slice(text, start, i) == b"git" {
        return;
    }
    // `https://ghp_…@github.com`: the login is a token.
    let login = slice(text, start.saturating_sub(3), start) == b"://";
    if login && token_prefix::read(text, start, i).is_some() {
        return;
    }
    if is_unit(slice(text, i + 1, end)) {
        return;
    }
    scan.report(EmailAddress, start, end, 0.95, "email/form");
}

/// Whether this is an instance of a systemd unit (`getty@tty5.service`): no top-level domain has these names.
fn is_unit(domain: &[u8]) -> bool {
    const KINDS: [&[u8]; 5] = [b"service", b"socket", b"timer", b"target", b"mount"];
    let mut labels = domain.split(|b| *b == b'.');
    let (_, kind) = (labels.next(), labels.next());
    labels.next().is_none() && kind.is_some_and(|kind| KINDS.contains(&kind))
}

fn is_local(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80 || b"!#$%&'*+-/=?^_`{|}~.".contains(&b)
}

/// Whether the byte belongs to a Latin, Greek or Cyrillic letter (U+00C0–U+052F except the two signs in that range):
/// ideographs and quotation marks are not part of a name.
fn is_letter(text: &[u8], i: usize) -> bool {
    let b = at(text, i);
    let lead = if b >= 0xC0 { b } else { before(text, i) };
    let tail = if b >= 0xC0 { at(text, i + 1) } else { b };
    matches!(lead, 0xC3..=0xCB | 0xCD..=0xD4) && !(lead == 0xC3 && matches!(tail, 0x97 | 0xB7))
}

/// The start of a quoted local part that ends before the `@`: `"jane roe"@example.com` (RFC 5321 § 4.1.2).
pub(super) fn quoted(text: &[u8], at_sign: usize) -> Option<usize> {
    let close = at_sign.checked_sub(1).filter(|close| at(text, *close) == b'"')?;
    let inside = slice(text, close.saturating_sub(MAX_LOCAL), close);
    let len = inside.iter().rev().take_while(|b| **b >= b' ' && **b != b'"').count();
    let open = close.checked_sub(len + 1).filter(|open| len > 0 && at(text, *open) == b'"')?;
    // Otherwise the quote ends another text.
    (!before(text, open).is_ascii_alphanumeric()).then_some(open)
}

fn local(text: &[u8], at_sign: usize) -> Option<usize> {
    let floor = at_sign.saturating_sub(MAX_LOCAL);
    let mut start = at_sign;
    while start > floor && is_local(before(text, start)) {
        start -= 1;
    }
    // Quotes, keys and paths before the name are not part of it: `'bob@…`, `email=bob@…`, `/bob@…`, `“bob@…`.
    let mut first = start;
    for i in start..at_sign {
        let b = at(text, i);
        // O'Neil: the name goes on after the apostrophe.
        if b == b'\''
            && i > start
            && before(text, i).is_ascii_alphabetic()
            && at(text, i + 1).is_ascii_alphabetic()
        {
            continue;
        }
        if matches!(
            b,
            b'=' | b'/'
                | b'\''
                | b'`'
                | b'{'
                | b'|'
                | b'?'
                | b'&'
                | b'}'
                | b'*'
                | b'#'
                | b'!'
                | b'$'
                | b'^'
                | b'~'
        ) || (b >= 0x80 && !is_letter(text, i))
        {
            first = i + 1;
        }
    }
    while matches!(at(text, first), b'.' | b'-' | b'+' | b'%') {
        first += 1;
    }
    // `\nbob@…` in JSON inside a string.
    if before(text, first) == b'\\' && matches!(at(text, first), b'n' | b'r' | b't') && first + 1 < at_sign {
        first += 1;
    }
    let name = slice(text, first, at_sign);
    let dots = name.windows(2).any(|pair| pair == b"..") || name.last() == Some(&b'.');
    (first < at_sign && !dots).then_some(first)
}

/// The end of the domain name that begins at `start`.
pub(super) fn domain(text: &[u8], start: usize) -> Option<usize> {
    let mut end = start;
    let mut labels = 0;
    let mut last = (start, start);
    loop {
        let label_end = run_end(slice(text, 0, start + MAX_DOMAIN), end, |b| {
            b.is_ascii_alphanumeric() || b == b'-' || b >= 0x80
        });
        let label_end = trim_wide(text, end, label_end);
        if label_end == end || at(text, end) == b'-' {
            break;
        }
        labels += 1;
        last = (end, label_end);
        if at(text, label_end) != b'.'
            || !(at(text, label_end + 1).is_ascii_alphanumeric() || at(text, label_end + 1) >= 0x80)
        {
            break;
        }
        end = label_end + 1;
    }
    let top = slice(text, last.0, last.1);
    let top = slice(top, 0, run_end(top, 0, |b| b != b'-' || top.starts_with(b"xn--")));
    let letters = top.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80);
    let valid = top.len() >= 2 && top.len() <= 24 && (letters || top.starts_with(b"xn--"));
    let file = FILE_TYPES.iter().any(|t| top.eq_ignore_ascii_case(t));
    (labels >= 2 && valid && !file).then_some(last.0 + top.len())
}

/// Text in ideographs has no spaces: an ASCII label ends where they begin.
fn trim_wide(text: &[u8], start: usize, end: usize) -> usize {
    if at(text, start) >= 0xE0 {
        return end;
    }
    let mut i = start;
    while i < end && (at(text, i) < 0x80 || is_letter(text, i)) {
        i += 1;
    }
    i
}

/// `scheme://user:password@host`: true if the `@` ends user information.
fn user_information(scan: &mut Scan<'_>, i: usize) -> bool {
    let text = scan.text;
    let floor = i.saturating_sub(256);
    let mut start = i;
    let mut colon = None;
    while start > floor {
        let b = before(text, start);
        if b == b'/' && before(text, start - 1) == b'/' && start >= 3 && before(text, start - 2) == b':' {
            break;
        }
        if b <= b' ' || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'/') {
            return false;
        }
        if b == b':' {
            colon = Some(start - 1);
        }
        start -= 1;
    }
    if start <= floor || colon.is_none_or(|colon| colon + 1 >= i) {
        return false;
    }
    let mut scheme = start - 3;
    while scheme > 0
        && (before(text, scheme).is_ascii_alphanumeric()
            || matches!(before(text, scheme), b'+' | b'-' | b'.'))
    {
        scheme -= 1;
    }
    let host_end = run_end(text, i + 1, |b| {
        b.is_ascii_alphanumeric()
            || matches!(b, b'.' | b'-' | b':' | b'_' | b'[' | b']' | b'$' | b'{' | b'}' | b'%' | b',')
    });
    if scheme == start - 3 || host_end == i + 1 {
        return false;
    }
    let secret = slice(text, colon.map_or(i, |colon| colon + 1), i);
    if placeholder(secret) {
        return true;
    }
    let name = slice(text, scheme, start - 3);
    if name.eq_ignore_ascii_case(b"http")
        || name.eq_ignore_ascii_case(b"https")
        || name.eq_ignore_ascii_case(b"ftp")
    {
        scan.report(UrlCredentials, scheme, host_end, 0.96, "url/userinfo");
    } else if scan.wants(ConnectionString) {
        let end = run_end(slice(text, 0, host_end + MAX_OPTIONS), host_end, |b| {
            b > b' ' && !matches!(b, b'"' | b'\'' | b'<' | b'>' | b')' | b'`' | b'\\')
        });
        scan.report(ConnectionString, scheme, end, 0.97, "connection-string/userinfo");
    } else {
        scan.report(UrlCredentials, scheme, host_end, 0.96, "url/userinfo");
    }
    true
}

/// `${PASSWORD}`, `<password>`, `****`, `xxxx`: a placeholder for a password.
pub(super) fn placeholder(secret: &[u8]) -> bool {
    let wrapped = matches!(
        (secret.first(), secret.last()),
        (Some(b'{'), Some(b'}'))
            | (Some(b'<'), Some(b'>'))
            | (Some(b'['), Some(b']'))
            | (Some(b'%'), Some(b'%'))
    );
    let first = secret.first().copied().unwrap_or(0);
    wrapped
        || matches!(secret, b"PASSWORD" | b"PASS" | b"PASSWD" | b"PWD" | b"SECRET" | b"YOUR_PASSWORD")
        || secret.starts_with(b"${")
        || secret.starts_with(b"$(")
        || secret.starts_with(b"{{")
        || secret.iter().all(|b| *b == first && !b.is_ascii_digit())
}
