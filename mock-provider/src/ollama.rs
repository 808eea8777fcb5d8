//! Ollama `POST /api/chat` and `/api/generate` (newline-delimited JSON, unless `stream` is false), `/api/embed` and
//! `GET /api/tags`.
//! <https://docs.ollama.com/api>

use serde_json::{Value, json};

use crate::{
    assistant::{content_text, tokens, words},
    call::Call,
    error::Flavour,
    gemini::said,
    models,
    reply::Reply,
};

/// Answers a chat or a generate request.
pub(crate) fn complete(call: &Call) -> Result<Reply, Reply> {
    let body = call.json(Flavour::Ollama)?;
    let model = models::known(&body, Flavour::Ollama)?;
    let chat = call.path.ends_with("/chat");
    let prompt = if chat {
        let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let user = messages.iter().rev().find(|m| m["role"] == "user" || m["role"] == "tool");
        user.map(|m| content_text(&m["content"])).unwrap_or_default()
    } else {
        content_text(&body["prompt"])
    };
    let text = said(&prompt, call);
    let line = |text: &str, done: bool| {
        let mut line = json!({ "model": model, "created_at": "2026-01-01T00:00:00Z", "done": done });
        if chat {
            line["message"] = json!({ "role": "assistant", "content": text });
        } else {
            line["response"] = text.into();
        }
        if done {
            line["done_reason"] = "stop".into();
            line["prompt_eval_count"] = tokens(&prompt).into();
            line["eval_count"] = tokens(&said(&prompt, call)).into();
        }
        line
    };
    if body["stream"] == false {
        return Ok(Reply::json(200, &line(&text, true)));
    }
    let mut lines: Vec<Value> = words(&text).into_iter().map(|word| line(word, false)).collect();
    lines.push(line("", true));
    Ok(Reply::ndjson(&lines))
}

/// Answers `POST /api/embed`, and `/api/embeddings`, which came before it.
pub(crate) fn embed(call: &Call) -> Result<Reply, Reply> {
    let body = call.json(Flavour::Ollama)?;
    let model = models::known(&body, Flavour::Ollama)?;
    let vector = json!([0.25, -0.5, 0.125]);
    let input = &body["input"];
    let read = tokens(&content_text(if input.is_null() { &body["prompt"] } else { input }));
    let mut answer = json!({ "model": model, "embeddings": [vector], "embedding": vector });
    // The older of the two tells nothing of what it took.
    if call.path.ends_with("/embed") {
        answer["prompt_eval_count"] = read.into();
    }
    Ok(Reply::json(200, &answer))
}

/// Answers the list of local models.
pub(crate) fn tags() -> Reply {
    Reply::json(200, &json!({ "models": [{ "name": "llama3.2", "model": "llama3.2", "size": 1 }] }))
}
