//! The functions modules may call: which are refused, which are guarded, and ours.
use regorus::unstable::{BUILTINS, BuiltinFcn, Expr, Ref, Source, Span};
use regorus::{Engine, Value};

use self::Guard::{Fit, Size};
use crate::meter::{Allowance, SIZED};

/// What the error of a bounded function says.
pub(crate) const TOO_LARGE: &str = "the result of a built-in function would be too large";

/// What the error of a function says that cannot take its arguments.
pub(crate) const UNFIT: &str = "a built-in function got arguments it cannot take";

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
    ("http.send", "a policy cannot call out"),
    ("net.lookup_ip_addr", "a policy cannot call out"),
];

/// Functions of OPA that a policy cannot have, by the beginnings of their names, and why.
const ABSENT: &[(&str, &str)] = &[
    ("io.jwt.", "the sidecar verifies tokens; see `input.user` and `input.roles`"),
    ("crypto.", "a policy holds no keys, and its input no certificates"),
    ("graphql.", "GraphQL is not read"),
    ("providers.aws.", "a policy signs nothing"),
    ("rego.", "a policy reads no policies"),
    ("yaml.", "a policy reads no YAML; put documents into `data`"),
    ("json.match_schema", "compare the fields themselves"),
    ("json.verify_schema", "compare the fields themselves"),
    ("json.patch", "make the object with `object.union` and `object.remove`"),
    ("net.cidr_contains_matches", "ask `some i, cidr in cidrs; net.cidr_contains(cidr, address)`"),
    ("net.cidr_intersects", "ask `net.cidr_contains` both ways round"),
    ("net.cidr_merge", "list the networks themselves"),
    ("base64url.", "only `base64.encode` and `base64.decode` are there"),
    ("urlquery.", "a path and its query are inspected before rules are asked"),
    ("regex.globs_match", "match the text itself, with `regex.match` or `glob.match`"),
    ("strings.render_template", "use `sprintf`"),
    ("uuid.parse", "match the text with `regex.match`"),
    ("array.flatten", "use `[x | some list in lists; some x in list]`"),
    ("cast_", "OPA has given these up; ask `is_string(x)` and its like"),
    ("re_match", "it is `regex.match` today"),
    ("all", "use `every x in list { x }`"),
    ("any", "use `true in list`"),
];

/// Whether a name is one of these: the whole of it, or what begins with a package or a family.
fn is_absent(name: &str, absent: &str) -> bool {
    name == absent || (absent.ends_with(['.', '_']) && name.starts_with(absent))
}

/// Why a call of `name` is an error, if it is. `defined` are the functions that the modules define.
pub(crate) fn refuse(name: &str, defined: impl Iterator<Item = String>) -> Option<String> {
    if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return Some(format!("`{name}` is not available: {why}"));
    }
    if BUILTINS.contains_key(name) || matches!(name, GLOB | SIZED | "print") {
        return None;
    }
    if let Some((_, why)) = ABSENT.iter().find(|(absent, _)| is_absent(name, absent)) {
        return Some(format!("`{name}` is not available: {why}"));
    }
    let offered =
        BUILTINS.keys().copied().filter(|known| REFUSED.iter().all(|(refused, _)| refused != known));
    let defined: Vec<String> = defined.collect();
    let known = offered.chain([GLOB]).chain(defined.iter().map(String::as_str));
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

/// Functions whose results are small whatever their arguments are, or a part of them. All others are charged.
const SMALL: &[&str] = &[
    "abs",
    "all",
    "any",
    "base64.is_valid",
    "ceil",
    "contains",
    "endswith",
    "floor",
    "glob.match",
    "hex.is_valid",
    "indexof",
    "is_array",
    "is_boolean",
    "is_null",
    "is_number",
    "is_object",
    "is_set",
    "is_string",
    "json.is_valid",
    "max",
    "min",
    "net.cidr_contains",
    "net.cidr_intersects",
    "net.cidr_is_valid",
    "object.get",
    "regex.globs_match",
    "regex.is_valid",
    "regex.match",
    "regex.template_match",
    "round",
    "semver.compare",
    "semver.is_valid",
    "startswith",
    "strings.any_prefix_match",
    "strings.any_suffix_match",
    "trace",
    "type_name",
];

/// Longest run of digits that is read as a number: longer ones take time that no step counts.
const MAX_DIGITS: usize = 400;

