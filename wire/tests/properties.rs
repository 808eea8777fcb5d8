//! What must hold for every body: what we read is what `serde_json` reads, no edit changes nothing, and an edit changes
//! exactly what it says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use mesh_wire::{Edit, Limits, Message, Protocol, apply, read_request, to_value};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn read(body: &[u8]) -> Message {
    read_request(Protocol::Json, body, &Limits::default()).unwrap()
}

/// Texts that exercise escapes, but are no JSON and no Base64 themselves.
fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just("a".to_owned()),
            Just(" ".to_owned()),
            Just("\"".to_owned()),
            Just("\\".to_owned()),
            Just("\n".to_owned()),
            Just("\u{0}".to_owned()),
            Just("\u{1f}".to_owned()),
            Just("é".to_owned()),
            Just("😀".to_owned()),
            Just("\u{7f}".to_owned()),
            Just("/".to_owned()),
            Just("4111".to_owned()),
            Just("\u{2028}".to_owned()),
            Just("\u{FEFF}".to_owned()),
        ],
        1..12,
    )
    .prop_map(|parts| parts.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1000_i32..1000).prop_map(Value::from),
        // Exact in binary and short in decimal, whatever precision a reader has.
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((text(), inner), 0..16)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// All texts of a value in document order, as `serde_json` has them: keys, strings, and (marked) large numbers.
fn texts(value: &Value, out: &mut Vec<Option<String>>) {
    match value {
        Value::String(text) if !text.is_empty() => out.push(Some(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(members) => {
            for (key, member) in members {
                out.push(Some(key.clone()));
                texts(member, out);
            }
        }
        Value::Number(number) if large(number) => out.push(None),
        _ => {}
    }
}

/// The same of a message.
fn seen(message: &Message) -> Vec<Option<String>> {
    let once = message.segments.iter().filter(|segment| !segment.derived);
    once.map(|segment| (!segment.is_number()).then(|| segment.text.clone())).collect()
}

fn large(number: &serde_json::Number) -> bool {
    number.as_f64().is_some_and(|number| number.abs() >= 1_000_000.0)
}

/// Every text of the value replaced by `#`, keys by `#<their place in the object>`.
fn replaced(value: &Value) -> Value {
    match value {
        Value::String(text) if !text.is_empty() => json!("#"),
        Value::Number(number) if large(number) => json!("#"),
        Value::Array(items) => items.iter().map(replaced).collect(),
        Value::Object(members) => {
            let names = (1..).map(|number| if number == 1 { "#".to_owned() } else { format!("#-{number}") });
            names.zip(members.values()).map(|(name, member)| (name, replaced(member))).collect()
        }
        other => other.clone(),
    }
}

fn written(value: &Value, pretty: bool) -> Vec<u8> {
    if pretty { serde_json::to_vec_pretty(value).unwrap() } else { serde_json::to_vec(value).unwrap() }
}

/// All characters as `\uXXXX`: the same value in other bytes.
fn escaped_throughout(value: &Value) -> Vec<u8> {
    let mut out = String::new();
    let plain = serde_json::to_string(value).unwrap();
    let mut in_string = false;
    let mut chars = plain.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => {
                in_string = !in_string;
                out.push('"');
            }
            '\\' => {
                out.push('\\');
                let kind = chars.next().unwrap();
                out.push(kind);
                if kind == 'u' {
                    out.extend(chars.by_ref().take(4));
                }
            }
            char if in_string => {
                let mut units = [0; 2];
                for unit in char.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
            char => out.push(char),
        }
    }
    out.into_bytes()
}

fn replace_all(body: &[u8], message: &Message) -> Vec<u8> {
    let segments = message.segments.iter().enumerate();
    let edits: Vec<Edit> =
        segments.map(|(segment, s)| Edit { segment, range: 0..s.text.len(), with: "#".to_owned() }).collect();
    apply(body, message, &edits)
}

/// Equal, where `5` and `5.0` are the same number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            // serde_json rounds some decimals to the neighbour of the nearest double.
            let (near, double) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            one == other || (near - double).abs() <= f64::EPSILON * near.abs()
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

/// What bodies are made of, good and bad.
const TOKENS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"a\"",
    b"\"b\"",
    b"\"\\u0061\"",
    b"1",
    b"-",
    b"0",
    b"1e5",
    b".",
    b"true",
    b"nul",
    b" ",
    b"\xFF",
    b"\"",
    b"\\",
    b"\\ud800",
    b"1e400",
    b"12345678901234567890123",
    b"NaN",
    b"//",
    b"\x00",
    b"null",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn texts_are_those_that_serde_json_reads(value in value(), pretty in any::<bool>(), escaped in any::<bool>()) {
        let body = if escaped { escaped_throughout(&value) } else { written(&value, pretty) };
        prop_assert!(same(&to_value(&body, &Limits::default()).unwrap(), &value));
        let message = read(&body);
        let mut want = Vec::new();
        texts(&value, &mut want);
        // serde_json sorts keys; it wrote them in that order, so document order is the same.
        prop_assert_eq!(seen(&message), want);
    }

    #[test]
    fn no_edit_changes_nothing(value in value(), pretty in any::<bool>()) {
        let body = written(&value, pretty);
        let message = read(&body);
        prop_assert_eq!(&apply(&body, &message, &[]), &body);
        // Putting each text back where it stands keeps the value.
        let same_again: Vec<Edit> = message
            .segments
            .iter()
            .enumerate()
            .filter(|(_, segment)| !segment.is_number() && !segment.derived)
            .map(|(segment, s)| Edit { segment, range: 0..s.text.len(), with: s.text.clone() })
            .collect();
        let again = apply(&body, &message, &same_again);
        prop_assert!(same(&serde_json::from_slice(&again).unwrap(), &value));
    }

    #[test]
    fn edits_give_exactly_the_expected_value(value in value(), pretty in any::<bool>(), escaped in any::<bool>()) {
        let body = if escaped { escaped_throughout(&value) } else { written(&value, pretty) };
        let edited: Value = serde_json::from_slice(&replace_all(&body, &read(&body))).unwrap();
        prop_assert!(same(&edited, &replaced(&value)), "{} {}", edited, replaced(&value));
    }

    #[test]
    fn json_in_strings_is_read_and_edited_at_every_level(
        value in value().prop_filter("container", |value| value.is_array() || value.is_object()),
        levels in 1_usize..=4,
    ) {
        let mut body = value.clone();
        for _ in 0..levels {
            body = json!({ "in": serde_json::to_string(&body).unwrap() });
        }
        let body = serde_json::to_vec(&body).unwrap();
        let message = read(&body);
        let mut want = vec![Some("in".to_owned()); levels];
        texts(&value, &mut want);
        prop_assert_eq!(seen(&message), want);
        let mut edited: Value = serde_json::from_slice(&replace_all(&body, &message)).unwrap();
        for _ in 0..levels {
            edited = serde_json::from_str(edited["#"].as_str().unwrap()).unwrap();
        }
        prop_assert!(same(&edited, &replaced(&value)));
    }

    #[test]
    fn a_part_of_a_text_is_edited_alone(before in text(), secret in text(), after in text()) {
        let body = serde_json::to_vec(&json!({ "k": format!("{before}{secret}{after}") })).unwrap();
        let message = read(&body);
        let range = before.len()..before.len() + secret.len();
        let edited = apply(&body, &message, &[Edit { segment: 1, range, with: "\"\n😀".to_owned() }]);
        let value: Value = serde_json::from_slice(&edited).unwrap();
        prop_assert_eq!(value["k"].as_str().unwrap(), format!("{before}\"\n😀{after}"));
    }

    #[test]
    fn what_is_accepted_reads_alike_everywhere(
        body in proptest::collection::vec(
            proptest::sample::select(TOKENS),
            0..14,
        ),
    ) {
        let body = body.concat();
        let Ok(ours) = to_value(&body, &Limits::default()) else { return Ok(()) };
        let theirs: Value = serde_json::from_slice(&body).unwrap();
        prop_assert!(same(&ours, &theirs));
    }
}
