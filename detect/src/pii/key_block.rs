//! Armoured private keys (RFC 7468): from `-----BEGIN … PRIVATE KEY-----` to the end line.

use memchr::memmem;

use super::scan::Scan;
use crate::EntityType;
use crate::bytes::{run_end, slice};

/// The maximum length of a block in bytes.
pub(super) const MAX_BLOCK: usize = 8 * 1024;
/// Header, footer and some twenty characters of key.
pub(super) const MIN_BLOCK: usize = 80;
/// The maximum number of spaces in all header lines of a key; prose soon has more.
const BLOCK_SPACES: usize = 16;

/// How far a block of armoured text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// To the end of its `-----END …-----` line.
    Complete(usize),
    /// To the end of the text: more of it may come.
    Open,
    /// To a character that does not occur in such a block.
    Broken(usize),
}

/// Whether the header of the block at `begin` names a private key.
pub(super) fn is_private(text: &[u8], begin: usize) -> bool {
    memmem::find(slice(text, begin, begin + 64), b"PRIVATE KEY").is_some()
}

/// Reads the block that begins at `begin`.
pub(super) fn block(text: &[u8], begin: usize) -> Block {
    let window = slice(text, begin, begin + MAX_BLOCK);
    let mut spaces = 0;
    let stop = run_end(window, 0, |b| {
        spaces += usize::from(b == b' ');
        spaces <= BLOCK_SPACES
            && (b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || b"+/=-:,\\.()".contains(&b))
    });
    let body = slice(window, 0, stop);
    let end = memmem::find(body, b"-----END ").and_then(|end| {
        let label = end + 9;
        memmem::find(slice(body, label, label + 64), b"-----").map(|dashes| label + dashes + 5)
    });
    match end {
        Some(end) => Block::Complete(begin + end),
        None if begin + stop == text.len() && stop < MAX_BLOCK => Block::Open,
        None => Block::Broken(begin + stop),
    }
}

/// A private key block. A truncated or broken one still counts, up to where it stops.
pub(super) fn at_header(scan: &mut Scan<'_>, begin: usize) {
    let text = scan.text;
    if !is_private(text, begin) {
        return;
    }
    let end = match block(text, begin) {
        Block::Complete(end) | Block::Broken(end) => end,
        Block::Open => text.len(),
    };
    // A header without a body is talk about keys.
    if end - begin >= MIN_BLOCK {
        scan.report(EntityType::PrivateKey, begin, end, 0.98, "private-key/block");
    }
}
