//! What would have made an objection go away: the smallest changes to the request, then those to the policy.
use mesh_engine::JUDGE_COULD_NOT_RUN;
use mesh_policy::{AccessRule, Policy, Rule};

use crate::decision::Violation;
use crate::evidence::{Evidence, Near};

/// The type of the evidence that a tool differs from its approved definition.
const PINNED: &str = "pinned tool";

/// Each sentence continues "it would have passed if …".
pub(crate) fn would_pass_if(
    violation: &Violation,
    policy: Option<&Policy>,
    rule: Option<&Rule>,
) -> Vec<String> {
    if violation.effect == "recorded" {
        return Vec::new();
    }
    let nothing = Evidence::default();
    let facts = violation.evidence.as_ref().unwrap_or(&nothing);
    if violation.guard == "agent" {
        return vec!["the agent's `status` were `active`".to_owned()];
    }
    if violation.guard == "size" && violation.policy_id.is_empty() {
        let limit = facts.limit.unwrap_or_default();
        return vec![format!("the body had at most {limit} bytes (`--max-body`)")];
    }
    let mut changes = match (violation.guard.as_str(), rule) {
        _ if facts.kind == JUDGE_COULD_NOT_RUN => vec![
            "the judge had answered in time".to_owned(),
            "the rule's `judge.failureMode` (left out: the policy's `failureMode`) were `open`".to_owned(),
        ],
        _ if violation.could_not_run() => vec![
            "the guard could have inspected it".to_owned(),
            "the policy's `failureMode` were `open`".to_owned(),
        ],
        ("pii", rule) => personal_data(facts, rule),
        ("injection", _) if facts.kind == "judge/attack" => judged(facts),
        ("injection", _) => injection(facts),
        ("rateLimit", _) => limit(facts),
        ("access", _) => access(facts, policy),
        ("models", Some(Rule::Models(rule))) => listed("the model", facts, &rule.allow),
        ("tools", _) if facts.kind == PINNED => vec![
            format!("{} had been approved as it is now (`ai-mesh tools`)", named_tool(facts)),
            "the rule's `pin` were `false`".to_owned(),
        ],
        ("content", _) => answered(facts, if facts.kind.contains("link") { "links" } else { "html" }),
        ("canary", _) => answered(facts, "canary"),
        ("tools", Some(Rule::Tools(rule))) => listed(&named_tool(facts), facts, &rule.allow),
        ("rego", _) => vec!["the conditions under which the module says this did not hold".to_owned()],
        ("media", _) => vec![
            "it carried no image, audio or file".to_owned(),
            "the policy's `media` were `pass`".to_owned(),
        ],
        ("size", _) => vec!["the body held less of what the answer names".to_owned()],
        ("body", _) => vec!["the body were one that every parser reads alike".to_owned()],
        _ => Vec::new(),
    };
    changes.push("the policy's `enforcement`, or its attachment's, were `logging` or `advisory`".to_owned());
    changes
}

fn personal_data(facts: &Evidence, rule: Option<&Rule>) -> Vec<String> {
    let mut changes = Vec::new();
    if !facts.kind.is_empty() {
        let bytes = match (facts.start, facts.end) {
            (Some(start), Some(end)) => format!(", bytes {start} to {end}"),
            _ => String::new(),
        };
        changes.push(format!("there were no {} in {}{bytes}", facts.kind, facts.place));
    }
    if let (Some(score), Some(threshold)) = (facts.score, facts.threshold) {
        changes.push(format!("the rule's `threshold` were above {score:.2}; it is {threshold:.2}"));
    }
    match rule {
        Some(Rule::Pii(rule)) if rule.action == mesh_policy::PiiAction::Block => {
            changes.push("the rule's `action` were `redact` or `log`".to_owned());
        }
        Some(Rule::Pii(_)) => changes.push("the rule's `action` were `log`".to_owned()),
        _ => {}
    }
    changes
}

