//! The functions modules may call: which are refused, which are guarded, and ours.
use regorus::unstable::{BUILTINS, BuiltinFcn, Expr, Ref, Source, Span};
use regorus::{Engine, Value};

use self::Guard::{Fit, Size};

/// What the error of a bounded function says.
pub(crate) const TOO_LARGE: &str = "the result of a built-in function would be too large";

/// What the error of a function says that can not take its arguments.
pub(crate) const UNFIT: &str = "a built-in function got arguments it can not take";

/// Largest result of a bounded function, in bytes or elements.
const MAX_RESULT: usize = 1 << 20;

/// Glob match with `*` as any run of characters: `ai_mesh.glob("reports/*", input.resource)`.
pub(crate) const GLOB: &str = "ai_mesh.glob";

/// Functions that exist and that a policy may not call, because it would no longer depend on its input alone.
const REFUSED: &[(&str, &str)] = &[
    ("time.now_ns", "a policy sees no clock; use the time in its input"),
    ("rand.intn", "a policy has to decide the same way each time"),
    ("uuid.rfc4122", "a policy has to decide the same way each time"),
    ("opa.runtime", "a policy sees nothing but its input and data"),
    ("http.send", "a policy can not call out"),
    ("net.lookup_ip_addr", "a policy can not call out"),
];

/// Why a call of `name` is an error, if it is. `defined` are the names of the module's own functions.
pub(crate) fn refuse<'a>(name: &str, defined: impl Iterator<Item = &'a String>) -> Option<String> {
    if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return Some(format!("`{name}` is not available: {why}"));
    }
    if BUILTINS.contains_key(name) || matches!(name, GLOB | "print") {
        return None;
    }
    let offered =
        BUILTINS.keys().copied().filter(|known| REFUSED.iter().all(|(refused, _)| refused != known));
    let known = offered.chain([GLOB]).chain(defined.map(String::as_str));
    Some(match mesh_policy::nearest(name, known) {
        Some(known) => format!("`{name}` is not a function here; did you mean `{known}`?"),
        None => format!("`{name}` is not a function here"),
    })
}

/// What is asked before a function is called.
enum Guard {
    /// How large its result may become, estimated from its arguments.
    Size(fn(&[Value]) -> usize),
    /// Whether it can take its arguments. These functions panic on some.
    Fit(fn(&[Value]) -> bool),
}

/// Functions whose result can be much larger than their arguments, or that do not take all arguments.
static GUARDED: &[(&str, Guard)] = &[
    ("array.concat", Size(|args| args.iter().map(length).sum())),
    ("base64.encode", Size(|args| text(args, 0).saturating_mul(2))),
    ("base64url.encode", Size(|args| text(args, 0).saturating_mul(2))),
    ("base64url.encode_no_pad", Size(|args| text(args, 0).saturating_mul(2))),
    ("bits.lsh", Size(|args| number(args, 1).saturating_mul(64))),
    ("concat", Size(|args| joined(text(args, 0), args.get(1)))),
    ("hex.encode", Size(|args| text(args, 0).saturating_mul(2))),
    ("json.marshal", Size(|args| weight(args.first()).saturating_mul(2))),
    ("json.marshal_with_options", Size(|args| weight(args.first()).saturating_mul(32))),
    ("net.cidr_expand", Size(hosts)),
    ("numbers.range", Size(|args| number(args, 0).saturating_add(number(args, 1)))),
    ("numbers.range_step", Size(|args| number(args, 0).saturating_add(number(args, 1)))),
    ("object.subset", Fit(|args| !args.get(1).is_some_and(has_empty_array))),
    ("object.union", Size(|args| args.iter().map(length).sum())),
    ("object.union_n", Size(|args| weight(args.first()))),
    ("regex.replace", Size(|args| substituted(text(args, 0), string(args, 2)))),
    ("replace", Size(|args| replaced(text(args, 0), text(args, 1), text(args, 2)))),
    ("sprintf", Size(printed)),
    ("strings.count", Fit(|args| text(args, 1) > 0)),
    ("strings.replace_n", Size(replaced_all)),
    ("time.parse_ns", Fit(|args| string(args, 0).is_ascii() && string(args, 1).is_ascii())),
];

/// Puts its guard before each function in [`GUARDED`], and adds ours.
///
/// The interpreter looks for such an extension before its own function of the same name.
pub(crate) fn guard(engine: &mut Engine) -> anyhow::Result<()> {
    let span = Span {
        source: Source::from_contents(String::new(), String::new())?,
        line: 1,
        col: 1,
        start: 0,
        end: 0,
    };
    for (name, guard) in GUARDED {
        let Some(&builtin) = BUILTINS.get(name) else { continue };
        let span = span.clone();
        let guarded = move |args: Vec<Value>| call_guarded(builtin, guard, &span, &args);
        engine.add_extension((*name).to_owned(), builtin.1, Box::new(guarded))?;
    }
    engine.add_extension(GLOB.to_owned(), 2, Box::new(|args: Vec<Value>| Ok(glob_call(&args))))
}

