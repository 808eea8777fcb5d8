//! The control plane, wired up: configuration in, a running process' worth of servers out. It knows everyone and decides nothing.
//!
//! [`start`] binds its ports first, then opens the stores, puts the policies in force and serves; whatever fails on the way is
//! one sentence ([`StartError`]) and leaves nothing running.

mod config;
mod error;
mod forgetting;
mod publisher;
mod running;
mod serving;
mod settings;
mod sidecars;
mod signing;
mod start;
mod starter;
mod strangers;
mod tokens;

pub use config::Config;
pub use error::StartError;
pub use mesh_control_core::{DryRun, SampleRequest, dry_run};
pub use running::Running;
pub use signing::POLICY_KEYS;
pub use start::start;
pub use starter::starter;