fn injection(facts: &Evidence) -> Vec<String> {
    let mut changes = Vec::new();
    if facts.parts.is_empty() {
        changes.push(format!("none of the rule's phrases stood in {}", facts.place));
    } else {
        let over: f32 = facts.parts.iter().map(|part| part.amount).sum();
        let place = &facts.place;
        changes.push(format!("the evidence in {place} weighed at least {over:.2} less"));
        let strongest = facts.parts.iter().filter(|part| part.amount > over);
        if let Some(part) = strongest.max_by(|a, b| a.amount.total_cmp(&b.amount)) {
            changes.push(format!("its {} added nothing; they add {:.2}", part.feature, part.amount));
        }
        if let (Some(score), Some(threshold)) = (facts.score, facts.threshold) {
            changes.push(format!(
                "the rule's `sensitivity` asked for a score above {score:.2}; it asks for {threshold:.2}"
            ));
        }
    }
    changes.push("the rule's `action` were `log`".to_owned());
    changes
}

fn judged(facts: &Evidence) -> Vec<String> {
    let (score, threshold) = (facts.score.unwrap_or_default(), facts.threshold.unwrap_or_default());
    vec![
        format!(
            "the judge had been less sure of {} than {threshold:.2}; it was sure by {score:.2}",
            facts.place
        ),
        format!("the rule's `judge.threshold` were above {score:.2}; it is {threshold:.2}"),
        "the rule's `action` were `log`".to_owned(),
    ]
}

/// What answers may not contain.
fn answered(facts: &Evidence, part: &str) -> Vec<String> {
    let bytes = match (facts.start, facts.end) {
        (Some(start), Some(end)) => format!(", bytes {start} to {end}"),
        _ => String::new(),
    };
    let mut changes = vec![match part {
        "canary" => format!("the answer did not repeat the system prompt's mark in {}{bytes}", facts.place),
        _ => format!("there were no {} in {}{bytes}", facts.kind, facts.place),
    }];
    if part == "links" {
        changes.push("the rule's `links.allow` named the address's host".to_owned());
    }
    changes.push(format!("the rule's `{part}.action` were `log`"));
    changes
}

fn limit(facts: &Evidence) -> Vec<String> {
    let mut changes = Vec::new();
    if let Some(seconds) = facts.retry_after_s {
        changes.push(format!("it had come {seconds} s later"));
    }
    if let Some(limit) = facts.limit_told() {
        changes.push(format!("this {} had used less of its limit of {limit} in the time before", facts.kind));
    }
    changes
}

/// What each near-miss rule lacks; the rule would grant access if all of it were there.
fn access(facts: &Evidence, policy: Option<&Policy>) -> Vec<String> {
    let rules = policy.map_or(&[][..], |policy| &policy.spec.rules);
    let rule = |near: &Near| match rules.get(near.rule as usize) {
        Some(Rule::Access(rule)) => Some(rule),
        _ => None,
    };
    let near = facts.near.iter().filter(|near| !near.missing.is_empty());
    let mut changes: Vec<String> = near
        .map(|near| {
            let missing: Vec<String> = near.missing.iter().map(|what| missing(what, rule(near))).collect();
            format!("{} (spec.rules[{}])", missing.join(", and "), near.rule)
        })
        .collect();
    if changes.is_empty() {
        changes.push("an access rule covered what was asked for".to_owned());
    }
    changes
}

fn missing(what: &str, rule: Option<&AccessRule>) -> String {
    let one_of = |list: &[String]| list.join(", ");
    match (what, rule) {
        ("role", Some(rule)) => format!("the caller had one of the roles {}", one_of(&rule.allowed_roles)),
        ("action", Some(rule)) => format!("the action were one of {}", one_of(&rule.allowed_actions)),
        ("time", Some(rule)) => {
            format!("it were within {}", rule.conditions.time_of_day.as_deref().unwrap_or("the rule's hours"))
        }
        ("network", Some(rule)) => format!("it came from {}", one_of(&rule.conditions.ip_allow_list)),
        (what, _) => format!("the rule's {what} held"),
    }
}

fn listed(what: &str, facts: &Evidence, allow: &[String]) -> Vec<String> {
    if facts.listed.is_empty() {
        vec![format!("{what} were one of {}", allow.join(", "))]
    } else {
        vec![format!("`{}` were not on the rule's `deny` list", facts.listed)]
    }
}

fn named_tool(facts: &Evidence) -> String {
    if facts.place.is_empty() { "the tool".to_owned() } else { format!("the tool at {}", facts.place) }
}
