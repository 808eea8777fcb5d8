//! `explain`: why a decision was what it was, and what would have changed it.

use mesh_policy::Money;
use serde_json::Value;

use super::printed;
use crate::{
    failure::Outcome,
    http::{Client, segment},
    output::{BAD, FAINT, Output, STRONG, WARN, field, outcome, printable, styled},
};

/// Asks the control plane.
pub(crate) fn run(client: &Client, output: Output, id: &str) -> Outcome {
    let explanation = client.get(&format!("/api/v1/decisions/{}/explanation", segment(id)))?;
    printed(output.show(&explanation, shown))
}

fn shown(explanation: &Value) -> String {
    let mut text = format!(
        "{} {} {} {}\n{}\n",
        outcome(explanation["decision"].as_str().unwrap_or_default()),
        field(explanation, "status"),
        styled(STRONG, field(explanation, "agent_id")),
        styled(FAINT, field(explanation, "time")),
        field(explanation, "summary"),
    );
    for reason in list(explanation, "reasons") {
        text += &shown_reason(&reason);
    }
    let guards = explanation["guards"].as_object();
    let guards: Vec<String> = guards
        .into_iter()
        .flatten()
        .map(|(name, state)| format!("{} {}", printable(name), printable(state.as_str().unwrap_or_default())))
        .collect();
    if !guards.is_empty() {
        text += &format!("\nguards: {}\n", guards.join(", "));
    }
    text
}

fn shown_reason(reason: &Value) -> String {
    let effect = field(reason, "effect");
    let style = if reason["decisive"] == true { BAD } else { WARN };
    let mut text = format!("\n{} {}\n", styled(style, &effect), field(reason, "message"));
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            text += &format!("  {name:<9} {value}\n");
        }
    };
    let version = field(reason, "version");
    let version = if version.is_empty() { version } else { format!(" version {version}") };
    let fields = field(reason, "field");
    let fields = if fields.is_empty() { fields } else { format!(", {fields}") };
    line("policy", format!("{}{version}{fields}", field(reason, "policy_id")));
    if let Some(rule) = reason["rule_document"].as_object() {
        line("rule", printable(&Value::Object(rule.clone()).to_string()));
    }
    let facts = &reason["evidence"];
    let place = match (facts["start"].as_u64(), facts["end"].as_u64()) {
        (Some(start), Some(end)) => format!("{}, bytes {start} to {end}", field(facts, "place")),
        _ => field(facts, "place"),
    };
    let measure = field(facts, "measure");
    match measure.as_str() {
        "" => line("found", field(facts, "type")),
        _ => line("counted", format!("by {}", field(facts, "type"))),
    }
    line("where", place);
    if let Some(score) = facts["score"].as_f64() {
        let needed = facts["threshold"].as_f64();
        let needed = needed.map(|needed| format!(" (counts from {needed:.2})")).unwrap_or_default();
        line("score", format!("{score:.2}{needed}"));
    }
    line("limit", limit(facts["limit"].as_u64(), &measure));
    for part in list(facts, "parts") {
        let amount = part["amount"].as_f64().unwrap_or_default();
        line("weighs", format!("{amount:+.2} {}", field(&part, "feature")));
    }
    let changes: Vec<String> =
        list(reason, "would_pass_if").iter().filter_map(Value::as_str).map(printable).collect();
    if !changes.is_empty() {
        text += "  it would have passed if\n";
        for change in changes {
            text += &format!("    - {change}\n");
        }
    }
    text
}

/// A limit as people write it: money in dollars.
fn limit(limit: Option<u64>, measure: &str) -> String {
    match (limit, measure) {
        (None, _) => String::new(),
        (Some(limit), "") => limit.to_string(),
        (Some(micros), "cost") => format!("{} USD", Money { micros }),
        (Some(limit), "concurrent") => format!("{limit} at a time"),
        (Some(1), measure) => format!("1 {}", measure.trim_end_matches('s')),
        (Some(limit), measure) => format!("{limit} {measure}"),
    }
}

fn list(value: &Value, name: &str) -> Vec<Value> {
    value[name].as_array().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_limit_is_told_as_people_write_it() {
        for (value, measure, expected) in [
            (2000, "cost", "0.002 USD"),
            (25_000_000, "cost", "25 USD"),
            (5, "requests", "5 requests"),
            (1, "requests", "1 request"),
            (3, "concurrent", "3 at a time"),
            (1024, "", "1024"),
        ] {
            assert_eq!(limit(Some(value), measure), expected);
        }
        assert_eq!(limit(None, "cost"), "");
    }

    #[test]
    fn an_explanation_for_people() {
        let explanation = json!({
            "decision": "deny", "status": 403, "agent_id": "support-1", "time": "2026-11-24T14:03:27Z",
            "summary": "refused, because of starter (version 2), spec.rules[0].injection: prompt injection detected",
            "guards": { "injection": "ran" },
            "reasons": [{
                "decisive": true, "version": 2, "field": "spec.rules[0].injection", "policy_id": "starter", "effect": "denied",
                "message": "prompt injection detected", "rule_document": { "injection": { "action": "block" } },
                "evidence": { "type": "override/ignore", "place": "request:messages[0].content", "start": 0, "end": 28,
                              "score": 0.83, "threshold": 0.5, "parts": [{ "feature": "rules", "amount": 2.25 }] },
                "would_pass_if": ["the evidence weighed at least 1.90 less"],
            }],
        });
        let text = anstream::adapter::strip_str(&shown(&explanation)).to_string();
        let expected = [
            "deny 403 support-1 2026-11-24T14:03:27Z",
            "refused, because of starter (version 2), spec.rules[0].injection: prompt injection detected",
            "",
            "denied prompt injection detected",
            "  policy    starter version 2, spec.rules[0].injection",
            "  rule      {\"injection\":{\"action\":\"block\"}}",
            "  found     override/ignore",
            "  where     request:messages[0].content, bytes 0 to 28",
            "  score     0.83 (counts from 0.50)",
            "  weighs    +2.25 rules",
            "  it would have passed if",
            "    - the evidence weighed at least 1.90 less",
            "",
            "guards: injection ran",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{text}");
    }
}
