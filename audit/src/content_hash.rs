//! The fingerprint that stands for a body in a record.

use sha2::{Digest, Sha256};

/// SHA-256 (FIPS 180-4) over a body that arrives in pieces.
///
/// The cuts between the pieces do not matter: the same bytes give the same fingerprint.
#[derive(Debug, Clone, Default)]
pub struct ContentHash {
    state: Sha256,
    bytes: u64,
}

impl ContentHash {
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
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
        self.state.finalize().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_one_fingerprint_however_it_is_cut() {
        // FIPS 180-4's own example for "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for pieces in [vec!["abc"], vec!["a", "bc"], vec!["", "ab", "", "c"]] {
            let mut hash = ContentHash::default();
            pieces.iter().for_each(|piece| hash.update(piece.as_bytes()));
            assert_eq!(hash.finish(), expected, "{pieces:?}");
        }
    }

    #[test]
    fn no_body_has_no_fingerprint() {
        assert_eq!(ContentHash::default().finish(), "");
    }
}
