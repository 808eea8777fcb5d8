//! Modules that do not compile, and what authors are told.
use mesh_rego::{Module, Rego, RegoError};
use serde_json::{Value, json};

fn errors(source: &str) -> Vec<RegoError> {
    let module = Module { name: "checks.rego".into(), source: source.into() };
    match Rego::compile(&[module], &json!({})) {
        Ok(_) => Vec::new(),
        Err(errors) => errors,
    }
}

/// Each row: the rules, the place, and a part of the message.
#[test]
fn mistakes_are_named_with_line_and_column() {
    for (source, place, message) in [
        // Syntax.
        ("package mesh\ndeny contains \"x\" if {\n  input.x ==\n}", (4, 1), "expect"),
        ("package mesh\ndeny contains \"x\" if { input.x = \"a }", (2, 34), ""),
        ("package mesh\ndeny[x] {\n  x := 1\n}", (2, 9), ""),
        ("deny contains 1", (1, 1), "package"),
        ("", (1, 1), ""),
        // Package and entry points.
        (
            "package other\ndeny := true",
            (1, 9),
            "`package other`; the module that decides has to be `package mesh`",
        ),
        ("package mesh.sub\ndeny := true", (1, 9), "`package mesh.sub`"),
        ("package mesh\nhelper := 1", (1, 9), "defines none of `deny`, `warn` and `allow`"),
        ("package mesh\nDeny := true", (1, 9), "defines none of"),
        // Functions.
        (
            "package mesh\ndeny if {\n  cuont(input.x) > 1\n}",
            (3, 3),
            "`cuont` is not a function here; did you mean `count`?",
        ),
        (
            "package mesh\ndeny if io.jwt.decode(input.x)",
            (2, 9),
            "`io.jwt.decode` is not available: the sidecar",
        ),
        ("package mesh\ndeny if crypto.sha256(input.x) == \"\"", (2, 9), "`crypto.sha256` is not available"),
        (
            "package mesh\ndeny if net.cidr_merge([]) == {}",
            (2, 9),
            "`net.cidr_merge` is not available: list the networks themselves",
        ),
        ("package mesh\ndeny if http.send({}).x", (2, 9), "a policy cannot call out"),
        (
            "package mesh\ndeny if time.now_ns() > 1",
            (2, 9),
            "a policy sees no clock; use the time in its input",
        ),
        ("package mesh\ndeny if rand.intn(\"x\", 2) == 1", (2, 9), "decide the same way each time"),
        ("package mesh\ndeny if helper(1)\nhelpr(x) if x", (2, 9), "did you mean `helpr`?"),
        (
            "package mesh\ndeny contains x if some x in [sprnitf(\"%s\", [y]) | some y in input.z]",
            (2, 31),
            "`sprintf`",
        ),
        // Names.
        ("package mesh\ndeny if nobody == 1", (2, 9), "nobody"),
        (
            "package mesh\ndeny if { x := 1; x := 2 }",
            (2, 11),
            "var `x` used before definition below. (checks.rego:2:19)",
        ),
        // Recursion.
        ("package mesh\ndeny if f(1)\nf(x) := f(x)", (3, 1), "`f` depends on itself"),
        ("package mesh\ndeny if f(1)\nf(x) := g(x)\ng(x) := y if y := f(x)", (3, 1), "`f` depends on itself"),
        (
            "package mesh\ndeny if f(1)\nf(x) := data.mesh.g(x)\ng(x) := data.mesh.f(x)",
            (3, 1),
            "depends on itself",
        ),
        ("package mesh\ndeny if deny", (2, 1), "`deny` depends on itself"),
        ("package mesh\nallow if not deny\ndeny if not allow", (2, 1), "depends on itself"),
        ("package mesh\na := b\nb := data.mesh.a\ndeny if a", (2, 1), "`a` depends on itself"),
    ] {
        let found = errors(source);
        let Some(first) = found.first() else { panic!("compiled:\n{source}") };
        assert!(first.message.contains(message), "{source}\n{first}");
        assert_eq!((first.line, first.column), (Some(place.0), Some(place.1)), "{source}\n{first}");
        assert_eq!(first.module, "checks.rego", "{source}\n{first}");
        assert!(!first.message.contains("-->"), "{first}");
    }
}

#[test]
fn an_error_reads_as_one_line() {
    let found = errors("package mesh\ndeny if cuont(1)");
    assert_eq!(
        found[0].to_string(),
        "checks.rego:2:9: `cuont` is not a function here; did you mean `count`?"
    );
}

