//! How many tokens a request may consume: whether it asks a model at all, an estimate, an upper bound, or why neither
//! can be known.
use mesh_limits::{PER_MESSAGE, UNBOUNDED_ANSWER, tokens_at_most, tokens_of};
use mesh_wire::{Answers, Protocol};

use crate::bounds::BESIDE_TOOLS;
use crate::session::Session;

/// The tokens that a request is expected to consume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Estimate {
    pub(crate) input: u64,
    pub(crate) output: u64,
}

impl Session {
    /// Whether it asks a model for something that consumes tokens.
    pub(crate) fn asks_a_model(&self, body: &[u8]) -> bool {
        let Some(message) = &self.message else { return false };
        let counts_only = ["count_tokens", "countTokens", "computeTokens", "count-tokens"];
        let told = self.told_by_path(message);
        if told && message.protocol == Protocol::Mcp {
            return false;
        }
        let asks = message.protocol.names_a_model()
            || message.model.is_some()
            || !told && mesh_wire::holds_a_prompt(body);
        asks && !counts_only.contains(&message.operation.as_str())
            && !(message.operation == "files" && self.keeps_files())
    }

    /// Whether the path stores files for later, whatever they ask for.
    fn keeps_files(&self) -> bool {
        let last = self.head.path_only().rsplit('/').find(|segment| !segment.is_empty());
        last.is_some_and(|last| ["files", "parts"].iter().any(|name| last.eq_ignore_ascii_case(name)))
    }

    /// The tokens that this request may consume; `None` if no model is asked. An upper bound if `answers` are given.
    pub(crate) fn estimate(&self, body: &[u8], answers: Option<Answers>) -> Option<Estimate> {
        let message = self.message.as_ref().filter(|_| self.asks_a_model(body))?;
        if let Some(Answers { most, count }) = answers {
            let beside = if message.tools_offered.is_empty() { 0 } else { BESIDE_TOOLS };
            let input = tokens_at_most(body.len()).saturating_add(beside);
            return Some(Estimate { input, output: most.unwrap_or(UNBOUNDED_ANSWER).saturating_mul(count) });
        }
        let input = message
            .segments
            .iter()
            .filter(|segment| !segment.derived)
            .map(|segment| tokens_of(&segment.text).saturating_add(PER_MESSAGE))
            .fold(u64::from(message.tokens), u64::saturating_add);
        let unbounded = UNBOUNDED_ANSWER.saturating_mul(message.answers);
        Some(Estimate { input, output: message.max_output.unwrap_or(unbounded) })
    }

    /// The estimated tokens of this request: computed once, whatever the number of limits.
    pub(crate) fn estimated(&mut self, body: &[u8]) -> Option<Estimate> {
        if self.budget.estimated.is_none() {
            self.budget.estimated = Some(self.estimate(body, None));
        }
        self.budget.estimated.flatten()
    }

    /// Why its consumption cannot be known, if so: it starts a file of requests (OpenAI's `/v1/batches`), which may
    /// be run again, or something stored on a server; or it is answered later, without a bound.
    pub(crate) fn takes_unknown(&self, strict: bool) -> Option<&'static str> {
        if self.route.protocol == Protocol::Json && matches!(self.route.operation, Some("batches" | "runs")) {
            return Some("batch");
        }
        let later =
            self.message.as_ref().is_some_and(|message| message.later && message.max_output.is_none());
        (later && !strict).then_some("background")
    }
}
