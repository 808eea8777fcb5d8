//! The `rateLimit` rule: how often, how much at a time, how many tokens and how much money.
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Limits how often somebody may ask, how much may go on at a time, and what it may come to. Every limit is a sliding window:
/// over any interval of its length, no more than that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RateLimitRule {
    /// Who is counted.
    #[serde(default)]
    pub key: LimitKey,
    /// With `key: rego`: a Rego expression over `input`; each value it has is counted apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// Requests admitted in any second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub requests_per_second: Option<u32>,
    /// Requests admitted in any 60 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub requests_per_minute: Option<u32>,
    /// Requests admitted in any hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub requests_per_hour: Option<u32>,
    /// Requests admitted in any 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub requests_per_day: Option<u32>,
    /// Requests admitted on top, in the shortest of the windows of requests that the rule names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Tokens, read and written, in any 60 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub tokens_per_minute: Option<u64>,
    /// Tokens, read and written, in any 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub tokens_per_day: Option<u64>,
    /// Money in any 24 hours, by the price catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>", range(min = 0.000001)))]
    pub cost_per_day: Option<Money>,
    /// Money in any 30 days, by the price catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>", range(min = 0.000001)))]
    pub cost_per_month: Option<Money>,
    /// What the money is.
    #[serde(default, skip_serializing_if = "is_dollar")]
    pub currency: Currency,
    /// Requests that may go on at the same time, from the request to the end of its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10000)))]
    pub max_concurrent: Option<u32>,
    /// How tokens and money are reserved before the answer tells what it took.
    #[serde(default, skip_serializing_if = "is_default_mode")]
    pub mode: LimitMode,
    /// What happens over the limit.
    #[serde(default)]
    pub action: LimitAction,
}

/// Who is counted by a limit. Who is not known by it is counted by the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum LimitKey {
    /// Each agent.
    #[default]
    Agent,
    /// Each user.
    User,
    /// Each session.
    Session,
    /// Each team.
    Team,
    /// Each API key, by its fingerprint.
    Key,
    /// Each address that connections come from.
    Ip,
    /// Each model that is asked.
    Model,
    /// Each tool that is called over MCP; requests that call none are not counted.
    Tool,
    /// Each value of the rule's `expression`.
    Rego,
}

/// What happens over a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum LimitAction {
    /// The request is refused with 429 and `retry-after`.
    #[default]
    Throttle,
    /// The request is refused with 403: trying again is not asked for.
    Deny,
}

/// How tokens and money are reserved, and whether sidecars are lent shares of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum LimitMode {
    /// By an estimate. What an answer takes beyond it is counted, and paid off before anything else is admitted.
    #[default]
    Default,
    /// By an upper bound: nothing is admitted that could pass the limit. Every request asks the control plane.
    Strict,
}

/// The currency of prices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Currency {
    /// US dollars, in which the providers bill.
    #[default]
    #[serde(rename = "USD")]
    Usd,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_dollar(currency: &Currency) -> bool {
    *currency == Currency::Usd
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_default_mode(mode: &LimitMode) -> bool {
    *mode == LimitMode::Default
}

/// An amount of money, exact to a millionth of its unit. In documents it is a number: `50`, `0.25`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money {
    /// Millionths.
    pub micros: u64,
}

impl Money {
    /// The largest amount, a thousand million.
    pub const MAX: f64 = 1e9;

    /// The amount that a number says, rounded to a millionth; none when it is less than that, or over [`Money::MAX`].
    pub fn from_number(number: f64) -> Option<Self> {
        let micros = (number * 1e6).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the bounds are checked: it is a whole number from 1 to 10^15"
        )]
        (micros >= 1.0 && number <= Self::MAX).then_some(Money { micros: micros as u64 })
    }
}

/// As people and documents write it: `50`, `0.25`.
impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, millionths) = (self.micros / 1_000_000, self.micros % 1_000_000);
        if millionths == 0 {
            return write!(f, "{whole}");
        }
        write!(f, "{whole}.{}", format!("{millionths:06}").trim_end_matches('0'))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.micros.is_multiple_of(1_000_000) {
            return serializer.serialize_u64(self.micros / 1_000_000);
        }
        #[expect(clippy::cast_precision_loss, reason = "amounts are at most 10^15, far below 2^53")]
        serializer.serialize_f64(self.micros as f64 / 1e6)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        Money::from_number(number).ok_or_else(|| {
            serde::de::Error::custom("an amount of money is from 0.000001 to a thousand million")
        })
    }
}
