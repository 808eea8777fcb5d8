//! The response: buffered and judged as a whole, or judged piece by piece as it streams.
use mesh_engine::{ResponseMode, Session, Step};
use proxy_wasm::types::Action;

use super::{Exchange, Phase};
use crate::host;

impl Exchange {
    /// Applies the session's step to the buffered response.
    pub(super) fn apply_to_response(&mut self, step: Step) -> Action {
        self.phase = Phase::Pass;
        match step {
            Step::Replace(body) => {
                if !host::set_response_body(&body) {
                    host::reset();
                    return Action::Pause;
                }
                self.hashes.response(&body);
                host::set_response_header("content-length", Some(&body.len().to_string()));
                if self.response_coded {
                    host::set_response_header("content-encoding", None);
                }
            }
            // The headers have not left yet, so the response can still become a refusal.
            Step::Refuse(refusal) => {
                if !host::set_response_body(&refusal.body) {
                    host::reset();
                    return Action::Pause;
                }
                self.status = u32::from(refusal.status);
                self.hashes.response(&refusal.body);
                host::set_response_header(":status", Some(&refusal.status.to_string()));
                for name in ["etag", "content-encoding", "content-disposition", "last-modified"] {
                    host::set_response_header(name, None);
                }
                for (name, value) in &refusal.headers {
                    host::set_response_header(name, Some(value));
                }
                host::set_response_header("content-length", Some(&refusal.body.len().to_string()));
                self.phase = Phase::Discard;
                self.set_decision_headers();
                return Action::Continue;
            }
            Step::Continue | Step::ReadBody | Step::AskLimits(_) => {}
        }
        if self.second_opinion(Phase::JudgeAnswer) == Action::Pause {
            return Action::Pause;
        }
        self.set_decision_headers();
        Action::Continue
    }

    /// The response's headers have come, and no judge holds it back.
    pub(super) fn begin_response(&mut self, end_of_stream: bool) -> Action {
        let headers = host::response_headers();
        self.response_coded = headers.iter().any(|(name, _)| name == "content-encoding");
        self.response_type =
            headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.clone());
        let status =
            headers.iter().find(|(name, _)| name == ":status").and_then(|(_, value)| value.parse().ok());
        self.status = status.unwrap_or_default();
        if self.status >= 500 && host::answer_lost() {
            self.session.as_mut().map(Session::answer_lost);
        }
        // Few streams have a `content-length`, and removing a header is a call to Envoy.
        let measured = headers.iter().any(|(name, _)| name == "content-length");
        match self.session.as_mut().map(|session| session.response_headers(&headers, end_of_stream)) {
            Some(ResponseMode::Buffer) => {
                self.phase = Phase::ReadResponse;
                Action::Pause
            }
            Some(ResponseMode::Stream) => {
                self.phase = Phase::StreamResponse;
                if measured {
                    host::set_response_header("content-length", None);
                }
                if self.response_coded {
                    host::set_response_header("content-encoding", None);
                }
                self.set_decision_headers();
                Action::Continue
            }
            Some(ResponseMode::Refuse(refusal)) => self.refuse(&refusal),
            Some(ResponseMode::Pass) | None => {
                self.phase = Phase::Pass;
                self.set_decision_headers();
                Action::Continue
            }
        }
    }

    pub(super) fn read_response(&mut self) -> Action {
        let Some(body) = host::response_body(self.held) else {
            host::reset();
            return Action::Pause;
        };
        let content_type = self.response_type.take();
        let step = self.ask_session(|session, _| session.response(&body, content_type.as_deref()));
        if matches!(step, Some(Step::Continue)) {
            self.hashes.response(&body);
        }
        step.map_or(Action::Continue, |step| self.apply_to_response(step))
    }

    /// Sends on the part of a stream that may be released. False when that failed and the exchange was reset.
    pub(super) fn stream_piece(&mut self, size: usize, end_of_stream: bool) -> bool {
        let Some(chunk) = host::response_body(size) else {
            host::reset();
            return false;
        };
        let session = self.session.as_mut();
        let out = session.map(|session| session.response_chunk(&chunk, end_of_stream)).unwrap_or_default();
        self.hashes.response(&out);
        if out != chunk && !host::set_response_body(&out) {
            host::reset();
            return false;
        }
        true
    }

    /// Sets the headers that tell the agent what was decided.
    pub(super) fn set_decision_headers(&self) {
        if let Some(session) = &self.session {
            for (name, value) in session.response_header_values() {
                host::set_response_header(name, Some(&value));
            }
        }
    }
}
