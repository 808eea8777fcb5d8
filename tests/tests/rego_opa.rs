//! The same policies through OPA itself, over generated inputs: the same values. What is known to differ is data, with its
//! reason: `corpus/rego/known.json`.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mesh_rego::{Module, Rego};
use mesh_tests::ask_python;
use serde_json::{Value, json};

/// Inputs for each policy.
const INPUTS: usize = 300;

/// Policies in the corpus, at least.
const POLICIES: usize = 56;

const RULES: [&str; 4] = ["deny", "warn", "allow", "out"];

/// Where the two may differ, and why.
#[derive(serde::Deserialize)]
struct Known {
    policy: String,
    rule: String,
    /// A key of `out`; all of the rule where none is named.
    key: Option<String>,
    reason: String,
}

/// A generator that gives the same inputs each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.roll(from.len())]
    }

    fn text(&mut self) -> String {
        let words = [
            "a", "b", "ab", "ba", " ", ".", "c", "a.b.c", "é", "😀", "Zz", "password", "x.com", "0", "",
            "\"", "\\",
        ];
        (0..self.roll(6)).map(|_| self.pick(&words)).collect()
    }

    fn whole(&mut self) -> i64 {
        i64::try_from(self.roll(41)).expect("small") - 12
    }

    fn list<T>(&mut self, most: usize, make: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.roll(most + 1)).map(|_| make(self)).collect()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.roll(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.roll(2) == 0),
            2 | 3 => json!(self.whole()),
            4 => json!(self.roll(1000) as f64 / 8.0),
            5 => json!(self.text()),
            6 => Value::Array(self.list(3, |dice| dice.value(depth - 1))),
            _ => {
                Value::Object(self.list(3, |dice| (dice.text(), dice.value(depth - 1))).into_iter().collect())
            }
        }
    }

    fn input(&mut self) -> Value {
        let stamp = 1_577_836_800 + i64::try_from(self.roll(220_000_000)).expect("31 bits");
        let time = jiff::Timestamp::from_second(stamp).expect("in range");
        let user = (self.roll(3) > 0).then(|| self.pick(&["ada", "bob"]));
        json!({
            "agent": self.pick(&["support-1", "batch", "crawler"]),
            "user": user,
            "roles": self.list(3, |dice| dice.pick(&["user", "admin", "guest"])),
            "source": { "ip": self.pick(&["10.1.2.3", "192.0.2.7", "192.168.7.7", "fd00::1", "2001:db8::1"]) },
            "time": { "ns": stamp * 1_000_000_000, "rfc3339": time.to_string() },
            "request": { "method": self.pick(&["POST", "GET"]), "path": "/v1/chat/completions",
                         "model": self.pick(&["gpt-4o", "gpt-4o-mini", "claude-3"]), "stream": self.roll(2) == 0 },
            "messages": self.list(3, |dice| json!({ "role": dice.pick(&["user", "system"]), "text": dice.text() })),
            "tools": self.list(4, |dice| dice.pick(&["search", "calendar", "mail", "transfer"])),
            "tool_calls": self.list(4, |dice| json!({ "name": dice.pick(&["transfer", "search"]),
                                                       "arguments": { "amount": dice.roll(200) } })),
            "findings": self.list(3, |dice| json!({ "type": dice.pick(&["US_SSN", "EMAIL_ADDRESS"]),
                                                    "count": dice.roll(3), "score": dice.roll(9) as f64 / 8.0 })),
            "list": self.list(7, Self::whole), "pairs": self.list(3, Self::whole),
            "n": self.whole(), "f": self.roll(999) as f64 / 16.0, "s": self.text(), "x": self.value(2),
            "letter": self.pick(&["a", "b", "e", "z"]),
        })
    }
}

fn corpus() -> BTreeMap<String, BTreeMap<String, String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/rego");
    let text = |path: &Path| std::fs::read_to_string(path).expect("a module of the corpus");
    let library = text(&folder.join("lib/words.rego"));
    let files = std::fs::read_dir(&folder).expect("the corpus").flatten().map(|entry| entry.path());
    files
        .filter(|path| path.extension().is_some_and(|end| end == "rego"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let modules =
                [(format!("{name}.rego"), text(&path)), ("lib/words.rego".to_owned(), library.clone())];
            (name, modules.into())
        })
        .collect()
}

/// What OPA says: for each policy and input, each rule's value, or why it has none.
fn opa(policies: &BTreeMap<String, BTreeMap<String, String>>, data: &Value, inputs: &[Value]) -> Value {
    let policies: Vec<Value> =
        policies.iter().map(|(name, modules)| json!({ "name": name, "modules": modules })).collect();
    let asked = json!({ "policies": policies, "data": data, "inputs": inputs });
    ask_python("opa_decide.py", asked)
}

/// Sets have no order, and numbers several spellings.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (None, Some(float)) if float.fract() == 0.0 && float.abs() < 9e15 => json!(float as i64),
            _ => value.clone(),
        },
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        other => other.clone(),
    }
}

fn as_set(value: &Value) -> Option<BTreeSet<String>> {
    value.as_array().map(|items| items.iter().map(|item| plain(item).to_string()).collect())
}

/// Alike, whichever order sets are told in; what is a list in one is compared in order where the other agrees on its length.
fn alike(ours: &Value, theirs: &Value) -> bool {
    let (ours, theirs) = (plain(ours), plain(theirs));
    match (&ours, &theirs) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| alike(value, other)))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).all(|(one, other)| alike(one, other)) || as_set(&ours) == as_set(&theirs)
        }
        _ => ours == theirs,
    }
}

