//! `mode: strict`: an upper bound on what a request may consume, established before it is sent.
//!
//! The input is at most one token per byte, if all of it is in the body. The output is bounded by the request; a
//! request without a bound is sent with one. Failure law: if either cannot be known, the limit could not run.
use mesh_limits::UNBOUNDED_ANSWER;
use mesh_wire::{Answers, Message, Protocol, bounded};

use crate::decision::Outcome;
use crate::session::Session;

/// What providers add to a request that offers tools: a text of 300 to 700 tokens on how to call them.
pub(crate) const BESIDE_TOOLS: u64 = 1024;

impl Session {
    /// The bounds of the responses, or why these, or the input, cannot be known.
    pub(crate) fn answers(&self, body: &[u8]) -> Result<Answers, &'static str> {
        let none = Answers { most: Some(0), count: 1 };
        let Some(message) = &self.message else { return Ok(none) };
        let known = self.told_by_path(message);
        if !self.asks_a_model(body) {
            return if !known && mesh_wire::may_ask_a_model(body) { Err("protocol") } else { Ok(none) };
        }
        if !known {
            return Err("protocol");
        }
        if message.media > 0 {
            return Err("media");
        }
        if mesh_wire::reads_elsewhere(message, body) {
            return Err("elsewhere");
        }
        mesh_wire::answers(message, body).ok_or("protocol")
    }

    /// Whether the path tells which protocol its server reads: the format of the body does not.
    pub(crate) fn told_by_path(&self, message: &Message) -> bool {
        message.protocol == self.route.protocol
            && !matches!(message.protocol, Protocol::Json | Protocol::Text | Protocol::None)
    }

    /// The body with the reserved bound on its responses, if a limit is strict and the request has none.
    pub(crate) fn bounding(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        if !self.promised_strictly() {
            return None;
        }
        let message = self.message.as_ref()?;
        let unbounded = mesh_wire::answers(message, body)?.most.is_none();
        let bounded = unbounded.then(|| bounded(message, body, UNBOUNDED_ANSWER)).flatten()?;
        let said = format!(
            "the request sets no bound on its answer, and a limit is strict: it is sent with one of {UNBOUNDED_ANSWER} tokens"
        );
        self.remark("rateLimit", said);
        self.decision.outcome = self.decision.outcome.max(Outcome::AllowWithModifications);
        Some(bounded)
    }
}
