//! Fine-tuning: the last layers of the encoder learn with a classifier above them, what is below stays as it is and is
//! computed once. AdamW ("Decoupled Weight Decay Regularization", arXiv 1711.05101) with a rate that falls to nothing.
use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::{AdamW, Optimizer as _, ParamsAdamW};
use std::collections::HashMap;

use crate::texts::Row;

/// Layers that learn.
pub(crate) const LAYERS: usize = 1;
/// Layers of all-MiniLM-L6-v2.
pub(crate) const ALL: usize = 6;
const HEADS: usize = 12;
const EPS: f64 = 1e-12;
/// How far a step goes at most, how much of the weights it takes away, and how often all texts are seen.
const RATE: f64 = 3e-4;
const DECAY: f64 = 0.01;
const EPOCHS: usize = 3;
/// Texts in one step.
const BATCH: usize = 32;

/// What of a layer learns.
const PARTS: [&str; 8] = [
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
];

/// The part of the network that learns, by the names that its file has for them.
pub(crate) struct Top {
    vars: HashMap<String, Var>,
}

impl Top {
    /// The weights of the model's file, and a classifier of two classes that knows nothing.
    pub(crate) fn new(weights: &HashMap<String, Tensor>) -> Result<Self> {
        let mut vars = HashMap::new();
        let mut take = |name: String| -> Result<()> {
            let tensor = weights
                .get(&name)
                .ok_or_else(|| candle_core::Error::Msg(format!("no tensor `{name}`")))?
                .to_dtype(DType::F32)?;
            vars.insert(name, Var::from_tensor(&tensor)?);
            Ok(())
        };
        for layer in ALL - LAYERS..ALL {
            for part in PARTS {
                take(format!("encoder.layer.{layer}.{part}.weight"))?;
                take(format!("encoder.layer.{layer}.{part}.bias"))?;
            }
        }
        take("pooler.dense.weight".to_owned())?;
        take("pooler.dense.bias".to_owned())?;
        let size = vars["pooler.dense.bias"].dim(0)?;
        vars.insert("classifier.weight".to_owned(), Var::zeros((2, size), DType::F32, &Device::Cpu)?);
        vars.insert("classifier.bias".to_owned(), Var::zeros(2, DType::F32, &Device::Cpu)?);
        Ok(Top { vars })
    }

    fn linear(&self, name: &str, all: &Tensor) -> Result<Tensor> {
        let (texts, tokens, size) = all.dims3()?;
        let (weight, bias) = (&self.vars[&format!("{name}.weight")], &self.vars[&format!("{name}.bias")]);
        all.reshape((texts * tokens, size))?.matmul(&weight.t()?)?.broadcast_add(bias)?.reshape((
            texts,
            tokens,
            weight.dim(0)?,
        ))
    }

    fn norm(&self, name: &str, all: &Tensor) -> Result<Tensor> {
        let (weight, bias) = (&self.vars[&format!("{name}.weight")], &self.vars[&format!("{name}.bias")]);
        let centred = all.broadcast_sub(&all.mean_keepdim(D::Minus1)?)?;
        let spread = (centred.sqr()?.mean_keepdim(D::Minus1)? + EPS)?.sqrt()?;
        centred.broadcast_div(&spread)?.broadcast_mul(weight)?.broadcast_add(bias)
    }

    /// One layer; the last only for the first token, which alone is classified.
    fn layer(&self, number: usize, state: &Tensor, unseen: &Tensor) -> Result<Tensor> {
        let name = |part: &str| format!("encoder.layer.{number}.{part}");
        let (texts, tokens, size) = state.dims3()?;
        let asking = if number + 1 == ALL { state.narrow(1, 0, 1)?.contiguous()? } else { state.clone() };
        let split = |all: Tensor| {
            let tokens = all.dim(1)?;
            all.reshape((texts, tokens, HEADS, size / HEADS))?.transpose(1, 2)?.contiguous()
        };
        let query = split(self.linear(&name("attention.self.query"), &asking)?)?;
        let key = split(self.linear(&name("attention.self.key"), state)?)?;
        let value = split(self.linear(&name("attention.self.value"), state)?)?;
        let scale = 1.0 / ((size / HEADS) as f64).sqrt();
        let scores = (query.matmul(&key.transpose(2, 3)?.contiguous()?)? * scale)?.broadcast_add(unseen)?;
        let weights = candle_nn::ops::softmax(&scores, D::Minus1)?;
        debug_assert_eq!(weights.dim(3)?, tokens);
        let joined = weights.matmul(&value)?.transpose(1, 2)?.contiguous()?.reshape(asking.shape())?;
        let joined = (self.linear(&name("attention.output.dense"), &joined)? + asking)?;
        let state = self.norm(&name("attention.output.LayerNorm"), &joined)?;
        let wide = self.linear(&name("intermediate.dense"), &state)?.gelu_erf()?;
        self.norm(&name("output.LayerNorm"), &(self.linear(&name("output.dense"), &wide)? + state)?)
    }

