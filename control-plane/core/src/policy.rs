//! One version of one document (policy, agent, price, or the decisions on a tool): written once, never changed.
//!
//! All kinds are kept in one log, so that one revision covers everything that sidecars get. The key of a policy is its name,
//! that of an agent `agent/ID`, of a price `price/MODEL`, and of the decisions on a tool `tool/SERVER#NAME`; drafts, rollouts and
//! the freeze have prefixes too. No policy's name contains `/`.
use jiff::Timestamp;
use mesh_policy::{Agent, Document, Policy, PriceDocument, State, ToolApproval};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What made a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The name was new (or had been deleted).
    Created,
    /// The document was replaced.
    Updated,
    /// The policy is no longer in force; a later version may bring it back.
    Deleted,
    /// The document of an earlier version was put in force again.
    RolledBack,
    /// A rollout tried it, or is trying it: it has not been in force everywhere. Such a version is never stored as the policy's own.
    Tried,
}

impl Change {
    /// The word the API and the stores use.
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Created => "created",
            Change::Updated => "updated",
            Change::Deleted => "deleted",
            Change::RolledBack => "rolled_back",
            Change::Tried => "tried",
        }
    }

    /// The change of that name.
    pub fn from_word(word: &str) -> Option<Self> {
        [Change::Created, Change::Updated, Change::Deleted, Change::RolledBack]
            .into_iter()
            .find(|change| change.as_str() == word)
    }
}

/// A version as the services hand it to a store.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyVersion {
    /// The policy's name, or [`agent_key`], or the key of a tool.
    pub name: String,
    /// Counted from 1 for each name, and never restarted: a policy that is deleted and created again goes on counting, so that the
    /// `(id, version)` in a decision always means the same document.
    pub version: u64,
    /// What made it.
    pub change: Change,
    /// When.
    pub at: Timestamp,
    /// The document; none when the change was a deletion.
    pub document: Option<Document>,
}

impl PolicyVersion {
    /// The document, where it is a policy.
    pub fn policy(&self) -> Option<&Policy> {
        match &self.document {
            Some(Document::Policy(policy)) => Some(policy),
            _ => None,
        }
    }

    /// The document, where it is an agent's.
    pub fn agent(&self) -> Option<&Agent> {
        match &self.document {
            Some(Document::Agent(agent)) => Some(agent),
            _ => None,
        }
    }

    /// The document, where it is the decisions on a tool.
    pub fn tool(&self) -> Option<&ToolApproval> {
        match &self.document {
            Some(Document::Tool(tool)) => Some(tool),
            _ => None,
        }
    }

    /// The document, where it is a price.
    pub fn price(&self) -> Option<&PriceDocument> {
        match &self.document {
            Some(Document::Price(price)) => Some(price),
            _ => None,
        }
    }

    /// The entry, where it is the control plane's own state.
    pub fn state(&self) -> Option<&State> {
        match &self.document {
            Some(Document::State(state)) => Some(state),
            _ => None,
        }
    }

    /// Whether it is a version of an agent's document (or its deletion).
    pub fn is_agent(&self) -> bool {
        self.name.starts_with(AGENT_PREFIX)
    }

    /// Whether it is a version of a policy (or its deletion).
    pub fn is_policy(&self) -> bool {
        !self.name.contains('/')
    }
}

/// The key of a policy's draft.
pub(crate) fn draft_key(name: &str) -> String {
    format!("draft/{name}")
}

const ROLLOUT_PREFIX: &str = "rollout/";

/// The key of a policy's rollout.
pub(crate) fn rollout_key(name: &str) -> String {
    format!("{ROLLOUT_PREFIX}{name}")
}

/// The policy whose rollout has this key.
pub(crate) fn rollout_of(key: &str) -> Option<&str> {
    key.strip_prefix(ROLLOUT_PREFIX)
}

const AGENT_PREFIX: &str = "agent/";

/// The key of a model's price.
pub(crate) fn price_key(model: &str) -> String {
    format!("price/{model}")
}

/// The key of an agent.
pub fn agent_key(id: &str) -> String {
    format!("{AGENT_PREFIX}{id}")
}

/// The key of the decisions on a tool. A server's path contains no `#`, so no two tools share a key.
pub(crate) fn tool_key(server: &str, name: &str) -> String {
    format!("tool/{server}#{name}")
}

/// A version as a store hands it back.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Position among all changes to all policies; grows with every change. The newest one is the bundle's version.
    pub revision: u64,
    /// The version.
    pub version: PolicyVersion,
}

/// What the caller expects to be in force before a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Anything: the change replaces whatever is in force.
    Any,
    /// Nothing under this name.
    Absent,
    /// Some version.
    Present,
    /// Exactly this version.
    Version(u64),
}

impl Expected {
    /// Whether the version in force is as expected.
    pub fn holds(self, in_force: Option<u64>) -> bool {
        match self {
            Expected::Any => true,
            Expected::Absent => in_force.is_none(),
            Expected::Present => in_force.is_some(),
            Expected::Version(version) => in_force == Some(version),
        }
    }
}
