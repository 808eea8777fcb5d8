//! The judge's wire format, that of text classification servers: `POST /predict` with `{"inputs": [["text"], …]}`, answered by
//! `[[{"label": "…", "score": 0.9}, …], …]`.
use mesh_engine::{Judgement, Label, Question};
use serde::Deserialize;
use serde_json::json;

use crate::host;

pub(crate) const PATH: &str = "/predict";

/// The maximum length of an answer in bytes.
const MAX_ANSWER: usize = 64 * 1024;

#[derive(Deserialize)]
struct Class {
    label: String,
    score: f32,
}

/// The question, as JSON. The judge may truncate a text that is too long for its model.
pub(crate) fn ask(question: &Question) -> Vec<u8> {
    let inputs: Vec<[&str; 1]> = question.texts.iter().map(|text| [text.as_str()]).collect();
    json!({ "inputs": inputs, "truncate": true }).to_string().into_bytes()
}

/// Reads the answer. Envoy answers in the judge's place when the deadline has passed (504) or there is no connection (503); a judge
/// that is overloaded says so (429).
pub(crate) fn read(headers: usize, size: usize) -> Judgement {
    if headers == 0 {
        return Judgement::Failed("unreachable");
    }
    match host::call_status() {
        Some(200) => {}
        Some(504) => return Judgement::Failed("deadline"),
        Some(429 | 502 | 503) => return Judgement::Failed("unreachable"),
        _ => return Judgement::Failed("answer"),
    }
    if size > MAX_ANSWER {
        return Judgement::Failed("answer");
    }
    let Ok(texts) = serde_json::from_slice::<Vec<Vec<Class>>>(&host::call_answer(size)) else {
        return Judgement::Failed("answer");
    };
    let mut classes = texts.iter().flatten();
    if classes.any(|class| !(0.0..=1.0).contains(&class.score)) {
        return Judgement::Failed("answer");
    }
    let labels = |text: Vec<Class>| {
        text.into_iter().map(|class| Label { label: class.label, score: class.score }).collect()
    };
    Judgement::Answered(texts.into_iter().map(labels).collect())
}
