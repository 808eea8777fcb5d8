//! Postgres and Redis for the tests: found on the machine, or installed where we may.
//!
//! Tests that need them do not skip: without them setup fails, and says what to install.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Doing, Failure, Outcome};
use crate::place::{Place, find_program};
use crate::run::{run_logged, say};

/// Folder of `initdb` and `postgres`.
pub(super) fn postgres(place: &Place) -> Outcome<PathBuf> {
    find_or_install(place, "Postgres", "postgresql", || {
        let programs = find_program("initdb", &debian_postgres_folders())?;
        // On PATH there may be links; what initdb needs lies beside the real file.
        let folder = programs.canonicalize().ok()?.parent()?.to_owned();
        folder.join("postgres").exists().then_some(folder)
    })
}

/// The `redis-server` program.
pub(super) fn redis(place: &Place) -> Outcome<PathBuf> {
    find_or_install(place, "Redis", "redis-server", || find_program("redis-server", &["/usr/sbin".into()]))
}

fn find_or_install(
    place: &Place,
    name: &str,
    package: &str,
    find: impl Fn() -> Option<PathBuf>,
) -> Outcome<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    if !install(place, package)? {
        return Err(Failure::new(format!(
            "the tests need {name}; install it (on Debian and Ubuntu: `sudo apt-get install {package}`) and run \
             this again. They start a private server of their own"
        )));
    }
    find().ok_or_else(|| {
        Failure::new(format!("the package {package} is installed, but {name} is not to be found"))
    })
}

/// Debian keeps the programs of each major version apart and off PATH; newest first.
fn debian_postgres_folders() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// Installs a package where we are root and the machine has apt; false where not.
pub(super) fn install(place: &Place, package: &str) -> Outcome<bool> {
    let root = fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    let Some(apt) = find_program("apt-get", &[]).filter(|_| root) else { return Ok(false) };
    say(format_args!("installing {package}"));
    let _quiet = NoDaemons::new()?;
    run_logged(Command::new(&apt).args(["update", "-q"]), &place.ours.join("apt-update.log"))?;
    run_logged(
        Command::new(apt)
            .args(["install", "-q", "-y", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive"),
        &place.ours.join("apt-install.log"),
    )?;
    Ok(true)
}

/// While it lives, packages do not start their daemons at installation (Debian's policy-rc.d interface: exit code 101).
struct NoDaemons {
    made: Option<PathBuf>,
}

impl NoDaemons {
    fn new() -> Outcome<Self> {
        let path = PathBuf::from("/usr/sbin/policy-rc.d");
        if path.exists() {
            return Ok(Self { made: None });
        }
        fs::write(&path, "#!/bin/sh\nexit 101\n").doing(format_args!("write {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).doing("make policy-rc.d executable")?;
        Ok(Self { made: Some(path) })
    }
}

impl Drop for NoDaemons {
    fn drop(&mut self) {
        if let Some(path) = &self.made {
            // If it stays, packages installed later do not start their daemons: worth a warning, not a failure.
            if let Err(error) = fs::remove_file(path) {
                say(format_args!("please remove {}: {error}", path.display()));
            }
        }
    }
}
