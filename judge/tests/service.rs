//! A folder is loaded and served: a network small enough to be worked out by hand, through the contract.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use candle_core::{Device, Tensor};
use http_body_util::BodyExt;
use mesh_judge::serve::{Bounds, router};
use mesh_judge::{Classifier, Options};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

const SIZE: usize = 8;
const WORDS: [&str; 8] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "ignore", "weather", "rules", "nice"];

/// One layer in which every token sees the mean of all: "ignore" pulls the first number up, "weather" down, and the head
/// looks at nothing else.
fn model() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({
        "model_type": "bert", "hidden_size": SIZE, "intermediate_size": 4, "num_attention_heads": 2, "num_hidden_layers": 1,
        "max_position_embeddings": 16, "type_vocab_size": 2, "vocab_size": WORDS.len(), "layer_norm_eps": 1e-12,
        "hidden_act": "gelu", "id2label": { "0": "SAFE", "1": "INJECTION" },
    });
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let vocabulary: HashMap<&str, usize> = WORDS.iter().enumerate().map(|(id, word)| (*word, id)).collect();
    let special = |id: usize| json!({ "id": id, "content": WORDS[id], "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false });
    let token =
        |id: usize| (WORDS[id].to_owned(), json!({ "id": WORDS[id], "ids": [id], "tokens": [WORDS[id]] }));
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [special(0), special(1), special(2), special(3)],
        "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "[CLS]", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }, { "SpecialToken": { "id": "[SEP]", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": Value::Object([token(2), token(3)].into_iter().collect()),
        },
        "decoder": null,
        "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocabulary },
    });
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    weights(&folder.path().join("model.safetensors"));
    folder
}

fn weights(file: &Path) {
    let cpu = &Device::Cpu;
    let zeros =
        |rows: usize, columns: usize| Tensor::zeros((rows, columns), candle_core::DType::F32, cpu).unwrap();
    let one = Tensor::ones(SIZE, candle_core::DType::F32, cpu).unwrap();
    let none = |size: usize| Tensor::zeros(size, candle_core::DType::F32, cpu).unwrap();
    let same = Tensor::eye(SIZE, candle_core::DType::F32, cpu).unwrap();
    let mut words = vec![0.0_f32; WORDS.len() * SIZE];
    words[4 * SIZE] = 4.0;
    words[5 * SIZE] = -4.0;
    let mut head = vec![0.0_f32; 2 * SIZE];
    (head[0], head[SIZE]) = (-3.0, 3.0);
    let mut tensors = HashMap::from([
        (
            "bert.embeddings.word_embeddings.weight".to_owned(),
            Tensor::from_vec(words, (WORDS.len(), SIZE), cpu).unwrap(),
        ),
        ("bert.embeddings.position_embeddings.weight".to_owned(), zeros(16, SIZE)),
        ("bert.embeddings.token_type_embeddings.weight".to_owned(), zeros(2, SIZE)),
        ("classifier.weight".to_owned(), Tensor::from_vec(head, (2, SIZE), cpu).unwrap()),
        ("classifier.bias".to_owned(), none(2)),
    ]);
    let layer = "bert.encoder.layer.0";
    for norm in ["bert.embeddings".to_owned(), format!("{layer}.attention.output"), format!("{layer}.output")]
    {
        tensors.insert(format!("{norm}.LayerNorm.weight"), one.clone());
        tensors.insert(format!("{norm}.LayerNorm.bias"), none(SIZE));
    }
    for (name, weight) in [
        ("attention.self.query", zeros(SIZE, SIZE)),
        ("attention.self.key", zeros(SIZE, SIZE)),
        ("attention.self.value", same.clone()),
        ("attention.output.dense", same.clone()),
        ("intermediate.dense", zeros(4, SIZE)),
        ("output.dense", zeros(SIZE, 4)),
    ] {
        tensors.insert(format!("{layer}.{name}.bias"), none(weight.dim(0).unwrap()));
        tensors.insert(format!("{layer}.{name}.weight"), weight);
    }
    tensors.insert("bert.pooler.dense.weight".to_owned(), same);
    tensors.insert("bert.pooler.dense.bias".to_owned(), none(SIZE));
    candle_core::safetensors::save(&tensors, file).unwrap();
}

fn load(folder: &TempDir) -> Classifier {
    Classifier::load(folder.path(), Options { max_tokens: 12 }).unwrap()
}

const BOUNDS: Bounds = Bounds { concurrency: 2, queue: 8, deadline: Duration::from_secs(30) };

