//! The status of each client, and the events of its life.
use std::{collections::BTreeMap, net::SocketAddr, time::SystemTime};

use crate::Kind;

/// A client: one stream of one node.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientStatus {
    /// The node's id.
    pub node_id: String,
    /// Tells the clients of one node apart: empty for its Envoy, a name of its own for each filter that subscribes to
    /// [`Kind::Bundle`] (one in each thread).
    pub instance: String,
    /// The number of filters that the node states it has.
    pub filters: Option<u32>,
    /// The node's cluster.
    pub cluster: String,
    /// What the client calls itself, such as `envoy 1.40.0`; empty if it did not say.
    pub user_agent: String,
    /// Where it connects from.
    pub address: Option<SocketAddr>,
    /// When its stream began.
    pub connected_since: SystemTime,
    /// Which variant of the protocol it speaks.
    pub protocol: Protocol,
    /// The types it subscribed to.
    pub types: BTreeMap<Kind, TypeStatus>,
}

/// A variant of the xDS protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// State of the world.
    Sotw,
    /// Incremental.
    Delta,
}

/// A client's status for one resource type. Versions are labels of snapshots: see [`crate::Snapshot::new`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TypeStatus {
    /// The newest snapshot whose resources the client was sent, or has anyway because nothing changed.
    pub sent_version: Option<String>,
    /// The newest snapshot whose resources the client has accepted, all of them.
    pub acked_version: Option<String>,
    /// The newest refusal, until something newer is accepted.
    pub nacked: Option<Nack>,
    /// Nonce of the newest response.
    pub last_nonce: Option<String>,
}

/// A refused response.
#[derive(Clone, Debug, PartialEq)]
pub struct Nack {
    /// The snapshot it was of.
    pub version: String,
    /// What the client said, at most [`Nack::MAX_MESSAGE`] bytes.
    pub message: String,
    /// When.
    pub at: SystemTime,
}

impl Nack {
    /// Longest message kept, in bytes.
    pub const MAX_MESSAGE: usize = 4096;

    pub(crate) fn shorten(message: &str) -> String {
        let end = message.floor_char_boundary(Self::MAX_MESSAGE);
        message.get(..end).unwrap_or_default().to_owned()
    }
}

/// A client's answer to a response, as the state machines report it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It accepted the resources of a type as the snapshot with this label has them.
    Acked {
        /// The type.
        kind: Kind,
        /// The snapshot's label.
        version: String,
    },
    /// It refused them.
    Nacked {
        /// The type.
        kind: Kind,
        /// The snapshot's label.
        version: String,
        /// What the client said.
        message: String,
    },
}

/// Something that happened to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A stream began.
    Connected {
        /// The node's id.
        node: String,
        /// Which client of the node: see [`ClientStatus::instance`].
        instance: String,
        /// Where it connects from.
        address: Option<SocketAddr>,
    },
    /// A stream ended.
    Disconnected {
        /// The node's id.
        node: String,
        /// Which client of the node.
        instance: String,
    },
    /// A client accepted a configuration, or was found to have it.
    Acked {
        /// The node's id.
        node: String,
        /// When its stream began.
        since: SystemTime,
        /// The type.
        kind: Kind,
        /// The snapshot's label.
        version: String,
    },
    /// A client refused a configuration.
    Nacked {
        /// The node's id.
        node: String,
        /// The type.
        kind: Kind,
        /// The snapshot's label.
        version: String,
        /// What the client said.
        message: String,
    },
}
