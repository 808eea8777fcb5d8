//! What authors write, and what they are told about it.
#![cfg(feature = "yaml")]
use mesh_policy::{
    Diagnostic, Direction, Enforcement, FailureMode, PiiAction, Policy, Rule, Severity, Spec, from_value,
    from_yaml,
};
use serde_json::{Value, json};

/// A document with these lines as its rules.
fn with_rules(rules: &str) -> String {
    let rules: String = rules.lines().map(|line| format!("    {}\n", line.trim_end())).collect();
    format!(
        "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: x }}\nspec:\n  rules:\n{rules}"
    )
}

fn read(text: &str) -> (Option<Policy>, Vec<Diagnostic>) {
    match from_yaml(text) {
        Ok(mut parsed) => {
            assert_eq!(parsed.len(), 1, "{text}");
            let parsed = parsed.remove(0);
            (Some(parsed.policy), parsed.warnings)
        }
        Err(found) => (None, found),
    }
}

const COMPLETE: &str = r#"
apiVersion: ai-mesh.dev/v1alpha1
kind: Policy
metadata: { name: customer-facing, labels: { owner: support } }
spec:
  description: What support agents may do
  target:
    agents: ["support-*"]
    types: [chatbot]
    complianceTiers: [high, critical]
    labels: { team: support }
  enforcement: blocking
  failureMode: closed
  media: refuse
  recordOverflow: drop
  rules:
    - pii: { types: [ssn, credit_card, email], action: redact, directions: [request, response], replacement: "[REDACTED]",
             threshold: 0.5, patterns: [{ name: ticket, regex: 'T-\d+' }] }
    - injection: { action: block, sensitivity: medium, patterns: ["ignore previous instructions"] }
    - rateLimit: { key: user, requestsPerMinute: 60, burst: 10, tokensPerDay: 100000, costPerMonth: 49.5, maxConcurrent: 4,
                   mode: strict, action: throttle }
    - access: { resource: "finance_reports/*", allowedRoles: [finance_analyst, cfo], allowedActions: [read, query],
                conditions: { timeOfDay: "09:00-17:00 America/New_York", ipAllowList: ["10.0.0.0/8"] } }
    - tools: { allow: ["search", "calendar.*"], pin: true }
    - models: { allow: ["gpt-4*", "claude-*"] }
    - rego: { module: "package mesh\n" }
    - normalize: { tone: professional, maxLength: 2000, language: en-US, systemPromptPrefix: "…", tokenBudget: 8000 }
    - content: { categories: [violence, hate_speech, self_harm], threshold: 0.7, action: block }
"#;

#[test]
fn the_complete_document_is_read_and_written_back_unchanged() {
    let (policy, warnings) = read(COMPLETE);
    let policy = policy.expect("the document is accepted");
    let kinds: Vec<&str> = policy.spec.rules.iter().map(Rule::kind).collect();
    assert_eq!(
        kinds,
        ["pii", "injection", "rateLimit", "access", "tools", "models", "rego", "normalize", "content"]
    );
    let unenforced: Vec<&str> = warnings.iter().map(|warning| warning.path.as_str()).collect();
    let expected =
        ["spec.rules[7].normalize", "spec.rules[8].content.categories", "spec.rules[8].content.threshold"];
    assert_eq!(unenforced, expected);
    for warning in &warnings {
        assert_eq!(warning.severity, Severity::Warning);
        assert!(warning.message.ends_with("recorded but not enforced by this version"), "{warning}");
    }
    let written = serde_json::to_value(&policy).unwrap();
    assert_eq!(from_value(&written).unwrap().policy, policy);
    assert_eq!(read(&serde_json::to_string_pretty(&written).unwrap()).0, Some(policy), "JSON is YAML");
}

