//! Trains the scorer of `mesh-detect`.
#![allow(clippy::indexing_slicing, clippy::panic)]

mod fold;
mod generate;
mod grammar;
mod model;
mod random;
mod rows;

use mesh_detect::{Detector, Source};

fn main() {
    let path = std::env::args().nth(1).unwrap();
    let detector = Detector::new();
    let mut rows = rows::read(&std::fs::read_to_string(path).unwrap()).unwrap();
    let extra: Vec<_> = rows
        .iter()
        .filter(|row| row.place == Source::User && (rows::could_inform(row) || row.attack))
        .map(|row| rows::Row { place: Source::ToolResult, ..row.clone() })
        .collect();
    let extra2: Vec<_> = rows
        .iter()
        .filter(|row| row.informs())
        .map(|row| rows::Row { place: Source::User, source: format!("{}", row.source), kind: format!("x_{}", row.kind), ..row.clone() })
        .collect();
    rows.extend(extra);
    let _ = extra2;
    let seen: Vec<_> = rows.into_iter().map(|row| row.seen(&detector)).collect();
    let f = |i: usize, d: f32| std::env::args().nth(i).map_or(d, |v| v.parse().unwrap());
    let settings = model::Settings { epochs: f(2, 6.0) as usize, alpha: f(3, 0.3), l1: f(4, 0.3), l2: f(5, 1.0), sources: f(6, 2.0) as u32, caution: f(7, 1.5) };
    let amount = generate::Amount { english: f(8, 100.0) as usize, other: f(9, 40.0) as usize };
    let made = generate::rows(1, amount).unwrap();
    if std::env::args().nth(2).is_some_and(|v| v == "0") {
        let mut r = random::Random::new(5);
        for _ in 0..60 { let row = r.pick(&made); println!("{} {} {:?}\n   {:?}", row.attack, row.source, row.place, row.text); }
        return;
    }
    let made: Vec<_> = made.into_iter().map(|row| row.seen(&detector)).collect();
    println!("{} generated, {} attacks", made.len(), made.iter().filter(|s| s.row.attack).count());
    for informs in [false, true] {
        let judged = fold::judge(&seen, &made, informs, std::env::var("ROWS").is_ok(), settings);
        if std::env::var("LONG").is_ok() { fold::curve("rules", &judged, informs, |j| j.seen.rules); }
        fold::curve("scorer", &judged, informs, |j| j.margin);
        for k in [1.5, 3.0] {
            fold::curve(&format!("both {k}"), &judged, informs, |j| j.margin + k * j.seen.rules);
        }
    }
}
