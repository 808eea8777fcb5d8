//! Trains the scorer of `mesh-detect` and measures it on sources it has not seen.
//!
//! ```text
//! cargo run --release -p mesh-detect-train -- weights FOLDER    writes detect/src/injection/scorer/weights.bin
//! cargo run --release -p mesh-detect-train -- check FOLDER      fails if that file is not what the recipe yields
//! cargo run --release -p mesh-detect-train -- folds FOLDER      leaves out source after source
//! cargo run --release -p mesh-detect-train -- texts FOLDER OUT  writes all texts as JSONL: what the judge's head learns from
//! cargo run --release -p mesh-detect-train -- say COUNT         prints texts of the grammars
//! ```
//!
//! The recipe: the grammars in `grammar/`, those rows of the folder's `injection_dev.jsonl` whose licence allows it, and the
//! texts of its `pii_dev.jsonl` as ordinary ones. The files must be those of [`ATTACKS_SHA256`] and [`ORDINARY_SHA256`]. The
//! same bytes come out on every machine.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod fold;
mod generate;
mod grammar;
mod model;
mod random;
mod rows;
mod weights;

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use mesh_detect::{Detector, Source};
use sha2::{Digest, Sha256};

use crate::generate::Amount;
use crate::model::{Model, Settings};
use crate::rows::{Row, Seen};

/// The rows that the shipped weights were trained on.
const ATTACKS_SHA256: &str = "35886aa8a993c5804e8b8415e73f59aea93eb6fc662e37f11434997956d2eea4";

/// Texts with personal data, logs and configuration that are no attacks.
const ORDINARY_SHA256: &str = "db2166802050dabf189acad2495c47d14f6f60ccb1d6f4166755f7b9bf1c03d9";

/// What the grammars said when the shipped weights were trained.
#[cfg(test)]
const GRAMMARS_SHA256: &str = "d33277ea3024a40086943e58d8d5533dfbaf1e1b3148960785b9c03502299778";

/// The settings of the shipped weights.
const SETTINGS: Settings = Settings { epochs: 12, alpha: 0.6, l1: 0.1, l2: 1.0, sources: 2, caution: 6.0 };
/// How many texts the grammars say.
const AMOUNT: Amount = Amount { english: 100, plain: 4, other: 12 };
const SEED: u64 = 1;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["weights", rows] => weights_of(rows)
            .and_then(|bytes| std::fs::write(shipped(), bytes).map_err(|error| format!("weights: {error}"))),
        ["check", rows] => weights_of(rows).and_then(|bytes| check(&bytes)),
        ["folds", rows] => folds(rows),
        ["texts", rows, out] => {
            texts(rows).and_then(|text| std::fs::write(out, text).map_err(|error| format!("{out}: {error}")))
        }
        ["say", count] => say(count),
        _ => Err("weights|check|folds FOLDER, texts FOLDER OUT.jsonl, or say COUNT".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn shipped() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/injection/scorer/weights.bin")
}

fn check(bytes: &[u8]) -> Result<(), String> {
    let have = std::fs::read(shipped()).map_err(|error| format!("weights: {error}"))?;
    if have == bytes { Ok(()) } else { Err("the shipped weights are not what the recipe yields".to_owned()) }
}

/// A file of the folder, which must have that sum.
fn file(folder: &str, name: &str, expected: &str) -> Result<String, String> {
    let path = Path::new(folder).join(name);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let sum = Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    if sum == expected {
        return Ok(text);
    }
    Err(format!("{}: has SHA-256 {sum}, the recipe needs {expected}", path.display()))
}

/// What is learned from beside the labelled rows: the grammars' texts, and ordinary ones.
fn made(folder: &str) -> Result<Vec<Row>, String> {
    let mut rows = generate::rows(SEED, AMOUNT)?;
    rows.extend(rows::ordinary(&file(folder, "pii_dev.jsonl", ORDINARY_SHA256)?)?);
    Ok(rows)
}

/// The labelled rows; each also in the other place where it could stand.
fn measured(folder: &str) -> Result<Vec<Row>, String> {
    let mut rows = rows::read(&file(folder, "injection_dev.jsonl", ATTACKS_SHA256)?)?;
    let planted: Vec<Row> = rows
        .iter()
        .filter(|row| row.place == Source::User && (rows::could_inform(row) || row.attack))
        .map(|row| Row { place: Source::ToolResult, ..row.clone() })
        .collect();
    rows.extend(planted);
    Ok(rows)
}

