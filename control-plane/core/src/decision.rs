//! A decision as people and programs see it, and how to ask for many of them.
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use mesh_audit::v1;
use mesh_engine::{COULD_NOT_RUN, JUDGE_COULD_NOT_RUN};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::evidence::Evidence;

/// What each guard that applied did: `ran`, `skipped:<why>` or `failed:<why>`, by the guard's name.
pub type GuardOutcomes = BTreeMap<String, String>;

/// One decision. Free of content: findings by type, count and place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// Id of the decision, as in the response header `x-ai-mesh-decision-id`.
    pub decision_id: String,
    /// When, by the sidecar's clock.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// Node id of the sidecar that decided.
    pub sidecar: String,
    /// Who asked.
    pub agent_id: String,
    /// For whom; empty when not known.
    pub user_id: String,
    /// In which session; empty when not known.
    pub session_id: String,
    /// Protocol the request was read as, such as `openai-chat`, `anthropic-messages`, `mcp`, `json`.
    pub protocol: String,
    /// What was asked for, such as `chat`, `embeddings`, `tools/call`.
    pub operation: String,
    /// The model asked; empty when there is none.
    pub model: String,
    /// `allow`, `allow_with_modifications`, `deny` or `throttle`.
    pub decision: String,
    /// The policies that applied, with their versions.
    pub policies: Vec<PolicyRef>,
    /// What each guard that applied did.
    pub guards: GuardOutcomes,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Violations, enforced or recorded.
    pub policy_violations: Vec<Violation>,
    /// Violations of advisory policies.
    pub warnings: Vec<Violation>,
    /// HTTP status the agent saw.
    pub status: u32,
    /// Time spent deciding, in milliseconds.
    pub execution_time_ms: f64,
    /// HMAC-SHA-256 of the request body as received, hex; empty when none was read, or fingerprints are not asked for.
    pub request_hash: String,
    /// HMAC-SHA-256 of the response body as sent on, hex; empty when none was read, or fingerprints are not asked for.
    pub response_hash: String,
    /// HTTP method.
    pub method: String,
    /// Path without its query.
    pub path: String,
    /// Address the request came from.
    pub source_ip: String,
    /// Roles the caller had.
    pub roles: Vec<String>,
    /// Tools the request offered or called, by name.
    pub tools: Vec<String>,
    /// Wasm VM (worker) that decided.
    pub vm: String,
    /// Number of the decision in its VM, counted from 1.
    pub sequence: u64,
    /// What the model read and wrote, where the answer tells or a limit asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TokenUsage>,
}

/// Tokens of one exchange with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenUsage {
    /// Read, those from a cache among them.
    pub input_tokens: u64,
    /// Of those read: from a cache.
    pub cached_tokens: u64,
    /// Of those read: written to a cache.
    pub cache_write_tokens: u64,
    /// Written, those of reasoning among them.
    pub output_tokens: u64,
    /// Of those written: reasoning that is not shown.
    pub reasoning_tokens: u64,
    /// Whether the provider did not say, so that this is an estimate.
    pub estimated: bool,
    /// What they cost in millionths of a US dollar, where a limit asks; else 0.
    pub cost_usd_micros: u64,
}

impl From<v1::Usage> for TokenUsage {
    fn from(said: v1::Usage) -> Self {
        TokenUsage {
            input_tokens: said.input_tokens,
            cached_tokens: said.cached_tokens,
            cache_write_tokens: said.cache_write_tokens,
            output_tokens: said.output_tokens,
            reasoning_tokens: said.reasoning_tokens,
            estimated: said.estimated,
            cost_usd_micros: said.cost_usd_micros,
        }
    }
}

/// A policy version that applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyRef {
    /// The policy's name.
    pub id: String,
    /// Its version.
    pub version: u64,
}

/// Something found: its type, count and place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Type, such as `email`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many.
    pub count: u32,
    /// Where, such as `request:messages[0].content`.
    pub place: String,
    /// The highest score among them, from 0 to 1.
    #[serde(default)]
    pub score: f32,
}

/// A rule that was broken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Violation {
    /// The policy.
    pub policy_id: String,
    /// The guard that saw it.
    pub guard: String,
    /// `low`, `medium` or `high`.
    pub severity: String,
    /// What happened, free of content.
    pub message: String,
    /// The rule's place in the policy's list, counted from 0 as in `spec.rules[0]`; left out where no single rule is to blame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<u32>,
    /// What came of it: `recorded`, `modified`, `throttled` or `denied`.
    #[serde(default)]
    pub effect: String,
    /// The evidence for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

impl Violation {
    /// Whether the violation is that a guard, or a judge, could not run.
    pub(crate) fn could_not_run(&self) -> bool {
        let kind = self.evidence.as_ref().map_or("", |evidence| &evidence.kind);
        [COULD_NOT_RUN, JUDGE_COULD_NOT_RUN].contains(&kind)
    }
}

impl From<v1::Violation> for Violation {
    fn from(said: v1::Violation) -> Self {
        Violation {
            policy_id: said.policy_id,
            guard: said.guard,
            severity: said.severity,
            message: said.message,
            // Records count places from 1.
            rule: said.rule.checked_sub(1),
            effect: said.effect,
            evidence: said.evidence.map(Evidence::from),
        }
    }
}

