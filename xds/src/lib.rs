//! The xDS side of the mesh: an aggregated discovery server (state of the world and incremental), and the
//! configuration of a sidecar as it serves it.
//!
//! Layers, each of which knows only those before it: [`sidecar`] builds resources; a [`Snapshot`] is one whole
//! configuration, proven consistent before it is served; a cache holds what is in force for each group of nodes; a
//! subscription is what a client wants; [`Sotw`] and [`Delta`] are the two variants of the protocol as state machines
//! without IO; the server moves messages between them and the network. [`Ads`] is the handle for all of it.
//!
//! Failure law: an inconsistent snapshot is never served. A client that refuses a resource keeps what it had; the
//! refusal is visible in [`Ads::clients`] and [`Ads::events`], and the same bad content is not sent again on its own.

mod ads;
mod bootstrap;
mod cache;
mod consistency;
mod delta;
mod kind;
mod ledger;
mod machine;
mod references;
mod registry;
mod server;
mod session;
pub mod sidecar;
mod snapshot;
mod sotw;
mod status;
mod subscription;

pub use ads::Ads;
pub use bootstrap::{BootstrapParams, bootstrap};
pub use consistency::Inconsistent;
pub use delta::Delta;
pub use kind::Kind;
pub use machine::{Machine, Misuse, Step};
pub use server::AdsService;
pub use sidecar::{SidecarSpec, SpecError, Upstream, UrlError, snapshot};
pub use snapshot::{Resources, Snapshot};
pub use sotw::Sotw;
pub use status::{ClientStatus, Event, Nack, Protocol, TypeStatus, Verdict};
