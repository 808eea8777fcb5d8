//! The standard library for wasm32-wasip1, the filter's target.
//!
//! Where rustup can fetch, it does. Where it cannot (an air-gapped machine with a distribution mirror), the library is
//! built once from the distribution's copy of its source and put into the toolchain, so that plain
//! `cargo build --target wasm32-wasip1` works from then on. See docs/decisions/0011-wasm-std-from-source.md.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::std_source;
use crate::failure::{Doing, Failure, Outcome};
use crate::place::{Place, find_program};
use crate::run::{cargo, output, run_logged, say};

/// The target's name.
const TARGET: &str = "wasm32-wasip1";

/// Makes sure that the active toolchain can build for the target.
pub(crate) fn ensure(place: &Place) -> Outcome {
    let sysroot = PathBuf::from(output(rustc(place).args(["--print", "sysroot"]))?);
    let installed = sysroot.join("lib/rustlib").join(TARGET);
    if has_std(&installed) {
        return Ok(());
    }
    say(format_args!("the toolchain has no standard library for {TARGET}: asking rustup for it"));
    if by_rustup(place) && has_std(&installed) {
        return Ok(());
    }
    say("rustup cannot fetch it: building it from source (about a minute, once)");
    from_source(place, &sysroot, &installed)
}

fn rustc(place: &Place) -> Command {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.current_dir(&place.root);
    command
}

/// Whether the folder holds a compiled `std`.
fn has_std(installed: &Path) -> bool {
    fs::read_dir(installed.join("lib")).into_iter().flatten().flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

fn by_rustup(place: &Place) -> bool {
    let Some(rustup) = find_program("rustup", &[]) else { return false };
    Command::new(rustup)
        .current_dir(&place.root)
        .args(["target", "add", TARGET])
        .env("RUSTUP_MAX_RETRIES", "1")
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Builds std from source and installs it.
fn from_source(place: &Place, sysroot: &Path, installed: &Path) -> Outcome {
    let rustlib = sysroot.join("lib/rustlib");
    let probe = rustlib.join(".ai-mesh-write-test");
    if fs::write(&probe, "").is_err() {
        return Err(Failure::new(format!(
            "the toolchain lacks the target {TARGET} and {} is not writable; run `rustup target add {TARGET}` as the \
             toolchain's owner, or use a toolchain of your own",
            rustlib.display()
        )));
    }
    fs::remove_file(&probe).doing("remove the write test")?;

    let version = rustc_version(place)?;
    let work = place.ours.join("wasm-std");
    let source = std_source::fetch(&work, &version)?;
    let built = {
        let _linked = LinkedSource::new(&rustlib, &source.rust)?;
        build(&work, &source.libc)?
    };
    install(&built, &source.libc, installed)?;
    let _ = fs::remove_dir_all(&work);
    Ok(())
}

/// `1.95.0` of `rustc 1.95.0 (…)`.
fn rustc_version(place: &Place) -> Outcome<String> {
    let line = output(rustc(place).arg("--version"))?;
    line.split_whitespace()
        .nth(1)
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(format!("`rustc --version` said `{line}`, which names no version")))
}

/// The library's source where cargo looks for it, for as long as the value lives.
struct LinkedSource {
    link: Option<PathBuf>,
}

impl LinkedSource {
    fn new(rustlib: &Path, source: &Path) -> Outcome<Self> {
        let link = rustlib.join("src/rust");
        if link.join("library/Cargo.toml").exists() {
            return Ok(Self { link: None });
        }
        // A link that leads nowhere, left by a run that was killed.
        let _ = fs::remove_file(&link);
        fs::create_dir_all(rustlib.join("src")).doing("make the toolchain's src folder")?;
        std::os::unix::fs::symlink(source, &link).doing(format_args!("link {}", link.display()))?;
        Ok(Self { link: Some(link) })
    }
}

impl Drop for LinkedSource {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            let _ = fs::remove_file(link);
        }
    }
}

/// Builds std for an empty crate; returns the folder with the resulting libraries.
fn build(work: &Path, libc: &Path) -> Outcome<PathBuf> {
    let probe = work.join("probe");
    fs::create_dir_all(probe.join("src")).doing("make the probe crate")?;
    let manifest = "[package]\nname = \"probe\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(probe.join("Cargo.toml"), manifest).doing("write the probe crate")?;
    fs::write(probe.join("src/lib.rs"), "").doing("write the probe crate")?;
    let mut flags = std::ffi::OsString::from("-C target-feature=+simd128 -C embed-bitcode=yes -L native=");
    flags.push(libc);
    flags.push(" -C link-self-contained=no");
    run_logged(
        cargo()
            .current_dir(&probe)
            .args(["build", "--release", "-Zbuild-std=std,panic_abort", "--target", TARGET])
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", flags)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("CARGO_TARGET_DIR", probe.join("target")),
        &work.join("build.log"),
    )?;
    Ok(probe.join("target").join(TARGET).join("release/deps"))
}

/// Puts the libraries and libc where the toolchain looks for them, all at once.
fn install(built: &Path, libc: &Path, installed: &Path) -> Outcome {
    let fresh = installed.with_extension("ai-mesh-new");
    let _ = fs::remove_dir_all(&fresh);
    let own = fresh.join("lib/self-contained");
    fs::create_dir_all(&own).doing(format_args!("make {}", own.display()))?;
    copy(built, &fresh.join("lib"), |name| name.ends_with(".rlib") && !name.starts_with("libprobe-"))?;
    copy(libc, &own, |name| name == "libc.a" || (name.starts_with("crt1") && name.ends_with(".o")))?;
    if !has_std(&fresh) {
        return Err(Failure::new(format!("the build left no libstd in {}", built.display())));
    }
    // What was there had no std: an empty folder, or the remains of an earlier attempt.
    let _ = fs::remove_dir_all(installed);
    fs::rename(&fresh, installed).doing(format_args!("put {} in place", installed.display()))
}

fn copy(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool) -> Outcome {
    for entry in fs::read_dir(from).doing(format_args!("read {}", from.display()))?.flatten() {
        let name = entry.file_name();
        if wanted(&name.to_string_lossy()) && entry.path().extension() != Some(OsStr::new("d")) {
            fs::copy(entry.path(), to.join(&name)).doing(format_args!("copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}
