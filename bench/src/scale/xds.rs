//! A thousand sidecars as the xDS server sees them: delta clients over gRPC on loopback, each with a connection of its own, that
//! subscribe to what an Envoy and a filter in it do, and accept what they are sent.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse,
    aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
};
use prost::Message;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;
use tonic::{Request, Streaming};

use super::change::policy;
use super::process::{self, Process};
use super::set::Size;
use crate::options::Options;
use crate::stats::{median, percentile};

/// How many clients, and what is in force.
const RUNS: [(usize, Size); 3] = [(1, Size::SMALL), (1_000, Size::SMALL), (100, Size::LARGE)];

/// Longer, and something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

const CLUSTERS: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const LISTENERS: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
const PIECES: &str = "type.googleapis.com/ai_mesh.v1.PolicyBundlePiece";
const BUNDLES: &str = "type.googleapis.com/ai_mesh.v1.PolicyBundle";

/// Everything that one run found.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) time: String,
    pub(crate) machine: String,
    pub(crate) commit: String,
    pub(crate) changes: usize,
    pub(crate) rows: Vec<Row>,
}

/// So many clients of one control plane. Times are from sending the change to the control plane: medians over the changes, and
/// `worst_ms` the worst of all.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) clients: usize,
    /// Policies × agents.
    pub(crate) set: String,
    /// Until the control plane had answered that the change is accepted.
    pub(crate) accepted_ms: f64,
    /// Until half of the clients had it, and had sent their acknowledgement.
    pub(crate) acked_p50_ms: f64,
    pub(crate) acked_p99_ms: f64,
    /// Until the last one had.
    pub(crate) acked_all_ms: f64,
    pub(crate) worst_ms: f64,
    /// Sent to each client for one change, and when it connected.
    pub(crate) change_bytes: f64,
    pub(crate) first_bytes: f64,
    /// The mean of what the control plane's own metric counts: from publishing until each acknowledgement was there.
    pub(crate) counted_mean_ms: f64,
    pub(crate) control_plane_bytes: u64,
    /// CPU time of the control plane for one change.
    pub(crate) change_cpu_ms: f64,
}

/// What a client has received: of which type, and how much.
struct Received {
    at: Instant,
    policies: bool,
    bytes: usize,
}

