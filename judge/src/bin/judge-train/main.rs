//! Trains the shipped head and measures what it adds to the first tier, on sources that neither has seen.
//!
//! ```text
//! cargo run --release -p mesh-detect-train -- texts FOLDER texts.jsonl
//! cargo run --release --bin judge-train -- folds MODEL texts.jsonl    leaves out source after source
//! cargo run --release --bin judge-train -- tuned MODEL texts.jsonl    the same with the last layer fine-tuned instead of a head
//! cargo run --release --bin judge-train -- head MODEL texts.jsonl     writes judge/src/head.bin
//! cargo run --release --bin judge-train -- check MODEL texts.jsonl    fails if that file is another
//! ```
//!
//! MODEL is the folder of all-MiniLM-L6-v2. The encoder stays as it is: what it says of each text is computed once and kept
//! beside the texts (`texts.jsonl.numbers`); with one thread (`RAYON_NUM_THREADS=1`) the same bytes come out again.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod folds;
mod learn;
mod texts;
mod tune;

use std::path::Path;
use std::process::ExitCode;

use mesh_judge::{Classifier, Options};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [verb @ ("folds" | "head" | "check" | "tuned"), model, texts] => run(verb, model, texts),
        _ => Err("folds|tuned|head|check MODEL TEXTS.jsonl".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("judge-train: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(verb: &str, model: &str, path: &str) -> Result<(), String> {
    let rows = texts::read(path)?;
    let classifier = Classifier::load(Path::new(model), Options { max_tokens: texts::MAX_TOKENS });
    let classifier = classifier.map_err(|error| error.to_string())?;
    if verb == "tuned" {
        let file = Path::new(model).join("model.safetensors");
        let weights = candle_core::safetensors::load(&file, &candle_core::Device::Cpu)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let states = texts::states(&classifier, &rows, tune::ALL - tune::LAYERS)?;
        let scores = folds::left_out(&rows, |learned, judged| {
            let top = tune::learn(&weights, &rows, &states, learned).map_err(|error| error.to_string())?;
            tune::scores(&top, &states, judged).map_err(|error| error.to_string())
        })?;
        folds::print(&rows, &scores);
        return Ok(());
    }
    let numbers = texts::numbers(&classifier, &rows, path)?;
    if verb == "folds" {
        let scores = folds::left_out(&rows, |learned, judged| {
            let head = learn::learn(&rows, &numbers, learned);
            Ok(judged.iter().map(|at| head.score(&numbers[*at])).collect())
        })?;
        folds::print(&rows, &scores);
        return Ok(());
    }
    let learned: Vec<usize> = (0..rows.len()).filter(|at| rows[*at].learned && rows[*at].shown).collect();
    let bytes = learn::learn(&rows, &numbers, &learned).bytes();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/head.bin");
    if verb == "head" {
        return std::fs::write(&shipped, bytes).map_err(|error| format!("{}: {error}", shipped.display()));
    }
    match std::fs::read(&shipped) {
        Ok(have) if have == bytes => Ok(()),
        Ok(_) => Err("the shipped head is not what the recipe yields".to_owned()),
        Err(error) => Err(format!("{}: {error}", shipped.display())),
    }
}
