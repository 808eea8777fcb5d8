//! Content codings of the answer, flushed piece by piece so that a compressed stream still streams.
//!
//! gzip and deflate are really compressed. Brotli (RFC 7932) and zstd (RFC 8878) are written as stored blocks, which every decoder
//! must read: the decoder is what gets tested, and no compressor has to be built for it.

use std::io::Write;

use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};

/// Largest stored block: 2^16 is brotli's with four length nibbles, and is below zstd's 128 KiB.
const BLOCK: usize = 1 << 16;

/// How the answer's body is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Coding {
    #[default]
    Identity,
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// A whole body in the content coding of that name (`gzip`, `deflate`, `br` or `zstd`), for tests that send one. Any other name
/// leaves it as it is.
pub fn encoded(coding: &str, body: &[u8]) -> Vec<u8> {
    Coding::named(coding).encode(vec![body.to_vec()]).concat()
}

impl Coding {
    /// The coding of that name; any other name is none.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            _ => Self::Identity,
        }
    }

    /// The `content-encoding` value, unless there is none.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Deflate => Some("deflate"),
            Self::Brotli => Some("br"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// Codes the pieces of one body; each piece can be decoded as soon as it is there.
    pub(crate) fn encode(self, pieces: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        match self {
            Self::Identity => pieces,
            Self::Gzip => {
                let encoder = GzEncoder::new(Vec::new(), Compression::default());
                compressed(encoder, pieces, GzEncoder::get_mut, GzEncoder::finish)
            }
            Self::Deflate => {
                let encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                compressed(encoder, pieces, ZlibEncoder::get_mut, ZlibEncoder::finish)
            }
            Self::Brotli => framed(pieces, Vec::new(), brotli_block, &[0x03], true),
            Self::Zstd => framed(pieces, zstd_header(), zstd_block, &[0x01, 0, 0], false),
        }
    }
}

fn compressed<E: Write>(
    mut encoder: E,
    pieces: Vec<Vec<u8>>,
    written: fn(&mut E) -> &mut Vec<u8>,
    finish: fn(E) -> std::io::Result<Vec<u8>>,
) -> Vec<Vec<u8>> {
    let mut out = Vec::with_capacity(pieces.len() + 1);
    for piece in pieces {
        // Writing into a Vec can't fail.
        let _ = encoder.write_all(&piece).and_then(|()| encoder.flush());
        out.push(std::mem::take(written(&mut encoder)));
    }
    out.extend(finish(encoder));
    out
}

/// `head`, then every piece as blocks, then `end`. `first` tells a block whether it stands at the very beginning.
fn framed(
    pieces: Vec<Vec<u8>>,
    head: Vec<u8>,
    block: impl Fn(&mut Vec<u8>, &[u8], bool),
    end: &[u8],
    mut first: bool,
) -> Vec<Vec<u8>> {
    let mut out = vec![head];
    for piece in pieces {
        let mut coded = Vec::with_capacity(piece.len() + 8);
        for chunk in piece.chunks(BLOCK) {
            block(&mut coded, chunk, first);
            first = false;
        }
        out.push(coded);
    }
    // An empty brotli stream still needs its window bits: `WBITS` 0, then the last, empty meta-block.
    out.push(if first { vec![0x06] } else { end.to_vec() });
    out
}

/// RFC 7932 § 9.2: [WBITS 0 when first], ISLAST 0, MNIBBLES 4, MLEN - 1, ISUNCOMPRESSED 1, then the bytes.
fn brotli_block(out: &mut Vec<u8>, bytes: &[u8], first: bool) {
    let length = bytes.len() as u32 - 1;
    let header = (length << 3) | (1 << 19);
    let header = if first { header << 1 } else { header };
    out.extend_from_slice(&header.to_le_bytes()[..3]);
    out.extend_from_slice(bytes);
}

/// RFC 8878 § 3.1.1: magic, a descriptor without any option, a window of 1 MiB.
fn zstd_header() -> Vec<u8> {
    vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x50]
}

/// RFC 8878 § 3.1.1.2: Last_Block 0, Block_Type raw, Block_Size.
fn zstd_block(out: &mut Vec<u8>, bytes: &[u8], _first: bool) {
    out.extend_from_slice(&((bytes.len() as u32) << 3).to_le_bytes()[..3]);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn coded(coding: Coding, pieces: &[&[u8]]) -> Vec<u8> {
        coding.encode(pieces.iter().map(|p| p.to_vec()).collect()).concat()
    }

    #[test]
    fn gzip_round_trips() {
        let mut plain = String::new();
        let bytes = coded(Coding::Gzip, &[b"one ", b"two"]);
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut plain).unwrap();
        assert_eq!(plain, "one two");
    }

    #[test]
    fn stored_blocks_as_the_formats_write_them() {
        assert_eq!(coded(Coding::Zstd, &[b"ab"]), b"\x28\xB5\x2F\xFD\x00\x50\x10\0\0ab\x01\0\0");
        // The window bit shifts the first header by one; the next block starts at a byte.
        assert_eq!(coded(Coding::Brotli, &[b"ab", b"c"]), b"\x10\0\x10ab\0\0\x08c\x03");
        assert_eq!(coded(Coding::Brotli, &[]), b"\x06");
    }
}