fn call_guarded(builtin: BuiltinFcn, guard: &Guard, span: &Span, args: &[Value]) -> anyhow::Result<Value> {
    match guard {
        Size(estimate) if estimate(args) > MAX_RESULT => anyhow::bail!(TOO_LARGE),
        Fit(fits) if !fits(args) => anyhow::bail!(UNFIT),
        _ => call(builtin, span, args),
    }
}

/// Calls a function of the interpreter. It wants the expressions of its arguments, for their places in error messages.
fn call(builtin: BuiltinFcn, span: &Span, args: &[Value]) -> anyhow::Result<Value> {
    let nowhere = || Ref::new(Expr::Null { span: span.clone(), value: Value::Null, eidx: 0 });
    let params: Vec<Ref<Expr>> = args.iter().map(|_| nowhere()).collect();
    (builtin.0)(span, &params, args, true)
}

fn glob_call(args: &[Value]) -> Value {
    match args {
        [Value::String(pattern), Value::String(text)] => Value::from(glob(pattern, text)),
        _ => Value::Undefined,
    }
}

/// `*` matches any run of characters, the empty one and `/` included; everything else itself.
///
/// Linear for all practical patterns: on a mismatch only the last `*` gives way.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    // Without a `*` nothing may be left; with one, the last part has to end the text.
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn string(args: &[Value], index: usize) -> &str {
    match args.get(index) {
        Some(Value::String(text)) => text,
        _ => "",
    }
}

fn text(args: &[Value], index: usize) -> usize {
    string(args, index).len()
}

/// The absolute value of an integer; what does not fit is too large anyway.
fn number(args: &[Value], index: usize) -> usize {
    match args.get(index) {
        Some(Value::Number(number)) => number
            .as_i64()
            .map_or(usize::MAX, |number| usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX)),
        _ => 0,
    }
}

/// Bytes of a string, elements of a collection.
fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.len(),
        Value::Set(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 1,
    }
}

/// Roughly the length of the value as text. Stops when it is too large, since shared parts count each time they appear.
fn weight(value: Option<&Value>) -> usize {
    let mut pending: Vec<&Value> = value.into_iter().collect();
    let mut total: usize = 0;
    while let Some(value) = pending.pop() {
        if total > MAX_RESULT {
            break;
        }
        total = total.saturating_add(8);
        match value {
            Value::String(text) => total = total.saturating_add(text.len()),
            Value::Array(items) => pending.extend(items.iter()),
            Value::Set(items) => pending.extend(items.iter()),
            Value::Object(fields) => pending.extend(fields.iter().flat_map(|(key, value)| [key, value])),
            _ => {}
        }
    }
    total
}

fn has_empty_array(value: &Value) -> bool {
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        match value {
            Value::Array(items) if items.is_empty() => return true,
            // Only what is below objects is compared with the function itself.
            Value::Object(fields) => pending.extend(fields.iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    false
}

fn joined(delimiter: usize, items: Option<&Value>) -> usize {
    weight(items).saturating_add(items.map_or(0, length).saturating_mul(delimiter))
}

/// Every match may be empty, and every `$` may stand for the whole text, though not for all matches together.
fn substituted(size: usize, new: &str) -> usize {
    let dollars = new.matches('$').count();
    let matches = size.saturating_add(1).saturating_mul(new.len().saturating_add(1));
    matches.saturating_add(size.saturating_mul(dollars))
}

fn replaced_all(args: &[Value]) -> usize {
    let Some(Value::Object(patterns)) = args.first() else { return 0 };
    patterns.iter().fold(text(args, 1), |size, (old, new)| replaced(size, length(old), length(new)))
}

fn replaced(size: usize, old: usize, new: usize) -> usize {
    let times = size.checked_div(old).unwrap_or(size.saturating_add(1));
    size.saturating_add(times.saturating_mul(new))
}

/// A width of four digits or more, or in digits other than ASCII ones, counts as too large.
fn printed(args: &[Value]) -> usize {
    let format = string(args, 0);
    let mut widths: usize = 0;
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            continue;
        }
        let digits: String = chars.clone().skip_while(|c| *c == '.').take_while(|c| c.is_numeric()).collect();
        if digits.is_empty() {
            // The verb, or the second `%` of an escaped one.
            chars.next();
            continue;
        }
        match digits.parse::<usize>() {
            Ok(width) if digits.len() <= 3 => widths += width,
            _ => return usize::MAX,
        }
    }
    format.len().saturating_add(widths).saturating_add(weight(args.get(1)))
}