/// Modules that are too much for somebody's stack or patience, all refused before they could be.
#[test]
fn modules_beyond_the_bounds_are_refused() {
    let rule = |expression: &str| format!("package mesh\ndeny if {expression}\n");
    let chain = |link: &str, times: usize| rule(&format!("1{}", link.repeat(times)));
    let calls: String = (0..200).map(|n| format!("f{n}(x) := f{}(x)\n", n + 1)).collect();
    for (source, message) in [
        (rule(&"[".repeat(40)), "open brackets"),
        (rule(&format!("{}1{}", "[".repeat(30), "]".repeat(30))), "open brackets"),
        (rule(&format!("{}1{}", "{".repeat(30), "}".repeat(30))), "open brackets"),
        (rule(&format!("{}1{}", "(".repeat(30), ")".repeat(30))), "open brackets"),
        (chain("\n+ 1", 5000), "operators in one expression"),
        (chain("\n-1", 5000), "operators in one expression"),
        (chain(" +\n1", 5000), "operators in one expression"),
        (chain("\n| 1", 5000), "operators in one expression"),
        (chain("\n== 1", 5000), "operators in one expression"),
        (chain("\nin 1", 5000), "operators in one expression"),
        (rule(&format!("x{}", "[0]".repeat(200))), "operators in one expression"),
        (rule(&format!("x{}", ".a".repeat(200))), "operators in one expression"),
        (rule(&format!("{}1", "- ".repeat(400))), "operators in one expression"),
        (format!("package mesh\ndeny if f0(1)\n{calls}f200(x) := x\n"), "goes too deep"),
        (rule(&format!("\"{}\"", "x".repeat(2000))), "column width"),
        (rule("[0e31111111]"), "exponent over 308"),
        (format!("package mesh\ndeny := \"{}\"", "x\n".repeat(40_000)), "bytes"),
    ] {
        let found = errors(&source);
        let start: String = source.chars().take(60).collect();
        let Some(first) = found.first() else { panic!("compiled: {start}") };
        assert!(first.message.contains(message), "{start}: {first}");
    }
}

/// What stays within the bounds compiles: they are not in the way of ordinary modules.
#[test]
fn ordinary_modules_are_within_the_bounds() {
    let statements: String = (0..200).map(|n| format!("  input.field{n} != {n} + {n} * 2\n")).collect();
    let loops: String = (0..20).map(|n| format!("  some v{n} in input.list\n  v{n} > {n}\n")).collect();
    let calls: String = (0..20).map(|n| format!("f{n}(x) := f{}(x)\n", n + 1)).collect();
    let items: String = (0..1000).map(|n| format!("\"item-{n}\",\n")).collect();
    for source in [
        format!("package mesh\ndeny if {{\n{statements}}}"),
        format!("package mesh\ndeny if {{\n{loops}}}"),
        format!("package mesh\ndeny if f0(1)\n{calls}f20(x) := x\n"),
        format!("package mesh\nlisted := {{{items}}}\ndeny if input.x in listed\n"),
        "package mesh\nimport rego.v1\ndeny if input.x".to_owned(),
        "package mesh\n# METADATA\n# title: x\ndeny if [a, b] := [1, 2]".to_owned(),
        "package mesh\nimport input.user as who\ndeny if who.name == \"x\"".to_owned(),
        "package mesh\ndeny if walk(input, [path, value])".to_owned(),
    ] {
        let start: String = source.chars().take(80).collect();
        assert_eq!(errors(&source), [], "{start}");
    }
}

#[test]
fn data_is_an_object_and_leaves_the_rules_their_place() {
    let module = Module { name: "m.rego".into(), source: "package mesh\ndeny if data.x == 1".into() };
    for (data, fine) in [
        (json!({}), true),
        (json!({"x": 1}), true),
        (json!({"mesh": {}}), true),
        (json!({"mesh": {"lists": [1]}}), true),
        (json!({"mesh": {"deny": ["x"]}}), false),
        (json!({"mesh": 1}), false),
        (json!([]), false),
        (Value::Null, false),
    ] {
        assert_eq!(Rego::compile(std::slice::from_ref(&module), &data).is_ok(), fine, "{data}");
    }
}

/// The deepest modules that compile are evaluated on a stack like the sidecar's, each kind of depth on its own and as deep
/// as the bounds let it be. An overflow would end the test process.
#[test]
fn the_deepest_modules_fit_on_a_small_stack() {
    let functions = |body: &dyn Fn(usize) -> String, count: usize| {
        let functions: String =
            (0..count).map(|n| format!("f{n}(x) := y if {{ {} }}\n", body(n + 1))).collect();
        format!("package mesh\ndeny if f0(1) == -1\n{functions}f{count}(x) := x\n")
    };
    let sum = |n: usize| format!("y := f{n}(x){}", " + 0".repeat(60));
    let counts = |n: usize| format!("y := {}f{n}(x){}", "count([".repeat(5), "])".repeat(5));
    let every = |n: usize| format!("every a in [1] {{ every b in [1] {{ f{n}(x) > 0 }} }}; y := 1");
    let loops = |n: usize| format!("some a in [1]; some b in [1]; some c in [1]; y := f{n}(x)");
    let comprehensions = |n: usize| format!("y := sum([a | a := sum([b | b := sum([c | c := f{n}(x)])])])");
    let indices = |n: usize| format!("y := {{1: {{1: f{n}(x)}}}}[i][j]");
    let negations = |n: usize| format!("not f{n}(x) == 0; y := 1");
    let kinds: [&dyn Fn(usize) -> String; 7] =
        [&sum, &counts, &every, &loops, &comprehensions, &indices, &negations];
    for (kind, body) in kinds.iter().enumerate() {
        let deepest =
            (1..60).rev().map(|count| functions(body, count)).find(|source| errors(source).is_empty());
        let source = deepest.unwrap_or_else(|| panic!("kind {kind}: {:?}", errors(&functions(body, 1))));
        let evaluate = move || {
            let module = Module { name: "deep.rego".into(), source };
            Rego::compile(&[module], &json!({})).unwrap().decide(&json!({}))
        };
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(evaluate).unwrap();
        assert!(thread.join().unwrap().is_ok(), "kind {kind}");
    }
}
