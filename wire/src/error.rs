//! The errors of reading a body, and its bounds.

use std::fmt;

/// Why a body cannot be inspected. Never contains content: only a byte offset and a fixed reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireError {
    /// Not strictly in its declared format, so that two parsers could read it differently. Answer 400.
    Malformed {
        /// Byte offset into the body where reading stopped.
        offset: usize,
        /// What was found there, in fixed words.
        reason: &'static str,
    },
    /// More than a limit allows. Answer 413.
    TooLarge {
        /// What is counted.
        what: &'static str,
        /// The limit that was exceeded.
        limit: usize,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { offset, reason } => write!(f, "malformed body at byte {offset}: {reason}"),
            Self::TooLarge { what, limit } => write!(f, "the body has more {what} than the limit of {limit}"),
        }
    }
}

impl std::error::Error for WireError {}

/// Reasons for numbers that each parser rounds differently.
pub(crate) const OVERFLOW: &str = "number that a double cannot hold";
pub(crate) const DECIMALS: &str = "number with more than 1000 decimals";

/// The document has ended, but not the text.
pub(crate) const FOLLOWS: &str = "something follows the document";
/// Other parsers accept deeper nesting.
pub(crate) const TOO_DEEP: &str = "nested too deeply";

impl WireError {
    /// Whether the document is JSON that only some parsers accept, with different results, and contains an object: a
    /// text in brackets requests nothing.
    pub(crate) fn is_ambiguous(self, text: &str) -> bool {
        let Self::Malformed { offset, reason } = self else { return true };
        let (before, rest) = text.split_at_checked(offset).unwrap_or((text, ""));
        let number = || rest.trim_start_matches('-');
        let differs = matches!(reason, "duplicate key" | "lone surrogate" | OVERFLOW | DECIMALS | TOO_DEEP)
            || reason == "expected a value"
                && ["NaN", "Infinity"].iter().any(|name| number().starts_with(name));
        differs && before.contains('{')
    }

    /// The same error in a text that contains this one at offset `by`.
    pub(crate) fn moved(self, by: usize) -> Self {
        match self {
            Self::Malformed { offset, reason } => Self::Malformed { offset: offset + by, reason },
            error @ Self::TooLarge { .. } => error,
        }
    }
}

/// The result of reading a part of a body.
pub(crate) type Done = Result<(), WireError>;

/// Bytes as text, which they must be.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, WireError> {
    std::str::from_utf8(bytes).or_else(|error| malformed(error.valid_up_to(), "invalid UTF-8"))
}

pub(crate) fn malformed<T>(offset: usize, reason: &'static str) -> Result<T, WireError> {
    Err(WireError::Malformed { offset, reason })
}

/// Bounds on one body or one stream event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body.
    pub max_body: usize,
    /// Texts listed from one body.
    pub max_segments: usize,
    /// JSON values kept from one document (a run of small numbers counts once).
    pub max_nodes: usize,
    /// Nesting of arrays and objects in one document. Never above 128, whatever is set here.
    pub max_depth: usize,
    /// Bytes of one server-sent event.
    pub max_event: usize,
}

impl Default for Limits {
    /// 32 MiB, 200,000 texts, 1,000,000 values, depth 128, and 32 MiB per event too: models send 4K images in one.
    fn default() -> Self {
        Self {
            max_body: 32 << 20,
            max_segments: 200_000,
            max_nodes: 1_000_000,
            max_depth: 128,
            max_event: 32 << 20,
        }
    }
}
