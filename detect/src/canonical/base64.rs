//! Base64 (RFC 4648), standard and URL alphabet, with or without padding.

fn value(b: u8) -> Option<u32> {
    Some(u32::from(match b {
        b'A'..=b'Z' => b - b'A',
        b'a'..=b'z' => b - b'a' + 26,
        b'0'..=b'9' => b - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

/// Decodes at most `limit` bytes. `None` if there is a character outside the alphabet or the length is impossible.
pub(crate) fn decode(text: &[u8], limit: usize) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|b| **b == b'=').count();
    let text = text.get(..text.len() - padding)?;
    if text.len() % 4 == 1 || padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity((text.len() / 4 * 3 + 2).min(limit));
    let (mut bits, mut have) = (0_u32, 0);
    for b in text {
        bits = (bits << 6) | value(*b)?;
        have += 6;
        if have >= 8 {
            have -= 8;
            if out.len() == limit {
                break;
            }
            out.push((bits >> have) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::decode;

    /// The test vectors of RFC 4648, section 10.
    #[test]
    fn vectors() {
        for (encoded, plain) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(encoded.as_bytes(), 100).unwrap(), plain.as_bytes());
        }
        assert_eq!(decode(b"Zm9vYmFy", 3).unwrap(), b"foo");
        assert!(decode(b"Zm9v!", 10).is_none());
        assert!(decode(b"Zm9vY", 10).is_none());
    }
}
