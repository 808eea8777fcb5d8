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
use serde_json::json;

use crate::support::Plane;

type Client = RateLimitServiceClient<RateLimitServiceServer<RateLimitService>>;

const MINUTE: i32 = 2;

async fn client() -> (Client, Plane) {
    let plane = Plane::new().await;
    let service = rate_limits(plane.limits.clone(), Arc::clone(&plane.metrics));
    (RateLimitServiceClient::new(service), plane)
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

/// A descriptor as the filter sends it.
fn budget(measure: &str, limit: u64, amount: u64) -> RateLimitDescriptor {
    let entry = |key: &str, value: &str| Entry { key: key.to_owned(), value: value.to_owned() };
    RateLimitDescriptor {
        entries: vec![
            entry("policy", "p"),
            entry("rule", "2"),
            entry("measure", measure),
            entry("key", "user:ada"),
            entry("limit", &limit.to_string()),
        ],
        limit: Some(RateLimitOverride {
            requests_per_unit: u32::try_from(limit).unwrap_or(u32::MAX),
            unit: DAY,
        }),
        hits_addend: Some(envoy_types::pb::google::protobuf::UInt64Value { value: amount }),
        ..RateLimitDescriptor::default()
    }
}

const DAY: i32 = 4;

async fn promised(client: &mut Client, id: &str, descriptors: Vec<RateLimitDescriptor>) -> RateLimitResponse {
    let mut request = tonic::Request::new(request(descriptors));
    request.metadata_mut().insert("x-ai-mesh-decision-id", id.parse().unwrap());
    client.should_rate_limit(request).await.unwrap().into_inner()
}

/// The whole way: what is admitted under a decision's id is settled by its record, shown by REST, and counted.
#[tokio::test]
async fn records_settle_what_was_promised() {
    let (mut client, plane) = client().await;
    let over_32_bits = 10_000_000_000;
    let both = |tokens, cost| vec![budget("tokens", 1000, tokens), budget("cost", over_32_bits, cost)];
    let first = promised(&mut client, "v-d1", both(700, 5_000_000_000)).await;
    assert_eq!(codes(&first.statuses), [Code::Ok; 2]);
    let second = promised(&mut client, "v-d2", both(700, 1)).await;
    assert_eq!(codes(&second.statuses), [Code::OverLimit, Code::Ok]);
    assert_eq!(second.statuses[0].limit_remaining, 300);

    let settlement = |measure: &str, spent| mesh_audit::v1::Settlement {
        policy_id: "p".into(),
        rule: 2,
        measure: measure.into(),
        window_s: 86_400,
        key: "user:ada".into(),
        spent,
    };
    let record = mesh_audit::v1::DecisionRecord {
        settlements: vec![settlement("tokens", Some(120)), settlement("cost", None), settlement("odd", None)],
        ..crate::support::record("d1", "allow")
    };
    plane.intake(1, vec![record]).await;
    let listed = plane.get("/api/v1/limits?policy=p&key=user:ada").await.is(200);
    let tokens = listed["limits"].as_array().unwrap();
    assert_eq!(tokens.len(), 1, "nothing is left of the money: {listed}");
    let (used, left) = (&tokens[0]["used"], &tokens[0]["limit"]);
    assert_eq!((used, left, &tokens[0]["reserved"]), (&120.into(), &1000.into(), &0.into()));
    assert_eq!((&tokens[0]["number"], &tokens[0]["measure"]), (&2.into(), &"tokens".into()));
    // Where its rule stands is told by the policy in force.
    assert_eq!(listed["limits"][0]["rule"], serde_json::Value::Null, "there is no such policy");
    let rule = |most: u64| serde_json::json!({ "rateLimit": { "tokensPerDay": most } });
    let other = serde_json::json!({ "rateLimit": { "tokensPerMinute": 7 } });
    let policy = serde_json::json!({
        "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": "p" },
        "spec": { "rules": [other, rule(1), rule(2), other, rule(1000)] },
    });
    plane.json("PUT", "/api/v1/policies/p", policy).await.is(201);
    let listed = plane.get("/api/v1/limits?policy=p&key=user:ada").await.is(200);
    assert_eq!(listed["limits"][0]["rule"], 4);
    assert_eq!(plane.get("/api/v1/limits?key=user:bob").await.is(200)["limits"], serde_json::json!([]));
    assert_eq!(promised(&mut client, "v-d3", both(880, 1)).await.overall_code, i32::from(Code::Ok));

    let text = plane.get("/metrics").await.text;
    for line in [
        "ai_mesh_limit_settlements_total{outcome=\"spent\"} 1",
        "ai_mesh_limit_settlements_total{outcome=\"released\"} 1",
        "ai_mesh_limit_refusals_total{measure=\"tokens\"} 1",
        "ai_mesh_limit_admitted_total{measure=\"tokens\"} 1580",
        "ai_mesh_limit_reservations_expired_total 0",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

/// Nothing that happens between keeping a record and ending what was promised to it leaves a promise open.
#[tokio::test]
async fn a_record_settles_however_its_report_ends() {
    let (mut client, plane) = client().await;
    let record = |id: &str| mesh_audit::v1::DecisionRecord {
        settlements: vec![mesh_audit::v1::Settlement {
            policy_id: "p".into(),
            rule: 2,
            measure: "tokens".into(),
            window_s: 86_400,
            key: "user:ada".into(),
            spent: None,
        }],
        ..crate::support::record(id, "allow")
    };
    let reserved = async || {
        let listed = plane.get("/api/v1/limits?key=user:ada").await.is(200);
        listed["limits"][0]["reserved"].as_u64().unwrap_or_default()
    };
    for id in ["kept", "given up"] {
        promised(&mut client, &format!("v-{id}"), vec![budget("tokens", 1000, 300)]).await;
    }
    assert_eq!(reserved().await, 600);

    // It was kept, and then the control plane died: the sidecar sends it again.
    plane.report(1, vec![record("kept")]).await;
    plane.intake(1, vec![record("kept")]).await;
    assert_eq!(reserved().await, 300);

    // The sidecar gives the call up as soon as it was made.
    tokio::select! {
        biased;
        () = plane.intake(2, vec![record("given up")]) => panic!("it was not given up"),
        () = std::future::ready(()) => {}
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(reserved().await, 0);
    assert_eq!(plane.decisions.newest_cursor().await.unwrap(), 2);
}

/// What the list leaves out is found by its policy or key.
#[tokio::test]
async fn accounts_are_found_however_many_there_are() {
    let (mut client, plane) = client().await;
    ask(&mut client, vec![descriptor("user:ada", Some((3, MINUTE)))]).await;
    for some in 0..20 {
        let others = (0..60).map(|n| descriptor(&format!("user:{some}-{n}"), Some((3, MINUTE))));
        ask(&mut client, others.collect()).await;
    }
    let all = plane.get("/api/v1/limits").await.is(200);
    assert_eq!((all["limits"].as_array().unwrap().len(), &all["truncated"]), (1000, &json!(true)));
    let found = plane.get("/api/v1/limits?key=user:ada&policy=p").await.is(200);
    assert_eq!((found["limits"].as_array().unwrap().len(), &found["truncated"]), (1, &json!(false)));
    assert_eq!(found["limits"][0]["key"], "user:ada");
}

/// A place that is given back a moment later is waited for; one that is not, is not.
#[tokio::test]
async fn a_place_is_waited_for_a_moment() {
    let (mut client, plane) = client().await;
    let place = || vec![budget("concurrent", 1, 1)];
    assert_eq!(promised(&mut client, "v-a", place()).await.overall_code, i32::from(Code::Ok));
    assert_eq!(promised(&mut client, "b", place()).await.overall_code, i32::from(Code::OverLimit));
    let leaving = mesh_audit::v1::DecisionRecord {
        settlements: vec![mesh_audit::v1::Settlement {
            policy_id: "p".into(),
            rule: 2,
            measure: "concurrent".into(),
            window_s: 86_400,
            key: "user:ada".into(),
            spent: None,
        }],
        ..crate::support::record("a", "allow")
    };
    let (answer, ()) = tokio::join!(promised(&mut client, "c", place()), async {
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        plane.intake(1, vec![leaving]).await;
    });
    assert_eq!(answer.overall_code, i32::from(Code::Ok));
}

#[tokio::test]
async fn prices_are_listed_with_their_source() {
    let (_client, plane) = client().await;
    let prices = plane.get("/api/v1/prices").await.is(200);
    let find = |name: &str| {
        let models = prices["models"].as_array().unwrap();
        models.iter().find(|model| model["model"] == name).cloned().unwrap()
    };
    assert_eq!(
        (find("gpt-4o")["input"].as_f64(), find("gpt-4o")["source"].as_str()),
        (Some(1.0), Some("contract 7"))
    );
    assert!(find("gpt-4o-mini")["date"].as_str().unwrap().starts_with("202"));
    assert_eq!(prices["default"]["output"].as_f64(), Some(75.0));
}

#[tokio::test]
async fn prices_are_set_and_taken_back() {
    let plane = Plane::new().await;
    let price =
        |answer: &serde_json::Value| (answer["input"].as_f64(), answer["origin"].as_str().map(str::to_owned));
    let of = |input: f64, origin: &str| (Some(input), Some(origin.to_owned()));
    let read = async |model: &str| price(&plane.get(&format!("/api/v1/prices/{model}")).await.is(200));
    assert_eq!(read("gpt-4o-2024-08-06").await, of(1.0, "file"));
    assert_eq!(read("gpt-4o-mini").await, of(0.15, "shipped"));
    assert_eq!(read("nobody-lists-me").await, of(15.0, "shipped"));
    let put = async |model: &str, price: serde_json::Value| {
        plane.json("PUT", &format!("/api/v1/prices/{model}"), price).await
    };
    let done =
        put("openai%2Fgpt-4o", json!({ "input": 3, "output": 4, "source": "contract 8" })).await.is(200);
    assert_eq!(
        (&done["changed"], &done["model"], &done["version"]),
        (&json!(true), &json!("gpt-4o"), &json!(1))
    );
    assert_eq!(put("gpt-4o", json!({ "input": 5, "output": 6 })).await.is(200)["version"], 2);
    put("default", json!({ "input": 7, "output": 8 })).await.is(200);
    put("my-model", json!({ "input": 0, "output": 0 })).await.is(200);
    assert_eq!(read("gpt-4o-2024-08-06").await, of(5.0, "set"));
    assert_eq!(read("nobody-lists-me").await, of(7.0, "set"));
    assert_eq!(read("my-model").await, of(0.0, "set"));
    // The sidecars are told, the operator's file with it.
    let bundle = plane.policies.published().unwrap();
    let told = bundle.settings.prices.clone().unwrap();
    assert_eq!((&told["default"]["input"], told["models"].as_array().map(Vec::len)), (&json!(7.0), Some(2)));
    // However the name is written, it is one document.
    let done = put("Default", json!({ "input": 7.5, "output": 8 })).await.is(200);
    assert_eq!((&done["model"], &done["version"]), (&json!("default"), &json!(2)));
    assert_eq!(read("nobody-lists-me").await, of(7.5, "set"));
    assert_eq!(plane.get("/api/v1/prices").await.is(200)["default"]["input"], 7.5);
    // What is no price is refused, and nothing of it shows among the policies.
    put("gpt-4o", json!({ "input": -1, "output": 6 })).await.refused(422, "policy_invalid");
    put("gpt-4o", json!({ "output": 6 })).await.refused(400, "bad_request");
    put(&"x".repeat(200), json!({ "input": 1, "output": 6 })).await.refused(422, "policy_invalid");
    plane.get("/api/v1/policies/price%2Fgpt-4o").await.refused(404, "not_found");
    plane.get("/api/v1/policies/price%2Fgpt-4o/versions").await.refused(404, "not_found");
    for model in ["gpt-4o", "default", "my-model"] {
        plane.send("DELETE", &format!("/api/v1/prices/{model}"), &[], "").await.is(200);
        plane.send("DELETE", &format!("/api/v1/prices/{model}"), &[], "").await.refused(404, "not_found");
    }
    assert_eq!(read("gpt-4o-2024-08-06").await, of(1.0, "file"));
    assert_eq!(read("nobody-lists-me").await, of(15.0, "shipped"));
    assert_eq!(read("my-model").await, of(15.0, "shipped"));
}
