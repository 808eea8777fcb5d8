//! The gRPC service: moves messages between streams and state machines, and decides nothing.
//!
//! Flow control: each stream has a short bounded queue towards its client. While the queue is full, the stream takes neither
//! requests nor snapshots (and skips intermediate snapshots); other streams are not affected.
use std::{collections::VecDeque, net::SocketAddr, pin::Pin, time::SystemTime};

use envoy_types::pb::envoy::{
    config::core::v3::{Node, node::UserAgentVersionType},
    service::discovery::v3::{
        DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
        aggregated_discovery_service_server::AggregatedDiscoveryService,
    },
};
use envoy_types::pb::google::protobuf::value;
use futures::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tracing::{debug, warn};

use crate::{Ads, ClientStatus, Delta, Machine, Sotw, Step, ads::Watch, registry::Registry};

/// Responses on their way to one client.
const QUEUE: usize = 4;

/// The key of the node metadata in which a client that is not the node's Envoy names itself.
const INSTANCE: &str = "ai_mesh_instance";

/// The key of the node metadata that states how many filters the node has, as text.
const FILTERS: &str = "ai_mesh_filters";

/// Longest node id, cluster name or instance, in bytes.
const MAX_NAME: usize = 1024;

type Responses<R> = Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>>;

impl Ads {
    /// Reads the first request, which must say who the client is, and starts the stream's pump.
    fn open<M: Machine>(&self, request: Request<Streaming<M::Request>>) -> Response<Responses<M::Response>> {
        let address = request.remote_addr();
        let (sender, receiver) = mpsc::channel(QUEUE);
        let ads = self.clone();
        tokio::spawn(async move {
            let mut closing = ads.closing();
            let served = async {
                if let Err(status) = serve::<M>(&ads, request.into_inner(), address, &sender).await {
                    warn!(code = ?status.code(), message = status.message(), "xDS stream refused");
                    let _ = sender.send(Err(status)).await;
                }
            };
            tokio::select! {
                biased;
                _ = closing.wait_for(|closed| *closed) => {
                    let _ = sender.try_send(Err(Status::unavailable("the server is shutting down")));
                }
                () = sender.closed() => {}
                () = served => {}
            }
        });
        Response::new(Box::pin(ReceiverStream::new(receiver)))
    }
}

#[tonic::async_trait]
impl AggregatedDiscoveryService for Ads {
    type StreamAggregatedResourcesStream = Responses<DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Responses<DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        Ok(self.open::<Sotw>(request))
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        Ok(self.open::<Delta>(request))
    }
}

type Sender<M> = mpsc::Sender<Result<<M as Machine>::Response, Status>>;

async fn serve<M: Machine>(
    ads: &Ads,
    mut requests: Streaming<M::Request>,
    address: Option<SocketAddr>,
    sender: &Sender<M>,
) -> Result<(), Status> {
    let Some(first) = requests.message().await? else { return Ok(()) };
    let client = client::<M>(M::node(&first), address)?;
    let mut watch = ads.watch();
    let registry = ads.registry();
    let entry = Entry { registry, stream: registry.connected(client) };
    let result = pump::<M>(first, &mut requests, &mut watch, sender, &entry).await;
    // A broken connection is the usual end of a stream, not something to answer.
    match result {
        Err(status) if status.code() == tonic::Code::ResourceExhausted => Err(status),
        Err(status) => {
            debug!(code = ?status.code(), "xDS stream broke off");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

async fn pump<M: Machine>(
    first: M::Request,
    requests: &mut Streaming<M::Request>,
    watch: &mut Watch,
    sender: &Sender<M>,
    entry: &Entry<'_>,
) -> Result<(), Status> {
    let mut machine = M::default();
    let mut queue: VecDeque<M::Response> = VecDeque::new();
    let mut next = Some(first);
    loop {
        if let Some(request) = next.take() {
            // The snapshot in force comes first, so that the request is answered from it.
            if watch.has_changed().unwrap_or(false) {
                apply(&mut machine, watch, &mut queue, entry);
            }
            let now = SystemTime::now();
            let step =
                machine.request(&request, now).map_err(|e| Status::resource_exhausted(e.to_string()))?;
            take(&machine, step, &mut queue, entry);
        }
        tokio::select! {
            biased;
            permit = sender.reserve(), if !queue.is_empty() => {
                let Ok(permit) = permit else { return Ok(()) };
                if let Some(response) = queue.pop_front() {
                    permit.send(Ok(response));
                }
            }
            message = requests.message(), if queue.is_empty() => match message? {
                Some(request) => next = Some(request),
                None => return Ok(()),
            },
            changed = watch.changed(), if queue.is_empty() => match changed {
                Ok(()) => apply(&mut machine, watch, &mut queue, entry),
                Err(_) => return Ok(()),
            },
        }
    }
}

fn apply<M: Machine>(
    machine: &mut M,
    watch: &mut Watch,
    queue: &mut VecDeque<M::Response>,
    entry: &Entry<'_>,
) {
    let snapshot = watch.borrow_and_update().clone();
    if let Some(snapshot) = snapshot {
        let step = machine.snapshot(snapshot);
        take(machine, step, queue, entry);
    }
}

fn take<M: Machine>(
    machine: &M,
    step: Step<M::Response>,
    queue: &mut VecDeque<M::Response>,
    entry: &Entry<'_>,
) {
    queue.extend(step.responses);
    entry.registry.update(entry.stream, machine.status(), step.verdicts);
}

/// A stream's entry in the registry, removed when the stream ends in whatever way.
struct Entry<'a> {
    registry: &'a Registry,
    stream: u64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.registry.disconnected(self.stream);
    }
}

fn client<M: Machine>(node: Option<&Node>, address: Option<SocketAddr>) -> Result<ClientStatus, Status> {
    let Some(node) = node.filter(|node| !node.id.is_empty()) else {
        return Err(Status::invalid_argument("the first request of a stream must carry `node` with an `id`"));
    };
    if node.id.len() > MAX_NAME || node.cluster.len() > MAX_NAME {
        return Err(Status::invalid_argument(format!(
            "`node.id` and `node.cluster` may have {MAX_NAME} bytes"
        )));
    }
    let instance = metadata(node, INSTANCE).unwrap_or_default();
    if instance.len() > MAX_NAME {
        return Err(Status::invalid_argument(format!("`{INSTANCE}` may have {MAX_NAME} bytes")));
    }
    Ok(ClientStatus {
        node_id: node.id.clone(),
        instance,
        filters: metadata(node, FILTERS).and_then(|filters| filters.parse().ok()),
        cluster: node.cluster.clone(),
        user_agent: user_agent(node),
        address,
        connected_since: SystemTime::now(),
        protocol: M::PROTOCOL,
        types: Default::default(),
    })
}

fn metadata(node: &Node, key: &str) -> Option<String> {
    match node.metadata.as_ref()?.fields.get(key)?.kind.as_ref()? {
        value::Kind::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

fn user_agent(node: &Node) -> String {
    let version = match &node.user_agent_version_type {
        Some(UserAgentVersionType::UserAgentVersion(version)) => version.clone(),
        Some(UserAgentVersionType::UserAgentBuildVersion(build)) => {
            let number = build.version.as_ref();
            number.map_or(String::new(), |n| format!("{}.{}.{}", n.major_number, n.minor_number, n.patch))
        }
        None => String::new(),
    };
    let text = format!("{} {version}", node.user_agent_name);
    text.trim().chars().take(200).collect()
}
