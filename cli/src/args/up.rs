//! Flags of `up`, `serve` and `sidecar`.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::Args;

use crate::up::upstreams::Upstream;

/// Start everything on this machine.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh up
  ai-mesh up --upstream https://api.openai.com --policy policies/
  ai-mesh up --upstream openai=https://api.openai.com --upstream mcp=http://127.0.0.1:3000
  ai-mesh up --port 10001 --admin-port 9902 --api-port 8091 --grpc-port 18001 --data ./second

One line that starts with `ready` goes to standard output once Envoy has accepted the policies.
Port 0 takes a free port; the `ready` line says which.")]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) plane: Plane,
    #[command(flatten)]
    pub(crate) envoy: Envoy,
}

/// Start the control plane alone.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh serve --filter mesh_filter.wasm
  ai-mesh serve --database postgres://mesh@db/mesh --redis redis://cache:6379
  ai-mesh serve --bind 10.0.0.5 --allow-remote

Sidecars on other machines need <DATA>/sidecar-token: see `ai-mesh sidecar --help`.")]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) plane: Plane,
}

/// Start an Envoy that is attached to a running control plane.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  ai-mesh sidecar
  ai-mesh sidecar --control-plane mesh.internal:18000 --token-file /etc/ai-mesh/sidecar-token

One line that starts with `ready` goes to standard output once Envoy listens and has accepted the filter.")]
pub(crate) struct Sidecar {
    /// The control plane's gRPC interface, by address or by name
    #[arg(
        long,
        env = "AI_MESH_CONTROL_PLANE",
        default_value = "127.0.0.1:18000",
        value_name = "HOST:PORT",
        hide_env = true
    )]
    pub(crate) control_plane: mesh_xds::Target,
    /// The file that holds the sidecars' token (default: sidecar-token in the data directory)
    #[arg(long, env = "AI_MESH_TOKEN_FILE", value_name = "FILE", hide_env = true)]
    pub(crate) token_file: Option<PathBuf>,
    /// The port that the control plane has its sidecars listen on
    #[arg(long, env = "AI_MESH_PORT", default_value_t = 10_000, hide_env = true)]
    pub(crate) port: u16,
    #[command(flatten)]
    pub(crate) envoy: Envoy,
}

