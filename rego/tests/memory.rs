//! What an evaluation may make of texts, lists and numbers is bounded, whatever makes it.
use mesh_rego::{Module, Rego, RegoError, Verdict};
use serde_json::{Value, json};

fn decide(source: &str, input: &Value) -> Result<Verdict, RegoError> {
    let module = Module { name: "m.rego".into(), source: source.to_owned() };
    let rego = Rego::compile(&[module], &json!({})).unwrap_or_else(|errors| panic!("{source}\n{errors:?}"));
    let decided = rego.decide(input);
    // The next evaluation has its own allowance.
    assert_eq!(rego.decide(input), decided, "{source}");
    decided
}

/// Each of these would take gigabytes, few steps at a time.
#[test]
fn what_grows_is_stopped() {
    let doubling: String = (1..40).map(|n| format!("  x{n} := x{0} * x{0}\n", n - 1)).collect();
    let text = "x".repeat(1000);
    for body in [
        // Many texts, each within the bound of one.
        "deny if { ts := [t | some i in numbers.range(1, 20000); t := sprintf(\"%900d\", [i])]; count(ts) == 1 }".to_owned(),
        "deny if { ts := [t | some i in numbers.range(1, 20000); t := concat(\"\", [input.text, input.text])]; count(ts) == 1 }".to_owned(),
        "deny if { ts := {t | some i in numbers.range(1, 30000); t := upper(input.text)}; count(ts) == 9 }".to_owned(),
        // Lists.
        "deny if { ls := [l | some i in numbers.range(1, 3000); l := numbers.range(i, 10000)]; count(ls) == 1 }".to_owned(),
        "deny if { s := numbers.range(1, 10000); ls := [l | some i in numbers.range(1, 3000); l := array.concat(s, [i])]; count(ls) == 1 }".to_owned(),
        "deny if { o := {i: 1 | some i in numbers.range(1, 5000)}; ls := [l | some i in numbers.range(1, 3000); l := object.union(o, {i: 2})]; count(ls) == 1 }".to_owned(),
        // Sets by operators.
        "deny if { s := {y | some y in numbers.range(1, 10000)}; k := [t | some i in numbers.range(1, 3000); t := s | {i}]; count(k) == 1 }".to_owned(),
        "deny if { s := {y | some y in numbers.range(1, 10000)}; k := [t | some i in numbers.range(1, 3000); t := s & s]; count(k) == 1 }".to_owned(),
        "deny if { s := {y | some y in numbers.range(1, 10000)}; k := [t | some i in numbers.range(1, 3000); t := (s) - ({i})]; count(k) == 1 }".to_owned(),
        // Numbers.
        format!("deny if {{\n  x0 := 123456789123456789\n{doubling}  x39 == 1\n}}"),
        "deny if product([x | some i in numbers.range(1, 900); x := 123456789123456789]) == 1".to_owned(),
        "deny if product(numbers.range(1, 5000)) == 1".to_owned(),
        // Built on each other.
        "big := numbers.range(1, 20000)\ndeny if { ls := [l | some i in big; i < 300; l := array.slice(big, i, 20000)]; count(ls) == 1 }".to_owned(),
    ] {
        let error = decide(&format!("package mesh\n{body}"), &json!({"text": text})).expect_err(&body);
        let stopped = ["made more or larger values", "would be too large", "more steps", "arguments it cannot take"];
        assert!(stopped.iter().any(|why| error.message.contains(why)), "{body}: {error}");
    }
}

#[test]
fn walking_something_large_is_refused() {
    let large = json!({"x": (0..200_000).collect::<Vec<u32>>()});
    let error = decide("package mesh\ndeny if { walk(input, [_, v]); v == -1 }", &large).unwrap_err();
    assert!(error.message.contains("too large"), "{error}");
    assert!(decide("package mesh\ndeny if { walk(input, [_, v]); v == 7 }", &json!({"x": [1, [7]]})).is_ok());
}

/// A module's operators are metered by calls that are put around them: what they mean stays the same.
#[test]
fn metered_operators_mean_what_they_meant() {
    let input = json!({"a": 7, "b": 3, "list": [1, 2, 3]});
    for (condition, holds) in [
        ("input.a * input.b == 21", true),
        ("input.a - input.b * 2 == 1", true),
        ("(input.a - input.b) * 2 == 8", true),
        ("input.a - input.b - 1 == 3", true),
        ("((input.a) - (input.b)) - (input.a - input.b) == 0", true),
        ("input.a * input.b * input.a == 147", true),
        ("({1, 2} | {3}) - {1} == {2, 3}", true),
        ("s := {1, 2} | {3} | {4}; s == {1, 2, 3, 4}", true),
        ("s := {1, 2, 3} & ({2} | {3}); s == {2, 3}", true),
        ("({1, 2} | {3}) & {3} == {3}", true),
        ("count({x | some x in input.list} - {y | some y in [1]}) == 2", true),
        ("s := {(x * y) | some x in input.list; some y in input.list}; s == {1, 2, 3, 4, 6, 9}", true),
        ("s := {input.a * input.b}; s == {21}", true),
        ("[input.a * input.b, input.a-input.b] == [21, 4]", true),
        ("2 in ({1} | {2})", true),
        ("some x in {1, 2} - {1}; x == 2", true),
        ("every x in {1} | {2} { x * x < 5 }", true),
        ("not input.a * input.b == 22", true),
        ("input.missing * 2 == 2", false),
        ("input.missing - input.a == 2", false),
        ("f(input.a) - f(input.b) == 40", true),
        ("input.a * input.b == 21 with input.a as 7", true),
        ("s := {\"k\": input.a * input.b}; s.k == 21", true),
        ("x := input.a * # a comment\n    input.b\n  x == 21", true),
        ("input.a*-3 == -21", true),
        ("input.list[_] * input.b == 9", true),
        ("input.list[input.b - input.b] == 1", true),
    ] {
        let source = format!("package mesh\ndeny contains \"x\" if {{\n  {condition}\n}}\nf(x) := x * x");
        assert_eq!(!decide(&source, &input).unwrap().deny.is_empty(), holds, "{condition}");
    }
}

/// Calls are put into what the interpreter gets; places are told as the author wrote.
#[test]
fn places_are_the_authors() {
    let source = "package mesh\ndeny if { a := input.x * input.y; b := (input.x - input.y) * 2; sprintf(\"%99999d\", [a - b]) == \"\" }";
    let column = source.lines().nth(1).unwrap().find("(\"%999").unwrap() as u32 + 1;
    let error = decide(source, &json!({"x": 3, "y": 2})).unwrap_err();
    assert_eq!((error.line, error.column), (Some(2), Some(column)), "{error}");
}
