//! One exchange, from the request's headers to the end of the response.
//!
//! ```text
//! start ─▶ request_headers ─▶ request(body) ─▶ [limits] ─▶ judge ─▶ [question ─▶ judged] ─▶ … upstream …
//!       ─▶ response_headers ─▶ response(body) ─▶ [question ─▶ judged] | response_chunk(bytes)* ─▶ finish
//! ```
//!
//! Failure law: what cannot be inspected is refused if the policy fails closed (the default), and passes if it fails
//! open; either way the guard's state says so, in the response headers and in the record. A body that parsers could
//! read in different ways (`mesh_wire` reads strictly) is refused with 400. A body that is too large to buffer is
//! refused with 413, whatever the policy says.
use std::rc::Rc;

use mesh_policy::{AgentStatus, Enforcement, FailureMode, RecordOverflow};
use mesh_wire::{
    ContentCoding, ContentEncoding, DecodeError, Framing, Message, Protocol, Refusal, RefusalKind, Route,
    decode, refusal, route_of, stream_error,
};

use crate::Timestamp;
use crate::budget::Budget;
use crate::caller::{Caller, RequestHead};
use crate::canary::Canary;
use crate::decision::{Decision, GuardState, Outcome, PolicyRef, Severity};
use crate::evidence::{COULD_NOT_RUN, Effect, Violation};
use crate::index::Attached;
use crate::judge::Doubts;
use crate::limits::{LimitCheck, LimitStatus, Throttled};
use crate::mask::Masked;
use crate::own_rules::Turn;
use crate::program::Program;
use crate::stream::Stream;

/// What to do next with the request or response.
#[derive(Debug)]
pub enum Step {
    /// Let it pass unchanged.
    Continue,
    /// Buffer the whole body, then call again with it.
    ReadBody,
    /// Let it pass with this body instead, which has no `content-encoding`.
    Replace(Vec<u8>),
    /// Ask the rate limit service, then call again with its answer.
    AskLimits(Vec<LimitCheck>),
    /// End it with this response.
    Refuse(Refusal),
}

/// A request in progress, and what has been decided about it so far.
pub struct Session {
    pub(crate) program: Rc<Program>,
    pub(crate) head: RequestHead,
    pub(crate) caller: Caller,
    /// Policies that apply to the caller.
    pub(crate) applies: Rc<[Rc<Attached>]>,
    /// What the request line says.
    pub(crate) route: Route,
    pub(crate) protocol: Protocol,
    pub(crate) message: Option<Message>,
    /// The current body without its `content-encoding`.
    pub(crate) decoded: Option<Vec<u8>>,
    pub(crate) decision: Decision,
    pub(crate) masked: Masked,
    /// The canary in the agent's system prompt, if a policy asks for one.
    pub(crate) canary: Option<Canary>,
    pub(crate) stream: Option<Stream>,
    /// How the response's body is compressed.
    pub(crate) response_coding: Option<ContentCoding>,
    pub(crate) rpc_ids: Vec<String>,
    denial: Option<(RefusalKind, String)>,
    pub(crate) throttled: Option<Throttled>,
    /// The limit that refuses, as policy and name.
    limit_name: Option<String>,
    /// What the rate limit service is being asked.
    pub(crate) asked: Vec<LimitCheck>,
    /// What it answered for each check.
    pub(crate) told: Vec<(LimitCheck, LimitStatus)>,
    pub(crate) budget: Budget,
    /// The body cannot be inspected, but no policy that fails closed requires it.
    uninspected: bool,
    /// Texts that only a judge can decide.
    pub(crate) doubts: Doubts,
    /// The response has begun.
    pub(crate) answering: bool,
}

