//! What these tests have in common: programs of one policy, and exchanges that begin with a POST of JSON.
#![allow(dead_code, reason = "each test is a crate of its own and takes what it needs")]
use std::rc::Rc;

use mesh_engine::{Detector, Program, RequestHead, Session, Step, compile};
use mesh_policy::{Bundle, BundlePolicy, from_value};
use serde_json::{Value, json};

/// The policy `p`.
pub(crate) fn policy(spec: Value) -> BundlePolicy {
    let document = json!({ "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": "p" },
        "spec": spec });
    BundlePolicy { id: "p".into(), version: 1, policy: from_value(&document).unwrap().policy }
}

/// That policy alone.
pub(crate) fn bundle(spec: Value) -> Bundle {
    Bundle { version: "1".into(), policies: vec![policy(spec)], ..Bundle::default() }
}

pub(crate) fn compiled(bundle: &Bundle) -> Program {
    compile(bundle, Rc::new(Detector::new())).unwrap()
}

/// The program of a policy with these rules.
pub(crate) fn program(rules: Value) -> Rc<Program> {
    Rc::new(compiled(&bundle(json!({ "rules": rules }))))
}

/// The head of a POST of JSON.
pub(crate) fn post(path: &str) -> RequestHead {
    RequestHead {
        method: "POST".into(),
        path: path.into(),
        headers: vec![("content-type".into(), "application/json".into())],
        ..RequestHead::default()
    }
}

/// An exchange whose request's body is wanted.
pub(crate) fn begun(program: &Rc<Program>, head: RequestHead) -> Session {
    let mut session = Session::start(Rc::clone(program), head, "d".into(), 0);
    assert!(matches!(session.request_headers(false, 0), Step::ReadBody));
    session
}
