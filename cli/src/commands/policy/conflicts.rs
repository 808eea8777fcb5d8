//! Policies that say different things of the same traffic, and which of them wins: the strictest outcome.

use std::collections::BTreeSet;

use mesh_policy::{Enforcement, PiiAction, Policy, Rule};

/// A sentence for each pair of policies, in order.
pub(crate) fn conflicts(policies: &[&Policy]) -> Vec<String> {
    let mut found = Vec::new();
    for (index, one) in policies.iter().enumerate() {
        for other in policies.iter().skip(index + 1).filter(|other| meet(one, other)) {
            found.extend(personal_data(one, other));
            found.extend(personal_data(other, one));
            found.extend(lists(one, other, "model"));
            found.extend(lists(one, other, "tool"));
        }
    }
    found
}

/// Whether some agent may be targeted by both. Patterns that begin differently cannot; whatever only the registry knows may.
fn meet(one: &Policy, other: &Policy) -> bool {
    let blocking = |policy: &Policy| policy.spec.enforcement == Enforcement::Blocking;
    let (one_ids, other_ids) = (&one.spec.target.agents, &other.spec.target.agents);
    let begin = |pattern: &String| pattern.split('*').next().unwrap_or_default().to_owned();
    let alike = |a: &String, b: &String| {
        let (a, b) = (begin(a), begin(b));
        a.starts_with(&b) || b.starts_with(&a)
    };
    let ids = one_ids.is_empty()
        || other_ids.is_empty()
        || one_ids.iter().any(|a| other_ids.iter().any(|b| alike(a, b)));
    blocking(one) && blocking(other) && ids
}

/// `strict` refuses what `mild` would only redact or record.
fn personal_data(strict: &Policy, mild: &Policy) -> Vec<String> {
    let types = |policy: &Policy, block: bool| -> BTreeSet<String> {
        let rules = policy.spec.rules.iter().filter_map(|rule| match rule {
            Rule::Pii(rule) if (rule.action == PiiAction::Block) == block => Some(&rule.types),
            _ => None,
        });
        rules
            .flat_map(|types| if types.is_empty() { vec!["all".to_owned()] } else { types.clone() })
            .collect()
    };
    let (blocked, passed) = (types(strict, true), types(mild, false));
    let everything = |types: &BTreeSet<String>| types.contains("all");
    let both: Vec<&str> = match (everything(&blocked), everything(&passed)) {
        (true, _) => passed.iter().map(String::as_str).collect(),
        (_, true) => blocked.iter().map(String::as_str).collect(),
        _ => blocked.intersection(&passed).map(String::as_str).collect(),
    };
    if both.is_empty() {
        return Vec::new();
    }
    let (strict, mild) = (&strict.metadata.name, &mild.metadata.name);
    let both = both.join(", ");
    vec![format!(
        "`{strict}` refuses requests with {both}, which `{mild}` lets pass redacted or recorded: `{strict}` wins, since the strictest outcome does"
    )]
}

