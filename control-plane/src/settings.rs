//! The filter's settings and the sidecar's specification, from the configuration.
use mesh_control_core::{Catalogue, PriceList};
use mesh_policy::{HttpServiceRef, Secret, ServiceRef, Settings};
use mesh_xds::SidecarSpec;
use mesh_xds::sidecar::CONTROL_PLANE_CLUSTER;

use crate::config::Config;
use crate::error::StartError;
use crate::tokens;

/// A limit is asked for in the path of a request: a second is long.
const RATE_LIMIT_TIMEOUT_MS: u32 = 1000;
/// A report waits for the store's disk.
const INTAKE_TIMEOUT_MS: u32 = 5000;

/// What filters compute digests under.
pub(crate) struct Keys {
    pub(crate) masking: Secret,
    /// Where fingerprints of bodies are asked for.
    pub(crate) record: Option<Secret>,
}

impl Keys {
    /// Reads them from the data folder, and makes those that are not there.
    pub(crate) fn open(config: &Config) -> Result<Self, StartError> {
        let key = |name| tokens::token(&config.data.join(name)).map(|key| Secret::new(key.secret()));
        let record = config.record_hashes.then(|| key("record-key")).transpose()?;
        Ok(Keys { masking: key("masking-key")?, record })
    }
}

pub(crate) fn settings(config: &Config, keys: Keys, prices: Option<&PriceList>) -> Settings {
    let service = |timeout_ms| Some(ServiceRef { cluster: CONTROL_PLANE_CLUSTER.to_owned(), timeout_ms });
    Settings {
        sidecar: config.sidecar.clone(),
        trust_identity_headers: config.trust_identity_headers,
        // No listener of ours has TLS yet.
        client_certificates: false,
        max_body_bytes: config.max_body_bytes,
        rate_limit: match &config.rate_limits {
            Some(other) => Some(ServiceRef { cluster: other.cluster(), timeout_ms: RATE_LIMIT_TIMEOUT_MS }),
            None => service(RATE_LIMIT_TIMEOUT_MS),
        },
        foreign_limits: config.rate_limits.is_some(),
        xds_cluster: Some(CONTROL_PLANE_CLUSTER.to_owned()),
        intake: service(INTAKE_TIMEOUT_MS),
        judge: config.judge.as_ref().map(|judge| HttpServiceRef {
            cluster: judge.cluster(),
            authority: judge.authority(),
            path_prefix: judge.path_prefix.clone(),
        }),
        masking_key: Some(keys.masking),
        record_key: keys.record,
        // A list of prices is plain data: it always has a JSON form.
        prices: prices.and_then(|prices| serde_json::to_value(prices).ok()),
        servers: config.upstreams.iter().map(|upstream| (upstream.cluster(), upstream.place())).collect(),
        record_buffer: config.record_buffer,
    }
}

/// The operator's own prices.
pub(crate) fn prices(config: &Config) -> Result<Option<PriceList>, StartError> {
    let refused = |why: String| StartError::Prices { path: config.prices.clone().unwrap_or_default(), why };
    let own = match &config.prices {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
            Some(PriceList::read(&text).map_err(|error| refused(error.to_string()))?)
        }
        None => None,
    };
    Catalogue::list(own.as_ref()).map_err(|error| refused(error.to_string()))?;
    Ok(own)
}

/// The specification, but for the filter's configuration: that comes with each bundle.
pub(crate) fn spec(config: &Config) -> SidecarSpec {
    SidecarSpec {
        listener: config.listener,
        upstreams: config.upstreams.clone(),
        judge: config.judge.clone(),
        rate_limits: config.rate_limits.clone(),
        filter_path: config.filter_path.to_string_lossy().into_owned(),
        plugin_config: String::new(),
        filter_subscribes: true,
        max_body_bytes: config.max_body_bytes,
        ca_file: config.ca_file.as_ref().map(|path| path.to_string_lossy().into_owned()),
    }
}
