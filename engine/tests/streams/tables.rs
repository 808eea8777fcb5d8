//! Tables in an answer: the head of a column still speaks for its values when it has left.
use serde_json::json;

use crate::program;
use crate::wires::*;

#[test]
fn values_of_a_column_are_found_however_the_table_is_cut() {
    let program = program(json!([{ "pii": { "action": "redact", "replacement": "#" } }]));
    let head = "Here:\n\n| name | ssn | city |\n|---|---|---|\n".to_owned();
    let said = (0..40).fold(head, |rows, row| rows + &format!("| Ann {row} | 536904399 | Bonn |\n"));
    let want = said.replace("536904399", "#");
    let wire = WIRES[0].1;
    for size in [1, 3, 10, 100, 10_000] {
        let pieces: Vec<&str> =
            said.as_bytes().chunks(size).map(|c| std::str::from_utf8(c).unwrap()).collect();
        let (out, _) = wire.through(&program, &[&wire.stream(&pieces)]);
        assert_eq!(wire.said(&out), want, "pieces of {size}");
    }
}
