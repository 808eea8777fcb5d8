//! The Envoy under test: one worker, a listener for each route, one upstream.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mesh_policy::{Bundle, BundlePolicy, ServiceRef, Settings};
use mesh_ports::free_address;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What stands before the router, by the route's name. The first is the baseline.
type Routes = Vec<(&'static str, Vec<Value>)>;

/// What the full route enforces: every guard that looks at text or names, as a team would have them.
const POLICY: &str = include_str!("../policy.yaml");

/// What the routes of limits have in common, so that the body is read on all of them.
const READING: &str = "models: { allow: [\"gpt-4*\"] }";

/// More than is asked for.
const NEVER_REACHED: u32 = 4_000_000_000;

/// Clock ticks in a second, as /proc counts them: 100 on every Linux architecture we build for.
const TICKS: u64 = 100;

/// A running Envoy; it ends with the value.
pub(crate) struct Envoy {
    child: Child,
    names: Vec<&'static str>,
    listeners: Vec<SocketAddr>,
    folder: TempDir,
}

impl Envoy {
    /// One that guards: without our filter, with an empty wasm filter, with the full one.
    pub(crate) fn of_guards(upstream: SocketAddr, plane: SocketAddr) -> Result<Self, String> {
        Self::start(guards()?, upstream, plane)
    }

    /// One that limits: with Envoy's own limiter; with our filter, which reads bodies; with a limit that is lent; and with
    /// one that is asked for at every request.
    pub(crate) fn of_limits(upstream: SocketAddr, plane: SocketAddr) -> Result<Self, String> {
        Self::start(limits()?, upstream, plane)
    }

    /// One that guards (`true`) or limits, under callgrind, which counts nothing yet.
    pub(crate) fn counted(guarding: bool, upstream: SocketAddr, plane: SocketAddr) -> Result<Self, String> {
        let callgrind = ["--quiet", "--tool=callgrind", "--instr-atstart=no", "--smc-check=all-non-file"];
        let mut valgrind = Command::new("valgrind");
        valgrind.args(callgrind);
        Self::start_by(Some(valgrind), if guarding { guards()? } else { limits()? }, upstream, plane)
    }

    /// One whose routes have policies: none, the smallest set, and a large one.
    pub(crate) fn of_sets(
        small: &str,
        large: &str,
        upstream: SocketAddr,
        plane: SocketAddr,
    ) -> Result<Self, String> {
        // A VM for each, so that records tell which it was.
        let alone = |name: &'static str, bundle| {
            let mut filter = ours(bundle)?;
            filter["typed_config"]["config"]["vm_config"]["vm_id"] = json!(name);
            Ok::<_, String>((name, vec![filter]))
        };
        let routes = vec![("plain", Vec::new()), alone("1 × 1", small)?, alone("large", large)?];
        Self::start(routes, upstream, plane)
    }

    /// Starts it and waits until all listeners accept.
    fn start(routes: Routes, upstream: SocketAddr, plane: SocketAddr) -> Result<Self, String> {
        Self::start_by(None, routes, upstream, plane)
    }

    /// The same by a program that runs it; that one's own files are in Envoy's folder.
    fn start_by(
        runner: Option<Command>,
        routes: Routes,
        upstream: SocketAddr,
        plane: SocketAddr,
    ) -> Result<Self, String> {
        let listeners: Vec<SocketAddr> = routes.iter().map(|_| free_address()).collect();
        let names: Vec<&'static str> = routes.iter().map(|(name, _)| *name).collect();
        let folder = temporary_folder()?;
        let config = folder.path().join("envoy.json");
        let text = bootstrap(&listeners, routes, upstream, plane).to_string();
        fs::write(&config, text).map_err(|error| format!("cannot write {}: {error}", config.display()))?;
        let log = folder.path().join("envoy.log");
        let file =
            fs::File::create(&log).map_err(|error| format!("cannot write {}: {error}", log.display()))?;
        let binary = tool("AI_MESH_ENVOY")?;
        // Under a tool that counts everything takes much longer.
        let (mut command, patience) = match runner {
            Some(mut runner) => {
                runner
                    .arg(format!("--callgrind-out-file={}/callgrind.out.%p", folder.path().display()))
                    .arg(binary);
                (runner, Duration::from_secs(300))
            }
            None => (Command::new(binary), Duration::from_secs(60)),
        };
        let child = command
            .arg("--config-path")
            .arg(&config)
            .args(["--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .map_err(|error| format!("cannot start Envoy: {error}"))?;
        let mut envoy = Self { child, names, listeners, folder };
        envoy.wait(patience)?;
        Ok(envoy)
    }

    fn wait(&mut self, patience: Duration) -> Result<(), String> {
        let started = Instant::now();
        loop {
            if self.listeners.iter().all(|address| TcpStream::connect(address).is_ok()) {
                return Ok(());
            }
            let ended = self.child.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || started.elapsed() > patience {
                let log = fs::read_to_string(self.folder.path().join("envoy.log")).unwrap_or_default();
                return Err(format!("Envoy did not start; it said:\n{log}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The routes' names, in order; the first is the baseline.
    pub(crate) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// Where a route listens, by its place among [`Envoy::names`].
    pub(crate) fn route(&self, index: usize) -> SocketAddr {
        self.listeners.get(index).copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Measures every route once in each round, each round beginning with another one, so that none is always first. `measure` gets
    /// the route's place; gives the samples of each route.
    pub(crate) fn in_turn<S>(
        &self,
        rounds: usize,
        measure: impl Fn(usize) -> Result<S, String>,
    ) -> Result<Vec<Vec<S>>, String> {
        let mut samples: Vec<Vec<S>> = self.names.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            for turn in 0..samples.len() {
                let index = (round + turn) % samples.len();
                let sample = measure(index)?;
                if let Some(of_route) = samples.get_mut(index) {
                    of_route.push(sample);
                }
            }
        }
        Ok(samples)
    }

    /// The process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// CPU time that the process has used (user and system), to a hundredth of a second.
    pub(crate) fn cpu(&self) -> Result<Duration, String> {
        cpu(self.child.id())
    }
}

/// A new folder, removed with the value.
pub(crate) fn temporary_folder() -> Result<TempDir, String> {
    TempDir::with_prefix("ai-mesh-bench-").map_err(|error| format!("cannot make a temporary folder: {error}"))
}

/// CPU time that a process has used (user and system), to a hundredth of a second.
pub(crate) fn cpu(process: u32) -> Result<Duration, String> {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
    // The program's name, in parentheses, may hold blanks; utime and stime are the 12th and 13th fields after it.
    let ticks = text.rsplit_once(')').map(|(_, rest)| {
        rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>()
    });
    ticks
        .map(|ticks| Duration::from_millis(ticks * 1000 / TICKS))
        .ok_or_else(|| format!("{path} is not as expected"))
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file named by the environment; `cargo xtask bench` sets it.
pub(crate) fn tool(variable: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    path.ok_or_else(|| format!("{variable} does not name a file; start this with `cargo xtask bench`"))
}

fn bootstrap(listeners: &[SocketAddr], routes: Routes, upstream: SocketAddr, plane: SocketAddr) -> Value {
    let listeners: Vec<Value> =
        listeners.iter().zip(routes).map(|(at, (name, filters))| listener(name, *at, filters)).collect();
    let mut control = cluster("ai_mesh_control_plane", plane);
    control["typed_extension_protocol_options"] = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http2_protocol_options": {} },
        },
    });
    json!({ "static_resources": { "listeners": listeners, "clusters": [cluster("upstream", upstream), control] } })
}

/// Without our filter, with an empty wasm filter, with the full one.
fn guards() -> Result<Routes, String> {
    let empty = wasm("bench_empty", &tool("AI_MESH_EMPTY_FILTER")?, "");
    let full = ours(&bundle(POLICY)?)?;
    Ok(vec![("plain", Vec::new()), ("empty", vec![empty]), ("full", vec![full])])
}

/// Without our filter; with Envoy's own limiter; with our filter, which reads bodies; with a limit that is lent; with one that is
/// asked for at every request.
fn limits() -> Result<Routes, String> {
    let reading = |limit: &str| {
        let policy = format!(
            "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: bench }}\nspec:\n  rules:\n    - {READING}\n{limit}"
        );
        ours(&bundle(&policy)?)
    };
    let limit = format!("    - rateLimit: {{ requestsPerMinute: {NEVER_REACHED}, mode: ");
    Ok(vec![
        ("plain", Vec::new()),
        ("local_ratelimit", vec![local_ratelimit()]),
        ("read", vec![reading("")?]),
        ("leased", vec![reading(&format!("{limit}default }}\n"))?]),
        ("asked", vec![reading(&format!("{limit}strict }}\n"))?]),
    ])
}

fn ours(bundle: &str) -> Result<Value, String> {
    Ok(wasm("ai_mesh", &tool("AI_MESH_FILTER")?, bundle))
}

/// Envoy's own limiter: a bucket in each process.
fn local_ratelimit() -> Value {
    let always = json!({ "default_value": { "numerator": 100, "denominator": "HUNDRED" } });
    json!({
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "bench",
            "token_bucket": {
                "max_tokens": NEVER_REACHED, "tokens_per_fill": NEVER_REACHED, "fill_interval": "60s",
            },
            "filter_enabled": always,
            "filter_enforced": always,
        },
    })
}

/// Where the filter sends its records.
pub(crate) fn intake() -> ServiceRef {
    ServiceRef { cluster: "ai_mesh_control_plane".into(), timeout_ms: 5000 }
}

/// What the filter is told: the policy, where records go, and where limits are asked for.
fn bundle(policy: &str) -> Result<String, String> {
    let parsed =
        mesh_policy::from_yaml(policy).map_err(|problems| format!("the bench's policy: {problems:?}"))?;
    let policies =
        parsed.into_iter().map(|one| BundlePolicy { id: "bench".into(), version: 1, policy: one.policy });
    let bundle = Bundle {
        version: "1".into(),
        policies: policies.collect(),
        settings: Settings {
            sidecar: "bench".into(),
            trust_identity_headers: true,
            intake: Some(intake()),
            rate_limit: Some(ServiceRef { timeout_ms: 1000, ..intake() }),
            ..Settings::default()
        },
        ..Bundle::default()
    };
    serde_json::to_string(&bundle).map_err(|error| error.to_string())
}

fn listener(name: &str, at: SocketAddr, mut filters: Vec<Value>) -> Value {
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
    }));
    json!({
        "name": name,
        "address": socket_address(at),
        "per_connection_buffer_limit_bytes": 33_554_432,
        "filter_chains": [{ "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": name,
                "route_config": { "virtual_hosts": [{
                    "name": "all", "domains": ["*"],
                    "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "upstream", "timeout": "0s" } }],
                }]},
                "http_filters": filters,
            },
        }]}],
    })
}

fn wasm(name: &str, module: &std::path::Path, configuration: &str) -> Value {
    json!({
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": name,
                "root_id": name,
                "failure_policy": "FAIL_RELOAD",
                "allow_on_headers_stop_iteration": true,
                "configuration": { "@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration },
                "vm_config": {
                    "vm_id": name,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": module } },
                },
            },
        },
    })
}

fn cluster(name: &str, at: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": socket_address(at) } }] }],
        },
    })
}

fn socket_address(at: SocketAddr) -> Value {
    json!({ "socket_address": { "address": at.ip().to_string(), "port_value": at.port() } })
}
