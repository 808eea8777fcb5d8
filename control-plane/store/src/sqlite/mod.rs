//! SQLite: one file, no server.
//!
//! Write-ahead log with `synchronous=FULL`: a committed transaction survives the end of the process and of the machine.
//! SQLite has one writer at a time, so that there is one connection for writing, and writers queue for it fairly.
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqlitePool, Transaction};

use crate::writes::Writes;

#[path = "../sql/decisions.rs"]
mod decisions;
mod file;
#[path = "../sql/policies.rs"]
mod policies;
#[path = "../sql/tools.rs"]
mod tools;

type Db = sqlx::Sqlite;

/// Function that gives the position of its second argument in the first, 0 for none.
const CONTAINS: &str = "instr";
/// What [`lock`] is asked for.
const POLICIES: () = ();
const DECISIONS: () = ();
const TOOLS: () = ();

/// A SQLite database, of this process alone.
pub(crate) struct Sql {
    read: SqlitePool,
    write: SqlitePool,
    writes: Writes,
    /// Nobody else has the database while it is held.
    _taken: File,
}

impl Sql {
    /// Opens the file, making it if it is not there, and brings its tables up to date. It is for its owner alone.
    pub(crate) async fn open(path: &Path) -> sqlx::Result<Self> {
        let taken = file::take(path).await?;
        file::make_private(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let write = writer().connect_with(options.clone()).await?;
        sqlx::migrate!("migrations/sqlite").run(&write).await?;
        let read = SqlitePoolOptions::new().max_connections(4).connect_with(options.read_only(true)).await?;
        Ok(Sql { read, write, writes: Writes::default(), _taken: taken })
    }

    /// Closes all connections. The last one writes the log into the file, which one that only reads could not.
    pub(crate) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// The one connection for writing. Where the disk is full SQLite ends a transaction by itself, and the driver then takes the connection
/// for one that is in a transaction still: it is closed, and the next writer gets another.
fn writer() -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(1).after_release(|connection, _| {
        Box::pin(async move {
            // The roll-back is on its way; it is done when this is answered.
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    })
}

async fn begin(sql: &Sql) -> sqlx::Result<Transaction<'static, Db>> {
    sql.write.begin_with("BEGIN IMMEDIATE").await
}

/// The transaction began with the one lock there is.
async fn lock(_tx: &mut Transaction<'static, Db>, _what: ()) -> sqlx::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use mesh_control_core::ports::{DecisionStore, PolicyStore, ToolStore};
    use mesh_control_core::{Batch, Change, PolicyVersion, ToolSighting};
    use mesh_policy::{Document, Policy, Spec};

    use super::*;

    fn version(number: u64, length: usize) -> PolicyVersion {
        let spec = Spec { description: Some("x".repeat(length)), ..Spec::default() };
        let document = Some(Document::Policy(Policy::new("a", spec)));
        PolicyVersion {
            name: "a".into(),
            version: number,
            change: Change::Updated,
            at: Timestamp::UNIX_EPOCH,
            document,
        }
    }

    /// Writes more than there is room for, in one of the ways there are.
    async fn overfill(sql: &Sql, what: &str) -> bool {
        let now = Timestamp::UNIX_EPOCH;
        let long = "x".repeat(4_000_000);
        match what {
            "a policy" => sql.append(0, &[version(1, long.len())]).await.is_err(),
            "records" => {
                let record = mesh_audit::v1::DecisionRecord { model: long, ..Default::default() };
                let batch = Batch {
                    sidecar: "edge".into(),
                    vm: "v".into(),
                    first_sequence: 1,
                    records: vec![record],
                    dropped: 0,
                };
                sql.intake(&batch, now).await.is_err()
            }
            _ => {
                let sighting = ToolSighting {
                    server: "s".into(),
                    name: "n".into(),
                    digest: "d".into(),
                    text: long,
                    truncated: false,
                    sidecar: "edge".into(),
                };
                sql.seen(&[sighting], &|_, _, _| false, now).await.is_err()
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_was_closed_holds_everything() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mesh.db");
        let sql = Sql::open(&file).await.unwrap();
        assert!(sql.append(0, &[version(1, 100)]).await.is_ok());
        // One that reads is open, too.
        assert_eq!(sql.newest().await.unwrap().len(), 1);
        sql.close().await;
        let log = std::fs::metadata(folder.path().join("mesh.db-wal")).map_or(0, |log| log.len());
        assert_eq!(log, 0);
        drop(sql);

        let copy = folder.path().join("copy.db");
        std::fs::copy(&file, &copy).unwrap();
        let sql = Sql::open(&copy).await.unwrap();
        assert_eq!(sql.newest().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_full_disk_stops_writers_only_while_it_is_full() {
        for what in ["a policy", "records", "a tool"] {
            let folder = tempfile::tempdir().unwrap();
            let sql = Sql::open(&folder.path().join("mesh.db")).await.unwrap();
            // As if the disk had no room for more; it holds for this connection.
            sqlx::query("PRAGMA max_page_count = 100").execute(&sql.write).await.unwrap();
            assert!(overfill(&sql, what).await, "{what}");
            let written = sql.append(0, &[version(1, 10)]).await;
            assert!(written.is_ok(), "after {what}: {written:?}");
        }
    }

    #[tokio::test]
    async fn a_writer_that_fails_is_told_until_it_works_again() {
        let folder = tempfile::tempdir().unwrap();
        let sql = Sql::open(&folder.path().join("mesh.db")).await.unwrap();
        let refuse = |on: bool| format!("PRAGMA query_only = {on}");
        sqlx::query(sqlx::AssertSqlSafe(refuse(true))).execute(&sql.write).await.unwrap();
        assert!(sql.writes().await.is_ok(), "nobody has written yet");
        assert!(sql.append(0, &[version(1, 10)]).await.is_err());
        assert!(sql.writes().await.is_err());
        assert!(sql.revision().await.is_ok(), "readers are answered");
        sqlx::query(sqlx::AssertSqlSafe(refuse(false))).execute(&sql.write).await.unwrap();
        assert!(sql.writes().await.is_ok());
        assert!(sql.append(0, &[version(1, 10)]).await.is_ok());
    }
}
