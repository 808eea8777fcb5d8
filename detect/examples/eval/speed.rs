//! How fast: the detectors, plain patterns and a mere copy, over the same rows in the same run.

use std::hint::black_box;
use std::time::{Duration, Instant};

use mesh_detect::{DEFAULT_THRESHOLD, Detector, Sensitivity, Source, TypeSet};
use serde_json::Value;

use crate::report::{Cell, Report, Table};

/// Eight plain patterns without any validation, as a first filter would have them; peers get the same.
const PATTERNS: &str = include_str!("patterns.txt");
/// Each is run until so much time has passed, at least once; the best counts.
const LONG_ENOUGH: Duration = Duration::from_millis(500);

/// A peer's own figure: its name, and bytes a second.
pub(crate) struct Speed {
    pub(crate) name: String,
    pub(crate) rate: f64,
}

impl Speed {
    /// Reads `{"bytes": …, "seconds": …}`.
    pub(crate) fn read(name: &str, file: &str) -> Result<Speed, String> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| format!("{file}: {error}"))?;
        match (value["bytes"].as_f64(), value["seconds"].as_f64()) {
            (Some(bytes), Some(seconds)) if seconds > 0.0 => {
                Ok(Speed { name: name.to_owned(), rate: bytes / seconds })
            }
            _ => Err(format!("{file}: has no `bytes` and `seconds`")),
        }
    }
}

fn best(texts: &[&str], mut run: impl FnMut(&str)) -> f64 {
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    let started = Instant::now();
    let mut best = Duration::MAX;
    while best == Duration::MAX || started.elapsed() < LONG_ENOUGH {
        let one = Instant::now();
        texts.iter().for_each(|text| run(black_box(text)));
        best = best.min(one.elapsed());
    }
    bytes as f64 / best.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// Measures all rows, one after the other, each as a text of its own.
pub(crate) fn measure(rows: &[Value], peers: &[Speed], report: &mut Report) -> Result<(), String> {
    let texts: Vec<&str> = rows.iter().filter_map(|row| row["text"].as_str()).collect();
    let detector = Detector::new();
    let (types, mut found) = (TypeSet::all(), Vec::new());
    let patterns: Vec<String> = PATTERNS.lines().map(|pattern| format!("(?-u:{pattern})")).collect();
    let set = regex::RegexSet::new(patterns).map_err(|error| error.to_string())?;
    let mut copy = Vec::new();
    let mut rates = vec![
        (
            "mesh-detect, personal data and secrets".to_owned(),
            best(&texts, |text| {
                found.clear();
                detector.pii(text, &types, DEFAULT_THRESHOLD, None, &mut found);
                black_box(&found);
            }),
        ),
        (
            "mesh-detect, injection".to_owned(),
            best(&texts, |text| {
                black_box(detector.injection(text, Source::User, Sensitivity::Medium, None));
            }),
        ),
        (
            "RegexSet, eight plain patterns".to_owned(),
            best(&texts, |text| {
                black_box(set.matches(text));
            }),
        ),
        (
            "memcpy".to_owned(),
            best(&texts, |text| {
                copy.clear();
                copy.extend_from_slice(text.as_bytes());
                black_box(&copy);
            }),
        ),
    ];
    rates.extend(peers.iter().map(|peer| (peer.name.clone(), peer.rate)));
    report.add(Table {
        title: format!("Speed over {} rows, one core", texts.len()),
        columns: &["MB/s"],
        rows: rates.into_iter().map(|(name, rate)| (name, vec![Cell::Number(rate / 1e6)])).collect(),
    });
    Ok(())
}
