//! `cargo xtask eval`: how good detection is, on labelled rows from any file.

mod envoy;
mod peer;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::failure::{Doing, Failure, Outcome};
use crate::place::Place;
use crate::run::{cargo, run as start, say};
use peer::Peer;

const USAGE: &str = "\
Usage: cargo xtask eval [FILE.jsonl]... [--compare PEER]... [--speed] [--through-envoy] [--judge URL]
                        [--threshold SCORE] [--errors NAME]

Measures detection on labelled rows and prints precision, recall, F1 and false-alarm rates by type, tier, language and
source, with 95 % confidence intervals, and the same at several scores; of injection, recall and false alarms at every
sensitivity and at stated rates. Writes report.md and report.json into `eval` in the target folder. With no file: every
.jsonl of ../shared/data/eval.

  --compare PEER      also install a peer (from PyPI, into the target folder) and run it on the same rows: `presidio`, its
                      pattern recognisers, or `hyperscan`, for speed; may be given twice; implies --speed
  --speed             how fast: ours, plain patterns in one RegexSet, and memcpy
  --through-envoy     also send every row through a mesh on this machine, as a chat message, as a tool's result and as an
                      MCP result, and compare with what the detector finds alone
  --judge URL         also ask a classifier about doubtful injection rows, as `judge` of an injection rule does by default, and
                      report what it adds at each of its scores; such as a running ai-mesh-judge
  --threshold SCORE   the score from which a finding counts in the detailed tables (0.5)
  --errors NAME       print the errors of this type (PHONE, NEGATIVE, CONTEXTUAL, BOUNDS) or source; shows row text
  --help              this text

A row of personal data or secrets: {\"text\": \"…\", \"spans\": [{\"start\": 0, \"end\": 4, \"type\": \"SSN\"}], \"source\": \"mine\",
\"tier\": \"strict\", \"lang\": \"en\"}; offsets are bytes of UTF-8; a row with tier \"negative\" holds nothing. A row of
injection has \"label\": \"injection\" or \"benign\" instead of spans.

Examples:
  cargo xtask eval
  cargo xtask eval mine.jsonl --compare presidio
  cargo xtask eval mine.jsonl --errors PHONE
  cargo xtask eval mine.jsonl --through-envoy
  cargo xtask eval mine.jsonl --judge http://127.0.0.1:8095
";

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    files: Vec<PathBuf>,
    peers: Vec<Peer>,
    through_envoy: bool,
    /// Flags that the measuring program understands itself.
    passed: Vec<String>,
}

/// Runs the command. Exit code 2 if there is nothing to measure, 1 for a failure.
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
            "--compare" => {
                let name = value("presidio")?;
                let peer = Peer::named(&name).ok_or_else(|| {
                    let known = Peer::ALL.map(|(name, _)| format!("`{name}`")).join(" and ");
                    Failure::new(format!("there is no peer `{name}`; there are {known}"))
                })?;
                request.peers.push(peer);
                request.passed.push("--speed".to_owned());
            }
            "--speed" => request.passed.push(word.clone()),
            "--through-envoy" => request.through_envoy = true,
            "--judge" => {
                let url = value("http://127.0.0.1:8095")?;
                request.passed.extend([word.clone(), url]);
            }
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
    fs::create_dir_all(&folder).doing(format_args!("make the folder {}", folder.display()))?;
    let mut command = Command::new(place.target.join("release/examples/eval"));
    command.args(&request.files).args(&request.passed).arg("--report").arg(&folder);
    for peer in &request.peers {
        command.args(peer.run(place, &folder, &request.files)?);
    }
    if request.through_envoy {
        command.arg("--through").arg(envoy::answers(place, &folder, &request.files)?);
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
            ("--compare hyperscan --compare presidio", true),
            ("--speed", true),
            ("--compare grep", false),
            ("--compare", false),
            ("--threshold high", false),
            ("--through-envoy", true),
            ("--judge http://127.0.0.1:8095", true),
            ("--judge", false),
            ("no-such-file.jsonl", false),
        ];
        for (line, accepted) in cases {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(read(&words).is_ok(), accepted, "{line}");
        }
    }

    #[test]
    fn the_documented_command_lines_are_understood() {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let text = std::fs::read_to_string(root.join("docs/detection.md")).unwrap_or_default();
        let mut count = 0;
        for line in text.lines().chain(USAGE.lines()).filter(|line| !line.contains('[')) {
            let line = line.split('#').next().unwrap_or_default().trim();
            let Some(rest) = line.strip_prefix("cargo xtask eval") else { continue };
            // Any existing file will do in place of the reader's own.
            let rest = rest.replace("mine.jsonl", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
            let words: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
            assert!(read(&words).is_ok(), "{line}");
            count += 1;
        }
        assert!(count >= 10, "only {count} command lines were found");
    }
}
