//! What the server needs from a variant of the protocol: a state machine without IO or clock.
use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use envoy_types::pb::envoy::config::core::v3::{ControlPlane, Node};

use crate::{Kind, Protocol, Snapshot, TypeStatus, Verdict, session::Session};

/// What came of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Step<R> {
    /// Responses to send, in this order.
    pub responses: Vec<R>,
    /// The ACKs and NACKs that were found.
    pub verdicts: Vec<Verdict>,
}

/// A request that ends the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// One type would have more names than a stream may subscribe to.
    #[error("more than {} names of one type", Misuse::MAX_NAMES)]
    TooManyNames,
}

impl Misuse {
    /// Most names a stream may subscribe to, of each type.
    pub const MAX_NAMES: usize = 10_000;
}

/// One stream's side of the protocol.
pub trait Machine: Default + Send + 'static {
    /// The client's message.
    type Request: Send + 'static;
    /// The server's message.
    type Response: Send + 'static;
    /// Which variant it is.
    const PROTOCOL: Protocol;

    /// The node of a request, which the first one must have.
    fn node(request: &Self::Request) -> Option<&Node>;

    /// Takes a request. Requests of a type that is not served get no answer.
    ///
    /// # Errors
    /// The request goes beyond what one stream may ask for.
    fn request(&mut self, request: &Self::Request, now: SystemTime) -> Result<Step<Self::Response>, Misuse>;

    /// Takes a snapshot that is now in force.
    fn snapshot(&mut self, snapshot: Arc<Snapshot>) -> Step<Self::Response>;

    /// The client's status for each type.
    fn status(&self) -> BTreeMap<Kind, TypeStatus>;
}

/// Turns everything that is due into the variant's messages.
pub(crate) fn step<R>(
    session: &mut Session,
    verdict: Option<Verdict>,
    message: impl Fn(crate::session::Outgoing) -> R,
) -> Step<R> {
    let due = session.due();
    let verdicts = verdict.into_iter().chain(due.verdicts).collect();
    Step { responses: due.outgoing.into_iter().map(message).collect(), verdicts }
}

/// How the server names itself in responses.
pub(crate) fn identity() -> ControlPlane {
    ControlPlane { identifier: "ai-mesh".to_owned() }
}