#[test]
fn what_is_left_out_has_its_default() {
    let (policy, warnings) = read(&with_rules("- pii: {}\n- injection: {}"));
    assert_eq!(warnings, []);
    let Spec { enforcement, failure_mode, target, rules, .. } = policy.unwrap().spec;
    assert_eq!((enforcement, failure_mode), (Enforcement::Blocking, FailureMode::Closed));
    assert!(target.is_everyone());
    let [Rule::Pii(pii), Rule::Injection(_)] = rules.as_slice() else { panic!("{rules:?}") };
    assert_eq!(pii.action, PiiAction::Redact);
    assert_eq!(pii.directions, [Direction::Request, Direction::Response]);
}

#[test]
fn the_whitepapers_words_for_enforcement_are_the_blueprints() {
    for (word, meaning) in [
        ("blocking", Enforcement::Blocking),
        ("enforce", Enforcement::Blocking),
        ("logging", Enforcement::Logging),
        ("monitor", Enforcement::Logging),
        ("advisory", Enforcement::Advisory),
        ("audit", Enforcement::Advisory),
    ] {
        let text = with_rules("- pii: {}").replace("  rules:", &format!("  enforcement: {word}\n  rules:"));
        assert_eq!(read(&text).0.unwrap().spec.enforcement, meaning, "{word}");
    }
}

