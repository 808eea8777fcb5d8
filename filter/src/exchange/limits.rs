//! Limits of a request: admitted by what was lent, or asked for at the rate limit service while the request waits.
use mesh_engine::{LimitAnswer, LimitCheck};
use mesh_limits::Borrow;
use proxy_wasm::types::Action;

use super::{Exchange, Phase};
use crate::lease::Lent;
use crate::{host, lease, limits};

/// What the rate limit service was asked.
pub(super) struct Question {
    token: u32,
    checks: Vec<LimitCheck>,
    borrows: Vec<Option<Borrow>>,
}

impl Exchange {
    /// Admits the request by what was lent, or asks.
    pub(super) fn ask_limits(&mut self, checks: Vec<LimitCheck>) -> Action {
        let Some(settings) = self.program.as_ref().map(|program| program.settings()) else {
            return self.limits(LimitAnswer::Unreachable);
        };
        let Some(service) = &settings.rate_limit else { return self.limits(LimitAnswer::Unreachable) };
        let now = host::now();
        let id = self.session.as_ref().map_or("", |session| session.decision().id.as_str());
        // Leases are returned with records: where these go nowhere, nothing is borrowed.
        let foreign = settings.foreign_limits;
        let borrows = if settings.intake.is_some() && !foreign {
            let mut leases = self.shared.leases.borrow_mut();
            if let Some(mut local) = lease::admit(&mut leases, &checks, now) {
                drop(leases);
                self.uses.append(&mut local.uses);
                return self.limits(lease::answer(&local));
            }
            lease::wants(&mut leases, &checks, id, now)
        } else {
            vec![None; checks.len()]
        };
        let token = host::call(
            &service.cluster,
            limits::SERVICE,
            limits::METHOD,
            if foreign { Vec::new() } else { vec![(limits::ID, id.as_bytes())] },
            &if foreign { limits::ask_plainly(&checks) } else { limits::ask(&checks, &borrows) },
            service.timeout_ms,
        );
        match token {
            Some(token) => {
                self.phase = Phase::AskLimits;
                self.question = Some(Question { token, checks, borrows });
                Action::Pause
            }
            None => self.told(checks, borrows, LimitAnswer::Unreachable, &[]),
        }
    }

    /// What was asked is answered, or will not be.
    fn told(
        &mut self,
        checks: Vec<LimitCheck>,
        borrows: Vec<Option<Borrow>>,
        answer: LimitAnswer,
        lent: &[Lent],
    ) -> Action {
        lease::take(&mut self.shared.leases.borrow_mut(), &checks, borrows, &answer, lent);
        self.limits(answer)
    }

    /// The client has left while the service was asked: nobody hears its answer.
    pub(super) fn left_asking(&mut self) {
        if let Some(Question { checks, borrows, .. }) = self.question.take() {
            let mut leases = self.shared.leases.borrow_mut();
            lease::take(&mut leases, &checks, borrows, &LimitAnswer::Unreachable, &[]);
        }
    }

    fn limits(&mut self, answer: LimitAnswer) -> Action {
        let known = self.body.take().or_else(|| host::request_body(self.held));
        let Some(body) = known else { return self.broken() };
        let step = self.judge(|session, now| session.limits(answer, &body, now));
        step.map_or(Action::Continue, |step| self.on_request(step))
    }

    /// The rate limit service has answered, or Envoy in its place.
    pub(super) fn limits_answered(&mut self, token: u32, status: u32) {
        let Some(question) = self.question.take_if(|question| question.token == token) else { return };
        let (answer, lent) = match status {
            0 => limits::read(&host::grpc_answer(), question.checks.len()),
            _ => (LimitAnswer::Unreachable, Vec::new()),
        };
        if self.told(question.checks, question.borrows, answer, &lent) == Action::Continue {
            host::resume_request();
        }
    }
}
