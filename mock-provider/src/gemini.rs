//! Gemini `generateContent` and `streamGenerateContent`, and Bedrock `converse`: simple text answers.
//! <https://ai.google.dev/api/generate-content>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>

use serde_json::{Value, json};

use crate::{
    assistant::{Turn, content_text, tokens, turn, words},
    call::Call,
    error::Flavour,
    models::UNKNOWN,
    reply::{Reply, data},
};

/// Answers `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`.
pub(crate) fn generate(call: &Call) -> Result<Reply, Reply> {
    let (head, method) = call.path.rsplit_once(':').unwrap_or((&call.path, ""));
    let model = head.rsplit('/').next().unwrap_or_default();
    if model == UNKNOWN {
        return Err(Flavour::Gemini.no_such_model(model));
    }
    let body = call.json(Flavour::Gemini)?;
    let contents = body["contents"].as_array().filter(|c| !c.is_empty());
    let contents = contents.ok_or_else(|| Flavour::Gemini.invalid("contents is not specified"))?;
    let prompt = contents.iter().rev().find(|c| c["role"] != "model").map(|c| content_text(&c["parts"]));
    let prompt = prompt.unwrap_or_default();
    let text = said(&prompt, call);
    let answer = |text: &str, finish: Value| {
        json!({
            "candidates": [{ "content": { "role": "model", "parts": [{ "text": text }] }, "finishReason": finish, "index": 0 }],
            "usageMetadata": { "promptTokenCount": tokens(&prompt), "candidatesTokenCount": tokens(text),
                "totalTokenCount": tokens(&prompt) + tokens(text) },
            "modelVersion": model, "responseId": "mock",
        })
    };
    if method != "streamGenerateContent" {
        return Ok(Reply::json(200, &answer(&text, json!("STOP"))));
    }
    let pieces = words(&text);
    let last = pieces.len().saturating_sub(1);
    let finish = |at: usize| if at == last { json!("STOP") } else { Value::Null };
    let answers: Vec<_> = pieces.iter().enumerate().map(|(at, word)| answer(word, finish(at))).collect();
    if call.query.contains("alt=sse") {
        return Ok(Reply::sse(answers.iter().map(data).collect()));
    }
    Ok(Reply::json(200, &Value::Array(answers)))
}

/// Answers `POST /model/{model}/converse`.
pub(crate) fn converse(call: &Call) -> Result<Reply, Reply> {
    if call.path.contains(UNKNOWN) {
        return Err(Flavour::Bedrock.no_such_model(UNKNOWN));
    }
    let body = call.json(Flavour::Bedrock)?;
    let messages = body["messages"].as_array().filter(|m| !m.is_empty());
    let messages = messages.ok_or_else(|| Flavour::Bedrock.invalid("messages must not be empty"))?;
    let prompt = messages.iter().rev().find(|m| m["role"] == "user").map(|m| content_text(&m["content"]));
    let prompt = prompt.unwrap_or_default();
    let text = said(&prompt, call);
    let (input, output) = (tokens(&prompt), tokens(&text));
    Ok(Reply::json(
        200,
        &json!({
            "output": { "message": { "role": "assistant", "content": [{ "text": text }] } },
            "stopReason": "end_turn", "metrics": { "latencyMs": 1 },
            "usage": { "inputTokens": input, "outputTokens": output, "totalTokens": input + output },
        }),
    ))
}

/// What the assistant says where no tools are offered.
pub(crate) fn said(prompt: &str, call: &Call) -> String {
    match turn(prompt, false, &[], &call.knobs) {
        Turn::Say(text) => text,
        Turn::Call { arguments, .. } => arguments.to_string(),
    }
}
