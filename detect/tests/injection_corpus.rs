//! The corpus of injection: attacks of every family and language, and texts that only sound like them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::HashSet;
use std::path::Path;

use mesh_detect::{Detector, Family, Phrases, Sensitivity, Source, injection_threshold};
use serde_json::Value;

struct Case {
    file: String,
    source: Source,
    lang: String,
    family: Option<String>,
    /// The family that an ordinary text sounds like.
    near: Option<String>,
    /// From which sensitivity on it is found: medium, unless the row says `high`.
    sensitivity: Sensitivity,
    text: String,
}

fn source(name: &str) -> Source {
    match name {
        "user" => Source::User,
        "system" => Source::System,
        "assistant" => Source::Assistant,
        "tool_result" => Source::ToolResult,
        "tool_arguments" => Source::ToolArguments,
        "tool_definition" => Source::ToolDefinition,
        "document" => Source::Document,
        other => panic!("{other} is no source"),
    }
}

fn corpus() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/injection");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        for (number, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            let row: Value =
                serde_json::from_str(line).unwrap_or_else(|e| panic!("{file}:{}: {e}", number + 1));
            cases.push(Case {
                file: format!("{file}:{}", number + 1),
                source: source(row["source"].as_str().unwrap()),
                lang: row["lang"].as_str().unwrap().to_owned(),
                family: row["family"].as_str().map(str::to_owned),
                near: row["near"].as_str().map(str::to_owned),
                sensitivity: match row["sensitivity"].as_str() {
                    None => Sensitivity::Medium,
                    Some("high") => Sensitivity::High,
                    Some(other) => panic!("{file}: {other} is none of the corpus"),
                },
                text: row["text"].as_str().unwrap().to_owned(),
            });
        }
    }
    assert!(cases.len() > 100, "the corpus is not where it should be");
    cases
}

/// At the default sensitivity, or the one that a row names. Several families may speak in one text; which of them speaks loudest is left open.
#[test]
fn attacks_are_found_and_benign_texts_are_not() {
    let detector = Detector::new();
    let mut wrong = Vec::new();
    for case in corpus() {
        let finding = detector.injection(&case.text, case.source, case.sensitivity, None);
        if finding.is_some() == case.family.is_some() {
            continue;
        }
        let evidence: Vec<_> = detector
            .injection_evidence(&case.text, case.source)
            .iter()
            .map(|f| format!("{} {:.2}", f.rule, f.score))
            .collect();
        wrong.push(format!("{}: {:?}\n  {finding:?}\n  {evidence:?}", case.file, case.text));
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_family_speaks_in_its_own_cases() {
    let detector = Detector::new();
    let mut wrong = Vec::new();
    for case in corpus() {
        let Some(family) = &case.family else { continue };
        let heard = detector
            .injection_evidence(&case.text, case.source)
            .iter()
            .any(|finding| finding.family.as_str() == family);
        if !heard {
            wrong.push(format!("{}: no {family} in {:?}", case.file, case.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What sounds like a family makes a rule of it speak, and is passed all the same.
#[test]
fn look_alikes_sound_like_their_family() {
    let detector = Detector::new();
    for case in corpus() {
        let Some(near) = &case.near else { continue };
        assert!(case.family.is_none(), "{}: an attack is no look-alike", case.file);
        let heard = detector.injection_evidence(&case.text, case.source);
        assert!(heard.iter().any(|f| f.family.as_str() == near), "{}: no {near}", case.file);
    }
}

#[test]
fn every_family_and_language_has_cases() {
    let cases = corpus();
    let families: HashSet<&str> = cases.iter().filter_map(|case| case.family.as_deref()).collect();
    let near: HashSet<&str> = cases.iter().filter_map(|case| case.near.as_deref()).collect();
    for family in [
        Family::InstructionOverride,
        Family::RoleForgery,
        Family::PromptExtraction,
        Family::Exfiltration,
        Family::ToolPoisoning,
        Family::EncodedPayload,
        Family::Jailbreak,
        Family::IndirectInstruction,
    ] {
        assert!(families.contains(family.as_str()), "{family} has no attack");
        assert!(near.contains(family.as_str()), "{family} has no ordinary text that sounds like it");
    }
    for attack in [true, false] {
        let languages: HashSet<&str> =
            cases.iter().filter(|c| c.family.is_some() == attack).map(|c| c.lang.as_str()).collect();
        for language in [
            "en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr", "ru", "uk", "zh", "ja", "ko", "ar", "hi",
            "sv", "cs", "id", "vi",
        ] {
            assert!(languages.contains(language), "{language} {attack}");
        }
    }
}

/// What is found at a sensitivity is found at every higher one.
#[test]
fn sensitivities_are_ordered() {
    let detector = Detector::new();
    for case in corpus() {
        let found = |sensitivity| detector.injection(&case.text, case.source, sensitivity, None).is_some();
        assert!(!found(Sensitivity::Low) || found(Sensitivity::Medium), "{}", case.file);
        assert!(!found(Sensitivity::Medium) || found(Sensitivity::High), "{}", case.file);
    }
}

/// The parts of a verdict are the verdict: their sum is the distance from the operating point, of which the score is made.
#[test]
fn the_parts_of_a_verdict_add_up_to_it() {
    let detector = Detector::new();
    let mut judged = 0;
    for case in corpus() {
        let parts = detector.injection_parts(&case.text, case.source, Sensitivity::Medium);
        let scored = detector.injection_score(&case.text, case.source);
        if injection_threshold(case.source, Sensitivity::Medium).is_none() {
            assert!(parts.is_empty(), "{}", case.file);
            continue;
        }
        let Some(scored) = scored else { continue };
        let over: f32 = parts.iter().map(|(_, amount)| amount).sum();
        let score = 0.5 + 0.5 * over / (1.0 + over.abs());
        assert!((score - scored.score).abs() < 1e-3, "{}: {parts:?} {score} {}", case.file, scored.score);
        let found = detector.injection(&case.text, case.source, Sensitivity::Medium, None).is_some();
        assert!(over.abs() < 1e-3 || found == (over > 0.0), "{}: {parts:?}", case.file);
        assert!(parts.len() <= 13, "{}: {parts:?}", case.file);
        judged += 1;
    }
    assert!(judged > 100, "only {judged} texts were judged");
}

#[test]
fn the_policys_own_phrases_are_found_in_any_spelling_and_from_anybody() {
    let detector = Detector::new();
    let phrases = Phrases::compile(&["Open the pod bay doors", "  ", "öffne das Tor"]);
    for (text, found) in [
        ("HAL, open the pod bay doors!", Some(5..27)),
        ("OPEN  THE\nPOD BAY DOORS", Some(0..23)),
        ("оpen the pod bay dооrs", Some(0..25)),
        ("op\u{200b}en the pod bay doors", Some(0..25)),
        ("ÖFFNE das Tor", Some(0..14)),
        ("close the pod bay doors", None),
    ] {
        for source in [Source::User, Source::System, Source::Assistant] {
            let finding = detector.injection(text, source, Sensitivity::Low, Some(&phrases));
            assert_eq!(finding.as_ref().map(|f| f.span.clone()), found, "{text}");
            assert!(finding.is_none_or(|f| f.family == Family::Phrase));
        }
    }
    assert!(Phrases::compile::<&str>(&[]).is_empty());
}
