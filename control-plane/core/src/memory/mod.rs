//! The ports in memory: complete, exact, and gone with the process.

mod decisions;
mod policies;
mod tools;
mod windows;

pub use decisions::MemoryDecisions;
pub use policies::MemoryPolicies;
pub use tools::MemoryTools;
pub use windows::MemoryWindows;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a panic elsewhere: each critical section leaves its value whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
