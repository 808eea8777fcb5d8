//! Why a control plane does not start: one sentence each, which says what to do.
use std::net::SocketAddr;
use std::path::PathBuf;

use mesh_control_core::PolicyError;
use mesh_control_store::OpenError;
use mesh_policy::Diagnostic;
use mesh_xds::SpecError;

/// Why a control plane does not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port that cannot be listened on.
    #[error("cannot listen on {address} for {what}: {}", bind_help(.source))]
    Bind {
        /// What is served there.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// An address that other machines reach, without leave.
    #[error(
        "{address} can be reached from other machines, and {what} has no TLS; use a loopback address, or allow it \
         explicitly if the network is trusted"
    )]
    Remote {
        /// What is served there.
        what: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// The data folder or a token in it.
    #[error("cannot {what} {path}; choose another data directory, or correct its rights")]
    Data {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A token that is too short to be one.
    #[error(
        "{path} holds no secret: found {found}, expected at least 16 letters, digits and signs without a space; put the old \
         file back, for a new secret is not the one that sidecars, clients and placeholders have"
    )]
    Token {
        /// The file.
        path: PathBuf,
        /// What is in it, without telling it.
        found: &'static str,
    },
    /// Keys that are none. A new key in their place would be one that no sidecar trusts.
    #[error("{path}: {found}, expected a secret key of 64 hex digits in each line; {help}")]
    SigningKeys {
        /// The file.
        path: PathBuf,
        /// In which line something else was found, and what, without telling it.
        found: String,
        /// What to do.
        help: &'static str,
    },
    /// A store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The sidecars' configuration cannot be made.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A file that cannot be read, or is not a list of prices.
    #[error("the prices in {path} cannot be used: {why}")]
    Prices {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A policy of the configuration.
    #[error("policy {name:?} cannot be put in force:{}", lines(.diagnostics))]
    Policy {
        /// Its name.
        name: String,
        /// What is wrong.
        diagnostics: Vec<Diagnostic>,
    },
    /// The policies in the store no longer compile: they were written by another build.
    #[error("the policies in the store cannot be put in force:{}", lines(.0))]
    StoredPolicies(Vec<Diagnostic>),
    /// Anything else about policies.
    #[error("the policies cannot be put in force")]
    Policies(#[source] PolicyError),
}

fn bind_help(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "the port is in use; stop what uses it, or choose another port",
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need privileges; choose another port",
        std::io::ErrorKind::AddrNotAvailable => "this machine has no such address",
        _ => "choose another address or port",
    }
}

fn lines(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|said| format!("\n  {said}")).collect()
}
