//! From a decision to the record that the control plane takes in.
use mesh_audit::v1::{
    DecisionRecord, Evidence, Finding, GuardOutcome, Near, Part, PolicyRef, Settlement, ToolDefinition,
    Usage, Violation,
};
use mesh_engine::{Caller, Decision, RequestHead};

/// The record of an exchange that ended with `status`, after `execution_us` microseconds of deciding.
pub(crate) fn record(
    (decision, caller, head): (Decision, Caller, RequestHead),
    status: u32,
    execution_us: u64,
) -> DecisionRecord {
    // A record holds no personal data, not even what was found in the URL.
    let found_in_path = decision.findings.iter().any(|finding| finding.place == "request:path");
    let path =
        if found_in_path { WITHHELD.to_owned() } else { head.path_only().chars().take(MAX_PATH).collect() };
    DecisionRecord {
        decision_id: decision.id,
        time_ns: decision.time,
        agent_id: caller.agent,
        user_id: caller.user.unwrap_or_default(),
        session_id: caller.session.unwrap_or_default(),
        protocol: decision.protocol.to_owned(),
        operation: decision.operation,
        model: decision.model,
        decision: decision.outcome.as_str().to_owned(),
        policies: decision
            .policies
            .into_iter()
            .map(|policy| PolicyRef { id: policy.id, version: policy.version })
            .collect(),
        guards: decision
            .guards
            .into_iter()
            .map(|(guard, state)| GuardOutcome { guard: guard.to_owned(), outcome: state.to_string() })
            .collect(),
        findings: decision
            .findings
            .into_iter()
            .map(|finding| Finding {
                r#type: finding.kind,
                count: finding.count,
                place: finding.place,
                score: finding.score,
            })
            .collect(),
        violations: decision.violations.into_iter().map(violation).collect(),
        warnings: decision.warnings.into_iter().map(violation).collect(),
        status,
        execution_us,
        method: head.method.clone(),
        path,
        source_ip: head.source_ip.map(|ip| ip.to_canonical().to_string()).unwrap_or_default(),
        roles: caller.roles.into_iter().take(MAX_ROLES).collect(),
        tools: decision.tools,
        usage: decision.spending.map(|spending| Usage {
            input_tokens: spending.usage.input_tokens,
            cached_tokens: spending.usage.cached_tokens,
            cache_write_tokens: spending.usage.cache_write_tokens,
            output_tokens: spending.usage.output_tokens,
            reasoning_tokens: spending.usage.reasoning_tokens,
            estimated: spending.estimated,
            cost_usd_micros: spending.cost,
        }),
        definitions: decision.definitions.into_iter().map(definition).collect(),
        settlements: decision.settlements.into_iter().map(settlement).collect(),
        ..DecisionRecord::default()
    }
}

fn settlement(settlement: mesh_engine::Settlement) -> Settlement {
    Settlement {
        policy_id: settlement.policy,
        rule: u32::try_from(settlement.rule).unwrap_or(u32::MAX),
        measure: settlement.measure.as_str().to_owned(),
        window_s: settlement.window_s,
        key: settlement.key,
        spent: settlement.spent,
    }
}

fn definition(seen: mesh_engine::SeenTool) -> ToolDefinition {
    let mesh_engine::SeenTool { server, name, digest, text, truncated } = seen;
    ToolDefinition { server, name, digest, text, truncated }
}

/// Paths are chosen by the agent, and a record's size is bounded.
const MAX_PATH: usize = 256;
/// Replaces a path that holds personal data.
const WITHHELD: &str = "[REDACTED]";
const MAX_ROLES: usize = 32;

fn violation(said: mesh_engine::Violation) -> Violation {
    Violation {
        policy_id: said.policy_id,
        guard: said.guard.to_owned(),
        severity: said.severity.as_str().to_owned(),
        message: said.message,
        rule: said.rule.map_or(0, place),
        effect: said.effect.as_str().to_owned(),
        evidence: said.evidence.map(|evidence| self::evidence(*evidence)),
    }
}

/// A place in a policy's list of rules, counted from 1.
fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1)
}

fn evidence(evidence: mesh_engine::Evidence) -> Evidence {
    let parts = evidence.parts.into_iter();
    let near = evidence.near.into_iter();
    Evidence {
        r#type: evidence.kind,
        place: evidence.place,
        start: evidence.span.map(|(start, _)| start),
        end: evidence.span.map(|(_, end)| end),
        score: evidence.score,
        threshold: evidence.threshold,
        limit: evidence.limit,
        measure: evidence.measure.map_or_else(String::new, |measure| measure.as_str().to_owned()),
        retry_after_s: evidence.retry_after_s,
        listed: evidence.listed,
        parts: parts.map(|(feature, amount)| Part { feature: feature.to_owned(), amount }).collect(),
        near: near
            .map(|near| Near {
                rule: place(near.rule),
                missing: near.missing.into_iter().map(str::to_owned).collect(),
            })
            .collect(),
    }
}
