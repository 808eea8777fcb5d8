//! SQLite: one file, no server.
//!
//! Write-ahead log with `synchronous=FULL`: a committed transaction survives the end of the process and of the machine.
//! SQLite has one writer at a time, so that there is one connection for writing, and writers queue for it fairly.
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqlitePool, Transaction};

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

/// A SQLite database.
pub(crate) struct Sql {
    read: SqlitePool,
    write: SqlitePool,
}

impl Sql {
    /// Opens the file, making it if it is not there, and brings its tables up to date. It is for its owner alone.
    pub(crate) async fn open(path: &Path) -> sqlx::Result<Self> {
        file::make_private(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let write = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!("migrations/sqlite").run(&write).await?;
        let read = SqlitePoolOptions::new().max_connections(4).connect_with(options.read_only(true)).await?;
        Ok(Sql { read, write })
    }
}

async fn begin(sql: &Sql) -> sqlx::Result<Transaction<'static, Db>> {
    sql.write.begin_with("BEGIN IMMEDIATE").await
}

/// The transaction began with the one lock there is.
async fn lock(_tx: &mut Transaction<'static, Db>, _what: ()) -> sqlx::Result<()> {
    Ok(())
}