/// Each row: the rules, and what is said about them, as `path | message | help`.
#[test]
fn mistakes_are_named_with_path_found_expected_and_help() {
    for (rules, said) in [
        // Names.
        (
            "- pii: { acton: block }",
            &["error | spec.rules[0].pii.acton | unknown field `acton` | did you mean `action`?"][..],
        ),
        (
            "- pii: { headers: [X-User-Note, \"a b\"] }",
            &[
                "error | spec.rules[0].pii.headers[1] | found \"a b\", which is no name of a header | write it as in `x-user-note`; case does not matter",
            ][..],
        ),
        (
            "- pii: {}\n- ratelimit: { requestsPerMinute: 1 }",
            &[
                "error | spec.rules[1].ratelimit | unknown kind of rule `ratelimit` | did you mean `rateLimit`?",
            ],
        ),
        (
            "- access: { resource: a, allowed_roles: [b], allowedActions: [c] }",
            &[
                "error | spec.rules[0].access | `allowedRoles` is missing, expected a list of strings",
                "error | spec.rules[0].access.allowed_roles | unknown field `allowed_roles` | did you mean `allowedRoles`?",
            ],
        ),
        (
            "- rego: { module: m, banana: 1 }",
            &[
                "error | spec.rules[0].rego.banana | unknown field `banana` | known here: `module`, `modules`, `package`, `data`",
            ],
        ),
        // Words.
        (
            "- pii: { action: redcat }",
            &[
                "error | spec.rules[0].pii.action | found \"redcat\", expected `redact`, `tokenize`, `block` or `log` | did you mean `redact`?",
            ],
        ),
        (
            "- pii: { directions: [request, sideways] }",
            &[
                "error | spec.rules[0].pii.directions[1] | found \"sideways\", expected `request` or `response`",
            ],
        ),
        // Types.
        (
            "- rateLimit: { requestsPerMinute: \"60\" }",
            &[
                "error | spec.rules[0].rateLimit.requestsPerMinute | found \"60\" (a string), expected a whole number from 1 to \
               4294967295 | take the quotes away",
            ],
        ),
        (
            "- pii: { types: ssn }",
            &[
                "error | spec.rules[0].pii.types | found \"ssn\" (a string), expected a list of strings | write `[\"ssn\"]`",
            ],
        ),
        (
            "- pii: { types: [ssn, 5] }",
            &[
                "error | spec.rules[0].pii.types[1] | found 5 (a number), expected a string | put it in quotes to make it a string",
            ],
        ),
        (
            "- tools: { allow: [a], pin: \"yes\" }",
            &[
                "error | spec.rules[0].tools.pin | found \"yes\" (a string), expected true or false | write `true`",
            ],
        ),
        (
            "- tools: { allow: [a], pin: \"false\" }\n- tools: { allow: [a], pin: maybe }",
            &[
                "error | spec.rules[0].tools.pin | found \"false\" (a string), expected true or false | take the quotes away",
                "error | spec.rules[1].tools.pin | found \"maybe\" (a string), expected true or false",
            ],
        ),
        (
            "- injection: { sensitivity: 0.7 }\n- rateLimit: { costPerDay: $5 }",
            &[
                "error | spec.rules[0].injection.sensitivity | found 0.7 (a number), expected `low`, `medium` or `high`",
                "error | spec.rules[1].rateLimit.costPerDay | found \"$5\" (a string), expected an amount of money, a number over \
                 0 such as 50 or 0.25 | write the number alone, `5`: it is of US dollars",
            ],
        ),
        (
            "- pii: { types: [none] }\n- pii: { types: [None], patterns: [{ name: a, regex: b }] }",
            &[
                "warning | spec.rules[0].pii.types | `none` of the types and no `patterns` are given, so the rule finds nothing",
            ],
        ),
        (
            "- pii",
            &[
                "error | spec.rules[0] | found \"pii\" (a string), expected a rule, a map with one of the keys `pii`, `injection`, \
               `rateLimit`, `access`, `tools`, `models`, `rego`, `normalize`, `content`",
            ],
        ),
        (
            "- injection:",
            &[
                "error | spec.rules[0].injection | found nothing, expected a map with the fields `action`, `sensitivity`, \
               `patterns`, `ignore`, `judge` | write `injection: {}` for a rule of all defaults",
            ],
        ),
        (
            "- pii:\n  action: block",
            &[
                "error | spec.rules[0] | found 2 keys in one rule (action, pii), expected one | write each rule as an item of its \
                 own (`- pii: {…}`), and indent its fields below it",
                "error | spec.rules[0].pii | found nothing, expected a map with the fields `types`, `action`, `directions`, \
                 `replacement`, `threshold`, `patterns`, `headers`, `ignore` | write `pii: {}` for a rule of all defaults",
                "error | spec.rules[0].action | unknown kind of rule `action` | known here: `pii`, `injection`, `rateLimit`, \
                 `access`, `tools`, `models`, `rego`, `normalize`, `content`",
            ],
        ),
        (
            "- {}",
            &[
                "error | spec.rules[0] | found an empty rule, expected one of `pii`, `injection`, `rateLimit`, `access`, \
                     `tools`, `models`, `rego`, `normalize`, `content`",
            ],
        ),
        // Ranges.
        (
            "- pii: { threshold: 1.5 }",
            &["error | spec.rules[0].pii.threshold | found 1.5, expected a number from 0 to 1"],
        ),
        (
            "- pii: { ignore: ['*', 127.0.0.1, '**'] }",
            &[
                "error | spec.rules[0].pii.ignore[0] | this passes over every value | name the values that are \
                 nobody's, such as `127.0.0.1` or `*@example.com`",
                "error | spec.rules[0].pii.ignore[2] | this passes over every value | name the values that are \
                 nobody's, such as `127.0.0.1` or `*@example.com`",
            ],
        ),
        (
            "- rateLimit: { requestsPerMinute: 0 }",
            &[
                "error | spec.rules[0].rateLimit.requestsPerMinute | found 0, expected a whole number from 1 to 4294967295",
            ],
        ),
        (
            "- rateLimit: { requestsPerMinute: 5000000000 }",
            &[
                "error | spec.rules[0].rateLimit.requestsPerMinute | found 5000000000, expected a whole number from 1 to 4294967295",
            ],
        ),
        (
            "- rateLimit: { requestsPerMinute: -1 }",
            &[
                "error | spec.rules[0].rateLimit.requestsPerMinute | found -1, expected a whole number from 1 to 4294967295",
            ],
        ),
        (
            "- rateLimit: { requestsPerMinute: 1.5 }",
            &[
                "error | spec.rules[0].rateLimit.requestsPerMinute | found 1.5, expected a whole number from 1 to 4294967295",
            ],
        ),
        // Lists that would silently match nothing.
        (
            "- tools: { allow: [] }",
            &[
                "error | spec.rules[0].tools.allow | found an empty list, which would match nothing | write down at least one, or \
               leave the field out",
            ],
        ),
        (
            "- models: { deny: [\"\"] }",
            &["error | spec.rules[0].models.deny[0] | found an empty string, expected some text"],
        ),
        // Forms.
        (
            "- access: { resource: a, allowedRoles: [b], allowedActions: [c], conditions: { timeOfDay: \"9-17 EST\", ipAllowList: \
             [\"10.0.0.0/40\"] } }",
            &[
                "error | spec.rules[0].access.conditions.ipAllowList[0] | found \"10.0.0.0/40\", expected a network or an address, \
                 such as `10.0.0.0/8`, `fd00::/8` or `192.0.2.7`",
                "error | spec.rules[0].access.conditions.timeOfDay | found \"9-17 EST\", expected hours and an IANA time zone, such \
                 as `09:00-17:00 America/New_York`",
            ],
        ),
        // What fields say together.
        (
            "- rateLimit: { burst: 3 }",
            &[
                "error | spec.rules[0].rateLimit | `burst` comes on top of a limit of requests, which is missing | add \
                 `requestsPerSecond`, `PerMinute`, `PerHour` or `PerDay`",
            ],
        ),
        (
            "- rateLimit: {}",
            &["error | spec.rules[0].rateLimit | a rate limit needs a limit, and none is given | such as \
                 `requestsPerMinute`, `maxConcurrent`, `tokensPerDay` or `costPerMonth`"],
        ),
        (
            "- rateLimit: { key: tool, tokensPerDay: 5 }",
            &[
                "error | spec.rules[0].rateLimit.key | calls of tools take no tokens and cost no money, so that would count \
                 nothing | limit requests, or take another key",
            ],
        ),
        (
            "- rateLimit: { maxConcurrent: 5, mode: strict }",
            &[
                "warning | spec.rules[0].rateLimit.mode | `strict` changes nothing here: what goes on at the same time is \
                 counted exactly anyhow",
            ],
        ),
        (
            "- rateLimit: { key: rego, requestsPerDay: 5 }",
            &[
                "error | spec.rules[0].rateLimit.key | `key: rego` needs an `expression`, and none is given | such as \
                 `expression: input.request.model`",
            ],
        ),
        (
            "- rateLimit: { expression: input.team, requestsPerDay: 5 }",
            &[
                "error | spec.rules[0].rateLimit.expression | an expression is read only with `key: rego` | write \
                 `key: rego`",
            ],
        ),
        (
            "- rateLimit: { costPerDay: 0, costPerMonth: \"5\", currency: EUR }",
            &[
                "error | spec.rules[0].rateLimit.costPerDay | found 0, expected an amount of money, a number over 0 such as 50 or \
                 0.25",
                "error | spec.rules[0].rateLimit.costPerMonth | found \"5\" (a string), expected an amount of money, a number \
                 over 0 such as 50 or 0.25 | take the quotes away",
                "error | spec.rules[0].rateLimit.currency | found \"EUR\", expected `USD`",
            ],
        ),
        (
            "- models: {}",
            &[
                "warning | spec.rules[0].models | neither `allow` nor `deny` is given, so every model is allowed | list what is \
               allowed, or write `deny: [\"*\"]` to allow none",
            ],
        ),
        (
            "- pii: { types: [] }",
            &[
                "error | spec.rules[0].pii.types | found an empty list, which would match nothing | write down at least one, or \
                 leave the field out",
            ],
        ),
        (
            "- pii: { replacement: \"<{typ}> {type} {} {a b}\" }",
            &[
                "warning | spec.rules[0].pii.replacement | `{typ}` is no placeholder, and is written as it is | only `{type}` is \
                 replaced, by the type's name",
            ],
        ),
        (
            "- tools: { allow: [a, b], deny: [b] }\n- models: { allow: [\"*\"], deny: [c] }",
            &[
                "warning | spec.rules[0].tools.allow[1] | \"b\" is in `deny` too, which wins: it is denied | take it out of one \
                 of the lists",
            ],
        ),
        (
            "- models: { allow: [GPT-4o], deny: [\"gpt-*\"] }\n- tools: { allow: [a, \"b.*\"], deny: [\"*\"] }\n- models: { deny: [\"*\"] }\n\
             - tools: { allow: [\"a*\", \"*\", b.x], deny: [\"a*z\", \"b.?\"] }\n- tools: { allow: [a.b.c, x], deny: [\"a*b*c\"] }",
            &[
                "warning | spec.rules[0].models.allow[0] | \"GPT-4o\" falls under \"gpt-*\" in `deny`, which wins: it is denied, and no \
                 model is left | take it out of one of the lists",
                "warning | spec.rules[1].tools | all that `allow` lists is denied by `deny`, which wins: no tool is left | take out of \
                 `deny` what is to be allowed, or leave `allow` out",
                "warning | spec.rules[4].tools.allow[0] | \"a.b.c\" falls under \"a*b*c\" in `deny`, which wins: it is denied | take it \
                 out of one of the lists",
            ],
        ),
        (
            "- pii: { action: block, replacement: x }",
            &[
                "warning | spec.rules[0].pii.replacement | a replacement is used only when `action` is `redact`",
            ],
        ),
        (
            "- pii: { patterns: [{ name: a, regex: b }, { name: a, regex: c }] }",
            &[
                "error | spec.rules[0].pii.patterns[1].name | the name `a` is taken by an earlier pattern of this rule",
            ],
        ),
        ("- rateLimit: { tokensPerDay: 5 }\n- tools: { deny: [x], pin: false }", &[]),
        (
            "- content: { links: { allow: [docs.example.com, '*.example.com', '*'] }, html: {}, canary: {} }",
            &[],
        ),
        (
            "- content: { links: { allow: ['https://docs.example.com/x'] }, html: { action: redact } }",
            &[
                "error | spec.rules[0].content.html.action | found \"redact\", expected `defang`, `remove`, `block` or `log`",
                "error | spec.rules[0].content.links.allow[0] | found \"https://docs.example.com/x\", expected a host such as \
                 `docs.example.com`, `*.example.com` for all below it, or `*`; names outside ASCII as `xn--…` | such as \
                 `docs.example.com`",
            ],
        ),
        (
            "- content: {}",
            &[
                "warning | spec.rules[0].content | none of `links`, `html` and `canary` is given, so the rule does nothing | \
                 categories are not enforced by this version",
            ],
        ),
        (
            "- content: { canary: {}, code: inspect, categories: [violence] }",
            &[
                "warning | spec.rules[0].content.categories | `categories` is recorded but not enforced by this version",
                "warning | spec.rules[0].content.code | only `links` and `html` look at code",
            ],
        ),
    ] {
        let (_, found) = read(&with_rules(rules));
        let mut found: Vec<String> = found.iter().map(line).collect();
        let mut said: Vec<String> = said.iter().map(|line| (*line).to_owned()).collect();
        found.sort();
        said.sort();
        assert_eq!(found, said, "{rules}");
    }
}

