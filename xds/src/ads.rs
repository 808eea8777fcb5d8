//! The handle through which the control plane drives the server.
use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::AggregatedDiscoveryServiceServer;
use tokio::sync::watch;

use crate::{ClientStatus, Event, Inconsistent, Snapshot, registry::Registry};

/// What a stream watches: nothing until the first snapshot is set.
pub(crate) type Watch = watch::Receiver<Option<Arc<Snapshot>>>;

/// An aggregated discovery server: the snapshot in force, and the clients. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Ads {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    snapshot: watch::Sender<Option<Arc<Snapshot>>>,
    registry: Registry,
    closed: watch::Sender<bool>,
}

impl Ads {
    /// A server with nothing in force: clients wait until there is.
    pub fn new() -> Ads {
        Ads::default()
    }

    /// Puts a snapshot in force for all nodes. Returns at once; clients are updated in the background.
    ///
    /// # Errors
    /// The snapshot is inconsistent; the one in force stays.
    pub fn set_snapshot(&self, snapshot: Snapshot) -> Result<(), Inconsistent> {
        snapshot.prove()?;
        self.inner.snapshot.send_replace(Some(Arc::new(snapshot)));
        Ok(())
    }

    /// The gRPC service. It authenticates nobody: put a layer around it that does.
    pub fn service(&self) -> AggregatedDiscoveryServiceServer<Ads> {
        AggregatedDiscoveryServiceServer::new(self.clone())
    }

    /// All clients, in the order in which they connected.
    pub fn clients(&self) -> Vec<ClientStatus> {
        self.inner.registry.clients()
    }

    /// Calls `observer` with every event, without missing any, on the task of the client's stream: it has to be quick. False if there
    /// is an observer already.
    pub fn observe(&self, observer: impl Fn(&Event) + Send + Sync + 'static) -> bool {
        self.inner.registry.observe(Box::new(observer))
    }

    /// Ends all streams, and those that are opened later, so that a graceful shutdown of the gRPC server can finish.
    pub fn close(&self) {
        self.inner.closed.send_replace(true);
    }

    /// Follows the snapshots; the one in force counts as not yet seen.
    pub(crate) fn watch(&self) -> Watch {
        let mut watch = self.inner.snapshot.subscribe();
        watch.mark_changed();
        watch
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.inner.closed.subscribe()
    }
}
