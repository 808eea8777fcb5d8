//! Limits: what the rate limit service is asked, and the effect of its answer.
//!
//! A request is admitted under all its limits or counted under none. Limits of policies that only record must not
//! keep the enforcing ones from counting: if only they refuse, the service is asked again with the enforcing limits
//! alone.
use std::collections::BTreeMap;
use std::rc::Rc;

use mesh_limits::Measure;
use mesh_policy::{Enforcement, LimitAction, LimitKey, LimitMode, Money, RateLimitRule};
use mesh_rego::Rego;
use mesh_wire::{Protocol, RefusalKind};

use crate::Timestamp;
use crate::decision::{GuardState, Severity};
use crate::evidence::{Effect, Evidence, Violation};
use crate::index::Attached;
use crate::input::{Asked, rego_input};
use crate::names::bare_model;
use crate::program::LimitGuard;
use crate::session::{Session, Step};

/// A check of one account by the rate limit service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitCheck {
    /// The limit's policy.
    pub policy: String,
    /// The rule's index among the policy's rules with a limit of this name: edits of other rules do not change the
    /// account.
    pub rule: usize,
    /// The rule's index in that policy.
    pub(crate) place: usize,
    /// The limit's name in the document: `tokensPerDay`.
    pub name: &'static str,
    /// What is counted.
    pub measure: Measure,
    /// Who is counted: `agent:support-1`.
    pub key: String,
    /// How much is admitted in any window, or at a time.
    pub limit: u64,
    /// Length of the window in seconds.
    pub window_s: u64,
    /// How much this request needs.
    pub amount: u64,
    /// Whether the amount is an upper bound.
    pub strict: bool,
    /// Whether exceeding it refuses the request.
    pub enforced: bool,
    pub(crate) action: LimitAction,
}

/// The service's answer to one check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitStatus {
    /// `None` within the limit, otherwise the seconds until a request is admitted again.
    pub over: Option<u64>,
    /// What is left, after this request.
    pub remaining: u64,
}

/// The answer of the rate limit service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitAnswer {
    /// For each check, in order.
    Answered(Vec<LimitStatus>),
    /// No answer in time.
    Unreachable,
}

/// What the agent is told if a limit is exceeded and nothing stricter refuses.
pub(crate) struct Throttled {
    pub(crate) kind: RefusalKind,
    pub(crate) message: String,
    /// The limit, as policy and name.
    pub(crate) limit: String,
}

/// Maximum number of tools counted separately; with more, a limit per tool could not run.
const MAX_TOOLS: usize = 16;
/// Maximum number of a provider's keys in a request; with more, a limit per key could not run.
const MAX_KEYS: usize = 4;

/// The limits of one rule.
pub(crate) fn guards(index: usize, rule: &RateLimitRule, expression: Option<&Rego>) -> Vec<LimitGuard> {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let requests = [
        ("requestsPerSecond", rule.requests_per_second, 1),
        ("requestsPerMinute", rule.requests_per_minute, MINUTE),
        ("requestsPerHour", rule.requests_per_hour, HOUR),
        ("requestsPerDay", rule.requests_per_day, DAY),
    ];
    let mut burst = u64::from(rule.burst.unwrap_or_default());
    let mut limits = Vec::new();
    for (name, limit, window_s) in requests {
        if let Some(limit) = limit {
            // The burst belongs to the shortest window.
            limits.push((name, Measure::Requests, u64::from(limit) + std::mem::take(&mut burst), window_s));
        }
    }
    let spent = [
        ("tokensPerMinute", Measure::Tokens, rule.tokens_per_minute, MINUTE),
        ("tokensPerDay", Measure::Tokens, rule.tokens_per_day, DAY),
        ("costPerDay", Measure::Cost, rule.cost_per_day.map(|money| money.micros), DAY),
        ("costPerMonth", Measure::Cost, rule.cost_per_month.map(|money| money.micros), 30 * DAY),
        ("maxConcurrent", Measure::Concurrent, rule.max_concurrent.map(u64::from), 1),
    ];
    let spent = spent.into_iter().filter_map(|(name, measure, limit, s)| Some((name, measure, limit?, s)));
    limits.extend(spent);
    let guard = |(name, measure, limit, window_s)| LimitGuard {
        rule: index,
        account: 0,
        name,
        key: rule.key,
        expression: expression.cloned().map(Asked::new),
        measure,
        limit,
        window_s,
        mode: rule.mode,
        action: rule.action,
    };
    limits.into_iter().map(guard).collect()
}

