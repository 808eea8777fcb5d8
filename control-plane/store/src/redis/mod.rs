//! Sliding windows in Redis: shared by all control planes, kept over their restarts.
//!
//! One script does a whole request: Redis runs scripts one at a time, so that the count is exact whoever asks. Keys of one
//! request may lie anywhere, which a Redis Cluster refuses: it takes a single server (or a replicated one).
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use mesh_control_core::ports::{RateWindows, StoreError};
use mesh_control_core::{Ask, LimitVerdict};
use redis::Script;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use crate::location::host_of;
use crate::open::OpenError;

/// Whose clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisClock {
    /// The Redis server's: several control planes then agree to the microsecond.
    Server,
    /// The caller's, as every other implementation of the port has it.
    Caller,
}

/// Sliding windows in Redis.
pub struct RedisWindows {
    connection: ConnectionManager,
    script: Script,
    clock: RedisClock,
    host: String,
}

const PREFIX: &str = "ai-mesh:limit:";
/// A limit is in the path of a request: better no answer than a late one.
const PATIENCE: Duration = Duration::from_secs(2);

impl RedisWindows {
    /// Connects to `redis://…`. A connection that is lost later is made again by itself.
    ///
    /// # Errors
    /// When the address can not be read or nobody answers there.
    pub async fn connect(url: &str, clock: RedisClock) -> Result<Self, OpenError> {
        let client = redis::Client::open(url).map_err(|_| OpenError::Address {
            what: "Redis".to_owned(),
            expected: "redis://:PASSWORD@HOST:PORT/NUMBER",
        })?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(1);
        let host = host_of(url).to_owned();
        let connection =
            client.get_connection_manager_with_config(config).await.map_err(|error| OpenError::Unusable {
                location: format!("Redis at {host}"),
                help: "check that the server runs, that host and port are right, and the password",
                source: error.into(),
            })?;
        Ok(RedisWindows { connection, script: Script::new(include_str!("admit.lua")), clock, host })
    }
}

#[async_trait]
impl RateWindows for RedisWindows {
    async fn admit(&self, asks: &[Ask], now: Timestamp) -> Result<Vec<LimitVerdict>, StoreError> {
        if asks.is_empty() {
            return Ok(Vec::new());
        }
        let now_us = match self.clock {
            RedisClock::Server => -1,
            RedisClock::Caller => now.as_microsecond(),
        };
        let mut call = self.script.prepare_invoke();
        call.arg(now_us);
        for ask in asks {
            let window_us = u64::try_from(ask.window.as_micros()).unwrap_or(u64::MAX);
            call.key(format!("{PREFIX}{}", ask.key)).arg(ask.limit).arg(window_us).arg(ask.hits);
        }
        let answer: Vec<(u8, u32, u64)> =
            call.invoke_async(&mut self.connection.clone()).await.map_err(|error| {
                StoreError::caused(format!("Redis at {} can not count limits", self.host), error)
            })?;
        Ok(answer
            .into_iter()
            .map(|(admitted, remaining, reset_us)| LimitVerdict {
                admitted: admitted == 1,
                remaining,
                reset: Duration::from_micros(reset_us),
            })
            .collect())
    }
}
