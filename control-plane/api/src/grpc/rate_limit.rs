//! Envoy's rate limit service, version 3, with limits that come with the request.
//!
//! A descriptor carries its own limit (the `limit` override) and is counted in a sliding window of its unit (a month is 30 days). A
//! descriptor without a limit is answered OK and counted nowhere, as other servers do that have no limit configured for it. A request
//! is admitted under all its descriptors, or counted under none. When nobody can count, the call fails, and the policy's failure mode
//! decides.
//!
//! In the domain `ai-mesh`, four entries of a descriptor have a meaning: `measure` says what is counted. `limit` is the limit itself,
//! which may exceed the 32 bits of the override, and is not part of the account's name. `lease` asks for a share of the limit to be
//! lent besides; the status's `quota` says what was lent. `told` has the form `SPENT ID`: the current lease, to which the new share is
//! added, and what was spent of it in total. Tokens, money and concurrent requests are reserved under the id in the call's metadata,
//! and settled by the decision's record.
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::{
    RateLimitDescriptor, rate_limit_descriptor::Entry,
};
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::rate_limit::Unit;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::{
    Code, DescriptorStatus, Quota, RateLimit,
};
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::RateLimitService as Service;
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use envoy_types::pb::envoy::r#type::v3::RateLimitUnit;
use mesh_control_core::{Ask, DOMAIN, LimitId, LimitVerdict, Limits, Measure, Told, terms};
use tonic::{Request, Response, Status};

use crate::error::causes;
use crate::metrics::Metrics;
use crate::steady;

/// Descriptors of one request, and bytes of a key: bounds for what Redis and memory are asked to hold.
const MAX_DESCRIPTORS: usize = 64;
const MAX_KEY: usize = 4096;
/// The metadata key of the id under which a request's reservations are settled.
const ID: &str = "x-ai-mesh-decision-id";
const MAX_ID: usize = 128;

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
        let id = request.metadata().get(ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
        let id = id.filter(|id| !id.is_empty() && id.len() <= MAX_ID);
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
        let answer = self.limits.admit(&asks, id.as_deref(), steady::now()).await.map_err(|error| {
            self.metrics.limits.failed();
            let causes = causes(&error);
            tracing::error!(%error, causes, "limits could not be counted");
            Status::unavailable("limits cannot be counted now")
        })?;
        self.metrics.limits.asked(&asks, &answer);
        Ok(Response::new(response(&wanted, &answer.verdicts, id.as_deref())))
    }
}

/// What a descriptor asks for; `None` when it carries no limit.
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
        Ok(RateLimitUnit::Month) => (Unit::Month, 30 * 24 * 60 * 60),
        _ => {
            let message = "the limit's unit must be SECOND, MINUTE, HOUR, DAY or MONTH";
            return Err(Status::invalid_argument(message));
        }
    };
    let amount = descriptor.hits_addend.as_ref().map_or(u64::from(hits.max(1)), |own| own.value);
    let ours = domain == DOMAIN;
    let mut id = LimitId { domain: domain.to_owned(), window_s: seconds, entries: Vec::new() };
    let mut most = u64::from(limit.requests_per_unit);
    let (mut want, mut told) = (0, None);
    for entry in &descriptor.entries {
        match entry.key.as_str() {
            "limit" if ours => most = number(entry)?,
            "lease" if ours => want = number(entry)?,
            "told" if ours => told = Some(goes_on(entry)?),
            _ => id.entries.push((entry.key.clone(), entry.value.clone())),
        }
    }
    let measure = match id.entry("measure").filter(|_| ours) {
        Some(name) => Measure::from_name(name)
            .ok_or_else(|| Status::invalid_argument("the entry `measure` names no measure"))?,
        None => Measure::Requests,
    };
    let key = id.key();
    if key.len() > MAX_KEY {
        return Err(Status::invalid_argument(format!("a descriptor of more than {MAX_KEY} bytes")));
    }
    // A quota has 32 bits.
    let want = want.min(u64::from(u32::MAX));
    Ok(Some((
        Ask { key, terms: terms(measure, most, Duration::from_secs(seconds)), amount, want, told },
        unit,
    )))
}

/// Reads the entry `told`: `SPENT ID`.
fn goes_on(entry: &Entry) -> Result<Told, Status> {
    let told = entry.value.split_once(' ').and_then(|(spent, id)| Some((spent.parse().ok()?, id)));
    match told {
        Some((spent, id)) if !id.is_empty() && id.len() <= 2 * MAX_ID => {
            Ok(Told { id: id.to_owned(), spent })
        }
        _ => {
            Err(Status::invalid_argument("the entry `told` must be what was spent of a lease, and its name"))
        }
    }
}

fn number(entry: &Entry) -> Result<u64, Status> {
    let unreadable =
        |_| Status::invalid_argument(format!("the entry `{}` must be a whole number", entry.key));
    entry.value.parse().map_err(unreadable)
}

fn response(
    wanted: &[Option<(Ask, Unit)>],
    verdicts: &[LimitVerdict],
    id: Option<&str>,
) -> RateLimitResponse {
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
                    requests_per_unit: u32::try_from(ask.terms.limit).unwrap_or(u32::MAX),
                    unit: (*unit).into(),
                }),
                limit_remaining: u32::try_from(verdict.remaining).unwrap_or(u32::MAX),
                duration_until_reset: Some(duration(verdict.reset)),
                quota: id.filter(|_| verdict.lent > 0).map(|id| Quota {
                    requests: u32::try_from(verdict.lent).unwrap_or(u32::MAX),
                    id: ask.lease(id),
                    expiration_specifier: None,
                }),
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
