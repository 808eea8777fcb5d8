//! The listener (LDS): where agents' requests come in and pass the filter.
use envoy_types::pb::envoy::{
    config::{
        core::v3::{
            CidrRange, ExtensionConfigSource, Http1ProtocolOptions, Http2ProtocolOptions,
            HttpProtocolOptions, TrafficDirection,
        },
        listener::v3::{Filter, FilterChain, Listener, filter},
    },
    extensions::filters::{
        http::{router::v3::Router, wasm::v3::Wasm},
        network::http_connection_manager::v3::{
            HttpConnectionManager, HttpFilter, Rds,
            http_connection_manager::{
                CodecType, InternalAddressConfig, PathWithEscapedSlashesAction, RouteSpecifier,
                ServerHeaderTransformation,
            },
            http_filter,
        },
    },
};
use prost::Name;

use super::{
    FILTER, LISTENER, ROUTES, SidecarSpec,
    pb::{address, ads, any, bool_value, seconds, u32_value},
    replies,
};

/// A stream on which nothing moves is ended after this many seconds.
pub(super) const STREAM_IDLE_SECONDS: i64 = 300;

/// Time for a whole request to arrive, in seconds.
const REQUEST_SECONDS: i64 = 300;

/// Time for the headers of a request to arrive, in seconds.
const HEADERS_SECONDS: i64 = 30;

/// An unused connection of an agent is closed after this many seconds.
const CONNECTION_IDLE_SECONDS: i64 = 3600;

/// The listener of a sidecar.
pub(super) fn listener(spec: &SidecarSpec) -> Listener {
    let manager = Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(filter::ConfigType::TypedConfig(any(&connection_manager()))),
    };
    Listener {
        name: LISTENER.to_owned(),
        address: Some(address(&spec.listener.ip().to_string(), spec.listener.port())),
        traffic_direction: TrafficDirection::Outbound as i32,
        per_connection_buffer_limit_bytes: u32_value(spec.buffer_limit()),
        filter_chains: vec![FilterChain { filters: vec![manager], ..FilterChain::default() }],
        ..Listener::default()
    }
}

fn connection_manager() -> HttpConnectionManager {
    HttpConnectionManager {
        stat_prefix: LISTENER.to_owned(),
        codec_type: CodecType::Auto as i32,
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            config_source: Some(ads()),
            route_config_name: ROUTES.to_owned(),
        })),
        http_filters: http_filters(),
        // Nobody inside: `x-envoy-*` headers of agents are dropped instead of obeyed.
        use_remote_address: bool_value(true),
        internal_address_config: Some(InternalAddressConfig {
            cidr_ranges: vec![nobody()],
            unix_sockets: false,
        }),
        preserve_external_request_id: true,
        server_header_transformation: ServerHeaderTransformation::PassThrough as i32,
        // One path for us and for the upstream, whatever way it was written.
        normalize_path: bool_value(true),
        merge_slashes: true,
        path_with_escaped_slashes_action: PathWithEscapedSlashesAction::UnescapeAndForward as i32,
        max_request_headers_kb: u32_value(64),
        stream_idle_timeout: seconds(STREAM_IDLE_SECONDS),
        request_timeout: seconds(REQUEST_SECONDS),
        request_headers_timeout: seconds(HEADERS_SECONDS),
        common_http_protocol_options: Some(HttpProtocolOptions {
            idle_timeout: seconds(CONNECTION_IDLE_SECONDS),
            max_headers_count: u32_value(128),
            ..HttpProtocolOptions::default()
        }),
        http_protocol_options: Some(Http1ProtocolOptions {
            enable_trailers: true,
            ..Http1ProtocolOptions::default()
        }),
        http2_protocol_options: Some(Http2ProtocolOptions {
            max_concurrent_streams: u32_value(256),
            initial_stream_window_size: u32_value(1 << 20),
            initial_connection_window_size: u32_value(16 << 20),
            ..Http2ProtocolOptions::default()
        }),
        local_reply_config: Some(replies::of_envoy_itself()),
        ..HttpConnectionManager::default()
    }
}

/// An address that no client has. An empty list would not do: Envoy 1.40 then takes the loopback for inside.
fn nobody() -> CidrRange {
    CidrRange { address_prefix: "255.255.255.255".to_owned(), prefix_len: u32_value(32) }
}

fn http_filters() -> Vec<HttpFilter> {
    let router = Router { suppress_envoy_headers: true, ..Router::default() };
    let router = HttpFilter {
        name: "envoy.filters.http.router".to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(any(&router))),
        ..HttpFilter::default()
    };
    vec![guard(), router]
}

/// The place of our filter. It has no default: until its program arrives, the listener does not open.
fn guard() -> HttpFilter {
    let discovery = ExtensionConfigSource {
        config_source: Some(ads()),
        apply_default_config_without_warming: false,
        type_urls: vec![Wasm::type_url()],
        ..ExtensionConfigSource::default()
    };
    HttpFilter {
        name: FILTER.to_owned(),
        config_type: Some(http_filter::ConfigType::ConfigDiscovery(discovery)),
        ..HttpFilter::default()
    }
}
