//! The response path: whole bodies are judged like requests; event streams go through
//! [`Stream`](crate::stream::Stream).
//!
//! Failure law: the same as for requests. A response that cannot be inspected is replaced by a refusal if the policy
//! fails closed; the upstream's response is never passed on "as far as it was read".
use std::rc::Rc;

use mesh_policy::Media;
use mesh_wire::{
    BodyKind, ContentCoding, ContentDecoder, ContentEncoding, DecodeError, Edit, Framing, Message, Protocol,
    Usage, apply_dropping_tools, body_kind, decode, is_text, read_response, sniff,
};

use crate::answer::Answer;
use crate::decision::{GuardState, Severity};
use crate::evidence::{Effect, Evidence, Violation};
use crate::guards::{Way, without_overlaps};
use crate::parts::Pieces;
use crate::session::{Session, Step, plain_instead, speaks_json};
use crate::stream::{Held, Stream};

/// How to handle a response.
#[derive(Debug)]
pub enum ResponseMode {
    /// Nothing to inspect: pass everything on.
    Pass,
    /// Buffer the whole body and call [`Session::response`].
    Buffer,
    /// Pass every chunk to [`Session::response_chunk`]; its output has no `content-encoding`.
    Stream,
    /// Send this response instead.
    Refuse(mesh_wire::Refusal),
}

impl Session {
    /// The response headers have arrived; names in lower case. `end_of_stream` if no body follows.
    pub fn response_headers(&mut self, headers: &[(String, String)], end_of_stream: bool) -> ResponseMode {
        self.answering = true;
        let applies = Rc::clone(&self.applies);
        let header =
            |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        self.answered(header(":status").and_then(|status| status.parse().ok()));
        if self.protocol == Protocol::BedrockInvoke {
            headers.iter().for_each(|(name, value)| self.used(Usage::of_header(name, value)));
        }
        let reads = applies.iter().any(|policy| policy.reads_responses()) || !self.masked.is_empty();
        if !reads {
            return ResponseMode::Pass;
        }
        if end_of_stream {
            self.judge_answer(&Answer::default());
            return self.refusal_or_pass();
        }
        let codings = headers.iter().filter(|(name, _)| name == "content-encoding");
        self.response_coding = match ContentEncoding::of(codings.map(|(_, value)| value.as_str())) {
            ContentEncoding::Identity => None,
            ContentEncoding::Coded(coding) => Some(coding),
            ContentEncoding::Unknown => return self.uninspectable_response("response-encoding"),
        };
        let kind = match body_kind(header("content-type")) {
            // The data stream of the AI SDK (its version 4).
            BodyKind::Text if header("x-vercel-ai-data-stream").is_some() => BodyKind::Lines,
            kind => kind,
        };
        if let Some(framing) = Framing::of(&kind, self.protocol, &self.decision.operation) {
            let limit = self.program.limits().max_body;
            let decoder = self.response_coding.map(|coding| ContentDecoder::new(coding, limit));
            self.stream = Some(self.streams(framing, decoder).told_by_its_bytes(self));
            return ResponseMode::Stream;
        }
        match kind {
            BodyKind::EventStream | BodyKind::Lines | BodyKind::AmazonEvents => {
                self.uninspectable_response("response-framing")
            }
            BodyKind::Json | BodyKind::Text | BodyKind::Empty => ResponseMode::Buffer,
            // SDKs read JSON and events where they expect them, whatever the content type says.
            BodyKind::Media if speaks_json(self.protocol) => ResponseMode::Buffer,
            BodyKind::Media => self.file_response(),
            BodyKind::Form => self.uninspectable_response("response-form"),
            BodyKind::Multipart => self.uninspectable_response("response-multipart"),
            BodyKind::Unknown(_) => self.uninspectable_response("response-content-type"),
        }
    }

    /// The whole response body has arrived.
    pub fn response(&mut self, body: &[u8], content_type: Option<&str>) -> Step {
        if body.is_empty() {
            self.judge_answer(&Answer::default());
            return self.conclude(None);
        }
        if body.len() as u64 > self.program.settings.max_body_bytes {
            self.uninspectable_back("response-size");
            return self.conclude(None);
        }
        let decoded = match self.response_coding.map(|coding| self.decoded_response(coding, body)) {
            Some(Err(step)) => return step,
            Some(Ok(plain)) => Some(plain),
            None => None,
        };
        let step = self.plain_response(decoded.as_deref().unwrap_or(body), content_type);
        plain_instead(step, decoded)
    }

    fn decoded_response(&mut self, coding: ContentCoding, body: &[u8]) -> Result<Vec<u8>, Step> {
        decode(coding, body, self.program.limits().max_body).map_err(|error| {
            self.uninspectable_back(match error {
                DecodeError::TooLarge => "response-size",
                DecodeError::Broken => "response-encoding",
            });
            self.conclude(None)
        })
    }

