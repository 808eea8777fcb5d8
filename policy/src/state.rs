//! What the control plane keeps beside the documents, in the same log: drafts, rollouts, and whether all is frozen.
use serde::{Deserialize, Serialize};

use crate::{Policy, Stage};

/// One thing that is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum State {
    /// A policy that is written, and not in force.
    Draft(Draft),
    /// A policy's next version on its way.
    Rollout(Box<Rollout>),
    /// Nothing is to be changed.
    Freeze(Freeze),
    /// What the files of a control plane gave at its last start.
    Files(FileDigests),
}

/// What the files of a control plane gave at its last start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigests {
    /// A digest of each document, by the document's key in the log.
    pub documents: std::collections::BTreeMap<String, String>,
}

/// A policy that is written, and not in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Draft {
    /// The document.
    pub policy: Policy,
}

/// Why nothing is to be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Freeze {
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// When a rollout is taken back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Bounds {
    /// Most requests that the next version may refuse beyond those that the present one refuses, in parts of one.
    pub refusals: f64,
    /// Most requests on which a guard of the next version may fail beyond those of the present one, in parts of one.
    pub errors: f64,
    /// Fewer decisions than this of the next version say nothing.
    pub sample: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { refusals: 0.05, errors: 0.01, sample: 100 }
    }
}

/// A policy's next version on its way, or how that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollout {
    /// The next version's document.
    pub next: Policy,
    /// Its number, and that of the version in force.
    pub version: u64,
    /// The version in force while it is on its way.
    pub present: u64,
    /// How far it has come.
    pub stage: Stage,
    /// The shares to come.
    pub steps: Vec<u8>,
    /// When it is taken back by itself.
    pub bounds: Bounds,
    /// Nothing is judged while it is paused, and it goes no further.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// How it ended; none while it is on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// Why it stands as it does, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Decisions kept before this cursor say nothing of the stage.
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
    /// It went over its bounds.
    RolledBack,
}
