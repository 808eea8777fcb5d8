//! What a rule went by, as people and programs see it.
use mesh_audit::v1;
use mesh_limits::Measure;
use mesh_policy::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The facts behind a violation. Free of content: types, scores, places and limits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Type of what was found, the detector's rule, the action asked for, who was counted, or that the guard could not run:
    /// `could-not-run`, `judge/could-not-run`.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Where, such as `request:messages[0].content`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// First byte of it, in the text at that place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u32>,
    /// The byte after its last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u32>,
    /// How sure the detector was, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// The score from which it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// A limit that was reached, in what `measure` says; of `cost` in millionths of a US dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// What the limit counts: `requests`, `tokens`, `cost` or `concurrent`; left out for a limit of bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub measure: String,
    /// Seconds until the limit let the next request pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// The entry of a deny list that names what was asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub listed: String,
    /// Amounts that add up to the distance of a scored finding from the operating point; above zero it is found. The scorer
    /// is linear, so they are exact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Access rules that speak of the resource and did not grant it, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<Near>,
}

impl Evidence {
    /// The limit that was reached, as people write it: money in dollars, not in millionths.
    pub(crate) fn limit_told(&self) -> Option<String> {
        let limit = self.limit?;
        Some(match Measure::from_name(&self.measure) {
            Some(Measure::Cost) => format!("{} USD", Money { micros: limit }),
            Some(Measure::Concurrent) => format!("{limit} at a time"),
            Some(Measure::Requests | Measure::Tokens) if limit == 1 => {
                format!("1 {}", self.measure.trim_end_matches('s'))
            }
            Some(Measure::Requests | Measure::Tokens) => format!("{limit} {}", self.measure),
            None => limit.to_string(),
        })
    }
}

/// What a kind of feature adds to a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Part {
    /// The kind of feature, such as `rules` or `word pairs`.
    pub feature: String,
    /// How much it adds.
    pub amount: f32,
}

/// An access rule that did not grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Near {
    /// Its place in the policy's list of rules, counted from 0 as in `spec.rules[0]`.
    pub rule: u32,
    /// What of it did not hold: `action`, `role`, `time`, `network`.
    pub missing: Vec<String>,
}

impl From<v1::Evidence> for Evidence {
    fn from(told: v1::Evidence) -> Self {
        let parts = told.parts.into_iter().map(|part| Part { feature: part.feature, amount: part.amount });
        // Records count places from 1.
        let near = told
            .near
            .into_iter()
            .filter_map(|near| Some(Near { rule: near.rule.checked_sub(1)?, missing: near.missing }));
        Evidence {
            kind: told.r#type,
            place: told.place,
            start: told.start,
            end: told.end,
            score: told.score,
            threshold: told.threshold,
            limit: told.limit,
            measure: told.measure,
            retry_after_s: told.retry_after_s,
            listed: told.listed,
            parts: parts.collect(),
            near: near.collect(),
        }
    }
}
