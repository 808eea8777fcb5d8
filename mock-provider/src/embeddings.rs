//! OpenAI `POST /v1/embeddings`: small vectors that depend on the text alone.
//! <https://platform.openai.com/docs/api-reference/embeddings>

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    assistant::{content_text, tokens},
    call::Call,
    error::Flavour,
    models,
    reply::Reply,
};

const DIMENSIONS: u32 = 8;

/// Answers an embeddings request: floats, or base64 of little-endian floats when asked (SDKs ask for it).
pub(crate) fn embed(call: &Call) -> Result<Reply, Reply> {
    let body = call.json(Flavour::OpenAi)?;
    let model = models::known(&body, Flavour::OpenAi)?;
    let inputs = match &body["input"] {
        Value::Array(items) if items.iter().all(Value::is_number) => {
            vec![Value::Array(items.clone()).to_string()]
        }
        Value::Array(items) => items.iter().map(input_text).collect(),
        Value::String(text) => vec![text.clone()],
        _ => return Err(Flavour::OpenAi.invalid("`input` must be a string or an array")),
    };
    let embedding = |text: &str| {
        let vector = vector(text);
        if body["encoding_format"] == "base64" {
            let bytes: Vec<u8> = vector.iter().flat_map(|f| f.to_le_bytes()).collect();
            json!(BASE64_STANDARD.encode(bytes))
        } else {
            json!(vector)
        }
    };
    let data: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(index, text)| json!({ "object": "embedding", "index": index, "embedding": embedding(text) }))
        .collect();
    let used: usize = inputs.iter().map(|text| tokens(text)).sum();
    let usage = json!({ "prompt_tokens": used, "total_tokens": used });
    Ok(Reply::json(200, &json!({ "object": "list", "model": model, "data": data, "usage": usage })))
}

fn input_text(item: &Value) -> String {
    match item {
        Value::String(text) => text.clone(),
        Value::Object(_) => content_text(&json!([item])),
        other => other.to_string(),
    }
}

/// FNV-1a of the text, stirred once for each dimension, as numbers between -1 and 1.
fn vector(text: &str) -> Vec<f32> {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let stirred = |i: u32| (hash.rotate_left(i * 8) as u32 >> 8) as f32;
    (0..DIMENSIONS).map(|i| stirred(i) / (1 << 23) as f32 - 1.0).collect()
}
