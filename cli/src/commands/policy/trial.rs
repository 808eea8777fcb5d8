//! A dry run on this machine: the very compiler and sessions that the sidecars run, over policies in files.

use std::{net::Ipv4Addr, rc::Rc, time::SystemTime};

use mesh_engine::{Detector, RequestHead, SampleRequest, Verdict, Violation};
use mesh_policy::{Bundle, BundlePolicy, Secret, Settings};
use serde_json::{Map, Value, json};

use crate::{
    documents::Documents,
    failure::{Exit, Failure, Outcome},
};

/// What is decided about the sample; in the form in which the control plane's dry run tells it.
pub(crate) fn run(documents: &Documents, sample: &Value) -> Outcome<Value> {
    let policies = documents.documents.iter().map(|document| BundlePolicy {
        id: document.policy.metadata.name.clone(),
        version: 1,
        policy: document.policy.clone(),
    });
    // Whoever tries a policy may say who asks.
    let settings = Settings {
        sidecar: "dry-run".to_owned(),
        trust_identity_headers: true,
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
    let program = mesh_engine::compile(&bundle, Rc::new(Detector::new())).map_err(|refused| {
        let lines: Vec<_> = refused.iter().map(ToString::to_string).collect();
        Failure::failed(lines.join("\n")).exit(Exit::Policy)
    })?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let now = u64::try_from(now).unwrap_or(u64::MAX);
    Ok(told(mesh_engine::dry_run(&Rc::new(program), &request(sample)?, now)))
}

fn request(sample: &Value) -> Outcome<SampleRequest> {
    let mut headers = Vec::new();
    for (name, value) in sample["headers"].as_object().into_iter().flatten() {
        let Some(value) = value.as_str() else {
            return Err(Failure::environment(format!(
                "the sample's header {name:?} is {value}; expected a string"
            )));
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let body = match &sample["body"] {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        body => body.to_string().into_bytes(),
    };
    if !body.is_empty() && !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    let source_ip = match &sample["source_ip"] {
        Value::Null => Ipv4Addr::LOCALHOST.into(),
        ip => ip.as_str().and_then(|ip| ip.parse().ok()).ok_or_else(|| {
            Failure::environment(format!("the sample's source_ip is {ip}; expected one such as \"10.1.2.3\""))
        })?,
    };
    let head = RequestHead {
        method: sample["method"].as_str().unwrap_or("POST").to_owned(),
        path: sample["path"].as_str().unwrap_or("/").to_owned(),
        headers,
        source_ip: Some(source_ip),
        // As if it were verified.
        principal: sample["agent"].as_str().map(str::to_owned),
        cluster: None,
    };
    Ok(SampleRequest { head, body })
}

fn told(verdict: Verdict) -> Value {
    let decision = verdict.decision;
    let violation = |said: &Violation| {
        json!({ "policy_id": said.policy_id, "guard": said.guard, "severity": said.severity.as_str(), "message": said.message,
        "rule": said.rule.map_or(0, |rule| rule + 1), "effect": said.effect.as_str() })
    };
    let violations = |said: &[Violation]| said.iter().map(violation).collect::<Vec<_>>();
    let guards: Map<_, _> = decision
        .guards
        .iter()
        .map(|(guard, state)| ((*guard).to_owned(), state.to_string().into()))
        .collect();
    let findings = decision.findings.iter();
    let findings = findings.map(|f| json!({ "type": f.kind, "count": f.count, "place": f.place }));
    let policies =
        decision.policies.iter().map(|policy| json!({ "id": policy.id, "version": policy.version }));
    let mut told = json!({
        "decision": decision.outcome.as_str(), "protocol": decision.protocol, "operation": decision.operation,
        "model": decision.model, "policies": policies.collect::<Vec<_>>(), "guards": guards,
        "findings": findings.collect::<Vec<_>>(), "policy_violations": violations(&decision.violations),
        "warnings": violations(&decision.warnings),
    });
    if let Some(body) = verdict.rewritten {
        told["modifications"] = json!({ "body": readable(&body) });
    }
    if let Some((status, body)) = verdict.refusal {
        told["status"] = status.into();
        told["refusal"] = readable(&body);
    }
    told
}

/// JSON where it is JSON, else text.
fn readable(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into())
}