/// Starts a control plane for each number of clients and makes changes, one after the other.
pub(super) fn measure(options: &Options) -> Result<Figures, String> {
    let changes = if options.record.is_some() { 100 } else { 5 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    for (clients, size) in RUNS {
        eprintln!("bench: changes for {clients} xDS clients, policies × agents: {size}");
        rows.push(row(&runtime, clients, size, changes)?);
    }
    let (time, machine, commit) = crate::figures::of_run();
    Ok(Figures { time, machine, commit, changes, rows })
}

fn row(runtime: &tokio::runtime::Runtime, clients: usize, size: Size, changes: usize) -> Result<Row, String> {
    let plane = process::with_documents("serve", size)?;
    plane.put("/api/v1/policies/changing", &policy(0))?;
    let token = plane.token("sidecar-token")?;
    let (tell, mut told) = mpsc::unbounded_channel();
    for number in 0..clients {
        runtime.block_on(connect(&plane, &token, number, tell.clone()))?;
    }
    let mut round = |clients: usize| runtime.block_on(collect(&mut told, clients));
    let first = round(clients)?;
    let cpu = process::cpu(plane.id())?;
    let (mut accepted, mut p50, mut p99, mut all, mut sizes) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for number in 1..=changes {
        let began = Instant::now();
        plane.put("/api/v1/policies/changing", &policy(number))?;
        accepted.push(began.elapsed().as_secs_f64() * 1e3);
        let found = round(clients)?;
        let mut times: Vec<Duration> = found.iter().map(|(at, _)| at.duration_since(began)).collect();
        times.sort_unstable();
        let ms = |share| percentile(&times, share).as_secs_f64() * 1e3;
        p50.push(ms(0.5));
        p99.push(ms(0.99));
        all.push(ms(1.0));
        sizes.push(found.iter().map(|(_, bytes)| *bytes as f64).sum::<f64>() / clients as f64);
    }
    let used = process::cpu(plane.id())?.saturating_sub(cpu);
    Ok(Row {
        clients,
        set: size.to_string(),
        accepted_ms: median(&accepted),
        acked_p50_ms: median(&p50),
        acked_p99_ms: median(&p99),
        acked_all_ms: median(&all),
        worst_ms: all.iter().copied().fold(0.0, f64::max),
        change_bytes: median(&sizes),
        first_bytes: first.iter().map(|(_, bytes)| *bytes as f64).sum::<f64>() / clients as f64,
        counted_mean_ms: counted(&plane, clients * changes)?,
        control_plane_bytes: process::resident(plane.id())?,
        change_cpu_ms: used.as_secs_f64() * 1e3 / changes as f64,
    })
}

/// The mean in milliseconds; an error unless every acknowledgement was counted. The last ones may still be on their way.
fn counted(plane: &Process, expected: usize) -> Result<f64, String> {
    let began = Instant::now();
    loop {
        let metrics = plane.metrics()?;
        let value = |suffix: &str| {
            let name = format!("ai_mesh_policy_acknowledged_seconds_{suffix} ");
            metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse::<f64>().ok()).unwrap_or_default()
        };
        let count = value("count");
        if count >= expected as f64 {
            return Ok(value("sum") / count * 1e3);
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("the control plane counted {count} acknowledgements of {expected}"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until so many clients have the policies: when each had them, and how much it was sent meanwhile.
async fn collect(
    told: &mut mpsc::UnboundedReceiver<(usize, Received)>,
    clients: usize,
) -> Result<Vec<(Instant, usize)>, String> {
    let mut found: BTreeMap<usize, (Option<Instant>, usize)> = BTreeMap::new();
    let mut have = 0;
    while have < clients {
        let next = tokio::time::timeout(PATIENCE, told.recv()).await;
        let Ok(Some((client, received))) = next else {
            return Err(format!(
                "{} of {clients} clients were not told within {} s",
                clients - have,
                PATIENCE.as_secs()
            ));
        };
        let (at, bytes) = found.entry(client).or_default();
        *bytes += received.bytes;
        if received.policies && at.replace(received.at).is_none() {
            have += 1;
        }
    }
    Ok(found.into_values().filter_map(|(at, bytes)| Some((at?, bytes))).collect())
}

/// Opens a stream, and answers it as long as the run lasts.
async fn connect(
    plane: &Process,
    token: &str,
    number: usize,
    tell: mpsc::UnboundedSender<(usize, Received)>,
) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("client {number} cannot connect: {error}");
    let endpoint = Endpoint::from_shared(format!("http://{}", plane.grpc)).map_err(|error| failed(&error))?;
    let channel = endpoint.connect().await.map_err(|error| failed(&error))?;
    let shown: MetadataValue<Ascii> =
        format!("Bearer {token}").parse().map_err(|_| failed(&"the token is odd"))?;
    let mut stub =
        AggregatedDiscoveryServiceClient::with_interceptor(channel, move |mut request: Request<()>| {
            request.metadata_mut().insert("authorization", shown.clone());
            Ok(request)
        });
    let (requests, stream) = mpsc::channel(16);
    let node = Node { id: format!("sidecar-{number}"), cluster: "ai_mesh".to_owned(), ..Node::default() };
    let first = DeltaDiscoveryRequest { node: Some(node), ..subscribe(CLUSTERS, "*") };
    let rest = [subscribe(LISTENERS, "*"), subscribe(PIECES, "*"), subscribe(BUNDLES, "ai_mesh")];
    for request in std::iter::once(first).chain(rest) {
        requests.send(request).await.map_err(|error| failed(&error))?;
    }
    let answers = stub.delta_aggregated_resources(ReceiverStream::new(stream)).await;
    let answers = answers.map_err(|status| failed(&status))?.into_inner();
    tokio::spawn(accept(answers, requests, number, tell));
    Ok(())
}

async fn accept(
    mut answers: Streaming<DeltaDiscoveryResponse>,
    requests: mpsc::Sender<DeltaDiscoveryRequest>,
    number: usize,
    tell: mpsc::UnboundedSender<(usize, Received)>,
) {
    while let Ok(Some(answer)) = answers.message().await {
        let (policies, bytes) = (answer.type_url == BUNDLES, answer.encoded_len());
        let ack = DeltaDiscoveryRequest {
            type_url: answer.type_url,
            response_nonce: answer.nonce,
            ..DeltaDiscoveryRequest::default()
        };
        if requests.send(ack).await.is_err() {
            return;
        }
        if tell.send((number, Received { at: Instant::now(), policies, bytes })).is_err() {
            return;
        }
    }
}

fn subscribe(kind: &str, name: &str) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: kind.to_owned(),
        resource_names_subscribe: vec![name.to_owned()],
        ..DeltaDiscoveryRequest::default()
    }
}
