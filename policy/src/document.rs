//! The document itself: who it is for and how it is enforced.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Rule;

/// One policy, schema `ai-mesh.dev/v1alpha1`: the same in YAML files, REST JSON and the Kubernetes resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Policy {
    /// Version of the schema the document is written in.
    pub api_version: ApiVersion,
    /// Always `Policy`.
    pub kind: Kind,
    /// Name and labels of the policy.
    pub metadata: Metadata,
    /// What the policy says.
    pub spec: Spec,
}

impl Policy {
    /// A policy of the current schema version.
    pub fn new(name: impl Into<String>, spec: Spec) -> Self {
        Policy {
            api_version: ApiVersion::V1Alpha1,
            kind: Kind::Policy,
            metadata: Metadata { name: name.into(), labels: BTreeMap::new() },
            spec,
        }
    }
}

/// Schema versions this build reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ApiVersion {
    /// The first version; fields may still be added.
    #[default]
    #[serde(rename = "ai-mesh.dev/v1alpha1")]
    V1Alpha1,
}

/// Document kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Kind {
    /// A policy.
    #[default]
    Policy,
}

/// Name and labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Metadata {
    /// The policy's name, unique in the mesh: lower-case letters, digits and `-`, at most 63 characters, beginning
    /// and ending with a letter or digit (a DNS label, RFC 1123 section 2.1).
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")))]
    pub name: String,
    /// Free labels, for finding policies again. They have no effect on enforcement.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What a policy says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Spec {
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whom the policy applies to; empty means every agent.
    #[serde(default, skip_serializing_if = "Target::is_everyone")]
    pub target: Target,
    /// What a violation does.
    #[serde(default)]
    pub enforcement: Enforcement,
    /// What happens when a guard of this policy cannot run.
    #[serde(default)]
    pub failure_mode: FailureMode,
    /// What happens to media parts (images, audio, files), which are not inspected.
    #[serde(default)]
    pub media: Media,
    /// What happens to a request whose decision record finds the sidecar's buffer full.
    #[serde(default)]
    pub record_overflow: RecordOverflow,
    /// The rules. All of them apply; the strictest outcome wins.
    pub rules: Vec<Rule>,
}

/// Whom a policy applies to. Every list that is given has to match; a list matches when one of its entries does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Target {
    /// Agent ids; `*` stands for any run of characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
    /// Agent types, as registered: `chatbot`, `copilot`, `pipeline`, `service`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::AgentType>"))]
    pub types: Vec<String>,
    /// Compliance tiers, as registered: `none`, `standard`, `high`, `critical`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::ComplianceTier>"))]
    pub compliance_tiers: Vec<String>,
    /// Labels the agent must carry, each with this very value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Target {
    /// True when nothing narrows the target: the policy applies to every agent.
    pub fn is_everyone(&self) -> bool {
        self.agents.is_empty()
            && self.types.is_empty()
            && self.compliance_tiers.is_empty()
            && self.labels.is_empty()
    }
}

/// What a violation does to the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Enforcement {
    /// The request is modified, throttled or refused as the rule says. Alias: `enforce`.
    #[default]
    #[serde(alias = "enforce")]
    Blocking,
    /// The request passes unchanged and the violation is recorded. Alias: `monitor`.
    #[serde(alias = "monitor")]
    Logging,
    /// The request passes unchanged and the violation is recorded as a warning. Alias: `audit`.
    #[serde(alias = "audit")]
    Advisory,
}

/// What happens when a guard cannot run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum FailureMode {
    /// The request is refused.
    #[default]
    Closed,
    /// The request passes; the response and the record say that the guard did not run.
    Open,
}

/// What happens to parts that are not text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Media {
    /// They pass uninspected, and the guards header says so.
    #[default]
    Pass,
    /// A request or response that carries one is refused.
    Refuse,
}

/// What happens when a decision cannot be recorded because the sidecar's buffer is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum RecordOverflow {
    /// The request is refused: no traffic without a record.
    #[default]
    Refuse,
    /// The record is dropped and counted; the gap is reported.
    Drop,
}
