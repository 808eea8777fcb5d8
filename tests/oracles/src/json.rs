//! Strict JSON: what we accept, `serde_json` accepts with the same value; what only we refuse, we refuse for one of the
//! reasons for which two readers differ. An edit changes its own text and leaves every other one as it was.

use mesh_wire::{Edit, Limits, Protocol, WireError, apply, read_request, to_value};
use serde_json::Value;

/// Why a body may be refused that `serde_json` reads.
const STRICTER: &[&str] = &[
    "duplicate key",
    "number that a double cannot hold",
    "integer beyond 64 bits",
    "number with more than 1000 decimals",
    "nested too deeply",
];

pub(crate) fn check(data: &[u8]) {
    if data.iter().all(u8::is_ascii_whitespace) {
        return;
    }
    let ours = to_value(data, &Limits::default());
    let theirs = serde_json::from_slice::<Value>(data);
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => assert!(same(ours, theirs), "read {ours}, serde_json reads {theirs}"),
        (Ok(_), Err(error)) => panic!("accepted, and serde_json says: {error}"),
        (Err(WireError::Malformed { reason, .. }), Ok(_)) => {
            assert!(STRICTER.contains(reason), "refused for `{reason}`, and serde_json reads it");
        }
        (Err(_), _) => {}
    }
    let Ok(whole) = ours else {
        assert!(read_request(Protocol::Json, data, &Limits::default()).is_err());
        return;
    };
    let message = match read_request(Protocol::Json, data, &Limits::default()) {
        Ok(message) => message,
        // Told by its form to be a protocol's, which does not write its members so; or it holds data that calls itself text.
        Err(WireError::Malformed { reason, .. })
            if reason.contains("in other letters") || reason.contains("in another character set") =>
        {
            return;
        }
        // It names more models than anybody asks.
        Err(WireError::TooLarge { .. }) => return,
        Err(error) => panic!("what is a value is a body: {error}"),
    };
    assert_eq!(apply(data, &message, &[]), data);
    if !repeats_itself(&whole) {
        edits(data, &whole);
    }
}

/// Whether it holds `logprobs`, which repeat a text token by token and are emptied with any edit.
fn repeats_itself(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(repeats_itself),
        Value::Object(members) => members
            .iter()
            .any(|(key, value)| key.to_ascii_lowercase().contains("logprobs") || repeats_itself(value)),
        _ => false,
    }
}

/// Each text in its turn becomes another one, and nothing else changes.
fn edits(data: &[u8], whole: &Value) {
    let message = read_request(Protocol::Json, data, &Limits::default()).expect("read before");
    for (index, segment) in message.segments.iter().enumerate().take(24) {
        let all = 0..segment.text.len();
        let with = "\"#\n".to_owned();
        let edited = apply(data, &message, &[Edit { segment: index, range: all.clone(), with }]);
        let value = to_value(&edited, &Limits::default()).expect("an edited body is strict JSON");
        assert_eq!(differing(whole, &value), Ok(()), "segment {index}");
        if !segment.is_number() {
            let with = segment.text.clone();
            let same_again = apply(data, &message, &[Edit { segment: index, range: all, with }]);
            let value = to_value(&same_again, &Limits::default()).expect("strict JSON");
            let differences = differing(whole, &value);
            assert_eq!(differences, Ok(()), "segment {index} put back");
        }
    }
}

/// Whether the values differ in at most one key or one leaf.
fn differing(one: &Value, other: &Value) -> Result<(), &'static str> {
    if count(one, other) <= 1 { Ok(()) } else { Err("more than one value has changed") }
}

/// Differing leaves; a renamed key counts once, with what is under it compared.
fn count(one: &Value, other: &Value) -> usize {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter().zip(other).map(|(one, other)| count(one, other)).sum()
        }
        (Value::Object(one), Value::Object(other)) if one.len() == other.len() => {
            let gone: Vec<_> = one.iter().filter(|(key, _)| !other.contains_key(*key)).collect();
            let come: Vec<_> = other.iter().filter(|(key, _)| !one.contains_key(*key)).collect();
            let renamed = gone.iter().zip(&come).map(|((_, one), (_, other))| 1 + count(one, other));
            let kept = one.iter().filter_map(|(key, one)| Some(count(one, other.get(key)?)));
            renamed.sum::<usize>() + kept.sum::<usize>()
        }
        _ => usize::from(!same(one, other)),
    }
}

/// Equal, where `5` and `5.0` are the same number, and `serde_json` may round to the neighbour of the nearest double.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(ours), Value::Number(theirs)) => {
            let (near, double) = (ours.as_f64().unwrap_or_default(), theirs.as_f64().unwrap_or_default());
            ours == theirs
                || ours.as_u64() == theirs.as_u64()
                    && ours.as_i64() == theirs.as_i64()
                    && neighbours(near, double)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}

fn neighbours(one: f64, other: f64) -> bool {
    one == other || (one - other).abs() <= 2.0 * f64::EPSILON * one.abs() || (one - other).abs() <= 1e-323
}
