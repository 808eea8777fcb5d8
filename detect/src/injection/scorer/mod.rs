//! A trained judge alongside the rules: a linear model over hashed features of the words, scored window by window.
//!
//! A text is cut into segments of [`SEGMENT`] words; a window is two neighbouring segments, and the score of a text is
//! that of its worst window. So an order of ten words weighs the same in a chat line and in a book, and the work is
//! linear in the text. Nothing is allocated unless the features themselves are requested (training).

mod classes;
mod features;
mod weights;

pub(super) use classes::ClassWeights;
pub(super) use features::Scorer;
pub use features::{Features, LEAST, SLOTS};
pub(super) use weights::Table;
