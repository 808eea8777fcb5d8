//! Limits: what the rate limit service is asked, and what its answer does.
use std::rc::Rc;

use mesh_policy::LimitKey;
use mesh_wire::RefusalKind;

use crate::Timestamp;
use crate::decision::{GuardState, Severity};
use crate::evidence::{Effect, Evidence, Violation};
use crate::program::LimitCheck;
use crate::session::{Session, Step};

/// What the rate limit service said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitAnswer {
    /// For each check in order: `None` within the limit, else the seconds until a request is admitted again.
    Answered(Vec<Option<u64>>),
    /// Nothing, in time.
    Unreachable,
}

impl Session {
    /// The rate limit service has answered, or not. `body` is the same as before.
    pub fn limits(&mut self, answer: LimitAnswer, body: &[u8], now: Timestamp) -> Step {
        let applies = Rc::clone(&self.applies);
        let checks = self.limit_checks();
        match answer {
            LimitAnswer::Answered(answers) if answers.len() == checks.len() => {
                for (check, over) in checks.iter().zip(answers) {
                    let Some(policy) = applies.iter().find(|policy| policy.id == check.policy) else {
                        continue;
                    };
                    self.decision.guard("rateLimit", GuardState::Ran);
                    let Some(retry_after_s) = over else { continue };
                    let message = format!(
                        "more than {} requests a minute by this {}",
                        check.requests_per_minute,
                        who(&check.key)
                    );
                    let evidence = Evidence {
                        kind: who(&check.key).to_owned(),
                        limit: Some(u64::from(check.requests_per_minute)),
                        retry_after_s: Some(retry_after_s.max(1)),
                        ..Evidence::default()
                    };
                    let violation =
                        Violation::new("rateLimit", Severity::Low, message.clone()).by(check.rule);
                    if self.raise(policy, violation.with(Effect::Throttled).because(evidence)) {
                        self.throttled =
                            Some((RefusalKind::Limit { retry_after_s: retry_after_s.max(1) }, message));
                    }
                }
            }
            _ => {
                for policy in applies.iter().filter(|policy| !policy.limits.is_empty()) {
                    self.guard_failed(policy, "rateLimit", "unreachable");
                }
            }
        }
        self.judge(body, now)
    }

    /// The counters that this request counts on.
    pub(crate) fn limit_checks(&self) -> Vec<LimitCheck> {
        let mut checks = Vec::new();
        for policy in self.applies.iter() {
            for limit in &policy.limits {
                let known = |value: &Option<String>, kind: &str| {
                    value.as_ref().map(|value| format!("{kind}:{value}"))
                };
                // Who is not known by the key of a limit is counted by the agent, never let off.
                let key = match limit.key {
                    LimitKey::Agent => None,
                    LimitKey::User => known(&self.caller.user, "user"),
                    LimitKey::Key => known(&self.caller.key, "key"),
                };
                checks.push(LimitCheck {
                    policy: policy.id.clone(),
                    rule: limit.rule,
                    key: key.unwrap_or_else(|| format!("agent:{}", self.caller.agent)),
                    requests_per_minute: limit.per_minute,
                });
            }
        }
        checks
    }
}

fn who(key: &str) -> &str {
    key.split(':').next().unwrap_or("agent")
}
