//! Models in paths: Azure's deployments, OpenAI's engines, and other services' paths with the same or their own
//! operations.

use std::borrow::Cow;

use crate::bound::scanned;
use crate::json::Val;
use crate::route::{PREDICTIONS, after, matches};

/// OpenAI's operations after a deployment or an engine, longer ones first.
const OPERATIONS: &[&[&str]] = &[
    &["extensions", "chat", "completions"],
    &["chat", "completions"],
    &["images", "generations"],
    &["images", "variations"],
    &["images", "edits"],
    &["audio", "transcriptions"],
    &["audio", "translations"],
    &["audio", "speech"],
    &["completions"],
    &["embeddings"],
    &["responses"],
    &["moderations"],
];

/// The segments after these.
fn behind<'s>(segments: &'s [Cow<'_, str>], these: &[&str]) -> Option<&'s [Cow<'s, str>]> {
    let at = segments.windows(these.len()).position(|window| matches(window, these))?;
    segments.get(at + these.len()..)
}

/// The segments before this end.
fn before<'s>(segments: &'s [Cow<'s, str>], end: &[&str]) -> Option<&'s [Cow<'s, str>]> {
    let (before, tail) = segments.split_at_checked(segments.len().checked_sub(end.len())?)?;
    matches(tail, end).then_some(before)
}

/// The segments between these and an operation.
fn before_operation<'s>(segments: &'s [Cow<'_, str>], these: &[&str]) -> Option<&'s [Cow<'s, str>]> {
    let rest = behind(segments, these)?;
    OPERATIONS.iter().find_map(|operation| before(rest, operation))
}

/// The model in a path, if its protocol does not define where.
pub(crate) fn model(segments: &[Cow<'_, str>]) -> Option<String> {
    deployment(segments).or_else(|| engine(segments)).or_else(|| hosted(segments))
}

/// The model of a service that hosts many: Hugging Face's `/models/{model}/v1/chat/completions`, Replicate's
/// `/models/{model}/predictions` and its deployments, Databricks' `/serving-endpoints/{name}/invocations`,
/// Cloudflare's `/ai/run/{model}`, and servers for arbitrary models ([`endpoint`], [`kserve`], [`served`]).
fn hosted(segments: &[Cow<'_, str>]) -> Option<String> {
    let of = |these: &[&str], end: &[&str]| before(behind(segments, these)?, end);
    let model = of(&["serving-endpoints"], &["invocations"])
        .or_else(|| of(&["models"], &["predictions"]))
        .or_else(|| of(&["v1", "deployments"], &["predictions"]))
        .or_else(|| before_operation(segments, &["models"]).and_then(without_version))
        .or_else(|| cloudflare(segments))
        .or_else(|| endpoint(segments))
        .or_else(|| kserve(segments))
        .or_else(|| served(segments))?;
    Some(model.join("/")).filter(|model| !model.is_empty())
}

/// The version of a model that is run on Replicate: with the model's name, or alone.
pub(crate) fn version(operation: &str, body: &[u8]) -> Option<String> {
    if operation != PREDICTIONS {
        return None;
    }
    // Alone, it is a digest in hexadecimal digits.
    let names = |version: &str| version.contains('/') || version.len() >= 32;
    let version = |root: Val<'_>| {
        let version = root.get_text("version").filter(|version| names(version));
        version.filter(|_| root.get("input").is_some()).map(Cow::into_owned)
    };
    scanned(body, version).flatten()
}

/// An endpoint with one model: Amazon SageMaker's, Vertex AI's. Google's own models are at `openapi`, and the body
/// names them.
fn endpoint<'s>(segments: &'s [Cow<'_, str>]) -> Option<&'s [Cow<'s, str>]> {
    const INVOKED: &[&str] = &["invocations", "invocations-response-stream", "async-invocations"];
    let rest = behind(segments, &["endpoints"])?;
    let (name, operation) = rest.split_at_checked(1)?;
    let vertex = matches(operation, &["chat", "completions"])
        && segments.iter().any(|segment| segment.eq_ignore_ascii_case("locations"))
        && !matches(name, &["openapi"]);
    (vertex || INVOKED.iter().any(|invoked| matches(operation, &[invoked]))).then_some(name)
}

/// The open inference protocol (KServe, Triton): `/v2/models/{model}/generate`, where a version may follow the model.
fn kserve<'s>(segments: &'s [Cow<'_, str>]) -> Option<&'s [Cow<'s, str>]> {
    const ASKED: &[&str] = &["infer", "generate", "generate_stream"];
    let (model, rest) = behind(segments, &["v2", "models"])?.split_at_checked(1)?;
    let (last, before) = rest.split_last()?;
    let version = before.is_empty() || before.len() == 2 && matches(before.get(..1)?, &["versions"]);
    (version && ASKED.iter().any(|asked| last.eq_ignore_ascii_case(asked))).then_some(model)
}

/// A model at the end of a path: DeepInfra's `/v1/inference/{model}`, NVIDIA's `/v1/genai/{model}`, and Hugging
/// Face's `/hf-inference/models/{model}`, where a pipeline's name may follow.
fn served<'s>(segments: &'s [Cow<'_, str>]) -> Option<&'s [Cow<'s, str>]> {
    for of in [["v1", "inference"], ["v1", "genai"]] {
        let model = segments.split_at_checked(of.len()).filter(|(first, _)| matches(first, &of));
        let operation = |model: &[Cow<'_, str>]| OPERATIONS.iter().any(|end| before(model, end).is_some());
        if let Some((_, model)) = model.filter(|(_, model)| !operation(model)) {
            return Some(model);
        }
    }
    let model = behind(segments, &["hf-inference", "models"])?;
    let end = model.iter().position(|segment| segment.eq_ignore_ascii_case("pipeline"));
    model.get(..end.unwrap_or(model.len()))
}

/// Without the version before an operation. A path that begins with a version is a service's own.
fn without_version<'s>(model: &'s [Cow<'s, str>]) -> Option<&'s [Cow<'s, str>]> {
    let model = match model.split_last() {
        Some((last, before)) if is_plain_version(last) => before,
        _ => model,
    };
    model.first().filter(|first| !is_plain_version(first)).map(|_| model)
}

/// The segments before a model of Cloudflare's.
const RUN: &[&str] = &["ai", "run"];

/// Cloudflare's: recognised by an account, or by the sign with which its models' names begin.
fn cloudflare<'s>(segments: &'s [Cow<'_, str>]) -> Option<&'s [Cow<'s, str>]> {
    let of_account = |window: &[Cow<'_, str>]| matches!(window, [accounts, _, run @ ..] if accounts.eq_ignore_ascii_case("accounts") && matches(run, RUN));
    let model = behind(segments, RUN)?;
    let named = model.first()?.starts_with('@') || segments.windows(4).any(of_account);
    named.then_some(model)
}

/// Azure's deployment; in proxies it may contain slashes, like a provider's name before a model's.
fn deployment(segments: &[Cow<'_, str>]) -> Option<String> {
    match before_operation(segments, &["openai", "deployments"]) {
        Some(model) => Some(model.join("/")).filter(|model| !model.is_empty()),
        None => after(segments, &["openai", "deployments"]).map(str::to_owned),
    }
}

/// The model of the older `/engines/{model}/completions`. It cannot end with a version: `/engines/llama.cpp/v1/…`
/// names a server.
fn engine(segments: &[Cow<'_, str>]) -> Option<String> {
    let model = before_operation(segments, &["engines"])?;
    model.last().filter(|last| !is_version(last)).map(|_| model.join("/"))
}

/// `v1`, `v1beta`.
pub(crate) fn is_version(segment: &str) -> bool {
    let rest = segment.strip_prefix(['v', 'V']);
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Exactly a version: other names may begin like one (`v2ray`).
fn is_plain_version(segment: &str) -> bool {
    let digit = |c: char| c.is_ascii_digit();
    let rest = segment.get(1..).map(|rest| rest.trim_matches(digit));
    is_version(segment) && matches!(rest, Some("" | "alpha" | "beta"))
}