#[test]
fn opa_says_the_same() {
    let policies = corpus();
    assert!(policies.len() >= POLICIES, "only {} policies", policies.len());
    let known: Vec<Known> =
        serde_json::from_str(include_str!("../corpus/rego/known.json")).expect("the known differences");
    assert!(known.iter().all(|known| known.reason.len() > 20), "each has its reason");
    let mut met: BTreeSet<usize> = BTreeSet::new();
    let mut is_known = |policy: &str, rule: &str, key: Option<&str>| {
        let found = known.iter().position(|known| {
            known.policy == policy
                && known.rule == rule
                && (known.key.is_none() || known.key.as_deref() == key)
        });
        met.extend(found);
        found.is_some()
    };
    let data = json!({
        "limits": { "most": 3 },
        "tiers": { "gold": ["support-1"], "basic": ["batch"] },
        "budgets": { "gold": { "calls": 4, "models": ["gpt-4o"] }, "basic": { "calls": 1 } },
        "teams": {
            "red": { "members": ["ada"], "lead": "ada", "quota": { "calls": 5 } },
            "blue": { "members": ["bob", "eve"], "lead": "eve", "quota": { "calls": 2 } },
        },
    });
    let mut dice = Dice(20_261_126);
    let inputs: Vec<Value> = (0..INPUTS).map(|_| dice.input()).collect();
    let theirs = opa(&policies, &data, &inputs);
    let (mut compared, mut defined) = (0, 0);
    let mut differences = Vec::new();
    for (name, modules) in &policies {
        let modules: Vec<Module> = modules
            .iter()
            .map(|(name, source)| Module { name: name.clone(), source: source.clone() })
            .collect();
        let file = format!("{name}.rego");
        let has = |rule: &str| {
            let begins = [format!("{rule} "), format!("{rule}["), format!("default {rule} ")];
            let own = modules.iter().filter(|module| module.name == file);
            let mut lines = own.flat_map(|module| module.source.lines());
            lines.any(|line| line == rule || begins.iter().any(|begin| line.starts_with(begin)))
        };
        let there: Vec<&str> = RULES.into_iter().filter(|rule| has(rule)).collect();
        let mut modules = modules;
        let mut helper = "package mesh\n".to_owned();
        if there.contains(&"out") {
            // A rule of several heads has no path of its own.
            helper += "whole_out := out\n";
        }
        if there == ["out"] {
            // What only computes values decides nothing, which a policy has to.
            helper += "deny if false\n";
        }
        modules.push(Module { name: "helper.rego".into(), source: helper });
        let rego = Rego::compile(&modules, &data).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        for (index, input) in inputs.iter().enumerate() {
            for rule in there.iter().copied() {
                let path = if rule == "out" { "whole_out" } else { rule };
                let ours = rego.eval(&format!("data.mesh.{path}"), input);
                let theirs = &theirs[name][index][rule];
                compared += 1;
                let differs = |key: Option<&str>, ours: &str, theirs: &str| {
                    format!(
                        "{name}.{rule} {}: input {index}\n  ours  {ours}\n  OPA's {theirs}",
                        key.unwrap_or_default()
                    )
                };
                // `out` without an entry is undefined on one side and empty on the other, by how it is asked for.
                let empty = |value: &Value| rule != "out" || *value != json!({});
                let value = match ours {
                    Err(error) => {
                        if theirs.get("error").is_none() && !is_known(name, rule, None) {
                            differences.push(differs(None, &error.to_string(), &theirs.to_string()));
                        }
                        continue;
                    }
                    Ok(value) => value.filter(empty),
                };
                if let Some(error) = theirs.get("error") {
                    if !is_known(name, rule, None) {
                        differences.push(differs(None, &format!("{value:?}"), &error.to_string()));
                    }
                    continue;
                }
                defined += usize::from(value.is_some());
                let theirs = theirs.get("value").filter(|value| empty(value));
                match (&value, theirs) {
                    (Some(Value::Object(a)), Some(Value::Object(b))) if rule == "out" => {
                        let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                        for key in keys {
                            let same = match (a.get(key), b.get(key)) {
                                (Some(one), Some(other)) => alike(one, other),
                                _ => false,
                            };
                            if !same && !is_known(name, rule, Some(key)) {
                                let told = |value: Option<&Value>| {
                                    value.map_or("undefined".into(), Value::to_string)
                                };
                                differences.push(differs(Some(key), &told(a.get(key)), &told(b.get(key))));
                            }
                        }
                    }
                    (Some(ours), Some(theirs)) if alike(ours, theirs) => {}
                    (None, None) => {}
                    _ if is_known(name, rule, None) => {}
                    _ => differences.push(differs(None, &format!("{value:?}"), &format!("{theirs:?}"))),
                }
            }
        }
    }
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for difference in &differences {
        let head = difference.split(": input").next().unwrap_or_default().to_owned();
        shown.entry(head).or_insert_with(|| difference.clone());
    }
    let shown: Vec<String> = shown.into_values().collect();
    assert!(differences.is_empty(), "{} differences, such as\n{}", differences.len(), shown.join("\n"));
    assert!(compared > 10_000 && defined > 5_000, "{compared} compared, {defined} of them defined");
    let gone: Vec<&str> = known
        .iter()
        .enumerate()
        .filter(|(at, _)| !met.contains(at))
        .map(|(_, known)| known.policy.as_str())
        .collect();
    assert!(gone.is_empty(), "these known differences are gone: {gone:?}");
}
