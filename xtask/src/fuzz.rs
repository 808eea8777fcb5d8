//! `cargo xtask fuzz`: builds the fuzz targets with the compiler's own coverage instrumentation, which needs no nightly
//! toolchain, and runs them one after the other. No sanitizer: the rooms under test hold no `unsafe` code.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::{Doing, Failure, Outcome};
use crate::place::Place;
use crate::run::{cargo, output, run as start, say};

/// The instrumentation that libFuzzer needs: edge counters, and traced comparisons.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    /// Names of targets; empty: all.
    targets: Vec<String>,
    /// How long each of them runs.
    seconds: u32,
    /// Whether only to build.
    build: bool,
}

/// `fuzz [TARGET]... [--seconds N] [--build]`.
pub(crate) fn run(rest: &[String]) -> Outcome {
    let wanted = wanted(rest)?;
    let place = Place::find()?;
    let known = targets(&place.root)?;
    if let Some(strange) = wanted.targets.iter().find(|name| !known.contains(name)) {
        let known = known.join(", ");
        return Err(Failure::new(format!("no fuzz target is called `{strange}`; there are {known}")));
    }
    let folder = place.ours.join("fuzz");
    let binaries = build(&place, &folder)?;
    if wanted.build {
        return Ok(());
    }
    let corpus = folder.join("corpus");
    start(
        cargo()
            .current_dir(&place.root)
            .args(["run", "--quiet", "--package", "mesh-oracles", "--example", "seeds", "--"])
            .arg(&corpus),
    )?;
    let chosen = if wanted.targets.is_empty() { known } else { wanted.targets };
    for name in chosen {
        say(format_args!("fuzzing `{name}` for {} s", wanted.seconds));
        let found = folder.join("found").join(&name);
        fs::create_dir_all(&found).doing(format_args!("make {}", found.display()))?;
        let status = Command::new(binaries.join(&name))
            .arg(corpus.join(&name))
            .arg(format!("-artifact_prefix={}/", found.display()))
            .arg(format!("-max_total_time={}", wanted.seconds))
            .args(["-timeout=20", "-max_len=4096", "-rss_limit_mb=2048", "-print_final_stats=1"])
            .status()
            .doing(format_args!("start the fuzz target `{name}`"))?;
        if !status.success() {
            return Err(Failure::new(format!(
                "`{name}` does not hold for the input in {}: mend what it found, and keep the input in \
                 tests/corpus/fuzz/{name}",
                found.display()
            )));
        }
    }
    Ok(())
}

/// Builds all targets; returns the folder they are in.
fn build(place: &Place, folder: &Path) -> Outcome<std::path::PathBuf> {
    let version = output(Command::new("rustc").current_dir(&place.root).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Failure::new("`rustc -vV` does not name the host"))?;
    say("building the fuzz targets");
    let target = folder.join("target");
    // With `--target` the flags are not used for build scripts.
    start(
        cargo()
            .current_dir(place.root.join("fuzz"))
            .args(["build", "--release", "--bins", "--target", host, "--target-dir"])
            .arg(&target)
            .env("RUSTFLAGS", COVERAGE)
            .env_remove("CARGO_TARGET_DIR"),
    )?;
    Ok(target.join(host).join("release"))
}

/// The names of the files in `fuzz/fuzz_targets`.
fn targets(root: &Path) -> Outcome<Vec<String>> {
    let folder = root.join("fuzz/fuzz_targets");
    let files = fs::read_dir(&folder).doing(format_args!("read {}", folder.display()))?;
    let mut names: Vec<String> =
        files.filter_map(|file| file.ok()?.path().file_stem()?.to_str().map(str::to_owned)).collect();
    names.sort_unstable();
    Ok(names)
}

fn wanted(rest: &[String]) -> Outcome<Wanted> {
    let mut wanted = Wanted { targets: Vec::new(), seconds: 60, build: false };
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--build" => wanted.build = true,
            "--seconds" => {
                let seconds = words.next().and_then(|seconds| seconds.parse().ok());
                wanted.seconds = seconds.ok_or_else(|| Failure::new("`--seconds` wants a whole number"))?;
            }
            flag if flag.starts_with('-') => {
                return Err(Failure::new(format!(
                    "`fuzz` has no flag `{flag}`; it takes names of targets, --seconds N and --build"
                )));
            }
            name => wanted.targets.push(name.to_owned()),
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_names_targets_and_a_time() {
        for (line, expected) in [
            ("", Some((vec![], 60, false))),
            ("json sse --seconds 5", Some((vec!["json", "sse"], 5, false))),
            ("--build", Some((vec![], 60, true))),
            ("--seconds", None),
            ("--seconds soon", None),
            ("--jobs 2", None),
        ] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let expected = expected.map(|(targets, seconds, build)| Wanted {
                targets: targets.into_iter().map(str::to_owned).collect(),
                seconds,
                build,
            });
            assert_eq!(wanted(&words).ok(), expected, "{line}");
        }
    }
}
