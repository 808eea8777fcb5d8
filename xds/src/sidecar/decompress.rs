//! Decompression around the filter, so that it sees plain bodies both ways.
//!
//! Envoy runs filters in order on requests and in reverse on responses. Decompressors of requests therefore stand in
//! front of our filter, and those of responses behind it.
use envoy_types::pb::{
    envoy::{
        config::core::v3::{RuntimeFeatureFlag, TypedExtensionConfig},
        extensions::{
            compression::{
                brotli::decompressor::v3::Brotli, gzip::decompressor::v3::Gzip, zstd::decompressor::v3::Zstd,
            },
            filters::{
                http::decompressor::v3::{
                    Decompressor,
                    decompressor::{CommonDirectionConfig, RequestDirectionConfig, ResponseDirectionConfig},
                },
                network::http_connection_manager::v3::{HttpFilter, http_filter},
            },
        },
    },
    google::protobuf::Any,
};

use super::pb::{any, bool_value, u32_value};

/// Output of one call of a decompression library, in bytes.
const CHUNK: u32 = 16 * 1024;

/// How many times larger than its input gzip output may be; Envoy holds brotli and zstd to the same ratio.
const MAX_RATIO: u32 = 100;

/// Which way a decompressor works.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Direction {
    Request,
    Response,
}

/// Decompressors of every coding we know for one direction.
pub(super) fn filters(direction: Direction) -> Vec<HttpFilter> {
    let gzip =
        Gzip { chunk_size: u32_value(CHUNK), max_inflate_ratio: u32_value(MAX_RATIO), ..Gzip::default() };
    let brotli = Brotli { chunk_size: u32_value(CHUNK), ..Brotli::default() };
    let zstd = Zstd { chunk_size: u32_value(CHUNK), ..Zstd::default() };
    vec![
        filter("gzip", any(&gzip), direction),
        filter("brotli", any(&brotli), direction),
        filter("zstd", any(&zstd), direction),
    ]
}

fn filter(coding: &str, library: Any, direction: Direction) -> HttpFilter {
    let library = TypedExtensionConfig {
        name: format!("envoy.compression.{coding}.decompressor"),
        typed_config: Some(library),
    };
    let common = |works_in: Direction| {
        Some(CommonDirectionConfig {
            enabled: (works_in != direction).then(|| RuntimeFeatureFlag {
                default_value: bool_value(false),
                runtime_key: "ai_mesh.decompressor.other_direction".to_owned(),
            }),
            // `cache-control: no-transform` must not hide a body from the filter.
            ignore_no_transform_header: true,
        })
    };
    let decompressor = Decompressor {
        decompressor_library: Some(library),
        request_direction_config: Some(RequestDirectionConfig {
            common_config: common(Direction::Request),
            // The routes say what upstreams may send.
            advertise_accept_encoding: bool_value(false),
        }),
        response_direction_config: Some(ResponseDirectionConfig {
            common_config: common(Direction::Response),
        }),
    };
    let way = match direction {
        Direction::Request => "request",
        Direction::Response => "response",
    };
    HttpFilter {
        name: format!("{coding}_{way}"),
        config_type: Some(http_filter::ConfigType::TypedConfig(any(&decompressor))),
        ..HttpFilter::default()
    }
}
