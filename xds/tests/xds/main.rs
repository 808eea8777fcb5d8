//! Tests of the xDS server from outside: its state machines over a table of scenarios, the same table over gRPC with
//! an independent client, and a real Envoy.
//mod envoy;
mod fixture;
//mod process;
mod scenarios;
//mod sidecar;
//mod wasm;
//mod wire;
