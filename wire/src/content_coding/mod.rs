//! Content codings (RFC 9110, section 8.4.1): decodes compressed bodies, in pieces or as a whole.
//!
//! Failure law: what is not in its declared coding, ends too early, or continues after its end is [`Broken`]; what
//! decodes to more than the limit is [`TooLarge`] before it is stored. In either case none of it may be used.
//!
//! [`Broken`]: DecodeError::Broken
//! [`TooLarge`]: DecodeError::TooLarge
mod zstd;

use std::io::{Error, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::{MultiGzDecoder, ZlibDecoder};

use self::zstd::ZstdDecoder;

/// A content coding that we can decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentCoding {
    /// `gzip`, also called `x-gzip` (RFC 1952).
    Gzip,
    /// `deflate`, which is the zlib format (RFC 1950).
    Deflate,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878), with windows of at most 8 MiB (RFC 9659).
    Zstd,
}

/// What all `content-encoding` values of a message mean together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentEncoding {
    /// The body is not encoded.
    Identity,
    /// The body is in this coding.
    Coded(ContentCoding),
    /// An unknown coding, or several.
    Unknown,
}

impl ContentEncoding {
    /// Reads the values of a message's `content-encoding` headers.
    pub fn of<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let named = |name: &str| match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Self::Coded(ContentCoding::Gzip),
            "deflate" => Self::Coded(ContentCoding::Deflate),
            "br" => Self::Coded(ContentCoding::Brotli),
            "zstd" => Self::Coded(ContentCoding::Zstd),
            _ => Self::Unknown,
        };
        let mut names = values
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"));
        match (names.next(), names.next()) {
            (None, _) => Self::Identity,
            (Some(name), None) => named(name),
            (Some(_), Some(_)) => Self::Unknown,
        }
    }
}

/// Why a body could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It is not in its declared coding, or it is cut off, or something follows its end.
    Broken,
    /// It decodes to more than the limit.
    TooLarge,
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Broken => "the body is not what its content-encoding says",
            Self::TooLarge => "the body is too large once decompressed",
        })
    }
}

impl std::error::Error for DecodeError {}

/// Decodes a whole body to at most `limit` bytes.
///
/// # Errors
/// The body is broken or incomplete, or decodes to more than `limit` bytes.
pub fn decode(coding: ContentCoding, body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = ContentDecoder::new(coding, limit);
    let mut plain = decoder.push(body)?;
    // The last step must not exceed the limit either.
    decoder.inner.room(limit.saturating_sub(plain.len()));
    plain.extend(decoder.end()?);
    Ok(plain)
}

/// Decodes a body as it arrives.
pub struct ContentDecoder {
    inner: Inner,
    limit: usize,
}

enum Inner {
    Gzip(Box<MultiGzDecoder<Bounded>>),
    Deflate(Box<ZlibDecoder<Bounded>>),
    Brotli(Box<DecompressorWriter<Bounded>>),
    Zstd(Box<ZstdDecoder>),
}

impl ContentDecoder {
    /// At most `limit` bytes may result from one piece.
    pub fn new(coding: ContentCoding, limit: usize) -> Self {
        let out = Bounded::default();
        let inner = match coding {
            ContentCoding::Gzip => Inner::Gzip(Box::new(MultiGzDecoder::new(out))),
            ContentCoding::Deflate => Inner::Deflate(Box::new(ZlibDecoder::new(out))),
            ContentCoding::Brotli => Inner::Brotli(Box::new(DecompressorWriter::new(out, BUFFER))),
            ContentCoding::Zstd => Inner::Zstd(Box::new(ZstdDecoder::new())),
        };
        ContentDecoder { inner, limit }
    }

    /// Decodes the next piece of the body.
    ///
    /// # Errors
    /// The body is broken, or decodes to more than the limit.
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<u8>, DecodeError> {
        self.inner.room(self.limit);
        let written = match &mut self.inner {
            Inner::Gzip(gzip) => gzip.write_all(piece).and_then(|()| gzip.flush()),
            Inner::Deflate(deflate) => deflate.write_all(piece).and_then(|()| deflate.flush()),
            Inner::Brotli(brotli) => brotli.write_all(piece).and_then(|()| brotli.flush()),
            Inner::Zstd(zstd) => zstd.push(piece),
        };
        self.inner.taken(written)
    }

    /// Ends the body; returns the rest of the output.
    ///
    /// # Errors
    /// The body is broken or incomplete, or decodes to more than the limit.
    pub fn end(&mut self) -> Result<Vec<u8>, DecodeError> {
        let ended = match &mut self.inner {
            Inner::Gzip(gzip) => gzip.try_finish(),
            Inner::Deflate(deflate) => deflate.try_finish(),
            Inner::Brotli(brotli) => brotli.close(),
            Inner::Zstd(zstd) => zstd.end(),
        };
        self.inner.taken(ended)
    }
}

impl Inner {
    fn out(&mut self) -> &mut Bounded {
        match self {
            Inner::Gzip(gzip) => gzip.get_mut(),
            Inner::Deflate(deflate) => deflate.get_mut(),
            Inner::Brotli(brotli) => brotli.get_mut(),
            Inner::Zstd(zstd) => zstd.get_mut(),
        }
    }

    fn room(&mut self, room: usize) {
        self.out().room = room;
    }

    fn taken(&mut self, result: std::io::Result<()>) -> Result<Vec<u8>, DecodeError> {
        let out = self.out();
        if out.full {
            return Err(DecodeError::TooLarge);
        }
        result.map_err(|_| DecodeError::Broken)?;
        Ok(std::mem::take(&mut out.bytes))
    }
}

/// The size of a decoder's working buffer in bytes.
const BUFFER: usize = 16 * 1024;

/// Stores what a decoder writes, as long as there is room.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    room: usize,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > self.room {
            self.full = true;
            return Err(Error::other("full"));
        }
        self.room -= bytes.len();
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
