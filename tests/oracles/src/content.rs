//! Content codings: under any chunking the same bytes come out, never more than the limit, and what was compressed here
//! comes out as it was.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use mesh_wire::{ContentCoding, ContentDecoder, DecodeError, decode};

use crate::bytes::{chunks, pick, take};

const CODINGS: [ContentCoding; 4] =
    [ContentCoding::Gzip, ContentCoding::Deflate, ContentCoding::Brotli, ContentCoding::Zstd];
const LIMIT: usize = 1 << 20;

pub(crate) fn check(data: &[u8]) {
    let mut body = data;
    let coding = pick(&CODINGS, &mut body);
    let seed = take(&mut body);
    let small = usize::from(take(&mut body));
    let whole = decode(coding, body, LIMIT);
    if let Ok(plain) = &whole {
        assert!(plain.len() <= LIMIT);
    }
    let pieces = in_pieces(coding, &chunks(body, seed));
    // A limit counts for each piece, so a stream may give more than a whole body may.
    if whole != Err(DecodeError::TooLarge) {
        assert_eq!(pieces, whole, "another chunking");
    }
    if let Ok(plain) = decode(coding, body, small) {
        assert!(plain.len() <= small, "the limit holds");
    }
    let compressed = match coding {
        ContentCoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory")
        }
        ContentCoding::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory")
        }
        _ => return,
    };
    assert_eq!(in_pieces(coding, &chunks(&compressed, seed)).as_deref(), Ok(body), "there and back");
    assert!(decode(coding, &compressed[..compressed.len() - 1], LIMIT).is_err(), "cut off");
}

fn in_pieces(coding: ContentCoding, pieces: &[&[u8]]) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = ContentDecoder::new(coding, LIMIT);
    let mut plain = Vec::new();
    for piece in pieces {
        plain.extend(decoder.push(piece)?);
    }
    plain.extend(decoder.end()?);
    Ok(plain)
}
