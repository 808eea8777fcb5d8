//! The configuration of a control plane.
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use mesh_policy::{Document, Settings};
use mesh_xds::Upstream;

/// The configuration of a control plane. It holds passwords in URLs, so it has no `Debug`.
#[derive(Clone)]
pub struct Config {
    /// Folder of the tokens and, without [`Config::database`], of `mesh.db`. Made, for its owner alone, if it is not there.
    pub data: PathBuf,
    /// `postgres://…` or `sqlite:PATH`; none: SQLite in the data folder.
    pub database: Option<String>,
    /// `redis://…` or `redis-cluster://…` for limits shared by several control planes; none: in memory.
    pub redis: Option<String>,
    /// Where REST, metrics and health are served. Port 0 takes a free one.
    pub api: SocketAddr,
    /// Where sidecars call. Port 0 takes a free one.
    pub grpc: SocketAddr,
    /// Lets `api` and `grpc` be addresses that other machines reach. There is no TLS on either port.
    pub allow_remote: bool,
    /// Where the sidecars listen for agents.
    pub listener: SocketAddr,
    /// Where the sidecars send requests on to.
    pub upstreams: Vec<Upstream>,
    /// The classifier that injection rules may ask; its provider is [`mesh_xds::sidecar::JUDGE`].
    pub judge: Option<Upstream>,
    /// Who counts limits in place of this control plane: any of Envoy's rate limit services, version 3; its provider is
    /// [`mesh_xds::sidecar::RATE_LIMITS`].
    pub rate_limits: Option<Upstream>,
    /// The wasm filter, a file on the sidecars' machine.
    pub filter_path: PathBuf,
    /// Certificate authorities of `https` upstreams, a file on the sidecars' machine; none: the system's.
    pub ca_file: Option<PathBuf>,
    /// A list of model prices that come before the shipped ones; none: those alone.
    pub prices: Option<PathBuf>,
    /// Policies and agents to put in force before anything is served, where they differ from what is in force.
    pub documents: Vec<Document>,
    /// Whether a store that never held a policy gets the starter policy, when `documents` is empty.
    pub starter: bool,
    /// Name of the sidecar in records: the node id of its Envoy.
    pub sidecar: String,
    /// Whether headers such as `x-ai-mesh-agent` are believed.
    pub trust_identity_headers: bool,
    /// Largest request body in bytes.
    pub max_body_bytes: u64,
    /// Decision records a sidecar's worker keeps until they are acknowledged.
    pub record_buffer: u32,
    /// How long decision records are kept; none: for ever.
    pub keep_decisions: Option<Duration>,
    /// Whether records hold fingerprints of bodies, under a key in the data folder.
    pub record_hashes: bool,
}

impl Config {
    /// The defaults: loopback, the shipped ports, SQLite in `data`, the starter policy, no upstream yet.
    pub fn new(data: impl Into<PathBuf>, filter_path: impl Into<PathBuf>) -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Config {
            data: data.into(),
            database: None,
            redis: None,
            api: loopback(8090),
            grpc: loopback(18000),
            allow_remote: false,
            listener: loopback(10000),
            upstreams: Vec::new(),
            judge: None,
            rate_limits: None,
            filter_path: filter_path.into(),
            ca_file: None,
            prices: None,
            documents: Vec::new(),
            starter: true,
            sidecar: "sidecar".to_owned(),
            trust_identity_headers: false,
            max_body_bytes: Settings::DEFAULT_MAX_BODY_BYTES,
            record_buffer: Settings::DEFAULT_RECORD_BUFFER,
            keep_decisions: None,
            record_hashes: false,
        }
    }
}
