//! The encoder: BERT as in "Pre-training of Deep Bidirectional Transformers" (arXiv 1810.04805), read from a folder in the form
//! of Hugging Face (`config.json`, `model.safetensors`).
use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{
    Embedding, LayerNorm, Linear, Module, VarBuilder, embedding, layer_norm, linear, ops::softmax_last_dim,
};
use serde::Deserialize;

/// What `config.json` says of the network.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Config {
    model_type: String,
    hidden_size: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    /// Longest input in tokens.
    pub max_position_embeddings: usize,
    type_vocab_size: usize,
    vocab_size: usize,
    layer_norm_eps: f64,
    hidden_act: String,
    /// Names of the classes, where the model has a head.
    #[serde(default)]
    pub id2label: std::collections::BTreeMap<String, String>,
}

impl Config {
    /// What of the network this reader does not know; nothing when it knows all.
    pub(crate) fn unknown(&self) -> Option<String> {
        if self.model_type != "bert" {
            return Some(format!("model_type is `{}`, expected `bert`", self.model_type));
        }
        if self.hidden_act != "gelu" {
            return Some(format!("hidden_act is `{}`, expected `gelu`", self.hidden_act));
        }
        let split = self.num_attention_heads > 0 && self.hidden_size.is_multiple_of(self.num_attention_heads);
        (!split).then(|| {
            format!("hidden_size {} does not split into {} heads", self.hidden_size, self.num_attention_heads)
        })
    }

    /// Numbers in an encoded token.
    pub(crate) fn hidden_size(&self) -> usize {
        self.hidden_size
    }
}

/// An encoder, ready to use.
pub(crate) struct Encoder {
    words: Embedding,
    places: Embedding,
    /// The embedding of the first kind of sentence: there is only one here.
    kind: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
    heads: usize,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    joined: Linear,
    attention_norm: LayerNorm,
    wide: Linear,
    narrow: Linear,
    norm: LayerNorm,
}

/// What an encoder says of some texts.
pub(crate) struct Pooled {
    /// The first token of each: texts × numbers.
    pub first: Tensor,
    /// The mean over the tokens of each.
    pub mean: Tensor,
}

impl Pooled {
    /// Mean and first token of each text, each of length one.
    ///
    /// # Errors
    /// As the arithmetic has them.
    pub(crate) fn numbers(&self) -> Result<Vec<Vec<f32>>> {
        let unit = |all: &Tensor| all.broadcast_div(&all.sqr()?.sum_keepdim(1)?.sqrt()?);
        Tensor::cat(&[unit(&self.mean)?, unit(&self.first)?], 1)?.to_vec2()
    }
}

impl Encoder {
    /// Reads the weights.
    ///
    /// # Errors
    /// A tensor is missing, or has another shape than the configuration says.
    pub(crate) fn load(config: &Config, weights: &VarBuilder<'_>) -> Result<Self> {
        let (size, eps) = (config.hidden_size, config.layer_norm_eps);
        let from = weights.pp("embeddings");
        let kinds = embedding(config.type_vocab_size, size, from.pp("token_type_embeddings"))?;
        let layers = (0..config.num_hidden_layers).map(|number| {
            let from = weights.pp("encoder.layer").pp(number);
            let attention = from.pp("attention.self");
            Ok(Layer {
                query: linear(size, size, attention.pp("query"))?,
                key: linear(size, size, attention.pp("key"))?,
                value: linear(size, size, attention.pp("value"))?,
                joined: linear(size, size, from.pp("attention.output.dense"))?,
                attention_norm: layer_norm(size, eps, from.pp("attention.output.LayerNorm"))?,
                wide: linear(size, config.intermediate_size, from.pp("intermediate.dense"))?,
                narrow: linear(config.intermediate_size, size, from.pp("output.dense"))?,
                norm: layer_norm(size, eps, from.pp("output.LayerNorm"))?,
            })
        });
        Ok(Encoder {
            words: embedding(config.vocab_size, size, from.pp("word_embeddings"))?,
            places: embedding(config.max_position_embeddings, size, from.pp("position_embeddings"))?,
            kind: kinds.embeddings().get(0)?,
            norm: layer_norm(size, eps, from.pp("LayerNorm"))?,
            layers: layers.collect::<Result<_>>()?,
            heads: config.num_attention_heads,
        })
    }

    /// Encodes texts of token ids. Shorter ones are filled up; what fills is not seen.
    ///
    /// # Errors
    /// A text is longer than the model takes.
    pub(crate) fn encode(&self, texts: &[&[u32]]) -> Result<Pooled> {
        let (state, there) = self.below(texts, self.layers.len())?;
        let first = state.narrow(1, 0, 1)?.squeeze(1)?;
        let weights = there.unsqueeze(2)?;
        let mean = state.broadcast_mul(&weights)?.sum(1)?.broadcast_div(&weights.sum(1)?)?;
        Ok(Pooled { first, mean })
    }

    /// What the first `layers` layers make of texts (texts × tokens × numbers), and where there are tokens (1) or filling (0).
    ///
    /// # Errors
    /// A text is longer than the model takes.
    pub(crate) fn below(&self, texts: &[&[u32]], layers: usize) -> Result<(Tensor, Tensor)> {
        let device = &Device::Cpu;
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or_default();
        let fill = |text: &&[u32], at: usize| text.get(at).copied().unwrap_or_default();
        let ids: Vec<u32> =
            texts.iter().flat_map(|text| (0..longest).map(move |at| fill(text, at))).collect();
        let there: Vec<f32> = texts
            .iter()
            .flat_map(|text| (0..longest).map(|at| if at < text.len() { 1.0 } else { 0.0 }))
            .collect();
        let shape = (texts.len(), longest);
        let ids = Tensor::from_vec(ids, shape, device)?;
        let there = Tensor::from_vec(there, shape, device)?;
        let places =
            self.places.forward(&Tensor::arange(0, u32::try_from(longest).unwrap_or(u32::MAX), device)?)?;
        let sum = self.words.forward(&ids)?.broadcast_add(&places)?.broadcast_add(&self.kind)?;
        let mut state = self.norm.forward(&sum)?;
        // What fills a text gets no attention.
        let unseen = ((there.clone() - 1.0)? * 1e4)?.unsqueeze(1)?.unsqueeze(1)?;
        for layer in self.layers.iter().take(layers) {
            state = layer.forward(&state, &unseen, self.heads)?;
        }
        Ok((state, there))
    }
}

impl Layer {
    fn forward(&self, state: &Tensor, unseen: &Tensor, heads: usize) -> Result<Tensor> {
        let (texts, tokens, size) = state.dims3()?;
        let split =
            |all: Tensor| all.reshape((texts, tokens, heads, size / heads))?.transpose(1, 2)?.contiguous();
        let query = split(self.query.forward(state)?)?;
        let key = split(self.key.forward(state)?)?;
        let value = split(self.value.forward(state)?)?;
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let scale = 1.0 / ((size / heads) as f64).sqrt();
        let scores = (query.matmul(&key.transpose(D::Minus2, D::Minus1)?.contiguous()?)? * scale)?;
        let weights = softmax_last_dim(&scores.broadcast_add(unseen)?)?;
        let joined = weights.matmul(&value)?.transpose(1, 2)?.reshape((texts, tokens, size))?;
        let state = self.attention_norm.forward(&(self.joined.forward(&joined)? + state)?)?;
        let wide = self.wide.forward(&state)?.gelu_erf()?;
        self.norm.forward(&(self.narrow.forward(&wide)? + state)?)
    }
}

/// Weights as they are computed with.
pub(crate) const DTYPE: DType = DType::F32;
