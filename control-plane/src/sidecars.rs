//! The xDS server's clients as the API shows them.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use mesh_control_core::ports::SidecarView;
use mesh_control_core::{Propagation, Refused, ResourceState, Sidecar, Timestamp};
use mesh_xds::{Ads, ClientStatus, Event, Kind};

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
                if *kind == Kind::Extension {
                    propagation.acknowledged(version, timestamp(*since), Timestamp::now());
                }
                tracing::debug!(node, kind = kind.short(), version, "a sidecar accepted its configuration");
            }
            Event::Connected { node } => tracing::info!(node, "a sidecar connected"),
            Event::Disconnected { node } => tracing::info!(node, "a sidecar disconnected"),
        });
        Arc::new(Sidecars { ads, refusals })
    }
}

impl SidecarView for Sidecars {
    fn sidecars(&self) -> Vec<Sidecar> {
        let connected = self.ads.clients().into_iter().filter(|client| client.connected);
        let mut sidecars: Vec<Sidecar> = connected.map(sidecar).collect();
        sidecars.sort_by(|a, b| a.id.cmp(&b.id));
        sidecars
    }

    fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }
}

fn sidecar(client: ClientStatus) -> Sidecar {
    let policies = client.types.get(&Kind::Extension);
    Sidecar {
        policy_version: policies.and_then(|policies| policies.acked_version.clone()),
        offered_version: policies.and_then(|policies| policies.sent_version.clone()),
        connected_since: timestamp(client.connected_since),
        resources: client
            .types
            .into_iter()
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
        id: client.node_id,
        cluster: client.cluster,
        user_agent: client.user_agent,
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}
