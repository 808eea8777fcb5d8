//! Rows sent through a real mesh: `tests/examples/eval_envoy.rs`, with what it needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Outcome;
use crate::place::Place;
use crate::run::{cargo, run as start, say};
use crate::{build, setup};

/// Sets up a mesh, sends the rows of the files through it, and returns the file of what was found on the way.
pub(super) fn answers(place: &Place, folder: &Path, files: &[PathBuf]) -> Outcome<PathBuf> {
    let envoy = setup::for_running(place)?;
    build::filter(place)?;
    say("building the mesh and the program that sends rows through it");
    let built =
        ["build", "--package", "mesh-cli", "--package", "mesh-tests", "--bins", "--example", "eval_envoy"];
    start(cargo().current_dir(&place.root).args(built))?;
    let answers = folder.join("envoy.jsonl");
    say("sending the rows through Envoy (minutes for a few thousand)");
    start(
        Command::new(place.target.join("debug/examples/eval_envoy"))
            .arg(&answers)
            .args(files)
            .env("AI_MESH_ENVOY", envoy)
            .env("AI_MESH_FILTER", place.filter())
            .env("AI_MESH_BIN", place.binary("debug", "ai-mesh")),
    )?;
    Ok(answers)
}
