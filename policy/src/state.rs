//! What the control plane keeps in the log besides documents: drafts, rollouts and the freeze.
use serde::{Deserialize, Serialize};

use crate::{Policy, Stage};

/// An entry of the log that is not a document of an author's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum State {
    /// A policy that is not in force.
    Draft(Draft),
    /// The rollout of a policy's next version.
    Rollout(Box<Rollout>),
    /// Changes are frozen.
    Freeze(Freeze),
    /// The documents in a control plane's files at its last start.
    Files(FileDigests),
}

/// The documents in a control plane's files at its last start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigests {
    /// A digest of each document, by the document's key in the log.
    pub documents: std::collections::BTreeMap<String, String>,
}

/// A policy that is not in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Draft {
    /// The document.
    pub policy: Policy,
}

/// Why changes are frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Freeze {
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// When a rollout is rolled back automatically.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Bounds {
    /// By how much the share of requests that the next version refuses may exceed that of the present one, from 0 to 1.
    pub refusals: f64,
    /// By how much the share of requests on which a guard of the next version fails may exceed that of the present one, from 0 to 1.
    pub errors: f64,
    /// Decisions of the next version before the bounds apply.
    pub sample: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { refusals: 0.05, errors: 0.01, sample: 100 }
    }
}

/// The rollout of a policy's next version, under way or ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollout {
    /// The next version's document.
    pub next: Policy,
    /// The next version's number.
    pub version: u64,
    /// The number of the version in force while the rollout is under way.
    pub present: u64,
    /// How far it has come.
    pub stage: Stage,
    /// The shares to come, in percent.
    pub steps: Vec<u8>,
    /// When it is rolled back automatically.
    pub bounds: Bounds,
    /// While it is paused, it is not compared with its bounds and goes no further.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// How it ended; `None` while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// The reason for its state, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Decisions kept before this cursor do not count for the stage.
    pub cursor: u64,
}

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// The next version is in force everywhere.
    Done,
    /// Somebody stopped it.
    Aborted,
    /// It exceeded its bounds.
    RolledBack,
}
