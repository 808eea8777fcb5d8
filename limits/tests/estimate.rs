//! How far the estimate of tokens is from what tokenizers count, over the corpus. The figures stand in docs/policies.md.
use mesh_limits::tokens_of;
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    kind: String,
    o200k: u64,
    cl100k: u64,
    text: String,
}

/// Our estimate by their count, in percent: the least and the most over both tokenizers.
const FIGURES: &[(&str, u64, u64)] = &[
    ("english", 94, 107),
    ("code", 99, 121),
    ("json", 97, 113),
    ("german french spanish", 80, 112),
    ("polish turkish vietnamese", 53, 162),
    ("russian greek arabic hebrew hindi thai", 39, 162),
    ("chinese japanese korean", 77, 159),
    ("digits base64", 61, 68),
    ("emoji", 69, 103),
];

#[test]
fn the_estimate_is_as_far_off_as_the_documents_say() {
    let rows = include_str!("../../tests/corpus/tokens/texts.jsonl").lines();
    let rows: Vec<Row> = rows.map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut found: Vec<(&str, u64, u64)> = FIGURES.iter().map(|(kinds, ..)| (*kinds, u64::MAX, 0)).collect();
    for row in &rows {
        let estimate = tokens_of(&row.text) * 100;
        let of_it = |class: &&mut (&str, u64, u64)| class.0.split(' ').any(|kind| kind == row.kind);
        let (_, least, most) = found.iter_mut().find(of_it).unwrap();
        for count in [row.o200k, row.cl100k] {
            (*least, *most) = ((*least).min(estimate / count), (*most).max(estimate.div_ceil(count)));
        }
    }
    assert_eq!(found, FIGURES);
}
