//! The part of Envoy's rate limit service, version 3, that the filter uses.
//!
//! Field numbers are those of `envoy/service/ratelimit/v3/rls.proto`, `envoy/extensions/common/ratelimit/v3/ratelimit.proto`
//! and `envoy/type/v3/ratelimit_unit.proto`; the full set of Envoy's messages would triple the module.
use mesh_engine::{LimitAnswer, LimitCheck, LimitStatus};
use mesh_limits::Borrow;
use prost::Message;

use crate::host::GrpcMethod;
use crate::lease::Lent;

pub(crate) const SHOULD_RATE_LIMIT: GrpcMethod =
    GrpcMethod { service: "envoy.service.ratelimit.v3.RateLimitService", name: "ShouldRateLimit" };
/// Metadata key of the call: the id under which reservations are settled later.
pub(crate) const ID: &str = "x-ai-mesh-decision-id";
const DOMAIN: &str = "ai-mesh";
/// `RateLimitResponse.Code`.
const OK: i32 = 1;
const OVER_LIMIT: i32 = 2;
/// What a client is told to wait when the service does not say how long.
const DEFAULT_RETRY_S: u64 = 60;

#[derive(Clone, PartialEq, Message)]
struct RateLimitRequest {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(message, repeated, tag = "2")]
    descriptors: Vec<Descriptor>,
    #[prost(uint32, tag = "3")]
    hits_addend: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Descriptor {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
    #[prost(message, optional, tag = "2")]
    limit: Option<Override>,
    #[prost(message, optional, tag = "3")]
    hits_addend: Option<UInt64Value>,
}

#[derive(Clone, PartialEq, Message)]
struct UInt64Value {
    #[prost(uint64, tag = "1")]
    value: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Override {
    #[prost(uint32, tag = "1")]
    requests_per_unit: u32,
    #[prost(int32, tag = "2")]
    unit: i32,
}

#[derive(Clone, PartialEq, Message)]
struct RateLimitResponse {
    #[prost(int32, tag = "1")]
    overall_code: i32,
    #[prost(message, repeated, tag = "2")]
    statuses: Vec<DescriptorStatus>,
}

#[derive(Clone, PartialEq, Message)]
struct DescriptorStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(uint32, tag = "3")]
    limit_remaining: u32,
    #[prost(message, optional, tag = "4")]
    duration_until_reset: Option<Duration>,
    #[prost(message, optional, tag = "5")]
    quota: Option<Quota>,
}

/// What the service lends.
#[derive(Clone, PartialEq, Message)]
struct Quota {
    #[prost(uint32, tag = "1")]
    requests: u32,
    #[prost(string, tag = "3")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct Duration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The request in a form that any rate limit service understands: entries that name the limit and its key, the limit
/// itself, the hits.
pub(crate) fn ask_plainly(checks: &[LimitCheck]) -> Vec<u8> {
    let descriptors = checks.iter().map(|check| Descriptor {
        entries: vec![
            entry("policy", check.policy.clone()),
            entry("rule", check.rule.to_string()),
            entry("limit", check.name.to_owned()),
            entry("key", check.key.clone()),
        ],
        ..limited(check)
    });
    encoded(descriptors.collect())
}

/// The request to our own control plane. `borrows` is what each check wants to borrow in addition.
pub(crate) fn ask(checks: &[LimitCheck], borrows: &[Option<Borrow>]) -> Vec<u8> {
    let descriptors = checks.iter().zip(borrows).map(|(check, borrow)| Descriptor {
        entries: [
            entry("policy", check.policy.clone()),
            entry("rule", check.rule.to_string()),
            entry("measure", check.measure.as_str().to_owned()),
            entry("key", check.key.clone()),
            entry("limit", check.limit.to_string()),
        ]
        .into_iter()
        .chain(borrow.iter().map(|borrow| entry("lease", borrow.want.to_string())))
        .chain(borrow.iter().filter_map(|borrow| {
            let spent = borrow.spent?;
            Some(entry("told", format!("{spent} {}", borrow.id)))
        }))
        .collect(),
        ..limited(check)
    });
    encoded(descriptors.collect())
}

fn entry(key: &str, value: String) -> Entry {
    Entry { key: key.to_owned(), value }
}

fn limited(check: &LimitCheck) -> Descriptor {
    Descriptor {
        entries: Vec::new(),
        limit: Some(Override {
            requests_per_unit: u32::try_from(check.limit).unwrap_or(u32::MAX),
            unit: unit(check.window_s),
        }),
        hits_addend: Some(UInt64Value { value: check.amount }),
    }
}

fn encoded(descriptors: Vec<Descriptor>) -> Vec<u8> {
    RateLimitRequest { domain: DOMAIN.to_owned(), descriptors, hits_addend: 1 }.encode_to_vec()
}

/// Reads the answer and what it lends. A server that sends no status for each descriptor decides for all of them at once.
pub(crate) fn read(answer: &[u8], checks: usize) -> (LimitAnswer, Vec<Lent>) {
    let Ok(answer) = RateLimitResponse::decode(answer) else {
        return (LimitAnswer::Unreachable, Vec::new());
    };
    let said = |status: &DescriptorStatus| LimitStatus {
        over: (status.code == OVER_LIMIT).then(|| seconds(status)),
        remaining: u64::from(status.limit_remaining),
    };
    if answer.statuses.len() == checks && checks > 0 {
        let lent = answer.statuses.iter().enumerate().filter_map(|(check, status)| {
            let quota = status.quota.as_ref().filter(|quota| quota.requests > 0)?;
            Some(Lent { check, id: quota.id.clone(), amount: u64::from(quota.requests) })
        });
        let lent = lent.collect();
        return (LimitAnswer::Answered(answer.statuses.iter().map(said).collect()), lent);
    }
    let all = |over| LimitAnswer::Answered(vec![LimitStatus { over, remaining: 0 }; checks]);
    let answer = match answer.overall_code {
        OVER_LIMIT => all(Some(DEFAULT_RETRY_S)),
        OK => all(None),
        _ => LimitAnswer::Unreachable,
    };
    (answer, Vec::new())
}

/// The `RateLimitUnit` of a window.
fn unit(window_s: u64) -> i32 {
    match window_s {
        1 => 1,
        60 => 2,
        3600 => 3,
        86_400 => 4,
        _ => 5,
    }
}

/// Rounded up, so that a client that waits this long is admitted.
fn seconds(status: &DescriptorStatus) -> u64 {
    let Some(wait) = &status.duration_until_reset else { return DEFAULT_RETRY_S };
    u64::try_from(wait.seconds).unwrap_or_default() + u64::from(wait.nanos > 0)
}