    /// Begins to inspect an event stream.
    fn streams(&mut self, framing: Framing, decoder: Option<ContentDecoder>) -> Stream {
        // The headers are sent before the text is seen: they name the guards that will run on it.
        let outside = self.protocol.answers_from_outside();
        let content = if outside { GuardState::Skipped("protocol".into()) } else { GuardState::Ran };
        self.mark_response_guards(GuardState::Ran, content);
        self.judge_misses_stream();
        let held = self.rego_awaits_answer().then(|| Held::new(self.rego_holds_answer()));
        Stream::new(self.protocol, &self.decision.operation, framing, decoder).held(held)
    }

    pub(crate) fn plain_response(&mut self, body: &[u8], content_type: Option<&str>) -> Step {
        let kind = body_kind(content_type);
        let told = speaks_json(self.protocol);
        // In an unknown protocol, the bytes decide only if there is no content type, or if it is JSON but the body is
        // not a single value.
        let by_bytes = told || matches!(kind, BodyKind::Empty | BodyKind::Json);
        let framing = Framing::of_body(body, self.protocol, told).filter(|_| by_bytes);
        if let Some(framing) = framing.or_else(|| self.text_streams(&kind, body)) {
            let out = self.streams(framing, None).push(self, body, true);
            return self.conclude((out != body).then_some(out));
        }
        if kind == BodyKind::Media && !told && !is_text(body) {
            self.media_passes();
            return self.conclude(None);
        }
        let json = kind == BodyKind::Json || sniff(body) == BodyKind::Json;
        let protocol = if json { self.protocol } else { Protocol::Text };
        let protocol = if json && matches!(protocol, Protocol::Text | Protocol::None) {
            Protocol::Json
        } else {
            protocol
        };
        let limits = self.program.limits();
        let mut read = read_response(protocol, &self.decision.operation, body, &limits);
        // A text may begin with a bracket. Where JSON is expected, though, it is JSON that parsers would disagree on.
        if read.is_err() && matches!(kind, BodyKind::Text | BodyKind::Media) && !told {
            read = read_response(Protocol::Text, &self.decision.operation, body, &limits);
        }
        // An error is read by people, and its server chooses the field names.
        let failed = self.budget.status.is_some_and(|status| status >= 400);
        if read.is_err() && failed && json {
            read = read_response(Protocol::Json, &self.decision.operation, body, &limits);
        }
        match read {
            Ok(message) => {
                self.took(&message);
                let (edits, hidden) = self.judge_response(&message, body, Pieces::NONE);
                self.judge_answer(&Answer::of(&message, body));
                let changed = !edits.is_empty() || !hidden.is_empty();
                let rewritten =
                    changed.then(|| apply_dropping_tools(body, &message, &edits, &names(&hidden)));
                self.conclude(rewritten)
            }
            Err(_) => {
                self.uninspectable_back("response-malformed");
                self.conclude(None)
            }
        }
    }

    /// The framing of a response that is declared as text or has no content type, if the path does not tell which
    /// streams its server sends.
    fn text_streams(&self, kind: &BodyKind, body: &[u8]) -> Option<Framing> {
        let text = matches!(kind, BodyKind::Text | BodyKind::Empty);
        let untold = !speaks_json(self.route.protocol) && !self.protocol.answers_from_outside();
        if text && untold { Framing::of_text(body, &self.program.limits()) } else { None }
    }

    /// Takes a chunk of a streamed response; returns the bytes to send instead. Bytes that are held back come with a
    /// later chunk, at the latest with the one that ends the stream.
    pub fn response_chunk(&mut self, chunk: &[u8], end_of_stream: bool) -> Vec<u8> {
        match self.stream.take() {
            Some(mut stream) => {
                let out = stream.push(self, chunk, end_of_stream);
                self.stream = Some(stream);
                out
            }
            None => chunk.to_vec(),
        }
    }

    /// Judges one message of a response, read from `body`, except for pieces of running texts. Returns the edits to
    /// make, and the tools to remove from its listing.
    pub(crate) fn judge_response(
        &mut self,
        message: &Message,
        body: &[u8],
        pieces: Pieces<'_>,
    ) -> (Vec<Edit>, Vec<String>) {
        // A listing shows only the tools that may be called; any other message that names a forbidden tool is
        // refused.
        let listing = message.protocol == Protocol::Mcp && !message.tools_offered.is_empty();
        let mut hidden = if listing { self.hidden_tools(message) } else { Vec::new() };
        if listing {
            hidden.extend(self.withheld_tools(message, body));
        }
        if !listing && !message.tool_calls.is_empty() {
            self.tools_of(message);
        }
        let digests = self.program.digests(message);
        if self.says_outside_words(message) {
            hidden.extend(self.injection_in(message, &digests, Way::Response, listing));
        }
        if message.media > 0 {
            self.judge_media("media");
        } else if message.tokens > 0 {
            self.judge_media("tokens");
        }
        let mut edits = self.pii_in(message, &digests, Way::Response, pieces);
        edits.extend(self.canary_in(message, pieces));
        edits.extend(self.output_in(message, pieces, &edits));
        // Findings never overlap a placeholder: these edits do not overlap those of personal data.
        edits.extend(self.masked.restored(message, pieces));
        (without_overlaps(edits), hidden)
    }

