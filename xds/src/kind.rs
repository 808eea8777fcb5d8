//! The resource types this server knows, and the order in which they may change.
use std::fmt;

/// A resource type. The order of the variants is the order in which additions and changes are sent, so that whatever
/// a resource names is there before it (xDS protocol, "Eventual consistency considerations").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Clusters (CDS).
    Cluster,
    /// Endpoints of clusters (EDS).
    Endpoints,
    /// Secrets, here the certificate authorities (SDS).
    Secret,
    /// Listeners (LDS).
    Listener,
    /// Routes (RDS).
    Route,
    /// Extensions, here the wasm filter with the policies it starts with (ECDS).
    Extension,
    /// Pieces of policy bundles, which filters fetch themselves, on streams of their own.
    Piece,
    /// Policy bundles, which name pieces.
    Bundle,
}

impl Kind {
    /// Every type, in the order of additions and changes.
    pub const ALL: [Kind; 8] = [
        Kind::Cluster,
        Kind::Endpoints,
        Kind::Secret,
        Kind::Listener,
        Kind::Route,
        Kind::Extension,
        Kind::Piece,
        Kind::Bundle,
    ];

    /// Every type in the order of removals: what references a resource is removed before it.
    pub(crate) const REMOVALS: [Kind; 8] = [
        Kind::Listener,
        Kind::Route,
        Kind::Extension,
        Kind::Bundle,
        Kind::Piece,
        Kind::Cluster,
        Kind::Endpoints,
        Kind::Secret,
    ];

    /// The type URL, as requests and responses carry it.
    pub const fn type_url(self) -> &'static str {
        match self {
            Kind::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Kind::Endpoints => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Kind::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            Kind::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Kind::Route => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            Kind::Extension => "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            Kind::Piece => "type.googleapis.com/ai_mesh.v1.PolicyBundlePiece",
            Kind::Bundle => "type.googleapis.com/ai_mesh.v1.PolicyBundle",
        }
    }

    /// The short name of the discovery service: `cds`, `eds`, `sds`, `lds`, `rds`, `ecds`; `piece` and `bundle` are our own types.
    pub const fn short(self) -> &'static str {
        match self {
            Kind::Cluster => "cds",
            Kind::Endpoints => "eds",
            Kind::Secret => "sds",
            Kind::Listener => "lds",
            Kind::Route => "rds",
            Kind::Extension => "ecds",
            Kind::Piece => "piece",
            Kind::Bundle => "bundle",
        }
    }

    /// The type of a type URL; `None` for a type that is not served.
    pub fn from_type_url(url: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.type_url() == url)
    }

    /// Whether a client may subscribe to all resources of the type with `*`: listeners and clusters, and pieces, whose names are
    /// hashes.
    pub(crate) const fn has_wildcard(self) -> bool {
        matches!(self, Kind::Cluster | Kind::Listener | Kind::Piece)
    }

    /// Whether a state-of-the-world response must hold every resource of the type ("Grouping Resources into
    /// Responses").
    pub(crate) const fn is_full_state(self) -> bool {
        matches!(self, Kind::Cluster | Kind::Listener)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_urls_lead_back_to_their_types() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_type_url(kind.type_url()), Some(kind));
        }
        assert_eq!(Kind::from_type_url("type.googleapis.com/envoy.service.runtime.v3.Runtime"), None);
    }

    #[test]
    fn both_orders_hold_every_type() {
        let mut removals = Kind::REMOVALS;
        removals.sort();
        assert_eq!(removals, Kind::ALL);
    }
}
