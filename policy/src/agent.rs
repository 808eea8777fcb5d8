//! The agent's document: who it is, who answers for it, and which policies are attached to it.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::document::{ApiVersion, Enforcement};

/// One agent, schema `ai-mesh.dev/v1alpha1` (blueprint, section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Agent {
    /// Version of the schema the document is written in.
    pub api_version: ApiVersion,
    /// Always `Agent`.
    pub kind: AgentKind,
    /// Id and labels of the agent.
    pub metadata: AgentMetadata,
    /// What is known of the agent.
    pub spec: AgentSpec,
}

impl Agent {
    /// An agent of the current schema version.
    pub fn new(id: impl Into<String>, spec: AgentSpec) -> Self {
        Agent {
            api_version: ApiVersion::V1Alpha1,
            kind: AgentKind::Agent,
            metadata: AgentMetadata { name: id.into(), labels: BTreeMap::new() },
            spec,
        }
    }
}

/// The document's kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum AgentKind {
    /// An agent.
    #[default]
    Agent,
}

/// Id and labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentMetadata {
    /// The agent's id, as its requests carry it: a name, or a SPIFFE URI; at most 256 characters without blanks.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 256)))]
    pub name: String,
    /// Labels, which policies may target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What is known of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AgentSpec {
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What kind of program it is.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<AgentType>,
    /// Whose models it uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Vendor>,
    /// The model it uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Teams or people who answer for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// How much compliance is asked of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compliance_tier: Option<ComplianceTier>,
    /// Whether it may work. Without it a registered agent keeps the status and the reason that it has, and a new one is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AgentStatus>,
    /// Why it has this status; the agent gets it with every refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Policies that apply to it whatever their target says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Attachment>,
}

impl AgentSpec {
    /// Whether requests of the agent are refused.
    pub fn refuses(&self) -> bool {
        self.status.is_some_and(AgentStatus::refuses)
    }

    /// Fills a missing status, and its reason, from the registered document of the same agent: a status only changes where a
    /// document names one. A new agent is active.
    pub fn keep_status_of(&mut self, registered: Option<&AgentSpec>) {
        if self.status.is_some() {
            return;
        }
        self.status = Some(registered.and_then(|known| known.status).unwrap_or_default());
        if let Some(known) = registered {
            self.reason.clone_from(&known.reason);
        }
    }
}

/// A policy attached to an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attachment {
    /// The policy's name.
    pub policy: String,
    /// The version that applies; the one in force when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub version: Option<u64>,
    /// What a violation by this agent does; as the policy says when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforcement: Option<Enforcement>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// The word in documents.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }
        }
    };
}

words! {
    /// What kind of program an agent is.
    AgentType {
        /// It talks with people.
        Chatbot = "chatbot",
        /// It helps somebody at work.
        Copilot = "copilot",
        /// It works through data.
        Pipeline = "pipeline",
        /// It serves other programs.
        Service = "service",
    }
}

words! {
    /// Whose models an agent uses.
    Vendor {
        /// OpenAI.
        Openai = "openai",
        /// Anthropic.
        Anthropic = "anthropic",
        /// Azure.
        Azure = "azure",
        /// Amazon Web Services.
        Aws = "aws",
        /// Google.
        Google = "google",
        /// Anybody else's, or its own.
        Custom = "custom",
    }
}

words! {
    /// How much compliance is asked of an agent.
    ComplianceTier {
        /// Nothing.
        None = "none",
        /// What everybody does.
        Standard = "standard",
        /// More.
        High = "high",
        /// All there is.
        Critical = "critical",
    }
}

words! {
    /// Whether an agent may work.
    AgentStatus {
        /// It may.
        Active = "active",
        /// It may, but should be replaced; each decision carries a warning.
        Deprecated = "deprecated",
        /// It may not: every request is refused.
        Suspended = "suspended",
        /// It may not, because something is wrong with it: every request is refused.
        Quarantined = "quarantined",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro that writes the words knows no default")]
impl Default for AgentStatus {
    fn default() -> Self {
        AgentStatus::Active
    }
}

impl AgentStatus {
    /// Whether requests of such an agent are refused.
    pub fn refuses(self) -> bool {
        matches!(self, AgentStatus::Suspended | AgentStatus::Quarantined)
    }
}
