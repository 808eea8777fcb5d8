//! The second opinion: what the first tier finds doubtful is sent to a classifier outside the proxy.
//!
//! ```text
//! request | response ─▶ step ─▶ question() ─▶ [the caller asks] ─▶ judged(answer) ─▶ step
//! ```
//!
//! A question is only asked after a step that lets the exchange continue: what is already refused needs no second
//! opinion. If the question does not wait, the request may go on in the meantime, but no byte of its response may be
//! sent before the verdict.
//!
//! Failure law: a judge that cannot be asked, does not answer in time or answers anything but a verdict is a guard
//! that could not run, and follows the rule's failure mode, or else its policy's. If there are more doubtful texts
//! than fit into a question, the least doubtful pass without a verdict, even if that mode is closed; then this is
//! recorded, and the guard's state says so. Refusing them would end every long conversation, whose history is asked
//! about at each turn.
use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use mesh_detect::{Family, InjectionFinding, Sensitivity, Source, injection_threshold, window};
use mesh_policy::{FailureMode, InjectionAction, JudgeMode, JudgeRule};
use mesh_wire::RefusalKind;

use crate::decision::{GuardState, Severity};
use crate::evidence::{Effect, Evidence, JUDGE_COULD_NOT_RUN, Violation, span};
use crate::index::Attached;
use crate::program::InjectionGuard;
use crate::session::{Session, Step};

/// The maximum number of texts in a question: the most doubtful ones.
pub const MAX_WINDOWS: usize = 8;
/// The maximum length of a text that is sent, in bytes: the surroundings of the doubtful words.
pub const MAX_WINDOW_BYTES: usize = 4096;
/// The name of the judge's finding in records.
pub(crate) const FINDING: &str = "judge/attack";
const GUARD: &str = "judge";
/// The guard's state while nothing is doubtful.
const CLEAR: GuardState = GuardState::Skipped(Cow::Borrowed("clear"));
/// The guard's state from the question to the verdict.
const OPEN: GuardState = GuardState::Skipped(Cow::Borrowed("unanswered"));

/// What to ask a judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Texts to classify, at most [`MAX_WINDOWS`] of at most [`MAX_WINDOW_BYTES`].
    pub texts: Vec<String>,
    /// How long the answer may take, in milliseconds.
    pub deadline_ms: u32,
    /// Whether the whole exchange waits for the answer; otherwise only its response does.
    pub waits: bool,
}

/// A class, and the judge's confidence in it, from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Its name.
    pub label: String,
    /// The confidence.
    pub score: f32,
}

/// The result of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// The classes of each text, in order.
    Answered(Vec<Vec<Label>>),
    /// No answer, and why: one of `deadline`, `unreachable`, `answer`, `breaker`, `no-service`.
    Failed(&'static str),
}

/// A rule's `judge`, compiled.
pub(crate) struct JudgeGuard {
    pub(crate) from: f32,
    pub(crate) threshold: f32,
    labels: Vec<String>,
    mode: JudgeMode,
    deadline_ms: u32,
    failure: Option<FailureMode>,
}

impl JudgeGuard {
    /// Fails if the band of scores is empty.
    pub(crate) fn of(rule: &JudgeRule, sensitivity: Sensitivity) -> Result<Self, String> {
        #[expect(clippy::cast_possible_truncation, reason = "scores between 0 and 1")]
        let (from, threshold) = (rule.from as f32, rule.threshold as f32);
        let sources = [Source::User, Source::ToolResult, Source::ToolDefinition];
        let points = sources.into_iter().filter_map(|source| injection_threshold(source, sensitivity));
        let point = points.fold(0.0, f32::max);
        if from >= point {
            return Err(format!(
                "found {from}, expected a score below {point:.2}, from which this sensitivity finds by itself: the judge \
                 would never be asked"
            ));
        }
        Ok(JudgeGuard {
            from,
            threshold,
            labels: rule.labels.clone(),
            mode: rule.mode,
            deadline_ms: rule.deadline_ms,
            failure: rule.failure_mode,
        })
    }

    /// Whether what the judge has not seen is refused.
    fn is_closed(&self, policy: &Attached) -> bool {
        self.failure.unwrap_or(policy.failure) == FailureMode::Closed
    }