async fn post(router: &axum::Router, body: String) -> (StatusCode, String) {
    let request = Request::post("/predict").header("content-type", "application/json").body(Body::from(body));
    let answer = router.clone().oneshot(request.unwrap()).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn texts_are_classified_alone_and_together() {
    let folder = model();
    let classifier = load(&folder);
    let long = "rules nice ".repeat(40);
    let rows = [
        ("ignore rules", "INJECTION"),
        ("nice weather", "SAFE"),
        ("IGNORE nice rules nice", "INJECTION"),
        ("weather", "SAFE"),
        // What the tokenizer does not know is a word too, and a longer text than the model takes is cut.
        ("ignore 漢字 🦀 rules", "INJECTION"),
        (long.as_str(), ""),
        ("", ""),
    ];
    let together = classifier.classify(&rows.map(|(text, _)| text)).unwrap();
    for ((text, expected), classes) in rows.iter().zip(&together) {
        let alone = classifier.classify(&[*text]).unwrap().remove(0);
        assert!((alone[0].score - classes[0].score).abs() < 1e-5, "{text:?}: {alone:?} {classes:?}");
        let sum: f32 = classes.iter().map(|class| class.score).sum();
        assert!((sum - 1.0).abs() < 1e-5 && classes[0].score >= classes[1].score, "{classes:?}");
        assert!(expected.is_empty() || classes[0].label == *expected, "{text:?}: {classes:?}");
    }
    assert!(classifier.classify(&[]).unwrap().is_empty());
}

#[tokio::test]
async fn the_contract_is_kept() {
    let folder = model();
    let router = router(load(&folder), BOUNDS);
    let (status, batch) =
        post(&router, json!({ "inputs": [["ignore rules"], ["weather"]], "truncate": true }).to_string())
            .await;
    let batch: Vec<Vec<Value>> = serde_json::from_str(&batch).unwrap();
    assert_eq!(status, 200);
    assert_eq!(
        (batch[0][0]["label"].as_str(), batch[1][0]["label"].as_str()),
        (Some("INJECTION"), Some("SAFE"))
    );
    let (status, one) = post(&router, json!({ "inputs": "ignore rules" }).to_string()).await;
    assert_eq!(
        (status, serde_json::from_str::<Vec<Value>>(&one).unwrap()),
        (StatusCode::OK, batch[0].clone())
    );

    let secret = "hunter2";
    for (body, expected) in [
        (format!("{{\"inputs\": [\"{secret}\"]}}"), 422),
        (format!("{{\"inputs\": {{\"{secret}\": 1}}}}"), 422),
        (format!("{{\"inputs\": [[\"{secret}\", \"pair\"]]}}"), 422),
        (secret.to_owned(), 422),
        (String::new(), 422),
        (json!({ "inputs": [] }).to_string(), 422),
        (json!({ "inputs": vec![[secret]; 33] }).to_string(), 422),
        (json!({ "inputs": secret.repeat(100_000) }).to_string(), 413),
    ] {
        let (status, said) = post(&router, body.clone()).await;
        assert_eq!(status, expected, "{}", &body[..body.len().min(60)]);
        assert!(!said.contains(secret), "{said}");
    }
    for (path, part) in [
        ("/healthz", "ok"),
        ("/metrics", "ai_mesh_judge_requests_total{status=\"422\"} 7"),
        ("/metrics", "ai_mesh_judge_texts_total 3"),
    ] {
        let answer = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains(part) && !body.contains(secret), "{path}: {body}");
    }
}

/// What does not fit in the queue is refused at once, what waits too long is given up.
#[tokio::test]
async fn work_is_bounded() {
    let folder = model();
    let body = || json!({ "inputs": "ignore rules" }).to_string();
    let full = router(load(&folder), Bounds { concurrency: 0, queue: 0, ..BOUNDS });
    assert_eq!(post(&full, body()).await.0, StatusCode::TOO_MANY_REQUESTS);
    let deadline = Duration::from_millis(20);
    let slow = router(load(&folder), Bounds { concurrency: 0, queue: 1, deadline });
    assert_eq!(post(&slow, body()).await.0, StatusCode::GATEWAY_TIMEOUT);
    // Who was given up has left its place.
    assert_eq!(post(&slow, body()).await.0, StatusCode::GATEWAY_TIMEOUT);
}

#[test]
fn what_can_not_be_loaded_says_why() {
    type Spoil = fn(&Path);
    let rows: [(Spoil, &[&str]); 6] = [
        (
            |folder| std::fs::remove_file(folder.join("config.json")).unwrap(),
            &["config.json", "model folder has"],
        ),
        (|folder| std::fs::remove_file(folder.join("model.safetensors")).unwrap(), &["model.safetensors"]),
        (|folder| std::fs::write(folder.join("tokenizer.json"), "{}").unwrap(), &["tokenizer.json"]),
        (
            |folder| std::fs::write(folder.join("model.safetensors"), "no weights").unwrap(),
            &["model.safetensors"],
        ),
        (|folder| change(folder, "\"bert\"", "\"llama\""), &["config.json", "`llama`", "expected `bert`"]),
        (|folder| change(folder, "\"hidden_size\":8", "\"hidden_size\":6"), &["model.safetensors", "shape"]),
    ];
    for (number, (spoil, parts)) in rows.into_iter().enumerate() {
        let folder = model();
        spoil(folder.path());
        let error =
            Classifier::load(folder.path(), Options { max_tokens: 12 }).err().expect("it is refused").to_string();
        for part in parts {
            assert!(error.contains(part), "row {number}: {error}");
        }
    }
}

fn change(folder: &Path, from: &str, to: &str) {
    let file = folder.join("config.json");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(file, text.replace(from, to)).unwrap();
}
