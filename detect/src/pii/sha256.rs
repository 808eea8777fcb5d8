//! SHA-256 (FIPS 180-4) of a short message, for the checksum of base58 addresses.

const K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

const START: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/// The first four bytes of the digest of the digest. `None` for messages of 56 bytes or more: one block is enough for
/// the only caller.
pub(super) fn double_checksum(message: &[u8]) -> Option<[u8; 4]> {
    let first = digest(message)?;
    let second = digest(&first)?;
    second.first_chunk::<4>().copied()
}

fn digest(message: &[u8]) -> Option<[u8; 32]> {
    if message.len() >= 56 {
        return None;
    }
    let mut block = [0_u8; 64];
    let bits = (message.len() as u64) * 8;
    let tail = bits.to_be_bytes();
    for (slot, b) in block.iter_mut().zip(message.iter().chain(&[0x80])) {
        *slot = *b;
    }
    for (slot, b) in block.iter_mut().skip(56).zip(tail) {
        *slot = b;
    }
    let mut out = [0_u8; 32];
    for (slots, word) in out.chunks_exact_mut(4).zip(compress(&block)) {
        slots.copy_from_slice(&word.to_be_bytes());
    }
    Some(out)
}

/// One block, from the initial state.
fn compress(block: &[u8; 64]) -> [u32; 8] {
    let mut w = [0_u32; 16];
    for (slot, bytes) in w.iter_mut().zip(block.as_chunks::<4>().0) {
        *slot = u32::from_be_bytes(*bytes);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = START;
    for k in K {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let ch = (e & f) ^ (!e & g);
        let t1 = h.wrapping_add(s1).wrapping_add(ch).wrapping_add(k).wrapping_add(w[0]);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t2 = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
        // The schedule as a ring buffer: the word needed sixteen rounds later replaces this one.
        let [x, y] = [w[1], w[14]];
        let next = (w[0])
            .wrapping_add(x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3))
            .wrapping_add(w[9])
            .wrapping_add(y.rotate_right(17) ^ y.rotate_right(19) ^ (y >> 10));
        w.rotate_left(1);
        w[15] = next;
    }
    let mut state = START;
    for (slot, word) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *slot = slot.wrapping_add(word);
    }
    state
}

#[cfg(test)]
mod tests {
    use super::digest;

    /// The example in FIPS 180-2, appendix B.1.
    #[test]
    fn the_published_example_holds() {
        let digest = digest(b"abc").unwrap();
        assert_eq!(digest[..8], [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea]);
        assert_eq!(super::digest(&[0; 56]), None);
    }
}
