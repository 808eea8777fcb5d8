//! What was found on the way through a real mesh, beside what the detector alone finds: the figures, and in how many rows
//! the two differ.

use mesh_detect::{DEFAULT_THRESHOLD, Detector, Sensitivity, Source};
use serde_json::{Value, json};

use crate::pii;
use crate::report::{Cell, Report, Table};
use crate::score::Share;

/// How a row is sent, the key it has in the file, and whose words it is then.
const WAYS: [(&str, &str, Source); 3] = [
    ("chat message", "chat", Source::User),
    ("tool result", "tool", Source::ToolResult),
    ("MCP result", "mcp", Source::ToolResult),
];

/// From the most sensitive one.
const SENSITIVITIES: [Sensitivity; 3] = [Sensitivity::High, Sensitivity::Medium, Sensitivity::Low];

/// Compares; `said` has a line for each of `rows`.
pub(crate) fn measure(rows: &[Value], said: &[Value], report: &mut Report) -> Result<(), String> {
    if rows.len() != said.len() {
        return Err(format!("through Envoy: {} answers for {} rows", said.len(), rows.len()));
    }
    let (with_spans, labelled): (Vec<_>, Vec<_>) =
        rows.iter().zip(said).partition(|(row, _)| row.get("spans").is_some());
    if !with_spans.is_empty() {
        personal(&with_spans, report);
    }
    if !labelled.is_empty() {
        injection(&labelled, report);
    }
    Ok(())
}

fn personal(rows: &[(&Value, &Value)], report: &mut Report) {
    let detector = Detector::new();
    let of = |(name, key, _): &(&str, &str, Source)| {
        let sent: Vec<_> = rows.iter().filter(|(_, said)| !said[*key].is_null()).collect();
        let (mut through, mut alone, mut differ) = (pii::Scores::default(), pii::Scores::default(), 0);
        for (row, said) in &sent {
            let found = pii::from_spans(&said[*key], DEFAULT_THRESHOLD, false);
            let native = pii::ask(&detector, row, DEFAULT_THRESHOLD);
            differ +=
                usize::from(!native.iter().map(pii::Found::place).eq(found.iter().map(pii::Found::place)));
            through.judge(row, &found, |_, _, _, _| {});
            alone.judge(row, &native, |_, _, _, _| {});
        }
        let cells = vec![
            Cell::Count(sent.len()),
            Cell::Count(differ),
            Cell::Share(through.headline.f1()),
            Cell::Share(alone.headline.f1()),
            Cell::Share(through.false_alarms()),
            Cell::Share(alone.false_alarms()),
        ];
        ((*name).to_owned(), cells)
    };
    report.add(Table {
        title: "Personal data and secrets through Envoy, the eight headline types".to_owned(),
        columns: &["rows", "rows that differ", "F1", "F1 natively", "false-alarm rate", "natively"],
        rows: WAYS.iter().map(of).collect(),
    });
}

fn injection(rows: &[(&Value, &Value)], report: &mut Report) {
    let detector = Detector::new();
    let mut table = Vec::new();
    for (name, key, source) in WAYS {
        let sent: Vec<_> = rows.iter().filter(|(_, said)| !said[key].is_null()).collect();
        for (place, sensitivity) in SENSITIVITIES.iter().enumerate().rev() {
            // Hits through Envoy and natively, and rows; first of attacks, then of ordinary texts.
            let mut hits = [[0; 3]; 2];
            let mut differ = 0;
            for (row, said) in &sent {
                let text = row["text"].as_str().unwrap_or_default();
                let through = said[key].as_u64().is_some_and(|count| count as usize > place);
                let alone = detector.injection(text, source, *sensitivity, None).is_some();
                differ += usize::from(through != alone);
                let [through_hits, alone_hits, all] =
                    &mut hits[usize::from(row["label"] != json!("injection"))];
                *through_hits += usize::from(through);
                *alone_hits += usize::from(alone);
                *all += 1;
            }
            let [attacks, ordinary] = hits;
            let share = |of: [usize; 3], which: usize| Cell::Share(Share::of(of[which], of[2]));
            let cells = vec![
                Cell::Count(sent.len()),
                Cell::Count(differ),
                share(attacks, 0),
                share(attacks, 1),
                share(ordinary, 0),
                share(ordinary, 1),
            ];
            table.push((format!("{name}, {}", ["high", "medium", "low"][place]), cells));
        }
    }
    report.add(Table {
        title: "Injection through Envoy".to_owned(),
        columns: &["rows", "rows that differ", "recall", "recall natively", "false-alarm rate", "natively"],
        rows: table,
    });
}
