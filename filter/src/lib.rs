//! The proxy-wasm shell around [`mesh_engine`]: Envoy's callbacks in, a session's steps out.
//!
//! [`root`] holds the program, [`subscription`] brings changes to it, [`exchange`] walks one request and its response through a
//! session, [`outbox`] carries decision records to the control plane, and [`host`] is the one file that calls Envoy.
//!
//! Failure law: a panic ends this worker's VM. Envoy answers 503 until the VM runs again (`FAIL_RELOAD`), and never lets a request
//! pass without the filter. A configuration that does not compile is refused, and the running program stays.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod discovery;
mod excess;
mod exchange;
mod hashes;
mod host;
mod judge;
mod kept;
mod lease;
mod limits;
mod outbox;
mod record;
mod renewal;
mod root;
mod subscription;

use proxy_wasm::types::LogLevel;

/// One thread and many small, short-lived values: docs/decisions/0013-talc.md.
#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: mesh_filter_memory::Pooled<talc::wasm::WasmDynamicTalc> =
    mesh_filter_memory::Pooled::over(talc::wasm::new_wasm_dynamic_allocator());

mod entry {
    use super::*;

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Info);
        host::say_where_on_panic();
        proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
    }}
}
