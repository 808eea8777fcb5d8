//! The database's files are for their owner alone, also where the folder around them is not: records tell who asked what.
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What SQLite keeps beside the file; it makes them with the file's rights.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// How long a control plane that has just been told to stop may take to let go.
const PATIENCE: Duration = Duration::from_secs(2);

/// Takes the database for this process, until the value is dropped: two control planes on one file would not see what the other
/// changes. A file of its own is locked: SQLite's locks on the database go when anybody closes it.
pub(super) async fn take(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(beside(path, ".lock"))?;
    let end = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, "it is in use"));
            }
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(suffix);
    PathBuf::from(beside)
}

/// Makes the file if it is not there, and takes the rights of others away where they have any.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    correct(path)?;
    for suffix in BESIDE {
        match correct(&beside(path, suffix)) {
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