fn line(diagnostic: &Diagnostic) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let help = diagnostic.help.as_ref().map(|help| format!(" | {help}")).unwrap_or_default();
    format!("{severity} | {} | {}{help}", diagnostic.path, diagnostic.message)
}

/// Each row: what the head of the document is changed from and to, and the one thing said about it.
#[test]
fn mistakes_in_the_head_are_named_too() {
    let good = with_rules("- pii: {}");
    for (from, to, said) in [
        ("v1alpha1", "v2", "error | apiVersion | found \"ai-mesh.dev/v2\", expected `ai-mesh.dev/v1alpha1`"),
        ("kind: Policy", "kind: Pod", "error | kind | found \"Pod\", expected `Policy`"),
        ("kind: Policy\n", "", "error |  | `kind` is missing, expected `Policy`"),
        (
            "name: x",
            "name: Customer Facing",
            "error | metadata.name | found \"Customer Facing\", expected a name of at most 63 lower-case letters, digits and `-`, \
             beginning and ending with a letter or digit | such as `customer-facing`",
        ),
        (
            "name: x",
            "name: x, labels: { a: 1 }",
            "error | metadata.labels.a | found 1 (a number), expected a string | put it in quotes to make it a string",
        ),
        (
            "name: x",
            "name: x, namespace: y",
            "error | metadata.namespace | unknown field `namespace` | known here: `name`, `labels`",
        ),
        (
            "spec:",
            "spec:\n  failure_mode: open",
            "error | spec.failure_mode | unknown field `failure_mode` | did you mean `failureMode`?",
        ),
        (
            "spec:",
            "spec:\n  target: { agent: [x] }",
            "error | spec.target.agent | unknown field `agent` | did you mean `agents`?",
        ),
        (
            "spec:",
            "spec:\n  target: { agents: [], types: [chatbot] }",
            "warning | spec.target.agents | found an empty list, which leaves nobody out: it is as if it were not there | name whom the \
             policy is for, or leave the field out; `rules: []` makes a policy for nobody",
        ),
        (
            "spec:",
            "status: {}\nspec:",
            "error | status | unknown field `status` | known here: `apiVersion`, `kind`, `metadata`, `spec`",
        ),
        (
            "rules:\n    - pii: {}",
            "rules: []",
            "warning | spec.rules | there are no rules, so the policy does nothing",
        ),
        (
            "rules:\n    - pii: {}",
            "rules:",
            "error | spec.rules | found nothing (null), expected a list of rules",
        ),
    ] {
        let text = good.replace(from, to);
        assert_ne!(text, good, "{from}");
        let found: Vec<String> = read(&text).1.iter().map(line).collect();
        assert_eq!(found, [said], "{text}");
    }
}

