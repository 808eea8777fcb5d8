//! What a sidecar is told: the policies in force and the filter's settings, as one JSON value.
use serde::{Deserialize, Serialize};

use crate::{Policy, Secret};

/// The filter's whole configuration. Two equal bundles make two filters that decide alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    /// Version of the set of policies, as the control plane counts it; it stands in every decision record.
    pub version: String,
    /// The policies in force.
    #[serde(default)]
    pub policies: Vec<BundlePolicy>,
    /// Everything that is not policy.
    #[serde(default)]
    pub settings: Settings,
}

/// One policy in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundlePolicy {
    /// Its id, which decisions and limits name.
    pub id: String,
    /// Its version, counted from 1.
    pub version: u64,
    /// The document.
    pub policy: Policy,
}

/// The filter's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Name of the sidecar, as records carry it.
    pub sidecar: String,
    /// Whether `x-ai-mesh-agent` and its sisters are believed on this listener.
    pub trust_identity_headers: bool,
    /// Whether the listener asks for client certificates: only then is one looked for, at a cost for each request.
    pub client_certificates: bool,
    /// Largest request body in bytes; a larger one is refused with 413.
    pub max_body_bytes: u64,
    /// Where limits are counted; without it, rate limit rules follow their policy's failure mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<ServiceRef>,
    /// Where decision records go; without it, none are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intake: Option<ServiceRef>,
    /// Under which placeholders are made (`action: tokenize`): all sidecars that share it make the same ones. Without it, what
    /// is to be tokenized can not be, and follows its policy's failure mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masking_key: Option<Secret>,
    /// Prices of models, before those that are shipped: a list as `mesh_limits::PriceList` reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices: Option<serde_json::Value>,
    /// Decision records kept until they are acknowledged, at most this many in each worker.
    pub record_buffer: u32,
}

impl Settings {
    /// 32 MiB.
    pub const DEFAULT_MAX_BODY_BYTES: u64 = 32 * 1024 * 1024;
    /// 4096 records.
    pub const DEFAULT_RECORD_BUFFER: u32 = 4096;
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            sidecar: String::new(),
            trust_identity_headers: false,
            client_certificates: false,
            max_body_bytes: Self::DEFAULT_MAX_BODY_BYTES,
            rate_limit: None,
            intake: None,
            masking_key: None,
            prices: None,
            record_buffer: Self::DEFAULT_RECORD_BUFFER,
        }
    }
}

/// A gRPC service the filter calls through an Envoy cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceRef {
    /// Name of the cluster.
    pub cluster: String,
    /// How long one call may take, in milliseconds.
    pub timeout_ms: u32,
}
