//! Authors' own tests, run as `opa test` runs them.
use mesh_rego::{Module, run_tests};
use serde_json::{Value, json};

fn module(name: &str, source: &str) -> Module {
    Module { name: name.into(), source: source.into() }
}

const POLICY: &str = r#"package mesh
deny contains "too much" if input.amount > data.limits.most
"#;

/// Each row: a test's body, and what is said of it when it fails.
#[test]
fn tests_pass_or_say_why_not() {
    for (body, failure) in [
        (r#"test_a if count(mesh.deny) == 1 with input as {"amount": 11}"#, None),
        (r#"test_a if count(mesh.deny) == 0 with input as {"amount": 10}"#, None),
        (r#"test_a if mesh.deny["too much"] with input as {"amount": 2} with data.limits.most as 1"#, None),
        (r#"test_a if count(mesh.deny) == 1 with input as {"amount": 10}"#, Some("it is undefined")),
        ("test_a := 1", Some("it is not `true`")),
        (
            "test_a if { xs := numbers.range(0, 9999); some x in xs; some y in xs; x + y < 0 }",
            Some("the evaluation took more steps"),
        ),
    ] {
        let test = module("limits_test.rego", &format!("package mesh_test\nimport data.mesh\n{body}\n"));
        let runs = run_tests(&[module("limits.rego", POLICY)], &json!({"limits": {"most": 10}}), &[test]);
        let runs = runs.unwrap_or_else(|errors| panic!("{body}: {errors:?}")).runs;
        assert_eq!(runs.len(), 1, "{body}");
        match (&runs[0].failure, failure) {
            (None, None) => {}
            (Some(found), Some(expected)) => assert!(found.contains(expected), "{body}: {found}"),
            (found, _) => panic!("{body}: {found:?}"),
        }
    }
}

/// Tests that stand in the policy's own package replace its rules by their short names, wherever those are defined.
#[test]
fn rules_are_replaced_by_their_short_names() {
    let policy = module(
        "p.rego",
        "package mesh\nadmin if input.agent.id == \"root\"\nlimit := 10\ndeny contains \"no\" if not admin\ndeny contains \"many\" if input.size > limit\n",
    );
    let source = "package mesh\nimport data.other.admin as elsewhere\n\
        test_a if count(deny) == 0 with admin as true with input.size as 1\n\
        test_b if deny == {\"many\"} with admin as true with limit as 0 with input.size as 1\n\
        test_c if elsewhere == 1 with elsewhere as 1\n\
        test_d if count(deny) == 0 with nobody as true\n";
    let runs = run_tests(&[policy], &json!({}), &[module("t.rego", source)]).unwrap().runs;
    let failed: Vec<&str> =
        runs.iter().filter(|run| run.failure.is_some()).map(|run| run.name.as_str()).collect();
    assert_eq!(failed, ["test_d"], "{runs:?}");
}

#[test]
fn only_tests_are_run_and_each_once() {
    let source = "package mesh_test\nhelper if true\ntest_b if false\ntest_b if true\ntest_a if helper\n";
    let runs = run_tests(
        &[module("p.rego", POLICY)],
        &Value::Object(Default::default()),
        &[module("t.rego", source)],
    );
    let runs: Vec<_> = runs.unwrap().runs.into_iter().map(|run| (run.name, run.failure)).collect();
    assert_eq!(runs, [("test_b".to_owned(), None), ("test_a".to_owned(), None)]);
}

#[test]
fn what_can_not_be_read_is_told_with_its_place() {
    let errors =
        run_tests(&[module("p.rego", POLICY)], &json!({}), &[module("t.rego", "package x\ntest_a if {\n")]);
    let error = &errors.unwrap_err()[0];
    assert_eq!(error.module, "t.rego");
    assert!(error.line.is_some(), "{error}");
}

#[test]
fn lines_that_no_test_evaluates_are_told() {
    let policy = "package mesh\n\ndeny contains \"large\" if {\n  input.amount > 10\n}\n\ndeny contains \"old\" if {\n                    input.age > 3\n  input.amount * input.age > 1\n}\n";
    let test = "package mesh_test\nimport data.mesh\ntest_a if mesh.deny[\"large\"] with input as {\"amount\": 11, \"age\": 1}\n";
    let tested = run_tests(&[module("p.rego", policy)], &json!({}), &[module("t.rego", test)]).unwrap();
    assert_eq!(tested.runs[0].failure, None);
    let [coverage] = &tested.coverage[..] else { panic!("{:?}", tested.coverage) };
    assert_eq!((coverage.module.as_str(), &coverage.missed[..]), ("p.rego", &[7, 9][..]));
    assert!(coverage.covered.contains(&4) && coverage.covered.contains(&8), "{coverage:?}");
}
