//! What was found about large sets, as it is recorded.

use serde::Serialize;

use crate::figures::Case;

/// Everything that one run found.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// When, RFC 3339.
    pub(crate) time: String,
    /// The machine: processor model, cores.
    pub(crate) machine: String,
    /// The commit, and whether the tree had changes.
    pub(crate) commit: String,
    pub(crate) rounds: usize,
    pub(crate) sets: Vec<SetCost>,
    pub(crate) decisions: Vec<Decisions>,
    /// In Envoy, by the compiled module.
    pub(crate) envoy: Vec<Case>,
    pub(crate) deciding: Vec<Deciding>,
    pub(crate) meshes: Vec<MeshCost>,
}

/// A set natively.
#[derive(Debug, Serialize)]
pub(crate) struct SetCost {
    pub(crate) set: String,
    /// The bundle as JSON, as each sidecar gets it.
    pub(crate) bundle_bytes: usize,
    pub(crate) read_ms: f64,
    pub(crate) compile_ms: f64,
    /// By how much the process grew when the set was compiled.
    pub(crate) program_bytes: u64,
}

/// Decisions natively: medians over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Decisions {
    pub(crate) set: String,
    pub(crate) case: &'static str,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) worst_us: f64,
    pub(crate) per_second: f64,
}

/// Decisions by the compiled module in Envoy, by its own clock, as its records tell.
#[derive(Debug, Serialize)]
pub(crate) struct Deciding {
    pub(crate) set: String,
    pub(crate) decisions: usize,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
}

/// A whole mesh: control plane and one Envoy.
#[derive(Debug, Serialize)]
pub(crate) struct MeshCost {
    pub(crate) set: String,
    /// From the start, with the documents in files, until Envoy has accepted them.
    pub(crate) ready_s: f64,
    pub(crate) control_plane_bytes: u64,
    pub(crate) envoy_bytes: u64,
    pub(crate) changes: usize,
    /// From sending one changed rule until the answer that it is accepted.
    pub(crate) accepted_p50_ms: f64,
    /// From sending it until a request was judged by it.
    pub(crate) enforced_p50_ms: f64,
    pub(crate) enforced_p99_ms: f64,
}