impl Decision {
    /// The decision that a kept record describes.
    ///
    /// A record without an id is named after its place, `<vm>-<sequence>`, so that it can still be asked for.
    pub fn from_record(sidecar: &str, vm: &str, sequence: u64, record: v1::DecisionRecord) -> Self {
        let decision_id = record_id(vm, sequence, &record);
        Decision {
            decision_id,
            time: record_time(&record),
            sidecar: sidecar.to_owned(),
            agent_id: record.agent_id,
            user_id: record.user_id,
            session_id: record.session_id,
            protocol: record.protocol,
            operation: record.operation,
            model: record.model,
            decision: record.decision,
            policies: record
                .policies
                .into_iter()
                .map(|policy| PolicyRef { id: policy.id, version: policy.version })
                .collect(),
            guards: record.guards.into_iter().map(|guard| (guard.guard, guard.outcome)).collect(),
            findings: record
                .findings
                .into_iter()
                .map(|found| Finding {
                    kind: found.r#type,
                    count: found.count,
                    place: found.place,
                    score: found.score,
                })
                .collect(),
            policy_violations: record.violations.into_iter().map(Violation::from).collect(),
            warnings: record.warnings.into_iter().map(Violation::from).collect(),
            status: record.status,
            #[expect(
                clippy::cast_precision_loss,
                reason = "microseconds of one decision are far below 2^52"
            )]
            execution_time_ms: record.execution_us as f64 / 1000.0,
            request_hash: record.request_hash,
            response_hash: record.response_hash,
            method: record.method,
            path: record.path,
            source_ip: record.source_ip,
            roles: record.roles,
            tools: record.tools,
            vm: vm.to_owned(),
            sequence,
            usage: record.usage.map(TokenUsage::from),
        }
    }
}

/// Id of a record, or the one it is given when it has none.
pub fn record_id(vm: &str, sequence: u64, record: &v1::DecisionRecord) -> String {
    if record.decision_id.is_empty() { format!("{vm}-{sequence}") } else { record.decision_id.clone() }
}

/// Time of a record; the latest representable instant when its clock is out of all bounds.
pub fn record_time(record: &v1::DecisionRecord) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(record.time_ns)).unwrap_or(Timestamp::MAX)
}

/// Which decisions, and how many.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecisionFilter {
    /// Of this agent.
    pub agent: Option<String>,
    /// With this outcome: `allow`, `allow_with_modifications`, `deny`, `throttle`.
    pub decision: Option<String>,
    /// To which this policy applied.
    pub policy: Option<String>,
    /// To which this guard applied (whether it ran or not: its outcome says so).
    pub guard: Option<String>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Only decisions before this place (paging towards older ones).
    pub before: Option<Place>,
    /// Only records kept after the one with this cursor, as they came (following).
    pub after: Option<u64>,
    /// At most this many.
    pub limit: u32,
}

/// A place among the decisions in the order in which they were made. It says itself where it is: the record that was there may
/// have been forgotten since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The time of the decision.
    pub time: Timestamp,
    /// The cursor of its record: it orders those of one time.
    pub cursor: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.time.as_nanosecond(), self.cursor)
    }
}

/// A text that names no place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the nanoseconds of a time, `-` and a number")]
pub struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (time, cursor) = text.split_once('-').ok_or(NoPlace)?;
        let time = time.parse().ok().and_then(|time| Timestamp::from_nanosecond(time).ok());
        let cursor = cursor.parse().map_err(|_| NoPlace)?;
        time.map(|time| Place { time, cursor }).ok_or(NoPlace)
    }
}

/// Some decisions and where to go on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecisionPage {
    /// The decisions, each with its cursor.
    pub decisions: Vec<(u64, Decision)>,
    /// Whether there are more in this direction.
    pub more: bool,
}

impl DecisionPage {
    /// The place of the last decision, where there are more: of a list from the newest on, the older ones are before it.
    pub fn older(&self) -> Option<Place> {
        let last = self.decisions.last().filter(|_| self.more);
        last.map(|(cursor, decision)| Place { time: decision.time, cursor: *cursor })
    }
}

/// Records that a VM numbered but that never arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gap {
    /// Node id of the sidecar.
    pub sidecar: String,
    /// The wasm VM.
    pub vm: String,
    /// First missing number.
    pub from_sequence: u64,
    /// Last missing number.
    pub to_sequence: u64,
    /// When the gap was noticed.
    #[schema(value_type = String, format = DateTime)]
    pub noticed: Timestamp,
}

impl Gap {
    /// How many records are missing.
    pub fn missing(&self) -> u64 {
        (self.to_sequence - self.from_sequence).saturating_add(1)
    }

    /// What remains of the gap once the records from `first` to `last` have arrived.
    pub fn without(&self, first: u64, last: u64) -> Vec<Gap> {
        let mut rest = Vec::new();
        if self.from_sequence < first {
            rest.push(Gap { to_sequence: self.to_sequence.min(first - 1), ..self.clone() });
        }
        if last < self.to_sequence {
            rest.push(Gap { from_sequence: self.from_sequence.max(last + 1), ..self.clone() });
        }
        rest
    }
}
