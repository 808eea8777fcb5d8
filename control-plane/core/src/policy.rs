//! One version of one document, policy, agent or price: written once, never changed.
//!
//! All kinds stand in one log, so that one revision tells of all that sidecars are told. A policy goes by its name there, an
//! agent by `agent/` and its id, a price by `price/` and the model; no policy's name contains `/`.
use jiff::Timestamp;
use mesh_policy::{Agent, Document, Policy, PriceDocument};
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
}

impl Change {
    /// The word the API and the stores use.
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Created => "created",
            Change::Updated => "updated",
            Change::Deleted => "deleted",
            Change::RolledBack => "rolled_back",
        }
    }

    /// Reads the word again.
    pub fn from_word(word: &str) -> Option<Self> {
        [Change::Created, Change::Updated, Change::Deleted, Change::RolledBack]
            .into_iter()
            .find(|change| change.as_str() == word)
    }
}

/// A version as the services hand it to a store.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyVersion {
    /// The policy's name, or the agent's [`agent_key`].
    pub name: String,
    /// Counted from 1 for each name, without holes, and never restarted: a policy that is deleted and created again goes
    /// on counting, so that a decision's `(id, version)` always means one document.
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

    /// The document, where it is a price.
    pub fn price(&self) -> Option<&PriceDocument> {
        match &self.document {
            Some(Document::Price(price)) => Some(price),
            _ => None,
        }
    }

    /// Whether it is a version of a policy (or its deletion).
    pub fn is_policy(&self) -> bool {
        !self.name.contains('/')
    }

    /// Whether it is a version of an agent's document (or its deletion).
    pub fn is_agent(&self) -> bool {
        self.name.starts_with(AGENT_PREFIX)
    }
}

const AGENT_PREFIX: &str = "agent/";

/// What the versions of a model's price go by.
pub(crate) fn price_key(model: &str) -> String {
    format!("price/{model}")
}

/// What an agent's versions go by.
pub fn agent_key(id: &str) -> String {
    format!("{AGENT_PREFIX}{id}")
}

/// A version as a store hands it back.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Position among all changes to all policies; grows with every change. The newest one is the bundle's version.
    pub revision: u64,
    /// The version.
    pub version: PolicyVersion,
}

/// What the caller believes about a policy before changing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing: the change wins over whatever is there.
    Any,
    /// That no policy of this name is in force.
    Absent,
    /// That some version is in force.
    Present,
    /// That this very version is in force.
    Version(u64),
}

impl Expected {
    /// Whether the belief agrees with the version in force.
    pub fn holds(self, in_force: Option<u64>) -> bool {
        match self {
            Expected::Any => true,
            Expected::Absent => in_force.is_none(),
            Expected::Present => in_force.is_some(),
            Expected::Version(version) => in_force == Some(version),
        }
    }
}
