//! Logistic regression by gradient descent over all texts at once: additions, multiplications and one exponential, on one
//! thread.
use std::collections::BTreeMap;

use mesh_judge::{Head, SIZE};

use crate::texts::Row;

/// Steps of descent.
const STEPS: usize = 400;
/// How far a step goes, and what it keeps of the last ones' direction.
const RATE: f32 = 8.0;
const MOMENTUM: f32 = 0.9;
/// What weights cost.
const L2: f32 = 1e-4;
/// How much more a false alarm costs than a miss.
const CAUTION: f32 = 1.0;
/// What a made-up attack counts beside a real one.
const MADE_UP: f32 = 0.4;

/// Learns from the rows at these places.
pub(crate) fn learn(rows: &[Row], numbers: &[Vec<f32>], places: &[usize]) -> Head {
    let weights = weights(rows, places);
    let total: f32 = weights.iter().sum();
    let (mut head, mut bias) = (vec![0.0_f32; SIZE], 0.0_f32);
    let (mut speed, mut bias_speed) = (vec![0.0_f32; SIZE], 0.0_f32);
    for _ in 0..STEPS {
        let mut slope = vec![0.0_f32; SIZE];
        let mut bias_slope = 0.0;
        for (at, weight) in places.iter().zip(&weights) {
            let margin: f32 = head.iter().zip(&numbers[*at]).map(|(w, x)| w * x).sum::<f32>() + bias;
            let wanted = if rows[*at].attack { 1.0 } else { 0.0 };
            let error = (1.0 / (1.0 + (-margin).exp()) - wanted) * weight / total;
            slope.iter_mut().zip(&numbers[*at]).for_each(|(slope, x)| *slope += error * x);
            bias_slope += error;
        }
        for ((weight, slope), speed) in head.iter_mut().zip(&slope).zip(&mut speed) {
            *speed = MOMENTUM * *speed - RATE * (slope + L2 * *weight);
            *weight += *speed;
        }
        bias_speed = MOMENTUM * bias_speed - RATE * bias_slope;
        bias += bias_speed;
    }
    Head::new(head, bias)
}

/// What the rows at these places weigh.
pub(crate) fn weights(rows: &[Row], places: &[usize]) -> Vec<f32> {
    let mut sources: BTreeMap<&str, f32> = BTreeMap::new();
    for at in places {
        *sources.entry(&rows[*at].source).or_default() += 1.0;
    }
    // A large source does not drown the small ones.
    let weight = |row: &Row| {
        let source = (20.0 / (sources[row.source.as_str()] + 20.0)).sqrt();
        let made_up = if row.fold.is_none() && row.attack { MADE_UP } else { 1.0 };
        source * made_up * if row.attack { 1.0 } else { CAUTION }
    };
    places.iter().map(|at| weight(&rows[*at])).collect()
}
