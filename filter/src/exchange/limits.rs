//! Limits of a request: covered by leases, or checked with the rate limit service while the request waits.
use mesh_engine::{LimitAnswer, LimitCheck};
use mesh_limits::Borrow;
use proxy_wasm::types::Action;

use super::{Exchange, Phase};
use crate::lease::Lent;
use crate::{host, lease, limits};

/// A call to the rate limit service that a request waits for.
pub(super) struct LimitCall {
    token: u32,
    checks: Vec<LimitCheck>,
    borrows: Vec<Option<Borrow>>,
}

impl Exchange {
    /// Admits the request under its leases, or asks the rate limit service.
    pub(super) fn ask_limits(&mut self, checks: Vec<LimitCheck>) -> Action {
        let Some(settings) = self.program.as_ref().map(|program| program.settings()) else {
            return self.resume_with_limits(LimitAnswer::Unreachable);
        };
        let Some(service) = &settings.rate_limit else {
            return self.resume_with_limits(LimitAnswer::Unreachable);
        };
        let now = host::now();
        let id = self.session.as_ref().map_or("", |session| session.decision().id.as_str());
        // Leases are returned together with records: where records go nowhere, nothing is borrowed.
        let foreign = settings.foreign_limits;
        let borrows = if settings.intake.is_some() && !foreign {
            let mut leases = self.shared.leases.borrow_mut();
            if let Some(mut local) = lease::admit(&mut leases, &checks, now) {
                drop(leases);
                self.uses.append(&mut local.uses);
                return self.resume_with_limits(lease::answer(&local));
            }
            lease::wants(&mut leases, &checks, id, now)
        } else {
            vec![None; checks.len()]
        };
        let token = if foreign {
            host::call(service, limits::SHOULD_RATE_LIMIT, Vec::new(), &limits::ask_plainly(&checks))
        } else {
            let metadata = vec![(limits::ID, id.as_bytes())];
            host::call(service, limits::SHOULD_RATE_LIMIT, metadata, &limits::ask(&checks, &borrows))
        };
        match token {
            Some(token) => {
                self.phase = Phase::AskLimits;
                self.limit_call = Some(LimitCall { token, checks, borrows });
                Action::Pause
            }
            None => self.take_limit_answer(checks, borrows, LimitAnswer::Unreachable, &[]),
        }
    }

    /// Handles the answer, or the fact that none will come, and goes on with the request.
    fn take_limit_answer(
        &mut self,
        checks: Vec<LimitCheck>,
        borrows: Vec<Option<Borrow>>,
        answer: LimitAnswer,
        lent: &[Lent],
    ) -> Action {
        lease::take(&mut self.shared.leases.borrow_mut(), &checks, borrows, &answer, lent);
        self.resume_with_limits(answer)
    }

    /// The client has left while the service was being asked: whatever it lends goes back.
    pub(super) fn abandon_limit_call(&mut self) {
        if let Some(LimitCall { checks, borrows, .. }) = self.limit_call.take() {
            let mut leases = self.shared.leases.borrow_mut();
            lease::take(&mut leases, &checks, borrows, &LimitAnswer::Unreachable, &[]);
        }
    }

    fn resume_with_limits(&mut self, answer: LimitAnswer) -> Action {
        let known = self.body.take().or_else(|| host::request_body(self.held));
        let Some(body) = known else { return self.fail_closed() };
        let step = self.ask_session(|session, now| session.limits(answer, &body, now));
        step.map_or(Action::Continue, |step| self.apply_to_request(step))
    }

    /// The rate limit service has answered, or Envoy in its place.
    pub(super) fn limits_answered(&mut self, token: u32, status: u32) {
        let Some(call) = self.limit_call.take_if(|call| call.token == token) else { return };
        let (answer, lent) = match status {
            0 => limits::read(&host::grpc_answer(), call.checks.len()),
            _ => (LimitAnswer::Unreachable, Vec::new()),
        };
        if self.take_limit_answer(call.checks, call.borrows, answer, &lent) == Action::Continue {
            host::resume_request();
        }
    }
}
