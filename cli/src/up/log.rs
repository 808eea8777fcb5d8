//! The control plane's log, on standard error.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// From now on what is logged is written, if `filter` (or `otherwise`, when there is none) lets it through.
pub(crate) fn listen(filter: Option<&str>, otherwise: &str) {
    let filter = EnvFilter::new(filter.unwrap_or(otherwise));
    let ansi = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(ansi).init();
}
