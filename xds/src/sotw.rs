//! The state-of-the-world variant: each request holds the whole subscription, and an ACK or NACK of what came before.
use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use envoy_types::pb::envoy::{
    config::core::v3::Node,
    service::discovery::v3::{DiscoveryRequest, DiscoveryResponse},
};

use crate::{
    Kind, Machine, Misuse, Protocol, Snapshot, Step, TypeStatus,
    machine::{identity, step},
    session::{Outgoing, Session},
};

/// State of one state-of-the-world stream.
#[derive(Debug)]
pub struct Sotw {
    session: Session,
    /// Versions that clients came with, until they can be compared.
    claims: BTreeMap<Kind, String>,
}

impl Default for Sotw {
    fn default() -> Self {
        Sotw { session: Session::new(Protocol::Sotw), claims: BTreeMap::new() }
    }
}

impl Machine for Sotw {
    type Request = DiscoveryRequest;
    type Response = DiscoveryResponse;
    const PROTOCOL: Protocol = Protocol::Sotw;

    fn node(request: &DiscoveryRequest) -> Option<&Node> {
        request.node.as_ref()
    }

    fn request(
        &mut self,
        request: &DiscoveryRequest,
        now: SystemTime,
    ) -> Result<Step<DiscoveryResponse>, Misuse> {
        let nothing = Step { responses: Vec::new(), verdicts: Vec::new() };
        let Some(kind) = Kind::from_type_url(&request.type_url) else { return Ok(nothing) };
        if request.resource_names.len() > Misuse::MAX_NAMES {
            return Err(Misuse::TooManyNames);
        }
        let error = request.error_detail.as_ref().map(|e| e.message.as_str());
        let verdict = self.session.settle(kind, &request.response_nonce, error, now);
        let (ledger, first) = self.session.ledger(kind);
        // A nonce is stale once a newer one was sent. The client will see that one and answer with its whole list
        // again, so this list is no longer what it wants. An empty nonce answers nothing: it was sent before any
        // response arrived.
        let nonce = request.response_nonce.as_str();
        let stale = !nonce.is_empty() && ledger.last_nonce().is_some_and(|last| last != nonce);
        if !stale {
            let change = ledger.subscription.replace(&request.resource_names);
            ledger.forget_unwanted();
            ledger.owe_change(&change);
            if first && kind.is_full_state() && !request.version_info.is_empty() {
                self.claims.insert(kind, request.version_info.clone());
            }
        }
        self.compare_claims();
        Ok(step(&mut self.session, verdict, message))
    }

    fn snapshot(&mut self, snapshot: Arc<Snapshot>) -> Step<DiscoveryResponse> {
        self.session.set_snapshot(snapshot);
        self.compare_claims();
        step(&mut self.session, None, message)
    }

    fn status(&self) -> BTreeMap<Kind, TypeStatus> {
        self.session.status()
    }
}

impl Sotw {
    /// A client that reconnects with the current version of listeners or clusters has them all, if the wildcard is all
    /// it subscribes to: nothing has to be sent again.
    fn compare_claims(&mut self) {
        let Some(snapshot) = self.session.snapshot() else { return };
        for (kind, version) in std::mem::take(&mut self.claims) {
            let ledger = self.session.ledger(kind).0;
            let all = ledger.subscription.is_wildcard() && ledger.subscription.names().is_empty();
            if all && ledger.knows_nothing() && snapshot.type_version(kind) == version {
                ledger.claim_all(snapshot.of(kind));
            }
        }
    }
}

fn message(outgoing: Outgoing) -> DiscoveryResponse {
    DiscoveryResponse {
        version_info: outgoing.version,
        resources: outgoing.resources.iter().map(|r| r.body.clone()).collect(),
        type_url: outgoing.kind.type_url().to_owned(),
        nonce: outgoing.nonce,
        control_plane: Some(identity()),
        ..DiscoveryResponse::default()
    }
}
