//! The database's files are for their owner alone, also where the folder around them is not: records tell who asked what.
use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What SQLite keeps beside the file; it makes them with the file's rights.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Makes the file if it is not there, and takes the rights of others away where they have any.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    correct(path)?;
    for suffix in BESIDE {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        match correct(&PathBuf::from(beside)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            corrected => corrected?,
        }
    }
    Ok(())
}

fn correct(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), "the database could be read by other users; the file's rights are corrected");
    fs::set_permissions(path, Permissions::from_mode(0o600))
}
