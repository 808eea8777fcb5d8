//! Gemini `generateContent`, `streamGenerateContent`, `countTokens` and `embedContent`.
//! <https://ai.google.dev/api/generate-content>

use serde_json::{Value, json};

use crate::{
    assistant::{Tool, Turn, content_text, tokens, turn, words},
    call::Call,
    error::Flavour,
    models::UNKNOWN,
    reply::{Reply, data},
};

/// Answers `POST /v1beta/models/{model}:generateContent` and its siblings.
pub(crate) fn generate(call: &Call) -> Result<Reply, Reply> {
    let (head, method) = call.path.rsplit_once(':').unwrap_or((&call.path, ""));
    let model = head.rsplit('/').next().unwrap_or_default();
    if model == UNKNOWN {
        return Err(Flavour::Gemini.no_such_model(model));
    }
    let body = call.json(Flavour::Gemini)?;
    if method == "embedContent" || method == "batchEmbedContents" {
        let one = json!({ "values": [0.25, -0.5, 0.125] });
        return Ok(Reply::json(200, &json!({ "embedding": one, "embeddings": [one] })));
    }
    let contents = body["contents"].as_array().filter(|c| !c.is_empty());
    let contents = contents.ok_or_else(|| Flavour::Gemini.invalid("contents is not specified"))?;
    let (prompt, from_tool) = last_text(contents);
    if method == "countTokens" {
        return Ok(Reply::json(200, &json!({ "totalTokens": tokens(&prompt) })));
    }
    let declared = body["tools"].as_array().into_iter().flatten();
    let declared = declared.flat_map(|tool| tool["functionDeclarations"].as_array().into_iter().flatten());
    let tools: Vec<_> = declared.filter_map(function).collect();
    let answer = |part: Value, written: usize, finish: Value| {
        json!({
            "candidates": [{ "content": { "role": "model", "parts": [part] }, "finishReason": finish, "index": 0 }],
            "usageMetadata": { "promptTokenCount": tokens(&prompt), "candidatesTokenCount": written,
                "totalTokenCount": tokens(&prompt) + written },
            "modelVersion": model, "responseId": "mock",
        })
    };
    let (whole, pieces) = match turn(&prompt, from_tool, &tools, &call.knobs) {
        Turn::Say(text) => {
            let pieces = words(&text).into_iter().map(|word| json!({ "text": word })).collect();
            (json!({ "text": text }), pieces)
        }
        Turn::Call { name, arguments } => {
            let part = json!({ "functionCall": { "name": name, "args": arguments } });
            (part.clone(), vec![part])
        }
    };
    let written = tokens(&whole.to_string());
    if method != "streamGenerateContent" {
        return Ok(Reply::json(200, &answer(whole, written, json!("STOP"))));
    }
    let last = pieces.len().saturating_sub(1);
    let finish = |at: usize| if at == last { json!("STOP") } else { Value::Null };
    // Each piece tells what was written so far.
    let so_far = |at: usize| if at == last { written } else { written.min(at + 1) };
    let answers: Vec<_> =
        pieces.into_iter().enumerate().map(|(at, part)| answer(part, so_far(at), finish(at))).collect();
    if call.query.contains("alt=sse") {
        return Ok(Reply::sse(answers.iter().map(data).collect()));
    }
    Ok(Reply::array(&answers))
}

/// What the last content says that is not the model's, and whether it is a tool that says it.
fn last_text(contents: &[Value]) -> (String, bool) {
    let Some(content) = contents.iter().rev().find(|c| c["role"] != "model") else {
        return Default::default();
    };
    let parts = content["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
    match parts.iter().find_map(|part| part.get("functionResponse")) {
        Some(answer) => (answer["response"].to_string(), true),
        None => (content_text(&content["parts"]), false),
    }
}

fn function(declared: &Value) -> Option<Tool<'_>> {
    let schema = ["parametersJsonSchema", "parameters_json_schema", "parameters"]
        .iter()
        .find_map(|name| declared.get(name));
    Some(Tool { name: declared["name"].as_str()?, schema: schema.unwrap_or(&Value::Null) })
}

/// What the assistant says where no tools are offered.
pub(crate) fn said(prompt: &str, call: &Call) -> String {
    match turn(prompt, false, &[], &call.knobs) {
        Turn::Say(text) => text,
        Turn::Call { arguments, .. } => arguments.to_string(),
    }
}
