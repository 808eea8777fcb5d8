//! `cargo xtask build` and `gen`: the filter for Envoy, the binaries for this machine, the generated code.

use std::fs;

use crate::failure::{Doing, Failure, Outcome};
use crate::place::Place;
use crate::run::{cargo, output, run as start, say};
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

/// `gen [--check]`: the code of `api/proto`, by a generator that is a crate of its own; then the OpenAPI document and the
/// policy's JSON Schema, which their crates write. With `--check` the first is compared; tests compare the others.
pub(crate) fn generate(rest: &[String]) -> Outcome {
    let place = Place::find()?;
    let cargo_in_root = || {
        let mut command = cargo();
        command.current_dir(&place.root);
        command
    };
    start(cargo_in_root().args(["run", "--quiet", "--package", "xtask-gen", "--"]).args(rest))?;
    if !rest.is_empty() {
        return Ok(());
    }
    start(
        cargo_in_root()
            .args(["test", "--quiet", "--package", "mesh-control-api", "openapi"])
            .env("AI_MESH_WRITE_OPENAPI", "1"),
    )?;
    for kind in ["policy", "agent"] {
        let schema = output(
            cargo_in_root()
                .args(["run", "--quiet", "--package", "mesh-policy", "--features", "schema,yaml"])
                .args(["--example", "schema", "--", kind]),
        )?;
        let path = place.root.join(format!("api/{kind}.schema.json"));
        fs::write(&path, schema + "\n").doing(format_args!("write {}", path.display()))?;
    }
    Ok(())
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
