//! A request and its answer through the session, as the filter walks them, without Envoy and wasm: the part of the cost
//! that is ours. Every text is new. Made to be counted: `cargo xtask bench --core` runs it under callgrind.

#[path = "../src/bodies.rs"]
#[allow(dead_code, reason = "the load generator uses the rest")]
mod bodies;

use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use mesh_engine::{Detector, Program, RequestHead, ResponseMode, Session, Step, compile};
use mesh_policy::{Bundle, BundlePolicy, Settings};

const POLICY: &str = include_str!("../policy.yaml");

/// What the bench's upstream answers.
const ANSWER: &[u8] = br#"{"id":"chatcmpl-1","object":"chat.completion","created":1790000000,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"The summary is attached, with one example for each of the two plans."},"finish_reason":"stop"}],"usage":{"prompt_tokens":200,"completion_tokens":14,"total_tokens":214}}"#;

/// Headers as an SDK sends them through Envoy.
const HEADERS: [(&str, &str); 9] = [
    ("host", "127.0.0.1:10000"),
    ("accept", "application/json"),
    ("content-type", "application/json"),
    ("user-agent", "OpenAI/Python 1.99.0"),
    ("authorization", "Bearer sk-test"),
    ("accept-encoding", "gzip, deflate"),
    ("x-forwarded-proto", "http"),
    ("x-request-id", "7c0f1a52-7c8b-4c6e-9a43-6a4f1f3f4b1e"),
    ("x-stainless-lang", "python"),
];

fn main() {
    let number = |name, otherwise| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    let (exchanges, bytes): (usize, usize) = (number("EXCHANGES", 20_000), number("BYTES", 1024));
    let program = program();
    let mut body = bodies::chat(bytes, false);
    let stamp = find(&body, bodies::STAMP).expect("a chat body has a stamp") + 1;
    let started = Instant::now();
    for turn in 0..exchanges {
        for (place, digit) in (0..6).rev().zip(std::iter::successors(Some(turn), |rest| Some(rest / 26))) {
            body[stamp + place] = b'a' + u8::try_from(digit % 26).expect("below 26");
        }
        black_box(exchange(&program, &body));
    }
    println!("{} ns an exchange of {bytes} bytes", started.elapsed().as_nanos() / exchanges.max(1) as u128);
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn program() -> Rc<Program> {
    let parsed = mesh_policy::from_yaml(POLICY).expect("the bench's policy is valid").into_iter();
    let policies = parsed.map(|one| BundlePolicy { id: "bench".into(), version: 1, policy: one.policy });
    let bundle = Bundle {
        version: "1".into(),
        policies: policies.collect(),
        settings: Settings::default(),
        ..Bundle::default()
    };
    let program = compile(&bundle, Rc::new(Detector::new())).expect("the bench's policy compiles");
    Rc::new(program.remembering([7; 16]))
}

fn exchange(program: &Rc<Program>, body: &[u8]) -> u64 {
    let headers = HEADERS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let (method, path) = ("POST".to_owned(), "/v1/chat/completions".to_owned());
    let head = RequestHead {
        method,
        path,
        headers,
        source_ip: Some([127, 0, 0, 1].into()),
        ..RequestHead::default()
    };
    let now = 1_795_521_600_000_000_000;
    let mut session = Session::start(Rc::clone(program), head, "0123456789abcdef-1".to_owned(), now);
    assert!(matches!(session.request_headers(false, now), Step::ReadBody), "the policy reads bodies");
    assert!(matches!(session.request(body, now), Step::Continue), "the request is clean");
    let answer = [(":status", "200"), ("content-type", "application/json"), ("server", "envoy")];
    let answer: Vec<_> =
        answer.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert!(matches!(session.response_headers(&answer, false), ResponseMode::Buffer), "answers are read");
    assert!(matches!(session.response(ANSWER, Some("application/json")), Step::Continue), "it is clean");
    black_box(session.response_header_values());
    session.finish().0.time
}
