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

/// What is sent on of a POST under a policy; none where it is refused. Without a content type where that is empty.
pub(crate) fn sent(spec: Value, path: &str, content_type: &str, body: &[u8]) -> Option<Vec<u8>> {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    sent_with(spec, path, headers.into_iter().filter(|(_, value)| !value.is_empty()).collect(), body)
}

/// The same with these headers.
pub(crate) fn sent_with(
    spec: Value,
    path: &str,
    headers: Vec<(String, String)>,
    body: &[u8],
) -> Option<Vec<u8>> {
    let head = RequestHead { headers, ..post(path) };
    let mut session = Session::start(Rc::new(compiled(&bundle(spec))), head, "d".into(), 0);
    let mut step = session.request_headers(false, 0);
    if matches!(step, Step::ReadBody) {
        step = session.request(body, 0);
    }
    match step {
        Step::Continue => Some(body.to_vec()),
        Step::Replace(body) => Some(body),
        _ => None,
    }
}

/// Whether a body of JSON passes.
pub(crate) fn passes(spec: Value, path: &str, body: &Value) -> bool {
    sent(spec, path, "application/json", body.to_string().as_bytes()).is_some()
}
