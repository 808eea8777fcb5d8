//! Other detectors, run on the same rows.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Doing, Failure, Outcome};
use crate::place::Place;
use crate::run::say;
use crate::setup::peer_python;

/// A peer that can be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// Its pattern recognisers: what they find, and how fast.
    Presidio,
    /// The plain patterns of the speed table: how fast.
    Hyperscan,
}

impl Peer {
    pub(super) const ALL: [(&'static str, Peer); 2] =
        [("presidio", Peer::Presidio), ("hyperscan", Peer::Hyperscan)];

    pub(super) fn named(name: &str) -> Option<Peer> {
        Peer::ALL.iter().find(|(own, _)| *own == name).map(|(_, peer)| *peer)
    }

    /// Installs it, runs it over the files, and returns the flags by which the measuring program finds its results.
    pub(super) fn run(self, place: &Place, folder: &Path, files: &[PathBuf]) -> Outcome<Vec<String>> {
        match self {
            Peer::Presidio => presidio(place, folder, files),
            Peer::Hyperscan => hyperscan(place, folder, files),
        }
    }
}

fn presidio(place: &Place, folder: &Path, files: &[PathBuf]) -> Outcome<Vec<String>> {
    let python = peer_python(place, "presidio-analyzer==2.2.366")?;
    let script = written(folder, "presidio.py", include_str!("presidio.py"))?;
    let (predictions, speed) = (folder.join("presidio.jsonl"), folder.join("presidio.json"));
    let out = File::create(&predictions).doing(format_args!("write {}", predictions.display()))?;
    say("running Presidio (minutes for a few thousand rows)");
    finished("Presidio", Command::new(python).arg(&script).arg(&speed).args(files).stdout(out))?;
    Ok(vec![
        "--peer".into(),
        format!("presidio={}", predictions.display()),
        "--peer-speed".into(),
        format!("Presidio, pattern recognisers={}", speed.display()),
    ])
}

fn hyperscan(place: &Place, folder: &Path, files: &[PathBuf]) -> Outcome<Vec<String>> {
    let python = peer_python(place, "hyperscan==0.9.1")?;
    let script = written(folder, "hyperscan_speed.py", include_str!("hyperscan_speed.py"))?;
    let patterns = place.root.join("detect/examples/eval/patterns.txt");
    let speed = folder.join("hyperscan.json");
    say("running Hyperscan");
    finished("Hyperscan", Command::new(python).arg(&script).arg(&speed).arg(patterns).args(files))?;
    Ok(vec!["--peer-speed".into(), format!("Hyperscan, the same eight patterns={}", speed.display())])
}

fn written(folder: &Path, name: &str, text: &str) -> Outcome<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, text).doing(format_args!("write {}", path.display()))?;
    Ok(path)
}

fn finished(name: &str, command: &mut Command) -> Outcome {
    let status = command.status().doing(format_args!("start {name}"))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{name} failed ({status})"))) }
}
