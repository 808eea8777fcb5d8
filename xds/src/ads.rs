//! The handle by which the control plane drives the server.
use std::{sync::Arc, time::SystemTime};

use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::AggregatedDiscoveryServiceServer;
use tokio::sync::{broadcast, watch};

use crate::{AdsService, ClientStatus, Event, Inconsistent, Snapshot, cache::Cache, registry::Registry};

/// An aggregated discovery server: what is in force, and who has it. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Ads {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cache: Cache,
    registry: Registry,
    closed: watch::Sender<bool>,
}

impl Default for Inner {
    fn default() -> Self {
        Inner { cache: Cache::default(), registry: Registry::default(), closed: watch::channel(false).0 }
    }
}

impl Ads {
    /// A server with nothing in force: clients wait until there is.
    pub fn new() -> Ads {
        Ads::default()
    }

    /// Puts a snapshot in force for all nodes but those whose group has its own. Returns at once; clients are told in
    /// the background.
    ///
    /// # Errors
    /// The snapshot is inconsistent; the one in force stays.
    pub fn set_snapshot(&self, snapshot: Snapshot) -> Result<(), Inconsistent> {
        self.inner.cache.set_common(snapshot)
    }

    /// Puts a snapshot in force for the nodes whose `node.cluster` is `group`.
    ///
    /// # Errors
    /// The snapshot is inconsistent; the one in force stays.
    pub fn set_group_snapshot(&self, group: &str, snapshot: Snapshot) -> Result<(), Inconsistent> {
        self.inner.cache.set_group(group, snapshot)
    }

    /// Version (the caller's label) of the snapshot that [`Ads::set_snapshot`] put in force last.
    pub fn version(&self) -> Option<String> {
        self.inner.cache.common().map(|snapshot| snapshot.version().to_owned())
    }

    /// The gRPC service. It lets everybody in: put an interceptor around [`Ads::bare_service`] to ask for a token.
    pub fn service(&self) -> AggregatedDiscoveryServiceServer<AdsService> {
        AggregatedDiscoveryServiceServer::new(self.bare_service())
    }

    /// The implementation of the service, for `AggregatedDiscoveryServiceServer::with_interceptor`.
    pub fn bare_service(&self) -> AdsService {
        AdsService::new(self.clone())
    }

    /// All clients, also those that went within the last hour (at most 1000 of them).
    pub fn clients(&self) -> Vec<ClientStatus> {
        self.inner.registry.clients(SystemTime::now())
    }

    /// What happens to clients from now on. A receiver that falls 1024 events behind is told that it missed some.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.registry.events()
    }

    /// Has every event told to `observer`, none missed: on the task of the client's stream, so that it must be quick. False if
    /// somebody observes already.
    pub fn observe(&self, observer: impl Fn(&Event) + Send + Sync + 'static) -> bool {
        self.inner.registry.observe(Box::new(observer))
    }

    /// Ends all streams, now and from now on, so that a graceful shutdown of the gRPC server can finish.
    pub fn close(&self) {
        self.inner.closed.send_replace(true);
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.inner.cache
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.inner.closed.subscribe()
    }
}
