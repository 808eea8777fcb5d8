//! The second opinion on doubtful texts: asked over HTTP, while the request waits or only its answer does.
//!
//! Failure law: the answer's first byte leaves after the verdict, never before. What the judge says in another form than the
//! agreed one is no verdict; what is no verdict is the session's to allow or refuse.
use mesh_engine::{Judgement, Question, Session, Step};
use proxy_wasm::types::Action;

use super::{Exchange, Phase};
use crate::{host, judge};

/// A question on its way, and the answer that is held back for it.
#[derive(Default)]
pub(super) struct Opinion {
    token: Option<u32>,
    /// The response's headers are held back; whether they were all there is.
    headers: Option<bool>,
    /// Some of the response's body is held back.
    body: bool,
    /// The response is all there.
    ended: bool,
    /// The verdict is in, and what is held back leaves with the next piece.
    leaves: bool,
}

impl Opinion {
    /// Whether an answer has to be held back.
    pub(super) fn holds(&self) -> bool {
        self.token.is_some()
    }

    pub(super) fn held_headers(&mut self, end_of_stream: bool) {
        self.headers = Some(end_of_stream);
        self.ended = end_of_stream;
    }

    pub(super) fn held_body(&mut self, end_of_stream: bool) {
        self.body = true;
        self.ended |= end_of_stream;
    }

    pub(super) fn held_trailers(&mut self) {
        self.ended = true;
    }
}

impl Exchange {
    /// Has the session's question answered, if it has one; `waiting` is the phase in which the exchange waits for it.
    pub(super) fn second_opinion(&mut self, waiting: Phase) -> Action {
        let Some(question) = self.session.as_mut().and_then(Session::question) else {
            return Action::Continue;
        };
        match self.ask_judge(&question) {
            Ok(token) => {
                self.opinion = Opinion { token: Some(token), ..Opinion::default() };
                if !question.waits {
                    return Action::Continue;
                }
                self.phase = waiting;
                Action::Pause
            }
            Err(why) => match self.verdict(&Judgement::Failed(why)) {
                Some(Step::Refuse(refusal)) => self.refuse(&refusal),
                _ => Action::Continue,
            },
        }
    }

    fn ask_judge(&mut self, question: &Question) -> Result<u32, &'static str> {
        let program = self.program.as_ref().ok_or("no-service")?;
        let service = program.settings().judge.as_ref().ok_or("no-service")?;
        let now = host::now();
        if !self.shared.breaker.borrow_mut().may_ask(now) {
            return Err("breaker");
        }
        let sent = host::post(
            &service.cluster,
            (&service.authority, &format!("{}{}", service.path_prefix, judge::PATH)),
            &judge::ask(question),
            question.deadline_ms,
        );
        sent.ok_or_else(|| {
            self.shared.breaker.borrow_mut().told(false, now);
            "unreachable"
        })
    }

    fn verdict(&mut self, judgement: &Judgement) -> Option<Step> {
        self.judge(|session, _| session.judged(judgement))
    }

    /// The judge has answered, or Envoy in its place.
    pub(super) fn judge_answered(&mut self, token: u32, headers: usize, size: usize) {
        if self.opinion.token.take_if(|asked| *asked == token).is_none() {
            return;
        }
        let judgement = judge::read(headers, size);
        let answered = matches!(judgement, Judgement::Answered(_));
        self.shared.breaker.borrow_mut().told(answered, host::now());
        match self.verdict(&judgement) {
            Some(Step::Refuse(refusal)) => {
                self.refuse(&refusal);
            }
            _ => self.release(),
        }
    }

    /// Lets go on what has waited for the verdict.
    fn release(&mut self) {
        match self.phase {
            Phase::AskJudge => {
                self.phase = Phase::Pass;
                host::resume_request();
            }
            Phase::JudgeAnswer => {
                self.phase = Phase::Pass;
                self.tell_agent();
                host::resume_response();
            }
            Phase::HoldAnswer => self.release_answer(),
            // The upstream has not answered yet.
            _ => {}
        }
    }

    fn release_answer(&mut self) {
        let headers_alone = self.opinion.headers.unwrap_or_default();
        let ended = self.opinion.ended;
        if self.open_answer(headers_alone) == Action::Pause {
            if self.phase == Phase::ReadResponse && ended && self.read_response() == Action::Continue {
                host::resume_response();
            }
            return;
        }
        // Once a piece of a body was held back, Envoy takes the rest for part of it until the filter lets a piece pass: what
        // is let go between two pieces would lose the second one. So it leaves with the next.
        if self.opinion.body && !ended {
            self.opinion.leaves = true;
            return;
        }
        if self.opinion.body && self.phase == Phase::StreamResponse && !self.stream_piece(self.held, true) {
            return;
        }
        host::resume_response();
    }

    /// The trailers are there, and no more of the body will come. One that was held leaves with them. Of a stream the last piece
    /// has left: where more of it should leave now, the agent is not to take what it has for the whole.
    pub(super) fn leave_with_trailers(&mut self) -> Action {
        let leaves = std::mem::take(&mut self.opinion.leaves);
        if self.phase != Phase::StreamResponse {
            return Action::Continue;
        }
        if leaves {
            return if self.stream_piece(self.held, true) { Action::Continue } else { Action::Pause };
        }
        let rest = self.session.as_mut().map(|session| session.response_chunk(&[], true));
        if rest.is_some_and(|rest| !rest.is_empty()) {
            host::reset();
            return Action::Pause;
        }
        Action::Continue
    }

    /// A piece of a body has passed: nothing is held back any more.
    pub(super) fn has_left(&mut self) {
        self.opinion.leaves = false;
    }
}