/// Numbers the limits of a policy that have the same name.
pub(crate) fn number(limits: &mut [LimitGuard]) {
    let mut next: BTreeMap<&str, usize> = BTreeMap::new();
    for limit in limits {
        let number = next.entry(limit.name).or_default();
        limit.account = *number;
        *number += 1;
    }
}

impl Session {
    /// The rate limit service has answered, or not. `body` is the same as before.
    pub fn limits(&mut self, answer: LimitAnswer, body: &[u8], now: Timestamp) -> Step {
        let checks = std::mem::take(&mut self.asked);
        match answer {
            LimitAnswer::Answered(statuses) if statuses.len() == checks.len() => {
                self.decision.guard("rateLimit", GuardState::Ran);
                // If the enforcing limits are asked again, the others keep their answers.
                self.told.retain(|(check, _)| !check.enforced);
                self.told.extend(checks.iter().cloned().zip(statuses.iter().copied()));
                for (check, status) in checks.iter().zip(&statuses) {
                    if let Some(retry_after_s) = status.over {
                        self.over(check, retry_after_s.max(1));
                    }
                }
                if statuses.iter().all(|status| status.over.is_none()) {
                    let remaining: Vec<u64> = statuses.iter().map(|status| status.remaining).collect();
                    self.promised(&checks, &remaining, body);
                } else if self.throttled.is_none() {
                    let enforced: Vec<LimitCheck> =
                        checks.into_iter().filter(|check| check.enforced).collect();
                    if !enforced.is_empty() {
                        return self.ask(enforced);
                    }
                }
            }
            _ => {
                let applies = Rc::clone(&self.applies);
                let asked = |policy: &Attached| checks.iter().any(|check| check.policy == policy.id);
                for policy in applies.iter().filter(|policy| asked(policy)) {
                    self.guard_failed(policy, "rateLimit", "unreachable");
                }
                self.perhaps_promised(checks, body);
            }
        }
        let step = self.judge(body, now);
        match step {
            Step::Continue => self.as_promised(body).map_or(Step::Continue, Step::Replace),
            Step::Replace(body) => Step::Replace(self.as_promised(&body).unwrap_or(body)),
            step => step,
        }
    }

    /// The accounts that this request counts on.
    pub(crate) fn limit_checks(&mut self, body: &[u8], now: Timestamp) -> Vec<LimitCheck> {
        let applies = Rc::clone(&self.applies);
        let mut checks = Vec::new();
        let mut unpriced = false;
        let mut answers = None;
        for policy in applies.iter() {
            for guard in &policy.limits {
                let strict = guard.mode == LimitMode::Strict;
                if guard.measure == Measure::Concurrent && self.program.settings.foreign_limits {
                    self.guard_failed(policy, "rateLimit", "concurrent");
                    continue;
                }
                let mut estimate = crate::estimate::Estimate::default();
                if guard.measure.is_spent() {
                    if let Some(why) = self.takes_unknown(strict) {
                        self.guard_failed(policy, "rateLimit", why);
                        continue;
                    }
                    let answers = strict.then(|| *answers.get_or_insert_with(|| self.answers(body)));
                    if let Some(Err(why)) = answers {
                        self.guard_failed(policy, "rateLimit", why);
                    }
                    // If a policy that fails open lets pass what has no upper bound, it counts by the estimate.
                    let known = match answers.and_then(Result::ok) {
                        Some(answers) => self.estimate(body, Some(answers)),
                        None => self.estimated(body),
                    };
                    let Some(known) = known else { continue };
                    estimate = known;
                }
                unpriced |= guard.measure == Measure::Cost && self.is_unpriced();
                let amount = self.amount(guard, estimate);
                match self.keys(guard, body, now) {
                    Ok(keys) => checks.extend(keys.into_iter().map(|(key, calls)| {
                        let amount = if guard.measure == Measure::Requests { calls } else { amount };
                        check(policy, guard, key, amount)
                    })),
                    Err(why) => self.guard_failed(policy, "rateLimit", why),
                }
            }
        }
        if unpriced {
            let message =
                "the model is not in the price catalogue: it is counted at the default price".to_owned();
            self.remark("rateLimit", message);
        }
        checks
    }

