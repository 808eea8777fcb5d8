//! Cryptocurrency addresses.

use super::scan::Scan;
use super::sha256::double_checksum;
use crate::EntityType::Crypto;
use crate::bytes::{at, slice};

/// Checks a word: Bitcoin and related coins in base58 (checksum) and bech32 (BIP 173/350 checksum), Ethereum.
pub(super) fn word(scan: &mut Scan<'_>, start: usize, end: usize) {
    if !scan.wants(Crypto) {
        return;
    }
    let word = slice(scan.text, start, end);
    match word {
        [b'b' | b'B', b'c' | b'C', b'1', ..] if (42..=62).contains(&word.len()) && bech32(word, b"bc") => {
            scan.report(Crypto, start, end, 0.98, "crypto/bech32");
        }
        [b'l' | b'L', b't' | b'T', b'c' | b'C', b'1', ..]
            if (43..=63).contains(&word.len()) && bech32(word, b"ltc") =>
        {
            scan.report(Crypto, start, end, 0.98, "crypto/bech32");
        }
        [b'0', b'x', hex @ ..] if hex.len() == 40 && hex.iter().all(u8::is_ascii_hexdigit) => {
            scan.weigh(Crypto, (start, end), (0.6, 0.95), "crypto/ethereum");
        }
        _ if (26..=35).contains(&word.len()) && base58(word) => {
            scan.report(Crypto, start, end, 0.95, "crypto/base58");
        }
        _ => {}
    }
}

/// Version bytes of addresses: Bitcoin, Litecoin, Dogecoin, Dash, Tron.
const VERSIONS: &[u8] = &[0, 5, 48, 50, 30, 22, 76, 16, 65];

/// Base58Check: a version, twenty bytes and a checksum of four bytes.
fn base58(word: &[u8]) -> bool {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = [0_u8; 25];
    for b in word {
        let Some(value) = ALPHABET.iter().position(|c| c == b) else { return false };
        let mut carry = value as u32;
        for slot in bytes.iter_mut().rev() {
            carry += u32::from(*slot) * 58;
            *slot = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            return false;
        }
    }
    let (payload, check) = bytes.split_at(21);
    payload.first().is_some_and(|version| VERSIONS.contains(version))
        && double_checksum(payload).is_some_and(|sum| sum == check)
}

fn bech32(word: &[u8], part: &[u8]) -> bool {
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
    // The human-readable part, expanded: high bits, a zero, low bits.
    let high = part.iter().map(|b| u32::from(b >> 5));
    let low = part.iter().map(|b| u32::from(b & 31));
    let mut checksum = high.chain([0]).chain(low).fold(1, step);
    for i in part.len() + 1..word.len() {
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
    use super::{base58, bech32};

    /// Addresses from BIP 173 and BIP 350.
    #[test]
    fn bech32_checksums_hold() {
        assert!(bech32(b"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", b"bc"));
        assert!(bech32(b"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", b"bc"));
        assert!(!bech32(b"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", b"bc"));
    }

    /// The address in the first block, and the same with one letter changed.
    #[test]
    fn base58_checksums_hold() {
        assert!(base58(b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"));
        assert!(!base58(b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"));
    }
}
