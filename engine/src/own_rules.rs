//! The author's own rules (`rego`), over requests and over answers.
//!
//! Failure law: a module whose evaluation fails or runs over its budget is a guard that could not run, and follows its
//! policy's failure mode. An answer that comes as a stream is held back until the rules have seen the whole of it, up to
//! [`MAX_HELD`]; a longer one can not be judged.
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

/// Most bytes of a stream that are held back for the author's rules.
pub(crate) const MAX_HELD: usize = 4 << 20;

/// When in an exchange a module is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Before the content is searched: the cheap questions.
    Early,
    /// After that: modules that look at what was found.
    Late,
    /// When the answer is there.
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
    /// Whether a module of the author's looks at answers.
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
                        // Where it failed is the author's to know: module, line and column, and never a value.
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

    /// Whether a tool is called with something that parsers read in more than one way, and a module is to judge it.
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

    /// Asks the modules that look at answers. Their time is the request's: an answer is judged by the hour it was asked at.
    pub(crate) fn judge_answer(&mut self, answer: &Answer) {
        if self.rego_awaits_answer() && !self.denied() {
            self.judge_rego(&[], Turn::Answer, Some(answer), self.decision.time);
        }
    }

    pub(crate) fn rego_awaits_answer(&self) -> bool {
        self.applies.iter().any(|policy| policy.rego_reads_answers())
    }

    /// Whether an answer has to wait for the modules: only where one of them can refuse it.
    pub(crate) fn rego_holds_answer(&self) -> bool {
        let holds =
            |policy: &Attached| policy.enforcement == Enforcement::Blocking && policy.rego_reads_answers();
        self.applies.iter().any(|policy| holds(policy))
    }

    /// The answer can not be shown to the modules.
    pub(crate) fn rego_misses_answer(&mut self, why: &'static str) {
        let applies = Rc::clone(&self.applies);
        for policy in applies.iter().filter(|policy| policy.rego_reads_answers()) {
            self.guard_failed(policy, "rego", why);
        }
    }
}
