//! What fields mean together: rules that do nothing, or contradict themselves.
use crate::{
    AccessRule, Agent, AgentStatus, CodeText, ContentRule, Diagnostic, Direction, LimitKey, LimitMode,
    PiiAction, PiiRule, RateLimitRule, Rule, Spec, nearest,
};

/// Remarks about a document whose fields are all well-formed.
pub(crate) fn check(spec: &Spec) -> Vec<Diagnostic> {
    if spec.rules.is_empty() {
        return vec![Diagnostic::warning("spec.rules", "there are no rules, so the policy does nothing")];
    }
    let rules = spec.rules.iter().enumerate();
    rules
        .flat_map(|(index, rule)| check_rule(rule, &format!("spec.rules[{index}].{}", rule.kind())))
        .collect()
}

/// Remarks about an agent whose fields are all well-formed.
pub(crate) fn agent(agent: &Agent) -> Vec<Diagnostic> {
    let spec = &agent.spec;
    let mut found = Vec::new();
    for (index, attachment) in spec.policies.iter().enumerate() {
        if spec.policies.iter().take(index).any(|earlier| earlier.policy == attachment.policy) {
            let message = format!("the policy `{}` is attached twice", attachment.policy);
            found.push(Diagnostic::error(format!("spec.policies[{index}].policy"), message));
        }
    }
    if spec.reason.is_some() && spec.status.is_none_or(|status| status == AgentStatus::Active) {
        let message = "a reason is told only with a `status` that is not `active`";
        found.push(Diagnostic::warning("spec.reason", message));
    }
    found
}

fn check_rule(rule: &Rule, path: &str) -> Vec<Diagnostic> {
    match rule {
        Rule::Pii(rule) => pii(rule, path),
        Rule::RateLimit(rule) => rate_limit(rule, path),
        Rule::Access(rule) => access(rule, path),
        Rule::Tools(rule) if rule.allow.is_empty() && rule.deny.is_empty() && !rule.pin => {
            nothing_listed(path, "tool")
        }
        Rule::Tools(rule) => denied_after_all(&rule.allow, &rule.deny, path, "tool"),
        Rule::Content(rule) => content(rule, path),
        Rule::Rego(rule) if rule.module.is_empty() && rule.modules.is_empty() => vec![
            Diagnostic::error(path, "there is no module, expected `module` or `modules`")
                .help("write `module: |` and the Rego source below it"),
        ],
        Rule::Models(rule) if rule.allow.is_empty() && rule.deny.is_empty() => nothing_listed(path, "model"),
        Rule::Models(rule) => denied_after_all(&rule.allow, &rule.deny, path, "model"),
        _ => Vec::new(),
    }
}

/// Names that are allowed and denied: their `allow` does nothing. Where that is true of all of them nothing is left.
fn denied_after_all(allow: &[String], deny: &[String], path: &str, what: &str) -> Vec<Diagnostic> {
    // `deny` finds models in any letters.
    let same = |name: &str| if what == "model" { name.to_lowercase() } else { name.to_owned() };
    let denied = |name: &String| deny.iter().find(|wide| covers(&same(wide), &same(name)));
    let both: Vec<_> =
        allow.iter().enumerate().filter_map(|(index, name)| Some((index, name, denied(name)?))).collect();
    if both.len() > 1 && both.len() == allow.len() {
        let message = format!("all that `allow` lists is denied by `deny`, which wins: no {what} is left");
        let help = "take out of `deny` what is to be allowed, or leave `allow` out";
        return vec![Diagnostic::warning(path, message).help(help)];
    }
    let only = allow.len() == 1;
    let said = both.into_iter().map(|(index, name, by)| {
        let left = if only { format!(", and no {what} is left") } else { String::new() };
        let by =
            if by == name { "is in `deny` too".to_owned() } else { format!("falls under {by:?} in `deny`") };
        let message = format!("{name:?} {by}, which wins: it is denied{left}");
        Diagnostic::warning(format!("{path}.allow[{index}]"), message).help("take it out of one of the lists")
    });
    said.collect()
}

/// Whether all that `narrow` matches is matched by `wide`: each `*` of `narrow` has to fall into one of `wide`.
fn covers(wide: &str, narrow: &str) -> bool {
    let Some((head, rest)) = wide.split_once('*') else { return wide == narrow };
    let Some(mut left) = narrow.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(tail)
}

fn nothing_listed(path: &str, what: &str) -> Vec<Diagnostic> {
    vec![
        Diagnostic::warning(path, format!("neither `allow` nor `deny` is given, so every {what} is allowed"))
            .help("list what is allowed, or write `deny: [\"*\"]` to allow none"),
    ]
}

/// The actions of requests: those of MCP, of models, and of other paths.
const ACTIONS: [&str; 9] =
    ["read", "call", "get", "query", "write", "delete", "subscribe", "unsubscribe", "complete"];

/// Protocols may bring further actions, so an unknown one is a warning and no error.
fn access(rule: &AccessRule, path: &str) -> Vec<Diagnostic> {
    let strange = rule.allowed_actions.iter().enumerate();
    let strange = strange.filter(|(_, action)| *action != "*" && !ACTIONS.contains(&action.as_str()));
    let said = strange.map(|(index, action)| {
        let help = match nearest(action, ACTIONS) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("requests have {}", ACTIONS.join(", ")),
        };
        let message = format!("no request has the action {action:?}, so that grants nothing");
        Diagnostic::warning(format!("{path}.allowedActions[{index}]"), message).help(help)
    });
    said.collect()
}