impl Session {
    /// Begins an exchange. `id` identifies the decision and must be unique.
    pub fn start(program: Rc<Program>, head: RequestHead, id: String, now: Timestamp) -> Self {
        let caller = Caller::of(&head, &program.settings);
        let applied = program.index.of(&caller.agent);
        let applies = Rc::clone(&applied.policies);
        let route = route_of(&head.method, &head.path, head.header("content-type"));
        let protocol = route.protocol;
        let mut decision = Decision { id, time: now, protocol: protocol.as_str(), ..Decision::default() };
        decision.named(route.operation.unwrap_or_default(), route.model.as_deref());
        for policy in applies.iter() {
            decision.policies.push(PolicyRef { id: policy.id.clone(), version: policy.version });
            for kind in &policy.unenforced {
                decision.guard(kind, GuardState::Skipped("not-enforced".into()));
            }
        }
        let mut session = Session {
            program,
            head,
            caller,
            applies,
            route,
            protocol,
            message: None,
            decoded: None,
            masked: Masked::default(),
            canary: None,
            decision,
            stream: None,
            response_coding: None,
            rpc_ids: Vec::new(),
            denial: None,
            throttled: None,
            limit_name: None,
            asked: Vec::new(),
            told: Vec::new(),
            budget: Budget::default(),
            uninspected: false,
            doubts: Doubts::default(),
            answering: false,
        };
        session.judge_status(applied.status, applied.reason.as_deref());
        session
    }

    /// Applies the agent's own document: a suspended agent is refused with the reason, whatever policies say.
    fn judge_status(&mut self, status: AgentStatus, reason: Option<&str>) {
        if status == AgentStatus::Active {
            return;
        }
        self.decision.guard("agent", GuardState::Ran);
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let message = format!("this agent is {}{reason}", status.as_str());
        if status.refuses() {
            self.deny(RefusalKind::Policy, &message);
            self.decision.violation(Violation::new("agent", Severity::High, message));
        } else {
            self.decision.warning(Violation::new("agent", Severity::Low, message).with(Effect::Recorded));
        }
    }

    /// The caller.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The request line and headers.
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// The decision so far.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The request headers have arrived; `end_of_stream` if no body follows.
    pub fn request_headers(&mut self, end_of_stream: bool, now: Timestamp) -> Step {
        if self.denied() {
            self.skip_content("denied");
            return self.conclude(None);
        }
        if !self.applies.iter().any(|policy| policy.inspects()) {
            return Step::Continue;
        }
        // What follows is not a body and has no end to wait for.
        if self.head.header("upgrade").is_some() || self.head.method == "CONNECT" {
            self.uninspectable("upgrade");
            return self.judge_by_head(now);
        }
        if self.content_encoding() == ContentEncoding::Unknown {
            self.uninspectable("content-encoding");
            return self.judge_by_head(now);
        }
        let length = self.head.header("content-length").and_then(|length| length.parse::<u64>().ok());
        if length.is_some_and(|length| length > self.program.settings.max_body_bytes) {
            return self.too_large();
        }
        if end_of_stream { self.request(&[], now) } else { Step::ReadBody }
    }

    /// The whole request body has arrived.
    pub fn request(&mut self, body: &[u8], now: Timestamp) -> Step {
        if body.len() as u64 > self.program.settings.max_body_bytes {
            return self.too_large();
        }
        if let ContentEncoding::Coded(coding) = self.content_encoding()
            && !body.is_empty()
        {
            match decode(coding, body, self.program.limits().max_body) {
                Ok(plain) => self.decoded = Some(plain),
                Err(DecodeError::TooLarge) => return self.too_large(),
                Err(error) => {
                    self.malformed(&error.to_string());
                    return self.judge_by_head(now);
                }
            }
        }
        let decoded = self.decoded.take();
        let plain = decoded.as_deref().unwrap_or(body);
        if !plain.is_empty() {
            self.read(plain);
        }
        let checks = if self.denial.is_none() { self.limit_checks(plain, now) } else { Vec::new() };
        self.decoded = decoded;
        if self.denial.is_some() {
            return self.conclude(None);
        }
        if checks.is_empty() { self.judge(body, now) } else { self.ask(checks) }
    }

    /// A request that cannot be inspected, but passes because its policies fail open, still counts under limits.
    fn judge_by_head(&mut self, now: Timestamp) -> Step {
        self.uninspected = true;
        self.judge_models();
        let checks = if self.denied() { Vec::new() } else { self.limit_checks(&[], now) };
        if self.denied() || checks.is_empty() { self.conclude(None) } else { self.ask(checks) }
    }

