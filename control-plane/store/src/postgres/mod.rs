//! Postgres: for several control planes on one database, and for more decisions than a file should hold.
//!
//! Writers wait for each other, each with its connection; those who only read have connections of their own, so that they never
//! wait for a writer. A control plane has at most sixteen.
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Transaction};

use crate::writes::Writes;

#[path = "../sql/decisions.rs"]
mod decisions;
#[path = "../sql/policies.rs"]
mod policies;
#[path = "../sql/tools.rs"]
mod tools;

type Db = sqlx::Postgres;

/// Function that gives the position of its second argument in the first, 0 for none.
const CONTAINS: &str = "strpos";
/// Advisory locks: ids are given out in the order in which transactions commit, so that a reader who has seen one will not
/// see a smaller one appear later.
const POLICIES: i64 = 0x6169_6d65_7368_0001;
const DECISIONS: i64 = 0x6169_6d65_7368_0002;
const TOOLS: i64 = 0x6169_6d65_7368_0003;

/// Connections for writing: few work at a time, the others wait for a lock.
const WRITERS: u32 = 10;
/// Connections for reading.
const READERS: u32 = 6;

/// A Postgres database.
pub(crate) struct Sql {
    read: PgPool,
    write: PgPool,
    writes: Writes,
}

impl Sql {
    /// Closes all connections.
    pub(crate) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    /// Connects, and brings the tables up to date (one control plane at a time does).
    pub(crate) async fn open(url: &str) -> sqlx::Result<Self> {
        let options = PgConnectOptions::from_str(url)?.application_name("ai-mesh");
        let pool = |most| PgPoolOptions::new().max_connections(most).acquire_timeout(Duration::from_secs(10));
        let write = pool(WRITERS).connect_with(options.clone()).await?;
        sqlx::migrate!("migrations/postgres").run(&write).await?;
        let read = pool(READERS).connect_with(options).await?;
        Ok(Sql { read, write, writes: Writes::default() })
    }
}

async fn begin(sql: &Sql) -> sqlx::Result<Transaction<'static, Db>> {
    sql.write.begin().await
}

async fn lock(tx: &mut Transaction<'static, Db>, what: i64) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(what).execute(&mut **tx).await?;
    Ok(())
}
