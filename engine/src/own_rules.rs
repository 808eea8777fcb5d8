//! The author's own rules (`rego`), for requests and responses.
//!
//! Failure law: a module whose evaluation fails or exceeds its budget is a guard that could not run, and follows its
//! policy's failure mode. A streamed response is held back until the rules have seen all of it, up to [`MAX_HELD`]; a
//! longer one cannot be judged.
use std::rc::Rc;

use mesh_policy::Enforcement;
use mesh_wire::RefusalKind;

use crate::Timestamp;
use crate::answer::Answer;
use crate::decision::{GuardState, Severity};
use crate::evidence::{Effect, Violation};
use crate::index::Attached;
use crate::input::{Asked, is_unclear, rego_input};
use crate::program::Rules;
use crate::session::Session;

/// The maximum number of bytes of a stream that are held back for the author's rules.
pub(crate) const MAX_HELD: usize = 4 << 20;

/// At which stage of an exchange a module is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Before the content is searched: cheap checks.
    Early,
    /// After that: modules that read the findings.
    Late,
    /// When the response is complete.
    Answer,
}

impl Turn {
    fn takes(self, asked: &Asked) -> bool {
        match self {
            Turn::Early => !asked.reads_findings(),
            Turn::Late => asked.reads_findings(),
            Turn::Answer => asked.reads_response(),
        }
    }
}

impl Rules {
    /// Whether an author's module inspects responses.
    pub(crate) fn rego_reads_answers(&self) -> bool {
        self.rego.iter().any(|(_, asked)| Turn::Answer.takes(asked))
    }
}

impl Session {
    pub(crate) fn judge_rego(&mut self, body: &[u8], turn: Turn, answer: Option<&Answer>, now: Timestamp) {
        let applies = Rc::clone(&self.applies);
        let modules = applies.iter().flat_map(|policy| &policy.rego).map(|(_, asked)| asked);
        let reads = modules.filter(|asked| turn.takes(asked)).map(|asked| asked.reads);
        let Some(reads) = reads.reduce(|all, one| all | one) else { return };
        let input = rego_input(self, body, now, answer, reads);
        let unclear = self.arguments_are_unclear(body, answer);
        for policy in applies.iter() {
            for (rule, asked) in policy.rego.iter().filter(|(_, asked)| turn.takes(asked)) {
                if unclear && asked.reads_arguments(answer.is_some()) {
                    self.guard_failed(policy, "rego", "arguments");
                    continue;
                }
                let verdict = match asked.rego.decide_input(&input) {
                    Ok(verdict) => verdict,
                    Err(error) => {
                        // The author is told where it failed: module, line and column, but never a value.
                        let message = "rego could not run: evaluation";
                        let told = format!("{message} ({error})");
                        let violation = Violation::new("rego", Severity::High, told).by(*rule);
                        self.failed(policy, "evaluation", violation, message);
                        continue;
                    }
                };
                self.decision.guard("rego", GuardState::Ran);
                for message in verdict.warn {
                    let warning = Violation::new("rego", Severity::Low, message).by(*rule);
                    self.warn(policy, warning, Effect::Recorded);
                }
                for message in verdict.deny {
                    if self.raise(policy, Violation::new("rego", Severity::High, message.clone()).by(*rule)) {
                        self.deny(RefusalKind::Policy, &message);
                    }
                }
            }
        }
    }

    /// Whether the arguments of a tool call can be parsed in more than one way, and a module is to judge them.
    fn arguments_are_unclear(&self, body: &[u8], answer: Option<&Answer>) -> bool {
        let asked = self.applies.iter().flat_map(|policy| &policy.rego).map(|(_, asked)| asked);
        if !asked.into_iter().any(|asked| asked.reads_arguments(answer.is_some())) {
            return false;
        }
        match (answer, &self.message) {
            (Some(answer), _) => answer.is_unclear(),
            (None, Some(message)) => crate::input::tool_calls(message, body).iter().any(is_unclear),
            (None, None) => false,
        }
    }

    /// Evaluates the modules that inspect responses. They see the time of the request: a response is judged as of
    /// that time.
    pub(crate) fn judge_answer(&mut self, answer: &Answer) {
        if self.rego_awaits_answer() && !self.denied() {
            self.judge_rego(&[], Turn::Answer, Some(answer), self.decision.time);
        }
    }

    pub(crate) fn rego_awaits_answer(&self) -> bool {
        self.applies.iter().any(|policy| policy.rego_reads_answers())
    }

    /// Whether a response must wait for the modules: only if one of them can refuse it.
    pub(crate) fn rego_holds_answer(&self) -> bool {
        let holds =
            |policy: &Attached| policy.enforcement == Enforcement::Blocking && policy.rego_reads_answers();
        self.applies.iter().any(|policy| holds(policy))
    }

    /// The response cannot be shown to the modules.
    pub(crate) fn rego_misses_answer(&mut self, why: &'static str) {
        let applies = Rc::clone(&self.applies);
        for policy in applies.iter().filter(|policy| policy.rego_reads_answers()) {
            self.guard_failed(policy, "rego", why);
        }
    }
}