fn seen(rows: Vec<Row>, detector: &Detector) -> Vec<Seen> {
    rows.into_iter().map(|row| row.seen(detector)).collect()
}

fn weights_of(path: &str) -> Result<Vec<u8>, String> {
    let detector = Detector::new();
    let made = seen(made(path)?, &detector);
    let rows = seen(measured(path)?, &detector);
    let learned = || rows.iter().filter(|seen| !seen.row.source.starts_with(fold::NOT_LEARNED)).chain(&made);
    let mut bytes = Vec::new();
    for informs in [false, true] {
        let model = Model::learn(&fold::examples(learned(), informs), SETTINGS);
        bytes.extend(weights::bytes(&model));
    }
    Ok(bytes)
}

fn folds(path: &str) -> Result<(), String> {
    let detector = Detector::new();
    let made = seen(made(path)?, &detector);
    let rows = seen(measured(path)?, &detector);
    let attacks = made.iter().filter(|seen| seen.row.attack).count();
    println!("{} texts beside the rows, {attacks} of them attacks\n", made.len());
    for (who, informs) in [("users", false), ("tools and documents", true)] {
        for (learns, learn_rows) in [("grammars and the other sources", true), ("grammars alone", false)] {
            let judged = fold::judge(&rows, &made, informs, learn_rows, SETTINGS);
            println!("# Texts of {who}; learned from {learns}\n");
            if learn_rows {
                fold::curve("rules alone", &judged, informs, |j| {
                    j.seen.rules.iter().copied().fold(0.0, f32::max)
                });
            }
            fold::curve("scorer alone", &judged, informs, |j| j.margin);
            fold::curve("together", &judged, informs, |j| j.together);
        }
    }
    Ok(())
}

/// Every text with its label. A row that was measured has its fold, and the margin by a model that saw neither its source
/// nor its near-duplicates.
fn texts(path: &str) -> Result<String, String> {
    let detector = Detector::new();
    let made = seen(made(path)?, &detector);
    let rows = seen(measured(path)?, &detector);
    let mut out = String::new();
    let mut line = |row: &Row, more: serde_json::Value| {
        let mut value = serde_json::json!({
            "text": row.text, "attack": row.attack, "hard": row.hard, "informs": row.informs(), "source": row.source,
            "group": row.group, "kind": row.kind, "lang": row.lang,
        });
        if let (Some(value), serde_json::Value::Object(more)) = (value.as_object_mut(), more) {
            value.extend(more);
        }
        out.push_str(&value.to_string());
        out.push('\n');
    };
    for informs in [false, true] {
        for judged in fold::judge(&rows, &made, informs, true, SETTINGS) {
            let row = &judged.seen.row;
            line(
                row,
                serde_json::json!({
                    "fold": fold::fold_of(&row.source),
                    "learned": !row.source.starts_with(fold::NOT_LEARNED),
                    "ordinary": fold::ordinary(&judged),
                    "margin": judged.together,
                }),
            );
        }
    }
    made.iter().for_each(|seen| line(&seen.row, serde_json::json!({ "learned": true })));
    Ok(out)
}

fn say(count: &str) -> Result<(), String> {
    let count: usize = count.parse().map_err(|error| format!("{count}: {error}"))?;
    let made = generate::rows(SEED, Amount { english: 5, plain: 5, other: 5 })?;
    let mut random = random::Random::new(SEED);
    for _ in 0..count {
        let row = random.pick(&made);
        println!("{} {} {:?}: {:?}", if row.attack { "+" } else { "-" }, row.source, row.place, row.text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The grammars say the same on every machine; who changes them trains anew (`weights`) and writes down the new sum.
    #[test]
    fn the_grammars_say_what_the_shipped_weights_learned() {
        let mut sum = Sha256::new();
        for row in generate::rows(SEED, AMOUNT).unwrap() {
            sum.update(format!("{} {:?} {} {}\n", row.attack, row.place, row.source, row.text));
        }
        let sum = sum.finalize().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        assert_eq!(sum, GRAMMARS_SHA256);
    }

    #[test]
    fn the_shipped_weights_have_the_size_of_two_tables() {
        assert_eq!(std::fs::metadata(shipped()).unwrap().len(), 2 * (8 + mesh_detect::SLOTS as u64));
    }
}