/// Each row: a text, and the place and beginning of what is said first.
#[test]
fn text_diagnostics_have_line_and_column() {
    for (text, place, message) in [
        (with_rules("- pii:\n    action: redcat"), (7, 9), "found \"redcat\""),
        (with_rules("- pii: {}\n- tools:\n    allow: [a]\n    alow: [b]"), (9, 9), "unknown field `alow`"),
        (with_rules("- pii:\n    types:\n      - ssn\n      - 5"), (9, 13), "found 5"),
        (with_rules("- access: { resource: a, allowedRoles: [b] }"), (6, 7), "`allowedActions` is missing"),
        // Duplicates, at any depth.
        (with_rules("- pii: { action: log, action: block }"), (6, 27), "duplicate mapping key"),
        (with_rules("- pii: {}").replace("kind:", "spec: {}\nkind:"), (5, 1), "duplicate mapping key"),
        // No YAML at all.
        ("apiVersion: [".to_owned(), (1, 13), "unclosed bracket"),
        ("a: b: c".to_owned(), (1, 5), ""),
        ("a: *nobody".to_owned(), (1, 4), ""),
        ("\"just text\"".to_owned(), (1, 1), "found \"just text\" (a string), expected a map"),
        (with_rules("- pii: { threshold: .nan }"), (6, 25), ""),
    ] {
        let found = from_yaml(&text).unwrap_err();
        let first = found.first().unwrap();
        eprintln!("{first}");
        assert_eq!((first.line, first.column), (Some(place.0), Some(place.1)), "{text}\n{first}");
        assert!(!first.message.contains(" at line "), "the place is said once: {first}");
        assert!(first.message.starts_with(message), "{text}\n{first}");
    }
    let (_, warnings) = read(&with_rules("- pii: {}\n- pii: { action: log, replacement: x }"));
    assert_eq!((warnings[0].line, warnings[0].column), (Some(7), Some(27)), "warnings have places too");
}

