//! Other detectors, run on the same rows.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Doing, Failure, Outcome};
use crate::place::Place;
use crate::run::say;
use crate::setup::peer_python;

const PRESIDIO: &str = "presidio-analyzer==2.2.366";
const SCRIPT: &str = include_str!("presidio.py");

/// Installs Presidio, runs its pattern recognisers over the files, and returns the file of its predictions.
pub(super) fn presidio(place: &Place, files: &[PathBuf]) -> Outcome<PathBuf> {
    let python = peer_python(place, PRESIDIO)?;
    let folder = place.target.join("eval");
    fs::create_dir_all(&folder).doing(format_args!("make the folder {}", folder.display()))?;
    let script = folder.join("presidio.py");
    fs::write(&script, SCRIPT).doing(format_args!("write {}", script.display()))?;
    let predictions = folder.join("presidio.jsonl");
    let out = File::create(&predictions).doing(format_args!("write {}", predictions.display()))?;
    say("running Presidio (minutes for a few thousand rows)");
    let status =
        Command::new(python).arg(&script).args(files).stdout(out).status().doing("start Presidio")?;
    if status.success() { Ok(predictions) } else { Err(Failure::new(format!("Presidio failed ({status})"))) }
}