    /// The decision cannot be recorded: refuses, unless every policy allows records to be dropped.
    pub fn unrecorded(&mut self) -> Step {
        let applies = Rc::clone(&self.applies);
        let mut policies = applies.iter();
        if policies.any(|policy| policy.overflow == RecordOverflow::Refuse) {
            self.decision.guard("record", GuardState::Failed("buffer-full".into()));
            self.deny(
                RefusalKind::GuardFailed,
                "the decision can not be recorded now: the buffer of records is full",
            );
        }
        self.conclude(None)
    }

    /// The response headers that tell the agent the decision.
    pub fn response_header_values(&self) -> [(&'static str, String); 3] {
        [
            ("x-ai-mesh-decision", self.decision.outcome.as_str().to_owned()),
            ("x-ai-mesh-decision-id", self.decision.id.clone()),
            ("x-ai-mesh-guards", self.decision.guards_header()),
        ]
    }

    /// Ends the exchange.
    pub fn finish(mut self) -> (Decision, Caller, RequestHead) {
        self.settle();
        (self.decision, self.caller, self.head)
    }

    pub(crate) fn judge(&mut self, body: &[u8], now: Timestamp) -> Step {
        let decoded = self.decoded.take();
        let rewritten = self.judge_plain(decoded.as_deref().unwrap_or(body), now);
        let step = self.conclude(rewritten);
        plain_instead(step, decoded)
    }

    /// Cheap checks first, content last. A request that is already denied or throttled is not searched.
    fn judge_plain(&mut self, body: &[u8], now: Timestamp) -> Option<Vec<u8>> {
        if !self.uninspected {
            self.judge_access(now);
            self.judge_models();
            self.judge_tools();
            self.judge_rego(body, Turn::Early, None, now);
        }
        if self.denial.is_none()
            && let Some(Throttled { kind, message, limit }) = self.throttled.take()
        {
            self.decision.outcome =
                if kind == RefusalKind::Policy { Outcome::Deny } else { Outcome::Throttle };
            self.denial = Some((kind, message));
            self.limit_name = Some(limit);
        }
        if self.denial.is_some() {
            self.skip_content("denied");
            return None;
        }
        if self.uninspected {
            return None;
        }
        let digests = self.message.as_ref().map(|message| self.program.digests(message)).unwrap_or_default();
        self.judge_injection(&digests);
        self.judge_url();
        self.judge_mirrored();
        let mut edits = self.judge_pii(&digests);
        edits.extend(self.canary_edit());
        self.judge_rego(body, Turn::Late, None, now);
        match &self.message {
            Some(message) if !edits.is_empty() => Some(mesh_wire::apply(body, message, &edits)),
            _ => None,
        }
    }

    /// Records a violation that belongs to no single rule. True if the policy's enforcement lets it take effect.
    pub(crate) fn object(
        &mut self,
        policy: &Attached,
        guard: &'static str,
        severity: Severity,
        message: String,
    ) -> bool {
        self.raise(policy, Violation::new(guard, severity, message))
    }

    /// Records a violation. True if the policy's enforcement lets it take effect.
    pub(crate) fn raise(&mut self, policy: &Attached, violation: Violation) -> bool {
        let blocking = policy.enforcement == Enforcement::Blocking;
        let effect = if blocking { violation.effect } else { Effect::Recorded };
        let violation = Violation { policy_id: policy.id.clone(), effect, ..violation };
        match policy.enforcement {
            Enforcement::Blocking | Enforcement::Logging => self.decision.violation(violation),
            Enforcement::Advisory => self.decision.warning(violation),
        }
        blocking
    }

    /// Records a warning for a policy; it never refuses anything.
    pub(crate) fn warn(&mut self, policy: &Attached, violation: Violation, effect: Effect) {
        self.decision.warning(Violation { policy_id: policy.id.clone(), ..violation.with(effect) });
    }

    /// Records a warning that concerns no policy.
    pub(crate) fn remark(&mut self, guard: &'static str, message: String) {
        self.decision.warning(Violation::new(guard, Severity::Low, message).with(Effect::Recorded));
    }

    pub(crate) fn guard_failed(&mut self, policy: &Attached, guard: &'static str, why: &'static str) {
        let message = format!("{guard} could not run: {}", explained(guard, why));
        self.failed(policy, why, Violation::new(guard, Severity::High, message.clone()), &message);
    }

    /// Records that a guard could not run. The agent is told `message`; the violation may say more.
    pub(crate) fn failed(
        &mut self,
        policy: &Attached,
        why: &'static str,
        violation: Violation,
        message: &str,
    ) {
        self.decision.guard(violation.guard, GuardState::Failed(why.into()));
        let violation = violation.with(when_closed(policy)).failing(COULD_NOT_RUN);
        if self.raise(policy, violation) && policy.failure == FailureMode::Closed {
            self.deny(RefusalKind::GuardFailed, message);
        }
    }

    /// The agent is told the first reason.
    pub(crate) fn deny(&mut self, kind: RefusalKind, message: &str) {
        self.decision.outcome = Outcome::Deny;
        self.denial.get_or_insert_with(|| (kind, message.to_owned()));
    }

    pub(crate) fn denied(&self) -> bool {
        self.denial.is_some()
    }

    /// Ends a stream with an error in the provider's own format.
    pub(crate) fn stream_error(&self, framing: Framing) -> Vec<u8> {
        let (kind, message) = match &self.denial {
            Some((kind, message)) => (*kind, message.as_str()),
            None => (RefusalKind::GuardFailed, "the stream could not be inspected"),
        };
        stream_error(self.protocol, framing, kind, message, &self.decision.id, &self.rpc_ids)
    }

    /// Ends a stream because a limit is used up, with an error in the provider's own format, if the protocol has no
    /// way to end a response early.
    pub(crate) fn spent_error(&self, framing: Framing) -> Vec<u8> {
        let kind = RefusalKind::Limit { retry_after_s: 60 };
        let message = "the budget for this answer is spent";
        stream_error(self.protocol, framing, kind, message, &self.decision.id, &self.rpc_ids)
    }

    pub(crate) fn conclude(&mut self, rewritten: Option<Vec<u8>>) -> Step {
        if let Some((kind, message)) = &self.denial {
            let id = &self.decision.id;
            let mut answer = refusal(self.protocol, *kind, message, id, &self.rpc_ids);
            answer.headers.extend(self.response_header_values());
            answer.headers.extend(self.limit_name.clone().map(|name| ("x-ai-mesh-limit", name)));
            return Step::Refuse(answer);
        }
        match rewritten {
            Some(body) => {
                self.decision.outcome = self.decision.outcome.max(Outcome::AllowWithModifications);
                Step::Replace(body)
            }
            None => Step::Continue,
        }
    }
}

/// Sends on the body that was inspected: a compressed body goes on without its `content-encoding`.
pub(crate) fn plain_instead(step: Step, decoded: Option<Vec<u8>>) -> Step {
    match (step, decoded) {
        (Step::Continue, Some(plain)) => Step::Replace(plain),
        (step, _) => step,
    }
}

/// The effect of a guard that could not run.
pub(crate) fn when_closed(policy: &Attached) -> Effect {
    match policy.failure {
        FailureMode::Closed => Effect::Denied,
        FailureMode::Open => Effect::Recorded,
    }
}

/// Explains why a guard could not run. For guards not listed here, the word itself is clear enough.
fn explained(guard: &str, why: &'static str) -> &'static str {
    match why {
        "arguments" if guard == "rego" => {
            "what a tool is called with is JSON that parsers read in more than one way"
        }
        _ if guard != "rateLimit" => why,
        "media" => "under mode: strict, media is refused, since its bytes do not tell its tokens",
        "elsewhere" => "under mode: strict, all that the model is to read has to be in the request",
        "protocol" => {
            "under mode: strict, a path or model is refused of which it is not known what bounds an answer"
        }
        "batch" => "what is run here stands in a file or on the server, and may take anything",
        "background" => "an answer in the background has to be bounded: set max_output_tokens",
        "keys" => "a request shows at most 4 different keys of providers",
        "concurrent" => "the rate limit service can not count what goes on at the same time",
        _ => why,
    }
}

/// Protocols whose bodies are JSON whatever the content type says.
pub(crate) fn speaks_json(protocol: Protocol) -> bool {
    !matches!(protocol, Protocol::Text | Protocol::None | Protocol::Json)
}
