//! The xDS server's clients as the API shows them.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

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
            Event::Connected { node, instance, address } if instance.is_empty() => {
                tracing::info!(node, ?address, "a sidecar connected")
            }
            Event::Connected { node, instance, .. } => tracing::debug!(node, instance, "a filter subscribed"),
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
        // An Envoy that another control plane configures is known by its filters alone.
        let mut known: HashSet<String> = clients.iter().map(|client| client.node_id.clone()).collect();
        for filter in filters.values().flatten() {
            if known.insert(filter.node_id.clone()) {
                clients.push(ClientStatus { types: BTreeMap::new(), ..filter.clone() });
            }
        }
        let of = |id: &str| filters.get(id).map(Vec::as_slice).unwrap_or_default();
        let mut sidecars: Vec<Sidecar> = clients
            .into_iter()
            .map(|envoy| sidecar(Filters::of(&envoy, of(&envoy.node_id)), envoy))
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
    fn of(envoy: &ClientStatus, filters: &[ClientStatus]) -> Filters {
        let connected = u32::try_from(filters.len()).unwrap_or(u32::MAX);
        let state =
            filters.iter().filter_map(|filter| filter.types.get(&Kind::Bundle)).cloned().reduce(together);
        let said = filters.iter().chain([envoy]).filter_map(|client| client.filters).max();
        // One that is not connected runs what it had, or nothing: nobody knows what.
        let all = said.is_none_or(|said| connected >= said);
        let state =
            state.map(|state| TypeStatus { acked_version: state.acked_version.filter(|_| all), ..state });
        Filters { connected, state }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn client(filters: Option<u32>, accepted: Option<&str>, sent: &str) -> ClientStatus {
        let state = TypeStatus {
            acked_version: accepted.map(str::to_owned),
            sent_version: Some(sent.to_owned()),
            ..TypeStatus::default()
        };
        ClientStatus {
            node_id: "a".to_owned(),
            instance: String::new(),
            filters,
            cluster: String::new(),
            user_agent: String::new(),
            address: None,
            connected_since: SystemTime::UNIX_EPOCH,
            protocol: mesh_xds::Protocol::Delta,
            types: BTreeMap::from([(Kind::Bundle, state)]),
        }
    }

    /// Each row: how many filters the node says that it has, what those that are connected have accepted and were sent; and
    /// what the sidecar runs and was offered.
    #[test]
    fn a_sidecar_runs_what_all_its_filters_run() {
        type Row<'a> =
            (&'a str, Option<u32>, &'a [(Option<&'a str>, &'a str)], Option<&'a str>, Option<&'a str>);
        let rows: &[Row<'_>] = &[
            ("all have it", Some(2), &[(Some("9"), "9"), (Some("9"), "9")], Some("9"), Some("9")),
            ("one is behind", Some(2), &[(Some("10"), "10"), (Some("9"), "10")], Some("9"), Some("10")),
            ("one has nothing", Some(2), &[(Some("9"), "9"), (None, "9")], None, Some("9")),
            ("one is not connected", Some(3), &[(Some("9"), "9"), (Some("9"), "9")], None, Some("9")),
            ("nobody knows how many", None, &[(Some("9"), "9")], Some("9"), Some("9")),
            ("there is none", Some(2), &[], None, None),
        ];
        for (what, said, filters, accepted, sent) in rows {
            let filters: Vec<ClientStatus> =
                filters.iter().map(|(accepted, sent)| client(None, *accepted, sent)).collect();
            let envoy = client(*said, None, "1");
            let types = BTreeMap::new();
            let found = sidecar(Filters::of(&envoy, &filters), ClientStatus { types, ..envoy });
            assert_eq!(found.policy_version.as_deref(), *accepted, "{what}");
            assert_eq!(found.offered_version.as_deref(), *sent, "{what}");
            assert_eq!(found.filters as usize, filters.len(), "{what}");
        }
    }
}
