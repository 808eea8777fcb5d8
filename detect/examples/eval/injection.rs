//! Injection: verdicts against labels, by source, tier and sensitivity.

use std::collections::BTreeMap;

use mesh_detect::{Detector, Sensitivity, Source};
use serde_json::Value;

use crate::Options;
use crate::score::ratio;

const SENSITIVITIES: [(Sensitivity, &str); 3] =
    [(Sensitivity::Low, "low"), (Sensitivity::Medium, "medium"), (Sensitivity::High, "high")];

/// Where a row's text would stand in an exchange.
fn stands(row: &Value) -> Source {
    let kind = row["kind"].as_str().unwrap_or_default();
    let source = row["source"].as_str().unwrap_or_default();
    if let Some(role) = row["role"].as_str() {
        return match role {
            "tool_result" => Source::ToolResult,
            "document" => Source::Document,
            "tool_definition" => Source::ToolDefinition,
            _ => Source::User,
        };
    }
    if kind.contains("tool") || source.contains("mcp") {
        Source::ToolDefinition
    } else if kind.contains("indirect") || kind.contains("doc") || source.contains("latentinjection") {
        Source::Document
    } else {
        Source::User
    }
}

/// Rows seen and rows hit at each sensitivity.
#[derive(Default, Clone, Copy)]
struct Tally {
    rows: usize,
    hits: [usize; 3],
}

/// Measures all rows and prints two tables.
pub(crate) fn measure(rows: &[Value], options: &Options) {
    let detector = Detector::new();
    let mut tallies: BTreeMap<(bool, String), Tally> = BTreeMap::new();
    for row in rows {
        let text = row["text"].as_str().unwrap_or_default();
        let attack = row["label"] == "injection";
        let source = row["source"].as_str().unwrap_or_default();
        let family = source.split('/').next().unwrap_or_default();
        let tier = row["tier"].as_str().unwrap_or_default();
        let lang = row["lang"].as_str().unwrap_or_default();
        let place = stands(row);
        let mut hits = [false; 3];
        for ((sensitivity, _), hit) in SENSITIVITIES.iter().zip(&mut hits) {
            let finding = detector.injection(text, place, *sensitivity, None);
            *hit = finding.is_some();
            if let (Some(finding), Some(wanted)) = (&finding, &options.errors)
                && *sensitivity == Sensitivity::Medium
                && !attack
                && (source.starts_with(wanted.as_str()) || wanted == "benign")
            {
                let at = text.get(finding.span.clone()).unwrap_or_default();
                println!("false alarm {} {:.2} [{at}] in {source}", finding.rule, finding.score);
            }
        }
        if let Some(wanted) = &options.errors
            && attack
            && !hits[1]
            && (source.starts_with(wanted.as_str()) || wanted == tier)
        {
            let short: String = text.chars().take(400).collect();
            println!("missed {source}: {short:?}");
        }
        let mut keys = vec![format!("source {family} ({tier})"), format!("all {tier}"), "all".to_owned()];
        if attack {
            keys.push(format!("language {lang}"));
            if tier == "explicit" {
                keys.push(format!("explicit {}", if lang == "en" { "en" } else { "other" }));
            }
        }
        for key in keys {
            let tally = tallies.entry((attack, key)).or_default();
            tally.rows += 1;
            for (count, hit) in tally.hits.iter_mut().zip(hits) {
                *count += usize::from(hit);
            }
        }
    }
    for (attack, title) in [(true, "attacks: recall"), (false, "benign: false alarms")] {
        println!("| {title} | rows | low | medium | high |\n|---|---:|---:|---:|---:|");
        for ((_, name), tally) in tallies.iter().filter(|((a, _), _)| *a == attack) {
            let [low, medium, high] = tally.hits.map(|hits| ratio(hits, tally.rows));
            println!("| {name} | {} | {low:.4} | {medium:.4} | {high:.4} |", tally.rows);
        }
        println!();
    }
}
