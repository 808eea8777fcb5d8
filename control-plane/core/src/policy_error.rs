//! Why a policy could not be read or changed.
use mesh_policy::Diagnostic;

use crate::ports::{PublishError, StoreError};

/// Why a policy could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// No such policy in force.
    #[error("there is no policy {name:?}")]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// No such agent.
    #[error("there is no agent {id:?} in the registry")]
    UnknownAgent {
        /// The id asked for.
        id: String,
    },
    /// Nothing is to be changed now.
    #[error(
        "changes are frozen by {by}: {reason}; only what makes things safer goes through: a roll-back to the last known \
         good version, the end or a pause of a rollout, the suspension of an agent, a tool's rejection (`ai-mesh policy unfreeze` ends this)"
    )]
    Frozen {
        /// Who asked for it.
        by: String,
        /// Why.
        reason: String,
    },
    /// The policy's next version is on its way.
    #[error("version {version} of policy {name:?} is being rolled out; promote or abort it first")]
    RolloutActive {
        /// The policy.
        name: String,
        /// The version on its way.
        version: u64,
    },
    /// Nothing of the policy is on its way, or ever was.
    #[error("no rollout of policy {name:?} is under way")]
    NoRollout {
        /// The policy.
        name: String,
    },
    /// No such draft.
    #[error("there is no draft of policy {name:?}")]
    NoDraft {
        /// The policy.
        name: String,
    },
    /// It does not go as things stand.
    #[error("{0}")]
    NotNow(String),
    /// No such price.
    #[error(
        "no price is set for {model:?}; `ai-mesh prices list` shows those of the file and the shipped list too"
    )]
    UnknownPrice {
        /// The model asked for.
        model: String,
    },
    /// No such version.
    #[error("policy {name:?} has no version {version}")]
    NoVersion {
        /// The policy.
        name: String,
        /// The version asked for.
        version: u64,
    },
    /// The version was tried by a rollout, and never in force everywhere.
    #[error(
        "version {version} of policy {name:?} was only tried by a rollout: to put it in force, apply what `ai-mesh policy get {name} \
         --version {version}` shows, or roll it out again"
    )]
    OnlyTried {
        /// The policy.
        name: String,
        /// The version asked for.
        version: u64,
    },
    /// The version is a deletion and holds no document.
    #[error("version {version} of policy {name:?} is its deletion: there is no document to go back to")]
    NoDocument {
        /// The policy.
        name: String,
        /// The version asked for.
        version: u64,
    },
    /// The policy was to be created, and is there.
    #[error("policy {name:?} exists already, in version {version}; update it instead")]
    Exists {
        /// The policy.
        name: String,
        /// The version in force.
        version: u64,
    },
    /// The caller's belief about the version in force was wrong.
    #[error("policy {name:?} is not in the expected version: {}", say_in_force(.in_force))]
    Changed {
        /// The policy.
        name: String,
        /// The version in force, if any.
        in_force: Option<u64>,
    },
    /// The set of policies would not compile.
    #[error("the policy does not compile")]
    Refused(Vec<Diagnostic>),
    /// The store failed; nothing has changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The change is written, but did not reach the sidecars. The next change or refresh publishes it.
    #[error("the change is kept, but is not in force yet")]
    Publish(#[from] PublishError),
    /// The compiler ended without an answer (a bug in it); nothing has changed.
    #[error("the policy compiler ended without an answer; nothing has changed")]
    Compiler,
}

fn say_in_force(version: &Option<u64>) -> String {
    version.map_or_else(|| "none is in force".to_owned(), |version| format!("version {version} is in force"))
}
