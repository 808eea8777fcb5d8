//! What tests of limits share: policies, requests, what is used, and a Redis that may go away.
use serde_json::json;

use crate::{Answer, Mesh, Request, ask, chat, eventually};

/// A policy document.
pub fn policy(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: {name} }}\nspec: {{ {spec} }}\n"
    )
}

/// What an agent has used under a measure, once nothing of it is reserved any more.
pub fn settled(mesh: &Mesh, agent: &str, measure: &str) -> u64 {
    eventually("every reservation is settled", || {
        let listed = mesh.api("GET", &format!("/api/v1/limits?key=agent:{agent}"), None).json();
        let limits = listed["limits"].as_array().cloned().unwrap_or_default();
        let found = limits.into_iter().find(|limit| limit["measure"] == measure);
        match found {
            Some(limit) if limit["reserved"] == 0 => limit["used"].as_u64(),
            Some(_) => None,
            None => Some(0),
        }
    })
}

/// A short chat by this agent.
pub fn four_words(agent: &str) -> Request {
    ask(agent, &chat("four words of text"))
}

/// A request to Anthropic's Messages.
pub fn claude(text: &str, stream: bool) -> Request {
    let body = json!({ "model": "claude-sonnet-4-5", "max_tokens": 100, "stream": stream,
        "messages": [{ "role": "user", "content": text }] });
    Request::post("/v1/messages", &body)
}

/// A request to OpenAI's Responses.
pub fn responses(text: &str, stream: bool) -> Request {
    Request::post("/v1/responses", &json!({ "model": "gpt-4o", "input": text, "stream": stream }))
}

/// What the provider itself says that an answer took, in whatever words.
pub fn reported(answer: &Answer) -> u64 {
    let said = answer.json();
    let count = |names: &[&str]| {
        let places = [&said["usage"], &said["usageMetadata"], &said];
        let found = places.iter().find_map(|place| names.iter().find_map(|name| place[*name].as_u64()));
        found.unwrap_or(0)
    };
    count(&[
        "prompt_tokens",
        "input_tokens",
        "inputTokens",
        "promptTokenCount",
        "prompt_eval_count",
        "prompt_token_count",
    ]) + count(&[
        "completion_tokens",
        "output_tokens",
        "outputTokens",
        "candidatesTokenCount",
        "eval_count",
        "generation_token_count",
    ])
}

/// The Redis of this run of tests.
pub fn redis() -> String {
    std::env::var("AI_MESH_TEST_REDIS").expect("AI_MESH_TEST_REDIS: run these tests with `cargo xtask test`")
}

/// The sum of a counter over its labels.
pub fn metric(mesh: &Mesh, name: &str) -> u64 {
    let text = mesh.api("GET", "/metrics", None).text();
    let of_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
    let value = |line: &str| line.rsplit_once(' ').and_then(|(_, value)| value.parse::<u64>().ok());
    text.lines().filter(of_it).filter_map(value).sum()
}

/// Base64, as the mock's knobs take it.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: usize| char::from(DIGITS[bits & 63]);
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
        let all = [bits >> 18, bits >> 12, bits >> 6, bits];
        out.extend((0..4).map(|at| if at <= three.len() { digit(all[at]) } else { '=' }));
    }
    out
}
