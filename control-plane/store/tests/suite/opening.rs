//! Opening stores: what lasts, and what is said when it cannot be.
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use mesh_control_core::{Change, PolicyVersion, Timestamp};
use mesh_control_store::{Location, OpenError, open, windows};

use crate::support::postgres_database;

fn deletion() -> PolicyVersion {
    let at = Timestamp::UNIX_EPOCH;
    PolicyVersion { name: "a".to_owned(), version: 1, change: Change::Deleted, at, document: None }
}

async fn what_is_written_is_there_again(location: Location) {
    let written = open(&location).await.unwrap().policies.append(0, &[deletion()]).await.unwrap();
    // A second opening while the first may still be there: migrations run once.
    let again = open(&location).await.unwrap();
    assert_eq!(again.policies.newest().await.unwrap(), written);
}

#[tokio::test]
async fn sqlite_lasts() {
    let folder = tempfile::tempdir().unwrap();
    what_is_written_is_there_again(Location::Sqlite(folder.path().join("mesh.db"))).await;
}

/// Whoever else can look into the folder.
#[tokio::test]
async fn sqlite_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["mesh.db", "mesh.db-wal", "mesh.db-shm"].map(|name| folder.path().join(name));
    let modes = || files.each_ref().map(|file| fs::metadata(file).unwrap().permissions().mode() & 0o777);
    let location = Location::Sqlite(files[0].clone());
    let first = open(&location).await.unwrap();
    let written = first.policies.append(0, &[deletion()]).await.unwrap();
    assert_eq!(modes(), [0o600; 3]);
    // As they are left behind by a process that has ended at once.
    let left = files.each_ref().map(|file| fs::read(file).unwrap());
    drop(first);
    for (file, bytes) in files.iter().zip(left) {
        fs::write(file, bytes).unwrap();
        fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
    }
    let again = open(&location).await.unwrap();
    assert_eq!(again.policies.newest().await.unwrap(), written);
    assert_eq!(modes(), [0o600; 3]);
}

#[tokio::test]
async fn sqlite_is_one_control_planes() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("mesh.db"));
    let first = open(&location).await.unwrap();
    let told = whole(&open(&location).await.err().unwrap());
    assert!(told.contains("another control plane runs on it"), "{told}");
    // One that is on its way out is waited for.
    let (second, ()) = tokio::join!(open(&location), async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        drop(first);
    });
    second.unwrap();
}

#[tokio::test]
async fn postgres_lasts() {
    what_is_written_is_there_again(Location::Postgres(postgres_database().await)).await;
}

#[tokio::test]
async fn two_control_planes_start_on_one_new_database() {
    let location = Location::Postgres(postgres_database().await);
    let (one, two) = tokio::join!(open(&location), open(&location));
    one.unwrap().policies.append(0, &[deletion()]).await.unwrap();
    assert_eq!(two.unwrap().policies.newest().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_can_not_be_opened_is_told_plainly_and_without_secrets() {
    // A port that nobody listens on.
    let port = mesh_ports::free_port();
    let folder = tempfile::tempdir().unwrap();
    let not_a_database = folder.path().join("text.db");
    std::fs::write(&not_a_database, "this is not a database ".repeat(100)).unwrap();
    let table = [
        (
            Location::Postgres(format!("postgres://mesh:hunter2@127.0.0.1:{port}/mesh")),
            format!("Postgres at 127.0.0.1:{port}/mesh cannot be used: nobody answers there"),
        ),
        (
            Location::Postgres("postgres://mesh:hunter2@127.0.0.1:99999/mesh".to_owned()),
            "Postgres at 127.0.0.1:99999/mesh cannot be used: check the address".to_owned(),
        ),
        (
            Location::Sqlite(folder.path().join("no/such/folder/mesh.db")),
            "check that its folder exists".to_owned(),
        ),
        (Location::Sqlite(not_a_database), "no other program made the file".to_owned()),
    ];
    for (location, expected) in table {
        let error = open(&location).await.err().unwrap();
        let told = whole(&error);
        assert!(told.contains(&expected) && !told.contains("hunter2"), "{told}");
    }
    for url in [format!("redis://:hunter2@127.0.0.1:{port}"), "hunter2".to_owned()] {
        let told = whole(&windows(Some(&url)).await.err().unwrap());
        assert!(told.contains("Redis") && !told.contains("hunter2"), "{told}");
    }
}

/// An error with its causes, as the program prints it.
fn whole(error: &OpenError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
