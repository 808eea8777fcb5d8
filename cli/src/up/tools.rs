//! The files that a sidecar is made of: Envoy, the filter it loads, and the authorities that it trusts.

use std::{
    ffi::OsStr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::failure::{Failure, Outcome};

/// The Envoy to start: the one that was named, else the first in `PATH`, else the one that `cargo xtask setup` has fetched.
pub(crate) fn envoy(named: Option<&Path>) -> Outcome<PathBuf> {
    if let Some(path) = named {
        return match path.metadata() {
            Ok(file) if file.is_file() && file.permissions().mode() & 0o111 != 0 => absolute(path),
            Ok(_) => Err(Failure::environment(format!("{} is no program", path.display()))
                .hint("--envoy (or AI_MESH_ENVOY) names the Envoy to start")),
            Err(error) => {
                Err(Failure::environment(format!("there is no Envoy at {}: {error}", path.display()))
                    .hint("--envoy (or AI_MESH_ENVOY) names the Envoy to start"))
            }
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    in_path("envoy", &path).or_else(|| fetched(&std::env::current_exe().ok()?)).ok_or_else(|| {
        Failure::environment("there is no `envoy` in PATH, and none that `cargo xtask setup` has fetched")
            .hint("`cargo xtask up` brings one along; else install Envoy 1.40, or name it with --envoy PATH")
    })
}

fn in_path(name: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| runs(file))
}

fn runs(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The Envoy of the build folder that this program stands in: `target/release/ai-mesh` is the program.
fn fetched(program: &Path) -> Option<PathBuf> {
    let library = program.parent()?.parent()?.join("ai-mesh/envoy-venv/lib");
    let pythons = std::fs::read_dir(library).ok()?.flatten();
    pythons.map(|python| python.path().join("site-packages/envoy/_bin/envoy")).find(|file| runs(file))
}

/// The wasm module: the one that was named, else beside this program, else where the build puts it.
pub(crate) fn filter(named: Option<&Path>) -> Outcome<PathBuf> {
    let program = std::env::current_exe().unwrap_or_default();
    let beside = program.parent().map(|folder| folder.join("mesh_filter.wasm"));
    let built =
        program.parent().and_then(Path::parent).map(|t| t.join("wasm32-wasip1/filter/mesh_filter.wasm"));
    let candidates = match named {
        Some(path) => vec![path.to_owned()],
        None => [beside, built].into_iter().flatten().collect(),
    };
    let Some(path) = candidates.iter().find(|path| path.is_file()) else {
        let failure = match named {
            Some(path) => Failure::environment(format!("there is no filter at {}", path.display())),
            None => Failure::environment("the filter mesh_filter.wasm is not beside this program"),
        };
        return Err(
            failure.hint("`cargo xtask build` makes it; --filter (or AI_MESH_FILTER) says where it is")
        );
    };
    let head = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    if !head.starts_with(b"\0asm") {
        return Err(Failure::environment(format!("{} is no WebAssembly module", path.display())));
    }
    absolute(path)
}

/// The certificate authorities of `--ca-file`, for an Envoy on this machine.
pub(crate) fn authorities(named: Option<&Path>) -> Outcome<Option<PathBuf>> {
    let Some(path) = named else { return Ok(None) };
    let text = std::fs::read(path).map_err(|error| {
        Failure::environment(format!("--ca-file: can't read {}: {error}", path.display()))
    })?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    if !text.windows(begin.len()).any(|window| window == begin) {
        return Err(Failure::environment(format!(
            "--ca-file: there is no certificate in {}",
            path.display()
        ))
        .hint("expected certificate authorities in PEM, such as /etc/ssl/certs/ca-certificates.crt"));
    }
    absolute(path).map(Some)
}

/// The certificate authorities of `--ca-file`, for Envoys on other machines: the file is theirs, and has one path everywhere.
pub(crate) fn authorities_elsewhere(named: Option<&Path>) -> Outcome {
    match named {
        Some(path) if path.is_relative() => Err(Failure::environment(format!(
            "--ca-file: found {}, expected a path that begins with /",
            path.display()
        ))
        .hint("each sidecar reads the file on its own machine, in a folder of its own")),
        _ => Ok(()),
    }
}

/// Envoy runs in another folder than the user.
fn absolute(path: &Path) -> Outcome<PathBuf> {
    std::path::absolute(path).map_err(|error| Failure::file("find", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is neither a program nor a module, in a folder that is removed with the first value.
    fn plain_file() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plain");
        std::fs::write(&file, "text").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        (folder, file)
    }

    #[test]
    fn what_is_not_there_is_said_with_what_to_do() {
        let envoy = envoy(Some(Path::new("/nowhere/envoy"))).unwrap_err().to_string();
        assert!(envoy.contains("/nowhere/envoy") && envoy.contains("--envoy"), "{envoy}");
        let (_folder, plain) = plain_file();
        let no_program = super::envoy(Some(&plain)).unwrap_err().to_string();
        assert!(no_program.contains("is no program"), "{no_program}");
        let filter = filter(Some(Path::new("/nowhere.wasm"))).unwrap_err().to_string();
        assert!(filter.contains("/nowhere.wasm") && filter.contains("--filter"), "{filter}");
        let no_wasm = super::filter(Some(&plain)).unwrap_err().to_string();
        assert!(no_wasm.contains("no WebAssembly module"), "{no_wasm}");
    }

    #[test]
    fn the_envoy_of_the_build_folder_is_found() {
        let fetching = tempfile::tempdir().unwrap();
        let target = fetching.path();
        let folder = target.join("ai-mesh/envoy-venv/lib/python3.12/site-packages/envoy/_bin");
        std::fs::create_dir_all(&folder).unwrap();
        let (program, envoy) = (target.join("release/ai-mesh"), folder.join("envoy"));
        std::fs::write(&envoy, "text").unwrap();
        for (mode, found) in [(0o644, None), (0o755, Some(envoy.clone()))] {
            std::fs::set_permissions(&envoy, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(fetched(&program), found, "{mode:o}");
        }
        assert_eq!(fetched(Path::new("/usr/local/bin/ai-mesh")), None);
    }

    #[test]
    fn only_programs_are_found_in_path() {
        assert!(in_path("sh", OsStr::new("/nowhere:/bin")).is_some());
        assert!(in_path("a-program-that-is-none", OsStr::new("/bin")).is_none());
        let (folder, _) = plain_file();
        assert!(in_path("plain", folder.path().as_os_str()).is_none());
    }
}
