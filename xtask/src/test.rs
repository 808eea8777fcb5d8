//! `cargo xtask test`: sets up what the tests need, starts private servers for them, and runs them all.

use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::run::{cargo, run as start, say};
use crate::services::{Postgres, Redis};
use crate::{build, setup};

/// Which tests were asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Selection {
    /// Crates named with `-p`; empty: all.
    crates: Vec<String>,
    /// Words that a test's name must contain one of; empty: all.
    words: Vec<String>,
}

/// Runs the tests; the last lines printed are cargo's own.
pub(crate) fn run(rest: &[String]) -> Outcome {
    let selection = select(rest)?;
    let place = Place::find()?;
    let tools = setup::for_tests(&place)?;
    build::filter(&place)?;

    // The filter is a wasm module: its host functions exist in Envoy only, so it is tested there.
    let mut chosen = vec!["--workspace", "--exclude", "mesh-filter", "--exclude", "mesh-bench-empty-filter"];
    if !selection.crates.is_empty() {
        chosen.clear();
        chosen.extend(selection.crates.iter().flat_map(|name| ["-p", name.as_str()]));
    }
    say("building the tests");
    if selection.crates.is_empty() {
        // Binaries and tests together: one set of features, so nothing is compiled twice.
        start(cargo().current_dir(&place.root).arg("build").args(&chosen).args(["--bins", "--tests"]))?;
    } else {
        start(cargo().current_dir(&place.root).args(["build", "-p", "mesh-cli"]))?;
    }

    // A workspace of its own, built optimised: a model is too slow otherwise.
    let judge = place.target.join("judge");
    say("building the judge");
    let of_judge = |verb: &str| {
        let mut command = cargo();
        command.current_dir(&place.root).args([verb, "--release", "--locked"]);
        command.args(["--manifest-path", "judge/Cargo.toml", "--target-dir"]).arg(&judge);
        command
    };
    start(of_judge("build").arg("--bins"))?;
    if selection.crates.is_empty() && selection.words.is_empty() {
        start(&mut of_judge("test"))?;
    }

    let postgres = Postgres::start(&tools.postgres)?;
    let redis = Redis::start(&tools.redis)?;
    say("running the tests");
    let mut command = cargo();
    command
        .current_dir(&place.root)
        .arg("test")
        .args(&chosen)
        .arg("--no-fail-fast")
        .env("AI_MESH_TEST_POSTGRES", postgres.url())
        .env("AI_MESH_TEST_REDIS", redis.url())
        .env("AI_MESH_REDIS_SERVER", &tools.redis)
        .env("AI_MESH_ENVOY", &tools.envoy)
        .env("AI_MESH_FILTER", place.filter())
        .env("AI_MESH_BIN", place.binary("debug", "ai-mesh"))
        .env("AI_MESH_PYTHON", &tools.python)
        .env("AI_MESH_JUDGE_MODEL", &tools.judge_model)
        .env("AI_MESH_JUDGE_BIN", judge.join("release/ai-mesh-judge"))
        .env("AI_MESH_NODE", &tools.node)
        .env("AI_MESH_NODE_MODULES", &tools.node_modules);
    if !selection.words.is_empty() {
        command.arg("--").args(&selection.words);
    }
    start(&mut command)
}

/// Reads `[-p CRATE]... [WORD]...`.
fn select(rest: &[String]) -> Outcome<Selection> {
    let mut selection = Selection::default();
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--" => {}
            "-p" | "--package" => match words.next() {
                Some(name) => selection.crates.push(name.clone()),
                None => return Err(Failure::new("`-p` wants the name of a crate, as in `-p mesh-wire`")),
            },
            flag if flag.starts_with('-') => {
                return Err(Failure::new(format!(
                    "`test` has no flag `{flag}`; it takes -p CRATE and words"
                )));
            }
            _ => selection.words.push(word.clone()),
        }
    }
    Ok(selection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_crates_and_words() {
        let cases = [
            ("", Some((vec![], vec![]))),
            ("sse redact", Some((vec![], vec!["sse", "redact"]))),
            ("-p mesh-wire sse", Some((vec!["mesh-wire"], vec!["sse"]))),
            ("-- sse", Some((vec![], vec!["sse"]))),
            ("-p", None),
            ("--nocapture", None),
        ];
        for (line, expected) in cases {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let found = select(&words).ok();
            let expected = expected.map(|(crates, words)| Selection {
                crates: crates.into_iter().map(str::to_owned).collect(),
                words: words.into_iter().map(str::to_owned).collect(),
            });
            assert_eq!(found, expected, "{line}");
        }
    }
}
