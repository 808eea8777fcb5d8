//! The incremental variant: requests and responses hold what changes.
use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use envoy_types::pb::envoy::{
    config::core::v3::Node,
    service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource as DeltaResource},
};

use crate::{
    Kind, Machine, Misuse, Protocol, Snapshot, Step, TypeStatus,
    ledger::Ledger,
    machine::{identity, step},
    session::{Outgoing, Session},
};

/// State of one incremental stream.
#[derive(Debug)]
pub struct Delta {
    session: Session,
}

impl Default for Delta {
    fn default() -> Self {
        Delta { session: Session::new(Protocol::Delta) }
    }
}

impl Machine for Delta {
    type Request = DeltaDiscoveryRequest;
    type Response = DeltaDiscoveryResponse;
    const PROTOCOL: Protocol = Protocol::Delta;

    fn node(request: &DeltaDiscoveryRequest) -> Option<&Node> {
        request.node.as_ref()
    }

    fn request(
        &mut self,
        request: &DeltaDiscoveryRequest,
        now: SystemTime,
    ) -> Result<Step<DeltaDiscoveryResponse>, Misuse> {
        let nothing = Step { responses: Vec::new(), verdicts: Vec::new() };
        let Some(kind) = Kind::from_type_url(&request.type_url) else { return Ok(nothing) };
        let error = request.error_detail.as_ref().map(|e| e.message.as_str());
        let verdict = self.session.settle(kind, &request.response_nonce, error, now);
        let (ledger, first) = self.session.ledger(kind);
        let most = Misuse::MAX_NAMES;
        let (on, claimed) = (request.resource_names_subscribe.len(), request.initial_resource_versions.len());
        if on > most || claimed > most {
            return Err(Misuse::TooManyNames);
        }
        // A stale nonce does not make a subscription stale: the lists only say what changes.
        subscribe(ledger, request, first);
        // Names may come again, and others go.
        if ledger.subscription.names().len() > most {
            return Err(Misuse::TooManyNames);
        }
        Ok(step(&mut self.session, verdict, message))
    }

    fn snapshot(&mut self, snapshot: Arc<Snapshot>) -> Step<DeltaDiscoveryResponse> {
        self.session.set_snapshot(snapshot);
        step(&mut self.session, None, message)
    }

    fn status(&self) -> BTreeMap<Kind, TypeStatus> {
        self.session.status()
    }
}

fn subscribe(ledger: &mut Ledger, request: &DeltaDiscoveryRequest, first: bool) {
    let (on, off) = (&request.resource_names_subscribe, &request.resource_names_unsubscribe);
    let change = ledger.subscription.update(on, off, first);
    if first {
        // The state of an earlier stream. What it does not cover, or no longer covers, the comparison finds.
        for (name, version) in &request.initial_resource_versions {
            ledger.claim(name, version);
        }
        ledger.forget_unwanted();
        let unknown =
            change.subscribed.iter().filter(|name| !request.initial_resource_versions.contains_key(*name));
        unknown.for_each(|name| ledger.owe(name));
        // Without resources, a client that starts still waits for an answer to the wildcard.
        ledger.set_answer_owed(change.wildcard && request.initial_resource_versions.is_empty());
        return;
    }
    ledger.owe_change(&change);
    if change.wildcard {
        ledger.owe_all();
    }
    if ledger.subscription.is_wildcard() {
        // It can't know whether the wildcard still covers the name: it must be told ("Unsubscribing from Resources").
        change.unsubscribed.iter().for_each(|name| ledger.owe(name));
    }
    ledger.forget_unwanted();
}

fn message(outgoing: Outgoing) -> DeltaDiscoveryResponse {
    let resources = outgoing.resources.iter().map(|resource| DeltaResource {
        name: resource.name.clone(),
        version: resource.version.clone(),
        resource: Some(resource.body.clone()),
        ..DeltaResource::default()
    });
    DeltaDiscoveryResponse {
        system_version_info: outgoing.label,
        resources: resources.collect(),
        type_url: outgoing.kind.type_url().to_owned(),
        removed_resources: outgoing.removed,
        nonce: outgoing.nonce,
        control_plane: Some(identity()),
        ..DeltaDiscoveryResponse::default()
    }
}