/// Flags about the control plane and what it has its sidecars do.
#[derive(Args, Clone, Debug)]
pub(crate) struct Plane {
    /// Port of the sidecars: agents send their traffic here
    #[arg(long, env = "AI_MESH_PORT", default_value_t = 10_000, hide_env = true)]
    pub(crate) port: u16,
    /// Port of the control plane's REST interface
    #[arg(long, env = "AI_MESH_API_PORT", default_value_t = 8090, hide_env = true)]
    pub(crate) api_port: u16,
    /// Port of the control plane's gRPC interface (xDS, decisions, limits)
    #[arg(long, env = "AI_MESH_GRPC_PORT", default_value_t = 18_000, hide_env = true)]
    pub(crate) grpc_port: u16,
    /// Where the requests go: one URL, or PROVIDER=URL (repeatable) [default: the built-in mock provider]
    #[arg(
        long = "upstream",
        env = "AI_MESH_UPSTREAM",
        value_name = "[PROVIDER=]URL",
        value_delimiter = ',',
        hide_env = true
    )]
    pub(crate) upstreams: Vec<Upstream>,
    /// The classifier that `judge` of an injection rule asks, such as an ai-mesh-judge
    #[arg(long, env = "AI_MESH_JUDGE", value_name = "URL", value_parser = judge, hide_env = true)]
    pub(crate) judge: Option<mesh_xds::Upstream>,
    /// Policies to apply at the start (repeatable) [default: a starter policy, when there is none yet]
    #[arg(
        long = "policy",
        env = "AI_MESH_POLICY",
        value_name = "FILE-OR-DIR",
        value_delimiter = ',',
        hide_env = true
    )]
    pub(crate) policies: Vec<PathBuf>,
    /// Where policies and decisions are kept: sqlite://PATH or postgres://… (default: SQLite in the data directory)
    #[arg(long, env = "AI_MESH_DATABASE", value_name = "URL", hide_env = true, hide_env_values = true)]
    pub(crate) database: Option<String>,
    /// Where limits are counted, for several control planes: redis://…, or redis-cluster://HOST:PORT,HOST:PORT [default: in memory]
    #[arg(long, env = "AI_MESH_REDIS", value_name = "URL", hide_env = true, hide_env_values = true)]
    pub(crate) redis: Option<String>,
    /// Who counts limits in place of the control plane: a rate limit service of Envoy's protocol, version 3 (gRPC)
    #[arg(long, env = "AI_MESH_RATE_LIMITS", value_name = "URL", value_parser = rate_limits, hide_env = true)]
    pub(crate) rate_limits: Option<mesh_xds::Upstream>,
    /// Prices of models for limits of money, as JSON; they come before the shipped ones (see `GET /api/v1/prices`)
    #[arg(long, env = "AI_MESH_PRICES", value_name = "FILE", hide_env = true)]
    pub(crate) prices: Option<PathBuf>,
    /// Largest request body, in bytes; K, M and G are understood (KiB, MiB, GiB)
    #[arg(long, env = "AI_MESH_MAX_BODY", default_value = "32M", value_name = "BYTES", value_parser = bytes, hide_env = true)]
    pub(crate) max_body: u64,
    /// Decision records that each of Envoy's workers keeps until the control plane has them; what happens when they are
    /// too many is the policy's recordOverflow
    #[arg(long, env = "AI_MESH_RECORD_BUFFER", default_value_t = mesh_policy::Settings::DEFAULT_RECORD_BUFFER, value_parser = clap::value_parser!(u32).range(1..), value_name = "RECORDS", hide_env = true)]
    pub(crate) record_buffer: u32,
    /// Delete decision records after this time in the control plane: 90d, 12h, 30m or 10s [default: they are kept for ever]
    #[arg(long, env = "AI_MESH_KEEP_DECISIONS", value_name = "TIME", value_parser = time, hide_env = true)]
    pub(crate) keep_decisions: Option<Duration>,
    /// Keep fingerprints of bodies in decision records: HMAC-SHA-256 under record-key in the data directory, of what an agent sent and got
    #[arg(long, env = "AI_MESH_RECORD_HASHES", default_value_t = false, hide_env = true)]
    pub(crate) record_hashes: bool,
    /// Certificate authorities of https upstreams, in PEM [default: the system's]
    #[arg(long, env = "AI_MESH_CA_FILE", value_name = "FILE", hide_env = true)]
    pub(crate) ca_file: Option<PathBuf>,
    /// Address of the REST and gRPC interfaces; one that other machines reach needs --allow-remote
    #[arg(long, env = "AI_MESH_BIND", default_value = "127.0.0.1", value_name = "ADDR", hide_env = true)]
    pub(crate) bind: IpAddr,
    /// Let other machines reach the REST and gRPC interfaces; they speak no TLS, so put a network of your own around them
    #[arg(long, env = "AI_MESH_ALLOW_REMOTE", default_value_t = false, hide_env = true)]
    pub(crate) allow_remote: bool,
    /// Whether to believe who the agents say they are (x-ai-mesh-agent, -user, -session, -team, -roles)
    #[arg(long, env = "AI_MESH_TRUST_IDENTITY_HEADERS", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL", hide_env = true)]
    pub(crate) trust_identity_headers: bool,
    /// What the control plane logs, such as `info` or `mesh_xds=debug` [default: warn in `up`, info in `serve`]
    #[arg(long, env = "AI_MESH_LOG", value_name = "FILTER", value_parser = filter, hide_env = true)]
    pub(crate) log: Option<String>,
    /// The filter that Envoy loads [default: mesh_filter.wasm beside this program or in the build folder]
    #[arg(long, env = "AI_MESH_FILTER", value_name = "FILE", hide_env = true)]
    pub(crate) filter: Option<PathBuf>,
}

/// Flags about the Envoy that is started.
#[derive(Args, Clone, Debug)]
pub(crate) struct Envoy {
    /// The Envoy to start [default: `envoy` in PATH, or in the build folder]
    #[arg(long, env = "AI_MESH_ENVOY", value_name = "PATH", hide_env = true)]
    pub(crate) envoy: Option<PathBuf>,
    /// Port of Envoy's admin interface
    #[arg(long, env = "AI_MESH_ADMIN_PORT", default_value_t = 9901, hide_env = true)]
    pub(crate) admin_port: u16,
    /// The sidecar's name, in decisions and lists [default: host name and admin port]
    #[arg(long, env = "AI_MESH_NODE_ID", value_name = "NAME", hide_env = true)]
    pub(crate) node_id: Option<String>,
    /// Envoy's worker threads
    #[arg(long, env = "AI_MESH_CONCURRENCY", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1024), hide_env = true)]
    pub(crate) concurrency: u32,
}