/// Functions whose result can be much larger than their arguments, or that do not take all arguments.
static GUARDED: &[(&str, Guard)] = &[
    ("array.concat", Size(|args| args.iter().map(length).sum())),
    ("base64.encode", Size(|args| text(args, 0).saturating_mul(2))),
    ("base64url.encode", Size(|args| text(args, 0).saturating_mul(2))),
    ("base64url.encode_no_pad", Size(|args| text(args, 0).saturating_mul(2))),
    ("bits.lsh", Size(|args| number(args, 1).saturating_mul(64))),
    ("concat", Size(|args| joined(text(args, 0), args.get(1)))),
    ("hex.encode", Size(|args| text(args, 0).saturating_mul(2))),
    ("json.is_valid", Fit(|args| readable(string(args, 0)))),
    ("json.marshal", Size(|args| weight(args.first()).saturating_mul(2))),
    ("json.marshal_with_options", Size(|args| weight(args.first()).saturating_mul(32))),
    ("json.unmarshal", Fit(|args| readable(string(args, 0)))),
    ("net.cidr_expand", Size(hosts)),
    ("numbers.range", Size(|args| number(args, 0).saturating_add(number(args, 1)))),
    ("numbers.range_step", Size(|args| number(args, 0).saturating_add(number(args, 1)))),
    ("object.subset", Fit(|args| !args.get(1).is_some_and(has_empty_array))),
    ("object.union", Size(|args| args.iter().map(length).sum())),
    ("object.union_n", Size(|args| weight(args.first()))),
    ("product", Fit(|args| args.first().is_some_and(|items| length(items) <= MAX_FACTORS))),
    ("regex.replace", Size(|args| substituted(text(args, 0), string(args, 2)))),
    ("replace", Size(|args| replaced(text(args, 0), text(args, 1), text(args, 2)))),
    ("sprintf", Size(printed)),
    ("strings.count", Fit(|args| text(args, 1) > 0)),
    ("strings.replace_n", Size(replaced_all)),
    ("time.parse_ns", Fit(|args| string(args, 0).is_ascii() && string(args, 1).is_ascii())),
    ("to_number", Fit(|args| readable(string(args, 0)))),
    ("units.parse", Fit(|args| readable(string(args, 0)))),
    ("units.parse_bytes", Fit(|args| readable(string(args, 0)))),
    ("walk", Size(|args| weight(args.first()).saturating_mul(4))),
];

/// Most factors of a `product`: each may double the digits of the result.
const MAX_FACTORS: usize = 1000;

/// Puts its guard before each function in [`GUARDED`], has results charged, and adds our functions.
///
/// The interpreter looks for such an extension before its own function of the same name.
pub(crate) fn guard(engine: &mut Engine, allowance: &Allowance) -> anyhow::Result<()> {
    let span = Span {
        source: Source::from_contents(String::new(), String::new())?,
        line: 1,
        col: 1,
        start: 0,
        end: 0,
    };
    for (&name, &builtin) in BUILTINS.iter().filter(|(name, _)| **name != "count") {
        let guard = GUARDED.iter().find(|(guarded, _)| *guarded == name).map(|(_, guard)| guard);
        let charged = !SMALL.contains(&name);
        if guard.is_none() && !charged {
            continue;
        }
        let (span, allowance) = (span.clone(), allowance.clone());
        let guarded = move |mut args: Vec<Value>| {
            if name == "sprintf" {
                plain_integers(&mut args);
            }
            let result = match guard {
                Some(guard) => call_guarded(builtin, guard, &span, &args)?,
                None => call(builtin, &span, &args)?,
            };
            if charged { allowance.charge(result) } else { Ok(result) }
        };
        engine.add_extension(name.to_owned(), builtin.1, Box::new(guarded))?;
    }
    let count = BUILTINS.get("count").copied();
    let count = move |args: Vec<Value>| match (args.first(), count) {
        (Some(Value::String(text)), _) => Ok(Value::from(text.chars().count())),
        (_, Some(count)) => call(count, &span, &args),
        _ => Ok(Value::Undefined),
    };
    // The interpreter's counts the bytes of a text; OPA's its characters.
    engine.add_extension("count".to_owned(), 1, Box::new(count))?;
    let allowance = allowance.clone();
    let sized = move |args: Vec<Value>| allowance.charge(args.into_iter().next().unwrap_or(Value::Undefined));
    engine.add_extension(SIZED.to_owned(), 1, Box::new(sized))?;
    engine.add_extension(GLOB.to_owned(), 2, Box::new(|args: Vec<Value>| Ok(glob_call(&args))))
}

fn call_guarded(builtin: BuiltinFcn, guard: &Guard, span: &Span, args: &[Value]) -> anyhow::Result<Value> {
    match guard {
        Size(estimate) if estimate(args) > MAX_RESULT => anyhow::bail!(TOO_LARGE),
        Fit(fits) if !fits(args) => anyhow::bail!(UNFIT),
        _ => call(builtin, span, args),
    }
}

/// Has whole numbers printed by `%v` where the format says `%d`: the interpreter's `%d` gives a negative one two signs.
fn plain_integers(args: &mut [Value]) {
    let [Value::String(format), Value::Array(values)] = &*args else { return };
    let mut plain = String::with_capacity(format.len());
    let (mut chars, mut next) = (format.chars(), values.iter());
    while let Some(c) = chars.next() {
        plain.push(c);
        if c != '%' {
            continue;
        }
        // Flags, width and precision stay as they are, with their verb.
        let mut flags = 0;
        for c in chars.by_ref() {
            if matches!(c, '+' | '-' | '#' | ' ' | '.') || c.is_numeric() {
                flags += 1;
                plain.push(c);
                continue;
            }
            let value = if c == '%' { None } else { next.next() };
            let whole = matches!(value, Some(Value::Number(number)) if number.is_integer());
            plain.push(if c == 'd' && whole && flags == 0 { 'v' } else { c });
            break;
        }
    }
    if let Some(format) = args.first_mut() {
        *format = Value::from(plain);
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

/// Whether no number in a text is too long.
fn readable(text: &str) -> bool {
    let mut digits = 0;
    text.bytes().all(|byte| {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        digits <= MAX_DIGITS
    })
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
            if refuse(name, std::iter::empty()).is_some() {
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
