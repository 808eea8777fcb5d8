//! Settlements that could not be counted when they came, because nobody could count: they are counted with the next.
//!
//! Without this, what was promised to requests that ended while Redis was away for a second would be held for ten minutes, and places
//! under `maxConcurrent` with it. Settling twice is harmless: an account knows each promise once. Bounded: of too many, the oldest are
//! forgotten, and expire.
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::Settle;

/// Settlements that wait.
const MAX_LATE: usize = 10_000;

#[derive(Default)]
pub(crate) struct Late(Mutex<VecDeque<Settle>>);

impl Late {
    /// Those that wait, oldest first, before `new` ones.
    pub(crate) fn with(&self, new: impl Iterator<Item = Settle>) -> Vec<Settle> {
        let mut late = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        late.drain(..).chain(new).collect()
    }

    /// These could not be counted.
    pub(crate) fn keep(&self, settlements: Vec<Settle>) {
        let mut late = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        late.extend(settlements);
        let surplus = late.len().saturating_sub(MAX_LATE);
        late.drain(..surplus);
    }
}
