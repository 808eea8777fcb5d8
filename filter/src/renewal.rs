//! Leases that are in use are renewed before they run out, by calls that no request waits for.
//!
//! Law: what is lent so is lent as in an answer to a request. A call that fails or comes to nothing leaves the lease to end, and
//! the next request asks for itself.
use mesh_engine::{LimitCheck, Measure};
use mesh_limits::{Leases, Renewal};
use mesh_policy::ServiceRef;

use crate::{host, lease, limits};

/// Calls that were not even answered with an error (their root context may be gone) are forgotten with newer ones.
const MAX_CALLS: usize = 64;

/// Calls under way.
#[derive(Default)]
pub(crate) struct Renewals {
    calls: Vec<(u32, LimitCheck, u64)>,
}

impl Renewals {
    /// Asks for what is due. `id` names what is lent, and is unique.
    pub(crate) fn ask(
        &mut self,
        leases: &mut Leases,
        service: &ServiceRef,
        now_ns: u64,
        id: impl Fn() -> String,
    ) {
        for renewal in leases.due(now_ns / 1000) {
            let want = renewal.want;
            let Some(check) = check(renewal) else { continue };
            let question = limits::ask(std::slice::from_ref(&check), &[want]);
            let id = id();
            let metadata = vec![(limits::ID, id.as_bytes())];
            let token = host::call(
                &service.cluster,
                limits::SERVICE,
                limits::METHOD,
                metadata,
                &question,
                service.timeout_ms,
            );
            if let Some(token) = token {
                if self.calls.len() >= MAX_CALLS {
                    self.calls.remove(0);
                }
                self.calls.push((token, check, now_ns));
            }
        }
    }

    /// Takes the answer to one of its calls; false if it is none of them. `message` is empty when the call failed.
    pub(crate) fn answered(&mut self, token: u32, message: &[u8], leases: &mut Leases) -> bool {
        let Some(at) = self.calls.iter().position(|(known, ..)| *known == token) else { return false };
        let (_, check, asked_ns) = self.calls.swap_remove(at);
        if !message.is_empty() {
            let (answer, lent) = limits::read(message, 1);
            lease::take(leases, std::slice::from_ref(&check), &answer, &lent, asked_ns);
        }
        true
    }
}

/// A question that wants nothing for a request.
fn check(renewal: Renewal) -> Option<LimitCheck> {
    let Renewal { account, limit, .. } = renewal;
    let measures = [Measure::Requests, Measure::Tokens, Measure::Cost];
    let measure = measures.into_iter().find(|measure| measure.as_str() == account.measure)?;
    Some(LimitCheck::to_borrow(account.policy, account.rule, measure, account.key, limit, account.window_s))
}
