//! Trying policies on a sample request, without sending it anywhere.
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decision::{Finding, GuardOutcomes, PolicyRef, Violation};

/// A request to try policies on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleRequest {
    /// HTTP method; `POST` when not given.
    #[serde(default = "post")]
    pub method: String,
    /// Path, with the query if there is one.
    pub path: String,
    /// Headers. `content-type: application/json` is added when there is a body and none is given. Those that name the caller
    /// (`x-ai-mesh-agent`, `-user`, `-roles` …) are believed.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body: a string is taken as it is, anything else as JSON.
    #[serde(default)]
    pub body: Option<serde_json::Value>,
    /// Agent the request comes from, as if its identity were verified; stronger than the header.
    #[serde(default)]
    pub agent: Option<String>,
    /// Address the request comes from; `127.0.0.1` when not given.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "10.1.2.3")]
    pub source_ip: Option<IpAddr>,
}

fn post() -> String {
    "POST".to_owned()
}

impl SampleRequest {
    /// The body's bytes.
    pub fn body_bytes(&self) -> Vec<u8> {
        match &self.body {
            None => Vec::new(),
            Some(serde_json::Value::String(text)) => text.clone().into_bytes(),
            Some(value) => value.to_string().into_bytes(),
        }
    }

    /// A header's value, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What would have happened (the blueprint's decision response, section 2.5, and what contracts adds to it).
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DryRun {
    /// `allow`, `allow_with_modifications`, `deny` or `throttle`.
    pub decision: String,
    /// What would go upstream instead, when the decision is `allow_with_modifications`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modifications: Option<Modifications>,
    /// Violations that were enforced or recorded.
    pub policy_violations: Vec<Violation>,
    /// Violations of advisory policies, and everything else worth knowing.
    pub warnings: Vec<Violation>,
    /// Time spent deciding, in milliseconds. Rate limits are not counted: a dry run is within them.
    pub execution_time_ms: f64,
    /// The protocol the request was read as.
    pub protocol: String,
    /// What was asked for.
    pub operation: String,
    /// The model asked; empty when there is none.
    pub model: String,
    /// The policies that applied.
    pub policies: Vec<PolicyRef>,
    /// What each guard did.
    pub guards: GuardOutcomes,
    /// What was found.
    pub findings: Vec<Finding>,
    /// HTTP status of the refusal, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Body of the refusal, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<serde_json::Value>,
}

/// The rewritten request.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Modifications {
    /// The body that would go upstream: JSON when it is JSON, else text.
    pub body: serde_json::Value,
}