    /// The margin of each text: above 0 it is rather an attack.
    fn margins(&self, state: &Tensor, there: &Tensor) -> Result<Tensor> {
        let unseen = ((there - 1.0)? * 1e4)?.unsqueeze(1)?.unsqueeze(1)?;
        let mut state = state.clone();
        for number in ALL - LAYERS..ALL {
            state = self.layer(number, &state, &unseen)?;
        }
        let pooled = self.linear("pooler.dense", &state)?.tanh()?;
        let classes = self.linear("classifier", &pooled)?.squeeze(1)?;
        classes.narrow(1, 1, 1)?.sub(&classes.narrow(1, 0, 1)?)?.squeeze(1)
    }
}

/// What is below the layers that learn, of each text.
pub(crate) type States = Vec<Option<Tensor>>;

fn together(states: &States, places: &[usize]) -> Result<(Tensor, Tensor)> {
    let longest = places.iter().filter_map(|at| states[*at].as_ref()?.dim(0).ok()).max().unwrap_or(1);
    let (mut all, mut there) = (Vec::new(), Vec::new());
    for at in places {
        let Some(state) = &states[*at] else { continue };
        let tokens = state.dim(0)?;
        all.push(state.pad_with_zeros(0, 0, longest - tokens)?);
        there.extend((0..longest).map(|at| if at < tokens { 1.0_f32 } else { 0.0 }));
    }
    Ok((Tensor::stack(&all, 0)?, Tensor::from_vec(there, (all.len(), longest), &Device::Cpu)?))
}

/// Learns from the rows at these places, each as much as it weighs.
pub(crate) fn learn(
    weights: &HashMap<String, Tensor>,
    rows: &[Row],
    states: &States,
    places: &[usize],
) -> Result<Top> {
    let top = Top::new(weights)?;
    let mut names: Vec<&String> = top.vars.keys().collect();
    names.sort();
    let vars = names.iter().map(|name| top.vars[*name].clone()).collect();
    let parameters = ParamsAdamW { lr: RATE, weight_decay: DECAY, ..ParamsAdamW::default() };
    let mut descent = AdamW::new(vars, parameters)?;
    let each = crate::learn::weights(rows, places);
    let mean = each.iter().sum::<f32>() / each.len() as f32;
    let mut random = Random(1);
    let steps = EPOCHS * places.len().div_ceil(BATCH);
    let mut step = 0;
    for _ in 0..EPOCHS {
        let mut order: Vec<usize> = (0..places.len()).collect();
        random.shuffle(&mut order);
        // Texts of like length go together, batches in no order.
        for some in order.chunks_mut(BATCH * 16) {
            some.sort_by_key(|at| states[places[*at]].as_ref().map_or(0, |state| state.dim(0).unwrap_or(0)));
        }
        let mut batches: Vec<&[usize]> = order.chunks(BATCH).collect();
        random.shuffle(&mut batches);
        let mut sum = 0.0;
        for batch in &batches {
            let warm = (step as f64 / (0.06 * steps as f64)).min(1.0);
            descent.set_learning_rate(RATE * warm * (1.0 - step as f64 / steps as f64));
            step += 1;
            let here: Vec<usize> = batch.iter().map(|at| places[*at]).collect();
            let (state, there) = together(states, &here)?;
            let margins = top.margins(&state, &there)?;
            let sides: Vec<f32> = here.iter().map(|at| if rows[*at].attack { -1.0 } else { 1.0 }).collect();
            let weigh: Vec<f32> = batch.iter().map(|at| each[*at] / mean).collect();
            let wrong = (margins * Tensor::new(sides, &Device::Cpu)?)?;
            let loss = (wrong.relu()? + (wrong.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
            let loss = (loss * Tensor::new(weigh, &Device::Cpu)?)?.mean_all()?;
            descent.backward_step(&loss)?;
            sum += loss.to_scalar::<f32>()?;
        }
        eprintln!("loss {:.4}", sum / batches.len() as f32);
    }
    Ok(top)
}

/// The scores of the rows at these places.
pub(crate) fn scores(top: &Top, states: &States, places: &[usize]) -> Result<Vec<f32>> {
    let mut scores = Vec::with_capacity(places.len());
    for places in places.chunks(BATCH) {
        let (state, there) = together(states, places)?;
        scores
            .extend(top.margins(&state, &there)?.to_vec1::<f32>()?.iter().map(|m| 1.0 / (1.0 + (-m).exp())));
    }
    Ok(scores)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in (1..all.len()).rev() {
            all.swap(at, (self.next() % (at as u64 + 1)) as usize);
        }
    }
}
