//! The proof that a snapshot can be served: nothing in it names what is not there.
//!
//! Failure law: an inconsistent snapshot is refused with every reason at once, and the one in force stays.
use std::{collections::BTreeSet, fmt};

use crate::{Kind, Resources, references};

/// Why a snapshot can't be served: one sentence for each fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Inconsistent {
    /// The faults, in the order of the resource types.
    pub faults: Vec<String>,
}

impl fmt::Display for Inconsistent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the snapshot is inconsistent: {}", self.faults.join("; "))
    }
}

/// Checks names and references of all resources.
pub(crate) fn prove(resources: &Resources) -> Result<(), Inconsistent> {
    let mut proof = Proof { faults: Vec::new() };
    let clusters = proof.names(Kind::Cluster, resources.clusters.iter().map(|c| c.name.as_str()));
    let endpoints = proof.names(Kind::Endpoints, resources.endpoints.iter().map(|e| e.cluster_name.as_str()));
    let secrets = proof.names(Kind::Secret, resources.secrets.iter().map(|s| s.name.as_str()));
    proof.names(Kind::Listener, resources.listeners.iter().map(|l| l.name.as_str()));
    let routes = proof.names(Kind::Route, resources.routes.iter().map(|r| r.name.as_str()));
    let extensions = proof.names(Kind::Extension, resources.extensions.iter().map(|e| e.name.as_str()));
    let pieces = proof.names(Kind::Piece, resources.pieces.iter().map(|p| p.name.as_str()));
    proof.names(Kind::Bundle, resources.bundles.iter().map(|b| b.name.as_str()));

    let mut assigned = BTreeSet::new();
    for cluster in &resources.clusters {
        let by = format!("cluster `{}`", cluster.name);
        if let Some(name) = references::assignment_of(cluster) {
            assigned.insert(name);
            proof.exists(&by, "endpoints", name, &endpoints);
        }
        for name in references::secrets_of_cluster(cluster) {
            proof.exists(&by, "secret", &name, &secrets);
        }
    }
    for name in endpoints.difference(&assigned) {
        proof.fault(format!("endpoints `{name}` belong to no cluster of type EDS"));
    }
    let known: BTreeSet<&str> =
        clusters.into_iter().chain(resources.bootstrap_clusters.iter().map(String::as_str)).collect();
    for listener in &resources.listeners {
        let by = format!("listener `{}`", listener.name);
        let named = references::of_listener(listener);
        named.routes.iter().for_each(|name| proof.exists(&by, "route table", name, &routes));
        named.extensions.iter().for_each(|name| proof.exists(&by, "extension", name, &extensions));
        named.secrets.iter().for_each(|name| proof.exists(&by, "secret", name, &secrets));
        named.clusters.iter().for_each(|name| proof.exists(&by, "cluster", name, &known));
    }
    for table in &resources.routes {
        let by = format!("route table `{}`", table.name);
        references::clusters_of_routes(table)
            .iter()
            .for_each(|name| proof.exists(&by, "cluster", name, &known));
    }
    for bundle in &resources.bundles {
        let by = format!("bundle `{}`", bundle.name);
        bundle.pieces.iter().for_each(|name| proof.exists(&by, "piece", name, &pieces));
    }
    if proof.faults.is_empty() { Ok(()) } else { Err(Inconsistent { faults: proof.faults }) }
}

struct Proof {
    faults: Vec<String>,
}

impl Proof {
    /// Notes a fault, once: many routes may name the same cluster.
    fn fault(&mut self, fault: String) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    fn names<'a>(&mut self, kind: Kind, names: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let mut seen = BTreeSet::new();
        for name in names {
            // `*` is the name of the wildcard subscription.
            if name.is_empty() || name == "*" {
                self.fault(format!(
                    "a resource of {kind} has the name `{name}`, which can't be subscribed to"
                ));
            }
            if !seen.insert(name) {
                self.fault(format!("{kind} has two resources named `{name}`"));
            }
        }
        seen
    }

    fn exists(&mut self, by: &str, what: &str, name: &str, among: &BTreeSet<&str>) {
        if !among.contains(name) {
            self.fault(format!("{by} names {what} `{name}`, which the snapshot does not hold"));
        }
    }
}
