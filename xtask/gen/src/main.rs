//! Generates the Rust side of `api/proto`: `cargo xtask gen` writes it, `cargo xtask gen --check` compares.
//!
//! Messages of decisions go to mesh-audit, which the wasm filter compiles too and which therefore knows prost alone; the service
//! goes to mesh-control-api, whose messages are mesh-audit's; the bundle goes to mesh-xds. No protoc is needed: protox parses
//! the files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

/// Paths of the proto files below `api/proto`.
const DECISIONS: &str = "ai_mesh/v1/decisions.proto";
const POLICY_BUNDLE: &str = "ai_mesh/v1/policy_bundle.proto";

/// One generated file: where it lives in the tree, and the options that make it.
struct Output {
    folder: &'static str,
    proto: &'static str,
    service: bool,
}

const OUTPUTS: [Output; 3] = [
    Output { folder: "audit/src/generated", proto: DECISIONS, service: false },
    Output { folder: "control-plane/api/src/generated", proto: DECISIONS, service: true },
    Output { folder: "xds/src/generated", proto: POLICY_BUNDLE, service: false },
];

/// Name of the file that prost makes of the package `ai_mesh.v1`.
const FILE: &str = "ai_mesh.v1.rs";

fn main() -> ExitCode {
    let check = match env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(other) => {
            eprintln!("gen: unknown argument `{other}`; the only one is `--check`");
            return ExitCode::from(2);
        }
    };
    match run(check) {
        Ok(stale) if stale.is_empty() => ExitCode::SUCCESS,
        Ok(stale) => {
            for path in stale {
                eprintln!("{}: differs from api/proto; run `cargo xtask gen`", path.display());
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("gen: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Generates every output; writes it, or (when checking) returns the files that are not what they should be.
fn run(check: bool) -> io::Result<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let mut stale = Vec::new();
    for output in &OUTPUTS {
        let fresh = generate(&root, output)?;
        let path = root.join(output.folder).join(FILE);
        if fs::read_to_string(&path).unwrap_or_default() != fresh {
            if check {
                stale.push(Path::new(output.folder).join(FILE));
            } else {
                fs::create_dir_all(root.join(output.folder))?;
                fs::write(&path, fresh)?;
            }
        }
    }
    Ok(stale)
}

/// The generated text for one output.
fn generate(root: &Path, output: &Output) -> io::Result<String> {
    let descriptors = protox::compile([output.proto], [root.join("api/proto")]).map_err(io::Error::other)?;
    let scratch = tempfile::tempdir()?;
    let builder = tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .build_server(output.service)
        .build_client(output.service)
        .out_dir(scratch.path());
    let builder =
        if output.service { builder.extern_path(".ai_mesh.v1", "::mesh_audit::v1") } else { builder };
    builder.compile_fds(descriptors)?;
    fs::read_to_string(scratch.path().join(FILE))
}
