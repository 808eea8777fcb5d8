//! Writes every target's seeds, and the inputs that once broke it, where a fuzzer begins: `seeds FOLDER`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use mesh_oracles::ORACLES;

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("the folder to write to"));
    let broke = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/fuzz");
    for oracle in ORACLES {
        let into = folder.join(oracle.name);
        fs::create_dir_all(&into).expect("a folder for the target");
        for (number, seed) in (oracle.seeds)().into_iter().enumerate() {
            fs::write(into.join(format!("seed-{number:03}")), seed).expect("write a seed");
        }
        for file in fs::read_dir(broke.join(oracle.name)).into_iter().flatten().flatten() {
            fs::copy(file.path(), into.join(file.file_name())).expect("copy an input");
        }
    }
}
