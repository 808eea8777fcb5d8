//! Strings with rules of their own: names, hours, networks.
use std::net::IpAddr;

use crate::shape::Form;

/// A policy's name: a DNS label (RFC 1123 section 2.1).
pub(crate) const NAME: Form = Form {
    expected: "a name of at most 63 lower-case letters, digits and `-`, beginning and ending with a letter or digit",
    valid: is_label,
    propose: label_of,
};

/// A title, from which a name can be made.
pub(crate) const TITLE: Form = Form {
    expected: "a title with at least one letter a-z or digit, from which the policy's name is made",
    valid: |text| label_of(text).is_some(),
    propose: |_| None,
};

/// A Rego package.
pub(crate) const PACKAGE: Form = Form {
    expected: "a package, such as `mesh` or `company.agents`",
    valid: is_package,
    propose: |text| text.strip_prefix("data.").filter(|rest| is_package(rest)).map(str::to_owned),
};

fn is_package(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && !word.starts_with(|c: char| c.is_ascii_digit())
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    text.len() <= 256 && text.split('.').all(word) && !text.starts_with("data.") && text != "data"
}

/// An agent's id, as requests carry it.
pub(crate) const AGENT: Form = Form {
    expected: "an agent's id of at most 256 characters without blanks, such as `support-1` or `spiffe://mesh/support`",
    valid: is_agent,
    propose: |text| Some(text.split_whitespace().collect::<Vec<_>>().join("-")).filter(|id| is_agent(id)),
};

/// `HH:MM-HH:MM Zone`. Whether the zone exists is known where the time zone database is.
pub(crate) const HOURS: Form = Form {
    expected: "hours and an IANA time zone, such as `09:00-17:00 America/New_York`",
    valid: is_hours,
    propose: |_| None,
};

/// A network in CIDR notation, or a single address.
pub(crate) const NETWORK: Form = Form {
    expected: "a network or an address, such as `10.0.0.0/8`, `fd00::/8` or `192.0.2.7`",
    valid: is_network,
    propose: |_| None,
};

/// A host in a list: a name, `*.name` for all below it, `*` for any.
pub(crate) const HOST: Form = Form {
    expected: "a host such as `docs.example.com`, `*.example.com` for all below it, or `*`; names outside ASCII as `xn--…`",
    valid: is_host,
    propose: |text| {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
        Some(host.to_owned()).filter(|host| is_host(host))
    },
};

fn is_host(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    text == "*" || name.len() <= 253 && name.split('.').all(label)
}

/// A language tag (BCP 47), by its form.
pub(crate) const LANGUAGE: Form = Form {
    expected: "a language such as `en`, `en-US` or `zh-Hans`",
    valid: is_language,
    propose: |text| Some(text.replace('_', "-")).filter(|tag| is_language(tag)),
};

fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let word = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    (2..=8).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic()) && parts.all(word)
}

/// Longer identities are not believed in requests either.
const MAX_AGENT: usize = 256;

fn is_agent(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_AGENT && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

const MAX_LABEL: usize = 63;

fn is_label(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty()
        && text.len() <= MAX_LABEL
        && text.bytes().all(inside)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// The label nearest to `text`: lower case, every run of other characters one `-`.
pub(crate) fn label_of(text: &str) -> Option<String> {
    let mut label = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            label.push(c);
        } else if !label.is_empty() && !label.ends_with('-') {
            label.push('-');
        }
    }
    label.truncate(MAX_LABEL);
    let label = label.trim_end_matches('-');
    is_label(label).then(|| label.to_owned())
}

fn is_hours(text: &str) -> bool {
    let Some((hours, zone)) = text.split_once(' ') else { return false };
    let Some((from, to)) = hours.split_once('-') else { return false };
    is_clock(from) && is_clock(to) && from != to && !zone.is_empty() && !zone.contains(char::is_whitespace)
}

/// `00:00` to `23:59`, and `24:00` for the end of the day.
fn is_clock(text: &str) -> bool {
    let Some((hour, minute)) = text.split_once(':') else { return false };
    let two_digits = |text: &str| {
        if text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()) {
            text.parse::<u8>().ok()
        } else {
            None
        }
    };
    match (two_digits(hour), two_digits(minute)) {
        (Some(24), Some(0)) => true,
        (Some(hour), Some(minute)) => hour < 24 && minute < 60,
        _ => false,
    }
}

fn is_network(text: &str) -> bool {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    prefix.is_none_or(|prefix| {
        !prefix.starts_with('+') && prefix.parse::<u8>().is_ok_and(|prefix| prefix <= longest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_accept_and_refuse() {
        for (form, text, valid) in [
            (&NAME, "customer-facing", true),
            (&NAME, "a", true),
            (&NAME, "9lives", true),
            (&NAME, "", false),
            (&NAME, "Customer", false),
            (&NAME, "-a", false),
            (&NAME, "a-", false),
            (&NAME, "a_b", false),
            (&NAME, "a.b", false),
            (&NAME, "é", false),
            (&HOURS, "09:00-17:00 America/New_York", true),
            (&HOURS, "22:00-06:00 UTC", true),
            (&HOURS, "00:00-24:00 UTC", true),
            (&HOURS, "09:00-17:00", false),
            (&HOURS, "9:00-17:00 UTC", false),
            (&HOURS, "09:00-17:60 UTC", false),
            (&HOURS, "24:30-25:00 UTC", false),
            (&HOURS, "09:00-09:00 UTC", false),
            (&HOURS, "09:00-17:00 New York", false),
            (&HOURS, "09:00 – 17:00 UTC", false),
            (&NETWORK, "10.0.0.0/8", true),
            (&NETWORK, "192.0.2.7", true),
            (&NETWORK, "fd00::/8", true),
            (&NETWORK, "10.0.0.0/33", false),
            (&NETWORK, "10.0.0.0/+8", false),
            (&NETWORK, "10.0.0/8", false),
            (&NETWORK, "example.com", false),
            (&NETWORK, "", false),
        ] {
            assert_eq!((form.valid)(text), valid, "{text:?} as {}", form.expected);
        }
        assert!(!is_label(&"a".repeat(64)));
        assert!(is_label(&"a".repeat(63)));
    }

    #[test]
    fn a_name_is_proposed_for_what_is_none() {
        for (text, proposal) in [
            ("Customer Facing!", Some("customer-facing")),
            ("__x__", Some("x")),
            ("a.b", Some("a-b")),
            ("", None),
            ("日本", None),
        ] {
            assert_eq!(label_of(text).as_deref(), proposal, "{text}");
        }
    }
}
