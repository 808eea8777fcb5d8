//! Counters of limits. Labels are measures and outcomes: never a policy, agent, user or model.
use mesh_control_core::{Ask, LimitId, Measure, Settled, Verdicts};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters of limits.
#[derive(Default)]
pub(crate) struct LimitMetrics {
    requests: Family<Outcome, Counter>,
    refusals: Family<Measured, Counter>,
    admitted: Family<Measured, Counter>,
    settlements: Family<Outcome, Counter>,
    leases: Family<Measured, Counter>,
    lent: Family<Measured, Counter>,
    over: Counter,
    expired: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Measured {
    measure: &'static str,
}

impl LimitMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = LimitMetrics::default();
        let requests = metrics.requests.clone();
        registry.register("rate_limit_requests", "Requests to the rate limit service, by outcome", requests);
        let refusals = metrics.refusals.clone();
        registry.register("limit_refusals", "Limits that refused a request, by measure", refusals);
        let admitted = metrics.admitted.clone();
        let help =
            "Amounts admitted under limits: requests, estimated tokens, millionths of a US dollar, places";
        registry.register("limit_admitted", help, admitted);
        let settlements = metrics.settlements.clone();
        registry.register(
            "limit_settlements",
            "Reservations and leases that sidecars have ended, by outcome",
            settlements,
        );
        let leases = metrics.leases.clone();
        registry.register("limit_leases", "Shares of limits lent to sidecars, by measure", leases);
        let lent = metrics.lent.clone();
        registry.register("limit_lent", "Amounts lent to sidecars, by measure", lent);
        let over = metrics.over.clone();
        let help =
            "Amounts that were spent over a limit, because answers took more than was reserved for them";
        registry.register("limit_over_admission", help, over);
        let expired = metrics.expired.clone();
        registry.register(
            "limit_reservations_expired",
            "Reservations and leases that nobody ended in time",
            expired,
        );
        metrics.show_from_the_start();
        metrics
    }

    /// All counters are shown from the start: one that appeared only with its first count would look like one that does not exist.
    fn show_from_the_start(&self) {
        for outcome in ["admitted", "refused", "failed", "renewal"] {
            drop(self.requests.get_or_create(&Outcome { outcome }));
        }
        for outcome in ["spent", "released", "returned", "unknown"] {
            drop(self.settlements.get_or_create(&Outcome { outcome }));
        }
        for family in [&self.refusals, &self.admitted, &self.leases, &self.lent] {
            for measure in Measure::ALL.map(Measure::as_str) {
                drop(family.get_or_create(&Measured { measure }));
            }
        }
    }

    /// Nobody could count.
    pub(crate) fn failed(&self) {
        self.requests.get_or_create(&Outcome { outcome: "failed" }).inc();
    }

    /// A request was admitted or refused.
    pub(crate) fn asked(&self, asks: &[Ask], answer: &Verdicts) {
        let admitted = answer.verdicts.iter().all(|verdict| verdict.admitted);
        // A sidecar that renews a lease asks for nothing: no request waits for that.
        let renewal = !asks.is_empty() && asks.iter().all(|ask| ask.amount == 0);
        let outcome = match (renewal, admitted) {
            (true, _) => "renewal",
            (false, true) => "admitted",
            (false, false) => "refused",
        };
        self.requests.get_or_create(&Outcome { outcome }).inc();
        self.expired.inc_by(answer.expired);
        self.over.inc_by(answer.over);
        for (ask, verdict) in asks.iter().zip(&answer.verdicts) {
            let label = Measured { measure: measure(&ask.key) };
            if admitted {
                self.admitted.get_or_create(&label).inc_by(ask.amount);
                if verdict.lent > 0 {
                    self.leases.get_or_create(&label).inc();
                    self.lent.get_or_create(&label).inc_by(verdict.lent);
                }
            } else if !verdict.admitted && ask.amount > 0 {
                self.refusals.get_or_create(&label).inc();
            }
        }
    }

    /// Reservations were found to have ended unsettled.
    pub(crate) fn expired(&self, count: u64) {
        self.expired.inc_by(count);
    }

    /// Reservations have ended.
    pub(crate) fn settled(&self, settled: &Settled) {
        let counts = [
            ("spent", settled.spent),
            ("released", settled.released),
            ("returned", settled.returned),
            ("unknown", settled.unknown),
        ];
        for (outcome, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            self.settlements.get_or_create(&Outcome { outcome }).inc_by(count);
        }
        self.expired.inc_by(settled.expired);
        self.over.inc_by(settled.over);
    }
}

fn measure(key: &str) -> &'static str {
    let id = LimitId::of(key);
    let known = id.as_ref().and_then(|id| id.entry("measure")).and_then(Measure::from_name);
    known.unwrap_or(Measure::Requests).as_str()
}
