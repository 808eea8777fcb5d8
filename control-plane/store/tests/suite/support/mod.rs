//! Fresh stores for a test, and the servers behind them.

mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mesh_control_store::{Location, RedisClock, RedisWindows, Stores, open};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

/// A number that no other test of this process gets.
pub(crate) fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Stores, and what has to live as long as they.
pub(crate) struct Fresh {
    pub stores: Stores,
    _folder: Option<TempDir>,
}

pub(crate) async fn sqlite() -> Fresh {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let stores = open(&Location::Sqlite(folder.path().join("mesh.db"))).await.expect("SQLite opens");
    Fresh { stores, _folder: Some(folder) }
}

/// URL of a database of its own.
pub(crate) async fn postgres_database() -> String {
    let server = server::postgres();
    let name = format!("mesh_test_{}", unique());
    let mut connection = connect(&server).await;
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(create).execute(&mut connection).await.expect("a database for the test");
    let (base, parameters) =
        server.split_once('?').map_or((server.as_str(), None), |(base, p)| (base, Some(p)));
    let (base, _) = base.rsplit_once('/').expect("postgres://HOST/NAME");
    format!("{base}/{name}{}", parameters.map(|p| format!("?{p}")).unwrap_or_default())
}

/// A server's port is open a while before it takes sessions.
async fn connect(server: &str) -> PgConnection {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match PgConnection::connect(server).await {
            Ok(connection) => return connection,
            Err(error) => {
                assert!(Instant::now() < end, "the Postgres server for tests does not answer: {error}")
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn postgres() -> Fresh {
    let url = postgres_database().await;
    let stores = open(&Location::Postgres(url)).await.expect("Postgres opens");
    Fresh { stores, _folder: None }
}

pub(crate) async fn redis() -> Arc<RedisWindows> {
    let url = server::redis();
    Arc::new(RedisWindows::connect(&url, RedisClock::Caller).await.expect("Redis answers"))
}

/// A database of its own: a listing brings all accounts up to the time it is asked at.
pub(crate) async fn redis_alone(database: u8) -> Arc<RedisWindows> {
    let url = format!("{}/{database}", server::redis().trim_end_matches('/'));
    Arc::new(RedisWindows::connect(&url, RedisClock::Caller).await.expect("Redis answers"))
}

pub(crate) async fn redis_with_its_clock() -> Arc<RedisWindows> {
    let url = server::redis();
    Arc::new(RedisWindows::connect(&url, RedisClock::Server).await.expect("Redis answers"))
}

/// A connection to the server itself.
pub(crate) async fn redis_connection() -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(server::redis()).expect("an address");
    client.get_multiplexed_async_connection().await.expect("Redis answers")
}

pub(crate) async fn redis_cluster() -> Arc<RedisWindows> {
    let url = server::redis_cluster().await;
    Arc::new(RedisWindows::connect(&url, RedisClock::Caller).await.expect("the cluster answers"))
}
