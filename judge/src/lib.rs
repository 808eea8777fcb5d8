//! A text classifier from a local model folder, served over HTTP: the second opinion on what the filter's first tier finds
//! doubtful. `POST /predict` is text-embeddings-inference's contract, so another server of it can stand in its place.
//!
//! Law: nothing of a text is logged, measured or told in an error; work and memory are bounded by the options.

mod classifier;
mod encoder;
mod focus;
mod head;
pub mod serve;

pub use classifier::{Class, Classifier, ClassifyError, LoadError, Options};
pub use head::{Head, HeadError, SIZE};
