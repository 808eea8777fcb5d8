//! The linear model: FTRL-proximal on the squared hinge of a text's worst window. Only additions, multiplications,
//! divisions and square roots, one thread: the same bytes on every machine.

use mesh_detect::{LEAST, SLOTS};

use crate::random::Random;

/// What the rules' score weighs beside the scorer's margin; the detector has the same number.
const RULES_WEIGH: f32 = 3.0;

/// How the model learns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) epochs: usize,
    pub(crate) alpha: f32,
    pub(crate) l1: f32,
    pub(crate) l2: f32,
    /// A slot that fewer sources use says more about its source than about attacks.
    pub(crate) sources: u32,
    /// How much more a false alarm costs than a miss.
    pub(crate) caution: f32,
}

/// One text to learn from.
#[derive(Debug, Clone)]
pub(crate) struct Example {
    /// Slots, segment by segment.
    pub(crate) segments: Vec<Vec<u32>>,
    pub(crate) attack: bool,
    pub(crate) weight: f32,
    /// A number for the source.
    pub(crate) source: usize,
}

/// What was learned.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) weights: Vec<f32>,
    pub(crate) bias: f32,
}

const BETA: f32 = 1.0;

struct Learner {
    z: Vec<f32>,
    n: Vec<f32>,
    settings: Settings,
}

impl Learner {
    fn weight(&self, slot: usize) -> f32 {
        let z = self.z[slot];
        // The bias, the last slot, is not held back.
        let (l1, l2) = if slot == SLOTS { (0.0, 0.0) } else { (self.settings.l1, self.settings.l2) };
        if z.abs() <= l1 {
            return 0.0;
        }
        let pull = if z < 0.0 { z + l1 } else { z - l1 };
        -pull / ((BETA + self.n[slot].sqrt()) / self.settings.alpha + l2)
    }

    fn update(&mut self, slot: usize, gradient: f32) {
        let n = self.n[slot];
        let sigma = ((n + gradient * gradient).sqrt() - n.sqrt()) / self.settings.alpha;
        self.z[slot] += gradient - sigma * self.weight(slot);
        self.n[slot] = n + gradient * gradient;
    }
}

/// The windows of a text: each segment with the one after it.
pub(crate) fn windows(segments: &[Vec<u32>]) -> impl Iterator<Item = (usize, usize)> {
    let count = segments.len();
    (0..count.saturating_sub(1).max(1)).map(move |i| (i, (i + 2).min(count)))
}

fn spread(segments: &[Vec<u32>], (from, to): (usize, usize)) -> f32 {
    let count: usize = segments[from..to].iter().map(Vec::len).sum();
    (count as f32).max(LEAST).sqrt()
}

impl Model {
    /// The margin of the worst window.
    pub(crate) fn margin(&self, segments: &[Vec<u32>]) -> f32 {
        let sums = self.sums(segments);
        let margins = windows(segments).map(|window| self.of_window(&sums, segments, window));
        margins.fold(f32::NEG_INFINITY, f32::max)
    }

    /// The same together with what the rules say near each window.
    pub(crate) fn together(&self, segments: &[Vec<u32>], rules: &[f32]) -> f32 {
        let sums = self.sums(segments);
        let margins = windows(segments).map(|(from, to)| {
            let near = rules.get(to.saturating_sub(1)).copied().unwrap_or(0.0);
            self.of_window(&sums, segments, (from, to)) + RULES_WEIGH * near
        });
        margins.fold(f32::NEG_INFINITY, f32::max)
    }

    fn sums(&self, segments: &[Vec<u32>]) -> Vec<f32> {
        segments.iter().map(|s| s.iter().map(|slot| self.weights[*slot as usize]).sum()).collect()
    }

    fn of_window(&self, sums: &[f32], segments: &[Vec<u32>], (from, to): (usize, usize)) -> f32 {
        sums[from..to].iter().sum::<f32>() / spread(segments, (from, to)) + self.bias
    }

    /// Learns from the examples: several times in other orders, and takes the mean, which depends less on the order than
    /// each.
    pub(crate) fn learn(examples: &[Example], settings: Settings) -> Model {
        let keep = common(examples, settings.sources);
        let mut mean = Model { weights: vec![0.0; SLOTS], bias: 0.0 };
        let part = 1.0 / ORDERS as f32;
        for order in 0..ORDERS {
            let learner = learned(examples, &keep, settings, order);
            for (slot, weight) in mean.weights.iter_mut().enumerate() {
                *weight += part * learner.weight(slot);
            }
            mean.bias += part * learner.weight(SLOTS);
        }
        mean
    }
}

/// In how many orders the examples are learned.
const ORDERS: u64 = 4;

fn learned(examples: &[Example], keep: &[bool], settings: Settings, seed: u64) -> Learner {
    let mut learner = Learner { z: vec![0.0; SLOTS + 1], n: vec![0.0; SLOTS + 1], settings };
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut random = Random::new(7 + seed);
    for _ in 0..settings.epochs {
        random.shuffle(&mut order);
        for i in &order {
            step(&mut learner, &examples[*i], keep);
        }
    }
    learner
}

fn step(learner: &mut Learner, example: &Example, keep: &[bool]) {
    let sums: Vec<f32> =
        example.segments.iter().map(|s| s.iter().map(|slot| learner.weight(*slot as usize)).sum()).collect();
    let bias = learner.weight(SLOTS);
    let mut worst = None;
    for (from, to) in windows(&example.segments) {
        let margin = sums[from..to].iter().sum::<f32>() / spread(&example.segments, (from, to)) + bias;
        if worst.is_none_or(|(best, _)| margin > best) {
            worst = Some((margin, (from, to)));
        }
    }
    let Some((margin, (from, to))) = worst else { return };
    let sign = if example.attack { 1.0 } else { -1.0 };
    let short = 1.0 - sign * margin;
    if short <= 0.0 {
        return;
    }
    let caution = if example.attack { 1.0 } else { learner.settings.caution };
    let gradient = -sign * short * example.weight * caution;
    learner.update(SLOTS, gradient);
    let each = gradient / spread(&example.segments, (from, to));
    let mut slots: Vec<u32> = example.segments[from..to].concat();
    slots.sort_unstable();
    for run in slots.chunk_by(|a, b| a == b) {
        if keep[run[0] as usize] {
            learner.update(run[0] as usize, each * run.len() as f32);
        }
    }
}

/// The slots that enough sources use.
fn common(examples: &[Example], sources: u32) -> Vec<bool> {
    let mut last = vec![0_usize; SLOTS];
    let mut count = vec![0_u32; SLOTS];
    let mut order: Vec<&Example> = examples.iter().collect();
    order.sort_by_key(|example| example.source);
    for example in order {
        for slot in example.segments.iter().flatten() {
            let slot = *slot as usize;
            if last[slot] != example.source + 1 {
                last[slot] = example.source + 1;
                count[slot] += 1;
            }
        }
    }
    count.into_iter().map(|n| n >= sources).collect()
}
