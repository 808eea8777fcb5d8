//! The xDS server's clients as the API shows them.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use mesh_control_core::ports::SidecarView;
use mesh_control_core::{Propagation, Refused, ResourceState, Sidecar, Timestamp};
use mesh_xds::{Ads, ClientStatus, Event, Kind, TypeStatus};

/// The clients of the xDS server, and how many configurations they have refused.
pub(crate) struct Sidecars {
    ads: Ads,
    refusals: Arc<AtomicU64>,
}

impl Sidecars {
    /// Counts what clients accept and refuse from now on, and says refusals in the log.
    pub(crate) fn new(ads: Ads, propagation: Arc<Propagation>) -> Arc<Self> {
        let refusals = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&refusals);
        ads.observe(move |event| match event {
            Event::Nacked { node, kind, version, message } => {
                counted.fetch_add(1, Ordering::Relaxed);
                let kind = kind.short();
                tracing::warn!(node, kind, version, message, "a sidecar refused its configuration");
            }
            Event::Acked { node, since, kind, version } => {
                if *kind == Kind::Bundle {
                    propagation.acknowledged(version, timestamp(*since), Timestamp::now());
                }
                tracing::debug!(node, kind = kind.short(), version, "a sidecar accepted its configuration");
            }
            Event::Connected { node, instance } if instance.is_empty() => {
                tracing::info!(node, "a sidecar connected")
            }
            Event::Connected { node, instance } => tracing::debug!(node, instance, "a filter subscribed"),
            Event::Disconnected { node, instance } if instance.is_empty() => {
                tracing::info!(node, "a sidecar disconnected");
            }
            Event::Disconnected { node, instance } => tracing::debug!(node, instance, "a filter went"),
        });
        Arc::new(Sidecars { ads, refusals })
    }
}

impl SidecarView for Sidecars {
    fn sidecars(&self) -> Vec<Sidecar> {
        let mut clients = self.ads.clients();
        let mut filters: HashMap<String, Vec<ClientStatus>> = HashMap::new();
        for filter in clients.extract_if(.., |client| !client.instance.is_empty()) {
            filters.entry(filter.node_id.clone()).or_default().push(filter);
        }
        clients.retain(|client| client.connected);
        // An Envoy that another control plane configures is known by its filters alone.
        let mut known: HashSet<String> = clients.iter().map(|client| client.node_id.clone()).collect();
        for filter in filters.values().flatten().filter(|filter| filter.connected) {
            if known.insert(filter.node_id.clone()) {
                clients.push(ClientStatus { types: BTreeMap::new(), ..filter.clone() });
            }
        }
        let now = SystemTime::now();
        let of = |id: &str| filters.get(id).map(Vec::as_slice).unwrap_or_default();
        let mut sidecars: Vec<Sidecar> = clients
            .into_iter()
            .map(|envoy| sidecar(Filters::of(&envoy, of(&envoy.node_id), now), envoy))
            .collect();
        sidecars.sort_by(|a, b| a.id.cmp(&b.id));
        sidecars
    }

    fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }
}

/// How the filters of one Envoy stand with the policies: one in each of its workers, and one in its main thread.
struct Filters {
    connected: u32,
    state: Option<TypeStatus>,
}

impl Filters {
    /// A filter that has lost its stream is waited for so long: it runs what it had, until it is told.
    const AWAITED: Duration = Duration::from_secs(10);

    fn of(envoy: &ClientStatus, filters: &[ClientStatus], now: SystemTime) -> Filters {
        // Filters of an earlier process with this name are gone for good.
        let awaited = |at: SystemTime| {
            at >= envoy.connected_since && now.duration_since(at).is_ok_and(|gone| gone < Self::AWAITED)
        };
        let there = filters.iter().filter(|filter| filter.disconnected_at.is_none_or(awaited));
        let states = there.filter_map(|filter| filter.types.get(&Kind::Bundle)).cloned();
        let connected = filters.iter().filter(|filter| filter.connected).count();
        Filters { connected: u32::try_from(connected).unwrap_or(u32::MAX), state: states.reduce(together) }
    }
}

/// What is true of both: accepted is what the later one has accepted, sent what the first one was sent.
fn together(a: TypeStatus, b: TypeStatus) -> TypeStatus {
    // Versions of the policies are counted.
    let number = |version: &Option<String>| version.as_ref().and_then(|version| version.parse::<u64>().ok());
    TypeStatus {
        sent_version: std::cmp::max_by_key(a.sent_version, b.sent_version, number),
        acked_version: std::cmp::min_by_key(a.acked_version, b.acked_version, number),
        nacked: a.nacked.or(b.nacked),
        last_nonce: None,
    }
}

fn sidecar(filters: Filters, envoy: ClientStatus) -> Sidecar {
    let policies = filters.state.clone();
    let types = envoy.types.into_iter().chain(policies.map(|state| (Kind::Bundle, state)));
    Sidecar {
        policy_version: filters.state.as_ref().and_then(|state| state.acked_version.clone()),
        offered_version: filters.state.and_then(|state| state.sent_version),
        filters: filters.connected,
        connected_since: timestamp(envoy.connected_since),
        resources: types
            .map(|(kind, state)| ResourceState {
                kind: kind.type_url().to_owned(),
                accepted: state.acked_version,
                sent: state.sent_version,
                refused: state.nacked.map(|nack| Refused {
                    version: nack.version,
                    message: nack.message,
                    at: timestamp(nack.at),
                }),
            })
            .collect(),
        id: envoy.node_id,
        cluster: envoy.cluster,
        user_agent: envoy.user_agent,
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}
