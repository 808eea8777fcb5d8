//! Upstreams as clusters (CDS) and, where their address is known, as endpoints (EDS).
use std::collections::HashMap;

use envoy_types::pb::envoy::{
    config::{
        cluster::v3::{
            CircuitBreakers, Cluster, UpstreamConnectionOptions,
            circuit_breakers::Thresholds,
            cluster::{ClusterDiscoveryType, CustomClusterType, DiscoveryType, EdsClusterConfig},
        },
        core::v3::{
            Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions as CommonOptions, TcpKeepalive,
        },
        endpoint::v3::{
            ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint::HostIdentifier,
        },
    },
    extensions::{
        clusters::{common::dns::v3::DnsLookupFamily, dns::v3::DnsCluster},
        upstreams::http::v3::{
            HttpProtocolOptions,
            http_protocol_options::{
                AutoHttpConfig, ExplicitHttpConfig, UpstreamProtocolOptions,
                explicit_http_config::ProtocolConfig,
            },
        },
    },
};

use super::{
    JUDGE, RATE_LIMITS,
    pb::{address, ads, any, seconds, u32_value},
    tls,
    upstream::{Scheme, Upstream},
};

/// Connections, waiting and running requests of one upstream. Streams are long: Envoy's 1024 would be few.
const MAX_REQUESTS: u32 = 16_384;

/// The same of the judge: each question is held in Envoy until it is answered.
const MAX_QUESTIONS: u32 = 256;

/// How an upstream's unused connections are kept, in seconds.
const IDLE_SECONDS: i64 = 60;

/// The cluster of an upstream. An address comes over EDS, so that it can change without the cluster being replaced.
pub(super) fn cluster(upstream: &Upstream) -> Cluster {
    let by_address = upstream.ip().is_some();
    let most = if upstream.provider == JUDGE { MAX_QUESTIONS } else { MAX_REQUESTS };
    let limits = Thresholds {
        max_connections: u32_value(most),
        max_pending_requests: u32_value(most),
        max_requests: u32_value(most),
        ..Thresholds::default()
    };
    let keepalive = TcpKeepalive {
        keepalive_probes: u32_value(3),
        keepalive_time: u32_value(60),
        keepalive_interval: u32_value(10),
    };
    let grpc = upstream.provider == RATE_LIMITS;
    let protocol = protocol(upstream.scheme, grpc);
    Cluster {
        name: upstream.cluster(),
        connect_timeout: seconds(5),
        cluster_discovery_type: Some(if by_address {
            ClusterDiscoveryType::Type(DiscoveryType::Eds as i32)
        } else {
            ClusterDiscoveryType::ClusterType(CustomClusterType {
                name: "envoy.clusters.dns".to_owned(),
                typed_config: Some(any(&DnsCluster {
                    respect_dns_ttl: true,
                    dns_lookup_family: DnsLookupFamily::V4Preferred as i32,
                    ..DnsCluster::default()
                })),
            })
        }),
        eds_cluster_config: by_address
            .then(|| EdsClusterConfig { eds_config: Some(ads()), ..EdsClusterConfig::default() }),
        load_assignment: (!by_address).then(|| assignment(upstream)),
        circuit_breakers: Some(CircuitBreakers { thresholds: vec![limits], ..CircuitBreakers::default() }),
        upstream_connection_options: Some(UpstreamConnectionOptions {
            tcp_keepalive: Some(keepalive),
            ..UpstreamConnectionOptions::default()
        }),
        typed_extension_protocol_options: HashMap::from([(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(),
            any(&protocol),
        )]),
        transport_socket: (upstream.scheme == Scheme::Https).then(|| tls::socket(upstream)),
        ..Cluster::default()
    }
}

/// The endpoints of an upstream whose address is known.
pub(super) fn endpoints(upstream: &Upstream) -> Option<ClusterLoadAssignment> {
    upstream.ip().map(|_| assignment(upstream))
}

fn assignment(upstream: &Upstream) -> ClusterLoadAssignment {
    let endpoint = Endpoint { address: Some(address(&upstream.host, upstream.port)), ..Endpoint::default() };
    let host =
        LbEndpoint { host_identifier: Some(HostIdentifier::Endpoint(endpoint)), ..LbEndpoint::default() };
    ClusterLoadAssignment {
        cluster_name: upstream.cluster(),
        endpoints: vec![LocalityLbEndpoints { lb_endpoints: vec![host], ..LocalityLbEndpoints::default() }],
        ..ClusterLoadAssignment::default()
    }
}

/// gRPC in the clear is HTTP/2 from the first byte.
fn protocol(scheme: Scheme, grpc: bool) -> HttpProtocolOptions {
    let http1 = Http1ProtocolOptions { enable_trailers: true, ..Http1ProtocolOptions::default() };
    let choice = match scheme {
        Scheme::Http if grpc => UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default())),
        }),
        Scheme::Http => UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(ProtocolConfig::HttpProtocolOptions(http1)),
        }),
        Scheme::Https => UpstreamProtocolOptions::AutoConfig(AutoHttpConfig {
            http_protocol_options: Some(http1),
            http2_protocol_options: Some(Http2ProtocolOptions::default()),
            ..AutoHttpConfig::default()
        }),
    };
    HttpProtocolOptions {
        common_http_protocol_options: Some(CommonOptions {
            idle_timeout: seconds(IDLE_SECONDS),
            ..CommonOptions::default()
        }),
        upstream_protocol_options: Some(choice),
        ..HttpProtocolOptions::default()
    }
}
