//! Who may call what over gRPC: one row for every method that is served.
use crate::support::{Data, call, channel};

const UNAUTHENTICATED: u8 = 16;
const UNIMPLEMENTED: u8 = 12;

/// Every method. A method of our own services without a row fails the test.
const METHODS: [&str; 4] = [
    "/ai_mesh.v1.DecisionIntake/Report",
    "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit",
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
];

/// The methods of the generated server.
fn generated() -> Vec<&'static str> {
    let source = include_str!("../../api/src/generated/ai_mesh.v1.rs");
    source.split('"').filter(|text| text.starts_with("/ai_mesh.v1.")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_method_has_a_row_and_asks_for_the_sidecar_token() {
    let generated = generated();
    assert!(!generated.is_empty());
    for method in generated {
        assert!(METHODS.contains(&method), "{method} has no row");
    }
    let data = Data::new();
    let plane = data.start().await;
    let mut channel = channel(&plane).await;
    let right = format!("Bearer {}", data.sidecar_token());
    let admin = format!("Bearer {}", plane.admin_token().secret());
    for method in METHODS {
        for wrong in [None, Some("Bearer 0123456789abcdef"), Some(admin.as_str()), Some("Bearer ")] {
            assert_eq!(call(&mut channel, method, wrong).await, UNAUTHENTICATED, "{method} with {wrong:?}");
        }
        let status = call(&mut channel, method, Some(&right)).await;
        assert!(status != UNAUTHENTICATED && status != UNIMPLEMENTED, "{method} with the token: {status}");
    }
    // What is not there is no secret to a sidecar, and nothing to others.
    assert_eq!(call(&mut channel, "/a.B/C", None).await, UNAUTHENTICATED);
    assert_eq!(call(&mut channel, "/a.B/C", Some(&right)).await, UNIMPLEMENTED);
    plane.stop().await;
}
