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
use prost::Message;
use sha2::{Digest, Sha256};

use crate::{
    Inconsistent, Kind, consistency, references,
    v1::{PolicyBundle, PolicyBundlePiece},
};

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
    /// Versions of extensions that are not the hash of their content, by name: an extension that fetches its changes itself must not
    /// be reloaded for them.
    pub extension_versions: BTreeMap<String, String>,
    /// Policy bundles.
    pub bundles: Vec<PolicyBundle>,
    /// The pieces of all bundles.
    pub pieces: Vec<PolicyBundlePiece>,
    /// Names of clusters that every client has from its bootstrap: routes may name them.
    pub bootstrap_clusters: BTreeSet<String>,
}

/// A resource as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resource {
    pub(crate) name: String,
    /// Hash of the content, so that equal content has an equal version even after a restart of the server; or the version in
    /// [`Resources::extension_versions`].
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
        let mut add = |kind, set| sets.insert(kind, set);
        add(
            Kind::Cluster,
            set(Kind::Cluster, &resources.clusters, |c| Facts {
                assignment: references::assignment_of(c).map(str::to_owned),
                ..Facts::of(&c.name)
            }),
        );
        add(Kind::Endpoints, set(Kind::Endpoints, &resources.endpoints, |e| Facts::of(&e.cluster_name)));
        add(Kind::Secret, set(Kind::Secret, &resources.secrets, |s| Facts::of(&s.name)));
        add(Kind::Listener, set(Kind::Listener, &resources.listeners, |l| Facts::of(&l.name)));
        add(Kind::Route, set(Kind::Route, &resources.routes, |r| Facts::of(&r.name)));
        add(
            Kind::Extension,
            set(Kind::Extension, &resources.extensions, |e| Facts {
                version: resources.extension_versions.get(&e.name).cloned(),
                ..Facts::of(&e.name)
            }),
        );
        add(Kind::Piece, set(Kind::Piece, &resources.pieces, |p| Facts::of(&p.name)));
        add(Kind::Bundle, set(Kind::Bundle, &resources.bundles, |b| Facts::of(&b.name)));
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

/// What the server knows of a resource besides its content.
struct Facts<'a> {
    name: &'a str,
    /// See [`Resource::assignment`].
    assignment: Option<String>,
    /// Its version, where that is not the hash of its content.
    version: Option<String>,
}

impl<'a> Facts<'a> {
    fn of(name: &'a str) -> Facts<'a> {
        Facts { name, assignment: None, version: None }
    }
}

fn set<M: Message>(kind: Kind, messages: &[M], facts: impl Fn(&M) -> Facts<'_>) -> ResourceSet {
    let mut by_name = BTreeMap::new();
    for message in messages {
        let value = message.encode_to_vec();
        let Facts { name, assignment, version } = facts(message);
        let resource = Resource {
            name: name.to_owned(),
            version: version.unwrap_or_else(|| hash([value.as_slice()])),
            body: Any { type_url: kind.type_url().to_owned(), value },
            assignment,
        };
        by_name.insert(resource.name.clone(), Arc::new(resource));
    }
    let version = hash(by_name.values().flat_map(|r| [r.name.as_bytes(), r.version.as_bytes()]));
    ResourceSet { version, by_name }
}

/// The first 64 bits of the SHA-256 of the parts, each preceded by its length.
pub(crate) fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    hex::encode(digest.first_chunk::<8>().unwrap_or(&[0; 8]))
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

    #[test]
    fn an_extension_can_have_a_version_of_its_own() {
        let snapshot = |type_url: &str, version: Option<&str>| {
            let typed_config = Some(Any { type_url: type_url.to_owned(), value: Vec::new() });
            let extensions = vec![TypedExtensionConfig { name: "a".to_owned(), typed_config }];
            let versions = version.map(|version| ("a".to_owned(), version.to_owned()));
            let resources = Resources {
                extensions,
                extension_versions: versions.into_iter().collect(),
                ..Resources::default()
            };
            Snapshot::new("1", resources).type_version(Kind::Extension).to_owned()
        };
        assert_ne!(snapshot("x", None), snapshot("y", None));
        assert_eq!(snapshot("x", Some("1")), snapshot("y", Some("1")));
        assert_ne!(snapshot("x", Some("1")), snapshot("x", Some("2")));
    }
}
