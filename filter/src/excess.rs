//! Usage beyond the estimate, for a foreign rate limit service: the excess is reported by a call that no request waits for.
//!
//! Failure law: such a service counts the estimate when the request asks, and cannot take back what was not used. A
//! failed call is not repeated, so that nothing is ever counted twice.
use std::collections::VecDeque;

use mesh_engine::{LimitCheck, Settlement};
use mesh_policy::ServiceRef;

use crate::{host, limits};

/// How many reports may wait for the next tick; beyond that the oldest are dropped.
const MAX_WAITING: usize = 256;

/// The waiting reports.
#[derive(Default)]
pub(crate) struct Excess {
    waiting: VecDeque<LimitCheck>,
}

impl Excess {
    /// Notes the excess of an exchange that has ended.
    pub(crate) fn note(&mut self, settlements: &[Settlement]) {
        for over in settlements.iter().filter_map(Settlement::beyond) {
            if self.waiting.len() >= MAX_WAITING {
                self.waiting.pop_front();
            }
            self.waiting.push_back(over);
        }
    }

    /// Sends the waiting reports.
    pub(crate) fn report(&mut self, service: &ServiceRef) {
        for over in self.waiting.drain(..) {
            let question = limits::ask_plainly(std::slice::from_ref(&over));
            host::call(service, limits::SHOULD_RATE_LIMIT, Vec::new(), &question);
        }
    }
}
