//! `decisions …`: what was decided, so far and from now on.

use std::time::Duration;

use serde_json::Value;

use super::printed;
use crate::{
    args::decisions::{Filter, Verb},
    failure::Outcome,
    http::{Client, query, segment},
    output::{FAINT, Output, Rows, STRONG, WARN, field, outcome, printable, say, styled},
};

/// How soon a stream that broke off is opened again.
const AGAIN: Duration = Duration::from_secs(1);

/// How many gaps the control plane lists in one answer.
const MOST_GAPS: usize = 1000;

/// Carries out a verb.
pub(crate) fn run(client: &Client, output: Output, verb: Verb) -> Outcome {
    match verb {
        Verb::List { filter, since, until, limit, cursor } => {
            let limit = limit.to_string();
            let mut pairs = pairs(&filter);
            pairs.extend([("since", since.as_deref()), ("until", until.as_deref()), ("limit", Some(&limit))]);
            pairs.push(("cursor", cursor.as_deref()));
            let mut answer = client.get(&format!("/api/v1/decisions{}", query(&pairs)))?;
            let decisions = answer["decisions"].take();
            printed(output.show(&decisions, table))?;
            if let Some(cursor) = answer["next_cursor"].as_str() {
                say(styled(FAINT, format!("there are older ones: go on with --cursor {cursor}")));
            }
            Ok(())
        }
        Verb::Get { id } => {
            let decision = client.get(&format!("/api/v1/decisions/{}", segment(&id)))?;
            printed(output.show(&decision, details))
        }
        Verb::Gaps => {
            let mut answer = client.get(&format!("/api/v1/decisions/gaps?limit={MOST_GAPS}"))?;
            let gaps = answer["gaps"].take();
            printed(output.show(&gaps, |gaps| {
                let mut rows =
                    Rows::new(&["SIDECAR", "WORKER", "FROM", "TO", "NOTICED"], "no record is missing");
                for gap in gaps.as_array().into_iter().flatten() {
                    let names = ["sidecar", "vm", "from_sequence", "to_sequence", "noticed"];
                    rows.push(names.map(|name| field(gap, name)));
                }
                rows.to_string()
            }))?;
            if gaps.as_array().is_some_and(|gaps| gaps.len() == MOST_GAPS) {
                say(styled(WARN, format!("these are the newest {MOST_GAPS}; there may be more")));
            }
            Ok(())
        }
        Verb::Tail { filter } => tail(client, output, &filter),
    }
}

/// Follows the decisions; a stream that breaks off is taken up where it ended.
fn tail(client: &Client, output: Output, filter: &Filter) -> Outcome {
    let mut after: Option<String> = None;
    // Without a control plane at the start there is nothing to wait for; one that goes away later comes back.
    let mut stream = Some(client.follow(&path(filter, None))?);
    if !output.for_programs() {
        say(styled(FAINT, "following the decisions; Ctrl-C ends"));
    }
    loop {
        for event in stream.into_iter().flatten() {
            if !event.id.is_empty() {
                after = Some(event.id);
            }
            let Ok(decision) = serde_json::from_str::<Value>(&event.data) else { continue };
            if decision["decision"].is_null() {
                continue;
            }
            let line = if output.for_programs() { decision.to_string() } else { line(&decision) };
            if output.text(&line).is_err() {
                return Ok(());
            }
        }
        say(styled(FAINT, "the stream broke off; opening it again"));
        stream = loop {
            std::thread::sleep(AGAIN);
            match client.follow(&path(filter, after.as_deref())) {
                Ok(stream) => break Some(stream),
                Err(failure) if failure.exit == crate::failure::Exit::Environment => return Err(failure),
                Err(_) => {}
            }
        };
    }
}

fn path(filter: &Filter, after: Option<&str>) -> String {
    let mut pairs = pairs(filter);
    pairs.push(("after", after));
    format!("/api/v1/decisions/follow{}", query(&pairs))
}

fn pairs(filter: &Filter) -> Vec<(&'static str, Option<&str>)> {
    vec![
        ("agent", filter.agent.as_deref()),
        ("decision", filter.decision.as_deref()),
        ("policy", filter.policy.as_deref()),
        ("guard", filter.guard.as_deref()),
    ]
}

