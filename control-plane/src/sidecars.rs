//! The xDS server's clients as the API shows them.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use mesh_control_core::ports::SidecarView;
use mesh_control_core::{Refused, ResourceState, Sidecar, Timestamp};
use mesh_xds::{Ads, ClientStatus, Event, Kind};
use tokio::sync::broadcast::error::RecvError;

/// The clients of the xDS server, and how many configurations they have refused.
pub(crate) struct Sidecars {
    ads: Ads,
    refusals: AtomicU64,
}

impl Sidecars {
    pub(crate) fn new(ads: Ads) -> Arc<Self> {
        Arc::new(Sidecars { ads, refusals: AtomicU64::new(0) })
    }

    /// Counts refusals, and says them in the log, as long as the server lives.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut events = self.ads.events();
        loop {
            match events.recv().await {
                Ok(Event::Nacked { node, kind, version, message }) => {
                    self.refusals.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(
                        node,
                        kind = kind.short(),
                        version,
                        message,
                        "a sidecar refused its configuration"
                    );
                }
                Ok(Event::Acked { node, kind, version }) => {
                    tracing::debug!(
                        node,
                        kind = kind.short(),
                        version,
                        "a sidecar accepted its configuration"
                    );
                }
                Ok(Event::Connected { node }) => tracing::info!(node, "a sidecar connected"),
                Ok(Event::Disconnected { node }) => tracing::info!(node, "a sidecar disconnected"),
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "sidecar events came too fast"),
                Err(RecvError::Closed) => return,
            }
        }
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
