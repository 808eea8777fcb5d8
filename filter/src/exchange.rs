//! One request and its response, walked through a session.
//!
//! ```text
//! headers ─▶ body (whole) ─▶ [rate limit service] ─▶ [judge] ─▶ upstream ─▶ headers ─▶ body (whole, or piece by piece) ─▶ log
//! ```
//!
//! Failure law: without a program every request is refused with 503. A body that Envoy could not replace is not sent on. What the
//! session refuses is answered here, and never reaches the upstream.
mod answer;
mod judge;
mod limits;

use std::rc::Rc;

use mesh_engine::{Program, Refusal, RequestHead, Session, Step};
use mesh_limits::Use;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use self::judge::JudgeCall;
use self::limits::LimitCall;
use crate::hashes::Hashes;
use crate::root::Shared;
use crate::{host, lease, record};

/// One request and its response.
pub(crate) struct Exchange {
    program: Option<Rc<Program>>,
    shared: Rc<Shared>,
    session: Option<Session>,
    phase: Phase,
    /// The pending call to the rate limit service.
    limit_call: Option<LimitCall>,
    /// The pending call to the judge.
    judge_call: JudgeCall,
    /// The leases that this request uses, to be settled when the exchange ends.
    uses: Vec<Use>,
    /// The outbox holds a place for this exchange's record.
    reserved: bool,
    response_type: Option<String>,
    /// The response has a `content-encoding`.
    response_coded: bool,
    /// Bytes of the body that Envoy holds, in the direction that is read.
    held: usize,
    /// The request's body, while it is judged: reading it again is a call to Envoy and a copy.
    body: Option<Vec<u8>>,
    /// The HTTP status that the client gets; 0 while there is none.
    status: u32,
    deciding_ns: u64,
    hashes: Hashes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing more to inspect in this direction.
    Pass,
    ReadRequest,
    /// The rate limit service is being asked.
    AskLimits,
    /// The judge is being asked, and the request waits.
    AskJudge,
    /// The judge is being asked, and the upstream has answered.
    HoldAnswer,
    /// The judge is being asked about the answer.
    JudgeAnswer,
    /// The response is the filter's own, and now passes through its callbacks.
    Answered,
    ReadResponse,
    StreamResponse,
    /// The response is complete; whatever the upstream still sends is thrown away.
    Discard,
}

impl Exchange {
    pub(crate) fn new(program: Option<Rc<Program>>, shared: Rc<Shared>) -> Self {
        let hashes = program.as_ref().map(|program| Hashes::asked(program.settings())).unwrap_or_default();
        Exchange {
            program,
            shared,
            session: None,
            phase: Phase::Pass,
            limit_call: None,
            judge_call: JudgeCall::default(),
            uses: Vec::new(),
            reserved: false,
            response_type: None,
            response_coded: false,
            held: 0,
            body: None,
            status: 0,
            deciding_ns: 0,
            hashes,
        }
    }

    /// Calls the session and adds up the time that it takes. Reading the clock is a call to Envoy, so calls about
    /// headers are not timed.
    fn ask_session<T>(&mut self, ask: impl FnOnce(&mut Session, u64) -> T) -> Option<T> {
        let session = self.session.as_mut()?;
        let before = host::now();
        let answer = ask(session, before);
        self.deciding_ns += host::now().saturating_sub(before);
        Some(answer)
    }

    /// Applies the session's step to the request.
    fn apply_to_request(&mut self, step: Step) -> Action {
        match step {
            Step::Continue => self.forward(),
            Step::ReadBody => {
                self.phase = Phase::ReadRequest;
                Action::Pause
            }
            Step::Replace(body) => {
                if !host::set_request_body(&body) {
                    return self.fail_closed();
                }
                host::set_request_header("content-length", Some(&body.len().to_string()));
                if self.session.as_ref().is_some_and(|s| s.head().header("content-encoding").is_some()) {
                    host::set_request_header("content-encoding", None);
                }
                self.forward()
            }
            Step::AskLimits(checks) => self.ask_limits(checks),
            Step::Refuse(refusal) => self.refuse(&refusal),
        }
    }

    fn read_request(&mut self) -> Action {
        let Some(body) = host::request_body(self.held) else { return self.fail_closed() };
        self.hashes.request(&body);
        let step = self.ask_session(|session, now| session.request(&body, now));
        self.body = Some(body);
        let action = step.map_or(Action::Continue, |step| self.apply_to_request(step));
        self.body = None;
        action
    }

    /// Sends the request on, without the mesh's own headers: what they say about the agent does not concern the
    /// upstream.
    fn forward(&mut self) -> Action {
        if let Some(session) = &self.session {
            for (name, _) in session.head().headers.iter().filter(|(name, _)| name.starts_with("x-ai-mesh-"))
            {
                host::set_request_header(name, None);
            }
        }
        self.phase = Phase::Pass;
        self.second_opinion(Phase::AskJudge)
    }