fn table(decisions: &Value) -> String {
    let mut rows = Rows::new(
        &["TIME", "DECISION", "AGENT", "PROTOCOL", "MODEL", "STATUS", "WHY", "ID"],
        "no decision matches",
    );
    for decision in decisions.as_array().into_iter().flatten() {
        rows.push([
            time(decision),
            outcome(decision["decision"].as_str().unwrap_or_default()),
            field(decision, "agent_id"),
            field(decision, "protocol"),
            field(decision, "model"),
            field(decision, "status"),
            why(decision),
            field(decision, "decision_id"),
        ]);
    }
    rows.to_string()
}

/// One decision on one line, as `tail` shows it.
fn line(decision: &Value) -> String {
    let mut line = format!(
        "{} {} {} {} {}",
        styled(FAINT, time(decision)),
        outcome(decision["decision"].as_str().unwrap_or_default()),
        field(decision, "status"),
        styled(STRONG, field(decision, "agent_id")),
        field(decision, "protocol"),
    );
    for extra in [field(decision, "model"), why(decision)] {
        if !extra.is_empty() {
            line += &format!("  {extra}");
        }
    }
    line + &format!("  {}", styled(FAINT, field(decision, "decision_id")))
}

/// `14:03:27.120` of an RFC 3339 time of today or not: the date is in the JSON.
fn time(decision: &Value) -> String {
    let time = field(decision, "time");
    let (date, clock) = time.split_once('T').unwrap_or(("", &time));
    let clock: String = clock.trim_end_matches('Z').chars().take(12).collect();
    if date.is_empty() { clock } else { format!("{date} {clock}") }
}

/// Violations if there are any, else what was found: `pii: 2 US_SSN`.
fn why(decision: &Value) -> String {
    let list = |name: &str| decision[name].as_array().cloned().unwrap_or_default();
    let violations: Vec<_> = list("policy_violations")
        .iter()
        .chain(&list("warnings"))
        .map(|violation| {
            let (policy, guard) = (field(violation, "policy_id"), field(violation, "guard"));
            // An agent that is stopped by its status is refused without any policy.
            if policy.is_empty() { guard } else { format!("{policy}/{guard}") }
        })
        .collect();
    let found: Vec<_> = list("findings")
        .iter()
        .map(|finding| format!("{} {}", field(finding, "count"), field(finding, "type")))
        .collect();
    let mut why = violations;
    why.dedup();
    let mut parts = vec![why.join(", "), found.join(", ")];
    parts.retain(|part| !part.is_empty());
    parts.join(": ")
}

/// Everything about one decision.
fn details(decision: &Value) -> String {
    let mut text = String::new();
    for (name, value) in decision.as_object().into_iter().flatten() {
        let value = match value {
            Value::Array(items) if items.is_empty() => continue,
            Value::Null => continue,
            Value::String(words) if words.is_empty() => continue,
            Value::String(words) if name == "decision" => outcome(words),
            Value::String(words) => printable(words),
            other => other.to_string(),
        };
        text += &format!("{:<18} {value}\n", format!("{name}:"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decision() -> Value {
        json!({
            "decision_id": "d1", "time": "2026-11-24T14:03:27.120456Z", "agent_id": "support-1", "protocol": "openai-chat",
            "model": "gpt-4o", "decision": "deny", "status": 403,
            "policy_violations": [{ "policy_id": "starter", "guard": "injection", "severity": "high", "message": "m" }],
            "findings": [{ "type": "US_SSN", "count": 2, "place": "request:messages[0].content" }], "warnings": [],
        })
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_decision_on_a_line() {
        assert_eq!(
            plain(&line(&decision())),
            "2026-11-24 14:03:27.120 deny 403 support-1 openai-chat  gpt-4o  starter/injection: 2 US_SSN  d1"
        );
    }

    #[test]
    fn a_suspended_agent_is_no_policys_doing() {
        let stopped = json!({ "policy_violations": [{ "policy_id": "", "guard": "agent" }] });
        assert_eq!(why(&stopped), "agent");
    }

    #[test]
    fn a_table_of_decisions() {
        let text = plain(&table(&json!([decision()])));
        assert!(text.starts_with("TIME "), "{text}");
        assert!(text.contains("deny      support-1  openai-chat  gpt-4o  403"), "{text}");
        assert_eq!(table(&json!([])), "no decision matches");
    }

    #[test]
    fn details_leave_out_what_is_not_there() {
        let text = plain(&details(&decision()));
        assert!(text.contains("decision:          deny\n") && !text.contains("warnings"), "{text}");
    }
}