/// The URL of a judge, without `/predict`.
fn judge(text: &str) -> Result<mesh_xds::Upstream, String> {
    mesh_xds::Upstream::parse(mesh_xds::sidecar::JUDGE, text).map_err(|error| error.to_string())
}

/// The URL of a rate limit service: gRPC has no path of its own.
fn rate_limits(text: &str) -> Result<mesh_xds::Upstream, String> {
    let upstream = mesh_xds::Upstream::parse(mesh_xds::sidecar::RATE_LIMITS, text);
    let upstream = upstream.map_err(|error| error.to_string())?;
    if upstream.path_prefix.is_empty() {
        Ok(upstream)
    } else {
        Err("a gRPC service has no path: expected something like http://127.0.0.1:8081".to_owned())
    }
}

/// A filter of log lines: `warn`, `mesh_xds=debug,info`.
fn filter(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "expected off, error, warn, info, debug or trace, or such as mesh_xds=debug,info";
    // A single word is taken for the name of a module: all of that module would be logged, and nothing else.
    let level = |word: &str| word.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    let mut words = text.split(',');
    if let Some(word) = words.find(|word| !word.contains(['=', '[']) && !level(word)) {
        return Err(format!("{word:?} is no level; {EXPECTED}"));
    }
    let parsed = text.parse::<tracing_subscriber::EnvFilter>();
    parsed.map(|_| text.to_owned()).map_err(|error| format!("{error}; {EXPECTED}"))
}

/// A number of bytes: `1048576`, `1024K`, `32M`, `1G`.
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.trim_end_matches("iB").trim_end_matches('B') {
        t if t.ends_with(['k', 'K']) => (&t[..t.len() - 1], 1 << 10),
        t if t.ends_with(['m', 'M']) => (&t[..t.len() - 1], 1 << 20),
        t if t.ends_with(['g', 'G']) => (&t[..t.len() - 1], 1 << 30),
        t => (t, 1),
    };
    let number = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).filter(|n| *n > 0);
    number.ok_or_else(|| "expected a number of bytes above 0, such as 1048576, 512K or 32M".to_owned())
}

/// A time: `90d`, `12h`, `30m`, `10s`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let seconds = match text.char_indices().next_back() {
        Some((end, 'd')) => Some((end, 86_400)),
        Some((end, 'h')) => Some((end, 3600)),
        Some((end, 'm')) => Some((end, 60)),
        Some((end, 's')) => Some((end, 1)),
        _ => None,
    };
    let number =
        seconds.and_then(|(end, unit)| text.get(..end)?.parse::<u32>().ok().map(|n| u64::from(n) * unit));
    let time = number.filter(|seconds| *seconds > 0).map(Duration::from_secs);
    time.ok_or_else(|| {
        "expected a whole number of days, hours, minutes or seconds, such as 90d, 12h, 30m or 10s".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{bytes, filter, time};

    #[test]
    fn what_is_logged() {
        for good in ["info", "WARN", "off", "mesh_xds=debug", "mesh_xds=debug,info"] {
            assert_eq!(filter(good).as_deref(), Ok(good));
        }
        for bad in ["debugg", "mesh_xds=debugg", "info,mesh_xds"] {
            assert!(filter(bad).unwrap_err().contains("expected off, error, warn"), "{bad}");
        }
    }

    #[test]
    fn times_as_people_write_them() {
        let table = [
            ("90d", Some(90 * 86_400)),
            ("12h", Some(12 * 3600)),
            ("30m", Some(1800)),
            ("10s", Some(10)),
            ("0d", None),
            ("", None),
            ("d", None),
            ("90", None),
            ("-1d", None),
            ("1.5h", None),
            ("99999999999d", None),
        ];
        for (text, seconds) in table {
            assert_eq!(time(text).ok(), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn sizes_as_people_write_them() {
        let table = [
            ("1", Some(1)),
            ("512K", Some(512 << 10)),
            ("32M", Some(32 << 20)),
            ("32MiB", Some(32 << 20)),
            ("1g", Some(1 << 30)),
            ("0", None),
            ("", None),
            ("M", None),
            ("-1", None),
            ("99999999999G", None),
        ];
        for (text, expected) in table {
            assert_eq!(bytes(text).ok(), expected, "{text}");
        }
    }
}