    /// Whether the response carries third-party text, in which an instruction is an attack, in whatever form it
    /// comes. A model's own response is not searched for injection.
    fn says_outside_words(&self, message: &Message) -> bool {
        let outside = self.protocol.answers_from_outside() || message.protocol.answers_from_outside();
        outside && !message.segments.is_empty()
    }

    fn hidden_tools(&mut self, message: &Message) -> Vec<String> {
        let applies = Rc::clone(&self.applies);
        let mut hidden = Vec::new();
        for policy in applies.iter().filter(|policy| !policy.tools.is_empty()) {
            self.decision.guard("tools", GuardState::Ran);
            for (index, name) in message.tools_offered.iter().enumerate() {
                let Some((rule, listed)) = policy.refuses_tool(name) else { continue };
                let text = "a tool that is not allowed is hidden".to_owned();
                let evidence = Evidence { place: format!("tools[{index}]"), listed, ..Evidence::default() };
                let violation = Violation::new("tools", Severity::Low, text).by(rule).with(Effect::Modified);
                if self.raise(policy, violation.because(evidence)) {
                    hidden.push(name.clone());
                }
            }
        }
        hidden
    }

    /// Sets the states of the guards that inspect responses: they will run on this one, or why they do not.
    fn mark_response_guards(&mut self, pii: GuardState, content: GuardState) {
        if self.applies.iter().any(|policy| policy.pii.iter().any(|guard| guard.response)) {
            self.decision.guard("pii", pii);
        }
        if self.applies.iter().any(|policy| !policy.output.is_empty()) {
            self.decision.guard("content", content);
        }
    }

    /// A response of an unknown protocol that is a file according to its content type. Its bytes show, as they
    /// arrive, whether it is text after all; if media may be refused, it is buffered first.
    fn file_response(&mut self) -> ResponseMode {
        let applies = Rc::clone(&self.applies);
        let judged = applies.iter().any(|policy| policy.judges_responses()) || !self.masked.is_empty();
        if !judged {
            self.media_passes();
            return self.refusal_or_pass();
        }
        if applies.iter().any(|policy| policy.media == Media::Refuse) || self.rego_holds_answer() {
            return ResponseMode::Buffer;
        }
        self.mark_media();
        let limits = self.program.limits();
        let decoder = self.response_coding.map(|coding| ContentDecoder::new(coding, limits.max_body));
        let stream = Stream::new(self.protocol, &self.decision.operation, Framing::Lines, decoder);
        self.stream = Some(stream.of_file(&limits));
        ResponseMode::Stream
    }

    fn mark_media(&mut self) {
        let skipped = || GuardState::Skipped("media".into());
        self.mark_response_guards(skipped(), skipped());
        self.judge_media("media");
    }

    /// A response that is not text.
    pub(crate) fn media_passes(&mut self) {
        self.mark_media();
        self.judge_answer(&Answer::default());
        self.answer_unread();
    }

    fn uninspectable_response(&mut self, why: &'static str) -> ResponseMode {
        self.uninspectable_back(why);
        self.refusal_or_pass()
    }

    fn refusal_or_pass(&mut self) -> ResponseMode {
        match self.conclude(None) {
            Step::Refuse(refusal) => ResponseMode::Refuse(refusal),
            _ => ResponseMode::Pass,
        }
    }

    pub(crate) fn uninspectable_back(&mut self, why: &'static str) {
        self.answer_unread();
        self.rego_misses_answer(why);
        let applies = Rc::clone(&self.applies);
        // If the protocol does not tell whose words the response carries, only its format could have told.
        let outside = self.protocol.answers_from_outside() || !speaks_json(self.protocol);
        for policy in applies.iter() {
            if policy.pii.iter().any(|guard| guard.response) {
                self.guard_failed(policy, "pii", why);
            }
            if !policy.injection.is_empty() && outside {
                self.guard_failed(policy, "injection", why);
            }
            if !policy.output.is_empty() && !self.protocol.answers_from_outside() {
                self.guard_failed(policy, "content", why);
            }
            if !policy.canary.is_empty() && self.canary.is_some() {
                self.guard_failed(policy, "canary", why);
            }
            if !policy.tools.is_empty() && self.protocol.answers_with_tools() {
                self.guard_failed(policy, "tools", why);
            }
        }
    }
}

pub(crate) fn names(hidden: &[String]) -> Vec<&str> {
    hidden.iter().map(String::as_str).collect()
}