#[test]
fn several_documents_are_read_and_all_their_mistakes_reported() {
    let good = with_rules("- pii: {}");
    let bad = with_rules("- pii: { acton: 1 }");
    assert_eq!(from_yaml(&format!("{good}---\n{good}")).unwrap().len(), 2);
    assert_eq!(from_yaml(&format!("---\n{good}---\n")).unwrap().len(), 1, "an empty document is none");
    let found = from_yaml(&format!("{bad}---\n{good}---\n{bad}")).unwrap_err();
    let lines: Vec<Option<u32>> = found.iter().map(|diagnostic| diagnostic.line).collect();
    assert_eq!(lines, [Some(6), Some(20)]);
    for empty in ["", "# nothing\n", "---\n"] {
        assert_eq!(from_yaml(empty).unwrap_err()[0].message, "found no document", "{empty:?}");
    }
}

#[test]
fn later_diagnostics_can_be_located() {
    let text = with_rules("- pii: {}\n- rego:\n    module: |\n      package mesh");
    let mut found =
        [Diagnostic::error("spec.rules[1].rego.module", "m"), Diagnostic::error("spec.nowhere[3].x", "n")];
    mesh_policy::locate(&text, 0, &mut found);
    let places: Vec<_> =
        found.iter().map(|found| (found.message.as_str(), found.line, found.column)).collect();
    assert_eq!(places, [("n", Some(4), Some(1)), ("m", Some(8), Some(9))]);
}

