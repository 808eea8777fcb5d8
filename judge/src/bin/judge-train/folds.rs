//! What a second opinion adds on sources that neither tier has seen.

use crate::texts::Row;

/// Scores of the first tier from which the judge is asked.
const FROM: [f32; 3] = [0.2, 0.25, 0.3];
/// The judge's scores from which a text is an attack.
const THRESHOLDS: [f32; 6] = [0.5, 0.7, 0.8, 0.9, 0.95, 0.98];
/// Rates of false alarms.
const RATES: [f64; 4] = [0.0025, 0.005, 0.01, 0.02];

/// Prints recall and false alarms: of the first tier alone at stated rates, and of both as a rule has them.
pub(crate) fn print(rows: &[Row], scores: &[f32]) {
    for (who, informs) in [("Users", false), ("Tool results and documents", true)] {
        let here = |at: &usize| rows[*at].fold.is_some() && rows[*at].informs == informs;
        let places: Vec<usize> = (0..rows.len()).filter(here).collect();
        let of = |wanted: fn(&Row) -> bool| -> Vec<usize> {
            places.iter().copied().filter(|at| wanted(&rows[*at])).collect()
        };
        let attacks = of(|row| row.attack);
        let hard = of(|row| !row.attack && row.hard);
        let usual = of(|row| {
            !row.attack
                && !row.hard
                && if row.informs { row.ordinary } else { row.kind != "benign_system_prompt" }
        });
        println!("# {who}: {} attacks, {} ordinary, {} hard\n", attacks.len(), usual.len(), hard.len());
        let line = |name: &str, holds: &dyn Fn(usize) -> bool, asked: &dyn Fn(usize) -> bool| {
            let share = |of: &[usize], holds: &dyn Fn(usize) -> bool| {
                of.iter().filter(|at| holds(**at)).count() as f64 / of.len().max(1) as f64
            };
            println!(
                "{name:34} recall {:.3}, false alarms {:.2} %, hard {:.2} %, asked of attacks {:.3}, of the ordinary {:.3}",
                share(&attacks, holds),
                100.0 * share(&usual, holds),
                100.0 * share(&hard, holds),
                share(&attacks, asked),
                share(&usual, asked),
            );
        };
        let nobody = |_: usize| false;
        let mut ordinary: Vec<f32> = usual.iter().map(|at| rows[*at].margin).collect();
        ordinary.sort_by(|one, other| other.total_cmp(one));
        for rate in RATES {
            let allowed = (ordinary.len() as f64 * rate) as usize;
            let point = ordinary.get(allowed).copied().unwrap_or(f32::NEG_INFINITY);
            line(&format!("first tier alone at {} %", rate * 100.0), &|at| rows[at].margin > point, &nobody);
        }
        let found = |at: usize| rows[at].score() >= 0.5;
        let mut judged: Vec<f32> = usual.iter().map(|at| scores[*at]).collect();
        judged.sort_by(|one, other| other.total_cmp(one));
        for rate in RATES {
            let allowed = (judged.len() as f64 * rate) as usize;
            let point = judged.get(allowed).copied().unwrap_or(f32::NEG_INFINITY);
            line(
                &format!("judge alone at {} % ({point:.3})", rate * 100.0),
                &|at| scores[at] > point,
                &nobody,
            );
        }
        line("first tier at medium", &found, &nobody);
        for from in FROM {
            let asked = |at: usize| !found(at) && rows[at].score() >= from;
            for threshold in THRESHOLDS {
                let both = |at: usize| found(at) || asked(at) && scores[at] >= threshold;
                line(&format!("both, from {from}, judge {threshold}"), &both, &asked);
            }
        }
        println!();
    }
}

/// The judge's score of each measured row that it was shown, by one that saw neither its source nor its near-duplicates: `learn`
/// is told from which rows to learn and which to judge.
pub(crate) fn left_out(
    rows: &[Row],
    mut learn: impl FnMut(&[usize], &[usize]) -> Result<Vec<f32>, String>,
) -> Result<Vec<f32>, String> {
    let mut scores = vec![0.0; rows.len()];
    let folds = rows.iter().filter_map(|row| row.fold).max().unwrap_or_default();
    for fold in 0..=folds {
        let groups: std::collections::HashSet<&str> =
            rows.iter().filter(|row| row.fold == Some(fold)).map(|row| row.group.as_str()).collect();
        let learned: Vec<usize> = (0..rows.len())
            .filter(|at| {
                let row = &rows[*at];
                row.learned && row.shown && row.fold != Some(fold) && !groups.contains(row.group.as_str())
            })
            .collect();
        let judged: Vec<usize> =
            (0..rows.len()).filter(|at| rows[*at].fold == Some(fold) && rows[*at].shown).collect();
        for (at, score) in judged.iter().zip(learn(&learned, &judged)?) {
            scores[*at] = score;
        }
    }
    Ok(scores)
}
