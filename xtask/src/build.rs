//! `cargo xtask build` and `gen`: the filter for Envoy, the binaries for this machine, the generated code.

use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::run::{cargo, run as start, say};
use crate::setup;

/// `build`: the filter and the release binary `ai-mesh`.
pub(crate) fn run(rest: &[String]) -> Outcome {
    if let Some(word) = rest.first() {
        return Err(Failure::new(format!("`build` takes no argument, found `{word}`")));
    }
    let place = Place::find()?;
    setup::wasm::ensure(&place)?;
    filter(&place)?;
    binary(&place)?;
    say(format_args!("built {}", place.filter().display()));
    say(format_args!("built {}", place.binary("release", "ai-mesh").display()));
    Ok(())
}

/// `gen`: runs the generator, which is a crate of its own.
pub(crate) fn generate(rest: &[String]) -> Outcome {
    let place = Place::find()?;
    start(
        cargo().current_dir(&place.root).args(["run", "--quiet", "--package", "xtask-gen", "--"]).args(rest),
    )
}

/// The wasm module that Envoy loads.
pub(crate) fn filter(place: &Place) -> Outcome {
    say("building the filter (wasm32-wasip1)");
    start(cargo().current_dir(&place.root).args([
        "build",
        "--package",
        "mesh-filter",
        "--target",
        "wasm32-wasip1",
        "--profile",
        "filter",
    ]))
}

/// `ai-mesh` as users run it.
pub(crate) fn binary(place: &Place) -> Outcome {
    say("building ai-mesh");
    start(cargo().current_dir(&place.root).args(["build", "--release", "--package", "mesh-cli"]))
}
