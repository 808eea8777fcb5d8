//! `cargo xtask eval`: how good detection is, on labelled rows of anybody's.

mod peer;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::run::{cargo, run as start, say};

const USAGE: &str = "\
Usage: cargo xtask eval [FILE.jsonl]... [--compare presidio] [--threshold SCORE] [--errors NAME]

Measures detection on labelled rows and prints precision, recall, F1 and false-alarm rates by type, tier, language and
source, with 95 % confidence intervals, and the same at several scores. Writes report.md and report.json into `eval` in
the target folder. With no file: every .jsonl of ../shared/data/eval.

  --compare presidio  also install Presidio's pattern recognisers (from PyPI, into the target folder) and score them on
                      the same rows
  --threshold SCORE   the score from which a finding counts in the detailed tables (0.5)
  --errors NAME       print the errors of this type (PHONE, NEGATIVE, CONTEXTUAL, BOUNDS) or source; shows row text
  --help              this text

A row of personal data or secrets: {\"text\": \"…\", \"spans\": [{\"start\": 0, \"end\": 4, \"type\": \"SSN\"}], \"source\": \"mine\",
\"tier\": \"strict\", \"lang\": \"en\"}; offsets are bytes of UTF-8; a row with tier \"negative\" holds nothing. A row of
injection has \"label\": \"injection\" or \"benign\" instead of spans; its figures are printed only.

Examples:
  cargo xtask eval
  cargo xtask eval mine.jsonl --compare presidio
  cargo xtask eval mine.jsonl --errors PHONE

Rows go to the detector directly: there is no mode that sends them through Envoy.
";

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    files: Vec<PathBuf>,
    presidio: bool,
    /// Flags that the measuring program understands itself.
    passed: Vec<String>,
}

/// Runs the command. A command line that says nothing to measure ends with 2, a failure with 1.
pub(crate) fn run(rest: &[String]) -> ExitCode {
    if rest.iter().any(|word| word == "--help" || word == "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let usage = |failure: Failure| {
        eprintln!("xtask: {failure}");
        ExitCode::from(2)
    };
    let mut request = match read(rest) {
        Ok(request) => request,
        Err(failure) => return usage(failure),
    };
    let done = Place::find().and_then(|place| {
        if request.files.is_empty() {
            request.files = shipped(&place);
        }
        if request.files.is_empty() { Ok(false) } else { measure(&place, &request).map(|()| true) }
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => usage(Failure::new(
            "there is nothing to measure: name files with labelled rows, as in `cargo xtask eval mine.jsonl` \
             (`--help` shows the form), or put some into ../shared/data/eval",
        )),
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn read(rest: &[String]) -> Outcome<Request> {
    let mut request = Request::default();
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let mut value = |example: &str| {
            words
                .next()
                .cloned()
                .ok_or_else(|| Failure::new(format!("`{word}` wants a value, as in `{word} {example}`")))
        };
        match word.as_str() {
            "--" => {}
            "--compare" => match value("presidio")?.as_str() {
                "presidio" => request.presidio = true,
                other => {
                    return Err(Failure::new(format!("there is no peer `{other}`; there is `presidio`")));
                }
            },
            "--threshold" => {
                let score = value("0.5")?;
                if !score.parse::<f32>().is_ok_and(|score| (0.0..=1.0).contains(&score)) {
                    return Err(Failure::new(format!(
                        "`--threshold {score}`: a score is a number from 0 to 1"
                    )));
                }
                request.passed.extend([word.clone(), score]);
            }
            "--errors" => {
                let name = value("PHONE")?;
                request.passed.extend([word.clone(), name]);
            }
            flag if flag.starts_with('-') => {
                return Err(Failure::new(format!(
                    "`eval` has no flag `{flag}`; `cargo xtask eval --help` lists them"
                )));
            }
            file => match PathBuf::from(file) {
                path if path.is_file() => request.files.push(path),
                _ => return Err(Failure::new(format!("there is no file `{file}`"))),
            },
        }
    }
    Ok(request)
}

/// The development sets beside the clone, if they are there.
fn shipped(place: &Place) -> Vec<PathBuf> {
    let folder = place.root.join("../shared/data/eval");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    files.sort();
    files
}

fn measure(place: &Place, request: &Request) -> Outcome {
    say("building the measuring program");
    start(cargo().current_dir(&place.root).args([
        "build",
        "--release",
        "--package",
        "mesh-detect",
        "--example",
        "eval",
    ]))?;
    let folder = place.target.join("eval");
    let mut command = Command::new(place.target.join("release/examples/eval"));
    command.args(&request.files).args(&request.passed).arg("--report").arg(&folder);
    if request.presidio {
        let predictions = peer::presidio(place, &request.files)?;
        command.arg("--peer").arg(format!("presidio={}", predictions.display()));
    }
    start(&mut command)?;
    say(format_args!("wrote {0}/report.md and {0}/report.json", folder.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_files_and_known_flags() {
        let cases = [
            ("", true),
            ("--compare presidio", true),
            ("--threshold 0.4 --errors PHONE", true),
            ("--compare hyperscan", false),
            ("--compare", false),
            ("--threshold high", false),
            ("--through-envoy", false),
            ("no-such-file.jsonl", false),
        ];
        for (line, accepted) in cases {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(read(&words).is_ok(), accepted, "{line}");
        }
    }
}
