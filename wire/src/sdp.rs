//! Session descriptions (SDP, RFC 8866), which set up a call over WebRTC: lines with the connection's own addresses,
//! keys and passwords are ignored, since an edit there would prevent the call. All others are texts like any other.

use std::net::IpAddr;
use std::ops::Range;

/// The ranges of a text to search: all of it, if it is not a session description.
pub(crate) fn searched(text: &str) -> Vec<Range<usize>> {
    let begins = ["v=0\r\no=", "v=0\no="].iter().any(|begin| text.starts_with(begin));
    if !begins {
        return vec![0..text.len(); 1];
    }
    let mut stretches = Vec::new();
    let (mut start, mut end) = (0, 0);
    for line in text.split_inclusive('\n') {
        let next = end + line.len();
        if is_of_connection(line.trim_end_matches(['\r', '\n'])) {
            stretches.push(start..end);
            start = next;
        }
        end = next;
    }
    stretches.push(start..end);
    stretches.retain(|stretch| !stretch.is_empty());
    stretches
}

/// Whether a line belongs to the connection, and strictly follows its grammar.
fn is_of_connection(line: &str) -> bool {
    let Some((name, value)) = line.split_once('=') else { return false };
    let words: Vec<&str> = value.split(' ').collect();
    match (name, words.as_slice()) {
        ("c", at) => is_host(at),
        ("o", [user, session, version, at @ ..]) => {
            is_token(user, 1..=64) && is_number(session, 20) && is_number(version, 20) && is_host(at)
        }
        ("a", [attribute, rest @ ..]) => match (attribute.split_once(':'), rest) {
            (Some(("ice-ufrag", word)), []) => is_token(word, 4..=256),
            (Some(("ice-pwd", word)), []) => is_token(word, 22..=256),
            (Some(("fingerprint", hash)), [digits]) => is_token(hash, 1..=16) && is_fingerprint(digits),
            (Some(("rtcp", port)), at) => is_number(port, 5) && is_host(at),
            (Some(("candidate", foundation)), rest) => is_token(foundation, 1..=32) && is_candidate(rest),
            _ => false,
        },
        _ => false,
    }
}

/// `IN IP4 127.0.0.1`.
fn is_host(words: &[&str]) -> bool {
    matches!(words, ["IN", "IP4" | "IP6", address] if is_address(address))
}

/// The words after a candidate's foundation (RFC 8839 § 5.1).
fn is_candidate(words: &[&str]) -> bool {
    let [component, transport, priority, address, port, "typ", kind, rest @ ..] = words else { return false };
    let (more, odd) = rest.as_chunks::<2>();
    is_number(component, 5)
        && ["udp", "tcp"].iter().any(|known| transport.eq_ignore_ascii_case(known))
        && is_number(priority, 10)
        && (is_address(address) || is_local(address))
        && is_number(port, 5)
        && ["host", "srflx", "prflx", "relay"].contains(kind)
        && odd.is_empty()
        && more.iter().all(is_extension)
}

fn is_extension([name, value]: &[&str; 2]) -> bool {
    match *name {
        "raddr" => is_address(value) || is_local(value),
        "rport" | "generation" | "network-id" | "network-cost" => is_number(value, 5),
        "ufrag" => is_token(value, 4..=256),
        "tcptype" => ["active", "passive", "so"].contains(value),
        _ => false,
    }
}

fn is_address(word: &str) -> bool {
    word.parse::<IpAddr>().is_ok()
}

/// A name that browsers make up instead of an address: a UUID.
fn is_local(word: &str) -> bool {
    let name = word.strip_suffix(".local").unwrap_or_default();
    name.len() == 36 && name.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

fn is_number(word: &str, digits: usize) -> bool {
    (1..=digits).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit())
}

fn is_token(word: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'.' | b'_');
    length.contains(&word.len()) && word.bytes().all(plain)
}

fn is_fingerprint(digits: &str) -> bool {
    digits.split(':').all(|pair| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit()))
}
