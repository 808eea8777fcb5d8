//! What modules decide: a module, an input, and the verdict or error that must come of them.
use mesh_rego::{Module, Rego, RegoError, Verdict};
use serde_json::{Value, json};

fn module(source: &str) -> Module {
    Module { name: "checks.rego".into(), source: source.into() }
}

fn compile(source: &str) -> Result<Rego, Vec<RegoError>> {
    Rego::compile(&[module(source)], &json!({}))
}

fn decide(source: &str, input: &Value) -> Result<Verdict, RegoError> {
    let rego = compile(source).unwrap_or_else(|errors| panic!("{source}\n{errors:?}"));
    let decided = rego.decide(input);
    // What is not read makes no difference.
    if let Value::Object(fields) = input {
        let mut read = fields.clone();
        read.retain(|name, _| rego.reads(name));
        for (name, value) in &mut read {
            if let Value::Object(fields) = value {
                fields.retain(|field, _| rego.reads(&format!("{name}.{field}")));
            }
        }
        assert_eq!(rego.decide(&Value::Object(read)).ok(), decided.as_ref().ok().cloned(), "{source}");
    }
    decided
}

#[test]
fn only_the_fields_that_are_read_are_asked_for() {
    // body, fields read of a, b, c
    for (body, read) in [
        (r#"deny contains "x" if input.a"#, "a"),
        (r#"deny contains "x" if input["a"].b"#, "a"),
        (r#"deny contains input.b.c if input.a"#, "ab"),
        (r#"deny contains "x" if { field := "a"; input[field] }"#, "abc"),
        (r#"deny contains "x" if { walk(input, [_, v]); v == 1 }"#, "abc"),
        (r#"deny contains "x" if count(input) > 1"#, "abc"),
        (
            r#"deny contains "x" if f(input.c)
            f(x) if x.a"#,
            "c",
        ),
        (
            r#"deny contains "x" if helper
            helper if input.b"#,
            "b",
        ),
        (
            r#"deny contains "x" if helper with input.a as 1
            helper if input.b"#,
            "ab",
        ),
        (
            r#"deny contains "x" if helper with input as {"a": 1}
            helper if input.b"#,
            "abc",
        ),
        (r#"deny contains x if some x in [y | some y in input.c]"#, "c"),
        (r#"deny if true"#, ""),
    ] {
        let rego = compile(&format!("package mesh\n{body}"));
        let rego = rego.unwrap_or_else(|errors| panic!("{body}\n{errors:?}"));
        let found: String = ["a", "b", "c"].into_iter().filter(|field| rego.reads(field)).collect();
        assert_eq!(found, read, "{body}");
    }
    for (body, read) in [
        (r#"deny contains "x" if { input.a.b; input.c == 1 }"#, "a.b c c.d"),
        (r#"deny contains "x" if input.a.b.c"#, "a.b"),
        (r#"deny contains "x" if input.a[_] == 1"#, "a.b a.c"),
        (r#"deny contains "x" if { field := "b"; input.a[field] }"#, "a.b a.c"),
        (r#"deny contains "x" if { input.a.b; object.get(input.a, "c", 1) == 2 }"#, "a.b a.c"),
        (r#"deny contains "x" if input["a"]["b"]"#, "a.b"),
        (r#"deny contains "x" if input["\u0061"]["b"]"#, "a.b a.c c c.d"),
        (r#"deny contains "x" if input.a["\u0062"]"#, "a.b a.c"),
        ("import input.a as thing\ndeny if thing.b", "a.b"),
        ("import input as it\ndeny if it.a.b", "a.b"),
    ] {
        let rego = compile(&format!("package mesh\n{body}"));
        let rego = rego.unwrap_or_else(|errors| panic!("{body}\n{errors:?}"));
        let fields = ["a.b", "a.c", "c", "c.d"].into_iter().filter(|field| rego.reads(field));
        assert_eq!(fields.collect::<Vec<_>>().join(" "), read, "{body}");
        assert_eq!(rego.reads("a"), read.contains('a'), "{body}");
    }
    let rego = compile("package mesh\nimport input.a as thing\ndeny if thing");
    assert!(rego.is_err() || rego.is_ok_and(|rego| rego.reads("a")), "an import reads it");
}

fn verdict(deny: &[&str], warn: &[&str]) -> Verdict {
    let strings = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    Verdict { deny: strings(deny), warn: strings(warn) }
}

#[test]
fn an_opinion_is_a_set_a_boolean_or_a_message() {
    let input = json!({"tokens": 5000, "model": "gpt-4", "names": ["a", "b"]});
    for (body, deny, warn) in [
        // Sets of strings and of objects.
        (r#"deny contains "too long" if input.tokens > 4000"#, &["too long"][..], &[][..]),
        (r#"deny contains "too long" if input.tokens > 9000"#, &[], &[]),
        (r#"deny contains {"message": "m", "code": 1} if input.tokens > 1"#, &["m"], &[]),
        (
            r#"warn contains sprintf("%s was named", [n]) if some n in input.names"#,
            &[],
            &["a was named", "b was named"],
        ),
        (
            r#"deny contains "d" if true
            warn contains "w" if true"#,
            &["d"],
            &["w"],
        ),
        // Arrays and single messages.
        (r#"deny := ["x", "y"]"#, &["x", "y"], &[]),
        (r#"deny := "one" if input.model == "gpt-4""#, &["one"], &[]),
        (r#"deny := {"message": "one"}"#, &["one"], &[]),
        // Booleans.
        ("deny if input.tokens > 1", &["the policy's `deny` rule applies"], &[]),
        ("deny if input.tokens > 9000", &[], &[]),
        ("default deny := false\ndeny if input.tokens > 9000", &[], &[]),
        ("warn if input.tokens > 1", &[], &["the policy's `warn` rule applies"]),
        // Allow: undefined and false deny alike.
        ("allow if input.tokens < 9000", &[], &[]),
        ("allow if input.tokens > 9000", &["the policy does not allow this request"], &[]),
        ("default allow := false", &["the policy does not allow this request"], &[]),
        ("allow := \"yes\"", &["the policy does not allow this request"], &[]),
        // An absent field is undefined, and so is the rule.
        (r#"deny contains "x" if input.absent.field > 1"#, &[], &[]),
        (r#"deny contains "x" if not input.absent.field"#, &["x"], &[]),
        // Helpers, functions, comprehensions, else, every, with.
        ("heavy if input.tokens > limit\nlimit := 4000\ndeny contains \"h\" if heavy", &["h"], &[]),
        ("deny contains \"f\" if over(input.tokens)\nover(n) if n > 10", &["f"], &[]),
        ("deny contains \"c\" if count([n | some n in input.names; n != \"a\"]) == 1", &["c"], &[]),
        ("deny contains \"e\" if every n in input.names { n != \"z\" }", &["e"], &[]),
        ("deny contains \"w\" if big with input.tokens as 1\nbig if input.tokens > 4000", &[], &[]),
        ("grade := \"low\" if input.tokens < 10 else := \"high\"\ndeny contains grade", &["high"], &[]),
        // The same name may be a rule here and a variable there.
        ("user := input.model\nname(x) := user if { user := x }\ndeny contains name(user)", &["gpt-4"], &[]),
        // A print goes nowhere.
        ("deny contains \"p\" if { print(input.model); true }", &["p"], &[]),
        (r#"deny contains "g" if ai_mesh.glob("gpt-*", input.model)"#, &["g"], &[]),
        (r#"deny contains "r" if regex.match("^gpt-[0-9]$", input.model)"#, &["r"], &[]),
        (
            r#"deny contains "r" if data.mesh.other == 1
            other := 1"#,
            &["r"],
            &[],
        ),
    ] {
        let source = format!("package mesh\n{body}\n");
        assert_eq!(decide(&source, &input), Ok(verdict(deny, warn)), "{source}");
    }
}

/// What goes wrong in an evaluation is an error: never an opinion, and never one that quotes the request.
#[test]
fn evaluation_fails_closed() {
    let secret = "s3cr3t-value";
    let input = json!({"zero": 0, "text": secret, "list": [1, 2, 3], "format": "%٣d"});
    for (body, message) in [
        ("deny if 1 / input.zero > 1", "division by zero"),
        ("deny if 1 % input.zero > 1", "division by zero"),
        ("deny if to_number(input.text) > 1", "the evaluation failed"),
        ("deny if count(input.zero) > 1", "the evaluation failed"),
        ("deny if regex.match(concat(\"\", [\"(\", input.text]), \"x\")", "regular expression"),
        ("deny := x if some x in input.list", "several different values"),
        ("f(x) := y if some y in input.list\ndeny if f(1) == 1", "several different values"),
        ("deny := 5", "`deny` has to be a boolean, or a set of strings"),
        ("deny contains 5", "`deny` has to be a boolean, or a set of strings"),
        ("warn contains {\"text\": input.text}", "`warn` has to be"),
        ("deny if sprintf(input.format, [1]) == \"x\"", "would be too large"),
        ("deny if sprintf(\"%99999d\", [1]) == \"x\"", "would be too large"),
        ("deny if count(numbers.range(0, 1000000000000)) > 1", "would be too large"),
        ("deny if count(numbers.range(0, 9223372036854775807)) > 1", "would be too large"),
        ("deny if count(net.cidr_expand(\"0.0.0.0/0\")) > 1", "would be too large"),
        ("deny if bits.lsh(1, 4000000000) > 1", "would be too large"),
        ("deny if json.unmarshal(input.text)", "the evaluation failed"),
    ] {
        let error = decide(&format!("package mesh\n{body}"), &input).expect_err(body);
        assert!(error.message.contains(message), "{body}: {error}");
        assert!(!error.to_string().contains(secret), "{body}: {error}");
    }
}

#[test]
fn a_runaway_evaluation_runs_out_of_budget_and_the_next_one_is_fine() {
    let list: Vec<u32> = (0..200).collect();
    let input = json!({"list": list});
    for body in [
        "deny if count([1 | some a in input.list; some b in input.list; some c in input.list; some d in input.list]) > 1",
        "deny if count({[a, b, c] | some a in input.list; some b in input.list; some c in input.list}) > 1",
        "deny if every a in input.list { every b in input.list { every c in input.list { a + b + c >= 0 } } }",
        "f(x) := count([1 | some y in input.list; some z in input.list; y + z > x])\ndeny if every x in input.list { f(x) > 0 }",
        "deny if { a := numbers.range(0, 100000); some b in a; some c in a; b == c + 1; b < 0 }",
    ] {
        let rego = compile(&format!("package mesh\n{body}")).unwrap();
        let error = rego.decide(&input).expect_err(body);
        assert!(error.message.contains("more steps than a policy may take"), "{body}: {error}");
        assert!(rego.decide(&json!({"list": [1]})).is_ok() || body.contains("numbers.range"), "{body}");
    }
}

/// Strings that double with each line reach the bound, not the machine's memory.
#[test]
fn results_can_not_grow_without_bound() {
    for step in [
        "concat(\"\", [X, X, X, X])",
        "replace(X, \"a\", \"aaaaaaaa\")",
        "sprintf(\"%s%s%s%s\", [X, X, X, X])",
        "regex.replace(X, \"a\", \"aaaaaaaa\")",
        "strings.replace_n({\"a\": \"aaaaaaaa\"}, X)",
        "json.marshal([X, X, X, X])",
    ] {
        let steps: String =
            (1..20).map(|n| format!("  x{n} := {}\n", step.replace('X', &format!("x{}", n - 1)))).collect();
        let source = format!("package mesh\ndeny if {{\n  x0 := \"a\"\n{steps}  x19 == \"\"\n}}");
        let error = decide(&source, &json!({})).expect_err(step);
        assert!(error.message.contains("too large"), "{step}: {error}");
    }
}

#[test]
fn messages_are_bounded() {
    let long = "x".repeat(10_000);
    let many: Vec<u32> = (0..1000).collect();
    let source = "package mesh\ndeny contains sprintf(\"%d %s\", [n, input.long]) if some n in input.many";
    let verdict = decide(source, &json!({"long": long, "many": many})).unwrap();
    assert_eq!(verdict.deny.len(), 32);
    assert!(verdict.deny.iter().all(|message| message.chars().count() == 512));
}

#[test]
fn a_single_rule_can_be_evaluated() {
    let rego = compile("package mesh\ndeny contains \"x\" if input.a\nlimit := 4").unwrap();
    assert_eq!(rego.eval("data.mesh.limit", &json!({})), Ok(Some(json!(4))));
    assert_eq!(rego.eval("data.mesh.deny", &json!({"a": true})), Ok(Some(json!(["x"]))));
    assert!(rego.eval("data.mesh.nothing", &json!({})).is_err());
}

#[test]
fn several_modules_decide_together() {
    let modules = [
        module("package mesh\ndeny contains \"a\" if helper"),
        module("package mesh\nhelper if input.x\nwarn contains \"b\""),
    ];
    let rego = Rego::compile(&modules, &json!({})).unwrap();
    assert_eq!(rego.decide(&json!({"x": true})), Ok(verdict(&["a"], &["b"])));
}

/// The interpreter is used again and again; a decision must not depend on those before it.
#[test]
fn decisions_do_not_depend_on_the_ones_before() {
    let source = "package mesh\ndeny contains sprintf(\"%s\", [x]) if { some x in input.list; not startswith(x, input.skip) }\n\
                  warn contains x if { x := object.get(input, \"warn\", \"none\") }\nallow if count(input.list) < 3";
    let rego = compile(source).unwrap();
    let inputs = [
        json!({"list": ["a", "b"], "skip": "a"}),
        json!({"list": [], "skip": "a", "warn": "w"}),
        json!({"list": ["a", 5], "skip": "x"}),
        json!({"list": ["a", "b", "c"], "skip": ""}),
        json!({}),
        json!(null),
    ];
    for round in 0..3 {
        for input in inputs.iter().rev().chain(&inputs) {
            let fresh = compile(source).unwrap().decide(input);
            assert_eq!(rego.decide(input), fresh, "{input}, round {round}");
        }
    }
}

#[test]
fn clones_share_and_threads_may_use_them() {
    let rego = compile("package mesh\ndeny contains \"x\" if input.n % 2 == 1").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let rego = rego.clone();
            scope.spawn(move || {
                for n in 0..200 {
                    let deny = rego.decide(&json!({"n": n})).unwrap().deny;
                    assert_eq!(deny.len(), n % 2, "{n}");
                }
            });
        }
    });
}

/// Every module made of such conditions, over every such input: what the index leaves out says nothing when it is asked.
#[test]
fn rules_that_are_left_out_would_have_said_nothing() {
    let conditions = [
        "input.a",
        "not input.a",
        "input.a == 1",
        "1 == input.a.b",
        "input.a.b = \"x\"",
        "input[\"a\"].b",
        "input.a[\"b\"] == null",
        "input.a == input.b",
        "x := input.a",
        "input.a.b == \"x\" with input.a as {\"b\": \"x\"}",
        "input.b in [1, \"x\"]",
        "startswith(input.b, \"x\")",
    ];
    let values =
        [json!(null), json!(false), json!(true), json!(1), json!(1.0), json!("x"), json!({ "b": "x" })];
    let values = values.into_iter().chain([json!({ "b": null }), json!({ "b": false }), json!(["b"])]);
    let values: Vec<Value> = values.collect();
    for first in conditions {
        for second in conditions {
            for module in [
                format!("deny contains \"d\" if {{ {first}; {second} }}"),
                format!("deny contains \"d\" if {first}\ndeny contains \"e\" if {second}"),
                format!("default deny := false\ndeny if {first}\nwarn if {second}"),
                format!("deny := \"d\" if {first}\nelse := \"e\" if {second}"),
                format!("allow if {{ {first} }}\nwarn contains \"w\" if {{ {second}; {first} }}"),
            ] {
                let Ok(rego) = compile(&format!("package mesh\n{module}")) else { continue };
                for a in &values {
                    let input = json!({ "a": a, "b": "xyz" });
                    let asked = |rule: &str| match rego.eval(rule, &input) {
                        Ok(value) => Ok(value.filter(|value| *value != json!(false) && *value != json!([]))),
                        Err(_) => Err(()),
                    };
                    let [deny, warn, allow] =
                        ["deny", "warn", "allow"].map(|rule| asked(&format!("data.mesh.{rule}")));
                    let Ok(verdict) = rego.decide(&input) else { continue };
                    // What can not be evaluated says nothing about an index.
                    let allows = module.contains("allow") && allow == Ok(None);
                    if let Ok(deny) = deny {
                        assert_eq!(!verdict.deny.is_empty(), deny.is_some() || allows, "{module}\n{input}");
                    }
                    if let Ok(warn) = warn {
                        assert_eq!(!verdict.warn.is_empty(), warn.is_some(), "{module}\n{input}");
                    }
                }
            }
        }
    }
}
