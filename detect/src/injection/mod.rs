//! Attempts to steer a model: who speaks, what is said, how it is put.
//!
//! Words fall into classes (to override, earlier, instruction, …); rules are sequences of classes within windows, each
//! with a weight. Weights of what is found close together add up. A small trained model scores the same words beside the
//! rules; who is speaking decides how much it takes.

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
