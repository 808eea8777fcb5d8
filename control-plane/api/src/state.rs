//! What the handlers work with.
use std::sync::Arc;

use mesh_control_core::ports::SidecarView;
use mesh_control_core::{Decisions, Limits, Policies, RolloutWatch, Tools};
use tokio::sync::watch;

use crate::auth::Token;
use crate::metrics::Metrics;

/// What the API is made of.
pub struct Parts {
    /// The policies service.
    pub policies: Policies,
    /// The decisions service.
    pub decisions: Decisions,
    /// What rollouts do.
    pub rollouts: Arc<RolloutWatch>,
    /// The limits service.
    pub limits: Limits,
    /// The tools service.
    pub tools: Tools,
    /// The connected sidecars.
    pub sidecars: Arc<dyn SidecarView>,
    /// Where things are counted.
    pub metrics: Arc<Metrics>,
    /// The administrator's token.
    pub admin: Token,
    /// Whether `/metrics` may be read without the token (it may on loopback).
    pub open_metrics: bool,
    /// Becomes true when the process is about to stop: followers are let go.
    pub stopping: watch::Receiver<bool>,
}

/// The API's state, cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

impl Api {
    /// The state made of `parts`.
    pub fn new(parts: Parts) -> Self {
        Api(Arc::new(parts))
    }
}

impl std::ops::Deref for Api {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
