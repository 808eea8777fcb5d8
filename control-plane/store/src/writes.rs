//! Whether what is written is kept: a database may answer readers, and yet have no room for writers.
use std::sync::atomic::{AtomicBool, Ordering};

use mesh_control_core::ports::StoreError;

use crate::values::failed;

/// How the last write ended.
#[derive(Default)]
pub(crate) struct Writes {
    failing: AtomicBool,
}

impl Writes {
    /// Whether the last one was not kept.
    pub(crate) fn failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Notes how one ended; a failure says `what` could not be done.
    pub(crate) fn ended<T>(&self, what: &'static str, done: sqlx::Result<T>) -> Result<T, StoreError> {
        self.failing.store(done.is_err(), Ordering::Relaxed);
        done.map_err(failed(what))
    }
}
