//! Canonical forms and the findings made in them: every finding lies in the text that was given, on whole characters, in
//! order and apart; a canonical form stays one, and is not much longer than what it stands for.

use std::cell::LazyCell;

use mesh_detect::canonical::{View, folded, plain, reads_otherwise};
use mesh_detect::{Detector, Finding, Sensitivity, Source, TypeSet};

thread_local! {
    static DETECTOR: LazyCell<Detector> = LazyCell::new(Detector::new);
}

const SOURCES: [Source; 8] = [
    Source::System,
    Source::User,
    Source::Assistant,
    Source::ToolResult,
    Source::ToolArguments,
    Source::ToolDefinition,
    Source::Document,
    Source::Other,
];

pub(crate) fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let text = text.as_ref();
    if let Some(view) = plain(text) {
        leads_back(&view, text);
        // Escapes are undone once: what they spell may be an escape again.
        if !text.contains(['%', '&', '\\']) && !view.text().contains(['%', '&', '\\']) {
            assert!(plain(view.text()).is_none_or(|again| again.text() == view.text()), "plain twice");
        }
    }
    let view = folded(text);
    leads_back(&view, text);
    if !reads_otherwise(text) && !text.contains(char::is_whitespace) {
        assert_eq!(view.text(), text.to_ascii_lowercase(), "what reads as it is written");
    }
    DETECTOR.with(|detector| {
        let mut found = Vec::new();
        detector.pii(text, &TypeSet::all(), 0.0, None, &mut found);
        apart(&found, text);
        let held = detector.holdback(text, &TypeSet::all());
        assert!(text.is_char_boundary(held), "the tail begins with a whole character");
        for source in SOURCES {
            let told = detector.injection(text, source, Sensitivity::High, None);
            let all = detector.injection_score(text, source).into_iter().chain(told);
            for finding in all.chain(detector.injection_evidence(text, source)) {
                assert!(text.get(finding.span.clone()).is_some(), "evidence on whole characters");
                assert!((0.0..=1.0).contains(&finding.score), "a score is one");
            }
        }
    });
}

fn leads_back(view: &View, text: &str) {
    assert!(view.text().len() <= 3 * text.len() + 8, "not much longer");
    let mut before = 0;
    for (at, c) in view.text().char_indices() {
        let original = view.original(at..at + c.len_utf8());
        assert!(original.start <= original.end && original.end <= text.len(), "inside the text");
        assert!(original.start >= before, "in the same order");
        before = original.start;
    }
    let all = view.original(0..view.text().len());
    assert!(all.end <= text.len());
}

fn apart(found: &[Finding], text: &str) {
    let mut end = 0;
    for finding in found {
        assert!(finding.span.start >= end, "in order and apart");
        assert!(
            text.get(finding.span.clone()).is_some_and(|value| !value.is_empty()),
            "whole characters: {finding:?}"
        );
        assert!((0.0..=1.0).contains(&finding.score), "a score is one");
        end = finding.span.end;
    }
}
