//! Envoy's rate limit service, called by the client that Envoy's own definition generates.
use std::sync::Arc;

use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::{
    Entry, RateLimitOverride,
};
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::{Code, DescriptorStatus};
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_client::RateLimitServiceClient;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::RateLimitServiceServer;
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use mesh_control_api::{RateLimitService, rate_limits};
use mesh_control_core::Limits;
use mesh_control_core::memory::MemoryWindows;

use crate::support::Plane;

type Client = RateLimitServiceClient<RateLimitServiceServer<RateLimitService>>;

const MINUTE: i32 = 2;

async fn client() -> (Client, Plane) {
    let plane = Plane::new().await;
    let limits = Limits::new(Arc::new(MemoryWindows::default()));
    (RateLimitServiceClient::new(rate_limits(limits, Arc::clone(&plane.metrics))), plane)
}

fn descriptor(key: &str, limit: Option<(u32, i32)>) -> RateLimitDescriptor {
    let entry = |key: &str, value: &str| Entry { key: key.to_owned(), value: value.to_owned() };
    RateLimitDescriptor {
        entries: vec![entry("policy", "p"), entry("rule", "0"), entry("key", key)],
        limit: limit.map(|(requests_per_unit, unit)| RateLimitOverride { requests_per_unit, unit }),
        ..RateLimitDescriptor::default()
    }
}

fn request(descriptors: Vec<RateLimitDescriptor>) -> RateLimitRequest {
    RateLimitRequest { domain: "ai-mesh".to_owned(), descriptors, hits_addend: 1 }
}

async fn ask(client: &mut Client, descriptors: Vec<RateLimitDescriptor>) -> RateLimitResponse {
    client.should_rate_limit(request(descriptors)).await.unwrap().into_inner()
}

fn codes(statuses: &[DescriptorStatus]) -> Vec<Code> {
    statuses.iter().map(|status| Code::try_from(status.code).unwrap()).collect()
}

#[tokio::test]
async fn the_limit_of_the_request_is_honoured() {
    let (mut client, plane) = client().await;
    for left in [2, 1, 0] {
        let answer = ask(&mut client, vec![descriptor("user:a", Some((3, MINUTE)))]).await;
        assert_eq!(answer.overall_code, i32::from(Code::Ok));
        assert_eq!(answer.statuses[0].limit_remaining, left);
    }
    let over = ask(&mut client, vec![descriptor("user:a", Some((3, MINUTE)))]).await;
    assert_eq!(over.overall_code, i32::from(Code::OverLimit));
    let status = &over.statuses[0];
    let reset = status.duration_until_reset.as_ref().unwrap();
    assert!((1..=60).contains(&reset.seconds), "{reset:?}");
    assert_eq!(status.current_limit.as_ref().unwrap().requests_per_unit, 3);
    let other = ask(&mut client, vec![descriptor("user:b", Some((3, MINUTE)))]).await;
    assert_eq!(other.overall_code, i32::from(Code::Ok));
    let text = plane.get("/metrics").await.text;
    assert!(text.contains("ai_mesh_rate_limit_requests_total{outcome=\"admitted\"} 4"), "{text}");
    assert!(text.contains("ai_mesh_rate_limit_requests_total{outcome=\"refused\"} 1"), "{text}");
}

#[tokio::test]
async fn statuses_stand_in_the_order_of_the_descriptors() {
    let (mut client, _plane) = client().await;
    let descriptors = || {
        vec![
            descriptor("a", None),
            descriptor("b", Some((1, MINUTE))),
            descriptor("c", Some((5, MINUTE))),
            descriptor("b", Some((1, MINUTE))),
        ]
    };
    let first = ask(&mut client, descriptors()).await;
    assert_eq!(codes(&first.statuses), [Code::Ok; 4]);
    let second = ask(&mut client, descriptors()).await;
    assert_eq!(codes(&second.statuses), [Code::Ok, Code::OverLimit, Code::Ok, Code::OverLimit]);
    // The refused request was not counted under `c` either.
    let third = ask(&mut client, vec![descriptor("c", Some((5, MINUTE)))]).await;
    assert_eq!(third.statuses[0].limit_remaining, 3);
}

#[tokio::test]
async fn entries_are_kept_apart_whatever_they_hold() {
    let (mut client, _plane) = client().await;
    for key in ["a\",\"b", "a", "\\", ""] {
        let answer = ask(&mut client, vec![descriptor(key, Some((1, MINUTE)))]).await;
        assert_eq!(answer.overall_code, i32::from(Code::Ok), "{key}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let (mut client, _plane) = client().await;
    let refill = RateLimitDescriptor { is_negative_hits: true, ..descriptor("a", Some((1, MINUTE))) };
    let table = [
        RateLimitRequest { domain: String::new(), ..request(vec![descriptor("a", None)]) },
        request(vec![]),
        request(vec![descriptor("a", Some((1, 0)))]),
        request(vec![descriptor("a", Some((1, 99)))]),
        request(vec![descriptor(&"a".repeat(5000), Some((1, MINUTE)))]),
        request(vec![refill]),
        request((0..65).map(|n| descriptor(&n.to_string(), Some((1, MINUTE)))).collect()),
    ];
    for request in table {
        let error = client.should_rate_limit(request.clone()).await.unwrap_err();
        assert_eq!(error.code(), tonic::Code::InvalidArgument, "{request:?}");
    }
}
