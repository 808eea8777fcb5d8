//! Small resources with a name and a revision, and back.
use std::collections::BTreeMap;

use envoy_types::pb::{
    envoy::{
        config::{
            cluster::v3::{
                Cluster,
                cluster::{ClusterDiscoveryType, DiscoveryType},
            },
            core::v3::{DataSource, TypedExtensionConfig, data_source},
            endpoint::v3::ClusterLoadAssignment,
            listener::v3::Listener,
            route::v3::{
                Route, RouteAction, RouteConfiguration, VirtualHost, route::Action,
                route_action::ClusterSpecifier,
            },
        },
        extensions::transport_sockets::tls::v3::{GenericSecret, Secret, secret},
    },
    google::protobuf::{Any, Duration, StringValue, UInt32Value},
};
use mesh_xds::{
    Kind, Resources, Snapshot,
    v1::{PolicyBundle, PolicyBundlePiece},
};
use prost::{Message, Name};
use serde_json::Value;

/// A secret that every fixture has, for clients that want to know whether anything else is on its way.
pub(crate) const PROBE: &str = "probe";

/// The snapshot that a scenario describes.
pub(crate) fn snapshot(described: &Value) -> Snapshot {
    let endpoints = revisions(&described["endpoints"]);
    let cluster = |(name, revision): (&String, &u32)| Cluster {
        name: name.clone(),
        connect_timeout: Some(Duration { seconds: i64::from(*revision), nanos: 0 }),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(if endpoints.contains_key(name) {
            DiscoveryType::Eds as i32
        } else {
            DiscoveryType::Static as i32
        })),
        ..Cluster::default()
    };
    let assignment = |(name, revision): (&String, &u32)| ClusterLoadAssignment {
        cluster_name: name.clone(),
        policy: Some(envoy_types::pb::envoy::config::endpoint::v3::cluster_load_assignment::Policy {
            overprovisioning_factor: Some(UInt32Value { value: *revision }),
            ..Default::default()
        }),
        ..ClusterLoadAssignment::default()
    };
    let listener = |(name, revision): (&String, &u32)| Listener {
        name: name.clone(),
        stat_prefix: revision.to_string(),
        ..Listener::default()
    };
    let extension = |(name, revision): (&String, &u32)| TypedExtensionConfig {
        name: name.clone(),
        typed_config: Some(Any {
            type_url: StringValue::type_url(),
            value: StringValue { value: revision.to_string() }.encode_to_vec(),
        }),
    };
    let piece = |(name, revision): (&String, &u32)| PolicyBundlePiece {
        name: name.clone(),
        content: revision.to_string().into_bytes(),
    };
    let bundle = |(name, pieces): (&String, &Value)| PolicyBundle {
        name: name.clone(),
        pieces: pieces
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|p| Some(p.as_str()?.to_owned()))
            .collect(),
    };
    let resources = Resources {
        clusters: revisions(&described["clusters"]).iter().map(cluster).collect(),
        endpoints: endpoints.iter().map(assignment).collect(),
        secrets: vec![secret(PROBE)],
        listeners: revisions(&described["listeners"]).iter().map(listener).collect(),
        routes: described["routes"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, r)| table(name, r))
            .collect(),
        extensions: revisions(&described["extensions"]).iter().map(extension).collect(),
        bundles: described["bundles"].as_object().into_iter().flatten().map(bundle).collect(),
        pieces: revisions(&described["pieces"]).iter().map(piece).collect(),
        ..Resources::default()
    };
    Snapshot::new(described["version"].as_str().unwrap(), resources)
}

fn revisions(described: &Value) -> BTreeMap<String, u32> {
    let entry = |(name, revision): (&String, &Value)| (name.clone(), revision.as_u64().unwrap() as u32);
    described.as_object().into_iter().flatten().map(entry).collect()
}

fn table(name: &str, described: &Value) -> RouteConfiguration {
    let route = |cluster: &Value| Route {
        action: Some(Action::Route(RouteAction {
            cluster_specifier: Some(ClusterSpecifier::Cluster(cluster.as_str().unwrap().to_owned())),
            ..RouteAction::default()
        })),
        ..Route::default()
    };
    RouteConfiguration {
        name: name.to_owned(),
        internal_only_headers: vec![described["revision"].to_string()],
        virtual_hosts: vec![VirtualHost {
            routes: described["clusters"].as_array().into_iter().flatten().map(route).collect(),
            ..VirtualHost::default()
        }],
        ..RouteConfiguration::default()
    }
}

fn secret(name: &str) -> Secret {
    let value = DataSource {
        specifier: Some(data_source::Specifier::InlineString("1".to_owned())),
        ..DataSource::default()
    };
    let secret = GenericSecret { secret: Some(value), ..GenericSecret::default() };
    Secret { name: name.to_owned(), r#type: Some(secret::Type::GenericSecret(secret)) }
}

/// A fixture as `name@revision`.
pub(crate) fn name_and_revision(kind: Kind, body: &Any) -> (String, String) {
    assert_eq!(body.type_url, kind.type_url());
    let bytes = body.value.as_slice();
    match kind {
        Kind::Cluster => {
            let c = Cluster::decode(bytes).unwrap();
            (c.name, c.connect_timeout.unwrap().seconds.to_string())
        }
        Kind::Endpoints => {
            let e = ClusterLoadAssignment::decode(bytes).unwrap();
            (e.cluster_name, e.policy.unwrap().overprovisioning_factor.unwrap().value.to_string())
        }
        Kind::Secret => (Secret::decode(bytes).unwrap().name, "1".to_owned()),
        Kind::Listener => {
            let l = Listener::decode(bytes).unwrap();
            (l.name, l.stat_prefix)
        }
        Kind::Route => {
            let r = RouteConfiguration::decode(bytes).unwrap();
            (r.name, r.internal_only_headers[0].clone())
        }
        Kind::Bundle => {
            let b = PolicyBundle::decode(bytes).unwrap();
            (b.name, b.pieces.join("+"))
        }
        Kind::Piece => {
            let p = PolicyBundlePiece::decode(bytes).unwrap();
            (p.name, String::from_utf8(p.content).unwrap())
        }
        Kind::Extension => {
            let e = TypedExtensionConfig::decode(bytes).unwrap();
            (e.name, StringValue::decode(e.typed_config.unwrap().value.as_slice()).unwrap().value)
        }
    }
}

/// The kind of a short name.
pub(crate) fn kind(short: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.short() == short)
}
