//! A provider that answers like the real ones, the same every time: the upstream of `ai-mesh up`, of the tests and
//! of the benches.
//!
//! It speaks OpenAI (chat completions, completions, responses, embeddings, models), Anthropic messages, MCP over
//! streamable HTTP (`/mcp`), Gemini, Bedrock Converse, Ollama and A2A, streaming too. The
//! assistant says back what it was told ("You said: …"), so that a person sees what reached the upstream. Connections
//! are kept alive.
//!
//! # Tools
//!
//! A request that offers tools and whose last user text holds `call NAME` is answered with a call of that tool; its
//! arguments are made from the tool's schema, every text property being the user's text.
//!
//! # Looking behind the mesh
//!
//! `GET /__mock/requests` lists the last requests as they arrived (`method`, `path`, `headers`, `body`, or
//! `bodyBase64` when it isn't UTF-8); `DELETE /__mock/requests` forgets them. The list is bounded in count and bytes.
//!
//! # Knobs
//!
//! Request headers that bend the answer; see [`knobs`] for each of them. The model name `does-not-exist` gives the
//! provider's own "no such model" error.

mod a2a;
mod amazon;
mod anthropic;
mod assistant;
mod bedrock;
mod call;
mod chat;
mod embeddings;
mod encode;
mod error;
mod gemini;
mod journal;
pub mod knobs;
mod mcp;
mod models;
mod ollama;
mod reply;
mod responses;
mod route;
mod server;

pub use amazon::{crc32, frame as amazon_frame};
pub use encode::encoded;
pub use server::{serve, serve_until};
