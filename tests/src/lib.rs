//! Harness of the end-to-end rings: the real binary, a real Envoy with the compiled filter, and the mock provider.
//!
//! `cargo xtask test` builds what is needed and says where it is (`AI_MESH_BIN`, `AI_MESH_ENVOY`, `AI_MESH_FILTER`).
#![allow(clippy::missing_panics_doc, reason = "a harness fails by panicking")]

pub mod h2;
mod http;
mod judge;
pub mod limits;
mod mesh;
mod python;
pub mod redis;
mod upstream;
mod wait;

pub use http::{Answer, Request, exchange, raw, send_and_leave};
pub use judge::{Judge, Says};
pub use mesh::{Mesh, Part, signal, tool};
pub use mesh_mock_provider::{amazon_frame, encoded};
pub use mesh_ports::{child_of, free_address, free_port};
pub use nix::sys::signal::Signal;
pub use python::ask_python;
pub use upstream::Upstream;
pub use wait::{eventually, within};

/// A chat request whose user says `text`.
pub fn chat(text: &str) -> serde_json::Value {
    serde_json::json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": text }] })
}

/// A streaming chat request whose user says `text`.
pub fn chat_stream(text: &str) -> serde_json::Value {
    serde_json::json!({ "model": "gpt-4o", "stream": true, "messages": [{ "role": "user", "content": text }] })
}

/// A chat with this body, by this agent.
pub fn ask(agent: &str, body: &serde_json::Value) -> Request {
    by(agent, Request::post("/v1/chat/completions", body))
}

/// The same request, by this agent.
pub fn by(agent: &str, request: Request) -> Request {
    request.header("x-ai-mesh-agent", agent)
}
