//! Measures the detectors on labelled rows.
//!
//! ```text
//! cargo run --release -p mesh-detect --example eval -- FILE.jsonl [--errors TYPE-OR-SOURCE] [--threshold 0.5] [--rules]
//! ```
//!
//! A row with `spans` measures personal data and secrets, one with `label` measures injection. Only figures are
//! printed, unless `--errors` asks for the rows themselves.

mod injection;
mod pii;
mod score;

use std::process::ExitCode;

/// What the command line asks for.
struct Options {
    files: Vec<String>,
    errors: Option<String>,
    threshold: f32,
    rules: bool,
}

fn options() -> Result<Options, String> {
    let mut options =
        Options { files: Vec::new(), errors: None, threshold: mesh_detect::DEFAULT_THRESHOLD, rules: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--errors" => options.errors = Some(value()?),
            "--threshold" => {
                options.threshold = value()?.parse().map_err(|error| format!("--threshold: {error}"))?;
            }
            "--rules" => options.rules = true,
            _ => options.files.push(argument),
        }
    }
    if options.files.is_empty() {
        Err("name a JSONL file with labelled rows".to_owned())
    } else {
        Ok(options)
    }
}

fn run() -> Result<(), String> {
    let options = options()?;
    for file in &options.files {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let mut rows = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let row: serde_json::Value =
                serde_json::from_str(line).map_err(|error| format!("{file}:{}: {error}", number + 1))?;
            rows.push(row);
        }
        println!("# {file}: {} rows\n", rows.len());
        if rows.iter().any(|row| row.get("spans").is_some()) {
            pii::measure(&rows, &options);
        }
        if rows.iter().any(|row| row.get("label").is_some()) {
            injection::measure(&rows, &options);
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
