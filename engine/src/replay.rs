//! Judges a recorded decision again under other policies, using the names, types and scores in the record. What only
//! the content could tell is not guessed but listed as unknown.
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::rc::Rc;

use mesh_detect::{EntityType, Source, TypeSet, injection_threshold};
use mesh_policy::{Enforcement, InjectionAction, PiiAction};
use mesh_wire::route_of;

use crate::asks::Ask;
use crate::decision::Outcome;
use crate::index::Attached;
use crate::program::{InjectionGuard, PiiGuard, Program};
use crate::{Caller, Timestamp};

/// What a record tells about a request.
#[derive(Clone, Debug, Default)]
pub struct Features {
    /// The agent's id.
    pub agent: String,
    /// Roles of the caller.
    pub roles: Vec<String>,
    /// The address that the request came from.
    pub source_ip: Option<IpAddr>,
    /// HTTP method.
    pub method: String,
    /// Path without its query.
    pub path: String,
    /// The protocol it was read as, such as `openai-chat`.
    pub protocol: String,
    /// The requested model, if any.
    pub model: String,
    /// Tools offered or called.
    pub tools: Vec<String>,
    /// Type, place (`request:…` or `response:…`) and highest score of each finding.
    pub findings: Vec<(String, String, f32)>,
    /// The time of the request.
    pub time: Timestamp,
    /// The violations at that time that took effect.
    pub objections: Vec<Objection>,
}

/// A policy's violation when the request was decided. If the same version of the policy applies again, so does the
/// violation, even if the record does not show its cause: a Rego module, a limit, a guard that could not run.
#[derive(Clone, Debug)]
pub struct Objection {
    /// The policy; empty if none caused it (a body over the sidecar's size limit): that applies whatever the policies
    /// are.
    pub policy: String,
    /// Its version.
    pub version: u64,
    /// The guard.
    pub guard: String,
    /// Its outcome for the request.
    pub outcome: Outcome,
}

/// The outcomes of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Under the first program.
    pub before: Outcome,
    /// Under the second.
    pub after: Outcome,
    /// Guards of changed policies for which the record does not contain enough.
    pub unknown: BTreeSet<&'static str>,
}

/// Judges a recorded request under two programs.
pub fn replay(before: &Program, after: &Program, features: &Features) -> Replayed {
    let (old, new) = (before.index.of(&features.agent), after.index.of(&features.agent));
    let outcome = |status: mesh_policy::AgentStatus, policies: &[Rc<Attached>], access: bool| {
        if status.refuses() { Outcome::Deny } else { judge(policies, features, access) }
    };
    let same = |one: &Attached, others: &[Rc<Attached>]| {
        let known = others.iter().find(|other| other.id == one.id && other.version == one.version);
        known.is_some_and(|known| known.enforcement == one.enforcement)
    };
    let looked = looked_for(&old.policies);
    let mut unknown = BTreeSet::new();
    for policy in new.policies.iter().filter(|policy| !same(policy, &old.policies)) {
        unknown.extend(untold(policy, features));
        let pii = policy.pii.iter();
        if pii.clone().any(|guard| guard.custom.is_some() || !looked.covers(guard)) {
            unknown.insert("pii");
        }
        if policy.injection.iter().any(|guard| {
            guard.phrases.is_some()
                || !guard.ignore.is_empty()
                || looked.injection.is_none_or(|least| threshold(guard.sensitivity) < least)
        }) {
            unknown.insert("injection");
        }
    }
    for policy in old.policies.iter().filter(|policy| !same(policy, &new.policies)) {
        unknown.extend(untold(policy, features));
    }
    // A caller without a grant over MCP may get one from a changed policy.
    let (before, after) = (true, !unknown.contains("access"));
    Replayed {
        before: outcome(old.status, &old.policies, before),
        after: outcome(new.status, &new.policies, after),
        unknown,
    }
}

/// What the policies at that time searched for: the record says nothing about anything else.
struct LookedFor {
    request: TypeSet,
    response: TypeSet,
    least: f32,
    injection: Option<f32>,
}

fn looked_for(policies: &[Rc<Attached>]) -> LookedFor {
    let pii = || policies.iter().flat_map(|policy| &policy.pii);
    let all = |guards: &mut dyn Iterator<Item = &PiiGuard>| {
        guards.fold(TypeSet::EMPTY, |types, guard| types.union(guard.types))
    };
    let injection = policies.iter().flat_map(|policy| &policy.injection);
    let injection = injection.filter(|guard| guard.ignore.is_empty());
    LookedFor {
        request: all(&mut pii().filter(|guard| guard.request)),
        response: all(&mut pii().filter(|guard| guard.response)),
        least: pii().map(|guard| guard.threshold).fold(0.0, f32::max),
        injection: injection.map(|guard| threshold(guard.sensitivity)).reduce(f32::min),
    }
}

