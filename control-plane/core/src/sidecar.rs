//! What is known of a sidecar: seen from its xDS streams.
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// One connected sidecar.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Sidecar {
    /// Node id of its Envoy.
    pub id: String,
    /// Node cluster of its Envoy.
    pub cluster: String,
    /// What the Envoy calls itself, such as `envoy 1.40.0`; empty when it did not say.
    pub user_agent: String,
    /// When its stream was opened.
    #[schema(value_type = String, format = DateTime)]
    pub connected_since: Timestamp,
    /// Version of the policies it runs: the newest one that all of its filters have accepted.
    pub policy_version: Option<String>,
    /// Version of the policies it was offered last.
    pub offered_version: Option<String>,
    /// Its filters that are connected, each by a stream of its own: one in each worker of Envoy, and one in its main thread.
    pub filters: u32,
    /// State of each kind of resource.
    pub resources: Vec<ResourceState>,
}

/// What a sidecar said about one kind of resource.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ResourceState {
    /// Type URL, such as `type.googleapis.com/envoy.config.listener.v3.Listener`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version it accepted last.
    pub accepted: Option<String>,
    /// The version it was sent last.
    pub sent: Option<String>,
    /// The newest refusal, as long as nothing newer was accepted.
    pub refused: Option<Refused>,
}

/// A refused configuration (NACK).
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Refused {
    /// The version that was refused.
    pub version: String,
    /// What the sidecar said.
    pub message: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}
