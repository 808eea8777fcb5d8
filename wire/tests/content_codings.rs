//! Compressed bodies come out as they went in, however they are cut; broken ones and bombs do not come out at all.
use std::io::Write;

use mesh_wire::{ContentCoding, ContentDecoder, ContentEncoding, DecodeError, decode};
use proptest::prelude::*;

const TEXT: &[u8] = br#"{"prompt":"hello from brotli"}"#;

/// [`TEXT`], by the reference implementation.
const BROTLI: &str = "1b1d00e0057463a9afc4c726281eb1896988280345ee0e4f9717f16c2148cbe001";

/// 64 MiB of zeros, by the reference implementation.
const BROTLI_BOMB: &str = concat!(
    "cbffff3ff82700e2b14020f7fe8fffff7ff04f00c4611180eefd1fffffffe09f0088c30200ddfb3ffeffffc13f0110870500baf77ffcffff837f",
    "02200e0b0074effff8ffff07ff04401c1600e8defff1ffff0ffe0980382c00d0bdffe3ffff1ffc1300715800a07bff37"
);

const LIMIT: usize = 1 << 20;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A frame of many blocks, each one byte that is repeated 128 Ki times.
fn zstd_bomb(blocks: usize) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    for number in 1..=blocks {
        let header = u32::from(number == blocks) | 1 << 1 | (128 * 1024) << 3;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

/// The frame of an encoder that was told a window of 16 MiB.
fn zstd_large_window() -> Vec<u8> {
    vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x70, 0x01, 0x00, 0x00]
}

fn in_pieces(coding: ContentCoding, body: &[u8], size: usize) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = ContentDecoder::new(coding, LIMIT);
    let mut plain = Vec::new();
    for piece in body.chunks(size) {
        plain.extend(decoder.push(piece)?);
    }
    plain.extend(decoder.end()?);
    Ok(plain)
}

#[test]
fn every_coding_comes_out_as_it_went_in() {
    let cases = [
        ("gzip", ContentCoding::Gzip, gzip(TEXT)),
        ("gzip in two members", ContentCoding::Gzip, [gzip(&TEXT[..7]), gzip(&TEXT[7..])].concat()),
        ("deflate", ContentCoding::Deflate, zlib(TEXT)),
        ("br", ContentCoding::Brotli, unhex(BROTLI)),
        ("zstd", ContentCoding::Zstd, zstd(TEXT)),
        ("zstd in two frames", ContentCoding::Zstd, [zstd(&TEXT[..7]), zstd(&TEXT[7..])].concat()),
    ];
    for (name, coding, body) in cases {
        assert_eq!(decode(coding, &body, LIMIT).as_deref(), Ok(TEXT), "{name}");
        assert_eq!(decode(coding, &body, TEXT.len()).as_deref(), Ok(TEXT), "{name}: just small enough");
        for size in 1..=body.len() {
            assert_eq!(in_pieces(coding, &body, size).as_deref(), Ok(TEXT), "{name} in pieces of {size}");
        }
        for end in 0..body.len() {
            let cut = decode(coding, &body[..end], LIMIT);
            let member = name.contains("two") && matches!(&cut, Ok(plain) if plain == &TEXT[..7]);
            assert!(cut == Err(DecodeError::Broken) || member, "{name} cut at {end}: {cut:?}");
        }
        let followed = [body.as_slice(), b"more"].concat();
        assert_eq!(decode(coding, &followed, LIMIT), Err(DecodeError::Broken), "{name}, and more");
        assert_eq!(decode(coding, &body, TEXT.len() - 1), Err(DecodeError::TooLarge), "{name}: too large");
        assert_eq!(decode(coding, b"not at all", LIMIT), Err(DecodeError::Broken), "{name}: something else");
    }
}

#[test]
fn bombs_do_not_go_off() {
    let zeros = vec![0; 64 << 20];
    let cases = [
        (ContentCoding::Gzip, gzip(&zeros), DecodeError::TooLarge),
        (ContentCoding::Deflate, zlib(&zeros), DecodeError::TooLarge),
        (ContentCoding::Brotli, unhex(BROTLI_BOMB), DecodeError::TooLarge),
        (ContentCoding::Zstd, zstd_bomb(512), DecodeError::TooLarge),
        (ContentCoding::Zstd, zstd_large_window(), DecodeError::Broken),
    ];
    for (coding, body, error) in cases {
        assert_eq!(decode(coding, &body, LIMIT), Err(error), "{coding:?}");
    }
}

/// A stream of events is flushed after each of them: what was flushed is there at once, but for zstd, whose window
/// comes at the end.
#[test]
fn what_was_flushed_is_there_at_once() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut decoder = ContentDecoder::new(ContentCoding::Gzip, LIMIT);
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        encoder.write_all(event.as_bytes()).unwrap();
        encoder.flush().unwrap();
        let piece = std::mem::take(encoder.get_mut());
        assert_eq!(decoder.push(&piece).unwrap(), event.as_bytes());
    }
}

#[test]
fn what_content_encoding_says() {
    use ContentEncoding::{Coded, Identity, Unknown};
    let cases: [(&[&str], ContentEncoding); 11] = [
        (&[], Identity),
        (&[""], Identity),
        (&["identity"], Identity),
        (&["gzip"], Coded(ContentCoding::Gzip)),
        (&["X-GZip"], Coded(ContentCoding::Gzip)),
        (&[" br "], Coded(ContentCoding::Brotli)),
        (&["identity, zstd"], Coded(ContentCoding::Zstd)),
        (&["deflate"], Coded(ContentCoding::Deflate)),
        (&["compress"], Unknown),
        (&["gzip, br"], Unknown),
        (&["identity", "gzip", "gzip"], Unknown),
    ];
    for (values, expected) in cases {
        assert_eq!(ContentEncoding::of(values.iter().copied()), expected, "{values:?}");
    }
}

proptest! {
    /// Whatever is sent, nothing panics and nothing grows over its limit.
    #[test]
    fn any_bytes_end_in_a_verdict(body in proptest::collection::vec(any::<u8>(), 0..400), flip in 0usize..200, with in any::<u8>()) {
        for (coding, whole) in [
            (ContentCoding::Gzip, gzip(&body)),
            (ContentCoding::Deflate, zlib(&body)),
            (ContentCoding::Zstd, zstd(&body)),
            (ContentCoding::Brotli, unhex(BROTLI)),
        ] {
            if coding != ContentCoding::Brotli {
                prop_assert_eq!(&decode(coding, &whole, LIMIT).unwrap(), &body);
                prop_assert_eq!(&in_pieces(coding, &whole, 7).unwrap(), &body);
            }
            let mut broken = whole;
            if let Some(byte) = broken.get_mut(flip) {
                *byte ^= with;
            }
            if let Ok(plain) = decode(coding, &broken, 1000) {
                prop_assert!(plain.len() <= 1000);
            }
            let _ = decode(coding, &body, 1000);
        }
    }
}
