//! Names of hosts, as upstreams and the bootstrap take them.

/// Whether it is a DNS name (RFC 1123, section 2.1; with underscores, which service names have), without a dot at the end.
///
/// A name whose last label is a number is an address with a mistake, such as `10.0.0` or `300.1.1.1`, never a name (WHATWG URL,
/// "ends in a number").
pub(crate) fn is_dns_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(letter);
    let number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(label) && !number
}
