//! The engine natively: what one request costs, guard by guard, without Envoy and wasm.

#![allow(missing_docs, reason = "divan's macros make public items")]

#[path = "../src/bodies.rs"]
#[allow(dead_code, reason = "the load generator uses the rest")]
mod bodies;

use std::rc::Rc;

use mesh_engine::{Detector, Program, RequestHead, SampleRequest, compile, dry_run};
use mesh_policy::{Bundle, BundlePolicy, Settings};

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
    let bundle = Bundle { version: "1".into(), policies, settings: Settings::default() };
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

#[divan::bench]
fn compile_detectors() -> Detector {
    Detector::new()
}