    /// Asks the service; from now on, the outcome of these checks must be reported to it.
    pub(crate) fn ask(&mut self, checks: Vec<LimitCheck>) -> Step {
        self.asked.clone_from(&checks);
        Step::AskLimits(checks)
    }

    /// Who is counted, and for how many requests: each call of a JSON-RPC batch is one. If the limit's key is unknown
    /// for a request, the agent is counted instead.
    fn keys(
        &self,
        guard: &LimitGuard,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<(String, u64)>, &'static str> {
        let caller = &self.caller;
        let message = self.message.as_ref();
        let known = match guard.key {
            LimitKey::Agent => None,
            LimitKey::User => caller.user.as_ref().map(|user| format!("user:{user}")),
            LimitKey::Session => caller.session.as_ref().map(|session| format!("session:{session}")),
            LimitKey::Team => caller.team.as_ref().map(|team| format!("team:{team}")),
            LimitKey::Key => {
                // Every key in the request is counted: an added key cannot hide the one that pays.
                let shown = self.head.keys(self.protocol);
                if shown.len() > MAX_KEYS {
                    return Err("keys");
                }
                if !shown.is_empty() {
                    let calls = self.calls();
                    return Ok(shown.into_iter().map(|key| (format!("key:{key}"), calls)).collect());
                }
                None
            }
            LimitKey::Ip => self.head.source_ip.map(|ip| format!("ip:{}", ip.to_canonical())),
            LimitKey::Model => message
                .and_then(|message| message.model.as_deref())
                .map(|model| named("model", &bare_model(model))),
            LimitKey::Tool => {
                let called = message.filter(|message| message.mcp);
                let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
                for call in called.into_iter().flat_map(|message| &message.tool_calls) {
                    *calls.entry(call.name.as_str()).or_default() += 1;
                }
                if calls.len() > MAX_TOOLS {
                    return Err("tools");
                }
                return Ok(calls.into_iter().map(|(tool, calls)| (named("tool", tool), calls)).collect());
            }
            LimitKey::Rego => match &guard.expression {
                Some(expression) => {
                    let input = rego_input(self, body, now, None, expression.reads);
                    let text = expression.rego.text(&input).map_err(|_| "expression")?;
                    text.map(|text| named("rego", &text))
                }
                None => None,
            },
        };
        Ok(vec![(known.unwrap_or_else(|| format!("agent:{}", caller.agent)), self.calls())])
    }

    /// How many requests this one counts as. Tool calls that a conversation repeats do not count.
    fn calls(&self) -> u64 {
        let message = self.message.as_ref();
        let rpc = message.filter(|message| message.mcp || message.protocol == Protocol::A2a);
        let calls = rpc.map_or(1, |message| message.rpc_ids.len().max(message.tool_calls.len()).max(1));
        u64::try_from(calls).unwrap_or(u64::MAX)
    }

    fn over(&mut self, check: &LimitCheck, retry_after_s: u64) {
        let applies = Rc::clone(&self.applies);
        let Some(policy) = applies.iter().find(|policy| policy.id == check.policy) else { return };
        let message = check.refusal();
        let effect = match check.action {
            LimitAction::Throttle => Effect::Throttled,
            LimitAction::Deny => Effect::Denied,
        };
        let evidence = Evidence {
            kind: check.key.split(':').next().unwrap_or("agent").to_owned(),
            limit: Some(check.limit),
            measure: Some(check.measure),
            retry_after_s: Some(retry_after_s),
            ..Evidence::default()
        };
        let violation = Violation::new("rateLimit", Severity::Low, message.clone()).by(check.place);
        if !self.raise(policy, violation.with(effect).because(evidence)) {
            return;
        }
        let kind = match check.action {
            LimitAction::Throttle => RefusalKind::Limit { retry_after_s },
            LimitAction::Deny => RefusalKind::Policy,
        };
        // Of several limits, the longest wait is reported: after it, the agent is admitted.
        let wait = |kind: &RefusalKind| match kind {
            RefusalKind::Limit { retry_after_s } => *retry_after_s,
            _ => u64::MAX,
        };
        if self.throttled.as_ref().is_none_or(|known| wait(&known.kind) < wait(&kind)) {
            self.throttled =
                Some(Throttled { kind, message, limit: format!("{}/{}", check.policy, check.name) });
        }
    }

