//! Opening the stores, with errors that say what to do.
use std::sync::Arc;

use mesh_control_core::memory::MemoryWindows;
use mesh_control_core::ports::{DecisionStore, PolicyStore, RateWindows, ToolStore};

use crate::location::Location;
use crate::redis::{RedisClock, RedisWindows};
use crate::{postgres, sqlite};

/// The stores of one database.
#[derive(Clone)]
pub struct Stores {
    /// Policy versions.
    pub policies: Arc<dyn PolicyStore>,
    /// Decision records.
    pub decisions: Arc<dyn DecisionStore>,
    /// Definitions of tools.
    pub tools: Arc<dyn ToolStore>,
    /// What they are all in.
    pub database: Database,
}

/// An open database.
#[derive(Clone)]
pub struct Database(Opened);

#[derive(Clone)]
enum Opened {
    Sqlite(Arc<sqlite::Sql>),
    Postgres(Arc<postgres::Sql>),
}

impl Database {
    /// Closes it, once what is under way is done. A SQLite file then holds everything, and may be copied by itself. Stores of it
    /// answer with an error from now on.
    pub async fn close(&self) {
        match &self.0 {
            Opened::Sqlite(sql) => sql.close().await,
            Opened::Postgres(sql) => sql.close().await,
        }
    }
}

/// A store that could not be opened. The texts name host or path, never a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// An address that cannot be read. It is not repeated, since it may hold a password.
    #[error("the address of {what} cannot be read; expected {expected}")]
    Address {
        /// Whose address.
        what: String,
        /// What it should look like.
        expected: &'static str,
    },
    /// Nobody answers there, or not as expected.
    #[error("{location} cannot be used: {help}")]
    Unusable {
        /// Where.
        location: String,
        /// What to do.
        help: &'static str,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Opens the database and brings its tables up to date.
///
/// # Errors
/// When it cannot be reached, read or written, or was made by a newer build.
pub async fn open(location: &Location) -> Result<Stores, OpenError> {
    match location {
        Location::Sqlite(path) => {
            let sql = sqlite::Sql::open(path).await.map_err(|error| {
                let help = match &error {
                    sqlx::Error::Io(busy) if busy.kind() == std::io::ErrorKind::ResourceBusy => {
                        "another control plane runs on it; stop that one first, or use Postgres for several"
                    }
                    _ => {
                        "check that its folder exists and can be written, that no other program made the file, \
                         and that it was not made by a newer ai-mesh"
                    }
                };
                unusable(location, help, error)
            })?;
            let sql = Arc::new(sql);
            let database = Database(Opened::Sqlite(sql.clone()));
            Ok(Stores { policies: sql.clone(), decisions: sql.clone(), tools: sql, database })
        }
        Location::Postgres(url) => {
            let sql = postgres::Sql::open(url).await.map_err(|error| {
                let help = match &error {
                    sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => {
                        "nobody answers there; check that the server runs and that host and port are right"
                    }
                    sqlx::Error::Database(_) => {
                        "the server refuses; check user, password and database name, and that the user may create tables"
                    }
                    sqlx::Error::Migrate(_) => "its tables cannot be brought up to date; was it made by a newer ai-mesh?",
                    _ => "check the address: postgres://USER:PASSWORD@HOST:PORT/NAME",
                };
                unusable(location, help, error)
            })?;
            let sql = Arc::new(sql);
            let database = Database(Opened::Postgres(sql.clone()));
            Ok(Stores { policies: sql.clone(), decisions: sql.clone(), tools: sql, database })
        }
    }
}

/// Rate windows in Redis when there is an address, else in memory.
///
/// # Errors
/// When the address cannot be read or nobody answers there.
pub async fn windows(redis: Option<&str>) -> Result<Arc<dyn RateWindows>, OpenError> {
    Ok(match redis {
        None => Arc::new(MemoryWindows::default()),
        Some(url) => Arc::new(RedisWindows::connect(url, RedisClock::Server).await?),
    })
}

fn unusable(location: &Location, help: &'static str, error: sqlx::Error) -> OpenError {
    // A configuration error of sqlx may repeat parts of the address.
    let source: Box<dyn std::error::Error + Send + Sync> = match error {
        sqlx::Error::Configuration(_) => "the address cannot be read".into(),
        error => error.into(),
    };
    OpenError::Unusable { location: location.to_string(), help, source }
}
