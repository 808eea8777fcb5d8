//! Accounts in Redis: shared by all control planes, kept over their restarts.
//!
//! One script does a whole request: Redis runs scripts one at a time, so that the count is exact whoever asks. All keys carry
//! one hash tag, so that a server that is part of a cluster finds them in one place.
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use mesh_control_core::ports::{RateWindows, StoreError};
use mesh_control_core::{
    AccountView, Ask, Kind, LimitVerdict, MAX_AMOUNT, Settle, Settled, Settlement, Terms, Verdicts, lease_id,
    rest_of,
};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Script, ScriptInvocation};

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

/// Accounts in Redis.
pub struct RedisWindows {
    connection: ConnectionManager,
    admit: Script,
    settle: Script,
    accounts: Script,
    clock: RedisClock,
    host: String,
}

const INDEX: &str = "ai-mesh:{limits}";
const PREFIX: &str = "ai-mesh:{limits}:";
/// A limit is in the path of a request: better no answer than a late one.
const PATIENCE: Duration = Duration::from_secs(2);
/// A listing holds up the server for other callers: at most so many accounts.
const MOST: usize = 1000;

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("account.lua"), include_str!($file)))
    };
}

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
        Ok(RedisWindows {
            connection,
            admit: script!("admit.lua"),
            settle: script!("settle.lua"),
            accounts: script!("accounts.lua"),
            clock,
            host,
        })
    }

    fn call<'s>(&self, script: &'s Script, now: Timestamp) -> ScriptInvocation<'s> {
        let mut call = script.prepare_invoke();
        call.key(INDEX).arg(match self.clock {
            RedisClock::Server => -1,
            RedisClock::Caller => now.as_microsecond(),
        });
        call
    }

    async fn run<T: redis::FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        call.invoke_async(&mut self.connection.clone()).await.map_err(|error| {
            StoreError::caused(format!("Redis at {} can not count limits", self.host), error)
        })
    }
}

fn kind(kind: Kind) -> u8 {
    match kind {
        Kind::Count => 0,
        Kind::Reserve => 1,
        Kind::Concurrent => 2,
    }
}

fn name(call: &mut ScriptInvocation<'_>, key: &str, terms: &Terms) {
    call.key(format!("{PREFIX}{key}"));
    call.arg(kind(terms.kind)).arg(terms.limit.min(MAX_LIMIT)).arg(terms.window_us).arg(terms.patience_us);
}

/// Scripts count in doubles.
const MAX_LIMIT: u64 = 1 << 52;

/// Key, kind, limit, window, patience, used, held, reset, lent, leases.
type Row = (String, u8, u64, u64, u64, u64, u64, i64, u64, u64);

#[async_trait]
impl RateWindows for RedisWindows {
    async fn admit(&self, asks: &[Ask], id: Option<&str>, now: Timestamp) -> Result<Verdicts, StoreError> {
        if asks.is_empty() {
            return Ok(Verdicts::default());
        }
        let mut call = self.call(&self.admit, now);
        call.arg(id.unwrap_or_default()).arg(id.map(lease_id).unwrap_or_default());
        for ask in asks {
            name(&mut call, &ask.key, &ask.terms);
            call.arg(ask.amount).arg(ask.want);
        }
        let answer: Vec<(u64, u64, u64, u64)> = self.run(&call).await?;
        let (head, rest) =
            answer.split_first().ok_or_else(|| StoreError::new("Redis gave an empty answer"))?;
        let verdicts = rest.iter().map(|(admitted, remaining, reset_us, lent)| LimitVerdict {
            admitted: *admitted == 1,
            remaining: *remaining,
            lent: *lent,
            reset: Duration::from_micros(*reset_us),
        });
        Ok(Verdicts { verdicts: verdicts.collect(), expired: head.0 })
    }

    async fn settle(&self, settlements: &[Settle], now: Timestamp) -> Result<Settled, StoreError> {
        let mut settled = Settled::default();
        if settlements.is_empty() {
            return Ok(settled);
        }
        let mut call = self.call(&self.settle, now);
        for settle in settlements {
            name(&mut call, &settle.key, &settle.terms);
            let (spent, rest) = match settle.how {
                Settlement::Spent(spent) => (spent, 0),
                Settlement::Released => (0, 0),
                Settlement::Returned { spent, rest } => (spent, rest),
            };
            call.arg(&settle.id)
                .arg(rest_of(&settle.id))
                .arg(spent.min(MAX_AMOUNT))
                .arg(rest.min(MAX_AMOUNT));
        }
        let answer: Vec<(i64, u64)> = self.run(&call).await?;
        for (settle, (over, expired)) in settlements.iter().zip(answer) {
            settled.expired += expired;
            settled.count(settle.how, u64::try_from(over).ok());
        }
        Ok(settled)
    }

    async fn accounts(&self, most: usize, now: Timestamp) -> Result<Vec<AccountView>, StoreError> {
        let mut call = self.call(&self.accounts, now);
        call.arg(most.min(MOST));
        let rows: Vec<Row> = self.run(&call).await?;
        let view =
            |(key, kind, limit, window_us, patience_us, used, held, reset, lent, leases): Row| AccountView {
                key: key.strip_prefix(PREFIX).unwrap_or(&key).to_owned(),
                terms: Terms {
                    kind: match kind {
                        0 => Kind::Count,
                        1 => Kind::Reserve,
                        _ => Kind::Concurrent,
                    },
                    limit,
                    window_us,
                    patience_us,
                },
                used,
                held,
                lent,
                leases,
                resets: u64::try_from(reset).ok().map(Duration::from_micros),
            };
        Ok(rows.into_iter().map(view).collect())
    }
}
