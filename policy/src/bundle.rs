//! The bundle that sidecars get: the policies in force and the filter's settings, as one JSON value.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Agent, AgentStatus, AgentType, Attachment, BundleRollout, ComplianceTier, Policy, Secret, ToolApproval,
};

/// The filter's whole configuration. Two equal bundles make two filters that decide alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    /// Version of the set of policies, as the control plane counts it; it stands in every decision record.
    pub version: String,
    /// The policies in force.
    #[serde(default)]
    pub policies: Vec<BundlePolicy>,
    /// Earlier versions that apply only to the agents they are attached to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<BundlePolicy>,
    /// The registered agents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<BundleAgent>,
    /// Tools whose definitions people have decided on, where a policy pins tools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<BundleTool>,
    /// Next versions on their way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<BundleRollout>,
    /// Everything that is not policy.
    #[serde(default)]
    pub settings: Settings,
}

impl Bundle {
    /// Pieces of a bundle that a filter may claim to have when it opens its xDS stream: a control plane refuses a stream that claims
    /// more (it checks this against its own bound when it is built).
    pub const MAX_CLAIMED_PIECES: usize = 10_000;
}

/// The part of a tool's approval that matters to a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleTool {
    /// The server that offers it: host, and path.
    pub server: String,
    /// Its name there.
    pub name: String,
    /// Digests of the definitions that are approved: SHA-256, hex.
    pub approved: Vec<String>,
    /// The server was seen to offer another definition since the last approval: calls are refused everywhere.
    #[serde(default, skip_serializing_if = "is_false")]
    pub changed: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl From<&ToolApproval> for BundleTool {
    fn from(approval: &ToolApproval) -> Self {
        BundleTool {
            server: approval.server.clone(),
            name: approval.name.clone(),
            approved: approval.approved.clone(),
            changed: approval.changed,
        }
    }
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

/// The part of an agent's document that matters to a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleAgent {
    /// Its id.
    pub id: String,
    /// What kind of program it is.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<AgentType>,
    /// How much compliance is asked of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compliance_tier: Option<ComplianceTier>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whether it may work.
    #[serde(default)]
    pub status: AgentStatus,
    /// Why it has this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Policies that apply to it whatever their target says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Attachment>,
}

impl From<&Agent> for BundleAgent {
    fn from(agent: &Agent) -> Self {
        let spec = &agent.spec;
        BundleAgent {
            id: agent.metadata.name.clone(),
            agent_type: spec.agent_type,
            compliance_tier: spec.compliance_tier,
            labels: agent.metadata.labels.clone(),
            status: spec.status.unwrap_or_default(),
            reason: spec.reason.clone(),
            policies: spec.policies.clone(),
        }
    }
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
    /// The service that counts limits is not the control plane: it lends nothing and settles nothing.
    #[serde(skip_serializing_if = "is_false")]
    pub foreign_limits: bool,
    /// Name of the Envoy cluster of the xDS server that the filter itself asks for changes of the bundle; without it, it runs
    /// what Envoy configures it with, and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xds_cluster: Option<String>,
    /// Where decision records go; without it, none are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intake: Option<ServiceRef>,
    /// The classifier that `judge` of an injection rule asks; without it, what is to be asked follows the rule's failure mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<HttpServiceRef>,
    /// The key of placeholders (`action: tokenize`): all sidecars that share it make the same ones. Without it, nothing can be
    /// tokenized, and the policy's failure mode decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masking_key: Option<Secret>,
    /// The key of the fingerprints of bodies in records (HMAC-SHA-256). Without it, records hold none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_key: Option<Secret>,
    /// Prices of models, which override those that are shipped: a list as `mesh_limits::PriceList` reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices: Option<serde_json::Value>,
    /// Where the clusters of Envoy lead, for telling tool servers apart: a cluster's name, and host and path prefix behind it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub servers: BTreeMap<String, String>,
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
            foreign_limits: false,
            xds_cluster: None,
            intake: None,
            judge: None,
            masking_key: None,
            record_key: None,
            prices: None,
            servers: BTreeMap::new(),
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

/// An HTTP service the filter calls through an Envoy cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpServiceRef {
    /// Name of the cluster.
    pub cluster: String,
    /// Host and port, as the `host` header has them.
    pub authority: String,
    /// What stands before each path: empty, or `/…` without a slash at the end.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path_prefix: String,
}
