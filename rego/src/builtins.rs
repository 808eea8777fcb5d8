//! The functions modules may call: which are refused, which are bounded, and ours.
use regorus::unstable::{BUILTINS, BuiltinFcn, Expr, Ref, Source, Span};
use regorus::{Engine, Value};

/// What the error of a bounded function says.
pub(crate) const TOO_LARGE: &str = "the result of a built-in function would be too large";

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

/// Estimates how large a function's result may become, from its arguments.
type Estimate = fn(&[Value]) -> usize;

/// Functions whose result can be much larger than their arguments.
const BOUNDED: &[(&str, Estimate)] = &[
    ("array.concat", |args| args.iter().map(length).sum()),
    ("base64.encode", |args| text(args, 0).saturating_mul(2)),
    ("base64url.encode", |args| text(args, 0).saturating_mul(2)),
    ("base64url.encode_no_pad", |args| text(args, 0).saturating_mul(2)),
    ("bits.lsh", |args| number(args, 1).saturating_mul(64)),
    ("concat", |args| {
        let delimiter = text(args, 0);
        weight(args.get(1)).saturating_add(args.get(1).map_or(0, length).saturating_mul(delimiter))
    }),
    ("hex.encode", |args| text(args, 0).saturating_mul(2)),
    ("json.marshal", |args| weight(args.first()).saturating_mul(2)),
    ("json.marshal_with_options", |args| weight(args.first()).saturating_mul(32)),
    ("net.cidr_expand", hosts),
    ("numbers.range", |args| number(args, 0).saturating_add(number(args, 1))),
    ("numbers.range_step", |args| number(args, 0).saturating_add(number(args, 1))),
    ("object.union", |args| args.iter().map(length).sum()),
    ("object.union_n", |args| weight(args.first())),
    ("regex.replace", |args| {
        let dollars = string(args, 2).matches('$').count();
        let (old, new) = (text(args, 0), text(args, 2).saturating_add(1));
        old.saturating_add(1).saturating_mul(new).saturating_add(old.saturating_mul(dollars))
    }),
    ("replace", |args| replaced(text(args, 0), text(args, 1), text(args, 2))),
    ("sprintf", printed),
    ("strings.replace_n", |args| {
        let Some(Value::Object(patterns)) = args.first() else { return 0 };
        patterns.iter().fold(text(args, 1), |size, (old, new)| replaced(size, length(old), length(new)))
    }),
    ("urlquery.encode", |args| text(args, 0).saturating_mul(3)),
    ("urlquery.encode_object", |args| weight(args.first()).saturating_mul(3)),
];

/// Puts a bound before each function in [`BOUNDED`], and adds ours.
///
/// The interpreter looks for such an extension before its own function of the same name.
pub(crate) fn bound(engine: &mut Engine) -> anyhow::Result<()> {
    let span = Span {
        source: Source::from_contents(String::new(), String::new())?,
        line: 1,
        col: 1,
        start: 0,
        end: 0,
    };
    for &(name, estimate) in BOUNDED {
        let Some(&builtin) = BUILTINS.get(name) else { continue };
        let span = span.clone();
        let bounded = move |args: Vec<Value>| {
            if estimate(&args) > MAX_RESULT {
                anyhow::bail!(TOO_LARGE);
            }
            call(builtin, &span, &args)
        };
        engine.add_extension(name.to_owned(), builtin.1, Box::new(bounded))?;
    }
    engine.add_extension(GLOB.to_owned(), 2, Box::new(|args: Vec<Value>| Ok(glob_call(&args))))
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
    use super::*;

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
