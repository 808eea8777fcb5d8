//! One whole configuration of a sidecar: typed resources, each with its content hash for a version.
use std::{collections::BTreeMap, collections::BTreeSet, sync::Arc};

use envoy_types::pb::{
    envoy::{
        config::{
            cluster::v3::Cluster, core::v3::TypedExtensionConfig, endpoint::v3::ClusterLoadAssignment,
            listener::v3::Listener, route::v3::RouteConfiguration,
        },
        extensions::transport_sockets::tls::v3::Secret,
    },
    google::protobuf::Any,
};
use prost::{Message, Name};
use sha2::{Digest, Sha256};

use crate::{Inconsistent, Kind, consistency, references};

/// The resources of a configuration, as messages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    /// Clusters.
    pub clusters: Vec<Cluster>,
    /// Endpoints of the clusters of type EDS.
    pub endpoints: Vec<ClusterLoadAssignment>,
    /// Secrets.
    pub secrets: Vec<Secret>,
    /// Listeners.
    pub listeners: Vec<Listener>,
    /// Route tables.
    pub routes: Vec<RouteConfiguration>,
    /// Extensions.
    pub extensions: Vec<TypedExtensionConfig>,
    /// Names of clusters that every client has from its bootstrap: routes may name them.
    pub bootstrap_clusters: BTreeSet<String>,
}

/// A resource as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resource {
    pub(crate) name: String,
    /// Hash of the content: equal content has an equal version, also after a restart of the server.
    pub(crate) version: String,
    pub(crate) body: Any,
    /// The endpoints a cluster of type EDS waits for.
    pub(crate) assignment: Option<String>,
}

/// The resources of one type.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ResourceSet {
    /// Changes when a resource of the type does, and only then.
    pub(crate) version: String,
    pub(crate) by_name: BTreeMap<String, Arc<Resource>>,
}

/// One whole configuration, ready to be served once its consistency is proven.
///
/// A message with a map field of several entries may be encoded in another order next time, and then counts as changed:
/// that costs a superfluous update, nothing else.
#[derive(Clone, Debug)]
pub struct Snapshot {
    label: String,
    messages: Resources,
    sets: BTreeMap<Kind, ResourceSet>,
}

impl Snapshot {
    /// A snapshot of these resources. `version` is the caller's name for it (the version of the policy bundle), which
    /// the status of each client repeats; on the wire, versions are content hashes.
    pub fn new(version: impl Into<String>, resources: Resources) -> Snapshot {
        let mut sets = BTreeMap::new();
        sets.insert(
            Kind::Cluster,
            set(&resources.clusters, |c| &c.name, |c| references::assignment_of(c).map(str::to_owned)),
        );
        sets.insert(Kind::Endpoints, set(&resources.endpoints, |e| &e.cluster_name, |_| None));
        sets.insert(Kind::Secret, set(&resources.secrets, |s| &s.name, |_| None));
        sets.insert(Kind::Listener, set(&resources.listeners, |l| &l.name, |_| None));
        sets.insert(Kind::Route, set(&resources.routes, |r| &r.name, |_| None));
        sets.insert(Kind::Extension, set(&resources.extensions, |e| &e.name, |_| None));
        Snapshot { label: version.into(), messages: resources, sets }
    }

    /// The caller's name for it.
    pub fn version(&self) -> &str {
        &self.label
    }

    /// The messages it was made of.
    pub fn resources(&self) -> &Resources {
        &self.messages
    }

    /// The content version of a type, as responses carry it.
    pub fn type_version(&self, kind: Kind) -> &str {
        &self.of(kind).version
    }

    /// Proves that everything named exists.
    ///
    /// # Errors
    /// Every dangling, missing, unused or doubled name, in one error.
    pub fn prove(&self) -> Result<(), Inconsistent> {
        consistency::prove(&self.messages)
    }

    pub(crate) fn of(&self, kind: Kind) -> &ResourceSet {
        static EMPTY: ResourceSet = ResourceSet { version: String::new(), by_name: BTreeMap::new() };
        self.sets.get(&kind).unwrap_or(&EMPTY)
    }
}

fn set<M: Message + Name>(
    messages: &[M],
    name: impl Fn(&M) -> &str,
    assignment: impl Fn(&M) -> Option<String>,
) -> ResourceSet {
    let mut by_name = BTreeMap::new();
    for message in messages {
        let value = message.encode_to_vec();
        let resource = Resource {
            name: name(message).to_owned(),
            version: hash([value.as_slice()]),
            body: Any { type_url: M::type_url(), value },
            assignment: assignment(message),
        };
        by_name.insert(resource.name.clone(), Arc::new(resource));
    }
    let version = hash(by_name.values().flat_map(|r| [r.name.as_bytes(), r.version.as_bytes()]));
    ResourceSet { version, by_name }
}

/// The first 64 bits of the SHA-256 of the parts, each preceded by its length.
fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    use std::fmt::Write;
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().take(8).fold(String::with_capacity(16), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters(names: &[&str]) -> Resources {
        let cluster = |name: &&str| Cluster { name: (*name).to_owned(), ..Cluster::default() };
        Resources { clusters: names.iter().map(cluster).collect(), ..Resources::default() }
    }

    #[test]
    fn versions_follow_content_not_label_or_order() {
        let one = Snapshot::new("1", clusters(&["a", "b"]));
        let two = Snapshot::new("2", clusters(&["b", "a"]));
        let three = Snapshot::new("3", clusters(&["a"]));
        assert_eq!(one.type_version(Kind::Cluster), two.type_version(Kind::Cluster));
        assert_ne!(one.type_version(Kind::Cluster), three.type_version(Kind::Cluster));
        assert_eq!(one.type_version(Kind::Listener), three.type_version(Kind::Listener));
    }
}
