//! OPA's bundles, as policies.
use mesh_policy::{OpaBundle, Rule, from_opa_bundle};
use serde_json::{Value, json};

fn read(files: &[(&str, &str)]) -> Result<OpaBundle, String> {
    let files: Vec<_> =
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    from_opa_bundle("bundle", &files).map_err(|said| {
        let lines: Vec<String> = said.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })
}

const MODULE: (&str, &str) = ("mesh/policy.rego", "package mesh\n\ndeny contains \"no\" if data.lib.x\n");

#[test]
fn a_bundle_is_one_policy() {
    let manifest = json!({
        "revision": "r7", "roots": ["mesh", "lib", "lists"], "rego_version": 1,
        "metadata": { "ai-mesh": { "name": "from-opa", "package": "mesh", "enforcement": "logging",
                                   "target": { "agents": ["a-*"] } } },
    });
    let bundle = read(&[
        (".manifest", &manifest.to_string()),
        MODULE,
        ("mesh/policy_test.rego", "package mesh_test\ntest_a if true\n"),
        ("lib/helpers.rego", "# Helpers.\npackage lib\n\nx := 1\n"),
        ("lists/data.json", r#"{"most": 3, "deep": {"a": 1}}"#),
        ("lists/deep/data.yaml", "b: [1, two]\n"),
        ("README.md", "no"),
    ])
    .unwrap();
    assert_eq!(bundle.policy.metadata.name, "from-opa");
    assert_eq!(bundle.policy.metadata.labels["opa-revision"], "r7");
    assert_eq!(bundle.policy.spec.target.agents, ["a-*"]);
    let [Rule::Rego(rule)] = &bundle.policy.spec.rules[..] else { panic!("{:?}", bundle.policy) };
    assert_eq!(rule.modules.keys().collect::<Vec<_>>(), ["lib/helpers.rego", "mesh/policy.rego"]);
    assert_eq!(
        Value::Object(rule.data.clone()),
        json!({"lists": {"most": 3, "deep": {"a": 1, "b": [1, "two"]}}})
    );
    assert_eq!(bundle.tests.keys().collect::<Vec<_>>(), ["mesh/policy_test.rego"]);
    assert_eq!(bundle.warnings, []);
}

/// Each row: files beside a good module, and what is said.
#[test]
fn what_is_wrong_is_said_with_its_file() {
    let long = "x".repeat(1 << 20);
    for (files, said) in [
        (vec![("../evil.rego", "package mesh")], "leads out of the bundle"),
        (vec![("/etc/evil.rego", "package mesh")], "leads out of the bundle"),
        (vec![("a/./evil.rego", "package mesh")], "leads out of the bundle"),
        (vec![("a\\..\\evil.rego", "package mesh")], "leads out of the bundle"),
        (vec![("C:/evil.rego", "package mesh")], "leads out of the bundle"),
        (vec![("big/data.json", long.as_str())], "expected at most"),
        (vec![("data.json", "{")], "data.json: no JSON"),
        (vec![("data.json", "[1]")], "expected an object"),
        (vec![("a/data.yaml", "a: [")], "a/data.yaml"),
        (vec![("data.json", r#"{"a": {"b": 1}}"#), ("a/data.json", r#"{"b": 2}"#)], "`data.a.b` has a value"),
        (vec![(".manifest", "{")], ".manifest: no JSON"),
        (vec![("sub/.manifest", "{}")], "a manifest stands at the top"),
        (vec![(".manifest", r#"{"roots": "mesh"}"#)], "a list of paths"),
        (vec![(".manifest", r#"{"roots": ["lib"]}"#)], "`package mesh` lies outside"),
        (vec![(".manifest", r#"{"roots": ["mesh", "mesh/a"]}"#)], "lies within another"),
        (
            vec![(".manifest", r#"{"roots": ["mesh"]}"#), ("x/data.json", r#"{"a": 1}"#)],
            "`data.x.a` lies outside",
        ),
        (vec![(".manifest", r#"{"rego_version": 0}"#)], "expected 1"),
        (
            vec![(".manifest", r#"{"metadata": {"ai-mesh": {"enforcment": "logging"}}}"#)],
            "did you mean `enforcement`?",
        ),
    ] {
        let all: Vec<_> = [MODULE].into_iter().chain(files).collect();
        let found = read(&all).unwrap_err();
        assert!(found.contains(said), "{said}: {found}");
    }
    assert!(read(&[("data.json", "{}")]).unwrap_err().contains("no .rego file"));
}
