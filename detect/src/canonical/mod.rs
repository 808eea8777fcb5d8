//! One meaning, many spellings: brings texts into the canonical form in which they are judged, with a map back to the
//! bytes that were sent.

pub(crate) mod base64;
mod chars;
mod escape;
mod folded;
mod plain;
mod view;

pub(crate) use chars::{Glyph, glyph, is_control};
pub use folded::{folded, reads_otherwise};
pub(crate) use plain::may_vanish;
pub use plain::{plain, stripped};
pub use view::View;
