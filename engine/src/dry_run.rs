//! What a program would decide about a sample request, without traffic.
use std::rc::Rc;

use crate::Timestamp;
use crate::caller::RequestHead;
use crate::decision::Decision;
use crate::limits::{LimitAnswer, LimitStatus};
use crate::program::Program;
use crate::session::{Session, Step};

/// A request to test a policy with.
#[derive(Clone, Debug, Default)]
pub struct SampleRequest {
    /// Method, path, headers and source address.
    pub head: RequestHead,
    /// The body, as it would be sent.
    pub body: Vec<u8>,
}

/// What would happen.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The decision, as a record would show it.
    pub decision: Decision,
    /// The body that would be sent instead, if it would be modified.
    pub rewritten: Option<Vec<u8>>,
    /// Status and body of the refusal, if it would be refused.
    pub refusal: Option<(u16, Vec<u8>)>,
}

/// Runs one request through a program. Limits count as not reached; no judge is asked, and the decision says so.
pub fn dry_run(program: &Rc<Program>, sample: &SampleRequest, now: Timestamp) -> Verdict {
    let mut session = Session::start(Rc::clone(program), sample.head.clone(), "dry-run".to_owned(), now);
    let mut step = session.request_headers(sample.body.is_empty(), now);
    if matches!(step, Step::ReadBody) {
        step = session.request(&sample.body, now);
    }
    if let Step::AskLimits(checks) = &step {
        let within =
            LimitAnswer::Answered(vec![LimitStatus { over: None, remaining: u64::MAX }; checks.len()]);
        step = session.limits(within, &sample.body, now);
    }
    session.question();
    let (decision, ..) = session.finish();
    let (rewritten, refusal) = match step {
        Step::Replace(body) => (Some(body), None),
        Step::Refuse(refusal) => (None, Some((refusal.status, refusal.body))),
        Step::Continue | Step::ReadBody | Step::AskLimits(_) => (None, None),
    };
    Verdict { decision, rewritten, refusal }
}
