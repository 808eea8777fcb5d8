//! Which models there are: every name but one.

use serde_json::{Value, json};

use crate::{call::Call, chat::CREATED, error::Flavour, reply::Reply};

/// The only name that no provider of the mock has.
pub(crate) const UNKNOWN: &str = "does-not-exist";

const LISTED: [&str; 4] = ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "text-embedding-3-small"];

/// The request's model, if it is there and known.
pub(crate) fn known(body: &Value, flavour: Flavour) -> Result<String, Reply> {
    match body["model"].as_str() {
        None => Err(flavour.invalid("you must provide a model parameter")),
        Some(UNKNOWN) => Err(flavour.no_such_model(UNKNOWN)),
        Some(model) => Ok(model.to_owned()),
    }
}

/// `GET /v1/models` and `GET /v1/models/{id}`, as OpenAI or (with `anthropic-version`) Anthropic answer it.
pub(crate) fn list(call: &Call) -> Reply {
    let anthropic = call.header("anthropic-version").is_some();
    let model = |id: &str| {
        if anthropic {
            json!({ "type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z" })
        } else {
            json!({ "id": id, "object": "model", "created": CREATED, "owned_by": "mock" })
        }
    };
    match call.path.rsplit_once("/models/") {
        Some((_, UNKNOWN)) if anthropic => Flavour::Anthropic.no_such_model(UNKNOWN),
        Some((_, UNKNOWN)) => Flavour::OpenAi.no_such_model(UNKNOWN),
        Some((_, id)) => Reply::json(200, &model(id)),
        None => {
            let models: Vec<_> = LISTED.iter().map(|id| model(id)).collect();
            let mut list = json!({ "object": "list", "data": models });
            if anthropic {
                list =
                    json!({ "data": models, "has_more": false, "first_id": LISTED[0], "last_id": LISTED[3] });
            }
            Reply::json(200, &list)
        }
    }
}
