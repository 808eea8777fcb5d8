//! Personal data and secrets: spans against spans.

use std::collections::BTreeMap;

use mesh_detect::{Detector, EntityType, Finding, Kind, TypeSet};
use serde_json::Value;

use crate::Options;
use crate::score::{Score, ratio};

/// The types that the headline figure is over.
const HEADLINE: &[&str] =
    &["SSN", "CREDIT_CARD", "EMAIL", "IBAN", "IP_ADDRESS", "PHONE", "PASSPORT", "DRIVER_LICENSE"];

/// The label that the data sets give to one of our types.
fn label(kind: EntityType) -> &'static str {
    match kind {
        EntityType::UsSsn => "SSN",
        EntityType::CreditCard => "CREDIT_CARD",
        EntityType::EmailAddress => "EMAIL",
        EntityType::IbanCode => "IBAN",
        EntityType::IpAddress => "IP_ADDRESS",
        EntityType::PhoneNumber => "PHONE",
        EntityType::UsPassport | EntityType::Passport => "PASSPORT",
        EntityType::UsDriverLicense
        | EntityType::UkDrivingLicence
        | EntityType::ItDriverLicense
        | EntityType::KrDriverLicense => "DRIVER_LICENSE",
        EntityType::MacAddress => "MAC_ADDRESS",
        EntityType::Crypto => "CRYPTO",
        EntityType::BankAccount => "BANK_ACCOUNT",
        EntityType::AbaRouting => "ROUTING_NUMBER",
        EntityType::Password => "PASSWORD",
        EntityType::PrivateKey => "PRIVATE_KEY",
        EntityType::DateOfBirth => "DATE",
        kind if kind.is_secret() => "API_KEY",
        _ => "NATIONAL_ID",
    }
}

/// Labels that mean the same to us.
fn fold(label: &str) -> &str {
    match label {
        "TAX_ID" => "NATIONAL_ID",
        other => other,
    }
}

struct Expected {
    start: usize,
    end: usize,
    label: String,
    found: bool,
}

fn expected(row: &Value) -> Vec<Expected> {
    let spans = row["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
    let number = |span: &Value, key: &str| span[key].as_u64().unwrap_or(0) as usize;
    spans
        .iter()
        .map(|span| Expected {
            start: number(span, "start"),
            end: number(span, "end"),
            label: fold(span["type"].as_str().unwrap_or_default()).to_owned(),
            found: false,
        })
        .collect()
}

/// Measures all rows and prints a table.
pub(crate) fn measure(rows: &[Value], options: &Options) {
    let detector = Detector::new();
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    let mut contextual = Score::default();
    let (mut negatives, mut hit_negatives) = (0, 0);
    let mut found: Vec<Finding> = Vec::new();
    for row in rows {
        let (text, tier) =
            (row["text"].as_str().unwrap_or_default(), row["tier"].as_str().unwrap_or_default());
        let source = row["source"].as_str().unwrap_or_default();
        let mut expected = expected(row);
        found.clear();
        detector.pii(text, &TypeSet::all(), options.threshold, None, &mut found);
        if tier == "negative" {
            negatives += 1;
            hit_negatives += usize::from(!found.is_empty());
            for finding in &found {
                explain(
                    options,
                    &["NEGATIVE", source],
                    "false alarm",
                    finding.kind.as_str(),
                    finding.span.clone(),
                    row,
                );
            }
            continue;
        }
        if tier == "weak" {
            continue;
        }
        let secrets_only = source.starts_with("detect_secrets") || source.starts_with("gitleaks");
        for finding in &found {
            let Kind::Entity(kind) = finding.kind else { continue };
            if secrets_only && !kind.is_secret() {
                continue;
            }
            let name = label(kind);
            let hit = expected
                .iter_mut()
                .find(|e| same(&e.label, name) && finding.span.start < e.end && e.start < finding.span.end);
            match hit {
                Some(hit) if hit.found => {}
                Some(hit) => {
                    hit.found = true;
                    scores.entry(hit.label.clone()).or_default().true_positive += 1;
                }
                // A place that the labels call something else counts against us only where it is not a secret or an
                // identity of another name.
                None if tier == "contextual" => {}
                None => {
                    scores.entry(name.to_owned()).or_default().false_positive += 1;
                    explain(options, &[name, source], "false alarm", finding.rule, finding.span.clone(), row);
                }
            }
        }
        for miss in expected.iter().filter(|e| !e.found) {
            if tier == "contextual" {
                contextual.false_negative += 1;
                explain(options, &["CONTEXTUAL"], "missed", &miss.label, miss.start..miss.end, row);
            } else {
                scores.entry(miss.label.clone()).or_default().false_negative += 1;
                explain(options, &[&miss.label, source], "missed", &miss.label, miss.start..miss.end, row);
            }
        }
        if tier == "contextual" {
            contextual.true_positive += expected.iter().filter(|e| e.found).count();
        }
    }
    println!("| type | precision | recall | F1 | hits | false alarms | missed |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let mut headline = Score::default();
    let ours = |name: &str| EntityType::all().iter().any(|kind| label(*kind) == name);
    for (name, score) in scores.iter().filter(|(name, _)| ours(name)) {
        print(name, *score);
        if HEADLINE.contains(&name.as_str()) {
            headline.add(*score);
        }
    }
    print("the eight headline types", headline);
    println!("\nsecrets by context alone: recall {:.3}", contextual.recall());
    let rate = ratio(hit_negatives, negatives);
    println!("hard negatives hit: {hit_negatives} of {negatives} ({:.2} %)\n", rate * 100.0);
}

fn same(expected: &str, found: &str) -> bool {
    expected == found
        || (matches!(expected, "PASSWORD" | "API_KEY" | "PRIVATE_KEY")
            && matches!(found, "PASSWORD" | "API_KEY" | "PRIVATE_KEY"))
}

fn print(name: &str, score: Score) {
    println!(
        "| {name} | {:.3} | {:.3} | {:.3} | {} | {} | {} |",
        score.precision(),
        score.recall(),
        score.f1(),
        score.true_positive,
        score.false_positive,
        score.false_negative
    );
}

fn explain(
    options: &Options,
    keys: &[&str],
    what: &str,
    detail: &str,
    span: std::ops::Range<usize>,
    row: &Value,
) {
    let Some(wanted) = &options.errors else { return };
    if keys.iter().any(|key| key.starts_with(wanted.as_str())) {
        let text = row["text"].as_str().unwrap_or_default();
        let value = text.get(span.clone()).unwrap_or_default();
        let mut from = span.start.saturating_sub(60);
        while !text.is_char_boundary(from) {
            from -= 1;
        }
        let before = text.get(from..span.start).unwrap_or_default();
        println!("{what} {detail} [{value}] after [{before}] in {}", row["source"]);
    }
}
