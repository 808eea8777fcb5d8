//! Tests of the xDS server from outside: its state machines over a table of scenarios, the same table over gRPC with
//! an independent client, and a real Envoy.
mod changes;
mod consistency;
mod convergence;
mod fixture;
mod http;
mod mesh;
mod scenarios;
mod server;
mod serving;
mod tls;
mod wasm;
mod wire;
