//! Counters for Prometheus, all named `ai_mesh_…`. Labels have closed sets of values: never an agent, user or model.
use std::sync::Arc;

use mesh_control_core::ports::SidecarView;
use mesh_control_core::{Intake, Policies, Seen};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text};
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
    decisions: Family<DecisionLabel, Counter>,
    gaps: Counter,
    dropped: Counter,
    definitions: Counter,
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

impl Metrics {
    /// Counters from zero. What is a state and not a count is read from the services when it is asked for.
    pub fn new(policies: Policies, sidecars: Arc<dyn SidecarView>) -> Self {
        let mut registry = Registry::with_prefix("ai_mesh");
        let metrics = Metrics {
            decisions: Family::default(),
            gaps: Counter::default(),
            dropped: Counter::default(),
            definitions: Counter::default(),
            changes: Counter::default(),
            limits: LimitMetrics::new(&mut registry),
            judge: JudgeMetrics::new(&mut registry),
            http: Family::default(),
            registry: Registry::default(),
        };
        registry.register("decisions", "Decision records kept, by outcome", metrics.decisions.clone());
        registry.register(
            "decision_gaps",
            "Gaps noticed in the numbers of decision records",
            metrics.gaps.clone(),
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
            "tool_changes",
            "Approved tools whose server was seen to offer another definition",
            metrics.changes.clone(),
        );
        registry.register("http_requests", "Requests to the HTTP API", metrics.http.clone());
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What is running", build);
        registry.register_collector(Box::new(State { policies, sidecars }));
        Metrics { registry, ..metrics }
    }

    /// Everything in OpenMetrics text.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    pub(crate) fn kept(&self, intake: &Intake, decisions: impl Iterator<Item = impl AsRef<str>>) {
        for decision in decisions {
            let decision = match decision.as_ref() {
                "allow" => "allow",
                "allow_with_modifications" => "allow_with_modifications",
                "deny" => "deny",
                "throttle" => "throttle",
                _ => "other",
            };
            self.decisions.get_or_create(&DecisionLabel { decision }).inc();
        }
        self.gaps.inc_by(u64::from(intake.gap.is_some()));
        self.dropped.inc_by(intake.dropped);
    }

    pub(crate) fn tools_seen(&self, seen: &Seen) {
        self.definitions.inc_by(seen.definitions);
        self.changes.inc_by(seen.changed);
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
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("State")
    }
}

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (approved, changed) = self.policies.pinned_tools();
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
        let nacks = ConstCounter::new(self.sidecars.refusals());
        let help = "Configurations refused by sidecars";
        nacks.encode(encoder.encode_descriptor("xds_nacks", help, None, nacks.metric_type())?)
    }
}
