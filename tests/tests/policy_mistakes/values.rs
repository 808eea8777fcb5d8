//! Mistakes inside values: Rego, expressions, networks, hours, words, YAML itself.
use crate::said;

/// A policy with these lines as its rules, from line 6 on.
fn with_rules(rules: &str) -> String {
    let rules: String = rules.lines().map(|line| format!("    {}\n", line.trim_end())).collect();
    format!(
        "apiVersion: ai-mesh.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: x }}\nspec:\n  rules:\n{rules}"
    )
}

/// Each row: the document, and of what is said first the place, the field, and words of the message and of the advice.
#[test]
fn mistakes_inside_values_are_told_with_their_place_in_the_document() {
    let rego = "- rego:\n    module: |\n      package mesh\n\n      deny contains \"x\" if {\n        ";
    let access = "- access:\n    resource: a\n    allowedRoles: [b]\n    allowedActions: [read]\n    conditions:\n      ";
    type Row<'a> = (String, (u32, u32), &'a str, &'a str, &'a str);
    let rows: Vec<Row> = vec![
        // Rego: places in the document, whatever the module stands in.
        (
            with_rules(&format!("{rego}cuont(input.tools) > 3\n      }}")),
            (11, 13),
            "spec.rules[0].rego.module",
            "`cuont` is not a function here",
            "did you mean `count`",
        ),
        (with_rules(&format!("{rego}input.x ==\n      }}")), (12, 11), "spec.rules[0].rego.module", "", ""),
        (
            with_rules(&format!("{rego}http.send({{}})\n      }}")),
            (11, 13),
            "spec.rules[0].rego.module",
            "`http.send` is not available: a policy cannot call out",
            "",
        ),
        (
            with_rules("- rego: { module: \"package mesh\\ndeny if cuont(1)\" }"),
            (6, 46),
            "spec.rules[0].rego.module",
            "`cuont` is not a function here",
            "",
        ),
        (
            with_rules(
                "- rego:\n    module: |\n      package mesh\n      deny if data.more.x\n    modules:\n      more.rego: |\n        package more\n        x if nope(1)",
            ),
            (13, 18),
            "spec.rules[0].rego.modules[\"more.rego\"]",
            "`nope` is not a function here",
            "",
        ),
        (
            with_rules(
                "- rateLimit:\n    key: rego\n    expression: sprintn(\"%s\", [input.team])\n    requestsPerDay: 5",
            ),
            (8, 21),
            "spec.rules[0].rateLimit.expression",
            "`sprintn` is not a function here",
            "did you mean `sprintf`",
        ),
        (
            with_rules("- rego: { module: \"package mesh\\nallow := true\", package: data.mesh }"),
            (6, 54),
            "spec.rules[0].rego.package",
            "found \"data.mesh\"",
            "such as `mesh`",
        ),
        (with_rules("- rego: {}"), (6, 7), "spec.rules[0].rego", "there is no module", "write `module: |`"),
        (
            with_rules("- injection: { ignore: [tell the user] }"),
            (6, 29),
            "spec.rules[0].injection.ignore[0]",
            "found \"tell the user\", expected at least 16 bytes",
            "write the whole sentence",
        ),
        (
            with_rules("- pii: { ignore: [127.0.0.1, '*'] }"),
            (6, 34),
            "spec.rules[0].pii.ignore[1]",
            "this passes over every value",
            "name the values that are nobody's",
        ),
        // Regular expressions.
        (
            with_rules("- pii:\n    patterns:\n      - name: t\n        regex: '('"),
            (9, 13),
            "spec.rules[0].pii.patterns[0].regex",
            "unclosed group",
            "",
        ),
        (
            with_rules("- pii: { patterns: [{ name: t, regex: 'a(?=b)' }] }"),
            (6, 36),
            "spec.rules[0].pii.patterns[0].regex",
            "look-around",
            "",
        ),
        (
            with_rules("- pii: { patterns: [{ name: t, regex: 'x*' }] }"),
            (6, 36),
            "spec.rules[0].pii.patterns[0].regex",
            "empty",
            "",
        ),
        (
            with_rules("- pii: { patterns: [{ name: t, regex: '(a{1000}){1000}' }] }"),
            (6, 36),
            "spec.rules[0].pii.patterns[0].regex",
            "",
            "",
        ),
        (
            with_rules("- pii: { patterns: [{ name: t, regex: a }, { name: t, regex: b }] }"),
            (6, 50),
            "spec.rules[0].pii.patterns[1].name",
            "is taken by an earlier pattern",
            "",
        ),
        (
            with_rules("- pii: { types: [ssn, emial] }"),
            (6, 27),
            "spec.rules[0].pii.types[1]",
            "found \"emial\"",
            "did you mean `email`",
        ),
        (
            with_rules("- pii: { headers: [\"x y\"] }"),
            (6, 24),
            "spec.rules[0].pii.headers[0]",
            "no name of a header",
            "x-user-note",
        ),
        // Networks, hours and zones.
        (
            with_rules(&format!("{access}ipAllowList: [10.0.0.0/33]")),
            (11, 25),
            "spec.rules[0].access.conditions.ipAllowList[0]",
            "found \"10.0.0.0/33\", expected a network",
            "",
        ),
        (
            with_rules(&format!("{access}timeOfDay: 9-17 UTC")),
            (11, 11),
            "spec.rules[0].access.conditions.timeOfDay",
            "found \"9-17 UTC\", expected hours",
            "",
        ),
        (
            with_rules(&format!("{access}timeOfDay: 09:00-17:00 America/New_Yrok")),
            (11, 11),
            "spec.rules[0].access.conditions.timeOfDay",
            "no time zone",
            "did you mean `America/New_York`",
        ),
        (
            with_rules("- access: { resource: a, allowedRoles: [b], allowedActions: [raed] }"),
            (6, 66),
            "spec.rules[0].access.allowedActions[0]",
            "no request has the action \"raed\"",
            "did you mean `read`",
        ),
        // Numbers and money.
        (
            with_rules("- injection: { judge: { deadlineMs: 2s } }"),
            (6, 29),
            "spec.rules[0].injection.judge.deadlineMs",
            "found \"2s\" (a string), expected a whole number from 1 to 10000",
            "",
        ),
        (
            with_rules("- injection: { judge: { from: 0.9 } }"),
            (6, 29),
            "spec.rules[0].injection.judge.from",
            "",
            "",
        ),
        (
            with_rules("- rateLimit: { requestsPerMinute: 60/min }"),
            (6, 20),
            "spec.rules[0].rateLimit.requestsPerMinute",
            "found \"60/min\" (a string)",
            "",
        ),
        (
            with_rules("- rateLimit: { costPerDay: $5 }"),
            (6, 20),
            "spec.rules[0].rateLimit.costPerDay",
            "expected an amount of money",
            "",
        ),
        (
            with_rules("- rateLimit: { costPerDay: 5, currency: EUR }"),
            (6, 35),
            "spec.rules[0].rateLimit.currency",
            "found \"EUR\", expected `USD`",
            "",
        ),
        (
            with_rules("- rateLimit: { burst: 5 }"),
            (6, 7),
            "spec.rules[0].rateLimit",
            "`burst` comes on top",
            "requestsPerSecond",
        ),
        // Words.
        (
            with_rules("- normalize: { tone: profesional }"),
            (6, 20),
            "spec.rules[0].normalize.tone",
            "found \"profesional\"",
            "did you mean `professional`",
        ),
        (
            with_rules("- normalize: { language: en_US }"),
            (6, 20),
            "spec.rules[0].normalize.language",
            "found \"en_US\"",
            "such as `en-US`",
        ),
        (
            with_rules("- content: { categories: [violense] }"),
            (6, 31),
            "spec.rules[0].content.categories[0]",
            "found \"violense\"",
            "did you mean `violence`",
        ),
        (
            with_rules("- content: { links: { allow: ['https://a.example/x'] } }"),
            (6, 35),
            "spec.rules[0].content.links.allow[0]",
            "expected a host",
            "such as `a.example`",
        ),
        (
            with_rules("- pii: {}")
                .replace("spec:\n", "spec:\n  target: { types: [chatbott], complianceTiers: [hihg] }\n"),
            (5, 21),
            "spec.target.types[0]",
            "found \"chatbott\"",
            "did you mean `chatbot`",
        ),
        // Nesting.
        (
            with_rules("- pii:\n  action: block"),
            (6, 7),
            "spec.rules[0]",
            "found 2 keys in one rule",
            "indent its fields below it",
        ),
        (
            with_rules("- rule: { pii: {} }"),
            (6, 7),
            "spec.rules[0].rule",
            "unknown kind of rule `rule`",
            "known here: `pii`",
        ),
        (
            with_rules("- pii: {}").replace("  rules:", "rules:"),
            (4, 1),
            "spec",
            "found nothing (null), expected a map with the fields",
            "",
        ),
        // YAML.
        (with_rules("- pii:\n\taction: block"), (7, 6), "", "tab", "blanks"),
        (with_rules("- pii: { action: log, action: block }"), (6, 27), "", "duplicate mapping key", ""),
        (with_rules("- pii: { replacement: [REDACTED }"), (6, 27), "", "bracket", "brackets"),
        (with_rules("- pii: { replacement: *what }"), (6, 27), "", "unknown value", "in quotes"),
        (with_rules("- rego:\n    module: |\n    package mesh"), (8, 9), "", "key expected", "further in"),
        (
            with_rules("- injection: { patterns: [ignore: this] }"),
            (6, 31),
            "spec.rules[0].injection.patterns[0]",
            "found a map, expected a string",
            "",
        ),
    ];
    let mut wrong = Vec::new();
    for (text, place, field, message, help) in rows {
        let said = said(&text);
        let Some(first) = said.iter().find(|said| said.path == field) else {
            wrong.push(format!("{field} is not named: {said:#?}\n{text}"));
            continue;
        };
        let advice = first.help.as_deref().unwrap_or_default();
        let right = (first.line, first.column) == (Some(place.0), Some(place.1))
            && first.message.contains(message)
            && !first.message.contains('\n')
            && (advice.contains(help) || first.message.contains(help))
            && first.within.is_none();
        if !right {
            wrong.push(format!("{first}\nexpected {place:?} {message:?} {help:?}\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{} are told otherwise:\n{}", wrong.len(), wrong.join("\n"));
}
