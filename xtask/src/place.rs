//! Where things are: the clone, cargo's target folder, and our own folder inside it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Outcome};

/// The folders every command works in.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Root of the clone.
    pub(crate) root: PathBuf,
    /// Cargo's target folder: `CARGO_TARGET_DIR`, else `target` in the clone.
    pub(crate) target: PathBuf,
    /// What setup fetched or built: `ai-mesh` in the target folder.
    pub(crate) ours: PathBuf,
}

impl Place {
    /// Finds the folders, and makes our own.
    pub(crate) fn find() -> Outcome<Self> {
        // `cargo run` tells where the crate is; the path compiled in serves a binary that is started directly.
        let crate_folder = env::var_os("CARGO_MANIFEST_DIR")
            .map_or(PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = crate_folder.join("..").canonicalize().doing("find the root of the clone")?;
        let target = env::var_os("CARGO_TARGET_DIR")
            .filter(|folder| !folder.is_empty())
            .map_or_else(|| root.join("target"), |folder| root.join(folder));
        let ours = target.join("ai-mesh");
        fs::create_dir_all(&ours).doing(format_args!("make the folder {}", ours.display()))?;
        Ok(Self { root, target, ours })
    }

    /// The filter as Envoy loads it.
    pub(crate) fn filter(&self) -> PathBuf {
        self.target.join("wasm32-wasip1/filter/mesh_filter.wasm")
    }

    /// A binary of the workspace, built with this profile's folder name (`debug`, `release`).
    pub(crate) fn binary(&self, profile: &str, name: &str) -> PathBuf {
        self.target.join(profile).join(name)
    }
}

/// The first of these programs found on PATH or in the further folders, as an absolute path.
pub(crate) fn find_program(name: &str, further: &[PathBuf]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(further.iter().cloned())
        .map(|folder| folder.join(name))
        .find(|candidate| is_program(candidate))
}

/// Whether this is a file that may be executed.
pub(crate) fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
