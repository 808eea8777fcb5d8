//! `cargo xtask deny`: dependencies against deny.toml, with a cargo-deny of our own.

use std::path::PathBuf;
use std::process::Command;

use super::stamp::Stamp;
use crate::failure::{Failure, Outcome};
use crate::place::{Place, find_program};
use crate::run::{cargo, run as start, run_logged, say};

/// The version that CI uses.
const VERSION: &str = "0.20.2";

/// Checks bans, licences and sources. Advisories need a database from the network: `cargo deny check advisories`.
pub(crate) fn run(rest: &[String]) -> Outcome {
    if let Some(word) = rest.first() {
        return Err(Failure::new(format!("`deny` takes no argument, found `{word}`")));
    }
    let place = Place::find()?;
    let program = ensure(&place)?;
    // The judge is a workspace of its own.
    for manifest in ["Cargo.toml", "judge/Cargo.toml"] {
        start(
            Command::new(&program)
                .current_dir(&place.root)
                .args(["deny", "--all-features", "--config", "deny.toml", "--manifest-path", manifest])
                .args(["check", "bans", "licenses", "sources"]),
        )?;
    }
    Ok(())
}

/// The cargo-deny on PATH, else one built into the target folder.
fn ensure(place: &Place) -> Outcome<PathBuf> {
    if let Some(found) = find_program("cargo-deny", &[]) {
        return Ok(found);
    }
    let folder = place.ours.join("tools");
    let stamp = Stamp::new(&folder, VERSION);
    let program = folder.join("bin/cargo-deny");
    if !(stamp.holds() && program.exists()) {
        say(format_args!("building cargo-deny {VERSION} (some minutes, once)"));
        // It runs for a second: build time counts, not speed. Its target folder is kept apart from ours.
        run_logged(
            cargo()
                .args([
                    "install",
                    "--locked",
                    "--debug",
                    "--force",
                    "--no-default-features",
                    "--version",
                    VERSION,
                ])
                .arg("--root")
                .arg(&folder)
                .arg("cargo-deny")
                .env("CARGO_PROFILE_DEV_DEBUG", "0")
                .env("CARGO_TARGET_DIR", place.ours.join("tools-build"))
                .current_dir(&place.ours),
            &place.ours.join("cargo-deny.log"),
        )?;
        let _ = std::fs::remove_dir_all(place.ours.join("tools-build"));
        stamp.write()?;
    }
    Ok(program)
}
