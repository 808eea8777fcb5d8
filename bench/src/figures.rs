//! The measured figures, as they are recorded.

use serde::Serialize;

use crate::options::Options;
use crate::upstream;

/// Everything that one run found.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// When, RFC 3339.
    pub(crate) time: String,
    /// The machine: processor model, cores.
    pub(crate) machine: String,
    /// The commit, and whether the tree had changes.
    pub(crate) commit: String,
    /// Rounds of each case.
    pub(crate) rounds: usize,
    /// Seconds each route was loaded in a round.
    pub(crate) seconds: f64,
    /// Size of the filter's module in bytes.
    pub(crate) filter_bytes: u64,
    /// The load cases.
    pub(crate) cases: Vec<Case>,
    /// The stream.
    pub(crate) stream: Stream,
    /// Decision records that arrived and were acknowledged.
    pub(crate) records: u64,
    /// Calls to the rate limit service.
    pub(crate) limit_calls: u64,
    /// Shares of a limit that it lent.
    pub(crate) leases: u64,
}

/// One body size at one number of connections.
#[derive(Debug, Serialize)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) body_bytes: usize,
    pub(crate) connections: usize,
    pub(crate) routes: Vec<Route>,
}

/// Medians over the rounds of one route; `added_*` are medians of the differences to the plain route in the same round.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Route {
    pub(crate) name: &'static str,
    pub(crate) requests: u64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) per_second: f64,
    /// CPU time of the Envoy process for each request.
    pub(crate) cpu_us: f64,
    pub(crate) added_p50_us: f64,
    pub(crate) added_p99_us: f64,
    pub(crate) added_cpu_us: f64,
    /// Throughput as a share of the plain route's.
    pub(crate) throughput_kept: f64,
}

/// The stream case.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Stream {
    pub(crate) chunks: usize,
    pub(crate) pace_ms: f64,
    pub(crate) routes: Vec<StreamRoute>,
}

/// One route's streams.
#[derive(Debug, Default, Serialize)]
pub(crate) struct StreamRoute {
    pub(crate) name: &'static str,
    pub(crate) streams: u64,
    /// Time from sending the request to the first byte of the first event.
    pub(crate) first_p50_us: f64,
    pub(crate) first_p99_us: f64,
    /// Time between two arrivals.
    pub(crate) gap_p50_us: f64,
    pub(crate) gap_p99_us: f64,
    pub(crate) added_first_p50_us: f64,
    pub(crate) added_gap_p50_us: f64,
    pub(crate) added_gap_p99_us: f64,
}

impl Figures {
    /// What is known before measuring.
    pub(crate) fn new(options: &Options) -> Self {
        let (time, machine, commit) = of_run();
        Self {
            time,
            machine,
            commit,
            rounds: options.rounds,
            seconds: options.time.as_secs_f64(),
            filter_bytes: std::env::var_os("AI_MESH_FILTER")
                .and_then(|path| std::fs::metadata(path).ok())
                .map_or(0, |meta| meta.len()),
            cases: Vec::new(),
            stream: Stream {
                chunks: upstream::CHUNKS,
                pace_ms: upstream::PACE.as_secs_f64() * 1e3,
                routes: Vec::new(),
            },
            records: 0,
            limit_calls: 0,
            leases: 0,
        }
    }
}

/// When, on what machine, and of which commit.
pub(crate) fn of_run() -> (String, String, String) {
    (jiff::Timestamp::now().to_string(), machine(), commit())
}

fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{cores} cores, {}", if model.is_empty() { "unknown processor" } else { model })
}

fn commit() -> String {
    let output = std::process::Command::new("git").args(["describe", "--always", "--dirty"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
