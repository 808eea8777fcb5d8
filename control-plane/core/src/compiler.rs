//! The admission check that ships: the compiler and the sessions of `mesh-engine`, which the filter runs too.
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use mesh_engine::{Detector, Objection, Outcome, RequestHead, Verdict};
use mesh_policy::{Bundle, Diagnostic, Policy};

use crate::admission::{Admission, Remark};
use crate::decision::{Decision, Finding, PolicyRef, Violation};
use crate::evidence::{Evidence, Near, Part};
use crate::impact::{Impact, Tally};
use crate::policy::agent_key;
use crate::sample::{DryRun, Modifications, SampleRequest};

/// Compiles with `mesh-engine`.
///
/// A policy compiles the same whatever other policies there are. So the last accepted one of each name is remembered, and a
/// change costs only the compilation of what changed.
#[derive(Default)]
pub struct EngineAdmission {
    /// The policy last accepted under each name, with the bytes of memory that its patterns take.
    accepted: Mutex<HashMap<String, (Policy, usize)>>,
}

impl EngineAdmission {
    /// Compiles one policy; returns the bytes of memory that its patterns take.
    fn check_one(&self, name: &str, policy: &Policy) -> Result<usize, Vec<Diagnostic>> {
        let remembered = || self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((accepted, bytes)) = remembered().get(name)
            && accepted == policy
        {
            return Ok(*bytes);
        }
        let bytes = mesh_engine::check(policy)?;
        remembered().insert(name.to_owned(), (policy.clone(), bytes));
        Ok(bytes)
    }
}

impl Admission for EngineAdmission {
    fn check(&self, bundle: &Bundle) -> Result<Vec<Remark>, Vec<Remark>> {
        let pinned =
            bundle.pinned.iter().map(|entry| (format!("{} (version {})", entry.id, entry.version), entry));
        let next = bundle.rollouts.iter().map(|rollout| &rollout.next);
        let next = next.map(|entry| (format!("{} (next version)", entry.id), entry));
        let in_force = bundle.policies.iter().map(|entry| (entry.id.clone(), entry));
        let mut refused = Vec::new();
        let mut taken = Vec::new();
        for (policy, entry) in in_force.chain(pinned).chain(next) {
            match self.check_one(&policy, &entry.policy) {
                Ok(bytes) => taken.push((policy, bytes)),
                Err(said) => {
                    let of_policy = |diagnostic| Remark { policy: policy.clone(), diagnostic };
                    refused.extend(said.into_iter().map(of_policy));
                }
            }
        }
        let room = mesh_engine::check_room(taken.iter().map(|(policy, bytes)| (policy.as_str(), *bytes)));
        refused.extend(room.map(|(policy, diagnostic)| Remark { policy, diagnostic }));
        // Names that are gone are forgotten, so that memory stays bounded.
        let in_force = |name: &str| bundle.policies.iter().any(|entry| entry.id == name);
        let mut remembered = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() > (bundle.policies.len() + bundle.pinned.len()) * 2 + 64 {
            remembered.retain(|name, _| in_force(name));
        }
        drop(remembered);
        match mesh_engine::check_agents(bundle) {
            _ if !refused.is_empty() => Err(refused),
            Ok(said) => {
                Ok(said.into_iter().map(|(policy, diagnostic)| Remark { policy, diagnostic }).collect())
            }
            Err(problems) => Err(remarks(problems)),
        }
    }

    fn dry_run(
        &self,
        bundle: &Bundle,
        sample: &SampleRequest,
        now: Timestamp,
    ) -> Result<DryRun, Vec<Remark>> {
        dry_run(bundle, sample, now).map_err(remarks)
    }

    fn impact(&self, before: &Bundle, after: &Bundle, decisions: &[Decision]) -> Result<Impact, Vec<Remark>> {
        let detector = Rc::new(Detector::new());
        let before = mesh_engine::compile(before, Rc::clone(&detector)).map_err(remarks)?;
        let after = mesh_engine::compile(after, detector).map_err(remarks)?;
        let mut tally = Tally::default();
        for decision in decisions {
            tally.add(decision, &mesh_engine::replay(&before, &after, &features(decision)));
        }
        Ok(tally.impact())
    }
}

/// What would be decided about the sample under these policies.
///
/// # Errors
/// Policies that do not compile.
pub fn dry_run(
    bundle: &Bundle,
    sample: &SampleRequest,
    now: Timestamp,
) -> Result<DryRun, Vec<mesh_engine::Refused>> {
    let mut bundle = bundle.clone();
    // The sample's identity headers are believed: everybody who may try policies may choose them.
    bundle.settings.trust_identity_headers = true;
    let program = Rc::new(mesh_engine::compile(&bundle, Rc::new(Detector::new()))?);
    let now = u64::try_from(now.as_nanosecond()).unwrap_or(0);
    let started = Instant::now();
    let verdict = mesh_engine::dry_run(&program, &request(sample), now);
    Ok(outcome(verdict, started.elapsed().as_secs_f64() * 1000.0))
}