    /// The judge's confidence that the text is an attack; `None` if it returned none of the labels.
    fn score(&self, labels: &[Label]) -> Option<f32> {
        let meant = |label: &&Label| self.labels.iter().any(|name| name.eq_ignore_ascii_case(&label.label));
        labels.iter().filter(meant).map(|label| label.score).reduce(f32::max)
    }
}

impl InjectionGuard {
    /// Whether the finding is below the operating point, so that only a judge can decide.
    pub(crate) fn doubts(&self, finding: &InjectionFinding, source: Source) -> bool {
        self.judge.is_some()
            && finding.family != Family::Phrase
            && injection_threshold(source, self.sensitivity).is_none_or(|point| finding.score < point)
    }
}

/// A doubtful text, and the guards that doubt it, as pairs of a policy's index among those that apply and a guard's
/// index in it.
struct Doubt {
    text: String,
    place: String,
    span: Range<usize>,
    first: f32,
    guards: Vec<(usize, usize)>,
}

/// The doubtful texts of an exchange.
#[derive(Default)]
pub(crate) struct Doubts {
    open: Vec<Doubt>,
    asked: Vec<Doubt>,
    /// Guards that doubt more texts than fit into a question.
    more: Vec<(usize, usize)>,
    /// The response is sent on as it arrives: nothing in it is asked about.
    pub(crate) flows: bool,
}

impl Session {
    /// Adds a text that the first tier finds doubtful.
    pub(crate) fn doubt(
        &mut self,
        guard: (usize, usize),
        text: &str,
        finding: &InjectionFinding,
        place: impl Fn() -> String,
    ) {
        if self.doubts.flows {
            return;
        }
        let window = window(text, &finding.span, MAX_WINDOW_BYTES);
        // The same words may occur in several places, and several rules may doubt them.
        if let Some(known) = self.doubts.open.iter_mut().find(|doubt| doubt.text == window) {
            if !known.guards.contains(&guard) {
                known.guards.push(guard);
            }
            return;
        }
        if self.doubts.open.len() >= MAX_WINDOWS {
            let least = self.doubts.open.iter().enumerate().min_by(|a, b| a.1.first.total_cmp(&b.1.first));
            let (left, there) = match least.map(|(at, least)| (at, least.first)) {
                Some((at, first)) if first < finding.score => (self.doubts.open.remove(at).guards, true),
                _ => (vec![guard], false),
            };
            let more = &mut self.doubts.more;
            left.into_iter().for_each(|guard| {
                if !more.contains(&guard) {
                    more.push(guard)
                }
            });
            if !there {
                return;
            }
        }
        self.doubts.open.push(Doubt {
            text: window.to_owned(),
            place: place(),
            span: finding.span.clone(),
            first: finding.score,
            guards: vec![guard],
        });
    }

    /// What a judge has to be asked before the exchange, or its response, may continue. Each question is returned
    /// once; pass its answer to [`Session::judged`].
    pub fn question(&mut self) -> Option<Question> {
        let applies = Rc::clone(&self.applies);
        let judges = applies.iter().any(|policy| policy.injection.iter().any(|guard| guard.judge.is_some()));
        if !judges {
            return None;
        }
        let open = std::mem::take(&mut self.doubts.open);
        if self.denied() {
            self.note(GuardState::Skipped("denied".into()));
            return None;
        }
        if open.is_empty() {
            if !self.decision.guards.iter().any(|(name, _)| *name == GUARD) {
                self.decision.guard(GUARD, CLEAR);
            }
            return None;
        }
        let guards = open.iter().flat_map(|doubt| &doubt.guards);
        let asking: Vec<&JudgeGuard> = guards.filter_map(|at| judge_at(&applies, *at)).collect();
        let question = Question {
            texts: open.iter().map(|doubt| doubt.text.clone()).collect(),
            // The shortest deadline of all rules: none waits longer than its own.
            deadline_ms: asking.iter().map(|guard| guard.deadline_ms).min().unwrap_or_default(),
            waits: self.answering || asking.iter().any(|guard| guard.mode == JudgeMode::Wait),
        };
        self.doubts.asked = open;
        self.note(OPEN);
        Some(question)
    }