impl LookedFor {
    fn covers(&self, guard: &PiiGuard) -> bool {
        let has = |types: TypeSet, looks: bool| !looks || types.union(guard.types) == types;
        let there = has(self.request, guard.request) && has(self.response, guard.response);
        there && guard.threshold >= self.least
    }
}

/// Guards that need more than a record contains.
fn untold(policy: &Attached, features: &Features) -> Vec<&'static str> {
    let needs = [
        ("rego", !policy.rego.is_empty()),
        ("rateLimit", !policy.limits.is_empty()),
        ("access", policy.access.is_some() && features.protocol == "mcp"),
    ];
    needs.into_iter().filter(|(_, needed)| *needed).map(|(guard, _)| guard).collect()
}

fn threshold(sensitivity: mesh_detect::Sensitivity) -> f32 {
    injection_threshold(Source::User, sensitivity).unwrap_or(1.0)
}

/// The strictest outcome of the policies that enforce. `access`: whether what was granted over MCP is still granted.
fn judge(policies: &[Rc<Attached>], features: &Features, access: bool) -> Outcome {
    let enforced = || policies.iter().filter(|policy| policy.enforcement == Enforcement::Blocking);
    let mut outcome = objected("", 0, features, access);
    for policy in enforced() {
        outcome = outcome.max(objected(&policy.id, policy.version, features, access));
        let model = !features.model.is_empty()
            && policy.models.iter().any(|guard| guard.refuses(&features.model).is_some());
        let tool = features.tools.iter().any(|tool| policy.refuses_tool(tool).is_some());
        if model || tool {
            outcome = Outcome::Deny;
        }
        for (kind, place, score) in &features.findings {
            outcome = outcome.max(finding(policy, kind, place, *score));
        }
    }
    let asks = asks(features);
    let caller = Caller { roles: features.roles.clone(), ..Caller::default() };
    let guards = || enforced().filter_map(|policy| policy.access.as_ref());
    let granted =
        |ask: &Ask| guards().any(|guard| guard.grants(ask, &caller, features.source_ip, features.time));
    // What a request asks for over MCP is in its body.
    if features.protocol != "mcp" && guards().next().is_some() && !asks.iter().all(granted) {
        outcome = Outcome::Deny;
    }
    outcome
}

/// The outcome of this version of a policy when the request was decided.
fn objected(policy: &str, version: u64, features: &Features, access: bool) -> Outcome {
    // An agent's status and access by path are judged anew: another policy may grant.
    let stays = |guard: &str| match guard {
        "agent" => false,
        "access" => access && features.protocol == "mcp",
        _ => true,
    };
    let same = |said: &&Objection| said.policy == policy && said.version == version && stays(&said.guard);
    let outcomes = features.objections.iter().filter(same).map(|said| said.outcome);
    outcomes.max().unwrap_or_default()
}

fn finding(policy: &Attached, kind: &str, place: &str, score: f32) -> Outcome {
    let entity = EntityType::from_name(kind);
    let response = place.starts_with("response:");
    let mut outcome = Outcome::Allow;
    for guard in &policy.pii {
        let looks = if response { guard.response } else { guard.request };
        let wanted = entity.is_some_and(|entity| guard.types.with(entity) == guard.types);
        if looks && wanted && score >= guard.threshold {
            outcome = outcome.max(match guard.action {
                PiiAction::Block => Outcome::Deny,
                PiiAction::Redact | PiiAction::Tokenize => Outcome::AllowWithModifications,
                PiiAction::Log => Outcome::Allow,
            });
        }
    }
    if kind == crate::judge::FINDING {
        let blocks = |guard: &InjectionGuard| {
            let judged = guard.judge.as_ref().is_some_and(|judge| score >= judge.threshold);
            guard.action == InjectionAction::Block && judged
        };
        return if policy.injection.iter().any(blocks) { Outcome::Deny } else { outcome };
    }
    // Rules of the injection detector have a family before their name; types of personal data do not.
    if entity.is_none() && kind.contains('/') {
        let blocks = policy
            .injection
            .iter()
            .any(|guard| guard.action == InjectionAction::Block && score >= threshold(guard.sensitivity));
        if blocks {
            outcome = Outcome::Deny;
        }
    }
    outcome
}

