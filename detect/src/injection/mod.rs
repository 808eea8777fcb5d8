//! Attempts to steer a model: who speaks, what is said, and how.
//!
//! Words belong to classes (to override, earlier, instruction, …); rules are sequences of classes within windows, each
//! with a weight. Weights of matches close together add up. A small trained model scores the same words alongside the
//! rules; the source of the text decides how much evidence is needed.

mod alphabet;
mod codes;
mod evidence;
mod hidden;
mod layers;
mod lexicon;
mod matcher;
mod phrases;
mod rules;
pub(crate) mod scorer;
mod structure;
mod together;
mod tokens;
mod told;
mod verdict;
mod words;
mod words_more;
mod words_other;

pub(crate) use lexicon::Lexicon;
pub use phrases::{MAX_PHRASES, Phrases};
pub use verdict::{Family, InjectionFinding, Sensitivity, Source};
pub(crate) use verdict::{explain, features, judge, judge_from, parts, score, threshold_score};
