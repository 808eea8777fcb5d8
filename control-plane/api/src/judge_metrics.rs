//! Counters of judges that sidecars ask. The label is what became of a question, as records tell it: a closed set.
use mesh_audit::v1::DecisionRecord;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters of questions.
#[derive(Default)]
pub(crate) struct JudgeMetrics {
    questions: Family<Outcome, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

impl JudgeMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = JudgeMetrics::default();
        let help = "Exchanges in which a judge was to be asked about doubtful text, by what became of that";
        registry.register("judge_questions", help, metrics.questions.clone());
        for outcome in STATES.iter().map(|(_, outcome)| *outcome) {
            drop(metrics.questions.get_or_create(&Outcome { outcome }));
        }
        metrics
    }

    pub(crate) fn kept<'a>(&self, records: impl Iterator<Item = &'a DecisionRecord>) {
        let guards = records.flat_map(|record| &record.guards).filter(|guard| guard.guard == "judge");
        for outcome in guards.filter_map(|guard| outcome(&guard.outcome)) {
            self.questions.get_or_create(&Outcome { outcome }).inc();
        }
    }
}

/// States of the guard, and what they say of its question.
const STATES: [(&str, &str); 8] = [
    ("ran", "answered"),
    ("skipped:many", "answered"),
    ("failed:deadline", "deadline"),
    ("failed:unreachable", "unreachable"),
    ("failed:answer", "answer"),
    ("failed:breaker", "breaker"),
    ("failed:no-service", "no-service"),
    ("skipped:unanswered", "unanswered"),
];

/// What a guard's state says of its question; nothing where there was none.
fn outcome(state: &str) -> Option<&'static str> {
    STATES.iter().find(|(known, _)| *known == state).map(|(_, outcome)| *outcome)
}
