//! Bundles → xDS snapshots, signed.
use std::sync::Arc;

use async_trait::async_trait;
use mesh_audit::SigningKey;
use mesh_control_core::ports::{PublishError, Publisher};
use mesh_control_core::{Propagation, Timestamp};
use mesh_policy::Bundle;
use mesh_xds::{Ads, Inconsistent, Misuse, SidecarSpec, Snapshot};

// Filters claim up to so many pieces: a stream that does is not refused.
const _: () = assert!(Bundle::MAX_CLAIMED_PIECES <= Misuse::MAX_NAMES);

/// Publishes over xDS. A snapshot that is not consistent is not served; the last one stays.
pub(crate) struct XdsPublisher {
    pub(crate) ads: Ads,
    pub(crate) spec: SidecarSpec,
    pub(crate) key: SigningKey,
    pub(crate) propagation: Arc<Propagation>,
}

#[async_trait]
impl Publisher for XdsPublisher {
    async fn publish(&self, bundle: Arc<Bundle>) -> Result<(), PublishError> {
        let plugin_config =
            serde_json::to_string(&*bundle).map_err(|error| PublishError(error.to_string()))?;
        let plugin_config = self.key.sign(&plugin_config);
        let spec = SidecarSpec { plugin_config, ..self.spec.clone() };
        let snapshot =
            mesh_xds::snapshot(&spec, &bundle.version).map_err(|error| PublishError(error.to_string()))?;
        self.serve(&bundle, snapshot)
    }
}

impl XdsPublisher {
    /// Serves a snapshot, if it is consistent.
    fn serve(&self, bundle: &Bundle, snapshot: Snapshot) -> Result<(), PublishError> {
        let failed = |error: Inconsistent| PublishError(error.to_string());
        // Only what can be served counts as published; before it is served, since a sidecar may be quick.
        snapshot.prove().map_err(failed)?;
        self.propagation.published(bundle, Timestamp::now());
        self.ads.set_snapshot(snapshot).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use mesh_xds::{Resources, Upstream};

    use super::*;

    #[test]
    fn what_can_not_be_served_does_not_count_as_published() {
        let spec = SidecarSpec {
            listener: "127.0.0.1:10000".parse().unwrap(),
            upstreams: vec![Upstream::parse("default", "http://127.0.0.1:8000").unwrap()],
            judge: None,
            rate_limits: None,
            filter_path: "/opt/filter.wasm".to_owned(),
            plugin_config: "{}".to_owned(),
            filter_subscribes: false,
            max_body_bytes: 1 << 20,
            ca_file: None,
        };
        let whole = spec.resources().unwrap();
        // Routes go to clusters that are not there.
        let dangling = Resources { clusters: Vec::new(), ..whole.clone() };
        let publisher = XdsPublisher {
            ads: Ads::new(),
            spec,
            key: SigningKey::from_hex(&"5a".repeat(32)).unwrap(),
            propagation: Arc::default(),
        };
        for (resources, counted) in [(dangling, 0), (whole, 1)] {
            let bundle = Bundle { version: "7".to_owned(), ..Bundle::default() };
            let served = publisher.serve(&bundle, Snapshot::new("7", resources));
            assert_eq!(served.is_ok(), counted == 1, "{served:?}");
            publisher.propagation.acknowledged("7", Timestamp::UNIX_EPOCH, Timestamp::now());
            assert_eq!(publisher.propagation.delays().0.count, counted);
        }
    }
}
