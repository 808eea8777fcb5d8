//! Zstandard (RFC 8878) in pieces, using a decoder that needs whole blocks.
//!
//! The decoder releases its window only at the end of a frame, so the content of a window comes late: an event stream
//! compressed with this coding is read in time, but not passed on in time.
use std::io::{Error, Result};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::Bounded;

/// The largest window that HTTP allows for `zstd` (RFC 9659, section 3), in bytes.
const MAX_WINDOW: u64 = 8 << 20;
/// Bytes of a frame's magic number.
const MAGIC: usize = 4;
/// Bytes of a block's header.
const BLOCK_HEADER: usize = 3;
/// Bytes of a frame's checksum.
const CHECKSUM: usize = 4;

pub(super) struct ZstdDecoder {
    frame: FrameDecoder,
    state: State,
    /// The received part of a header or a block that is not complete.
    input: Vec<u8>,
    out: Bounded,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Nothing has arrived yet.
    Start,
    /// Within a frame; whether it ends with a checksum.
    Frame { checksum: bool },
    /// After a frame: the body may end, or another frame may follow.
    Between,
}

impl ZstdDecoder {
    pub(super) fn new() -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(MAX_WINDOW);
        ZstdDecoder { frame, state: State::Start, input: Vec::new(), out: Bounded::default() }
    }

    pub(super) fn get_mut(&mut self) -> &mut Bounded {
        &mut self.out
    }

    pub(super) fn push(&mut self, piece: &[u8]) -> Result<()> {
        self.input.extend_from_slice(piece);
        let input = std::mem::take(&mut self.input);
        let mut rest = input.as_slice();
        while let Some((part, after)) = self.next_part(rest).and_then(|len| rest.split_at_checked(len)) {
            self.take(part)?;
            rest = after;
        }
        let used = input.len() - rest.len();
        self.input = input;
        self.input.drain(..used);
        Ok(())
    }

    pub(super) fn end(&mut self) -> Result<()> {
        if self.state == State::Between && self.input.is_empty() { Ok(()) } else { Err(broken()) }
    }

    /// The length of the frame header or block at the start of the input, if it can already be determined.
    fn next_part(&self, input: &[u8]) -> Option<usize> {
        match self.state {
            State::Start | State::Between => {
                // RFC 8878, section 3.1.1.1: the descriptor says which fields follow it.
                let descriptor = *input.get(MAGIC)?;
                let single_segment = descriptor & 0x20 != 0;
                let content_size = match descriptor >> 6 {
                    0 => usize::from(single_segment),
                    1 => 2,
                    2 => 4,
                    _ => 8,
                };
                let dictionary = match descriptor & 3 {
                    3 => 4,
                    other => usize::from(other),
                };
                Some(MAGIC + 1 + usize::from(!single_segment) + dictionary + content_size)
            }
            State::Frame { checksum } => {
                // Section 3.1.1.2: whether it is the last, its type, its size. A run (type 1) is one byte long.
                let (&[first, second, third], _) = input.split_first_chunk::<BLOCK_HEADER>()?;
                let header = u32::from_le_bytes([first, second, third, 0]);
                let size = usize::try_from(header >> 3).ok()?;
                let content = if header >> 1 & 3 == 1 { 1 } else { size };
                let end = if header & 1 == 1 && checksum { CHECKSUM } else { 0 };
                Some(BLOCK_HEADER + content + end)
            }
        }
    }

    fn take(&mut self, mut part: &[u8]) -> Result<()> {
        match self.state {
            State::Start | State::Between => {
                let checksum = part.get(MAGIC).is_some_and(|descriptor| descriptor & 4 != 0);
                self.frame.reset(&mut part).map_err(|_| broken())?;
                self.state = State::Frame { checksum };
            }
            State::Frame { checksum } => {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                let last = self.frame.decode_blocks(&mut part, one).map_err(|_| broken())?;
                self.frame.collect_to_writer(&mut self.out)?;
                if last {
                    let (said, is) =
                        (self.frame.get_checksum_from_data(), self.frame.get_calculated_checksum());
                    if checksum && said != is {
                        return Err(broken());
                    }
                    self.state = State::Between;
                }
            }
        }
        Ok(())
    }
}

fn broken() -> Error {
    Error::other("broken")
}
