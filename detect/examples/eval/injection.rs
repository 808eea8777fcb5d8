//! Injection: verdicts against labels, by source, tier and sensitivity.

use std::collections::BTreeMap;

use mesh_detect::{Detector, Sensitivity, Source};
use serde_json::Value;

use crate::Options;
use crate::report::{Cell, Report, Table};
use crate::score::Share;

const SENSITIVITIES: [(Sensitivity, &str); 3] =
    [(Sensitivity::Low, "low"), (Sensitivity::Medium, "medium"), (Sensitivity::High, "high")];

/// Where a row's text would stand in an exchange.
pub(crate) fn stands(row: &Value) -> Source {
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

/// Prints how often each rule fires on attacks and on benign rows, and reports how much recall each rate of false alarms buys.
fn curve(detector: &Detector, rows: &[Value], file: &str, options: &Options, report: &mut Report) {
    let mut rules: BTreeMap<(&str, bool), [usize; 2]> = BTreeMap::new();
    let mut scores: [Vec<f32>; 4] = Default::default();
    for row in rows {
        let text = row["text"].as_str().unwrap_or_default();
        let benign = usize::from(row["label"] != "injection");
        let place = stands(row);
        let data = place != Source::User;
        let score = detector.injection_score(text, place).map_or(0.0, |finding| finding.score);
        if let Some(list) = scores.get_mut(benign + 2 * usize::from(data)) {
            list.push(score);
        }
        if options.rules {
            let mut names: Vec<_> = detector.injection_evidence(text, place).iter().map(|f| f.rule).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                rules.entry((name, data)).or_default()[benign] += 1;
            }
        }
    }
    for ((name, data), [attacks, benign]) in &rules {
        println!("{name:42} {} {attacks:5} {benign:5}", if *data { "data" } else { "user" });
    }
    let [user_attacks, user_benign, data_attacks, data_benign] = &mut scores;
    let mut points = Vec::new();
    for (name, attacks, benign) in [
        ("user text", user_attacks, user_benign),
        ("tool results, documents, definitions", data_attacks, data_benign),
    ] {
        benign.sort_by(|a, b| b.total_cmp(a));
        for rate in [0.001, 0.0025, 0.005, 0.01, 0.025] {
            let allowed = (benign.len() as f64 * rate) as usize;
            let threshold = benign.get(allowed).copied().unwrap_or(0.0);
            let hits = attacks.iter().filter(|score| **score > threshold).count();
            let cells = vec![
                Cell::Share(Share::of(hits, attacks.len())),
                Cell::Count(attacks.len()),
                Cell::Count(benign.len()),
                Cell::Number(f64::from(threshold)),
            ];
            points.push((format!("{name}, {:.2} %", rate * 100.0), cells));
        }
    }
    report.add(Table {
        title: format!("Injection, recall at rates of false alarms: {file}"),
        columns: &["recall", "attacks", "ordinary", "above score"],
        rows: points,
    });
}

/// Measures all rows of a file and reports the tables.
pub(crate) fn measure(rows: &[Value], file: &str, options: &Options, report: &mut Report) {
    let detector = Detector::new();
    curve(&detector, rows, file, options, report);
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
    for (attack, title) in [(true, "recall on attacks"), (false, "false alarms on ordinary texts")] {
        let of = |((_, name), tally): (&(bool, String), &Tally)| {
            let mut cells = vec![Cell::Count(tally.rows)];
            cells.extend(tally.hits.map(|hits| Cell::Share(Share::of(hits, tally.rows))));
            (name.clone(), cells)
        };
        report.add(Table {
            title: format!("Injection, {title}: {file}"),
            columns: &["rows", "low", "medium", "high"],
            rows: tallies.iter().filter(|((a, _), _)| *a == attack).map(of).collect(),
        });
    }
}
