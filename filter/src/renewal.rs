//! Leases in use are renewed before they run out, by calls that no request waits for.
//!
//! Failure law: a renewal lends exactly as the answer to a request does. When the call fails, the lease runs out and
//! the next request makes a call of its own.
use mesh_engine::{LimitAnswer, LimitCheck};
use mesh_limits::{AccountName, Borrow, Leases, Renewal};
use mesh_policy::ServiceRef;

use crate::{host, lease, limits};

/// The maximum number of pending calls. Beyond that the oldest counts as unanswered: its root context may be gone.
const MAX_CALLS: usize = 64;

/// A pending call.
struct Call {
    token: u32,
    check: LimitCheck,
    borrow: Borrow,
}

/// The pending calls.
#[derive(Default)]
pub(crate) struct Renewals {
    calls: Vec<Call>,
}

impl Renewals {
    /// Requests the renewals that are due. `id` returns a unique name for each request.
    pub(crate) fn ask(
        &mut self,
        leases: &mut Leases,
        service: &ServiceRef,
        now_ns: u64,
        id: impl Fn() -> String,
    ) {
        for Renewal { account, limit, borrow } in leases.due(now_ns / 1000) {
            // No request is behind this check: it only borrows.
            let AccountName { policy, rule, measure, window_s, key } = account;
            let check = LimitCheck::to_borrow(policy, rule, measure, key, limit, window_s);
            let borrows = [Some(borrow)];
            let question = limits::ask(std::slice::from_ref(&check), &borrows);
            let id = id();
            let metadata = vec![(limits::ID, id.as_bytes())];
            let token = host::call(service, limits::SHOULD_RATE_LIMIT, metadata, &question);
            match (token, borrows) {
                (Some(token), [Some(borrow)]) => {
                    if self.calls.len() >= MAX_CALLS {
                        let Call { check, borrow, .. } = self.calls.remove(0);
                        unanswered(&check, vec![Some(borrow)], leases);
                    }
                    self.calls.push(Call { token, check, borrow });
                }
                (_, borrows) => unanswered(&check, borrows.into(), leases),
            }
        }
    }

    /// Handles the answer to a call; false if the call is not one of these. `message` is empty when the call failed.
    pub(crate) fn answered(&mut self, token: u32, message: &[u8], leases: &mut Leases) -> bool {
        let Some(at) = self.calls.iter().position(|call| call.token == token) else { return false };
        let Call { check, borrow, .. } = self.calls.swap_remove(at);
        let (answer, lent) = if message.is_empty() {
            (LimitAnswer::Unreachable, Vec::new())
        } else {
            limits::read(message, 1)
        };
        lease::take(leases, std::slice::from_ref(&check), vec![Some(borrow)], &answer, &lent);
        true
    }
}

fn unanswered(check: &LimitCheck, borrows: Vec<Option<Borrow>>, leases: &mut Leases) {
    lease::take(leases, std::slice::from_ref(check), borrows, &LimitAnswer::Unreachable, &[]);
}