/// One allows what the other's lists refuse.
fn lists(one: &Policy, other: &Policy, what: &str) -> Vec<String> {
    let rules = |policy: &Policy| -> Vec<(Vec<String>, Vec<String>)> {
        let lists = |rule: &Rule| match rule {
            Rule::Models(rule) if what == "model" => Some((rule.allow.clone(), rule.deny.clone())),
            Rule::Tools(rule) if what == "tool" => Some((rule.allow.clone(), rule.deny.clone())),
            _ => None,
        };
        policy.spec.rules.iter().filter_map(lists).collect()
    };
    let mut found = Vec::new();
    for (mild, strict) in [(one, other), (other, one)] {
        for (allowed, _) in rules(mild) {
            for (allow, deny) in rules(strict) {
                let refused = allowed.iter().flat_map(|name| refused(name, &allow, &deny));
                for name in refused {
                    let (mild, strict) = (&mild.metadata.name, &strict.metadata.name);
                    found.push(format!("`{strict}` refuses the {what} `{name}`, which `{mild}` allows: `{strict}` wins, since every list has to allow"));
                }
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Which part of an allowed name or pattern other lists surely refuse: all of it, or what is denied. Nothing is reported for two
/// patterns that overlap without one covering the other.
fn refused(allowed: &str, allow: &[String], deny: &[String]) -> Vec<String> {
    let denied = deny.iter().any(|entry| covers(entry, allowed));
    let lacking = !allow.is_empty() && !allow.iter().any(|entry| may_meet(entry, allowed));
    if denied || lacking {
        return vec![allowed.to_owned()];
    }
    deny.iter().filter(|entry| covers(allowed, entry)).cloned().collect()
}

/// Whether everything that fits `name`, itself a name or a pattern, fits `pattern`: a `*` in it is read as a character of its own.
fn covers(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|start| name.strip_prefix(start)) else { return false };
    let Some(mut last) = parts.next() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(last) else { return false };
        rest = &rest[at + last.len()..];
        last = part;
    }
    rest.ends_with(last)
}

/// Whether something may fit both.
fn may_meet(one: &str, other: &str) -> bool {
    match (one.split_once('*'), other.split_once('*')) {
        (Some((one, _)), Some((other, _))) => one.starts_with(other) || other.starts_with(one),
        (Some(_), None) => covers(one, other),
        (None, _) => covers(other, one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policies(documents: &[(&str, &str)]) -> Vec<Policy> {
        let text = |(name, spec): &(&str, &str)| {
            format!(
                "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: {name} }}\nspec: {spec}"
            )
        };
        let read = |document| mesh_policy::from_yaml(&text(document)).expect("a policy").remove(0).policy;
        documents.iter().map(read).collect()
    }

    #[test]
    fn who_wins_is_said() {
        let ssn_out = "{ rules: [ { pii: { types: [ssn], action: block } } ] }";
        for (one, other, expected) in [
            (
                ssn_out,
                "{ rules: [ { pii: { types: [ssn, email] } } ] }",
                vec!["`a` refuses requests with ssn"],
            ),
            (ssn_out, "{ rules: [ { pii: {} } ] }", vec!["`a` refuses requests with ssn"]),
            (ssn_out, "{ rules: [ { pii: { types: [email] } } ] }", vec![]),
            (ssn_out, "{ enforcement: logging, rules: [ { pii: {} } ] }", vec![]),
            (
                "{ target: { agents: ['support-*'] }, rules: [ { pii: { action: block } } ] }",
                "{ target: { agents: [finance] }, rules: [ { pii: {} } ] }",
                vec![],
            ),
            (
                "{ rules: [ { models: { allow: [gpt-4o, 'claude-*'] } } ] }",
                "{ rules: [ { models: { allow: ['claude-*'] } } ] }",
                vec!["`b` refuses the model `gpt-4o`, which `a` allows"],
            ),
            (
                "{ rules: [ { tools: { allow: [search] } } ] }",
                "{ rules: [ { tools: { deny: [search] } } ] }",
                vec!["`b` refuses the tool `search`, which `a` allows"],
            ),
            (
                "{ rules: [ { models: { allow: ['gpt-4*'] } } ] }",
                "{ rules: [ { models: { deny: ['gpt-4*'] } } ] }",
                vec!["`b` refuses the model `gpt-4*`, which `a` allows"],
            ),
            (
                "{ rules: [ { models: { allow: ['gpt-*'] } } ] }",
                "{ rules: [ { models: { deny: ['gpt-4*-mini', 'claude-*'] } } ] }",
                vec!["`b` refuses the model `gpt-4*-mini`, which `a` allows"],
            ),
            (
                "{ rules: [ { tools: { allow: ['crm.*'] } } ] }",
                "{ rules: [ { tools: { allow: ['mail.*', search] } } ] }",
                vec![
                    "`a` refuses the tool `mail.*`, which `b` allows",
                    "`a` refuses the tool `search`, which `b` allows",
                    "`b` refuses the tool `crm.*`, which `a` allows",
                ],
            ),
            (
                "{ rules: [ { tools: { allow: ['crm.*', 'crm.read'] } } ] }",
                "{ rules: [ { tools: { allow: ['*.read'] } } ] }",
                vec![],
            ),
        ] {
            let policies = policies(&[("a", one), ("b", other)]);
            let found = conflicts(&policies.iter().collect::<Vec<_>>());
            assert_eq!(found.len(), expected.len(), "{one} {other}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.starts_with(expected), "{one} {other}: {found}");
            }
        }
    }
}
