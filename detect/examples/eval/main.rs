//! Measures the detectors on labelled rows.
//!
//! ```text
//! cargo xtask eval FILE.jsonl
//! cargo run --release -p mesh-detect --example eval -- FILE.jsonl [--errors TYPE-OR-SOURCE] [--threshold 0.5] [--rules]
//!     [--report FOLDER] [--peer NAME=PREDICTIONS.jsonl] [--speed] [--peer-speed NAME=SPEED.json] [--through ANSWERS.jsonl]
//!     [--judge URL]
//! ```
//!
//! A row with `spans` measures personal data and secrets, one with `label` measures injection. Only figures are
//! printed, unless `--errors` asks for the rows themselves. A peer's predictions are one line a row with `spans`, in the
//! order of all rows of all files: `[[start, end, type, score], …]`, in bytes; its speed is `{"bytes": …, "seconds": …}`.
//! `--through` takes what `tests/examples/eval_envoy.rs` writes.

mod injection;
mod judge;
mod pii;
mod report;
mod rows;
mod score;
mod speed;
mod through;

use std::path::PathBuf;
use std::process::ExitCode;

/// What the command line asks for.
struct Options {
    files: Vec<String>,
    errors: Option<String>,
    threshold: f32,
    rules: bool,
    report: Option<PathBuf>,
    peers: Vec<(String, String)>,
    speed: bool,
    speeds: Vec<speed::Speed>,
    through: Option<String>,
    judge: Option<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        files: Vec::new(),
        errors: None,
        threshold: mesh_detect::DEFAULT_THRESHOLD,
        rules: false,
        report: None,
        peers: Vec::new(),
        speed: false,
        speeds: Vec::new(),
        through: None,
        judge: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--errors" => options.errors = Some(value()?),
            "--threshold" => {
                options.threshold = value()?.parse().map_err(|error| format!("--threshold: {error}"))?;
            }
            "--rules" => options.rules = true,
            "--report" => options.report = Some(value()?.into()),
            "--peer" => {
                let value = value()?;
                let (name, file) = value.split_once('=').ok_or("--peer takes NAME=FILE")?;
                options.peers.push((name.to_owned(), file.to_owned()));
            }
            "--speed" => options.speed = true,
            "--peer-speed" => {
                let value = value()?;
                let (name, file) = value.split_once('=').ok_or("--peer-speed takes NAME=FILE")?;
                options.speeds.push(speed::Speed::read(name, file)?);
            }
            "--judge" => options.judge = Some(value()?),
            "--through" => options.through = Some(value()?),
            flag if flag.starts_with('-') => return Err(format!("there is no flag {flag}")),
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
    let mut with_spans = Vec::new();
    let mut report = report::Report::default();
    let mut all = Vec::new();
    for file in &options.files {
        let rows = rows::labelled(file)?;
        println!("# {file}: {} rows\n", rows.len());
        pii::tell_unmeasured(&rows);
        all.extend(rows.iter().cloned());
        let (spans, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.get("spans").is_some());
        with_spans.extend(spans);
        if others.iter().any(|row| row.get("label").is_some()) {
            injection::measure(&others, file, &options, &mut report);
            if let Some(url) = &options.judge {
                judge::measure(url, &others, file, &mut report)?;
            }
        }
    }
    if !with_spans.is_empty() {
        pii::measure(&with_spans, &options, &mut report);
        for (name, file) in &options.peers {
            pii::measure_peer(name, &with_spans, &rows::lines(file)?, &mut report)?;
        }
    }
    if let Some(file) = &options.through {
        through::measure(&all, &rows::lines(file)?, &mut report)?;
    }
    if options.speed {
        speed::measure(&all, &options.speeds, &mut report)?;
    }
    match &options.report {
        Some(folder) => report.write(folder),
        None => Ok(()),
    }
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
