//! The data directory: what is where, and that only one program uses it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::Write,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use mesh_xds::{BootstrapParams, Target, bootstrap};

use super::envoy::Launch;
use crate::{
    failure::{Failure, Outcome},
    output::say,
};

/// A data directory that is there.
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    /// Makes it if it does not exist, readable by its owner alone: it holds tokens.
    pub(crate) fn open(path: &Path) -> Outcome<Self> {
        let path = std::path::absolute(path).map_err(|error| Failure::file("find", path, &error))?;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(|error| {
            Failure::file("make the data directory", &path, &error).hint("choose another with --data")
        })?;
        Ok(Self(path))
    }

    /// Locks it for one program; the lock ends with the program, however that ends.
    pub(crate) fn lock(&self, role: &str) -> Outcome<File> {
        let path = self.0.join(format!("{role}.lock"));
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(|error| Failure::file("write", &path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                Err(Failure::environment(format!("another `ai-mesh` already runs on {}", self.0.display()))
                    .hint("stop it, or give this one its own directory with --data (and its own ports)"))
            }
            Err(TryLockError::Error(error)) => Err(Failure::file("lock", &path, &error)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn sidecar_token(&self) -> PathBuf {
        self.0.join("sidecar-token")
    }

    pub(crate) fn envoy_log(&self) -> PathBuf {
        self.0.join("envoy.log")
    }

    /// Writes Envoy's bootstrap, and says how to start it.
    pub(crate) fn launch(
        &self,
        program: PathBuf,
        concurrency: u32,
        node_id: String,
        admin: SocketAddr,
        control_plane: Target,
        token_file: &Path,
    ) -> Outcome<Launch> {
        let path = self.0.join("envoy.yaml");
        let params = BootstrapParams {
            node_id,
            admin,
            control_plane,
            token_file: token_file.to_owned(),
            policy_keys: policy_keys(token_file)?,
            concurrency,
        };
        write_private(&path, &bootstrap(&params))?;
        Ok(Launch { program, bootstrap: path, log: self.envoy_log(), concurrency, admin })
    }
}

/// The name of this machine, and the port that tells its sidecars apart.
pub(crate) fn node_id(admin_port: u16) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "sidecar" } else { host.trim() };
    format!("{host}-{admin_port}")
}

/// Where the public keys that policies are signed by are looked for: the control plane writes them beside the token.
pub(crate) fn policy_keys_file(token_file: &Path) -> PathBuf {
    token_file.with_file_name(mesh_control_plane::POLICY_KEYS)
}

/// The public keys that policies are signed by.
fn policy_keys(token_file: &Path) -> Outcome<String> {
    const AGAIN: &str = "copy it again from the control plane's data directory";
    let path = policy_keys_file(token_file);
    match std::fs::read_to_string(&path) {
        Ok(text) if text.trim().is_empty() => Err(Failure::environment(format!(
            "{} is empty: it holds no key to verify policies by",
            path.display()
        ))
        .hint(AGAIN)),
        Ok(text) => {
            let is_key = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            let strange = (1..).zip(text.lines()).find(|(_, line)| !line.split_whitespace().all(is_key));
            match strange {
                Some((number, _)) => Err(Failure::environment(format!(
                    "{}:{number}: this is no key, expected 64 hex digits in each line",
                    path.display()
                ))
                .hint(AGAIN)),
                None => Ok(text.split_whitespace().collect::<Vec<_>>().join(",")),
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            say(format_args!(
                "there is no {} beside the token: what the control plane sends is not verified",
                mesh_control_plane::POLICY_KEYS
            ));
            Ok(String::new())
        }
        Err(error) => Err(Failure::file("read", &path, &error)),
    }
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str) -> Outcome {
    // An older file may have wider permissions, which opening it would not change.
    let _ = std::fs::remove_file(path);
    let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::file("write", path, &error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    /// A data directory in a folder that is removed with the first value.
    fn opened() -> (TempDir, DataDir) {
        let folder = TempDir::new().unwrap();
        let data = DataDir::open(&folder.path().join("data")).unwrap();
        (folder, data)
    }

    #[test]
    fn one_program_at_a_time() {
        let (_folder, data) = opened();
        let held = data.lock("up").unwrap();
        let failure = data.lock("up").unwrap_err().to_string();
        assert!(failure.contains("already runs") && failure.contains("--data"), "{failure}");
        drop(held);
        data.lock("up").unwrap();
    }

    #[test]
    fn what_is_written_is_private() {
        let (_folder, data) = opened();
        let path = data.path().join("file");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        write_private(&path, "new").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(data.path())), (0o600, 0o700));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_list_of_keys_that_holds_none_is_not_gone_without() {
        let (_folder, data) = opened();
        let (token, keys) = (data.sidecar_token(), data.path().join(mesh_control_plane::POLICY_KEYS));
        assert_eq!(policy_keys(&token).unwrap(), "", "none was copied: that is said");
        let (one, other) = ("1".repeat(64), "a".repeat(64));
        for (text, expected) in [
            (format!("{one}\n\n{other}\n"), Ok(format!("{one},{other}"))),
            (String::new(), Err("is empty")),
            (" \n".to_owned(), Err("is empty")),
            (format!("{one}\nzz\n"), Err("policy-keys.pub:2: this is no key")),
            (one.repeat(2), Err("policy-keys.pub:1: this is no key")),
        ] {
            std::fs::write(&keys, &text).unwrap();
            match (policy_keys(&token), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(failure), Err(expected)) => {
                    let said = failure.to_string();
                    assert!(said.contains(expected) && said.contains("copy it again"), "{said}");
                }
                (found, _) => panic!("{text:?}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_said() {
        let failure = DataDir::open(Path::new("/dev/null/x")).unwrap_err().to_string();
        assert!(failure.contains("/dev/null/x") && failure.contains("--data"), "{failure}");
    }
}
