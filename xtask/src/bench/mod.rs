//! `cargo xtask bench`: what the mesh adds to a request, measured in a real Envoy; with `--policies`, what large sets of policies
//! cost; with `--xds`, many xDS clients; with `--instructions`, where in Envoy an exchange's instructions go.

mod core;

use std::process::Command;

use crate::failure::Outcome;
use crate::place::Place;
use crate::run::{cargo, run as start, say};
use crate::{build, setup};

/// Sets up, builds filter, empty filter and load generator, and runs the generator.
pub(crate) fn run(rest: &[String]) -> Outcome {
    let place = Place::find()?;
    if rest == ["--core"] {
        return core::count(&place);
    }
    if rest.iter().any(|flag| flag == "--instructions") {
        core::needs_valgrind()?;
    }
    let envoy = setup::for_running(&place)?;
    build::filter(&place)?;
    say("building the empty filter and the load generator");
    start(cargo().current_dir(&place.root).args([
        "build",
        "--package",
        "mesh-bench-empty-filter",
        "--target",
        "wasm32-wasip1",
        "--profile",
        "filter",
    ]))?;
    start(cargo().current_dir(&place.root).args([
        "build",
        "--release",
        "--package",
        "mesh-bench",
        "--package",
        "mesh-cli",
    ]))?;
    let flags = rest.strip_prefix(&["--".to_owned()]).unwrap_or(rest);
    start(
        Command::new(place.binary("release", "mesh-bench"))
            .current_dir(&place.root)
            .args(flags)
            .env("AI_MESH_ENVOY", envoy)
            .env("AI_MESH_FILTER", place.filter())
            .env("AI_MESH_BIN", place.binary("release", "ai-mesh"))
            .env(
                "AI_MESH_EMPTY_FILTER",
                place.target.join("wasm32-wasip1/filter/mesh_bench_empty_filter.wasm"),
            ),
    )
}