#[test]
fn a_diagnostic_reads_as_one_line() {
    let (_, found) = read(&with_rules("- pii: { action: redcat }"));
    assert_eq!(
        found[0].to_string(),
        "error: 6:14: spec.rules[0].pii.action: found \"redcat\", expected `redact`, `tokenize`, `block` or `log` (did you mean `redact`?)"
    );
    assert_eq!(Diagnostic::warning("", "w").to_string(), "warning: w");
}

/// Texts made to hurt the reader end in an error, soon.
#[test]
fn hostile_texts_are_refused() {
    let bomb: String = (0..30).fold("a0: &a0 [x,x]\n".to_owned(), |text, n| {
        format!("{text}a{}: &a{} [*a{n},*a{n},*a{n},*a{n},*a{n},*a{n},*a{n},*a{n},*a{n}]\n", n + 1, n + 1)
    });
    let deep = "too deep in one another";
    for (text, said) in [
        (bomb, "aliases (`*name`) multiply the text"),
        ("[".repeat(100_000), deep),
        ("{a: ".repeat(100_000), deep),
        ("- ".repeat(100_000), deep),
        ("a:\n- ".repeat(1000), ""),
        (format!("[{}0]", "0,".repeat(100_000)), "the text is too large: policies may have 100,000 values"),
        ("a: b\n---\n".repeat(1001), "there may be 1,000 documents"),
    ] {
        let found = from_yaml(&text).unwrap_err();
        assert!(found[0].message.contains(said), "{said}: {}", found[0].message);
    }
}

#[test]
fn odd_values_are_refused_by_type() {
    for (value, said) in [
        (json!(null), "found nothing (null), expected a map"),
        (json!([]), "found a list, expected a map"),
        (json!(1e300), "found 1e+300 (a number), expected a map"),
        (json!({"apiVersion": null}), "found nothing (null), expected `ai-mesh.dev/v1alpha1`"),
    ] {
        let found = from_value(&value).unwrap_err();
        assert!(found[0].message.starts_with(said), "{value}: {}", found[0]);
    }
    // Optional fields may be null, as generated clients write them.
    let mut document = serde_json::to_value(Policy::new("x", Spec::default())).unwrap();
    document["spec"]["description"] = Value::Null;
    document["spec"]["rules"] = json!([{"pii": {"replacement": null, "threshold": null}}]);
    assert!(from_value(&document).is_ok());
}
