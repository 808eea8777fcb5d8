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
    compile(source).unwrap_or_else(|errors| panic!("{source}\n{errors:?}")).decide(input)
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