fn asks(features: &Features) -> Vec<Ask> {
    let mut asks = Vec::new();
    if !features.model.is_empty() {
        let names = vec![features.model.clone(), format!("models/{}", features.model)];
        asks.push(Ask { names, action: "query".to_owned() });
    }
    // As for a live request: besides its model it asks for its path, unless the path is a protocol's own for asking a
    // model.
    if asks.is_empty() || !route_of(&features.method, &features.path, None).queries {
        let action = crate::asks::action(&features.method).to_owned();
        asks.push(Ask { names: vec![features.path.trim_start_matches('/').to_owned()], action });
    }
    asks
}

#[cfg(test)]
mod tests {
    use mesh_policy::{Bundle, BundlePolicy, Policy, Settings};

    use super::*;

    fn program(version: u64, spec: serde_json::Value) -> Program {
        let document = serde_json::json!({
            "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": "p" }, "spec": spec
        });
        let policy: Policy = serde_json::from_value(document).unwrap();
        let policies = vec![BundlePolicy { id: "p".into(), version, policy }];
        let bundle =
            Bundle { version: "1".into(), policies, settings: Settings::default(), ..Bundle::default() };
        crate::compile(&bundle, Rc::new(mesh_detect::Detector::new())).unwrap()
    }

    /// Each row: the old and the new rules, findings, outcomes and unknown guards.
    #[test]
    fn recorded_requests_are_judged_again() {
        use serde_json::json;
        let redact = json!({ "rules": [{ "pii": {} }] });
        let block = json!({ "rules": [{ "pii": { "types": ["ssn"], "action": "block" } }] });
        let apart = json!({ "rules": [
            { "pii": { "types": ["ssn"], "action": "block", "directions": ["request"] } },
            { "pii": { "types": ["email"], "directions": ["response"] } },
        ] });
        let asked = json!({ "rules": [{ "pii": { "types": ["ssn"], "directions": ["request"] } }] });
        let ssn = ("US_SSN", "request:messages[0].content", 0.85);
        for (before, after, found, expected, unknown) in [
            (&redact, &block, vec![ssn], (Outcome::AllowWithModifications, Outcome::Deny), vec![]),
            (&redact, &block, vec![], (Outcome::Allow, Outcome::Allow), vec![]),
            (&block, &redact, vec![ssn], (Outcome::Deny, Outcome::AllowWithModifications), vec!["pii"]),
            // Responses were not searched for it at the time.
            (&apart, &block, vec![], (Outcome::Allow, Outcome::Allow), vec!["pii"]),
            (&apart, &asked, vec![ssn], (Outcome::Deny, Outcome::AllowWithModifications), vec![]),
            (
                &redact,
                &json!({ "rules": [{ "pii": { "types": ["ssn"], "threshold": 0.9 } }] }),
                vec![ssn],
                (Outcome::AllowWithModifications, Outcome::Allow),
                vec![],
            ),
            (
                &redact,
                &json!({ "enforcement": "logging", "rules": [{ "pii": {} }] }),
                vec![ssn],
                (Outcome::AllowWithModifications, Outcome::Allow),
                vec![],
            ),
            (
                &json!({ "rules": [{ "models": { "allow": ["gpt-4*"] } }] }),
                &json!({ "rules": [{ "models": { "allow": ["claude-*"] } }, { "tools": { "deny": ["x"] } }] }),
                vec![],
                (Outcome::Allow, Outcome::Deny),
                vec![],
            ),
            (
                &json!({ "rules": [{ "access": { "resource": "models/*", "allowedRoles": ["cfo"], "allowedActions": ["query"] } }] }),
                &json!({ "rules": [{ "access": { "resource": "models/*", "allowedRoles": ["clerk"], "allowedActions": ["*"] } }] }),
                vec![],
                (Outcome::Deny, Outcome::Allow),
                vec![],
            ),
            (
                &json!({ "rules": [{ "injection": {} }] }),
                &json!({ "rules": [{ "injection": { "sensitivity": "low" } }] }),
                vec![("override/ignore", "request:messages[0].content", 0.52)],
                (Outcome::Deny, Outcome::Allow),
                vec![],
            ),
            (
                &json!({ "rules": [{ "injection": {} }] }),
                &json!({ "rules": [{ "injection": { "sensitivity": "high" } }, { "rego": { "module": "package mesh\ndeny contains \"x\" if input.x" } }] }),
                vec![],
                (Outcome::Allow, Outcome::Allow),
                vec!["injection", "rego"],
            ),
        ] {
            let findings: Vec<_> = found
                .iter()
                .map(|(kind, place, score)| ((*kind).to_owned(), (*place).to_owned(), *score))
                .collect();
            let features = Features {
                agent: "a".into(),
                roles: vec!["clerk".into()],
                method: "POST".into(),
                path: "/v1/chat/completions".into(),
                protocol: "openai-chat".into(),
                model: "gpt-4o".into(),
                findings,
                ..Features::default()
            };
            let replayed = replay(&program(1, before.clone()), &program(2, after.clone()), &features);
            assert_eq!((replayed.before, replayed.after), expected, "{before} {after}");
            assert_eq!(replayed.unknown.into_iter().collect::<Vec<_>>(), unknown, "{before} {after}");
        }
    }

    /// A violation that only the content could show is in the record, and applies to the policy version that raised
    /// it.
    #[test]
    fn what_was_objected_to_is_objected_to_again_by_the_same_version() {
        let rego = serde_json::json!({ "rules": [{ "rego": { "module": "package mesh\ndeny contains \"x\" if input.x" } }] });
        let logging = serde_json::json!({ "enforcement": "logging", "rules": rego["rules"] });
        let other = serde_json::json!({ "rules": [{ "pii": {} }] });
        let (allow, deny) = (Outcome::Allow, Outcome::Deny);
        // The violation's policy, version and guard; the new document and its version; the outcomes before and after.
        for (policy, version, guard, spec, after, expected) in [
            ("p", 1, "rego", &rego, 1, (deny, deny)),
            ("p", 1, "rego", &other, 2, (deny, allow)),
            ("p", 1, "rego", &logging, 1, (deny, allow)),
            // By another version or another policy, which is not in force.
            ("p", 9, "rego", &rego, 1, (allow, allow)),
            ("q", 1, "rego", &rego, 1, (allow, allow)),
            // By no policy; an agent's status comes from its document.
            ("", 0, "size", &other, 2, (deny, deny)),
            ("", 0, "agent", &other, 2, (allow, allow)),
            // Access by path is judged anew.
            ("p", 1, "access", &rego, 1, (allow, allow)),
        ] {
            let said = Objection { policy: policy.into(), version, guard: guard.into(), outcome: deny };
            let features = Features { agent: "a".into(), objections: vec![said], ..Features::default() };
            let replayed = replay(&program(1, rego.clone()), &program(after, spec.clone()), &features);
            assert_eq!((replayed.before, replayed.after), expected, "{policy}@{version} {guard}: {spec}");
        }
    }

    /// A live request and its record ask for the same.
    #[test]
    fn a_path_is_asked_for_as_of_a_live_request() {
        let rule = serde_json::json!({ "access": { "resource": "models/*", "allowedRoles": ["*"], "allowedActions": ["query"] } });
        let program = Rc::new(program(1, serde_json::json!({ "rules": [rule] })));
        for (path, passes) in [
            ("/v1/responses", true),
            ("/v1/chat/completions", true),
            ("/x/responses", false),
            ("/v1/responses/x", false),
        ] {
            let head = crate::RequestHead {
                method: "POST".into(),
                path: path.into(),
                headers: vec![("content-type".into(), "application/json".into())],
                ..crate::RequestHead::default()
            };
            let body =
                br#"{"model":"gpt-4o","input":"hi","messages":[{"role":"user","content":"hi"}]}"#.to_vec();
            let live = crate::dry_run(&program, &crate::SampleRequest { head, body }, 1).decision;
            assert_eq!(live.outcome == Outcome::Allow, passes, "{path}");
            let features = Features {
                agent: "a".into(),
                method: "POST".into(),
                path: path.into(),
                protocol: live.protocol.into(),
                model: live.model,
                time: 1,
                ..Features::default()
            };
            assert_eq!(replay(&program, &program, &features).after, live.outcome, "{path}");
        }
    }

    /// An unchanged policy is never unknown, whatever it needs.
    #[test]
    fn policies_that_stay_are_not_unknown() {
        let rego = serde_json::json!({ "rules": [{ "rego": { "module": "package mesh\ndeny contains \"x\" if input.x" } }] });
        let features = Features { agent: "a".into(), ..Features::default() };
        assert!(replay(&program(1, rego.clone()), &program(1, rego), &features).unknown.is_empty());
    }
}
