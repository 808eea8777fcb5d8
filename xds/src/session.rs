//! What both variants of the protocol share: the state of a stream, and what may be sent now.
//!
//! Nothing is queued. After every event the state is compared with the snapshot in force, so intermediate snapshots are skipped,
//! and a refused resource is not sent again, since the client was sent it already.
//!
//! Order (make before break): additions and changes go in the order of [`Kind`]. Changed listeners and routes wait until the client
//! has accepted clusters and endpoints, and are held back while it refuses them. Removals wait until everything else was accepted.
//! The filter ([`Kind::Extension`]) references nothing and waits for nothing, so a refused cluster never delays a policy.
use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use crate::{
    Kind, Protocol, Snapshot, TypeStatus, Verdict,
    ledger::{Difference, Ledger},
    snapshot::Resource,
};

/// What listeners and routes may reference, and must be there before them.
const FOUNDATIONS: [Kind; 2] = [Kind::Cluster, Kind::Endpoints];

/// What must be accepted before anything is removed.
const STRUCTURE: [Kind; 5] = [Kind::Cluster, Kind::Endpoints, Kind::Secret, Kind::Listener, Kind::Route];

/// A response, before it is put into either variant's message.
#[derive(Debug, PartialEq)]
pub(crate) struct Outgoing {
    pub(crate) kind: Kind,
    pub(crate) nonce: String,
    /// Content version of the type.
    pub(crate) version: String,
    pub(crate) label: String,
    pub(crate) resources: Vec<Arc<Resource>>,
    pub(crate) removed: Vec<String>,
}

/// What came of an event.
#[derive(Debug, PartialEq)]
pub(crate) struct Due {
    pub(crate) outgoing: Vec<Outgoing>,
    pub(crate) verdicts: Vec<Verdict>,
}

/// The state of a stream.
#[derive(Debug)]
pub(crate) struct Session {
    protocol: Protocol,
    ledgers: BTreeMap<Kind, Ledger>,
    snapshot: Option<Arc<Snapshot>>,
    nonces: u64,
}

impl Session {
    pub(crate) fn new(protocol: Protocol) -> Session {
        Session { protocol, ledgers: BTreeMap::new(), snapshot: None, nonces: 0 }
    }

    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// The state of a type, which begins with its first request; the flag says whether this is it.
    pub(crate) fn ledger(&mut self, kind: Kind) -> (&mut Ledger, bool) {
        let first = !self.ledgers.contains_key(&kind);
        (self.ledgers.entry(kind).or_insert_with(|| Ledger::new(kind)), first)
    }

    /// How the client stands with each type.
    pub(crate) fn status(&self) -> BTreeMap<Kind, TypeStatus> {
        self.ledgers.iter().map(|(kind, ledger)| (*kind, ledger.status.clone())).collect()
    }

    pub(crate) fn settle(
        &mut self,
        kind: Kind,
        nonce: &str,
        error: Option<&str>,
        now: SystemTime,
    ) -> Option<Verdict> {
        self.ledgers.get_mut(&kind)?.settle(nonce, error, now)
    }

    /// Takes a new snapshot.
    pub(crate) fn set_snapshot(&mut self, snapshot: Arc<Snapshot>) {
        // In state-of-the-world responses, a removal looks the same as a refused addition that is not repeated.
        let forget_gone = self.protocol == Protocol::Sotw;
        for (kind, ledger) in &mut self.ledgers {
            ledger.reoffer(snapshot.of(*kind), forget_gone);
        }
        self.snapshot = Some(snapshot);
    }

    /// Everything that may be sent now; it counts as sent.
    pub(crate) fn due(&mut self) -> Due {
        let mut due = Due { outgoing: Vec::new(), verdicts: Vec::new() };
        let Some(snapshot) = self.snapshot.clone() else { return due };
        let may_remove = STRUCTURE.iter().all(|kind| self.is_settled(*kind));
        for kind in Kind::ALL {
            due.outgoing.extend(self.add(kind, &snapshot));
        }
        if may_remove && due.outgoing.is_empty() {
            for kind in Kind::REMOVALS {
                due.outgoing.extend(self.remove(kind, &snapshot));
            }
        }
        for (kind, ledger) in &mut self.ledgers {
            let Difference { owed, changed, missing, gone } = ledger.difference(snapshot.of(*kind));
            if owed.is_empty() && changed.is_empty() && missing.is_empty() && gone.is_empty() {
                due.verdicts.extend(ledger.notice(snapshot.version()));
            }
        }
        due
    }

