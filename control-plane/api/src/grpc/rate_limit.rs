//! Envoy's rate limit service, version 3: limits that come with the request.
//!
//! A descriptor carries its own limit (`limit` override) and is counted in a sliding window of its unit; one without a limit
//! is answered OK and counted nowhere, as by other servers that know no limit for it. A request is admitted under all its
//! descriptors or counted under none. When nobody can count, the call fails, and the policy's failure mode decides.
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::rate_limit::Unit;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::{
    Code, DescriptorStatus, RateLimit,
};
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::RateLimitService as Service;
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use envoy_types::pb::envoy::r#type::v3::RateLimitUnit;
use mesh_control_core::{Ask, LimitVerdict, Limits, Timestamp};
use tonic::{Request, Response, Status};

use crate::error::causes;
use crate::metrics::Metrics;

/// Most limits one request may fall under, and the longest key: what Redis and memory are asked to hold is bounded.
const MAX_DESCRIPTORS: usize = 64;
const MAX_KEY: usize = 4096;

/// The rate limit service.
pub struct RateLimitService {
    limits: Limits,
    metrics: Arc<Metrics>,
}

impl RateLimitService {
    pub(super) fn new(limits: Limits, metrics: Arc<Metrics>) -> Self {
        RateLimitService { limits, metrics }
    }
}

#[async_trait]
impl Service for RateLimitService {
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        let request = request.into_inner();
        if request.domain.is_empty() || request.descriptors.is_empty() {
            return Err(Status::invalid_argument("a rate limit request needs a domain and a descriptor"));
        }
        if request.descriptors.len() > MAX_DESCRIPTORS {
            return Err(Status::invalid_argument(format!("more than {MAX_DESCRIPTORS} descriptors")));
        }
        let wanted = request
            .descriptors
            .iter()
            .map(|descriptor| wanted(&request.domain, request.hits_addend, descriptor))
            .collect::<Result<Vec<_>, _>>()?;
        let asks: Vec<Ask> = wanted.iter().flatten().map(|(ask, _)| ask.clone()).collect();
        let verdicts = self.limits.admit(&asks, Timestamp::now()).await.map_err(|error| {
            self.metrics.limited(None);
            let causes = causes(&error);
            tracing::error!(%error, causes, "limits could not be counted");
            Status::unavailable("limits can not be counted now")
        })?;
        self.metrics.limited(Some(&verdicts));
        Ok(Response::new(response(&wanted, &verdicts)))
    }
}

/// What a descriptor asks for; none when it carries no limit.
fn wanted(domain: &str, hits: u32, descriptor: &RateLimitDescriptor) -> Result<Option<(Ask, Unit)>, Status> {
    let Some(limit) = &descriptor.limit else { return Ok(None) };
    if descriptor.is_negative_hits {
        return Err(Status::invalid_argument("negative hits are not supported"));
    }
    let (unit, seconds) = match RateLimitUnit::try_from(limit.unit) {
        Ok(RateLimitUnit::Second) => (Unit::Second, 1),
        Ok(RateLimitUnit::Minute) => (Unit::Minute, 60),
        Ok(RateLimitUnit::Hour) => (Unit::Hour, 60 * 60),
        Ok(RateLimitUnit::Day) => (Unit::Day, 24 * 60 * 60),
        _ => return Err(Status::invalid_argument("the limit's unit must be SECOND, MINUTE, HOUR or DAY")),
    };
    let hits = match &descriptor.hits_addend {
        Some(own) => {
            u32::try_from(own.value).map_err(|_| Status::invalid_argument("hits_addend is too large"))?
        }
        None => hits.max(1),
    };
    let entries: Vec<(&str, &str)> =
        descriptor.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect();
    // JSON keeps entries apart whatever characters they hold.
    let key = serde_json::to_string(&(domain, unit as i32, entries))
        .map_err(|_| Status::invalid_argument("the descriptor has no text form"))?;
    if key.len() > MAX_KEY {
        return Err(Status::invalid_argument(format!("a descriptor of more than {MAX_KEY} bytes")));
    }
    let ask = Ask { key, limit: limit.requests_per_unit, window: Duration::from_secs(seconds), hits };
    Ok(Some((ask, unit)))
}

fn response(wanted: &[Option<(Ask, Unit)>], verdicts: &[LimitVerdict]) -> RateLimitResponse {
    let mut verdicts = verdicts.iter();
    let statuses: Vec<DescriptorStatus> = wanted
        .iter()
        .map(|wanted| {
            let limited = wanted.as_ref().and_then(|(ask, unit)| Some((ask, unit, verdicts.next()?)));
            let Some((ask, unit, verdict)) = limited else {
                return DescriptorStatus { code: Code::Ok.into(), ..DescriptorStatus::default() };
            };
            DescriptorStatus {
                code: if verdict.admitted { Code::Ok } else { Code::OverLimit }.into(),
                current_limit: Some(RateLimit {
                    name: String::new(),
                    requests_per_unit: ask.limit,
                    unit: (*unit).into(),
                }),
                limit_remaining: verdict.remaining,
                duration_until_reset: Some(duration(verdict.reset)),
                quota: None,
            }
        })
        .collect();
    let over = statuses.iter().any(|status| status.code == i32::from(Code::OverLimit));
    let overall_code = if over { Code::OverLimit } else { Code::Ok }.into();
    RateLimitResponse { overall_code, statuses, ..RateLimitResponse::default() }
}

fn duration(duration: Duration) -> envoy_types::pb::google::protobuf::Duration {
    envoy_types::pb::google::protobuf::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}
