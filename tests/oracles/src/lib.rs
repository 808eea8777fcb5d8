//! What must hold for any bytes whatever: one function for each target, which panics where it does not hold.
//!
//! The fuzzer (`fuzz/`) calls them with bytes that it grows by coverage; the tests beside this crate call them with the
//! seeds, with mutations of those, and with every input that once broke one (`tests/corpus/fuzz`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bytes;
mod canonical;
mod content;
mod exchange;
mod form;
mod frames;
mod json;
mod message;
mod multipart;
mod policy;
mod rego;
pub mod seeds;
mod sse;
mod stream;
mod wires;

/// A target: its name, what must hold, and inputs to begin with.
pub struct Oracle {
    /// The name, also of its folder in `tests/corpus/fuzz`.
    pub name: &'static str,
    /// Panics where something does not hold for these bytes.
    pub check: fn(&[u8]),
    /// Inputs from which a fuzzer begins.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const ORACLES: &[Oracle] = &[
    Oracle { name: "json", check: json::check, seeds: seeds::json },
    Oracle { name: "message", check: message::check, seeds: seeds::messages },
    Oracle { name: "form", check: form::check, seeds: seeds::forms },
    Oracle { name: "multipart", check: multipart::check, seeds: seeds::multipart },
    Oracle { name: "sse", check: sse::check, seeds: seeds::sse },
    Oracle { name: "stream", check: stream::check, seeds: seeds::streams },
    Oracle { name: "frames", check: frames::check, seeds: seeds::frames },
    Oracle { name: "content", check: content::check, seeds: seeds::content },
    Oracle { name: "canonical", check: canonical::check, seeds: seeds::texts },
    Oracle { name: "holdback", check: wires::check, seeds: seeds::holdback },
    Oracle { name: "exchange", check: exchange::check, seeds: seeds::exchanges },
    Oracle { name: "policy", check: policy::check, seeds: seeds::policies },
    Oracle { name: "rego", check: rego::check, seeds: seeds::rego },
];

/// The target of this name.
pub fn oracle(name: &str) -> Option<&'static Oracle> {
    ORACLES.iter().find(|oracle| oracle.name == name)
}