fn content(rule: &ContentRule, path: &str) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if rule.asks_for_categories() && rule.categories.is_empty() && rule.threshold.is_none() {
        let message = "none of `links`, `html` and `canary` is given, so the rule does nothing";
        found.push(Diagnostic::warning(path, message).help("categories are not enforced by this version"));
    }
    if rule.code == CodeText::Inspect && rule.links.is_none() && rule.html.is_none() {
        found.push(Diagnostic::warning(format!("{path}.code"), "only `links` and `html` look at code"));
    }
    found
}

fn pii(rule: &PiiRule, path: &str) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let none = !rule.types.is_empty() && rule.types.iter().all(|name| name.eq_ignore_ascii_case("none"));
    if none && rule.patterns.is_empty() {
        let message = "`none` of the types and no `patterns` are given, so the rule finds nothing";
        found.push(Diagnostic::warning(format!("{path}.types"), message));
    }
    found.extend(replacement(rule, &format!("{path}.replacement")));
    found.extend(headers(rule, &format!("{path}.headers")));
    found.extend(ignored(&rule.ignore, &format!("{path}.ignore")));
    for (index, pattern) in rule.patterns.iter().enumerate() {
        if rule.patterns.iter().take(index).any(|earlier| earlier.name == pattern.name) {
            found.push(Diagnostic::error(
                format!("{path}.patterns[{index}].name"),
                format!("the name `{}` is taken by an earlier pattern of this rule", pattern.name),
            ));
        }
    }
    found
}

fn replacement(rule: &PiiRule, path: &str) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if rule.replacement.is_some() && rule.action != PiiAction::Redact {
        found.push(Diagnostic::warning(path, "a replacement is used only when `action` is `redact`"));
    }
    for name in rule.replacement.iter().flat_map(|text| placeholders(text)).filter(|name| *name != "type") {
        let message = format!("`{{{name}}}` is no placeholder, and is written as it is");
        found.push(Diagnostic::warning(path, message).help("only `{type}` is replaced, by the type's name"));
    }
    found
}

fn headers(rule: &PiiRule, path: &str) -> Vec<Diagnostic> {
    // A token (RFC 9110, section 5.6.2).
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let mut found = Vec::new();
    for (index, name) in rule.headers.iter().enumerate() {
        if name.is_empty() || !name.bytes().all(token) {
            let message = format!("found {name:?}, which is no name of a header");
            found.push(
                Diagnostic::error(format!("{path}[{index}]"), message)
                    .help("write it as in `x-user-note`; case does not matter"),
            );
        }
    }
    if !rule.headers.is_empty() && !rule.directions.contains(&Direction::Request) {
        let message = "headers are searched in requests, which `directions` leaves out";
        found.push(Diagnostic::warning(path, message));
    }
    found
}

fn ignored(values: &[String], path: &str) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if values.len() > PiiRule::MAX_IGNORED {
        let message = format!("found {} values, expected at most {}", values.len(), PiiRule::MAX_IGNORED);
        found.push(Diagnostic::error(path, message));
    }
    for (index, value) in values.iter().enumerate() {
        if value.bytes().all(|b| b == b'*') {
            found.push(
                Diagnostic::error(format!("{path}[{index}]"), "this passes over every value")
                    .help("name the values that are nobody's, such as `127.0.0.1` or `*@example.com`"),
            );
        }
    }
    found
}

/// The words in braces, which look like placeholders.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    words.filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

fn rate_limit(rule: &RateLimitRule, path: &str) -> Vec<Diagnostic> {
    let requests =
        [rule.requests_per_second, rule.requests_per_minute, rule.requests_per_hour, rule.requests_per_day];
    let requests = requests.iter().any(Option::is_some);
    let tokens = rule.tokens_per_minute.is_some() || rule.tokens_per_day.is_some();
    let money = rule.cost_per_day.is_some() || rule.cost_per_month.is_some();
    let mut found = Vec::new();
    if rule.burst.is_some() && !requests {
        let message = "`burst` comes on top of a limit of requests, which is missing";
        found.push(
            Diagnostic::error(path, message)
                .help("add `requestsPerSecond`, `PerMinute`, `PerHour` or `PerDay`"),
        );
    } else if !requests && !tokens && !money && rule.max_concurrent.is_none() {
        found.push(
            Diagnostic::error(path, "a rate limit needs a limit, and none is given")
                .help("such as `requestsPerMinute`, `maxConcurrent`, `tokensPerDay` or `costPerMonth`"),
        );
    }
    if rule.key == LimitKey::Tool && (tokens || money) {
        let message = "calls of tools take no tokens and cost no money, so that would count nothing";
        found.push(
            Diagnostic::error(format!("{path}.key"), message).help("limit requests, or take another key"),
        );
    }
    match (rule.key == LimitKey::Rego, rule.expression.is_some()) {
        (true, false) => found.push(
            Diagnostic::error(format!("{path}.key"), "`key: rego` needs an `expression`, and none is given")
                .help("such as `expression: input.request.model`"),
        ),
        (false, true) => found.push(
            Diagnostic::error(format!("{path}.expression"), "an expression is read only with `key: rego`")
                .help("write `key: rego`"),
        ),
        _ => {}
    }
    if rule.mode == LimitMode::Strict && !requests && !tokens && !money && rule.max_concurrent.is_some() {
        let message =
            "`strict` changes nothing here: what goes on at the same time is counted exactly anyhow";
        found.push(Diagnostic::warning(format!("{path}.mode"), message));
    }
    found
}
