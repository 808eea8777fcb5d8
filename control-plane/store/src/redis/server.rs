//! One Redis server, or a cluster of them.
//!
//! The keys of an account carry one hash tag, so that they lie in one place. On one server all accounts do, and a script sees
//! all limits of a request. In a cluster each account has one of a fixed number of tags: they spread over the servers, and a
//! script sees what has one tag.
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError, RedisResult, ScriptInvocation, ServerErrorKind,
};

use crate::location::host_of;
use crate::open::OpenError;

/// A limit is in the path of a request: better no answer than a late one.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait for replicas.
const REPLICA_TIMEOUT_MS: u64 = 500;
/// Tags of a cluster: at least as many as it has servers. Another number would lose what is counted.
const TAGS: u64 = 64;
/// How often something is sent again.
const REPEATS: u32 = 2;
const CLUSTER: &str = "redis-cluster://";

/// Where accounts are.
pub(super) enum Server {
    /// One server; what is written counts when so many replicas have it too.
    One { connection: ConnectionManager, replicas: u32 },
    /// A cluster, and connections to it over which nothing is sent a second time.
    Cluster { connection: ClusterConnection, once: ClusterConnection },
}

impl Server {
    /// Connects to `redis://…`, which may end in `?replicas=NUMBER`, or to `redis-cluster://HOST:PORT,HOST:PORT…`.
    pub(super) async fn connect(url: &str) -> Result<Self, OpenError> {
        let unusable = |error: redis::RedisError| OpenError::Unusable {
            location: format!("Redis at {}", host_of(url)),
            help: "check that the server runs, that host and port are right, and the password",
            source: error.into(),
        };
        if let Some(nodes) = url.strip_prefix(CLUSTER) {
            let connect = async |retries| {
                let builder = ClusterClientBuilder::new(addresses(nodes))
                    .connection_timeout(TIMEOUT)
                    .response_timeout(TIMEOUT)
                    .overall_response_timeout(Some(TIMEOUT))
                    .retries(retries);
                let client = builder.build().map_err(|_| unreadable())?;
                client.get_async_connection().await.map_err(unusable)
            };
            return Ok(Server::Cluster { connection: connect(REPEATS).await?, once: connect(0).await? });
        }
        let (address, replicas) = replicas(url)?;
        let info = address.into_connection_info().map_err(|_| unreadable())?;
        let client = redis::Client::open(info.set_tcp_settings(noticing())).map_err(|_| unreadable())?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT))
            .set_number_of_retries(1);
        let connection = client.get_connection_manager_with_config(config).await.map_err(unusable)?;
        Ok(Server::One { connection, replicas })
    }

    /// The hash tag of an account.
    pub(super) fn tag(&self, key: &str) -> String {
        match self {
            Server::One { .. } => "limits".to_owned(),
            Server::Cluster { .. } => format!("limits-{}", fnv(key) % TAGS),
        }
    }

    /// All hash tags.
    pub(super) fn tags(&self) -> Vec<String> {
        match self {
            Server::One { .. } => vec!["limits".to_owned()],
            Server::Cluster { .. } => (0..TAGS).map(|number| format!("limits-{number}")).collect(),
        }
    }

    /// Runs a script that counts as often as it is run. It is run again only where it is sure that it was not: an answer that is
    /// lost may be one to a request that was counted.
    pub(super) async fn run_once<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> RedisResult<T> {
        let Server::Cluster { once, .. } = self else { return self.run(call).await };
        let mut repeats = 0;
        loop {
            match call.invoke_async(&mut once.clone()).await {
                Err(error) if was_not_run(&error) && repeats < REPEATS => repeats += 1,
                done => return done,
            }
        }
    }

    /// Runs a script that may be run more than once.
    pub(super) async fn run<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> RedisResult<T> {
        match self {
            Server::Cluster { connection, .. } => call.invoke_async(&mut connection.clone()).await,
            Server::One { connection, replicas } => {
                let mut connection = connection.clone();
                let answer = call.invoke_async(&mut connection).await?;
                if *replicas > 0 {
                    let mut wait = redis::cmd("WAIT");
                    let have: u32 =
                        wait.arg(*replicas).arg(REPLICA_TIMEOUT_MS).query_async(&mut connection).await?;
                    if have < *replicas {
                        let message = "too few replicas have what was counted";
                        return Err((redis::ErrorKind::Io, message).into());
                    }
                }
                Ok(answer)
            }
        }
    }
}

/// Whether a server has said that the script belongs elsewhere, or cannot be run now.
fn was_not_run(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
        )
    )
}

/// A host that is gone answers nothing, not even that it is gone: without this the kernel goes on sending for a quarter of an
/// hour, and the connection is taken for one that works.
fn noticing() -> TcpSettings {
    let settings = TcpSettings::default();
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(TIMEOUT);
    settings
}

fn unreadable() -> OpenError {
    OpenError::Address {
        what: "Redis".to_owned(),
        expected: "redis://:PASSWORD@HOST:PORT/NUMBER, with ?replicas=NUMBER to wait for replicas, or \
                   redis-cluster://:PASSWORD@HOST:PORT,HOST:PORT",
    }
}

/// The addresses of a cluster's servers, each with the credentials that stand before the first.
fn addresses(nodes: &str) -> Vec<String> {
    let nodes = nodes.trim_end_matches('/');
    let (credentials, hosts) = nodes.rsplit_once('@').map_or(("", nodes), |(before, hosts)| (before, hosts));
    let at = if credentials.is_empty() { "" } else { "@" };
    hosts.split(',').map(|host| format!("redis://{credentials}{at}{host}")).collect()
}

/// A server's address without `replicas=NUMBER`, and the number.
fn replicas(url: &str) -> Result<(String, u32), OpenError> {
    let Some((address, parameters)) = url.split_once('?') else { return Ok((url.to_owned(), 0)) };
    let mut replicas = 0;
    let mut others = Vec::new();
    for parameter in parameters.split('&') {
        match parameter.strip_prefix("replicas=") {
            Some(number) => replicas = number.parse().map_err(|_| unreadable())?,
            None => others.push(parameter),
        }
    }
    let rest = if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) };
    Ok((address.to_owned() + &rest, replicas))
}

/// Fowler, Noll and Vo's hash: the same in every build.
fn fnv(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_run_is_run_again() {
        let table = [
            (ErrorKind::Server(ServerErrorKind::Moved), true),
            (ErrorKind::Server(ServerErrorKind::TryAgain), true),
            (ErrorKind::Server(ServerErrorKind::ResponseError), false),
            (ErrorKind::Io, false),
            (ErrorKind::ClusterConnectionNotFound, false),
        ];
        for (kind, expected) in table {
            assert_eq!(was_not_run(&(kind, "why").into()), expected, "{kind:?}");
        }
    }

    #[test]
    fn addresses_are_read() {
        assert_eq!(addresses("a:1,b:2/"), ["redis://a:1", "redis://b:2"]);
        assert_eq!(addresses("me:p@ss@a:1,b:2"), ["redis://me:p@ss@a:1", "redis://me:p@ss@b:2"]);
        let table = [
            ("redis://a", "redis://a", 0),
            ("redis://a/1?replicas=2", "redis://a/1", 2),
            ("redis://a?protocol=resp3&replicas=1", "redis://a?protocol=resp3", 1),
        ];
        for (url, address, number) in table {
            assert_eq!(replicas(url).unwrap(), (address.to_owned(), number));
        }
        assert!(replicas("redis://a?replicas=few").is_err());
        assert_eq!(fnv(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv("a"), 0xaf63_dc4c_8601_ec8c);
    }
}
