//! The second opinion on doubtful texts: asked over HTTP, while the request waits or only its answer does.
//!
//! Failure law: the first byte of the response leaves after the verdict, never before. An answer of the judge in any other form
//! than the agreed one is no verdict; without a verdict the session allows or refuses by the policy's failure mode.
use mesh_engine::{Judgement, Question, Session, Step};
use proxy_wasm::types::Action;

use super::{Exchange, Phase};
use crate::{host, judge};

/// A call to the judge, and what is held back of the response until its verdict.
#[derive(Default)]
pub(super) struct JudgeCall {
    token: Option<u32>,
    /// The response's headers are held back. True when no body follows them.
    headers: Option<bool>,
    /// Part of the response's body is held back.
    body: bool,
    /// The response has ended.
    ended: bool,
    /// The verdict is in, and what is held back is sent with the next piece.
    sends_with_next: bool,
}

impl JudgeCall {
    /// Whether the response has to be held back.
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
    /// Asks the judge what the session wants to know, if anything. `waiting` is the phase in which the exchange waits for the
    /// verdict.
    pub(super) fn second_opinion(&mut self, waiting: Phase) -> Action {
        let Some(question) = self.session.as_mut().and_then(Session::question) else {
            return Action::Continue;
        };
        match self.ask_judge(&question) {
            Ok(token) => {
                self.judge_call = JudgeCall { token: Some(token), ..JudgeCall::default() };
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
        self.ask_session(|session, _| session.judged(judgement))
    }

    /// The judge has answered, or Envoy in its place.
    pub(super) fn judge_answered(&mut self, token: u32, headers: usize, size: usize) {
        if self.judge_call.token.take_if(|asked| *asked == token).is_none() {
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

    /// Releases what has waited for the verdict.
    fn release(&mut self) {
        match self.phase {
            Phase::AskJudge => {
                self.phase = Phase::Pass;
                host::resume_request();
            }
            Phase::JudgeAnswer => {
                self.phase = Phase::Pass;
                self.set_decision_headers();
                host::resume_response();
            }
            Phase::HoldAnswer => self.release_answer(),
            // The upstream has not answered yet.
            _ => {}
        }
    }

    fn release_answer(&mut self) {
        let headers_alone = self.judge_call.headers.unwrap_or_default();
        let ended = self.judge_call.ended;
        if self.begin_response(headers_alone) == Action::Pause {
            if self.phase == Phase::ReadResponse && ended && self.read_response() == Action::Continue {
                host::resume_response();
            }
            return;
        }
        // Once a piece of a body was held back, Envoy adds later pieces to it until the filter lets one pass. Releasing it between
        // two pieces would lose the second one, so it is sent with the next.
        if self.judge_call.body && !ended {
            self.judge_call.sends_with_next = true;
            return;
        }
        if self.judge_call.body && self.phase == Phase::StreamResponse && !self.stream_piece(self.held, true)
        {
            return;
        }
        host::resume_response();
    }

    /// The trailers have come, so the body is complete. A body that was held back is sent with them. Of a stream, the last piece has
    /// been sent already: if the session still has more to send, the stream is reset, so that the agent does not take what it got
    /// for the whole.
    pub(super) fn send_with_trailers(&mut self) -> Action {
        let sends_with_next = std::mem::take(&mut self.judge_call.sends_with_next);
        if self.phase != Phase::StreamResponse {
            return Action::Continue;
        }
        if sends_with_next {
            return if self.stream_piece(self.held, true) { Action::Continue } else { Action::Pause };
        }
        let rest = self.session.as_mut().map(|session| session.response_chunk(&[], true));
        if rest.is_some_and(|rest| !rest.is_empty()) {
            host::reset();
            return Action::Pause;
        }
        Action::Continue
    }

    /// A piece of the body has passed: nothing is held back any more.
    pub(super) fn held_body_has_left(&mut self) {
        self.judge_call.sends_with_next = false;
    }
}
