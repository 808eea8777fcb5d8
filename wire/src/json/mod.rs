//! Our own JSON reader: strict, one pass, with byte spans.
//!
//! Why not a library: edits are made in place, so every string needs its span; and whatever two parsers could read
//! differently (duplicate keys, lone surrogates, numbers that overflow, …) must be refused, but general parsers
//! accept it.

mod cursor;
mod keys;
mod number;
mod scan;
mod value;

pub(crate) use cursor::{Doc, NO_LAYER, Val};
pub(crate) use number::plain_digits;
pub(crate) use scan::{Kind, Node, scan, scan_bytes};
pub(crate) use value::inexact_numbers;
pub use value::to_value;
