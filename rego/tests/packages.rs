//! Several modules in several packages, and data documents beside them.
use mesh_rego::{Module, Rego, RegoError, Verdict};
use serde_json::{Value, json};

fn compile(sources: &[&str], data: &Value) -> Result<Rego, Vec<RegoError>> {
    let modules: Vec<Module> = sources
        .iter()
        .enumerate()
        .map(|(index, source)| Module { name: format!("{index}.rego"), source: (*source).to_owned() })
        .collect();
    Rego::compile(&modules, data)
}

fn deny(sources: &[&str], data: &Value, input: &Value) -> Vec<String> {
    let rego = compile(sources, data).unwrap_or_else(|errors| panic!("{sources:?}\n{errors:?}"));
    rego.decide(input).unwrap().deny
}

/// Each row: the rules of `package mesh` after their imports, and whether they refuse `{"amount": 11}`.
#[test]
fn modules_import_each_other() {
    let library = "package lib.money\nimport data.lists\n\nlarge(x) if x > lists.most\n\nnames contains \"eur\"\n\nunit := \"eur\"";
    let other = "package lib.words\n\nshout(x) := upper(x)";
    let data = json!({"lists": {"most": 10}, "lib": {"facts": {"old": true}}});
    for (rules, refused) in [
        ("import data.lib.money\ndeny contains \"x\" if money.large(input.amount)", true),
        ("import data.lib.money as m\ndeny contains \"x\" if m.large(input.amount)", true),
        ("import data.lib\ndeny contains \"x\" if lib.money.large(input.amount)", true),
        ("deny contains \"x\" if data.lib.money.large(input.amount)", true),
        ("import data.lib.money.large\ndeny contains \"x\" if large(input.amount)", true),
        ("import data.lib.money\ndeny contains \"x\" if money.large(1)", false),
        ("import data.lib.money\ndeny contains \"x\" if \"eur\" in money.names", true),
        ("import data.lib.money.unit\ndeny contains \"x\" if unit == \"eur\"", true),
        ("import data.lib\ndeny contains \"x\" if { some name; lib[name].unit == \"eur\" }", true),
        ("import data.lib.facts\ndeny contains \"x\" if facts.old", true),
        ("import input.amount\ndeny contains \"x\" if amount == 11", true),
        ("import data.lib.words\ndeny contains words.shout(\"x\")", true),
        ("import data.lib.money\ndeny contains \"x\" if money.large(1) with data.lists.most as 0", true),
    ] {
        let module = format!("package mesh\n{rules}");
        let found = deny(&[&module, library, other], &data, &json!({"amount": 11}));
        assert_eq!(!found.is_empty(), refused, "{rules}");
    }
}

#[test]
fn what_is_read_through_imports_is_known() {
    let library = "package lib\nold if input.age > 3";
    for (rules, read) in [
        ("import data.lib\ndeny if lib.old", "age"),
        ("import input.user\ndeny if user.name == \"x\"", "user"),
        ("import input as request\ndeny if request.model == \"x\"", "age,model"),
        ("import input as request\ndeny if count(request) > 1", "age,model,user"),
    ] {
        let rego = compile(&[&format!("package mesh\n{rules}"), library], &json!({})).unwrap();
        let found: Vec<&str> =
            ["age", "model", "user"].into_iter().filter(|field| rego.reads(field)).collect();
        // The library is compiled too: what it reads counts whether it is used or not.
        for field in read.split(',') {
            assert!(found.contains(&field), "{rules}: {found:?}");
        }
        assert!(
            read.matches(',').count() < 2 && found.len() < 3 || read.matches(',').count() == 2,
            "{rules}: {found:?}"
        );
    }
}

/// Each row: two modules, and the place and a part of what is said.
#[test]
fn mistakes_across_modules_are_found() {
    for (main, other, module, said) in [
        (
            "package mesh\nimport data.lib\ndeny if lib.missing(1)",
            "package lib\nx := 1",
            "0.rego",
            "`lib.missing` is not a function",
        ),
        (
            "package mesh\nimport data.lib\ndeny if lib.f(1)",
            "package lib\nf(x) := crypto.md5(x)",
            "1.rego",
            "`crypto.md5` is not available",
        ),
        (
            "package mesh\nimport data.lib\ndeny if lib.x",
            "package lib\nx if data.mesh.deny",
            "1.rego",
            "depends on itself",
        ),
        ("package mesh\ndeny if data[input.x]", "package lib\nx := 1", "0.rego", "`deny` depends on itself"),
        (
            "package mesh\nhelper := 1",
            "package lib\ndeny := true",
            "0.rego",
            "`package mesh` defines none of",
        ),
        ("package one\ndeny := true", "package two\ndeny := true", "0.rego", "has to be `package mesh`"),
        ("package mesh\ndeny if true", "package lib\nx if {", "1.rego", ""),
    ] {
        let errors = compile(&[main, other], &json!({})).map(drop).unwrap_err();
        let found = &errors[0];
        assert_eq!(found.module, module, "{main}\n{found}");
        assert!(found.message.contains(said) && found.line.is_some(), "{main}\n{found}");
    }
    let many: Vec<String> = (0..65).map(|n| format!("package lib{n}\nx := 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(compile(&many, &json!({})).map(drop).unwrap_err()[0].message.contains("at most 64"));
}

#[test]
fn another_package_may_decide() {
    let module = Module { name: "a.rego".into(), source: "package company.agents\nallow if input.ok".into() };
    let rego = Rego::compile_package(&[module], &json!({}), "company.agents").unwrap();
    assert_eq!(rego.decide(&json!({"ok": true})), Ok(Verdict::default()));
    assert_eq!(rego.decide(&json!({})).unwrap().deny, ["the policy does not allow this request"]);
}
