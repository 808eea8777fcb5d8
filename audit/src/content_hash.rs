//! The fingerprint of a body in a record.

use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// HMAC-SHA-256 (RFC 2104) over a body that arrives in pieces.
///
/// Keyed: a plain hash of a short text is found by trying. The cuts between the pieces do not matter: the same bytes under the
/// same key give the same fingerprint.
#[derive(Clone)]
pub struct ContentHash {
    state: Hmac<Sha256>,
    bytes: u64,
}

impl ContentHash {
    /// Begins under a key of any length.
    pub fn new(key: &[u8]) -> Self {
        let mut block = Key::<Hmac<Sha256>>::default();
        // A key that is longer than a block is its hash (RFC 2104, section 2); the rest of the block is zeros.
        if key.len() > block.len() {
            block.iter_mut().zip(Sha256::digest(key)).for_each(|(place, byte)| *place = byte);
        } else {
            block.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
        }
        Self { state: Hmac::new(&block), bytes: 0 }
    }

    /// Takes in the next piece of the body.
    pub fn update(&mut self, piece: &[u8]) {
        self.state.update(piece);
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
    }

    /// 64 lower-case hex digits; empty if no byte was taken in, as a record has it where no body was read.
    pub fn finish(self) -> String {
        if self.bytes == 0 {
            return String::new();
        }
        hex::encode(self.state.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(key: &[u8], pieces: &[&str]) -> String {
        let mut hash = ContentHash::new(key);
        pieces.iter().for_each(|piece| hash.update(piece.as_bytes()));
        hash.finish()
    }

    #[test]
    fn a_body_has_one_fingerprint_under_a_key_however_it_is_cut() {
        // RFC 4231, test case 2.
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        for pieces in [vec!["what do ya want for nothing?"], vec!["what do ya", " want", "", " for nothing?"]]
        {
            assert_eq!(hash(b"Jefe", &pieces), expected, "{pieces:?}");
        }
        assert_ne!(hash(b"Jef", &["what do ya want for nothing?"]), expected);
    }

    #[test]
    fn a_key_may_be_longer_than_a_block() {
        // RFC 4231, test case 6.
        let found = hash(&[0xaa; 131], &["Test Using Larger Than Block-Size Key - Hash Key First"]);
        assert_eq!(found, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn no_body_has_no_fingerprint() {
        assert_eq!(hash(b"key", &[]), "");
    }
}