    /// Records which limit ended a stream.
    pub(crate) fn note_spent(&mut self, check: &LimitCheck, message: String) {
        let applies = Rc::clone(&self.applies);
        if let Some(policy) = applies.iter().find(|policy| policy.id == check.policy && check.enforced) {
            self.object(policy, "rateLimit", Severity::Low, format!("{}: {message}", check.name));
        }
    }
}

/// The maximum length of a model or tool name: the agent chooses them.
const MAX_NAME: usize = 128;

/// Who is counted, with a name of at most that length.
fn named(kind: &str, name: &str) -> String {
    let name: String = name.chars().take(MAX_NAME).collect();
    format!("{kind}:{name}")
}

fn check(policy: &Attached, guard: &LimitGuard, key: String, amount: u64) -> LimitCheck {
    LimitCheck {
        policy: policy.id.clone(),
        rule: guard.account,
        place: guard.rule,
        name: guard.name,
        measure: guard.measure,
        key,
        limit: guard.limit,
        window_s: guard.window_s,
        amount,
        strict: guard.mode == LimitMode::Strict,
        enforced: policy.enforcement == Enforcement::Blocking,
        action: guard.action,
    }
}

impl LimitCheck {
    /// A check that needs nothing for a request, only a loan.
    pub fn to_borrow(
        policy: String,
        rule: usize,
        measure: Measure,
        key: String,
        limit: u64,
        window_s: u64,
    ) -> Self {
        LimitCheck {
            policy,
            rule,
            place: 0,
            name: "",
            measure,
            key,
            limit,
            window_s,
            amount: 0,
            strict: false,
            enforced: true,
            action: LimitAction::Throttle,
        }
    }

    /// What the agent is told.
    fn refusal(&self) -> String {
        let who = match self.key.split(':').next() {
            Some("rego") => "value of the rule's expression",
            who => who.unwrap_or("agent"),
        };
        let (policy, name, limit) = (&self.policy, self.name, self.limit);
        let window = match self.window_s {
            1 => "second",
            60 => "minute",
            3600 => "hour",
            86_400 => "day",
            _ => "30 days",
        };
        let said = match self.measure {
            Measure::Requests => format!("at most {limit} requests in any {window} by this {who}"),
            Measure::Concurrent => format!("at most {limit} requests at a time by this {who}"),
            Measure::Tokens => {
                format!(
                    "at most {limit} tokens in any {window} by this {who}, and this request may take {}",
                    self.amount
                )
            }
            Measure::Cost => {
                let (limit, amount) = (Money { micros: limit }, Money { micros: self.amount });
                format!(
                    "at most {limit} USD in any {window} by this {who}, and this request may cost {amount} USD"
                )
            }
        };
        format!("limit {name} of policy {policy}: {said}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_known_by_what_its_limit_is_not_by_where_its_rule_stands() {
        let minute = RateLimitRule { requests_per_minute: Some(9), ..RateLimitRule::default() };
        let both = RateLimitRule { requests_per_day: Some(9), ..minute.clone() };
        let (minutes, days) = ("requestsPerMinute", "requestsPerDay");
        // Indices of rules in a document, and the account numbers of their limits.
        type Row<'a> = (&'a [(usize, &'a RateLimitRule)], &'a [(&'a str, usize)]);
        let table: &[Row] = &[
            (&[(0, &both)], &[(minutes, 0), (days, 0)]),
            (&[(3, &both)], &[(minutes, 0), (days, 0)]),
            (&[(1, &minute), (4, &both)], &[(minutes, 0), (minutes, 1), (days, 0)]),
        ];
        for (rules, expected) in table {
            let mut limits: Vec<LimitGuard> =
                rules.iter().flat_map(|(place, rule)| guards(*place, rule, None)).collect();
            number(&mut limits);
            let numbers: Vec<_> = limits.iter().map(|limit| (limit.name, limit.account)).collect();
            assert_eq!(numbers, *expected);
        }
    }
}