    fn is_settled(&self, kind: Kind) -> bool {
        self.ledgers.get(&kind).is_none_or(Ledger::is_settled)
    }

    /// Whether a change of the type has to wait for what it may reference. A first response does not: nothing could break yet.
    fn is_held(&self, kind: Kind, ledger: &Ledger) -> bool {
        let waits = matches!(kind, Kind::Listener | Kind::Route) && ledger.has_base();
        ledger.is_busy() || (waits && !FOUNDATIONS.iter().all(|kind| self.is_settled(*kind)))
    }

    fn add(&mut self, kind: Kind, snapshot: &Snapshot) -> Option<Outgoing> {
        let held = self.is_held(kind, self.ledgers.get(&kind)?);
        let ledger = self.ledgers.get_mut(&kind)?;
        let set = snapshot.of(kind);
        let Difference { owed: mut fresh, changed, mut missing, gone } = ledger.difference(set);
        if !held {
            fresh.extend(changed);
        }
        if self.protocol == Protocol::Sotw {
            // This variant cannot say that a resource does not exist.
            ledger.stop_owing(&missing);
            missing.clear();
        }
        if fresh.is_empty() && missing.is_empty() && !ledger.owes_answer() {
            return None;
        }
        let resources = if self.protocol == Protocol::Sotw && kind.is_full_state() {
            let wanted = set.by_name.values().filter(|r| ledger.subscription.wants(&r.name)).cloned();
            wanted.chain(ledger.retained(&gone)).collect()
        } else {
            fresh.clone()
        };
        let outgoing = self.outgoing(kind, snapshot, &fresh, resources, missing);
        if kind == Kind::Cluster {
            self.owe_assignments(&fresh);
        }
        Some(outgoing)
    }

    fn remove(&mut self, kind: Kind, snapshot: &Snapshot) -> Option<Outgoing> {
        let ledger = self.ledgers.get_mut(&kind)?;
        let set = snapshot.of(kind);
        let gone = ledger.difference(set).gone;
        if gone.is_empty() {
            return None;
        }
        if self.protocol == Protocol::Delta {
            return Some(self.outgoing(kind, snapshot, &[], Vec::new(), gone));
        }
        gone.iter().for_each(|name| ledger.drop_name(name));
        if !kind.is_full_state() {
            return None;
        }
        let wanted = set.by_name.values().filter(|r| ledger.subscription.wants(&r.name)).cloned().collect();
        Some(self.outgoing(kind, snapshot, &[], wanted, Vec::new()))
    }

    fn outgoing(
        &mut self,
        kind: Kind,
        snapshot: &Snapshot,
        fresh: &[Arc<Resource>],
        resources: Vec<Arc<Resource>>,
        removed: Vec<String>,
    ) -> Outgoing {
        self.nonces += 1;
        let nonce = self.nonces.to_string();
        let set = snapshot.of(kind);
        self.ledger(kind).0.enter(&nonce, snapshot.version(), set, fresh, &removed);
        let (version, label) = (set.version.clone(), snapshot.version().to_owned());
        Outgoing { kind, nonce, version, label, resources, removed }
    }

    /// A cluster that is new to the client or has changed warms up only when its endpoints come after it, even if they
    /// did not change ("Resource warming").
    fn owe_assignments(&mut self, clusters: &[Arc<Resource>]) {
        let Some(endpoints) = self.ledgers.get_mut(&Kind::Endpoints) else { return };
        for name in clusters.iter().filter_map(|cluster| cluster.assignment.as_deref()) {
            if endpoints.has_claim(name) {
                endpoints.owe(name);
            }
        }
    }
}