/// Addresses in a network.
fn hosts(args: &[Value]) -> usize {
    let network = string(args, 0);
    let (bits, prefix) = match network.rsplit_once('/') {
        Some((address, prefix)) => {
            (if address.contains(':') { 128 } else { 32_u32 }, prefix.parse().unwrap_or(0))
        }
        None => return 1,
    };
    // 64 bytes an address.
    1_usize.checked_shl(bits.saturating_sub(prefix)).map_or(usize::MAX, |hosts| hosts.saturating_mul(64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use serde_json::json;

    use super::*;

    /// Values that functions trip over.
    fn nasty() -> Vec<Value> {
        let texts = [
            "",
            "a",
            "%",
            "%d",
            "%٣d",
            "%5",
            "%.²f",
            "é😀",
            "\u{0}",
            "[",
            "(?P<x>",
            "*{[",
            "a{1000000}",
            "-1",
            "1e400",
            "0x",
            "1.2.3",
            "255.255.255.255/0",
            "::/129",
            "2026-02-30T25:61:61Z",
            "P1Y",
            "9999999999999999999h",
            "10XB",
            "%zz",
            "{\"a\":",
            "====",
            "YWJj",
            "zz",
            "UTC",
            "America/New_York",
            "2006-01-02",
        ];
        let others = [
            json!(null),
            json!(true),
            json!(0),
            json!(1),
            json!(-1),
            json!(1.5),
            json!(-0.0),
            json!(1e300),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            json!([]),
            json!([1, "a", null]),
            json!(["a", "b"]),
            json!([[1], [2]]),
            json!({}),
            json!({"a": 1}),
            json!({"a": "b", "": ""}),
            json!([i64::MAX, "UTC", "2006"]),
            json!([i64::MIN, "UTC"]),
        ];
        let texts = texts.into_iter().map(Value::from);
        texts.chain(others.iter().map(crate::value::to_rego)).chain([Value::new_set()]).collect()
    }

    /// Calls every function that modules may call with every combination of such values. None may panic: in the sidecar
    /// a panic takes the filter down.
    #[test]
    fn no_function_panics_whatever_its_arguments_are() {
        std::panic::set_hook(Box::new(|_| {}));
        let source = Source::from_contents(String::new(), " ".into()).unwrap();
        let span = Span { source, line: 1, col: 1, start: 0, end: 0 };
        let nasty = nasty();
        // For each function the first call that did.
        let mut panicked = BTreeMap::new();
        for (name, builtin) in BUILTINS.iter() {
            if refuse(name, [].iter()).is_some() {
                continue;
            }
            let guard = GUARDED.iter().find(|(guarded, _)| guarded == name);
            let guard = guard.map_or(&Size(|_| 0), |(_, guard)| guard);
            let mut check = |args: &[Value]| {
                if catch_unwind(AssertUnwindSafe(|| call_guarded(*builtin, guard, &span, args))).is_err() {
                    panicked.entry(*name).or_insert_with(|| format!("{args:?}"));
                }
            };
            check(&[]);
            for (i, a) in nasty.iter().enumerate() {
                check(std::slice::from_ref(a));
                for (j, b) in nasty.iter().enumerate() {
                    check(&[a.clone(), b.clone()]);
                    // Of the combinations of three and four, some.
                    for (k, c) in nasty.iter().enumerate().filter(|(k, _)| (i + j + k) % 5 == 0) {
                        if builtin.1 >= 3 {
                            check(&[a.clone(), b.clone(), c.clone()]);
                        }
                        if builtin.1 >= 4 {
                            check(&[a.clone(), b.clone(), c.clone(), nasty[(i + k) % nasty.len()].clone()]);
                        }
                    }
                }
            }
        }
        drop(std::panic::take_hook());
        assert!(panicked.is_empty(), "{panicked:#?}");
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, text, matches) in [
            ("finance_reports/*", "finance_reports/2026/q3", true),
            ("finance_reports/*", "finance_reports/", true),
            ("finance_reports/*", "finance_reports", false),
            ("finance_reports/*", "x/finance_reports/q3", false),
            ("*", "", true),
            ("*", "any/thing", true),
            ("", "", true),
            ("", "x", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "a/b/b/c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("*ab", "aab", true),
            ("**", "x", true),
            ("Case", "case", false),
            ("[a-z]?", "[a-z]?", true),
            ("[a-z]?", "bx", false),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} on {text}");
        }
    }
}
