//! What an answer took beyond its reservation, where a rate limit service counts that knows of no reservations: it is told so, by a
//! call that nobody waits for.
//!
//! Law: a service that is not the control plane counts what a request may take when it asks, and can not be told that it took
//! less. A call that fails is not made again: nothing is ever counted twice.
use std::collections::VecDeque;

use mesh_engine::{LimitCheck, Settlement};
use mesh_policy::ServiceRef;

use crate::{host, limits};

/// More than this wait for a tick: the first of them are dropped.
const MAX_WAITING: usize = 256;

/// What is to be told.
#[derive(Default)]
pub(crate) struct Excess {
    waiting: VecDeque<LimitCheck>,
}

impl Excess {
    /// An exchange has ended with these.
    pub(crate) fn note(&mut self, settlements: &[Settlement]) {
        for over in settlements.iter().filter_map(Settlement::beyond) {
            if self.waiting.len() >= MAX_WAITING {
                self.waiting.pop_front();
            }
            self.waiting.push_back(over);
        }
    }

    /// Tells it.
    pub(crate) fn tell(&mut self, service: &ServiceRef) {
        for over in self.waiting.drain(..) {
            let question = limits::ask_plainly(std::slice::from_ref(&over));
            host::call(
                &service.cluster,
                limits::SERVICE,
                limits::METHOD,
                Vec::new(),
                &question,
                service.timeout_ms,
            );
        }
    }
}