    /// Takes the result of the question; returns whether the exchange continues.
    pub fn judged(&mut self, judgement: &Judgement) -> Step {
        let asked = std::mem::take(&mut self.doubts.asked);
        let applies = Rc::clone(&self.applies);
        let verdicts = match judgement {
            Judgement::Answered(verdicts) if verdicts.len() == asked.len() => Ok(verdicts),
            Judgement::Answered(_) => Err("answer"),
            Judgement::Failed(why) => Err(*why),
        };
        for (number, doubt) in asked.iter().enumerate() {
            for at in &doubt.guards {
                let (Some(policy), Some(guard)) = (applies.get(at.0), guard_at(&applies, *at)) else {
                    continue;
                };
                let Some(judge) = &guard.judge else { continue };
                let score = match verdicts {
                    Ok(verdicts) => {
                        verdicts.get(number).and_then(|labels| judge.score(labels)).ok_or("answer")
                    }
                    Err(why) => Err(why),
                };
                match score {
                    Ok(score) => {
                        self.note(GuardState::Ran);
                        if score >= judge.threshold {
                            self.convicted((policy, guard), doubt, (score, judge.threshold));
                        }
                    }
                    Err(why) => self.judge_failed(policy, judge, why),
                }
            }
        }
        for at in std::mem::take(&mut self.doubts.more) {
            self.note(GuardState::Skipped("many".into()));
            if let (Some(policy), Some(judge)) = (applies.get(at.0), judge_at(&applies, at))
                && judge.is_closed(policy)
            {
                self.raise(policy, judge_missed("many").with(Effect::Recorded));
            }
        }
        self.conclude(None)
    }

    /// A response that is sent on as it arrives is not shown to a judge; the guard's state says so.
    pub(crate) fn judge_misses_stream(&mut self) {
        let judges = |policy: &Attached| policy.injection.iter().any(|guard| guard.judge.is_some());
        if self.protocol.answers_from_outside() && self.applies.iter().any(|policy| judges(policy)) {
            self.doubts.flows = true;
            self.note(GuardState::Skipped("stream".into()));
        }
    }

    /// Sets the guard's state, which replaces its state before the verdict.
    fn note(&mut self, state: GuardState) {
        self.decision.guards.retain(|(name, known)| *name != GUARD || (*known != CLEAR && *known != OPEN));
        self.decision.guard(GUARD, state);
    }

    fn convicted(
        &mut self,
        (policy, guard): (&Attached, &InjectionGuard),
        doubt: &Doubt,
        (score, threshold): (f32, f32),
    ) {
        self.decision.finding(FINDING, &doubt.place, score);
        let message = "prompt injection detected (judge)".to_owned();
        let evidence = Evidence {
            kind: FINDING.to_owned(),
            place: doubt.place.clone(),
            span: span(&doubt.span),
            score: Some(score),
            threshold: Some(threshold),
            ..Evidence::default()
        };
        let blocks = guard.action == InjectionAction::Block;
        let effect = if blocks { Effect::Denied } else { Effect::Recorded };
        let violation = Violation::new("injection", Severity::High, message.clone()).by(guard.rule);
        if self.raise(policy, violation.with(effect).because(evidence)) && blocks {
            self.deny(RefusalKind::Policy, &message);
        }
    }

    fn judge_failed(&mut self, policy: &Attached, judge: &JudgeGuard, why: &'static str) {
        self.note(GuardState::Failed(why.into()));
        let closed = judge.is_closed(policy);
        let violation = judge_missed(why);
        let message = violation.message.clone();
        let effect = if closed { Effect::Denied } else { Effect::Recorded };
        if self.raise(policy, violation.with(effect)) && closed {
            self.deny(RefusalKind::GuardFailed, &message);
        }
    }
}

fn judge_missed(why: &str) -> Violation {
    let message = format!("the judge of injection could not run: {why}");
    Violation::new("injection", Severity::High, message).failing(JUDGE_COULD_NOT_RUN)
}

fn guard_at(applies: &[Rc<Attached>], (policy, guard): (usize, usize)) -> Option<&InjectionGuard> {
    applies.get(policy)?.injection.get(guard)
}

fn judge_at(applies: &[Rc<Attached>], at: (usize, usize)) -> Option<&JudgeGuard> {
    guard_at(applies, at)?.judge.as_ref()
}
