//! The engine natively: what one request costs, guard by guard, without Envoy and wasm.

#![allow(missing_docs, reason = "divan's macros make public items")]

#[path = "../src/bodies.rs"]
#[allow(dead_code, reason = "the load generator uses the rest")]
mod bodies;

use std::rc::Rc;

use mesh_engine::{Detector, Program, RequestHead, SampleRequest, compile, dry_run};
use mesh_policy::{
    Bundle, BundleAgent, BundlePolicy, ComplianceTier, ModelsRule, Policy, Rule, Settings, Spec,
};

fn main() {
    divan::main();
}

/// The rules of a policy with one guard each, and one with all of them.
const GUARDS: [(&str, &str); 6] = [
    ("pii", "[{ pii: { action: redact } }]"),
    ("injection", "[{ injection: { action: block } }]"),
    ("models", "[{ models: { allow: ['gpt-4*'] } }]"),
    ("access", "[{ access: { resource: 'models/*', allowedRoles: ['*'], allowedActions: [query] } }]"),
    (
        "rego",
        "[{ rego: { module: \"package mesh\\ndeny contains \\\"no\\\" if { input.request.stream }\" } }]",
    ),
    (
        "all",
        "[{ pii: { action: redact } }, { injection: { action: block } }, { models: { allow: ['gpt-4*'] } }, \
         { rego: { module: \"package mesh\\ndeny contains \\\"no\\\" if { input.request.stream }\" } }]",
    ),
];

fn program(guard: &str) -> Rc<Program> {
    let rules = GUARDS.iter().find(|(name, _)| *name == guard).map_or("[]", |(_, rules)| *rules);
    let text = format!(
        "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: bench }}\nspec:\n  rules: {rules}\n"
    );
    let parsed = mesh_policy::from_yaml(&text).expect("the bench's policy is valid");
    let policies = parsed
        .into_iter()
        .map(|one| BundlePolicy { id: "bench".into(), version: 1, policy: one.policy })
        .collect();
    let bundle = Bundle { version: "1".into(), policies, settings: Settings::default(), ..Bundle::default() };
    Rc::new(compile(&bundle, Rc::new(Detector::new())).expect("the bench's policy compiles"))
}

#[divan::bench(args = ["pii", "injection", "models", "access", "rego", "all"], consts = [1024, 16384])]
fn request<const BYTES: usize>(bencher: divan::Bencher<'_, '_>, guard: &str) {
    let program = program(guard);
    let head = RequestHead {
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        headers: vec![("content-type".into(), "application/json".into())],
        ..RequestHead::default()
    };
    let sample = SampleRequest { head, body: bodies::chat(BYTES, false) };
    let now = 1_795_521_600_000_000_000;
    bencher.bench_local(|| dry_run(&program, divan::black_box(&sample), now));
}

/// A thousand policies of one rule each, by id, by pattern and by attribute, and ten thousand registered agents.
fn large_mesh() -> Bundle {
    let policies = (0..1000).map(|n| {
        let mut policy = Policy::new(format!("p{n}"), Spec::default());
        policy.spec.rules = vec![Rule::Models(ModelsRule { allow: vec!["gpt-4*".into()], deny: Vec::new() })];
        let target = &mut policy.spec.target;
        match n % 10 {
            0 => target.agents = vec![format!("agent-{}*", n / 10)],
            1 => {
                target.compliance_tiers = vec!["high".into()];
                target.labels.insert("team".into(), format!("team-{}", n / 10));
            }
            _ => target.agents = (0..10).map(|i| format!("agent-{}", (n * 10 + i) % 10_000)).collect(),
        }
        BundlePolicy { id: policy.metadata.name.clone(), version: 1, policy }
    });
    let agents = (0..10_000).map(|n| BundleAgent {
        id: format!("agent-{n}"),
        compliance_tier: Some(if n % 4 == 0 { ComplianceTier::High } else { ComplianceTier::Standard }),
        labels: [("team".to_owned(), format!("team-{}", n % 100))].into(),
        ..BundleAgent::default()
    });
    let settings = Settings { trust_identity_headers: true, ..Settings::default() };
    let (policies, agents) = (policies.collect(), agents.collect());
    Bundle { version: "1".into(), policies, agents, settings, ..Bundle::default() }
}

/// One decision by name (headers only) for each of ten thousand agents in turn: `first` time each, or `again`.
#[divan::bench(args = ["first", "again"], sample_count = 20, sample_size = 10_000)]
fn large_mesh_decision(bencher: divan::Bencher<'_, '_>, when: &str) {
    let bundle = large_mesh();
    let compiled = || Rc::new(compile(&bundle, Rc::new(Detector::new())).expect("the bench's mesh compiles"));
    let heads: Vec<_> = (0..10_000)
        .map(|n| SampleRequest {
            head: RequestHead {
                method: "GET".into(),
                path: "/v1/models".into(),
                headers: vec![("x-ai-mesh-agent".into(), format!("agent-{n}"))],
                ..RequestHead::default()
            },
            body: Vec::new(),
        })
        .collect();
    let program = std::cell::RefCell::new(compiled());
    let turn = std::cell::Cell::new(0_usize);
    let now = 1_795_521_600_000_000_000;
    bencher
        .with_inputs(|| {
            let n = turn.replace(turn.get() + 1) % heads.len();
            if n == 0 && when == "first" {
                *program.borrow_mut() = compiled();
            }
            n
        })
        .bench_local_values(|n| dry_run(&program.borrow(), divan::black_box(&heads[n]), now));
}

#[divan::bench(sample_count = 10)]
fn large_mesh_compile(bencher: divan::Bencher<'_, '_>) {
    let bundle = large_mesh();
    let detector = Rc::new(Detector::new());
    bencher.bench_local(|| compile(&bundle, Rc::clone(&detector)));
}

#[divan::bench]
fn compile_detectors() -> Detector {
    Detector::new()
}
