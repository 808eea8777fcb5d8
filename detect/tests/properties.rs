//! What holds for every text whatsoever.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::LazyLock;

use mesh_detect::{
    CustomPatterns, Detector, Finding, MAX_BLOCK_HOLDBACK, MAX_HOLDBACK, Phrases, Sensitivity, Source,
    TypeSet, window,
};
use proptest::prelude::*;

static DETECTOR: LazyLock<Detector> = LazyLock::new(Detector::new);

/// Pieces that detectors care about, to be strung together at random.
const PIECES: &[&str] = &[
    "4111",
    "1111",
    " ",
    "-",
    "@",
    "a.b",
    ".com",
    "+1",
    "(",
    ")",
    "555",
    "0132",
    "536-22-1234",
    "536",
    "22",
    "**",
    "<b>",
    "</b>",
    "\u{200b}",
    "４",
    "%40",
    "&#64;",
    r"\u0034",
    "\n",
    "eyJhbGciOiJIUzI1NiJ9",
    ".",
    "AKIA",
    "ABCDEFGHIJKLMNOP",
    "-----BEGIN ",
    "PRIVATE KEY-----",
    "password",
    ": ",
    "hunter22",
    "senha",
    "пароль",
    "密码",
    "Kp7!Rm",
    "=",
    "'",
    "://",
    "GB",
    "82",
    "WEST",
    "é",
    "年",
    "月",
    "14 ",
    "March ",
    "1985",
    "ignore ",
    "all ",
    "previous ",
    "instructions",
    "<|im_start|>",
    "system",
    "aWdub3JlIGFsbA==",
    "x",
    "::",
    ":",
    "fe80",
    "\u{e0041}",
    "\0",
    "\u{1b}",
    "\u{7f}",
    r"\u0000",
    "%00",
    "\u{202e}",
    "𝟒",
    "і",
    "\t",
    "\r\n",
    "> ",
    "card ",
    "ssn ",
    "1234",
    "4111 1111\n",
    "536\n22\n",
    " file=",
    "policy ",
    " no.",
    "W2_",
    "_",
    "dossier ",
    "права ",
    "заказ №",
    "load cell ",
    "a,bytes\n",
    "0034603798153",
    "https://",
    "ghp_9CLxzHcCJIBUpusYuGt6DC7xod0NOtnpwsO9",
];

/// Values that begin again within themselves.
const NESTED: &[&str] = &["x://a:cd@", "acc_aaaaaaaaaaaa+"];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,300}",
        prop::collection::vec(prop::sample::select(PIECES), 0..60).prop_map(|pieces| pieces.concat()),
    ]
}

fn find(text: &str, min_score: f32) -> Vec<Finding> {
    let custom =
        CustomPatterns::compile(&[("WORD", r"\b[a-z]{3}\d\b"), ("ACCENT", "é+")], usize::MAX).unwrap();
    let mut found = Vec::new();
    DETECTOR.pii(text, &TypeSet::all(), min_score, Some(&custom), &mut found);
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A window is never longer than it may be, and shows the middle of what it is about.
    #[test]
    fn windows_are_bounded(text in text(), from in 0.0..1.0f64, len in 0usize..300, bytes in 4usize..200) {
        let start = text.floor_char_boundary((text.len() as f64 * from) as usize);
        let at = start..text.ceil_char_boundary((start + len).min(text.len()));
        let shown = window(&text, &at, bytes);
        prop_assert!(shown.len() <= bytes);
        prop_assert!(text.len() > bytes || shown == text);
        let offset = shown.as_ptr() as usize - text.as_ptr() as usize;
        let middle = at.start.midpoint(at.end);
        // A character that is wider than half the window may push it aside by its own length.
        prop_assert!(offset <= middle + 4 && middle <= offset + shown.len() + 4);
    }

    #[test]
    fn findings_lie_on_characters_in_order_and_apart(text in text()) {
        for min_score in [0.0, 0.5] {
            let mut end = 0;
            for finding in find(&text, min_score) {
                prop_assert!(finding.span.start >= end && finding.span.start < finding.span.end);
                prop_assert!(text.get(finding.span.clone()).is_some());
                prop_assert!(finding.score >= min_score && finding.score <= 1.0);
                end = finding.span.end;
            }
        }
    }

    #[test]
    fn what_waits_is_bounded_and_begins_on_a_character(text in text()) {
        let hold = DETECTOR.holdback(&text, &TypeSet::all());
        prop_assert!(text.is_char_boundary(hold));
        prop_assert!(text.len() - hold <= MAX_HOLDBACK.max(MAX_BLOCK_HOLDBACK));
    }

    #[test]
    fn verdicts_lie_on_characters(text in text()) {
        let phrases = Phrases::compile(&["previous instructions", "é"]);
        for source in [Source::User, Source::ToolResult, Source::ToolDefinition, Source::Document] {
            if let Some(finding) = DETECTOR.injection(&text, source, Sensitivity::High, Some(&phrases)) {
                prop_assert!(text.get(finding.span).is_some());
                prop_assert!((0.0..=1.0).contains(&finding.score));
            }
        }
    }

    #[test]
    fn views_map_back_into_the_text(text in text()) {
        let folded = mesh_detect::canonical::folded(&text);
        let views = [mesh_detect::canonical::plain(&text), mesh_detect::canonical::stripped(&text)];
        for view in views.iter().flatten().chain([&folded]) {
            let mut end = 0;
            for (i, c) in view.text().char_indices() {
                let original = view.original(i..i + c.len_utf8());
                prop_assert!(original.start <= original.end && original.end <= text.len());
                prop_assert!(original.end >= end);
                end = original.end;
            }
        }
    }

    /// No finding reaches over the point from which the tail waits, and what was final stays found once more comes.
    #[test]
    fn what_is_final_stays(first in text(), second in text()) {
        let hold = DETECTOR.holdback(&first, &TypeSet::all());
        let mut whole = Vec::new();
        let mut early = Vec::new();
        DETECTOR.pii(&first, &TypeSet::all(), 0.5, None, &mut early);
        DETECTOR.pii(&format!("{first}{second}"), &TypeSet::all(), 0.5, None, &mut whole);
        let final_part = |found: &[Finding]| -> Vec<Finding> {
            found.iter().filter(|f| f.span.end <= hold).cloned().collect()
        };
        let waited = first.len() - hold;
        if waited < MAX_HOLDBACK / 2 {
            prop_assert_eq!(final_part(&early), final_part(&whole));
            prop_assert!(whole.iter().all(|f| f.span.end <= hold || f.span.start >= hold));
        }
    }
}

/// The same shapes at the size of a request: time stays linear, whatever the text is made of.
#[test]
fn long_texts_of_one_kind_are_read() {
    let rows =
        PIECES.iter().map(|piece| (piece, 200_000)).chain(NESTED.iter().map(|piece| (piece, 2_000_000)));
    for (piece, len) in rows {
        let text = piece.repeat(len / piece.len());
        let mut found = Vec::new();
        DETECTOR.pii(&text, &TypeSet::all(), 0.5, None, &mut found);
        DETECTOR.injection(&text, Source::Document, Sensitivity::High, None);
        DETECTOR.holdback(&text, &TypeSet::all());
    }
}
