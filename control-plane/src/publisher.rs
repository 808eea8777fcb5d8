//! Bundles → xDS snapshots, signed.
use std::sync::Arc;

use async_trait::async_trait;
use mesh_audit::SigningKey;
use mesh_control_core::ports::{PublishError, Publisher};
use mesh_control_core::{Propagation, Timestamp};
use mesh_policy::Bundle;
use mesh_xds::{Ads, SidecarSpec};

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
        // Only what can be served counts as published; before it is served, since a sidecar may be quick.
        self.propagation.published(&bundle, Timestamp::now());
        self.ads.set_snapshot(snapshot).map_err(|error| PublishError(error.to_string()))
    }
}
