//! The corpus of personal data and secrets: what must be found, what must not, and the same over a stream.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::HashSet;
use std::path::Path;

use mesh_detect::{
    DEFAULT_THRESHOLD, Detector, EntityType, Finding, MAX_BLOCK_HOLDBACK, MAX_HOLDBACK, TypeSet,
};
use serde_json::Value;

/// A text, what is in it, and what it resembles without being it.
struct Case {
    file: String,
    text: String,
    find: Vec<(String, String)>,
    near: Vec<String>,
}

fn corpus() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/pii");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        for (number, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            let row: Value =
                serde_json::from_str(line).unwrap_or_else(|e| panic!("{file}:{}: {e}", number + 1));
            let string = |v: &Value| v.as_str().unwrap().to_owned();
            cases.push(Case {
                file: format!("{file}:{}", number + 1),
                text: string(&row["text"]),
                find: row["find"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|f| (string(&f[0]), string(&f[1])))
                    .collect(),
                near: row["not"].as_array().map(|a| a.iter().map(string).collect()).unwrap_or_default(),
            });
        }
    }
    assert!(cases.len() > 200, "the corpus is not where it should be");
    cases
}

fn find(detector: &Detector, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    detector.pii(text, &TypeSet::all(), DEFAULT_THRESHOLD, None, &mut found);
    found
}

fn readable(text: &str, found: &[Finding]) -> Vec<(String, String)> {
    found.iter().map(|f| (f.kind.as_str().to_owned(), text[f.span.clone()].to_owned())).collect()
}

#[test]
fn everything_planted_is_found_and_nothing_else() {
    let detector = Detector::new();
    let mut wrong = Vec::new();
    for case in corpus() {
        let found = readable(&case.text, &find(&detector, &case.text));
        if case.near.is_empty() {
            if found != case.find {
                wrong.push(format!("{}: {:?}\n  found {found:?}", case.file, case.text));
            }
        } else if let Some(hit) = found.iter().find(|(kind, _)| case.near.contains(kind)) {
            wrong.push(format!("{}: {:?}\n  is no {hit:?}", case.file, case.text));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_type_has_a_case_for_and_a_case_against() {
    let cases = corpus();
    let planted: HashSet<&str> =
        cases.iter().flat_map(|c| c.find.iter().map(|(kind, _)| kind.as_str())).collect();
    let near: HashSet<&str> = cases.iter().flat_map(|c| c.near.iter().map(String::as_str)).collect();
    for name in EntityType::names() {
        assert!(planted.contains(name), "no case plants {name}");
        assert!(near.contains(name), "no case resembles {name}");
    }
    for name in planted.iter().chain(&near) {
        assert!(EntityType::names().contains(name), "{name} is no type");
    }
}

/// Reads a text in pieces as the filter does: keeps the tail that may still become a finding, passes up to 64 bytes of
/// what was released as context, and takes as final what ends before the tail.
fn in_pieces(detector: &Detector, pieces: &[&str]) -> Vec<(String, usize, usize)> {
    let types = TypeSet::all();
    let (mut context, mut tail) = (String::new(), String::new());
    let mut released = 0;
    let mut out = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        tail.push_str(piece);
        let given = format!("{context}{tail}");
        let last = number + 1 == pieces.len();
        let hold = if last { given.len() } else { detector.holdback(&given, &types) };
        assert!(given.is_char_boundary(hold));
        assert!(given.len() - hold <= MAX_BLOCK_HOLDBACK.max(MAX_HOLDBACK));
        let hold = hold.max(context.len());
        for finding in find(detector, &given) {
            if finding.span.start >= context.len() && finding.span.end <= hold {
                let place = |at: usize| at - context.len() + released;
                let (start, end) = (place(finding.span.start), place(finding.span.end));
                out.push((finding.kind.as_str().to_owned(), start, end));
            } else {
                assert!(
                    finding.span.start >= hold || finding.span.start < context.len(),
                    "a finding straddles the holdback in {given:?}"
                );
            }
        }
        released += hold - context.len();
        let kept = detector.context(&given, hold);
        tail = given[hold..].to_owned();
        context = kept;
    }
    out
}

/// The law of holding back: however a text is cut, its pieces give the findings of the whole.
#[test]
fn a_stream_gives_the_findings_of_the_whole_however_it_is_cut() {
    let detector = Detector::new();
    for case in corpus().iter().filter(|case| case.text.len() < 1500) {
        let text = format!("{} and so on.", case.text);
        let whole: Vec<_> = find(&detector, &text)
            .iter()
            .map(|f| (f.kind.as_str().to_owned(), f.span.start, f.span.end))
            .collect();
        let ends: Vec<usize> = text.char_indices().map(|(i, _)| i).skip(1).collect();
        for cut in &ends {
            let (a, b) = text.split_at(*cut);
            assert_eq!(in_pieces(&detector, &[a, b]), whole, "{} cut at {cut}: {text:?}", case.file);
        }
        for step in [1, 2, 3, 7] {
            let mut pieces = Vec::new();
            let mut from = 0;
            for end in ends.iter().skip(step - 1).step_by(step).chain([&text.len()]) {
                pieces.push(&text[from..*end]);
                from = *end;
            }
            assert_eq!(in_pieces(&detector, &pieces), whole, "{} by {step}: {text:?}", case.file);
        }
    }
}

/// Characters that nobody sees take nothing of what may wait.
#[test]
fn a_value_with_unseen_characters_in_it_waits_for_its_end() {
    let detector = Detector::new();
    for (one, other) in [
        ("ssn 536-90", "-4399 ok"),
        ("ssn 536 ", "90 4399 ok"),
        ("to ada@exam", "ple.com ok"),
        ("card 4111 1111 1", "111 1111 1111 ok"),
    ] {
        for unseen in ["\u{200B}", "\u{2060}\u{200D}"] {
            let (one, other) = (one.to_owned() + &unseen.repeat(500), unseen.repeat(100) + other);
            let whole = find(&detector, &(one.clone() + &other));
            let whole: Vec<_> =
                whole.iter().map(|f| (f.kind.as_str().to_owned(), f.span.start, f.span.end)).collect();
            assert_eq!(whole.len(), 1, "{one:?}");
            assert_eq!(in_pieces(&detector, &[&one, &other]), whole, "{one:?}");
        }
    }
}
