//! Counters for Prometheus, all named `ai_mesh_…`. Labels have closed sets of values: never an agent, user or model.
use std::sync::Arc;

use mesh_audit::v1::PolicyRef;
use mesh_control_core::ports::SidecarView;
use mesh_control_core::{
    DELAY_BOUNDS_S, Delays, Intake, PinnedTools, Policies, Propagation, Seen, Timestamp,
};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::judge_metrics::JudgeMetrics;
use crate::limit_metrics::LimitMetrics;

/// The counters, and the registry they are read from.
pub struct Metrics {
    registry: Registry,
    propagation: Arc<Propagation>,
    decisions: Family<DecisionLabel, Counter>,
    gaps: Counter,
    conflicts: Counter,
    dropped: Counter,
    definitions: Counter,
    definitions_dropped: Counter,
    changes: Counter,
    /// What limits said.
    pub(crate) limits: LimitMetrics,
    /// What became of questions to judges.
    pub(crate) judge: JudgeMetrics,
    http: Family<HttpLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabel {
    decision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HttpLabel {
    method: &'static str,
    route: String,
    status: u16,
}

/// Outcomes of decisions.
const OUTCOMES: [&str; 4] = ["allow", "allow_with_modifications", "deny", "throttle"];

impl Metrics {
    /// Counters from zero. What is a state and not a count is read from the services when it is asked for.
    pub fn new(policies: Policies, sidecars: Arc<dyn SidecarView>, propagation: Arc<Propagation>) -> Self {
        let mut registry = Registry::with_prefix("ai_mesh");
        let metrics = Metrics {
            propagation: Arc::clone(&propagation),
            decisions: Family::default(),
            gaps: Counter::default(),
            conflicts: Counter::default(),
            dropped: Counter::default(),
            definitions: Counter::default(),
            definitions_dropped: Counter::default(),
            changes: Counter::default(),
            limits: LimitMetrics::new(&mut registry),
            judge: JudgeMetrics::new(&mut registry),
            http: Family::default(),
            registry: Registry::default(),
        };
        registry.register("decisions", "Decision records kept, by outcome", metrics.decisions.clone());
        for decision in OUTCOMES {
            drop(metrics.decisions.get_or_create(&DecisionLabel { decision }));
        }
        registry.register(
            "decision_gaps",
            "Gaps noticed in the numbers of decision records",
            metrics.gaps.clone(),
        );
        registry.register(
            "decision_conflicts",
            "Decision records that came again with other contents; what came first is kept",
            metrics.conflicts.clone(),
        );
        registry.register(
            "records_dropped",
            "Decision records that sidecars discarded",
            metrics.dropped.clone(),
        );
        registry.register(
            "tool_definitions_reported",
            "Definitions of tools that sidecars reported because they are not approved",
            metrics.definitions.clone(),
        );
        registry.register(
            "tool_definitions_dropped",
            "Definitions of tools that are not kept because there are too many",
            metrics.definitions_dropped.clone(),
        );
        registry.register(
            "tool_changes",
            "Approved tools whose server was seen to offer another definition",
            metrics.changes.clone(),
        );
        registry.register("http_requests", "Requests to the HTTP API", metrics.http.clone());
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What is running", build);
        registry.register_collector(Box::new(State { policies, sidecars, propagation }));
        Metrics { registry, ..metrics }
    }

    /// All metrics in OpenMetrics text.
    ///
    /// # Errors
    /// The text could not be written, which a `String` does not let happen.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    pub(crate) fn kept(&self, intake: &Intake, decisions: impl Iterator<Item = impl AsRef<str>>) {
        for decision in decisions {
            let known = OUTCOMES.into_iter().find(|known| *known == decision.as_ref());
            let decision = known.unwrap_or("other");
            self.decisions.get_or_create(&DecisionLabel { decision }).inc();
        }
        self.gaps.inc_by(u64::from(intake.gap.is_some()));
        self.dropped.inc_by(intake.dropped);
        self.conflicts.inc_by(intake.conflicts);
    }

    /// Decisions were made by these versions of policies.
    pub(crate) fn enforced<'a>(&self, records: impl Iterator<Item = (u64, &'a [PolicyRef])>) {
        for (time_ns, policies) in records {
            let Ok(time) = Timestamp::from_nanosecond(time_ns.into()) else { continue };
            for policy in policies {
                self.propagation.enforced(&policy.id, policy.version, time);
            }
        }
    }

    pub(crate) fn tools_seen(&self, seen: &Seen) {
        self.definitions.inc_by(seen.definitions);
        self.changes.inc_by(seen.changed);
        self.definitions_dropped.inc_by(seen.dropped);
    }

    pub(crate) fn answered(&self, method: &axum::http::Method, route: Option<&str>, status: u16) {
        let method = match method.as_str() {
            "GET" => "GET",
            "PUT" => "PUT",
            "POST" => "POST",
            "DELETE" => "DELETE",
            _ => "other",
        };
        let route = route.unwrap_or("none").to_owned();
        self.http.get_or_create(&HttpLabel { method, route, status }).inc();
    }
}

/// What is read when it is asked for.
struct State {
    policies: Policies,
    sidecars: Arc<dyn SidecarView>,
    propagation: Arc<Propagation>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("State")
    }
}

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let PinnedTools { approved, changed } = self.policies.pinned_tools();
        let gauges = [
            ("tools_approved", "Tools with an approved definition", approved),
            (
                "tools_changed",
                "Of these, tools that are refused because their definition has changed",
                changed,
            ),
            ("policies", "Policies in force", self.policies.list().len()),
            ("sidecars_connected", "Sidecars with an open xDS stream", self.sidecars.sidecars().len()),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let encoder = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(encoder)?;
        }
        let (acknowledged, enforced) = self.propagation.delays();
        let histograms = [
            (
                "policy_acknowledged_seconds",
                "From publishing a set of policies until a filter that was connected had accepted it",
                acknowledged,
            ),
            (
                "policy_enforced_seconds",
                "From publishing a policy's version until the first request that was decided by it",
                enforced,
            ),
        ];
        for (name, help, delays) in histograms {
            encode_delays(&mut encoder, name, help, &delays)?;
        }
        let nacks = ConstCounter::new(self.sidecars.refusals());
        let help = "Configurations refused by sidecars";
        nacks.encode(encoder.encode_descriptor("xds_nacks", help, None, nacks.metric_type())?)
    }
}

fn encode_delays(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    delays: &Delays,
) -> Result<(), std::fmt::Error> {
    let bounds = DELAY_BOUNDS_S.into_iter().chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(delays.buckets).collect();
    let mut encoder = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    encoder.encode_histogram::<NoLabelSet>(delays.sum_s, delays.count, &buckets, None)
}