/// What a record says about its request.
fn features(decision: &Decision) -> mesh_engine::Features {
    let findings = decision.findings.iter();
    mesh_engine::Features {
        agent: decision.agent_id.clone(),
        roles: decision.roles.clone(),
        source_ip: decision.source_ip.parse().ok(),
        method: decision.method.clone(),
        path: decision.path.clone(),
        protocol: decision.protocol.clone(),
        model: decision.model.clone(),
        tools: decision.tools.clone(),
        findings: findings.map(|found| (found.kind.clone(), found.place.clone(), found.score)).collect(),
        time: u64::try_from(decision.time.as_nanosecond()).unwrap_or(0),
        objections: objections(decision),
    }
}

/// What was objected to and enforced.
fn objections(decision: &Decision) -> Vec<Objection> {
    let said = decision.policy_violations.iter().chain(&decision.warnings);
    let mut objections: Vec<Objection> = said.filter_map(|said| objection(decision, said)).collect();
    // Some refusals are no rule's: a body that can be read in two ways, a record that could not be kept.
    if decision.decision == "deny" && !objections.iter().any(|said| said.outcome == Outcome::Deny) {
        objections.push(Objection {
            policy: String::new(),
            version: 0,
            guard: String::new(),
            outcome: Outcome::Deny,
        });
    }
    objections
}

fn objection(decision: &Decision, said: &Violation) -> Option<Objection> {
    let outcome = match said.effect.as_str() {
        "denied" => Outcome::Deny,
        "throttled" => Outcome::Throttle,
        "modified" => Outcome::AllowWithModifications,
        _ => return None,
    };
    let applied = decision.policies.iter().find(|policy| policy.id == said.policy_id);
    let version = applied.map_or(0, |policy| policy.version);
    Some(Objection { policy: said.policy_id.clone(), version, guard: said.guard.clone(), outcome })
}

fn remarks(refused: Vec<mesh_engine::Refused>) -> Vec<Remark> {
    let of = |refused: mesh_engine::Refused| {
        let policy = if refused.agent { agent_key(&refused.name) } else { refused.name };
        refused.diagnostics.into_iter().map(move |diagnostic| Remark { policy: policy.clone(), diagnostic })
    };
    refused.into_iter().flat_map(of).collect()
}

fn request(sample: &SampleRequest) -> mesh_engine::SampleRequest {
    let mut headers: Vec<(String, String)> =
        sample.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    if sample.body.is_some() && sample.header("content-type").is_none() {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    let head = RequestHead {
        method: sample.method.clone(),
        path: sample.path.clone(),
        headers,
        source_ip: Some(sample.source_ip.unwrap_or(std::net::Ipv4Addr::LOCALHOST.into())),
        principal: sample.agent.clone(),
        cluster: None,
    };
    mesh_engine::SampleRequest { head, body: sample.body_bytes() }
}

fn outcome(verdict: Verdict, execution_time_ms: f64) -> DryRun {
    let decision = verdict.decision;
    let violations = |said: Vec<mesh_engine::Violation>| said.into_iter().map(violation).collect();
    DryRun {
        decision: decision.outcome.as_str().to_owned(),
        modifications: verdict.rewritten.map(|body| Modifications { body: readable(&body) }),
        policy_violations: violations(decision.violations),
        warnings: violations(decision.warnings),
        execution_time_ms,
        protocol: decision.protocol.to_owned(),
        operation: decision.operation,
        model: decision.model,
        policies: decision
            .policies
            .into_iter()
            .map(|policy| PolicyRef { id: policy.id, version: policy.version })
            .collect(),
        guards: decision
            .guards
            .into_iter()
            .map(|(guard, state)| (guard.to_owned(), state.to_string()))
            .collect(),
        findings: decision
            .findings
            .into_iter()
            .map(|found| Finding {
                kind: found.kind,
                count: found.count,
                place: found.place,
                score: found.score,
            })
            .collect(),
        status: verdict.refusal.as_ref().map(|(status, _)| *status),
        refusal: verdict.refusal.map(|(_, body)| readable(&body)),
    }
}

fn violation(said: mesh_engine::Violation) -> Violation {
    Violation {
        policy_id: said.policy_id,
        guard: said.guard.to_owned(),
        severity: said.severity.as_str().to_owned(),
        message: said.message,
        rule: said.rule.map(place),
        effect: said.effect.as_str().to_owned(),
        evidence: said.evidence.map(|evidence| self::evidence(*evidence)),
    }
}

/// A place in a policy's list of rules, counted from 0.
fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn evidence(evidence: mesh_engine::Evidence) -> Evidence {
    let parts = evidence.parts.into_iter();
    let near = evidence.near.into_iter();
    Evidence {
        kind: evidence.kind,
        place: evidence.place,
        start: evidence.span.map(|(start, _)| start),
        end: evidence.span.map(|(_, end)| end),
        score: evidence.score,
        threshold: evidence.threshold,
        limit: evidence.limit,
        measure: evidence.measure.map_or_else(String::new, |measure| measure.as_str().to_owned()),
        retry_after_s: evidence.retry_after_s,
        listed: evidence.listed,
        parts: parts.map(|(feature, amount)| Part { feature: feature.to_owned(), amount }).collect(),
        near: near
            .map(|near| Near {
                rule: place(near.rule),
                missing: near.missing.into_iter().map(str::to_owned).collect(),
            })
            .collect(),
    }
}

/// JSON where it is JSON, else text.
fn readable(body: &[u8]) -> serde_json::Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into())
}
