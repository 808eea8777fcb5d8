//! Addresses of cryptocurrencies.

use super::scan::Scan;
use crate::EntityType::Crypto;
use crate::bytes::{at, slice};

/// Looks at a word: Bitcoin in base58 (check by form and context) and bech32 (BIP 173/350 checksum), Ethereum.
pub(super) fn word(scan: &mut Scan<'_>, start: usize, end: usize) {
    if !scan.wants(Crypto) {
        return;
    }
    let word = slice(scan.text, start, end);
    match word {
        [b'1' | b'3', ..] if (26..=35).contains(&word.len()) && base58(word) => {
            scan.weigh(Crypto, (start, end), (0.6, 0.9), "crypto/base58");
        }
        [b'b' | b'B', b'c' | b'C', b'1', ..] if (42..=62).contains(&word.len()) && bech32(word) => {
            scan.report(Crypto, start, end, 0.98, "crypto/bech32");
        }
        [b'0', b'x', hex @ ..] if hex.len() == 40 && hex.iter().all(u8::is_ascii_hexdigit) => {
            scan.weigh(Crypto, (start, end), (0.6, 0.95), "crypto/ethereum");
        }
        _ => {}
    }
}

/// Letters of both cases and digits from base58's alphabet: neither a number nor a hexadecimal hash.
fn base58(word: &[u8]) -> bool {
    word.iter().all(|b| b.is_ascii_alphanumeric() && !matches!(b, b'0' | b'O' | b'I' | b'l'))
        && word.iter().any(u8::is_ascii_lowercase)
        && word.iter().any(|b| matches!(b, b'G'..=b'Z'))
        && word.iter().filter(|b| b.is_ascii_digit()).count() >= 3
}

fn bech32(word: &[u8]) -> bool {
    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let step = |checksum: u32, value: u32| {
        let top = checksum >> 25;
        let mut next = ((checksum & 0x01ff_ffff) << 5) ^ value;
        for (i, generator) in GENERATOR.iter().enumerate() {
            if (top >> i) & 1 == 1 {
                next ^= generator;
            }
        }
        next
    };
    // The human-readable part "bc", expanded.
    let mut checksum = [3, 3, 0, 2, 3].iter().fold(1, |acc, value| step(acc, *value));
    for i in 3..word.len() {
        let b = at(word, i).to_ascii_lowercase();
        let Some(value) = ALPHABET.iter().position(|c| *c == b).and_then(|p| u32::try_from(p).ok()) else {
            return false;
        };
        checksum = step(checksum, value);
    }
    checksum == 1 || checksum == 0x2bc8_30a3
}

#[cfg(test)]
mod tests {
    use super::bech32;

    /// Addresses from BIP 173 and BIP 350.
    #[test]
    fn bech32_checksums_hold() {
        assert!(bech32(b"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"));
        assert!(bech32(b"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"));
        assert!(!bech32(b"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"));
    }
}
