//! A Responses answer that is there at once, and what its stream says once more.
use serde_json::{Value, json};

use crate::joins::{ONE, OTHER, RESPONSES};
use crate::program;

#[test]
fn a_value_over_two_items_of_an_answer_that_is_whole_goes() {
    let item = |parts: &[&str]| {
        let parts: Vec<_> = parts.iter().map(|text| json!({ "type": "output_text", "text": text })).collect();
        json!({ "type": "message", "role": "assistant", "content": parts })
    };
    let answer = |output: Value| json!({ "type": "response.completed", "response": { "id": "resp_1", "output": output } });
    crate::joins::joined(
        RESPONSES,
        &[
            ("two items", vec![answer(json!([item(&[ONE]), item(&[OTHER])]))]),
            ("two parts", vec![answer(json!([item(&[ONE, OTHER])]))]),
            ("parts and items", vec![answer(json!([item(&["ssn 536-", "90"]), item(&["-4399", " ok"])]))]),
            (
                "thoughts between",
                vec![answer(json!([
                    item(&[ONE]),
                    { "type": "reasoning", "content": [{ "type": "reasoning_text", "text": "hm" }] },
                    item(&[OTHER])
                ]))],
            ),
            (
                "a call between",
                vec![answer(
                    json!([item(&[ONE]), { "type": "web_search_call", "id": "ws_1" }, item(&[OTHER])]),
                )],
            ),
        ],
    );
}

/// Most of a Responses answer comes twice: neither half of a value over two of its blocks leaves in what is said once more.
#[test]
fn what_is_said_once_more_loses_what_went_from_it_in_pieces() {
    let delta = |(item, part): (u32, u32), text: &str| json!({ "type": "response.output_text.delta", "output_index": item, "content_index": part, "delta": text });
    let done = |(item, part): (u32, u32), text: &str| json!({ "type": "response.output_text.done", "output_index": item, "content_index": part, "text": text });
    let said = |text: &str| json!({ "type": "output_text", "text": text, "annotations": [] });
    let part = |(item, part): (u32, u32), text: &str| json!({ "type": "response.content_part.done", "output_index": item, "content_index": part, "part": said(text) });
    let message = |texts: &[&str]| json!({ "type": "message", "role": "assistant", "content": texts.iter().map(|text| said(text)).collect::<Vec<_>>() });
    let item = |index: u32, texts: &[&str]| json!({ "type": "response.output_item.done", "output_index": index, "item": message(texts) });
    let whole = |items: &[&[&str]]| json!({ "type": "response.completed", "response": { "id": "resp_1", "output": items.iter().map(|texts| message(texts)).collect::<Vec<_>>() } });
    let text = |at, text: &str| vec![delta(at, text), done(at, text), part(at, text)];
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let mark = "-\u{1F600}- ";
    for (name, items) in [
        ("items", vec![vec![ONE], vec![OTHER]]),
        ("parts", vec![vec![ONE, OTHER]]),
        ("three items", vec![vec!["ssn 536-"], vec!["90"], vec!["-4399 ok"]]),
        ("one of them is all of the rest", vec![vec![ONE], vec!["0-4399"], vec![" ok"]]),
        ("two values", vec![vec!["ssn 536-90-4399, ssn 536-9"], vec!["0-4399 ok"]]),
    ] {
        let mut events = Vec::new();
        for (index, texts) in items.iter().enumerate() {
            for (number, said) in texts.iter().enumerate() {
                events.extend(text((index as u32, number as u32), said));
            }
            events.push(item(index as u32, texts));
        }
        events.push(whole(&items.iter().map(Vec::as_slice).collect::<Vec<_>>()));
        let answer: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let (out, outcome) = RESPONSES.through(&program, &[answer.as_bytes()]);
        let events = RESPONSES.events(&out);
        assert_eq!(outcome, "allow_with_modifications", "{name}");
        // Each way of saying it says the same.
        let of = |kind: &str, places: &[&str]| -> String {
            let of_kind = events.iter().filter(|event| event["type"] == kind);
            let texts = of_kind.flat_map(|event| places.iter().filter_map(|at| event.pointer(at)?.as_str()));
            texts.collect()
        };
        let want = if name == "two values" { "ssn #, ssn # ok" } else { "ssn # ok" };
        for (kind, places) in [
            ("response.output_text.delta", &["/delta"][..]),
            ("response.output_text.done", &["/text"]),
            ("response.content_part.done", &["/part/text"]),
            ("response.output_item.done", &["/item/content/0/text", "/item/content/1/text"]),
        ] {
            assert_eq!(of(kind, places), want, "{name}: {kind}");
        }
        let out = String::from_utf8_lossy(&out);
        assert!(!out.contains("536-") && !out.contains("-4399"), "{name}: {out}");
    }
    // What has nothing to find stays.
    let calm: String = [text((0, 0), "It is 536-9"), text((0, 1), " or so"), text((1, 0), mark)]
        .concat()
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    assert_eq!(RESPONSES.through(&program, &[calm.as_bytes()]), (calm.into_bytes(), "allow"));
}