    fn refuse(&mut self, refusal: &Refusal) -> Action {
        self.phase = Phase::Answered;
        self.status = u32::from(refusal.status);
        self.hashes.response(&refusal.body);
        host::respond(refusal.status, &refusal.headers, &refusal.body)
    }

    /// Refuses with 503: there is no program, or Envoy did not hand over or replace a body.
    fn fail_closed(&mut self) -> Action {
        self.phase = Phase::Answered;
        self.status = 503;
        let headers = [("content-type", "application/json".to_owned())];
        host::respond(
            503,
            &headers,
            br#"{"error":{"message":"the ai-mesh filter could not read or rewrite the body","type":"guard_failed"}}"#,
        )
    }

    fn max_body(&self) -> usize {
        let limit = self.program.as_ref().map_or(0, |program| program.settings().max_body_bytes);
        usize::try_from(limit).unwrap_or(usize::MAX)
    }
}

/// What Envoy knows of the request before its body.
fn request_head(program: &Program) -> RequestHead {
    let mut head = RequestHead {
        source_ip: host::source_ip(),
        principal: program.settings().client_certificates.then(host::principal).flatten(),
        cluster: program.pins_tools().then(host::cluster).flatten(),
        ..RequestHead::default()
    };
    for (name, value) in host::request_headers() {
        match name.as_str() {
            ":method" => head.method = value,
            ":path" => head.path = value,
            _ if name.starts_with(':') => {}
            _ => head.headers.push((name, value)),
        }
    }
    head
}

impl Context for Exchange {
    fn on_grpc_call_response(&mut self, token: u32, status: u32, _size: usize) {
        self.limits_answered(token, status);
    }

    fn on_http_call_response(&mut self, token: u32, headers: usize, size: usize, _trailers: usize) {
        self.judge_answered(token, headers, size);
    }
}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let Some(program) = self.program.clone() else { return self.fail_closed() };
        let head = request_head(&program);
        let now = host::now();
        let mut session = Session::start(program, head, self.shared.decision_id(), now);
        self.reserved = self.shared.outbox.borrow_mut().reserve();
        let record = if self.reserved { Step::Continue } else { session.unrecorded() };
        let step = match record {
            Step::Refuse(refusal) => Step::Refuse(refusal),
            _ => session.request_headers(end_of_stream, now),
        };
        self.session = Some(session);
        self.apply_to_request(step)
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.held = size;
        match self.phase {
            Phase::ReadRequest if end_of_stream => self.read_request(),
            Phase::ReadRequest if size > self.max_body() => {
                let step = self.session.as_mut().map(Session::too_large);
                step.map_or(Action::Pause, |step| self.apply_to_request(step))
            }
            Phase::ReadRequest | Phase::AskLimits | Phase::AskJudge | Phase::Answered => Action::Pause,
            _ => Action::Continue,
        }
    }

    /// Trailers end the body: the body callback may not have seen the end of the stream.
    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        match self.phase {
            Phase::ReadRequest => self.read_request(),
            Phase::AskLimits | Phase::AskJudge | Phase::Answered => Action::Pause,
            _ => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.held = 0;
        if self.phase == Phase::Answered || self.session.is_none() {
            return Action::Continue;
        }
        if self.judge_call.holds() {
            self.phase = Phase::HoldAnswer;
            self.judge_call.held_headers(end_of_stream);
            return Action::Pause;
        }
        self.begin_response(end_of_stream)
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.held = size;
        match self.phase {
            Phase::ReadResponse if end_of_stream || size > self.max_body() => self.read_response(),
            Phase::ReadResponse | Phase::JudgeAnswer => Action::Pause,
            Phase::HoldAnswer => {
                self.judge_call.held_body(end_of_stream);
                Action::Pause
            }
            Phase::StreamResponse => {
                self.held_body_has_left();
                if self.stream_piece(size, end_of_stream) { Action::Continue } else { Action::Pause }
            }
            Phase::Discard => {
                if !host::set_response_body(&[]) {
                    host::reset();
                }
                Action::Continue
            }
            _ => Action::Continue,
        }
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        match self.phase {
            Phase::ReadResponse => self.read_response(),
            Phase::HoldAnswer => {
                self.judge_call.held_trailers();
                Action::Pause
            }
            Phase::JudgeAnswer => Action::Pause,
            _ => self.send_with_trailers(),
        }
    }

    fn on_log(&mut self) {
        self.abandon_limit_call();
        let Some(session) = self.session.take() else { return };
        let (mut decision, caller, head) = session.finish();
        if self.program.as_ref().is_some_and(|program| program.settings().foreign_limits) {
            self.shared.excess.borrow_mut().note(&decision.settlements);
            decision.settlements.clear();
        }
        if !self.uses.is_empty() {
            let settlements = std::mem::take(&mut decision.settlements);
            lease::settle(&mut self.shared.leases.borrow_mut(), &self.uses, &settlements);
        }
        let mut record = record::record((decision, caller, head), self.status, self.deciding_ns / 1_000);
        std::mem::take(&mut self.hashes).note(&mut record);
        self.shared.outbox.borrow_mut().push(&record, self.reserved);
        self.reserved = false;
    }
}
