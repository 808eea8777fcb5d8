//! A dry run on this machine: the control plane's own, over policies in files.

use std::net::IpAddr;

use jiff::Timestamp;
use mesh_control_plane::{SampleRequest, dry_run};
use mesh_policy::{Bundle, BundlePolicy, Secret, Settings};
use serde_json::Value;

use crate::{
    documents::Documents,
    failure::{Exit, Failure, Outcome},
};

/// What is decided about the sample, as the control plane's dry run tells it.
pub(crate) fn run(documents: &Documents, sample: &Value) -> Outcome<Value> {
    let policies = documents.documents.iter().map(|document| BundlePolicy {
        id: document.policy.metadata.name.clone(),
        version: 1,
        policy: document.policy.clone(),
    });
    let settings = Settings {
        sidecar: "dry-run".to_owned(),
        masking_key: Some(Secret::new("dry-run")),
        ..Settings::default()
    };
    let agents = documents.agents.iter().map(|document| (&document.agent).into()).collect();
    let bundle = Bundle {
        version: "0".to_owned(),
        policies: policies.collect(),
        agents,
        settings,
        ..Bundle::default()
    };
    let verdict = dry_run(&bundle, &read(sample)?, Timestamp::now()).map_err(|refused| {
        let lines: Vec<_> = refused.iter().map(ToString::to_string).collect();
        Failure::failed(lines.join("\n")).exit(Exit::Policy)
    })?;
    // Through text: a score is an `f32`, whose short decimal form would be lost in the nearest `f64`.
    let told = serde_json::to_string(&verdict).and_then(|text| serde_json::from_str(&text));
    told.map_err(|error| Failure::failed(format!("the verdict is no JSON: {error}")))
}

fn read(sample: &Value) -> Outcome<SampleRequest> {
    let mut headers = sample["headers"].as_object().into_iter().flatten();
    if let Some((name, value)) = headers.find(|(_, value)| !value.is_string()) {
        return Err(Failure::environment(format!(
            "the sample's header {name:?} is {value}; expected a string"
        )));
    }
    let ip = &sample["source_ip"];
    if !ip.is_null() && ip.as_str().is_none_or(|ip| ip.parse::<IpAddr>().is_err()) {
        return Err(Failure::environment(format!(
            "the sample's source_ip is {ip}; expected one such as \"10.1.2.3\""
        )));
    }
    serde_json::from_value(sample.clone())
        .map_err(|error| Failure::environment(format!("the sample is none that can be tried: {error}")))
}
