//! `cargo xtask up`: from a fresh clone to a running mesh.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::{build, run, setup};

/// Sets up, builds, and becomes `ai-mesh up`.
///
/// The process is replaced, so that Ctrl-C and SIGTERM reach the mesh itself and its exit code is ours.
pub(crate) fn run(rest: &[String]) -> Outcome {
    let place = Place::find()?;
    let envoy = setup::for_running(&place)?;
    build::filter(&place)?;
    build::binary(&place)?;
    let flags = rest.strip_prefix(&["--".to_owned()]).unwrap_or(rest);
    run::say("starting ai-mesh up");
    let error = Command::new(place.binary("release", "ai-mesh"))
        .arg("up")
        .args(flags)
        .env("AI_MESH_ENVOY", envoy)
        .env("AI_MESH_FILTER", place.filter())
        .exec();
    Err(Failure::new(format!("cannot start ai-mesh: {error}")))
}
